//! How the hub tells one connection's task that there is something to do, without a queue.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{OnceLock, Weak};
use std::task::Waker;

use atomic_waker::AtomicWaker;

use crate::rounds::{Round, Seat};

/// What a connection's task is woken for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Signals(u8);

impl Signals {
    /// A stream that it reads has new entries.
    pub const ENTRIES: Self = Self(1);
    /// Its session may have a timeout that is due.
    pub const TICK: Self = Self(2);
    /// The server is going down.
    pub const SHUTDOWN: Self = Self(4);
    /// Access was taken back, perhaps this connection's.
    pub const REVOKED: Self = Self(8);
    /// This connection is to end: its identity was disconnected.
    pub const DISCONNECT: Self = Self(16);

    /// Whether all of `other` is among these.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// One connection's mailbox: signals that accumulate, its task's waker, and where rounds find it.
#[derive(Default)]
pub(crate) struct Wake {
    signals: AtomicU8,
    waker: AtomicWaker,
    seat: OnceLock<Weak<dyn Seat>>,
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wake").field("signals", &self.signals).finish_non_exhaustive()
    }
}

impl Wake {
    /// Leaves a signal. The task is woken by the first one only: until it takes its signals,
    /// further ones cost a single atomic, so a task that is blocked on its socket costs nothing.
    pub(crate) fn signal(&self, signals: Signals) {
        let before = self.signals.fetch_or(signals.0, Ordering::AcqRel);
        if before & signals.0 != signals.0 {
            self.waker.wake();
        }
    }

    /// Whether all of `signals` wait to be taken.
    pub(crate) fn has(&self, signals: Signals) -> bool {
        Signals(self.signals.load(Ordering::Relaxed)).contains(signals)
    }

    /// Says where the connection is found. The first word counts.
    pub(crate) fn sit(&self, seat: Weak<dyn Seat>) {
        let _ = self.seat.set(seat);
    }

    /// Has the round write for the connection, if it has a seat. False if it was not written for.
    pub(crate) fn deliver(&self, round: &mut Round) -> bool {
        let seat = self.seat.get().and_then(Weak::upgrade);
        seat.is_some_and(|seat| seat.deliver(round))
    }

    /// Registers the task that the next signal wakes. Call it before [`take`](Self::take): a
    /// signal in between then wakes the task again instead of being lost.
    pub(crate) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Takes all signals.
    pub(crate) fn take(&self) -> Signals {
        Signals(self.signals.swap(0, Ordering::AcqRel))
    }

    /// Leaves `signals` standing without a wake, so that further ones do not wake either.
    pub(crate) fn mute(&self, signals: Signals) {
        self.signals.fetch_or(signals.0, Ordering::AcqRel);
    }
}
