//! Tags for whose sake a connection was ended, so that the application says anew who its visitor is.
//!
//! A visitor who signs in through Turbo keeps the connection of before, and is still nobody to it. Ending
//! it once helps. A tag that really is another visitor's is refused the second time.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};

use forebay_log::UnixMillis;

/// How long a tag is remembered: many times what a client takes to come back.
const KEPT_MS: u64 = 5 * 60 * 1_000;

/// Tags that are remembered, at 50 bytes each. Past it the oldest go: such a tag may end one connection
/// more.
const TAGS_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Reidentified {
    hasher: RandomState,
    tags: HashMap<u64, UnixMillis>,
    order: VecDeque<(UnixMillis, u64)>,
}

impl Reidentified {
    /// Whether no connection was ended for this tag yet.
    pub(crate) fn is_first(&mut self, now: UnixMillis, tag: impl Hash) -> bool {
        while let Some((at, oldest)) = self.order.front().copied() {
            if self.order.len() < TAGS_MAX && now.0.saturating_sub(at.0) <= KEPT_MS {
                break;
            }
            self.order.pop_front();
            self.tags.remove(&oldest);
        }
        let tag = self.hasher.hash_one(tag);
        let is_first = self.tags.insert(tag, now).is_none();
        if is_first {
            self.order.push_back((now, tag));
        }
        is_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_ends_one_connection() {
        let mut ended = Reidentified::default();
        let now = UnixMillis(1);
        assert!(ended.is_first(now, "inbox"));
        assert!(!ended.is_first(now, "inbox"));
        assert!(ended.is_first(UnixMillis(KEPT_MS + 2), "inbox"));
        for n in 0..2 * TAGS_MAX {
            assert!(ended.is_first(UnixMillis(KEPT_MS + 3), n));
        }
        assert!(ended.tags.len() <= TAGS_MAX && ended.order.len() <= TAGS_MAX);
    }
}
