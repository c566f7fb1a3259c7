//! How many members of a stream are told one by one within a window.
//!
//! Each record of a stream is a message for each of its pages. When so many members change that nobody can
//! follow, the rest of them are told together at the end of the window. It goes on so, one record a window,
//! until a window passes in which nothing changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Dirty, Options};

/// Of whom the log was told in the window that began last.
#[derive(Debug)]
pub(super) struct Pace {
    /// When the window ends.
    ends: u64,
    /// Who was told, [`burst_max`](Options::burst_max) at the most. `None` where this window is for one
    /// record only.
    told: Option<BTreeSet<Arc<str>>>,
}

impl Pace {
    /// When this may be written, if not at once.
    pub(super) fn holds(&self, dirty: &Dirty, burst_max: usize) -> Option<u64> {
        let is_held = dirty.since < self.ends && !self.has_room(dirty, burst_max);
        is_held.then_some(self.ends)
    }

    fn has_room(&self, dirty: &Dirty, burst_max: usize) -> bool {
        let Some(told) = &self.told else { return false };
        // No more than these are looked at, however many there are: of others at most `told` are known.
        let new = dirty.members.iter().filter(|id| !told.contains(*id)).take(burst_max + 1).count();
        told.len() + new <= burst_max
    }

    /// The window in which this is written. `before` is the last one.
    pub(super) fn of(before: Option<Self>, now: u64, dirty: &Dirty, options: &Options) -> Self {
        let burst_max = options.burst_max;
        let fresh = || {
            let told = (dirty.members.len() <= burst_max).then(|| dirty.members.clone());
            Self { ends: now.saturating_add(options.window_ms), told }
        };
        match before {
            Some(before) if before.holds(dirty, burst_max).is_some() => {
                Self { told: None, ..fresh() }
            }
            Some(mut before) if now < before.ends => {
                let has_room = before.has_room(dirty, burst_max);
                before.told = before.told.filter(|_| has_room);
                before.told.iter_mut().for_each(|told| told.extend(dirty.members.iter().cloned()));
                before
            }
            _ => fresh(),
        }
    }

    /// Nothing follows from it any more.
    pub(super) fn is_over(&self, now: u64) -> bool {
        self.ends <= now
    }
}
