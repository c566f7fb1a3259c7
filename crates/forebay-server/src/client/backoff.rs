//! How long to wait before connecting again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(10);

/// The wait doubles from try to try. It is spread, so that many clients don't come back at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Backoff {
    /// The next wait: between half of the present bound and all of it.
    pub(super) fn next(&mut self) -> Duration {
        let bound = self.0;
        self.0 = (bound * 2).min(LONGEST);
        // A system without randomness gives waits that are not spread; nothing else depends on it.
        let spread = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
        bound / 2 + (bound / 2).mul_f64(spread)
    }

    /// It worked: the next failure is a first one.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_begin_again() {
        let mut backoff = Backoff::default();
        for bound in [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000] {
            let (wait, bound) = (backoff.next(), Duration::from_millis(bound));
            assert!(wait >= bound / 2 && wait <= bound, "{wait:?} of {bound:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
