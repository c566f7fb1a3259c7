//! Idle connections, single broadcasts and bursts.

use anyhow::Result;

use super::{AT_ONCE, Bench, name};
use crate::figures::median;
use crate::fleet::Fleet;
use crate::load::work::{Order, Outcome};
use crate::process::{self, Usage};
use crate::servers::{FLOOR, Running, Server};

/// Connections that are there before memory is first looked at, so that what a server makes once is
/// not counted.
const WARM_UP: usize = 100;

/// The number of connections, as names of figures say it.
fn thousands(connections: usize) -> String {
    match connections % 1_000 {
        0 => format!("{}k", connections / 1_000),
        _ => connections.to_string(),
    }
}

pub(super) fn measure(bench: &mut Bench, server: &Server, connections: usize) -> Result<()> {
    let running = bench.start(server)?;
    let target = server.target(running.port, 1);
    let mut fleet = bench.fleet(server, &target, connections)?;
    fleet.connect(0, WARM_UP.min(connections), AT_ONCE)?;
    fleet.rounds(3, 1, 400)?;
    settle(&mut fleet)?;
    let (rss, kernel) = (process::rss(running.pid())?, process::kernel_memory()?);
    fleet.connect(WARM_UP, connections.saturating_sub(WARM_UP), AT_ONCE)?;
    settle(&mut fleet)?;
    let more = connections.saturating_sub(WARM_UP).max(1) as f64;
    let k = thousands(connections);
    let per_connection = |now: u64, before: u64| (now as f64 - before as f64) / more;
    let idle = per_connection(process::rss(running.pid())?, rss);
    bench.figures.add(name(server, &format!("idle_rss_bytes_per_conn_{k}")), idle);
    let kernel = per_connection(process::kernel_memory()?, kernel);
    bench.figures.add(name(server, &format!("kernel_bytes_per_conn_{k}")), kernel);

    for size in bench.plan.sizes.clone() {
        let suffix = if size == 400 { k.clone() } else { format!("{size}b_{k}") };
        let rounds = (bench.plan.deliveries / connections).clamp(10, 300);
        let single = stretch(&running, &mut fleet, rounds, 1, size)?;
        note(bench, server, "", &suffix, &single);
        for burst in bench.plan.bursts.clone() {
            let burst_rounds = (rounds * 2 / burst).max(5);
            let measured = stretch(&running, &mut fleet, burst_rounds, burst, size)?;
            note(bench, server, &format!("burst{burst}_"), &suffix, &measured);
        }
    }
    let after = per_connection(process::rss(running.pid())?, rss);
    bench.figures.add(name(server, &format!("after_traffic_rss_bytes_per_conn_{k}")), after);
    Ok(())
}

/// A stretch of equal rounds, and what it cost the server.
struct Stretch {
    usage: Usage,
    outcome: Outcome,
}

fn stretch(
    running: &Running,
    fleet: &mut Fleet,
    rounds: usize,
    burst: usize,
    size: usize,
) -> Result<Stretch> {
    fleet.rounds(2, burst, size)?;
    settle(fleet)?;
    let before = process::usage(running.pid())?;
    let outcome = fleet.rounds(rounds, burst, size)?;
    settle(fleet)?;
    let usage = process::usage(running.pid())?.since(before);
    outcome.ensure_exact()?;
    Ok(Stretch { usage, outcome })
}

/// Lets the server do what it still has to do for what it was given.
fn settle(fleet: &mut Fleet) -> Result<()> {
    fleet.each(|| Order::Idle { seconds: 0.1 })?;
    Ok(())
}

fn note(bench: &mut Bench, server: &Server, kind: &str, suffix: &str, stretch: &Stretch) {
    let Stretch { usage, outcome } = stretch;
    let deliveries = outcome.deliveries as f64;
    let ticks = (usage.user_ticks + usage.system_ticks).max(1) as f64;
    let figures = [
        ("cpu_ns_per_delivery", usage.cpu_ns as f64 / deliveries, "cpu_per_delivery"),
        (
            "last_client_us",
            median(outcome.last.iter().map(|ns| *ns as f64 / 1e3)).unwrap_or_default(),
            "last_client",
        ),
    ];
    for (absolute, value, ratio) in figures {
        bench.figures.add(name(server, &format!("{kind}{absolute}_{suffix}")), value);
        let floor = bench.figures.latest(&name(&FLOOR, &format!("{kind}{absolute}_{suffix}")));
        if let Some(floor) = floor {
            let figure = format!("{kind}{ratio}_vs_floor_{suffix}");
            bench.figures.add(name(server, &figure), value / floor);
        }
    }
    let more = [
        ("system_share", usage.system_ticks as f64 / ticks),
        ("switches_per_delivery", usage.switches as f64 / deliveries),
        ("bytes_per_delivery", outcome.bytes as f64 / deliveries),
        ("latency_p50_us", outcome.percentile(0.5) / 1e3),
        ("latency_p99_us", outcome.percentile(0.99) / 1e3),
    ];
    for (figure, value) in more {
        bench.figures.add(name(server, &format!("{kind}{figure}_{suffix}")), value);
    }
}
