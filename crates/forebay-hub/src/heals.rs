//! When pages that lack something are told so. A second's worth of them is told at once, the others at a
//! steady rate, so that the application which renders them again can keep up.

use forebay_log::UnixMillis;
use parking_lot::Mutex;

/// Turns at a rate, with a burst of one second's turns.
#[derive(Debug)]
pub(crate) struct Heals {
    /// Microseconds between two turns; 0 for no rate.
    interval_us: u64,
    /// When the next turn would be, if all turns came at the rate, in microseconds.
    next_us: Mutex<u64>,
}

const BURST_US: u64 = 1_000_000;

impl Heals {
    pub(crate) fn new(per_second: u32) -> Self {
        let interval_us = 1_000_000_u64.checked_div(per_second.into()).unwrap_or_default();
        Self { interval_us, next_us: Mutex::new(0) }
    }

    /// Takes a turn: now, or later.
    pub(crate) fn turn(&self, now: UnixMillis) -> UnixMillis {
        let now_us = now.0.saturating_mul(1_000);
        let mut next_us = self.next_us.lock();
        let planned = (*next_us).max(now_us);
        *next_us = planned.saturating_add(self.interval_us);
        now.max(UnixMillis(planned.saturating_sub(BURST_US).div_ceil(1_000)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seconds_worth_is_told_at_once_and_the_others_at_the_rate() {
        let heals = Heals::new(10);
        let now = UnixMillis(1_000_000);
        let waits: Vec<_> = (0..13).map(|_| heals.turn(now).0 - now.0).collect();
        assert_eq!(waits[..11], [0; 11]);
        assert_eq!(waits[11..], [100, 200]);
        // They have had their turns, and a second has room for as many again.
        let later = UnixMillis(now.0 + 10_000);
        assert_eq!(heals.turn(later), later);
    }

    #[test]
    fn without_a_rate_all_are_told_at_once() {
        let heals = Heals::new(0);
        assert!((0..1_000).all(|_| heals.turn(UnixMillis(5)) == UnixMillis(5)));
    }
}
