//! What the orchestrator tells a generator, and what it answers: one line of JSON each.

use std::ops::Range;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::dialect::Target;
use super::publisher::Post;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Whom to connect to, and how to publish there; and how the clients are.
    Prepare { target: Target, post: Post, manner: Manner },
    /// Opens connections `from..from + count`, `at_once` of them at a time.
    Connect { from: usize, count: usize, at_once: usize, onto: Onto },
    /// Publishes bursts, one round after the other: a round ends when all have everything.
    Rounds { rounds: usize, burst: usize, size: usize },
    /// Counts from now on what another generator publishes, in bursts of that size.
    Expect { burst: usize },
    /// Receives the rest of so many rounds of it.
    Follow { rounds: usize, burst: usize },
    /// Publishes at a rate, whether or not the clients keep up. Who lacks something `late_max` seconds
    /// after the last publish was due is waited for no longer.
    Rate { per_second: f64, seconds: f64, late_max: f64, size: usize },
    /// Only receives, and answers pings.
    Idle { seconds: f64 },
    /// Cuts all connections at once, without a word.
    Cut,
    /// Publishes bursts to every stream, while nobody is there.
    Fill { rounds: usize, burst: usize, size: usize },
    /// Brings all connections back; each gets so many entries again that it has not seen.
    Return { at_once: usize, entries: u64 },
    /// All connections read so many bytes a second from now on.
    Slow { bytes_per_second: usize },
    /// They read as fast as they can again, until each was told to load its page again.
    Heal,
    /// Connections end, oldest first, and new ones take their place.
    Churn { per_second: f64, seconds: f64, at_once: usize },
    /// Posts over that many connections for a while, each as fast as it is answered.
    PostRate { connections: usize, seconds: f64, size: usize },
}

/// How a generator's clients are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Manner {
    /// Spins, so that nobody has to wake it (see `Generator::turn_or_give_up`).
    #[default]
    Awake,
    /// Sleeps when there is nothing to do, since it shares its cores with the server.
    Asleep,
    /// Sleeps, and its sockets take little before they are full, as on a thin line.
    Thin,
}

/// Which streams connections subscribe to: the `n`th takes the `n`th `each` of the `streams` that
/// begin at `first`, from the beginning again after the last. Entries are expected of the first of
/// the `each` alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Onto {
    pub(crate) first: usize,
    pub(crate) streams: usize,
    /// Divides `streams`.
    pub(crate) each: usize,
}

impl Onto {
    /// Each connection one of the first `streams`.
    pub(crate) fn all(streams: usize) -> Self {
        Self { first: 0, streams, each: 1 }
    }

    pub(super) fn of(self, connection: usize) -> Range<usize> {
        let begin = self.first + connection * self.each % self.streams;
        begin..begin + self.each
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// From the first thing done to the last.
    pub(crate) seconds: f64,
    /// Entries that arrived.
    pub(crate) deliveries: u64,
    /// Entries that should have arrived in time and did not.
    pub(crate) lacking: u64,
    /// Requests answered, or connections made.
    pub(crate) done: u64,
    /// Per round, nanoseconds until the last client had the last entry.
    pub(crate) last: Vec<u64>,
    /// Latencies of deliveries (or of connections), in nanoseconds: value, count.
    pub(crate) latencies: Vec<(u64, u64)>,
    pub(crate) faults: Faults,
    /// Pages that were told to load themselves again exactly once.
    pub(crate) refreshed_once: u64,
    /// Bytes that were received.
    pub(crate) bytes: u64,
    /// Why it could not be done.
    pub(crate) error: Option<String>,
}

impl Outcome {
    pub(crate) fn ensure_exact(&self) -> Result<()> {
        let Faults { missing, doubled, .. } = self.faults;
        ensure!(
            missing + doubled == 0,
            "entries were lost, came twice or in another order: {:?}",
            self.faults
        );
        Ok(())
    }
}

/// What should not be: each entry has to arrive once and in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Faults {
    pub(crate) missing: u64,
    pub(crate) doubled: u64,
    /// Connections that the server ended or refused.
    pub(crate) lost: u64,
}

/// What the floor is told.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Floor {
    #[arg(long)]
    pub(crate) port: u16,
    /// What stands before each message, in its frame.
    #[arg(long, default_value = "")]
    pub(crate) before: String,
    /// What stands behind it.
    #[arg(long, default_value = "")]
    pub(crate) after: String,
    /// Entries that everybody who connects gets at once.
    #[arg(long, default_value_t = 0)]
    pub(crate) replay: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_go_round_the_streams() {
        let of = |onto: Onto| (0..4).map(|connection| onto.of(connection)).collect::<Vec<_>>();
        assert_eq!(of(Onto::all(3)), [0..1, 1..2, 2..3, 0..1]);
        assert_eq!(of(Onto { first: 10, streams: 6, each: 2 }), [10..12, 12..14, 14..16, 10..12]);
    }
}
