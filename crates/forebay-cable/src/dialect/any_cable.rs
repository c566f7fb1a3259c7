//! `actioncable-v1-ext-json`, as AnyCable specifies it (`docs.anycable.io/misc/action_cable_protocol`) and
//! `@anycable/core` speaks it: history, whispers, and restored sessions.
//!
//! Its client keeps one position per *stream*, and names it for every identifier under which it
//! has received that stream. For a page that is brought back with the identifier of an earlier
//! life (a Turbo snapshot), that position is another page's. So where the identifier carries a
//! cursor, a session trusts what it knows itself: where it left the identifier, or the cursor.
//! Only a session that has just begun knows nothing, and takes the client's word. It never takes
//! the time of a page that has a cursor: its clock may be fast, and the cursor is exact.

use std::sync::Arc;

use bytes::Bytes;
use forebay_log::{Epoch, Offset, Position, StreamId};
use smallvec::{SmallVec, smallvec};

use super::{Around, Dialect, Lack, Manner, Positions, Recipient, Restoring, check};
use crate::command::{Command, CommandError, Terms};
use crate::ids::{SessionId, SubscriptionId};
use crate::wire::{self, Envelope, Wrap};

#[derive(Debug)]
pub(super) struct AnyCable {
    epoch: Epoch,
    /// Less than a ping interval old: what its client says of positions is about its life before.
    fresh: bool,
    names: Vec<(StreamId, Arc<str>)>,
    /// Subscriptions that are told when they have got their history.
    owed: Vec<SubscriptionId>,
    restoring: Restoring,
}

impl AnyCable {
    pub(super) fn new(epoch: Epoch) -> Self {
        let (names, owed, restoring) = (Vec::new(), Vec::new(), Restoring::default());
        Self { epoch, fresh: true, names, owed, restoring }
    }
}

impl Dialect for AnyCable {
    fn manner(&self) -> Manner {
        Manner {
            positions: Positions::ByStream,
            heals_itself: false,
            follows: true,
            shares_frames: false,
        }
    }

    fn decode(&self, text: &str) -> Result<Vec<Command>, CommandError> {
        let has = |command: &Command| !matches!(command, Command::Report(_));
        check(vec![Command::decode(text)?], Terms::keep_history_only, has)
    }

    fn welcome(&self, session: SessionId, _: u64) -> Bytes {
        wire::welcome(session)
    }

    fn wrap<'a>(
        &'a self,
        to: Recipient<'a>,
        stream: StreamId,
        entry: Around<'_>,
    ) -> Option<Wrap<'a>> {
        let kind = entry.message?.kind_name();
        let at = Position { epoch: self.epoch, offset: entry.offset };
        let end = if entry.ephemeral {
            wire::end()
        } else {
            wire::end_with_position(self.stream_name(stream)?, at)
        };
        Some(to.envelope.wrap(kind, end))
    }

    fn lost(&mut self, lack: &Lack<'_>) -> SmallVec<[Bytes; 2]> {
        self.owed.retain(|owed| *owed != lack.to.id);
        let mut texts = smallvec![self.history(lack.to.envelope, false)];
        if lack.tells && lack.resync.is_html() {
            texts.push(lack.to.envelope.message(lack.resync.json()));
        }
        texts
    }

    fn position(&self, offset: Offset) -> Option<Position> {
        Some(Position { epoch: self.epoch, offset })
    }

    fn caught_up(&mut self, _: Offset) -> Vec<SubscriptionId> {
        std::mem::take(&mut self.owed)
    }

    fn opened(&mut self, stream: StreamId, name: Arc<str>) {
        match self.names.iter_mut().find(|(other, _)| other.index() == stream.index()) {
            // A stream's index is used again when it is closed.
            Some(known) => *known = (stream, name),
            None => self.names.push((stream, name)),
        }
    }

    fn has_opened(&self, name: &str) -> bool {
        self.names.iter().any(|(_, other)| **other == *name)
    }

    fn stream_name(&self, stream: StreamId) -> Option<&str> {
        self.names.iter().find(|(other, _)| *other == stream).map(|(_, name)| &**name)
    }

    fn age(&mut self) {
        self.fresh = false;
    }

    fn knows_better(&self, has_cursor: bool, was_left: bool) -> bool {
        has_cursor && (!self.fresh || was_left)
    }

    fn owe_history(&mut self, id: SubscriptionId) {
        // One answer serves all that ask before it: their number has no other limit.
        if !self.owed.contains(&id) {
            self.owed.push(id);
        }
    }

    fn history(&self, envelope: &Envelope, is_complete: bool) -> Bytes {
        let kind = if is_complete { "confirm_history" } else { "reject_history" };
        envelope.typed(kind, format_args!(""))
    }

    fn no_whispers(&self, envelope: &Envelope) -> Bytes {
        envelope.typed("reject_whisper", format_args!(""))
    }

    fn no_presence(&self, envelope: &Envelope) -> Bytes {
        let error = envelope.with_kind("presence");
        [&error[..], br#"{"type":"error"}}"#].concat().into()
    }

    fn restoring(&self) -> Option<&Restoring> {
        Some(&self.restoring)
    }

    fn restoring_mut(&mut self) -> Option<&mut Restoring> {
        Some(&mut self.restoring)
    }
}
