//! Idle connections, single broadcasts and bursts. Beside Forebay the floor is measured in turns with
//! it: within ten seconds a shared machine may have become a quarter slower.

use anyhow::Result;

use super::site::{kind, thousands};
use super::{Bench, name, syscalls};
use crate::servers::{FLOOR, FOREBAY, Server};

pub(super) fn measure(bench: &mut Bench, server: &Server) -> Result<()> {
    for connections in bench.plan.connections.clone() {
        with(bench, server, connections)?;
    }
    Ok(())
}

fn with(bench: &mut Bench, server: &Server, connections: usize) -> Result<()> {
    let mut site = bench.site(server, connections)?;
    site.warm_up()?;
    site.connect(connections)?;
    let k = thousands(connections);
    let idle = site.memory_per_connection()?;
    bench.figures.add(name(server, &format!("idle_rss_bytes_per_conn_{k}")), idle.rss);
    bench.figures.add(name(server, &format!("kernel_bytes_per_conn_{k}")), idle.kernel);

    let mut beside = None;
    if server.name == FOREBAY.name {
        let mut floor = bench.site(&FLOOR, connections)?;
        floor.connect(connections)?;
        beside = Some(floor);
    }
    for size in bench.plan.sizes.clone() {
        let suffix = if size == 400 { k.clone() } else { format!("{size}b_{k}") };
        for burst in [1].into_iter().chain(bench.plan.bursts.clone()) {
            let kind = kind(burst);
            let rounds = bench.plan.rounds(server, connections, burst);
            if let Some(floor) = &mut beside {
                floor.stretch(rounds, burst, size)?.note(bench, &FLOOR, &kind, &suffix);
            }
            site.stretch(rounds, burst, size)?.note(bench, server, &kind, &suffix);
        }
    }
    drop(beside);
    let after = site.memory_per_connection()?;
    bench.figures.add(name(server, &format!("after_traffic_rss_bytes_per_conn_{k}")), after.rss);
    // Of system calls each delivery takes as many, however many connections there are.
    if connections != bench.plan.connections[0] {
        return Ok(());
    }
    for burst in [1, 32] {
        if let Some(calls) = syscalls::per_delivery(bench, &mut site, burst)? {
            let kind = kind(burst);
            bench.figures.add(name(server, &format!("{kind}syscalls_per_delivery_{k}")), calls);
        }
    }
    Ok(())
}
