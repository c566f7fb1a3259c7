//! The bounds of history, with the arithmetic of their defaults.

use std::time::Duration;

/// How much the log remembers. Past any bound the oldest goes first, and the log remembers that
/// it went: whoever would have needed it gets a [`Gap`](crate::Gap) instead of a hole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// Entries per stream. Default 1 000: a busy room (3 a second) for more than five minutes.
    pub entries_max: usize,
    /// Bytes per stream. Default 4 MiB: 1 000 rows of 4 KB.
    pub bytes_max: usize,
    /// Age of an entry. Default 10 minutes: a tunnel, a meeting room's Wi-Fi, a slow deploy;
    /// past that a refresh costs less than a replay.
    pub age_max: Duration,
    /// Bytes of all streams together. Default 256 MiB.
    pub total_bytes_max: usize,
    /// Streams without entries and subscribers whose last forgotten offset is kept. Default
    /// 100 000, about 20 MB; past it the log knows only one floor for all the streams it dropped.
    pub idle_streams_max: usize,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            entries_max: 1_000,
            bytes_max: 4 << 20,
            age_max: Duration::from_secs(10 * 60),
            total_bytes_max: 256 << 20,
            idle_streams_max: 100_000,
        }
    }
}

/// A method for each field, named like it, that changes it: for structs whose users fill in what they care
/// about, and which may get another field.
#[doc(hidden)]
#[macro_export]
macro_rules! setters {
    ($type:ident: $($field:ident: $value:ty),* $(,)?) => {
        impl $type {$(
            #[doc = concat!("With another [`", stringify!($field), "`](Self#structfield.", stringify!($field), ").")]
            pub fn $field(mut self, value: $value) -> Self {
                self.$field = value;
                self
            }
        )*}
    };
}

setters! {
    Retention:
    entries_max: usize,
    bytes_max: usize,
    age_max: Duration,
    total_bytes_max: usize,
    idle_streams_max: usize,
}

/// What an entry costs beside its JSON: the entry, its place in two queues, the shared counter.
pub(crate) const ENTRY_OVERHEAD_BYTES: usize = 128;

/// Ephemeral entries a stream holds for its present subscribers. 64 is three seconds of one
/// cursor at 20 a second: longer than a healthy subscriber takes to be woken.
pub(crate) const EPHEMERAL_ENTRIES_MAX: usize = 64;

/// Bytes of them. A typing notice has 100; one that is larger than all of this is held alone.
pub(crate) const EPHEMERAL_BYTES_MAX: usize = 64 << 10;

/// The newest entries of a stream that a state looks through for those it supersedes, while nobody else
/// reads or appends: some 2 µs. As many as a stream keeps unless its owner wants more.
pub(crate) const SUPERSEDED_AMONG_MAX: usize = 1_000;
