//! How the hub tells one connection's task that there is something to do, without a queue.

use std::task::Waker;

use crate::sync::{AtomicBool, AtomicU8, AtomicU32, AtomicWaker, Ordering};

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
    /// Something panicked while the connection wrote. Nobody knows how much its socket has taken, so
    /// it ends without another byte.
    pub const FAILED: Self = Self(32);
    /// It is to end as with [`DISCONNECT`](Self::DISCONNECT), and its client is not to come back by
    /// itself.
    pub const DISMISS: Self = Self(64);

    /// The process ends. A connection whose client was told to leave, and has not left, is dropped.
    pub const ENDS: Self = Self(128);

    /// What a connection has to know before it sends anything more.
    const CALLS: Self = Self(
        Self::SHUTDOWN.0 | Self::REVOKED.0 | Self::DISCONNECT.0 | Self::FAILED.0 | Self::DISMISS.0,
    );

    /// Whether all of `other` is among these.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// One connection's mailbox: signals that accumulate, and its task's waker.
#[derive(Debug, Default)]
pub struct Wake {
    signals: AtomicU8,
    /// It is not told of entries. Only its connection sets this. It stands here because there are bytes
    /// to spare.
    pub(crate) is_muted: AtomicBool,
    /// It lasts beyond one request. It stands here for the same reason.
    pub(crate) is_lasting: AtomicBool,
    /// Somebody is present by it: see `lives`. Only its connection sets this.
    pub(crate) is_present: AtomicBool,
    /// When its client last showed that it lives: the last bits of the hub's milliseconds.
    lived_at: AtomicU32,
    waker: AtomicWaker,
}

impl Wake {
    /// Leaves a signal. The task is woken by the first one only: until it takes its signals,
    /// further ones cost a single atomic.
    pub(crate) fn signal(&self, signals: Signals) {
        let before = self.signals.fetch_or(signals.0, Ordering::AcqRel);
        if before & signals.0 != signals.0 {
            self.waker.wake();
        }
    }

    /// Whether a signal waits to be taken that the connection has to know before it sends anything.
    pub(crate) fn is_called(&self) -> bool {
        self.signals.load(Ordering::Acquire) & Signals::CALLS.0 != 0
    }

    /// Says that something panicked in the middle of the connection's work. Say it while the
    /// connection is still yours: nobody then writes behind what it may have written half of.
    pub fn fail(&self) {
        self.signal(Signals::FAILED);
    }

    /// Whether its socket takes nothing.
    pub(crate) fn is_muted(&self) -> bool {
        self.is_muted.load(Ordering::Relaxed)
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.signals.load(Ordering::Acquire) & Signals::FAILED.0 != 0
    }

    /// Its client shows that it lives.
    pub(crate) fn lives(&self, now: u64) {
        self.lived_at.store(last_bits(now), Ordering::Relaxed);
    }

    /// When its client last showed that it lives. That was within the last 49 days: whoever asks does so every
    /// few seconds, and ends those who are silent.
    pub(crate) fn lived_at(&self, now: u64) -> u64 {
        let ago = last_bits(now).wrapping_sub(self.lived_at.load(Ordering::Relaxed));
        // One that was noted in this moment may be later than `now`.
        if ago > u32::MAX / 2 { now } else { now.saturating_sub(u64::from(ago)) }
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
}

fn last_bits(now: u64) -> u32 {
    let [.., a, b, c, d] = now.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two with the same bit would each do what the other means.
    #[test]
    fn each_signal_has_a_bit_of_its_own() {
        let all = [
            Signals::ENTRIES,
            Signals::TICK,
            Signals::SHUTDOWN,
            Signals::REVOKED,
            Signals::DISCONNECT,
            Signals::FAILED,
            Signals::DISMISS,
            Signals::ENDS,
        ];
        let bits = all.iter().fold(0, |bits, signal| bits | signal.0);
        assert_eq!(bits.count_ones() as usize, all.len());
    }
}
