//! What it costs to publish: in process, and over HTTP.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use forebay_hub::{Broadcast, Fsync, Hub, Options};
use forebay_log::{Class, Message};
use futures_util::future::join_all;
use pollster::FutureExt as _;

use super::{Bench, name};
use crate::figures::median;
use crate::load::work::Order;
use crate::servers::{FOREBAY, SINK, Server};

/// Publishers that share the disk.
const PUBLISHERS: usize = 64;

/// Keep-alive connections that publish at the same time.
const CONNECTIONS: usize = 16;

pub(super) fn measure(bench: &mut Bench, _: &Server) -> Result<()> {
    (SINK.prepare)(&bench.place)?;
    bench.figures.add("publish_ns", in_process()?);
    let (one, many) = (to_disk(1)?, to_disk(PUBLISHERS)?);
    bench.figures.add("synced_publishes_per_second", one);
    bench.figures.add("synced_publishes_64_vs_1", many / one);
    let sink = over_http(bench, &SINK)?;
    let ours = over_http(bench, &FOREBAY)?;
    bench.figures.add("http_publish_vs_axum", ours / sink);
    Ok(())
}

/// Nanoseconds per broadcast that nobody reads, the median of ten batches.
fn in_process() -> Result<f64> {
    let hub = Hub::new(Options::default());
    let html = format!("\"{}\"", "x".repeat(400));
    let mut batches = Vec::new();
    for _ in 0..10 {
        let count = 20_000;
        let messages: Vec<_> = (0..count).map(|_| Message::json(html.as_str())).collect();
        let began = Instant::now();
        let publish_all = async {
            for message in messages {
                let broadcast = Broadcast { stream: "bench", message, class: Class::Log };
                hub.publish(broadcast).await?;
            }
            anyhow::Ok(())
        };
        publish_all.block_on()?;
        batches.push(began.elapsed().as_nanos() as f64 / f64::from(count));
    }
    median(batches).context("batches were measured")
}

/// Broadcasts per second into a folder where each waits for the disk, by so many publishers.
fn to_disk(publishers: usize) -> Result<f64> {
    let folder = tempfile::tempdir_in(".")?;
    let hub = Hub::open(Options::default(), folder.path(), Fsync::Always)?;
    let (began, until) = (Instant::now(), Instant::now() + Duration::from_secs(2));
    let publish = async || -> Result<u32> {
        let mut count = 0;
        while Instant::now() < until {
            let message = Message::json(format!("\"{}\"", "x".repeat(400)));
            let broadcast = Broadcast { stream: "bench", message, class: Class::Log };
            hub.publish(broadcast).await?;
            count += 1;
        }
        Ok(count)
    };
    // In one thread, as the tasks of a server are.
    let counts = join_all((0..publishers).map(|_| publish())).block_on();
    let count: u32 = counts.into_iter().sum::<Result<u32>>()?;
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

fn over_http(bench: &mut Bench, server: &Server) -> Result<f64> {
    let mut site = bench.site_of(server, 1, |target, _| {
        (target.streams, target.heard) = (CONNECTIONS, CONNECTIONS);
        Ok(())
    })?;
    let order = |seconds| Order::PostRate { connections: CONNECTIONS, seconds, size: 400 };
    site.fleet.first(&order(0.3))?;
    let before = site.usage()?;
    let outcome = site.fleet.first(&order(bench.plan.post_seconds))?;
    let usage = site.usage()?.since(before);
    ensure!(outcome.done > 0, "no broadcast was answered");
    let rate = outcome.done as f64 / outcome.seconds;
    bench.figures.add(name(server, "http_publishes_per_second"), rate);
    bench
        .figures
        .add(name(server, "cpu_ns_per_http_publish"), usage.cpu_ns as f64 / outcome.done as f64);
    Ok(rate)
}
