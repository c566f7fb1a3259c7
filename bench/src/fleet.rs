//! Generators as seen from the orchestrator: processes that take orders.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::load::work::{Manner, Onto, Order, Outcome};
use crate::load::{Post, Target};

/// Connections that one process takes: a process may hold 20 000 descriptors on small machines.
const PER_PROCESS: usize = 19_500;

/// Handshakes on their way at the same time, of all clients that want to connect: more than that
/// overflow Linux's own queues for the loopback, and lost packets would be measured.
pub(crate) const AT_ONCE: usize = 200;

/// As many generators as the connections need, all on the same cores. The first one publishes.
pub(crate) struct Fleet {
    generators: Vec<Generator>,
}

/// What a fleet is made for.
pub(crate) struct Clients<'a> {
    pub(crate) target: &'a Target,
    pub(crate) post: Post,
    pub(crate) manner: Manner,
    /// At most.
    pub(crate) connections: usize,
    pub(crate) cores: &'a str,
}

struct Generator {
    child: Child,
    orders: ChildStdin,
    outcomes: BufReader<ChildStdout>,
}

impl Fleet {
    pub(crate) fn start(clients: &Clients<'_>) -> Result<Self> {
        let Clients { target, post, manner, connections, cores } = *clients;
        let generators = (0..connections.div_ceil(PER_PROCESS).max(1))
            .map(|_| Generator::start(cores))
            .collect::<Result<_>>()?;
        let mut fleet = Self { generators };
        fleet.all(|_| Order::Prepare { target: target.clone(), post, manner })?;
        Ok(fleet)
    }

    /// Connects so many more, shared out over the generators.
    pub(crate) fn connect(&mut self, from: usize, count: usize, onto: Onto) -> Result<Outcome> {
        let processes = self.generators.len();
        let share = count.div_ceil(processes);
        let at_once = AT_ONCE.div_ceil(processes);
        self.all(|index| {
            let begin = (index * share).min(count);
            let end = (begin + share).min(count);
            Order::Connect { from: from + begin, count: end - begin, at_once, onto }
        })
    }

    /// Has the first generator publish so many bursts, and all receive them.
    pub(crate) fn rounds(&mut self, rounds: usize, burst: usize, size: usize) -> Result<Outcome> {
        for follower in &mut self.generators[1..] {
            follower.send(&Order::Expect { burst })?;
            follower.outcome()?;
        }
        self.all(|index| match index {
            0 => Order::Rounds { rounds, burst, size },
            _ => Order::Follow { rounds, burst },
        })
    }

    /// An order for the first generator alone.
    pub(crate) fn first(&mut self, order: &Order) -> Result<Outcome> {
        self.generators[0].send(order)?;
        self.generators[0].outcome()
    }

    /// The same order for all.
    pub(crate) fn each(&mut self, order: impl Fn() -> Order) -> Result<Outcome> {
        self.all(|_| order())
    }

    /// Receives what another fleet publishes in so many rounds.
    pub(crate) fn follow(
        &mut self,
        other: &mut Self,
        rounds: usize,
        burst: usize,
    ) -> Result<Outcome> {
        self.all(|_| Order::Expect { burst })?;
        self.send(|_| Order::Follow { rounds, burst })?;
        other.rounds(rounds, burst, 400)?.ensure_exact()?;
        self.outcomes()
    }

    fn all(&mut self, order: impl Fn(usize) -> Order) -> Result<Outcome> {
        self.send(order)?;
        self.outcomes()
    }

    fn send(&mut self, order: impl Fn(usize) -> Order) -> Result<()> {
        for (index, generator) in self.generators.iter_mut().enumerate() {
            generator.send(&order(index))?;
        }
        Ok(())
    }

    fn outcomes(&mut self) -> Result<Outcome> {
        let mut total = Outcome::default();
        for generator in &mut self.generators {
            total.add(generator.outcome()?);
        }
        Ok(total)
    }
}

impl Generator {
    fn start(cores: &str) -> Result<Self> {
        let mut child = Command::new("taskset")
            .args(["--cpu-list", cores])
            .arg(std::env::current_exe()?)
            .arg("load")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting a generator")?;
        let orders = child.stdin.take().context("a generator takes orders")?;
        let outcomes = child.stdout.take().context("a generator answers")?;
        Ok(Self { child, orders, outcomes: BufReader::new(outcomes) })
    }

    fn send(&mut self, order: &Order) -> Result<()> {
        serde_json::to_writer(&mut self.orders, order)?;
        writeln!(self.orders)?;
        Ok(self.orders.flush()?)
    }

    fn outcome(&mut self) -> Result<Outcome> {
        let mut line = String::new();
        if self.outcomes.read_line(&mut line)? == 0 {
            bail!("a generator ended");
        }
        let outcome: Outcome = serde_json::from_str(&line)?;
        match outcome.error {
            Some(error) => bail!("{error}"),
            None => Ok(outcome),
        }
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.seconds = self.seconds.max(other.seconds);
        self.deliveries += other.deliveries;
        self.done += other.done;
        self.latencies.extend(other.latencies);
        self.faults.missing += other.faults.missing;
        self.faults.doubled += other.faults.doubled;
        self.faults.lost += other.faults.lost;
        self.lacking += other.lacking;
        self.refreshed_once += other.refreshed_once;
        self.bytes += other.bytes;
        self.last.resize(self.last.len().max(other.last.len()), 0);
        for (last, other) in self.last.iter_mut().zip(other.last) {
            *last = other.max(*last);
        }
    }

    /// The latency that a share of all deliveries did not exceed, in nanoseconds.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        let mut latencies = self.latencies.clone();
        latencies.sort_unstable();
        let total: u64 = latencies.iter().map(|(_, count)| count).sum();
        let mut left = (total as f64 * share).ceil() as u64;
        for (value, count) in latencies {
            left = left.saturating_sub(count);
            if left == 0 {
                return value as f64;
            }
        }
        0.0
    }
}
