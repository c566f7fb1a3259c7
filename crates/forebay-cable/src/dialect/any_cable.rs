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
use forebay_log::{Change, Epoch, Member, Offset, Position, StreamId};
use serde::Serialize;
use serde_json::value::RawValue;
use smallvec::{SmallVec, smallvec};

use super::{
    Around, Attending, Dialect, Lack, Manner, Positions, PresenceAnswer, Recipient, Restoring,
    check,
};
use crate::command::{Command, CommandError, Terms};
use crate::ids::{SessionId, SubscriptionId};
use crate::wire::{self, Envelope, RECORD_END, Wrap};

#[derive(Debug)]
pub(super) struct AnyCable {
    epoch: Epoch,
    /// Less than a ping interval old: what its client says of positions is about its life before.
    fresh: bool,
    streams: Vec<Opened>,
    /// Subscriptions that are told when they have got their history.
    owed: Vec<SubscriptionId>,
    restoring: Restoring,
    attending: Attending,
}

/// A stream that a subscription has, or had.
#[derive(Debug)]
struct Opened {
    stream: StreamId,
    name: Arc<str>,
    /// It was read. What is held is not, so of that its client says where it was before this connection.
    has_begun: bool,
}

impl AnyCable {
    pub(super) fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            fresh: true,
            streams: Vec::new(),
            owed: Vec::new(),
            restoring: Restoring::default(),
            attending: Attending::default(),
        }
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
        check(vec![Command::decode(text)?], Terms::keep_history_and_presence, has)
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
        let mut streams = self.streams.iter_mut();
        match streams.find(|other| other.stream.index() == stream.index()) {
            Some(known) if known.stream == stream => {}
            // A stream's index is used again when it is closed.
            Some(known) => *known = Opened { stream, name, has_begun: false },
            None => self.streams.push(Opened { stream, name, has_begun: false }),
        }
    }

    fn begins(&mut self, stream: StreamId) {
        if let Some(known) = self.streams.iter_mut().find(|other| other.stream == stream) {
            known.has_begun = true;
        }
    }

    fn has_begun(&self, name: &str) -> bool {
        self.streams.iter().any(|other| other.has_begun && *other.name == *name)
    }

    fn stream_name(&self, stream: StreamId) -> Option<&str> {
        self.streams.iter().find(|other| other.stream == stream).map(|other| &*other.name)
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

    fn attending(&self) -> Option<&Attending> {
        Some(&self.attending)
    }

    fn attending_mut(&mut self) -> Option<&mut Attending> {
        Some(&mut self.attending)
    }

    /// Its client takes a member's new info from another `join`.
    fn change(&self, envelope: &Envelope, change: &Change) -> Vec<u8> {
        let envelope = envelope.with_kind(PRESENCE);
        let mut texts = Vec::new();
        let mut say = |json: Said<'_>| {
            if !texts.is_empty() {
                texts.push(RECORD_END);
            }
            texts.extend_from_slice(&envelope);
            append_json(&mut texts, &json);
            texts.push(b'}');
        };
        if change.is_count_only() {
            say(Said::Info { total: change.total, records: Vec::new() });
        }
        for member in change.joined.iter().chain(&change.updated) {
            say(Said::Join(member.into()));
        }
        for member in &change.left {
            say(Said::Leave { id: &member.id });
        }
        texts
    }

    fn members(&self, envelope: &Envelope, total: usize, members: &[Member]) -> Bytes {
        let records = members.iter().map(MemberRecord::from).collect();
        said(envelope, &Said::Info { total, records })
    }

    /// An `error` would have its client give up on who is present, which it mostly asks for behind its `join`. It
    /// passes over types that it does not know.
    fn presence(&self, envelope: &Envelope, answer: PresenceAnswer<'_>) -> Bytes {
        said(
            envelope,
            &match answer {
                PresenceAnswer::Done { command } => Said::Accept { command },
                PresenceAnswer::Refused { command: "presence", reason } => Said::Error { reason },
                PresenceAnswer::Refused { command, reason } => Said::Reject { command, reason },
            },
        )
    }

    fn restoring(&self) -> Option<&Restoring> {
        Some(&self.restoring)
    }

    fn restoring_mut(&mut self) -> Option<&mut Restoring> {
        Some(&mut self.restoring)
    }
}

/// The type of messages about presence.
const PRESENCE: &str = "presence";

/// What such a message says.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Said<'a> {
    Join(MemberRecord<'a>),
    Leave {
        id: &'a str,
    },
    Info {
        total: usize,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        records: Vec<MemberRecord<'a>>,
    },
    Error {
        reason: &'a str,
    },
    Accept {
        command: &'a str,
    },
    Reject {
        command: &'a str,
        reason: &'a str,
    },
}

/// A member as AnyCable's clients are told of it. One whose info is not JSON has none: it comes from a log that
/// another program has written.
#[derive(Debug, Serialize)]
pub struct MemberRecord<'a> {
    info: Option<&'a RawValue>,
    id: &'a str,
}

impl<'a> From<&'a Member> for MemberRecord<'a> {
    fn from(member: &'a Member) -> Self {
        Self { info: serde_json::from_str(&member.info).ok(), id: &member.id }
    }
}

fn said(envelope: &Envelope, said: &Said<'_>) -> Bytes {
    let mut text = envelope.with_kind(PRESENCE);
    append_json(&mut text, said);
    text.push(b'}');
    text.into()
}

fn append_json(bytes: &mut Vec<u8>, json: &impl Serialize) {
    serde_json::to_writer(bytes, json).expect("texts and numbers encode into a Vec");
}
