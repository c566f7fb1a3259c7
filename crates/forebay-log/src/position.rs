//! Where something stands in the log, and when it was put there.

use std::fmt;
use std::str::FromStr;

/// Names one life of a log; changes whenever offsets may have restarted. Random, never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Epoch(pub u64);

/// The place of one entry in the log. The first entry has offset 1; 0 stands before everything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Offset(pub u64);

impl Offset {
    /// Before the first entry.
    pub const ZERO: Self = Self(0);

    /// The offset that the next entry gets.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An epoch and an offset: comparable only with positions of the same epoch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Position {
    /// The log's life that the offset belongs to.
    pub epoch: Epoch,
    /// The last entry at or before this position.
    pub offset: Offset,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{}", self.epoch.0, self.offset)
    }
}

/// Not the text of a [`Position`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a position is EPOCH.OFFSET: the epoch in hexadecimal, the offset in decimal")]
pub struct BadPosition;

impl FromStr for Position {
    type Err = BadPosition;

    /// Takes what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, BadPosition> {
        let (epoch, offset) = text.split_once('.').ok_or(BadPosition)?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !digits(epoch) || !digits(offset) {
            return Err(BadPosition);
        }
        let epoch = u64::from_str_radix(epoch, 16).map_err(|_| BadPosition)?;
        let offset = offset.parse().map_err(|_| BadPosition)?;
        Ok(Self { epoch: Epoch(epoch), offset: Offset(offset) })
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z, as told by the caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// Whole seconds, as Action Cable's pings carry them.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_is_written() {
        let position = Position { epoch: Epoch(0xc0_ffee), offset: Offset(42) };
        assert_eq!(position.to_string(), "c0ffee.42");
        assert_eq!("c0ffee.42".parse(), Ok(position));
        for text in [
            "",
            ".",
            "1",
            "1.",
            ".1",
            "+1.1",
            "1.+1",
            "x.1",
            "1.a",
            "1.1.1",
            "1.99999999999999999999",
        ] {
            assert_eq!(text.parse::<Position>(), Err(BadPosition), "{text}");
        }
    }
}
