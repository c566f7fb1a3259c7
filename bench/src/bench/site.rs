//! A server that runs, its clients, and what both cost: the one place that reckons memory and CPU.

use anyhow::Result;

use super::{Bench, name};
use crate::figures::median;
use crate::fleet::{Clients, Fleet};
use crate::load::Target;
use crate::load::work::{Manner, Onto, Order, Outcome};
use crate::process::{self, Usage};
use crate::servers::{FLOOR, Running, Server};

/// Connections that are there before memory is first looked at, so that what a server makes once is
/// not counted.
const WARM_UP: usize = 100;

pub(super) struct Site {
    // Ends first: to clients of a server that has ended, its end is a fault.
    pub(super) fleet: Fleet,
    pub(super) running: Running,
    pub(super) target: Target,
    pub(super) connections: usize,
    /// What there was with the first connections, and how many these were.
    warm: Option<(Memory, usize)>,
}

/// Bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Memory {
    /// Of the server's processes.
    pub(super) rss: f64,
    /// Of the machine's kernel.
    pub(super) kernel: f64,
}

/// A stretch of equal rounds, and what it cost the server.
pub(super) struct Stretch {
    pub(super) usage: Usage,
    pub(super) outcome: Outcome,
}

impl Bench {
    /// Starts a server, and generators for at most so many clients of one stream.
    pub(super) fn site(&self, server: &Server, connections: usize) -> Result<Site> {
        self.site_of(server, connections, |_, _| Ok(()))
    }

    /// The same with other streams, or otherwise rendered pages.
    pub(super) fn site_of(
        &self,
        server: &Server,
        connections: usize,
        change: impl FnOnce(&mut Target, &Running) -> Result<()>,
    ) -> Result<Site> {
        let running = self.start(server)?;
        let mut target = server.target(running.port, 1);
        change(&mut target, &running)?;
        let fleet = self.fleet(server, &target, connections, Manner::Awake)?;
        Ok(Site::new(running, fleet, target))
    }

    pub(super) fn fleet(
        &self,
        server: &Server,
        target: &Target,
        connections: usize,
        manner: Manner,
    ) -> Result<Fleet> {
        let cores = self.plan.load_cores;
        Fleet::start(&Clients { target, post: server.post, manner, connections, cores })
    }
}

impl Site {
    pub(super) fn new(running: Running, fleet: Fleet, target: Target) -> Self {
        Self { fleet, running, target, connections: 0, warm: None }
    }

    /// Connects clients until there are so many, all to the streams that entries are published to.
    pub(super) fn connect(&mut self, connections: usize) -> Result<Outcome> {
        self.connect_onto(connections, Onto::all(self.target.heard))
    }

    pub(super) fn connect_onto(&mut self, connections: usize, onto: Onto) -> Result<Outcome> {
        let more = connections.saturating_sub(self.connections);
        let outcome = self.fleet.connect(self.connections, more, onto)?;
        self.connections += more;
        Ok(outcome)
    }

    /// Connects a few clients and has them get something; memory is reckoned from here on.
    pub(super) fn warm_up(&mut self) -> Result<()> {
        self.connect(WARM_UP)?;
        self.fleet.rounds(3, 1, 400)?.ensure_exact()?;
        self.settle()?;
        self.warm = Some((self.memory()?, self.connections));
        Ok(())
    }

    /// Bytes for each connection that came since [`Self::warm_up`].
    pub(super) fn memory_per_connection(&mut self) -> Result<Memory> {
        self.settle()?;
        let now = self.memory()?;
        let (warm, connections) = self.warm.unwrap_or((now, 0));
        Ok(now.since(warm, self.connections - connections))
    }

    fn memory(&self) -> Result<Memory> {
        let rss = process::rss(self.running.pid())? as f64;
        Ok(Memory { rss, kernel: process::kernel_memory()? as f64 })
    }

    /// Warms up, and then measures so many rounds.
    pub(super) fn stretch(&mut self, rounds: usize, burst: usize, size: usize) -> Result<Stretch> {
        let warm = if burst > 1 { 1 } else { 2 };
        self.fleet.rounds(warm, burst, size)?.ensure_exact()?;
        self.settle()?;
        let before = self.usage()?;
        let outcome = self.fleet.rounds(rounds, burst, size)?;
        self.settle()?;
        let usage = self.usage()?.since(before);
        outcome.ensure_exact()?;
        Ok(Stretch { usage, outcome })
    }

    pub(super) fn usage(&self) -> Result<Usage> {
        process::usage(self.running.pid())
    }

    /// Lets the server do what it still has to do for what it was given.
    fn settle(&mut self) -> Result<()> {
        self.fleet.each(|| Order::Idle { seconds: 0.1 })?;
        Ok(())
    }
}

impl Memory {
    /// Its growth, for each of so many connections.
    fn since(self, before: Self, connections: usize) -> Self {
        let each = connections.max(1) as f64;
        Self { rss: (self.rss - before.rss) / each, kernel: (self.kernel - before.kernel) / each }
    }
}

impl Stretch {
    pub(super) fn cpu_ns_per_delivery(&self) -> f64 {
        self.usage.cpu_ns as f64 / self.outcome.deliveries as f64
    }

    pub(super) fn deliveries_per_second(&self) -> f64 {
        self.outcome.deliveries as f64 / self.outcome.seconds
    }

    /// Writes down what it cost, under names that begin with `kind` and end with `suffix`.
    pub(super) fn note(&self, bench: &mut Bench, server: &Server, kind: &str, suffix: &str) {
        let Self { usage, outcome } = self;
        let deliveries = outcome.deliveries as f64;
        let ticks = (usage.user_ticks + usage.system_ticks).max(1) as f64;
        let last = median(outcome.last.iter().map(|ns| *ns as f64 / 1e3)).unwrap_or_default();
        let figures = [
            ("cpu_ns_per_delivery", self.cpu_ns_per_delivery(), "cpu_per_delivery"),
            ("last_client_us", last, "last_client"),
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
}

/// What names of figures begin with that are measured in bursts of so many entries.
pub(super) fn kind(burst: usize) -> String {
    if burst == 1 { String::new() } else { format!("burst{burst}_") }
}

/// The number of connections (or of anything else), as names of figures say it.
pub(super) fn thousands(count: usize) -> String {
    match count % 1_000 {
        0 if count > 0 => format!("{}k", count / 1_000),
        _ => count.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_reckoned_by_growth() {
        let before = Memory { rss: 1_000.0, kernel: 500.0 };
        let now = Memory { rss: 4_000.0, kernel: 400.0 };
        assert_eq!(now.since(before, 10), Memory { rss: 300.0, kernel: -10.0 });
        assert_eq!(now.since(now, 0), Memory { rss: 0.0, kernel: 0.0 });
    }

    #[test]
    fn thousands_are_short() {
        assert_eq!(
            [0, 250, 1_000, 19_000, 19_500].map(thousands),
            ["0", "250", "1k", "19k", "19500"]
        );
    }
}
