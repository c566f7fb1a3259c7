//! A node that hears nothing of its log's store: first it wants no more pages, then it sends away those it has.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Hub, Shared, TICK_PARTS};
use crate::wake::Signals;

/// Without a word of its log's store for so long, a hub wants no more pages.
const BEHIND_AFTER: Duration = Duration::from_secs(5);

/// And after so long it sends those that it has to another.
const LOST_AFTER: Duration = Duration::from_secs(30);

impl Hub {
    /// For how long nothing was heard of the log's store, once that is five seconds. Pages are still served what
    /// is here; new ones should go elsewhere. After 30 seconds they are refused, and those that are here are told to
    /// come back, in the hope that it is elsewhere.
    pub fn behind(&self) -> Option<Duration> {
        let silence = self.0.silence();
        (silence >= BEHIND_AFTER).then_some(silence)
    }
}

impl Shared {
    /// Whether pages are better served elsewhere.
    pub(super) fn is_lost(&self) -> bool {
        self.silence() >= LOST_AFTER
    }

    pub(super) fn silence(&self) -> Duration {
        self.store.as_ref().map_or(Duration::ZERO, |store| store.silence())
    }

    /// Tells a part of the connections to come back, in the hope that it is elsewhere.
    pub(super) fn send_away(&self, part: usize) {
        let is_lost = self.is_lost();
        if is_lost {
            self.connections.signal_part(part, TICK_PARTS, Signals::SHUTDOWN);
        }
        let was_lost = self.sends_away.swap(is_lost, Ordering::Relaxed);
        if is_lost && !was_lost {
            let silence = self.silence().as_secs();
            tracing::error!(silence, "the log's store is not heard: pages are sent elsewhere");
        }
    }
}
