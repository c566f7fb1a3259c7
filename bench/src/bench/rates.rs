//! Sustained rates: how much a server can serve, and how late entries are at shares of that.
//!
//! Entries are published at their times, whether or not the clients keep up, and their latency counts from
//! then. A rate is sustained if all have everything shortly after the last was due.

use anyhow::{Result, anyhow};

use super::plan::Plan;
use super::site::{Site, thousands};
use super::{Bench, name};
use crate::load::work::{Order, Outcome};
use crate::servers::{FOREBAY, Server, is_peer};

const CLIENTS: usize = 1_000;

/// Rates that every server is measured at, so that they can be compared, are this one, twice as many
/// deliveries per second, and so on: as long as it keeps up, from the plan's first to the last.
const COMMON: f64 = 10_000.0;
const LAST: f64 = 2_560_000.0;

/// How far below the first a server is tried that can't keep up with it.
const LEAST: f64 = 1_000.0;

/// A rate that is not measured, for a server that has just begun.
const WARM: f64 = 160_000.0;

/// How often latency is measured at half of what a server sustains, which is what goals compare: a second
/// of it has so few broadcasts that the slowest alone is 1 % of the deliveries.
const HALF_SAMPLES: usize = 5;

/// Late by more than this share of the time for which was published means not to have kept up.
const LATE: f64 = 0.1;

pub(super) fn measure(bench: &mut Bench, server: &Server) -> Result<()> {
    let mut loaded = Loaded { server: *server, site: None };
    let mut busy: f64 = 0.0;
    let Plan { rate_first, rate_shares, rate_refinements, .. } = bench.plan;
    let limit = saturation(rate_first, rate_refinements, |rate| {
        let Some(step) = loaded.try_twice(bench, rate)? else { return Ok(false) };
        if is_common(rate) {
            let names = format!("rate_{}", thousands(rate as usize));
            note(bench, server, &names, &step);
        }
        busy = busy.max(step.busy);
        Ok(true)
    })?;
    let limit = limit.ok_or_else(|| anyhow!("it does not keep up with {LEAST} deliveries/s"))?;
    bench.figures.add(name(server, "saturation_deliveries_per_second"), limit);
    // Which of both was at its limit, the server or the load.
    bench.figures.add(name(server, "saturation_busy_share"), busy);
    for share in rate_shares {
        let rate = limit * f64::from(*share) / 100.0;
        if *share == 50 {
            at_half(bench, &mut loaded, rate)?;
        } else if let Some(step) = loaded.try_twice(bench, rate)? {
            note(bench, server, &format!("load_{share}"), &step);
        }
    }
    Ok(())
}

/// Beside a peer Forebay gets the same, in turns with it: how fast the machine is changes by the minute.
fn at_half(bench: &mut Bench, loaded: &mut Loaded, rate: f64) -> Result<()> {
    let server = loaded.server;
    let mut forebay = Loaded { server: FOREBAY, site: None };
    if is_peer(server.name) {
        // The peer has all rates up to its limit behind it.
        forebay.try_twice(bench, WARM)?;
    }
    for _ in 0..HALF_SAMPLES {
        if let Some(step) = loaded.try_twice(bench, rate)? {
            note(bench, &server, "load_50", &step);
        }
        if is_peer(server.name)
            && let Some(step) = forebay.try_twice(bench, rate)?
        {
            note(bench, &server, "forebay_at_half", &step);
        }
    }
    Ok(())
}

fn is_common(rate: f64) -> bool {
    rate >= COMMON && (rate / COMMON).log2().fract() == 0.0
}

fn note(bench: &mut Bench, server: &Server, names: &str, step: &Step) {
    let Step { outcome, busy, .. } = step;
    let cpu = busy * 1e9 * step.seconds / outcome.deliveries as f64;
    let figures = [
        ("p50_us", outcome.percentile(0.5) / 1e3),
        ("p99_us", outcome.percentile(0.99) / 1e3),
        ("cpu_ns_per_delivery", cpu),
    ];
    for (figure, value) in figures {
        bench.figures.add(name(server, &format!("{names}_{figure}")), value);
    }
}

