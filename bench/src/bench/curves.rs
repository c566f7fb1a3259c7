//! What a delivery costs beside what should not matter: idle connections, other streams, history.

use anyhow::Result;

use super::site::{Site, thousands};
use super::{Bench, name};
use crate::load::work::{Onto, Order};
use crate::servers::Server;

/// Clients that get the entries, in each curve the same.
const RECEIVERS: usize = 1_000;

/// Streams of these clients, in the curve of streams: a hundred clients each.
const HEARD: usize = 10;

/// Subscriptions that one idle connection has, in the curve of streams.
const SUBSCRIPTIONS_EACH: usize = 90;

/// Entries that are published at a time to fill history.
const FILL: usize = 100;

pub(super) fn measure(bench: &mut Bench, server: &Server) -> Result<()> {
    for idle in bench.plan.curve_idle.clone() {
        beside_idle(bench, server, idle)?;
    }
    for streams in bench.plan.curve_streams.clone() {
        with_streams(bench, server, streams)?;
    }
    for entries in bench.plan.curve_history.clone() {
        with_history(bench, server, entries)?;
    }
    Ok(())
}

fn point(bench: &mut Bench, server: &Server, site: &mut Site, curve: &str, x: usize) -> Result<()> {
    let rounds = bench.plan.rounds(server, RECEIVERS / site.target.heard, 1);
    let cost = site.stretch(rounds, 1, 400)?.cpu_ns_per_delivery();
    bench.figures.add(name(server, &format!("curve_{curve}_{}", thousands(x))), cost);
    Ok(())
}

/// Idle connections read a stream of their own, to which nobody publishes.
fn beside_idle(bench: &mut Bench, server: &Server, idle: usize) -> Result<()> {
    let mut site = bench.site_of(server, RECEIVERS + idle, |target, _| {
        (target.streams, target.heard) = (2, 1);
        Ok(())
    })?;
    site.connect(RECEIVERS)?;
    site.connect_onto(RECEIVERS + idle, Onto { first: 1, streams: 1, each: 1 })?;
    point(bench, server, &mut site, "idle", idle)
}

/// Other streams have an entry and a subscriber each.
fn with_streams(bench: &mut Bench, server: &Server, streams: usize) -> Result<()> {
    let others = streams.saturating_sub(HEARD) / SUBSCRIPTIONS_EACH;
    let mut site = bench.site_of(server, RECEIVERS + others, |target, _| {
        (target.streams, target.heard) = (HEARD + others * SUBSCRIPTIONS_EACH, HEARD);
        Ok(())
    })?;
    site.fleet.first(&Order::Fill { rounds: 1, burst: 1, size: 400 })?;
    site.connect(RECEIVERS)?;
    if others > 0 {
        let (first, streams) = (HEARD, others * SUBSCRIPTIONS_EACH);
        let onto = Onto { first, streams, each: SUBSCRIPTIONS_EACH };
        site.connect_onto(RECEIVERS + others, onto)?;
    }
    point(bench, server, &mut site, "streams", streams)
}

/// History of the stream that is read; with room for all of it, which is not Forebay's default.
fn with_history(bench: &mut Bench, server: &Server, entries: usize) -> Result<()> {
    bench.with_options(HISTORY_OPTIONS, |bench| {
        let mut site = bench.site(server, RECEIVERS)?;
        let rounds = entries / FILL;
        site.fleet.first(&Order::Fill { rounds, burst: FILL, size: 400 })?;
        site.connect(RECEIVERS)?;
        point(bench, server, &mut site, "history", entries)
    })
}

const HISTORY_OPTIONS: &[&str] =
    &["--history-limit=1000000", "--history-bytes=1GiB", "--history-total-bytes=1GiB"];
