//! How fast a client may send commands: a bucket that fills with time, and what is taken out of it.
//!
//! Nothing is refused for it. While the bucket is empty, the caller leaves the client's bytes in the
//! socket ([`Session::wants_input`](crate::Session::wants_input)), and so the client waits.

use forebay_log::UnixMillis;

use crate::limits::Limits;

/// Milliseconds in the unit of [`Pace::filled`].
const UNIT_MS: u64 = 100;

/// Every session has one, so it is four bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// Commands that may be sent now. Below zero after a message that brought more of them at once.
    left: i16,
    /// When it was filled up last, in tenths of a second, without the higher digits: a session is told the
    /// time every second or so, and two hours go into it.
    filled: u16,
}

impl Pace {
    pub(super) fn full(now: UnixMillis, limits: &Limits) -> Self {
        Self { left: burst(limits), filled: units(now) }
    }

    pub(super) fn fill(&mut self, now: UnixMillis, limits: &Limits) {
        let passed = units(now).wrapping_sub(self.filled);
        let earned = u64::from(passed) * u64::from(limits.commands_per_second) * UNIT_MS / 1_000;
        let earned = i16::try_from(earned).unwrap_or(i16::MAX);
        self.left = self.left.saturating_add(earned).min(burst(limits));
        self.filled = units(now);
    }

    pub(super) fn take(&mut self, commands: usize) {
        let commands = i16::try_from(commands).unwrap_or(i16::MAX);
        self.left = self.left.saturating_sub(commands);
    }

    pub(super) fn is_empty(self) -> bool {
        self.left <= 0
    }
}

fn burst(limits: &Limits) -> i16 {
    i16::try_from(limits.commands_burst).unwrap_or(i16::MAX).max(1)
}

/// Without the higher digits.
fn units(time: UnixMillis) -> u16 {
    let [.., high, low] = (time.0 / UNIT_MS).to_be_bytes();
    u16::from_be_bytes([high, low])
}
