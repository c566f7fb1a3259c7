//! One confirmed identifier, the streams behind it, and how far each has been delivered.

use std::sync::Arc;

use forebay_log::{Commit, Offset, Seen, StreamId};
use smallvec::SmallVec;

use crate::dialect::{Recipient, Resync};
use crate::ids::SubscriptionId;
use crate::wire::Envelope;

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
    /// What the page has seen already, wherever it is in the log. It is the same for all streams of one
    /// subscription.
    pub seen: Option<Box<Seen>>,
    /// It is a presence stream, whose entries are told in the words of the client's protocol, see
    /// [`Session::tells_presence`](crate::Session::tells_presence). It may come last, and once.
    pub is_presence: bool,
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

/// What is remembered of one.
#[derive(Debug)]
struct ReaderState {
    stream: StreamId,
    position: Offset,
    attached: Offset,
    /// Everything from here to the position was sent on this connection, or is not for this client.
    /// [`IS_PRESENCE`] for a presence reader, which no client places.
    began: Offset,
}

/// No entry has the largest offset.
const IS_PRESENCE: Offset = Offset(u64::MAX);

impl ReaderState {
    fn is_presence(&self) -> bool {
        self.began == IS_PRESENCE
    }
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

/// Eight bytes instead of the sixteen of an `Option`. No entry has the largest offset.
#[derive(Clone, Copy, Debug)]
struct Began(Offset);

impl Began {
    fn get(self) -> Option<Offset> {
        (self.0 != Offset(u64::MAX)).then_some(self.0)
    }
}

impl From<Option<Offset>> for Began {
    fn from(offset: Option<Offset>) -> Self {
        Self(offset.unwrap_or(Offset(u64::MAX)))
    }
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
    /// The client has everything up to here from before this subscription.
    began_after: Began,
    /// What its page has seen already, as long as that may be among what is to come.
    seen: Option<Box<Seen>>,
    states: SmallVec<[ReaderState; 1]>,
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
            began_after: None.into(),
            seen: None,
            states: SmallVec::new(),
        }
    }

    /// True if the client must be resynced.
    pub(super) fn attach(&mut self, new: Attachment) -> bool {
        if new.is_presence {
            self.attach_presence(&new);
            return false;
        }
        let (position, lost) = match new.start {
            Start::After(offset) => (offset, false),
            Start::Live | Start::Unhealed => (new.head, false),
            Start::Lost => (new.head, true),
            Start::LostAfter(offset) => (offset, true),
        };
        let began = match (new.start, self.began_after()) {
            (Start::After(offset), earlier) if earlier.is_some() || self.states.is_empty() => {
                Some(earlier.map_or(offset, |earlier| earlier.min(offset)))
            }
            _ => None,
        };
        self.began_after = began.into();
        // What is lost is rendered again, in a page that has seen something else.
        self.seen = new.seen.filter(|_| !lost).or(self.seen.take());
        let (stream, attached) = (new.stream, new.head);
        self.states.push(ReaderState { stream, position, attached, began: position });
        lost
    }

    /// What its client lacks of that, it is told otherwise.
    fn attach_presence(&mut self, new: &Attachment) {
        let position = match new.start {
            Start::After(offset) => offset,
            _ => new.head,
        };
        let (stream, attached) = (new.stream, new.head);
        self.states.push(ReaderState { stream, position, attached, began: IS_PRESENCE });
    }

    /// Whether it is the reader of a presence stream.
    pub(super) fn is_presence(&self, reader: ReaderId) -> bool {
        self.states.get(reader.stream).is_some_and(ReaderState::is_presence)
    }

    /// The presence stream that it reads, if it does.
    pub(super) fn presence_stream(&self) -> Option<StreamId> {
        self.states.iter().find(|state| state.is_presence()).map(|state| state.stream)
    }

    /// The client has everything up to here from before this subscription. `None` once it lacks
    /// something.
    pub(super) fn began_after(&self) -> Option<Offset> {
        self.began_after.get()
    }

    /// Whether its page may have seen something already that is to come.
    pub(super) fn is_exact(&self) -> bool {
        self.seen.is_some()
    }

    /// Whether its page has seen what was committed there.
    pub(super) fn has_seen(&self, commit: &Commit) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.has(commit))
    }

    /// All of its streams have been sent up to an entry of this commit.
    pub(super) fn forget_seen(&mut self, commit: &Commit) {
        self.seen.take_if(|seen| seen.is_settled_by(commit));
    }

    pub(super) fn detach(&mut self, stream: StreamId) -> bool {
        let index = self.states.iter().position(|state| state.stream == stream);
        index.is_some_and(|index| {
            self.states.remove(index);
            true
        })
    }

    pub(super) fn detach_all(&mut self) -> Vec<StreamId> {
        let streams = self.streams();
        self.states.clear();
        streams
    }

    pub(super) fn readers(&self, index: usize) -> impl Iterator<Item = Reader> {
        let states = self.states.iter().enumerate();
        states.map(move |(stream, state)| {
            self.reader(ReaderId { subscription: index, stream }, state)
        })
    }

    /// The only one, where this is the session's only subscription.
    pub(super) fn sole_reader(&self) -> Option<Reader> {
        match &self.states[..] {
            [state] => Some(self.reader(ReaderId { subscription: 0, stream: 0 }, state)),
            _ => None,
        }
    }

    fn reader(&self, id: ReaderId, state: &ReaderState) -> Reader {
        let ReaderState { stream, position, attached, .. } = *state;
        Reader { id, subscription: self.id, stream, position, attached }
    }

    /// Stands elsewhere on these streams, as its client says; never before its cursor. Nothing that
    /// this connection has carried is given again. True if it must be resynced.
    pub(super) fn place(&mut self, starts: &[(StreamId, Start)]) -> bool {
        self.reading = Reading::Reads;
        let lost = std::mem::take(&mut self.lost);
        let mut is_lost = false;
        for state in self.states.iter_mut().filter(|state| !state.is_presence()) {
            let placed = starts.iter().find(|(stream, _)| *stream == state.stream);
            let start = match placed.map(|(_, start)| *start) {
                Some(Start::LostAfter(offset)) => {
                    is_lost = true;
                    Some(Start::After(offset))
                }
                start => start,
            };
            match start {
                Some(Start::After(offset)) if self.goes_on || offset >= state.began => {
                    state.position = offset.max(state.position);
                }
                Some(Start::After(offset)) => {
                    state.position = offset;
                    state.began = offset;
                }
                None if !lost => {}
                start => {
                    state.position = state.attached.max(state.position);
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
        self.began_after = proven.into();
    }

    /// Passes over everything up to `offset`, on all streams.
    pub(super) fn advance_all(&mut self, offset: Offset) {
        for state in &mut self.states {
            state.position = state.position.max(offset);
        }
    }

    /// The stream of a reader.
    pub(super) fn stream(&self, reader: ReaderId) -> Option<StreamId> {
        self.states.get(reader.stream).map(|state| state.stream)
    }

    /// The newest that has been sent of any of its streams.
    pub(super) fn newest_sent(&self) -> Option<Offset> {
        self.own_states().map(|state| state.position).max()
    }

    /// Positions only go forward: this is what makes a second delivery impossible.
    pub(super) fn advance(&mut self, reader: ReaderId, offset: Offset) {
        if let Some(state) = self.states.get_mut(reader.stream) {
            state.position = state.position.max(offset);
        }
    }

    /// Whether it goes on where it was left: its identifier carries a cursor.
    pub(super) fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// Whom the dialect speaks to.
    pub(super) fn recipient(&self) -> Recipient<'_> {
        Recipient { id: self.id, envelope: &self.envelope, goes_on: self.goes_on }
    }

    /// Up to here all of its streams have been sent.
    pub(super) fn sent(&self) -> Option<Offset> {
        self.own_states().map(|state| state.position).min()
    }

    pub(super) fn streams(&self) -> Vec<StreamId> {
        self.states.iter().map(|state| state.stream).collect()
    }

    /// The same without a presence stream.
    pub(super) fn read_streams(&self) -> Vec<StreamId> {
        self.own_states().map(|state| state.stream).collect()
    }

    fn own_states(&self) -> impl Iterator<Item = &ReaderState> {
        self.states.iter().filter(|state| !state.is_presence())
    }
}
