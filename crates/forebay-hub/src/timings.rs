//! How long things take: from publishing to the socket, from a store to here, and how far back pages begin.
//!
//! Nothing is measured until somebody asks for it ([`Hub::timings`](crate::Hub::timings)). From then on a round of
//! up to 32 deliveries reads the clock once, and so does a broadcast.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use forebay_log::Offset;

/// Broadcasts whose time is remembered, 8 bytes each. At 20 000 in a second they are the last two tenths of it;
/// whoever gets an older one has a slow socket, and is counted as [unmeasured](Timings::unmeasured).
const STAMPS: usize = 4_096;

/// Bits of a stamp that are its time: microseconds for nine years. Those above say of which broadcast it is.
const TIME_BITS: u32 = 48;

/// From 50 µs, which a round takes, to 10 s, after which a stock client has long been lost.
const SECONDS: &[u64] = &[
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// How old what a page lacks may be: from a reload to the day that history reaches back at the most.
const AGES: &[u64] = &[
    100_000,
    500_000,
    1_000_000,
    5_000_000,
    15_000_000,
    60_000_000,
    300_000_000,
    900_000_000,
    3_600_000_000,
    86_400_000_000,
];

/// Entries of one replay: history keeps 1 000 of a stream by default.
const ENTRIES: &[u64] = &[0, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 10_000];

/// What is measured.
pub(crate) struct Timings {
    stamps: Box<[AtomicU64]>,
    delivery: Histogram,
    unmeasured: AtomicU64,
    apply: Histogram,
    replay_age: Histogram,
    replay_entries: Histogram,
}

/// What was measured by now.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct TimingsSnapshot {
    /// Microseconds from publishing an entry until a socket has taken it, once for each delivery. Those of one round
    /// count as the oldest that it read.
    pub delivery: Distribution,
    /// Deliveries that are not among them: replays, and those to sockets that are too far behind.
    pub unmeasured: u64,
    /// Microseconds from publishing a record until this node had applied it, by the clock of its publisher. Empty
    /// without a store.
    pub apply: Distribution,
    /// How old the first entry was that a subscription was replayed, in microseconds.
    pub replay_age: Distribution,
    /// How many entries a subscription with a cursor was replayed. Mostly none.
    pub replay_entries: Distribution,
}

/// Counts of what was observed, by size.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Distribution {
    /// The largest of each count but the last, which has no bound.
    pub bounds: &'static [u64],
    /// How many were no larger than the bound, and larger than the one before.
    pub counts: Vec<u64>,
    /// Of all that was observed.
    pub sum: u64,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            // Of no broadcast: offsets begin at 1.
            stamps: (0..STAMPS).map(|_| AtomicU64::new(0)).collect(),
            delivery: Histogram::new(SECONDS),
            unmeasured: AtomicU64::new(0),
            apply: Histogram::new(SECONDS),
            replay_age: Histogram::new(AGES),
            replay_entries: Histogram::new(ENTRIES),
        }
    }
}

impl Timings {
    /// A broadcast has been published at this moment. Called before the head moves, so whoever reads the entry finds
    /// its stamp.
    pub(crate) fn publish(&self, offset: Offset, micros: u64) {
        let (place, mark) = place(offset);
        self.stamps[place].store(mark | time(micros), Ordering::Relaxed);
    }

    /// Sockets have taken so many entries, none of them older than this one.
    pub(crate) fn deliver(&self, oldest: Offset, deliveries: u64, now: u64) {
        let (place, mark) = place(oldest);
        let stamp = self.stamps[place].load(Ordering::Relaxed);
        if oldest == Offset::ZERO || stamp >> TIME_BITS != mark >> TIME_BITS || stamp == 0 {
            self.unmeasured.fetch_add(deliveries, Ordering::Relaxed);
        } else {
            self.delivery.observe(time(now).saturating_sub(time(stamp)), deliveries);
        }
    }

    /// A record that is so old has been applied here.
    pub(crate) fn apply(&self, age: u64) {
        self.apply.observe(age, 1);
    }

