//! The wall clock, read in one place.

use std::time::{SystemTime, UNIX_EPOCH};

use forebay_log::UnixMillis;

/// Milliseconds since 1970; 0 on a machine whose clock stands before that.
pub(crate) fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
