//! Connections come and go, for long: memory has to stay where it was.

use anyhow::Result;

use super::site::thousands;
use super::{Bench, name};
use crate::fleet::AT_ONCE;
use crate::load::work::Order;
use crate::servers::Server;

const CONNECTIONS: usize = 10_000;

/// Connections that end each second, and others that take their places.
const PER_SECOND: f64 = 500.0;

/// Looks at memory, evenly spread; in the first, each connection may not even have been replaced once.
const LOOKS: usize = 12;

pub(super) fn measure(bench: &mut Bench, server: &Server) -> Result<()> {
    let minutes = bench.plan.churn_minutes;
    let mut site = bench.site(server, CONNECTIONS)?;
    site.warm_up()?;
    site.connect(CONNECTIONS)?;
    let before = site.memory_per_connection()?.rss;
    let k = thousands(CONNECTIONS);
    let mut looks = Vec::new();
    let mut replaced = 0;
    for look in 1..=LOOKS {
        let seconds = minutes * 60.0 / LOOKS as f64;
        let order = || Order::Churn { per_second: PER_SECOND, seconds, at_once: AT_ONCE };
        replaced += site.fleet.each(order)?.done;
        let rss = site.memory_per_connection()?.rss;
        looks.push(rss);
        let after = (seconds * look as f64).round() as usize;
        bench.figures.add(name(server, &format!("churn_rss_after_seconds_{after}")), rss);
    }
    // All of them live.
    site.fleet.rounds(2, 1, 400)?.ensure_exact()?;
    let last = looks.last().copied().unwrap_or(before);
    let figures = [
        (format!("churn_rss_bytes_per_conn_{k}"), last),
        (format!("churn_rss_vs_before_{k}"), last / before),
        (format!("churn_rss_second_half_growth_{k}"), last / looks[LOOKS / 2 - 1]),
        ("churn_minutes".to_owned(), minutes),
        ("churn_connections_replaced".to_owned(), replaced as f64),
    ];
    for (figure, value) in figures {
        bench.figures.add(name(server, &figure), value);
    }
    Ok(())
}
