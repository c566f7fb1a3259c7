//! One confirmed identifier, the streams behind it, and how far each has been delivered.

use std::fmt;
use std::sync::Arc;

use forebay_log::{Offset, StreamId};
use smallvec::SmallVec;

use crate::wire::Envelope;

/// Names a subscription within its session, never twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct SubscriptionId(pub(crate) u32);

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl SubscriptionId {
    pub(crate) fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    pub(super) fn to_be_bytes(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }

    pub(super) fn from_be_bytes(bytes: [u8; 4]) -> Self {
        Self(u32::from_be_bytes(bytes))
    }
}

/// A stream that a subscription is to read from here on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attachment {
    /// The stream, opened by the caller and closed by it when the session gives it back.
    pub stream: StreamId,
    /// Its name, which AnyCable's clients are told.
    pub name: Arc<str>,
    /// Where to begin.
    pub start: Start,
    /// The log's head when the caller registered for the stream: ephemeral entries at or before
    /// it were not meant for this client.
    pub head: Offset,
}

/// Where a subscription begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// After this offset: what is past it is replayed.
    After(Offset),
    /// With what comes from now on.
    Live,
    /// With what comes from now on, and the client is told that it lacks something.
    Lost,
    /// After this offset, which is the oldest that there is, and the client is told that it lacks
    /// something before that.
    LostAfter(Offset),
    /// As `Lost`, where it was told before in vain: that it can't be healed.
    Unhealed,
}

/// The message that tells the subscribers of one channel to heal themselves: the JSON text of a
/// refresh, for Turbo's channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resync(&'static str);

impl Resync {
    /// Whether it is Turbo's HTML, and so does what it says.
    pub(super) fn is_html(self) -> bool {
        self.0.starts_with('"')
    }

    pub(super) fn json(self) -> &'static [u8] {
        self.0.as_bytes()
    }

    /// Takes the JSON text of the message. Static, because it is kept with every subscription.
    pub const fn new(json: &'static str) -> Self {
        Self(json)
    }
}

/// Names a reader while the session's subscriptions stay as they are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ReaderId {
    subscription: usize,
    stream: usize,
}

impl ReaderId {
    pub(super) fn subscription(self) -> usize {
        self.subscription
    }
}

/// Where a session stands on one stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reader {
    /// Its name, for [`Session::advance`](crate::Session::advance) and the like.
    pub id: ReaderId,
    /// The subscription that it belongs to.
    pub subscription: SubscriptionId,
    /// The stream.
    pub stream: StreamId,
    /// Everything up to here has been delivered.
    pub position: Offset,
    /// The head when it joined.
    pub attached: Offset,
}

#[derive(Debug)]
struct Cursor {
    stream: StreamId,
    position: Offset,
    attached: Offset,
    /// Everything from here to the position was sent on this connection, or is not for this client.
    began: Offset,
}

/// Whether a subscription is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reading {
    /// It is.
    Reads,
    /// Not until the client has said where it goes on.
    Held,
    /// Not until the client is told that it lacks something.
    OwesHealing,
}

#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) id: SubscriptionId,
    pub(super) envelope: Envelope,
    goes_on: bool,
    pub(super) reading: Reading,
    /// Its cursor could not be served when it was restored: of streams that its client has no
    /// position of, it lacks something.
    lost: bool,
    /// How often its tag has come back to this session, see [`Progress`](super::Progress).
    pub(super) returns: u8,
    pub(super) resync: Resync,
    /// The client has everything up to here from before this subscription. `None` once it lacks
    /// something.
    pub(super) began_after: Option<Offset>,
    cursors: SmallVec<[Cursor; 1]>,
}

impl Subscription {
    pub(super) fn new(
        id: SubscriptionId,
        envelope: Envelope,
        goes_on: bool,
        resync: Resync,
    ) -> Self {
        Self {
            id,
            envelope,
            goes_on,
            reading: Reading::Reads,
            lost: false,
            returns: 0,
            resync,
            began_after: None,
            cursors: SmallVec::new(),
        }
    }

