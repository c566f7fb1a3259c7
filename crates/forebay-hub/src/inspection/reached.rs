//! For how many subscriptions of this node the last entries of a shared log were, whoever has published them.

use std::collections::VecDeque;

use forebay_inspect::Reached;
use forebay_log::{Offset, Position};

use super::Inspection;

/// Entries that anybody here reads, of 16 bytes each: as many as broadcasts are remembered.
const ENTRIES_MAX: usize = 1_000;

#[derive(Debug)]
pub(super) struct ReachedHere {
    /// Nothing is known of what is older.
    from: Offset,
    /// The oldest first.
    of: VecDeque<(Offset, usize)>,
}

impl Default for ReachedHere {
    /// Nothing is known of anything: where nobody shares the log, a broadcast's own record says it.
    fn default() -> Self {
        Self { from: Offset(u64::MAX), of: VecDeque::new() }
    }
}

impl Inspection {
    /// An entry was told to so many subscriptions.
    pub(crate) fn reaches(&self, offset: Offset, subscriptions: usize) {
        if subscriptions == 0 {
            return;
        }
        let mut reached = self.reached.lock();
        if reached.of.len() >= ENTRIES_MAX
            && let Some((oldest, _)) = reached.of.pop_front()
        {
            reached.from = oldest.next();
        }
        reached.of.push_back((offset, subscriptions));
    }

    /// Another log begins, or this one behind what was not told: nothing is known of what is before it.
    pub(crate) fn reached_begins(&self, after: Offset) {
        *self.reached.lock() = ReachedHere { from: after.next(), of: VecDeque::new() };
    }

    /// The last of it.
    pub(super) fn reached(&self, here: Position) -> Reached {
        let reached = self.reached.lock();
        let of = reached.of.iter().rev();
        Reached {
            epoch: format!("{:x}", here.epoch.0),
            from: reached.from.0,
            of: of.map(|(offset, subscriptions)| (offset.0, *subscriptions as u64)).collect(),
        }
    }
}
