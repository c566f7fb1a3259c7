//! Clients that read slower than is published: what they cost the others, and the server.
//!
//! They read 1 000 bytes a second each. Their sockets fill, and then history passes them by; when they
//! read again, each must be told once to load its page again, and then gets every entry. Their generator
//! is a process of its own, so that it does not keep the other clients' from reading.

use anyhow::{Result, ensure};

use super::{Bench, name};
use crate::load::work::{Manner, Onto, Order};
use crate::servers::Server;

/// Clients that read as fast as they can, and are measured.
const OTHERS: usize = 100;

/// Publishes a second for them.
const PER_SECOND: f64 = 100.0;

/// Bytes a second that a slow client reads.
const SLOW: usize = 1_000;

/// More than history keeps of a stream (1 000 entries and 4 MiB by default) and sockets hold, together.
const BURSTS: usize = 50;
const BURST: usize = 32;
const BURST_SIZE: usize = 4_000;

pub(super) fn measure(bench: &mut Bench, server: &Server) -> Result<()> {
    let count = bench.plan.slow_receivers;
    let mut site = bench.site(server, OTHERS)?;
    site.connect(OTHERS)?;
    // History is full from here on, and no growth.
    site.fleet.rounds(BURSTS, BURST, BURST_SIZE)?.ensure_exact()?;
    site.warm_up()?;
    let seconds = bench.plan.slow_seconds;
    let rate = Order::Rate { per_second: PER_SECOND, seconds, late_max: 5.0, size: 400 };
    let without = site.fleet.first(&rate)?;
    without.ensure_exact()?;

    let mut slow = bench.fleet(server, &site.target, count, Manner::Thin)?;
    slow.connect(0, count, Onto::all(1))?;
    slow.each(|| Order::Slow { bytes_per_second: SLOW })?;
    // What was there before them is not theirs.
    site.connections += count;
    site.fleet.rounds(BURSTS, BURST, BURST_SIZE)?.ensure_exact()?;
    let memory = site.memory_per_connection()?;
    let beside = site.fleet.first(&rate)?;
    beside.ensure_exact()?;
    ensure!(without.lacking + beside.lacking == 0, "the others did not get everything in time");

    let healed = slow.each(|| Order::Heal)?;
    healed.ensure_exact()?;
    let followed = slow.follow(&mut site.fleet, 3, 1)?;
    followed.ensure_exact()?;

    let (p99, p99_without) = (beside.percentile(0.99) / 1e3, without.percentile(0.99) / 1e3);
    let figures = [
        ("slow_receivers", count as f64),
        ("slow_others_p99_us", p99),
        ("slow_others_p99_us_without", p99_without),
        ("slow_others_p99_vs_without", p99 / p99_without),
        ("slow_rss_bytes_per_receiver", memory.rss),
        ("slow_kernel_bytes_per_receiver", memory.kernel),
        ("slow_resynced_once_share", followed.refreshed_once as f64 / count as f64),
        ("slow_heal_seconds", healed.seconds),
    ];
    for (figure, value) in figures {
        bench.figures.add(name(server, figure), value);
    }
    Ok(())
}
