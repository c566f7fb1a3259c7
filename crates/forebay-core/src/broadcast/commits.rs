//! The order of commits is the order of their broadcasts.
//!
//! Between a commit and its broadcasts another transaction could commit and broadcast first: two
//! edits of one row would reach pages the wrong way round, and leave them stale for good. So
//! transactions that broadcast to the same stream commit one after the other.

use std::hash::{BuildHasher, RandomState};

use forebay_turbo::StreamName;
use tokio::sync::{Mutex, MutexGuard};

/// Locks that all streams share. With 64, two transactions on different streams wait for each
/// other once in 64 times.
const LOCKS: usize = 64;

#[derive(Debug)]
pub(crate) struct Commits {
    hasher: RandomState,
    locks: [Mutex<()>; LOCKS],
}

impl Default for Commits {
    fn default() -> Self {
        Self { hasher: RandomState::new(), locks: std::array::from_fn(|_| Mutex::new(())) }
    }
}

impl Commits {
    /// Waits until nobody else is between a commit and its broadcasts to one of these streams,
    /// and keeps others out until the guards are dropped.
    pub(crate) async fn lock(&self, streams: &[StreamName]) -> Vec<MutexGuard<'_, ()>> {
        let place = |stream| usize::try_from(self.hasher.hash_one(stream)).unwrap_or(0) % LOCKS;
        let mut places: Vec<_> = streams.iter().map(place).collect();
        // Everybody takes them in this order, so nobody waits in a circle.
        places.sort_unstable();
        places.dedup();
        let mut guards = Vec::with_capacity(places.len());
        for place in places {
            guards.push(self.locks[place].lock().await);
        }
        guards
    }
}
