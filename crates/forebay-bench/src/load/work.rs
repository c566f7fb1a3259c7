//! What the orchestrator tells a generator, and what it answers: one line of JSON each.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::dialect::Target;
use super::publisher::Post;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Whom to connect to, and how to publish there.
    Prepare { target: Target, post: Post },
    /// Opens connections `from..from + count`, `at_once` of them at a time.
    Connect { from: usize, count: usize, at_once: usize },
    /// Publishes bursts, one round after the other: a round ends when all have everything.
    Rounds { rounds: usize, burst: usize, size: usize },
    /// Receives what another generator publishes in that many rounds.
    Follow { rounds: usize, burst: usize },
    /// Publishes at a rate, whether or not the clients keep up.
    Rate { per_second: f64, seconds: f64, size: usize },
    /// Only receives, and answers pings.
    Idle { seconds: f64 },
    /// Cuts all connections at once, without a word.
    Cut,
    /// Publishes one broadcast to every stream, while nobody may be there.
    Fill { rounds: usize, size: usize },
    /// Brings all connections back; each gets so many entries again that it has not seen.
    Return { at_once: usize, entries: u64 },
    /// These connections read so many bytes a second from now on.
    Slow { count: usize, bytes_per_second: usize },
    /// Posts over that many connections for a while, each as fast as it is answered.
    PostRate { connections: usize, seconds: f64, size: usize },
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// From the first thing done to the last.
    pub(crate) seconds: f64,
    /// Entries that arrived.
    pub(crate) deliveries: u64,
    /// Requests answered, or connections made.
    pub(crate) done: u64,
    /// Per round, nanoseconds until the last client had the last entry.
    pub(crate) last: Vec<u64>,
    /// Latencies of deliveries (or of connections), in nanoseconds: value, count.
    pub(crate) latencies: Vec<(u64, u64)>,
    pub(crate) faults: Faults,
    /// Times that a page was told to load itself again.
    pub(crate) refreshes: u64,
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
