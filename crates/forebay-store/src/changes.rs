//! Where who is present on a stream changed last: what a page may lack after a restart, which has none of the
//! changes themselves.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use forebay_log::Offset;

/// Streams of which it is remembered, 100 bytes each. Of others a floor says enough: pages that are older than it
/// load themselves again after a restart.
pub(crate) const CHANGED_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// An offset that the disk did not take is given again, to another stream.
    by_offset: BTreeSet<(Offset, Arc<str>)>,
    by_stream: HashMap<Arc<str>, Offset>,
}

/// Streams that are remembered no longer, and the floor that says as much.
#[derive(Clone, Debug, Default)]
pub struct ChangesGone {
    /// The streams.
    pub streams: Vec<Arc<str>>,
    /// Where the last of them changed.
    pub floor: Offset,
}

impl Changes {
    /// Something has changed there. Gives what has to go for it.
    pub(crate) fn note(&mut self, at: Offset, stream: &Arc<str>, gone: &mut ChangesGone) {
        if let Some(before) = self.by_stream.insert(Arc::clone(stream), at) {
            self.by_offset.remove(&(before, Arc::clone(stream)));
        }
        self.by_offset.insert((at, Arc::clone(stream)));
        while self.by_offset.len() > CHANGED_MAX {
            let Some((at, stream)) = self.by_offset.pop_first() else { break };
            self.by_stream.remove(&stream);
            gone.floor = at;
            gone.streams.push(stream);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_and_the_floor_says_as_much() {
        let (mut changes, mut gone) = (Changes::default(), ChangesGone::default());
        let name = |n: usize| Arc::<str>::from(n.to_string());
        for n in 0..CHANGED_MAX {
            changes.note(Offset(n as u64 + 1), &name(n), &mut gone);
        }
        // The first has changed again: it is not the oldest any more.
        let head = CHANGED_MAX as u64;
        changes.note(Offset(head + 1), &name(0), &mut gone);
        assert_eq!((gone.streams.len(), gone.floor), (0, Offset::ZERO));
        changes.note(Offset(head + 2), &"new".into(), &mut gone);
        assert_eq!((&gone.streams[..], gone.floor), (&[name(1)][..], Offset(2)));
        assert_eq!(changes.by_stream.len(), CHANGED_MAX);
    }

    #[test]
    fn a_place_that_is_given_again_is_not_lost_to_another_stream() {
        let (mut changes, mut gone) = (Changes::default(), ChangesGone::default());
        // The disk does not take the first, so that the next stream gets its place.
        changes.note(Offset(1), &"refused".into(), &mut gone);
        changes.note(Offset(1), &"taken".into(), &mut gone);
        changes.note(Offset(2), &"refused".into(), &mut gone);
        for n in 0..CHANGED_MAX as u64 {
            changes.note(Offset(n + 3), &n.to_string().into(), &mut gone);
        }
        assert_eq!(
            (&gone.streams[..], gone.floor),
            (&["taken".into(), "refused".into()][..], Offset(2))
        );
        assert_eq!(changes.by_stream.len(), CHANGED_MAX);
    }
}