    /// A subscription begins with so many entries, of which the first is so old.
    pub(crate) fn replay(&self, entries: u64, age: Option<u64>) {
        self.replay_entries.observe(entries, 1);
        if let Some(age) = age {
            self.replay_age.observe(age, 1);
        }
    }

    pub(crate) fn snapshot(&self) -> TimingsSnapshot {
        TimingsSnapshot {
            delivery: self.delivery.snapshot(),
            unmeasured: self.unmeasured.load(Ordering::Relaxed),
            apply: self.apply.snapshot(),
            replay_age: self.replay_age.snapshot(),
            replay_entries: self.replay_entries.snapshot(),
        }
    }
}

impl fmt::Debug for Timings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timings").field("delivery", &self.delivery).finish_non_exhaustive()
    }
}

/// Where a broadcast's stamp is, and what in it says whose it is. A store may number in steps of 4 096, so higher
/// digits count for the place, too.
fn place(offset: Offset) -> (usize, u64) {
    let above = offset.0 / STAMPS as u64;
    let place = usize::try_from((offset.0 ^ above) % STAMPS as u64).unwrap_or_default();
    (place, above << TIME_BITS)
}

fn time(micros: u64) -> u64 {
    micros & ((1 << TIME_BITS) - 1)
}

/// Counts by size, without a lock.
#[derive(Debug)]
struct Histogram {
    bounds: &'static [u64],
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    /// The same value, so many times.
    fn observe(&self, value: u64, times: u64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        self.counts[place].fetch_add(times, Ordering::Relaxed);
        self.sum.fetch_add(value.saturating_mul(times), Ordering::Relaxed);
    }

    fn snapshot(&self) -> Distribution {
        Distribution {
            bounds: self.bounds,
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(timings: &Timings, expected: &[(u64, u64)], unmeasured: u64) {
        let snapshot = timings.snapshot();
        let Distribution { bounds, counts, .. } = snapshot.delivery;
        let counted = counts.iter().enumerate().filter(|(_, count)| **count > 0);
        let bound = |place: usize| bounds.get(place).copied().unwrap_or(u64::MAX);
        let counted: Vec<_> = counted.map(|(place, count)| (bound(place), *count)).collect();
        assert_eq!((&counted[..], snapshot.unmeasured), (expected, unmeasured));
    }

    #[test]
    fn a_delivery_counts_as_late_as_its_broadcast_is_old() {
        let timings = Timings::default();
        timings.publish(Offset(1), 1_000);
        timings.publish(Offset(2), 1_500);
        timings.deliver(Offset(1), 32, 1_090);
        timings.deliver(Offset(2), 3, 1_600);
        timings.deliver(Offset(2), 1, 1_601);
        timings.deliver(Offset(2), 1, 60_000_000);
        check(&timings, &[(100, 35), (250, 1), (u64::MAX, 1)], 0);
        assert_eq!(timings.snapshot().delivery.sum, 32 * 90 + 3 * 100 + 101 + 59_998_500);
    }

    #[test]
    fn what_is_no_longer_remembered_is_counted_as_not_measured() {
        let timings = Timings::default();
        timings.deliver(Offset::ZERO, 1, 10);
        timings.deliver(Offset(7), 2, 10);
        timings.publish(Offset(7), 10);
        // Another broadcast has its place.
        let other = (8..10_000).map(Offset).find(|other| place(*other).0 == place(Offset(7)).0);
        timings.publish(other.unwrap(), 20);
        timings.deliver(Offset(7), 4, 30);
        check(&timings, &[], 7);
    }

    /// JetStream's offsets end with the largest number that a group may have.
    #[test]
    fn broadcasts_that_are_numbered_in_steps_do_not_share_a_place() {
        let places = (1..=STAMPS as u64).map(|group| place(Offset((group << 12) + 4_095)).0);
        let places: std::collections::BTreeSet<_> = places.collect();
        assert_eq!(places.len(), STAMPS);
    }
}
