//! Where left subscriptions stood, for when their tag comes back (a restored Turbo snapshot, an element
//! moved in the document): they go on from there instead of replaying from their render.
//!
//! A client takes what was on the wire when its tag left, if it has subscribed again by the time that
//! arrives, and drops it otherwise. The server cannot tell which: Pongs come from the browser's network
//! stack, not from its scripts. So what was sent and not proven is in doubt, and whoever answers the
//! subscription decides what is to be done about it.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use forebay_log::Offset;

use crate::wire::Envelope;

/// How far a subscription had got when it was left. One number serves all of its streams, because
/// offsets are one order over all streams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Everything up to here was sent.
    pub sent: Offset,
    /// Everything up to here has arrived. `None` where its client was to be resynced, and that is not
    /// proven.
    pub proven: Option<Offset>,
    /// How often it has come back before, since anything was proven.
    pub returns: u8,
}

/// Progress by identifier, oldest first. Out of line: most sessions leave nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[expect(clippy::box_collection, reason = "8 bytes instead of 32 in each session")]
pub(super) struct Left(Option<Box<VecDeque<(u64, Progress)>>>);

impl Left {
    pub(super) fn put(&mut self, envelope: &Envelope, progress: Progress, max: usize) {
        self.take(envelope);
        let left = self.0.get_or_insert_default();
        if left.len() >= max {
            left.pop_front();
        }
        if max > 0 {
            left.push_back((digest(envelope), progress));
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(u64, Progress)> {
        self.0.iter().flat_map(|left| left.iter())
    }

    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |left| left.len())
    }

    pub(super) fn contains(&self, envelope: &Envelope) -> bool {
        self.get(envelope).is_some()
    }

    pub(super) fn get(&self, envelope: &Envelope) -> Option<Progress> {
        let digest = digest(envelope);
        let mut left = self.iter();
        left.find(|(other, _)| *other == digest).map(|(_, progress)| *progress)
    }

    pub(super) fn take(&mut self, envelope: &Envelope) -> Option<Progress> {
        let digest = digest(envelope);
        let left = self.0.as_mut()?;
        let index = left.iter().position(|(other, _)| *other == digest)?;
        left.remove(index).map(|(_, progress)| progress)
    }
}

impl FromIterator<(u64, Progress)> for Left {
    fn from_iter<I: IntoIterator<Item = (u64, Progress)>>(left: I) -> Self {
        let left: VecDeque<_> = left.into_iter().collect();
        Self((!left.is_empty()).then(|| Box::new(left)))
    }
}

/// 64 bits of `SipHash` with fixed keys: a client that looks for a collision finds one only
/// among its own identifiers, and loses only its own replay.
fn digest(envelope: &Envelope) -> u64 {
    let mut hasher = DefaultHasher::new();
    envelope.hash(&mut hasher);
    hasher.finish()
}