/// A server with its clients, until it has failed: then it is behind, or has ended connections.
struct Loaded {
    server: Server,
    site: Option<Site>,
}

struct Step {
    outcome: Outcome,
    seconds: f64,
    /// Share of one core.
    busy: f64,
}

impl Loaded {
    /// Nothing, if it did not keep up. One failure may be another process's doing.
    fn try_twice(&mut self, bench: &Bench, rate: f64) -> Result<Option<Step>> {
        for _ in 0..2 {
            let mut site = match self.site.take() {
                Some(site) => site,
                None => loaded(bench, &self.server)?,
            };
            let seconds = bench.plan.rate_seconds;
            let per_second = rate / CLIENTS as f64;
            let late_max = LATE * seconds;
            let before = site.usage()?;
            let order = Order::Rate { per_second, seconds, late_max, size: 400 };
            // A server that ends connections does not keep up, either.
            let Ok(outcome) = site.fleet.first(&order) else { continue };
            let usage = site.usage()?.since(before);
            outcome.ensure_exact()?;
            if outcome.lacking == 0 {
                self.site = Some(site);
                let busy = usage.cpu_ns as f64 / 1e9 / outcome.seconds;
                return Ok(Some(Step { seconds: outcome.seconds, outcome, busy }));
            }
        }
        Ok(None)
    }
}

fn loaded(bench: &Bench, server: &Server) -> Result<Site> {
    let mut site = bench.site(server, CLIENTS)?;
    site.connect(CLIENTS)?;
    site.fleet.rounds(10, 1, 400)?.ensure_exact()?;
    Ok(site)
}

/// The most that is sustained: doubles until something is not, then closes in on it by halves.
fn saturation(
    first: f64,
    refinements: usize,
    mut sustains: impl FnMut(f64) -> Result<bool>,
) -> Result<Option<f64>> {
    let mut good = None;
    let mut rate = first;
    let mut bad = loop {
        if sustains(rate)? {
            good = Some(rate);
            if rate >= LAST {
                return Ok(good);
            }
            rate *= 2.0;
        } else if good.is_some() {
            break rate;
        } else if rate / 2.0 < LEAST {
            return Ok(None);
        } else {
            // Downwards, until something works.
            rate /= 2.0;
            if sustains(rate)? {
                good = Some(rate);
                break rate * 2.0;
            }
        }
    };
    let mut good = good.unwrap_or(LEAST);
    for _ in 0..refinements {
        let middle = f64::midpoint(good, bad);
        if sustains(middle)? { good = middle } else { bad = middle }
    }
    Ok(Some(good))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(limit: f64) -> (Option<f64>, usize) {
        let mut tries = 0;
        let found = saturation(COMMON, 3, |rate| {
            tries += 1;
            Ok(rate <= limit)
        });
        (found.unwrap(), tries)
    }

    #[test]
    fn saturation_is_found_from_both_sides() {
        assert_eq!(found(100_000.0), (Some(100_000.0), 8));
        assert_eq!(found(10_000.0), (Some(10_000.0), 5));
        // Down to 2 500, then up to three quarters of 5 000 and further.
        let (limit, _) = found(4_000.0);
        assert!(limit.is_some_and(|limit| (3_000.0..=4_000.0).contains(&limit)), "{limit:?}");
        assert_eq!(found(10.0).0, None);
        assert_eq!(found(f64::INFINITY).0, Some(LAST));
    }

    #[test]
    fn only_the_rates_of_all_have_names() {
        let common = [10_000.0, 20_000.0, 2_560_000.0].map(is_common);
        assert_eq!(common, [true; 3]);
        assert_eq!([5_000.0, 15_000.0, 90_000.0].map(is_common), [false; 3]);
    }
}