    /// True if the client must be resynced.
    pub(super) fn attach(&mut self, new: &Attachment) -> bool {
        let (position, lost) = match new.start {
            Start::After(offset) => (offset, false),
            Start::Live | Start::Unhealed => (new.head, false),
            Start::Lost => (new.head, true),
            Start::LostAfter(offset) => (offset, true),
        };
        self.began_after = match (new.start, self.began_after) {
            (Start::After(offset), earlier) if earlier.is_some() || self.cursors.is_empty() => {
                Some(earlier.map_or(offset, |earlier| earlier.min(offset)))
            }
            _ => None,
        };
        let (stream, attached) = (new.stream, new.head);
        self.cursors.push(Cursor { stream, position, attached, began: position });
        lost
    }

    pub(super) fn detach(&mut self, stream: StreamId) -> bool {
        let index = self.cursors.iter().position(|cursor| cursor.stream == stream);
        index.is_some_and(|index| {
            self.cursors.remove(index);
            true
        })
    }

    pub(super) fn detach_all(&mut self) -> Vec<StreamId> {
        let streams = self.streams();
        self.cursors.clear();
        streams
    }

    pub(super) fn readers(&self, index: usize) -> impl Iterator<Item = Reader> {
        let cursors = self.cursors.iter().enumerate();
        cursors.map(move |(stream, cursor)| {
            self.reader(ReaderId { subscription: index, stream }, cursor)
        })
    }

    /// The only one, where this is the session's only subscription.
    pub(super) fn sole_reader(&self) -> Option<Reader> {
        match &self.cursors[..] {
            [cursor] => Some(self.reader(ReaderId { subscription: 0, stream: 0 }, cursor)),
            _ => None,
        }
    }

    fn reader(&self, id: ReaderId, cursor: &Cursor) -> Reader {
        let Cursor { stream, position, attached, .. } = *cursor;
        Reader { id, subscription: self.id, stream, position, attached }
    }

    /// Stands elsewhere on these streams, as its client says; never before its cursor. Nothing that
    /// this connection has carried is given again. True if it must be resynced.
    pub(super) fn place(&mut self, starts: &[(StreamId, Start)]) -> bool {
        self.reading = Reading::Reads;
        let lost = std::mem::take(&mut self.lost);
        let mut is_lost = false;
        for cursor in &mut self.cursors {
            let placed = starts.iter().find(|(stream, _)| *stream == cursor.stream);
            let start = match placed.map(|(_, start)| *start) {
                Some(Start::LostAfter(offset)) => {
                    is_lost = true;
                    Some(Start::After(offset))
                }
                start => start,
            };
            match start {
                Some(Start::After(offset)) if self.goes_on || offset >= cursor.began => {
                    cursor.position = offset.max(cursor.position);
                }
                Some(Start::After(offset)) => {
                    cursor.position = offset;
                    cursor.began = offset;
                }
                None if !lost => {}
                start => {
                    cursor.position = cursor.attached.max(cursor.position);
                    is_lost |= start != Some(Start::Live);
                }
            }
        }
        is_lost
    }

    /// Waits for its client to say where it goes on. It is known to have what was `proven`; its own
    /// cursor may be `lost`.
    pub(super) fn hold(&mut self, proven: Option<Offset>, lost: bool) {
        self.reading = Reading::Held;
        self.lost = lost;
        self.began_after = proven;
    }

    /// Passes over everything up to `offset`, on all streams.
    pub(super) fn advance_all(&mut self, offset: Offset) {
        for cursor in &mut self.cursors {
            cursor.position = cursor.position.max(offset);
        }
    }

    /// The stream of a reader.
    pub(super) fn stream(&self, reader: ReaderId) -> Option<StreamId> {
        self.cursors.get(reader.stream).map(|cursor| cursor.stream)
    }

    /// The newest that has been sent of any of its streams.
    pub(super) fn newest_sent(&self) -> Option<Offset> {
        self.cursors.iter().map(|cursor| cursor.position).max()
    }

    /// Positions only go forward: this is what makes a second delivery impossible.
    pub(super) fn advance(&mut self, reader: ReaderId, offset: Offset) {
        if let Some(cursor) = self.cursors.get_mut(reader.stream) {
            cursor.position = cursor.position.max(offset);
        }
    }

    /// Whether its identifier carries a cursor.
    pub(super) fn has_cursor(&self) -> bool {
        self.goes_on
    }

    /// Up to here all of its streams have been sent.
    pub(super) fn sent(&self) -> Option<Offset> {
        self.cursors.iter().map(|cursor| cursor.position).min()
    }

    pub(super) fn streams(&self) -> Vec<StreamId> {
        self.cursors.iter().map(|cursor| cursor.stream).collect()
    }
}
