//! The hub's clock: Unix time that never jumps.
//!
//! It is read once and then goes by the monotonic clock, so that a corrected wall clock neither
//! empties history nor keeps it; and under tokio's paused time it stands still with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use forebay_log::UnixMillis;
use tokio::time::Instant;

#[derive(Debug)]
pub(crate) enum Clock {
    Monotonic {
        started: Instant,
        started_at: UnixMillis,
    },
    /// A simulation's: milliseconds that somebody else moves on.
    Simulated(Arc<AtomicU64>),
}

impl Clock {
    pub(crate) fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::Monotonic { started: Instant::now(), started_at: millis(since) }
    }

    pub(crate) fn now(&self) -> UnixMillis {
        match self {
            Self::Monotonic { started, started_at } => {
                UnixMillis(started_at.0 + millis(started.elapsed()).0)
            }
            Self::Simulated(now) => UnixMillis(now.load(Ordering::Relaxed)),
        }
    }

    /// The same in microseconds, for what is measured.
    pub(crate) fn micros(&self) -> u64 {
        let micros = match self {
            Self::Monotonic { started, started_at } => {
                u128::from(started_at.0) * 1_000 + started.elapsed().as_micros()
            }
            Self::Simulated(now) => u128::from(now.load(Ordering::Relaxed)) * 1_000,
        };
        u64::try_from(micros).unwrap_or(u64::MAX)
    }
}

fn millis(duration: std::time::Duration) -> UnixMillis {
    UnixMillis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
