//! Everybody connects at once; everybody was cut and comes back for what was missed.

use anyhow::Result;

use super::{Bench, name};
use crate::fleet::AT_ONCE;
use crate::load::work::Order;
use crate::servers::{FLOOR, Server};

const CLIENTS: usize = 10_000;

/// What each client has missed.
const MISSED: usize = 20;

pub(super) fn connect(bench: &mut Bench, server: &Server) -> Result<()> {
    let mut site = bench.site(server, CLIENTS)?;
    site.connect(100)?;
    let before = site.usage()?;
    let outcome = site.connect(CLIENTS)?;
    let usage = site.usage()?.since(before);
    let connections = outcome.done as f64;
    bench.figures.add(name(server, "connects_per_second"), connections / outcome.seconds);
    bench.figures.add(name(server, "cpu_ns_per_connect"), usage.cpu_ns as f64 / connections);
    if let Some(floor) = bench.figures.latest("floor.connects_per_second") {
        let ratio = floor / (connections / outcome.seconds);
        bench.figures.add(name(server, "connect_storm_vs_floor"), ratio);
    }
    Ok(())
}

/// The time until all are exact, against that of a floor that accepts, upgrades and writes.
pub(super) fn resume(bench: &mut Bench, server: &Server) -> Result<()> {
    if server.rendered.is_none() && server.name != FLOOR.name {
        return Ok(());
    }
    bench.place.replay = MISSED;
    let storm = storm(bench, server);
    bench.place.replay = 0;
    let (seconds, cpu_ns) = storm?;
    bench.figures.add(name(server, "resume_storm_seconds"), seconds);
    bench.figures.add(name(server, "cpu_ns_per_resume"), cpu_ns);
    let floor = bench.figures.latest(&name(&FLOOR, "resume_storm_seconds"));
    if let Some(floor) = floor.filter(|_| server.name != FLOOR.name) {
        bench.figures.add(name(server, "resume_storm_vs_floor"), seconds / floor);
    }
    Ok(())
}

/// Its seconds, and the server's CPU for each client.
fn storm(bench: &Bench, server: &Server) -> Result<(f64, f64)> {
    let mut site = bench.site_of(server, CLIENTS, |target, running| {
        let rendered = server.rendered.map(|rendered| rendered(running.port));
        target.rendered = rendered.transpose()?;
        Ok(())
    })?;
    site.connect(CLIENTS)?;
    site.fleet.each(|| Order::Cut)?;
    site.fleet.first(&Order::Fill { rounds: MISSED, burst: 1, size: 400 })?;
    let order = || Order::Return { at_once: AT_ONCE, entries: MISSED as u64 };
    let before = site.usage()?;
    let outcome = site.fleet.each(order)?;
    outcome.ensure_exact()?;
    Ok((outcome.seconds, site.usage()?.since(before).cpu_ns as f64 / CLIENTS as f64))
}
