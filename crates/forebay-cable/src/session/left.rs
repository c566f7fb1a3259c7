//! What left subscriptions were proven to have, so that a source tag which comes back (a restored Turbo
//! snapshot, an element moved in the document) goes on instead of replaying from its render.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use forebay_log::Offset;

use crate::wire::Envelope;

/// Positions by identifier, oldest first. One number serves all streams of an identifier,
/// because offsets are one order over all streams.
#[derive(Debug, Default)]
pub(super) struct Left(VecDeque<(u64, Offset)>);

impl Left {
    pub(super) fn put(&mut self, envelope: &Envelope, position: Offset, max: usize) {
        self.take(envelope);
        if self.0.len() >= max {
            self.0.pop_front();
        }
        if max > 0 {
            self.0.push_back((digest(envelope), position));
        }
    }

    pub(super) fn take(&mut self, envelope: &Envelope) -> Option<Offset> {
        let digest = digest(envelope);
        let index = self.0.iter().position(|(other, _)| *other == digest)?;
        self.0.remove(index).map(|(_, position)| position)
    }
}

/// 64 bits of `SipHash` with fixed keys: a client that looks for a collision finds one only
/// among its own identifiers, and loses only its own replay.
fn digest(envelope: &Envelope) -> u64 {
    let mut hasher = DefaultHasher::new();
    envelope.hash(&mut hasher);
    hasher.finish()
}
