//! Delivering entries: where the session stands on each stream, what goes around a message, and
//! what has been proven to arrive.

use std::sync::Arc;

use forebay_log::{Commit, Offset, StreamId};

use super::left::Progress;
use super::proof::Mark;
use super::subscription::{Reader, ReaderId, Reading, Subscription};
use super::{Session, Waiting};
use crate::dialect::{Around, Positions};
use crate::ids::SubscriptionId;
use crate::wire::{Envelope, Wrap};

impl Session {
    /// Where this session stands on every stream that it reads.
    pub fn readers(&self) -> impl Iterator<Item = Reader> {
        let waits = self.waits_as_one();
        let subscriptions = self.subscriptions.iter().enumerate();
        let read = subscriptions.filter(move |(_, s)| s.reading == Reading::Reads && !waits);
        read.flat_map(|(index, s)| s.readers(index))
    }

    /// The only one of [`readers`](Self::readers), if there is one only.
    pub fn sole_reader(&self) -> Option<Reader> {
        if let [sole] = &self.subscriptions[..] {
            if sole.reading != Reading::Reads || self.waits_as_one() {
                return None;
            }
            return sole.sole_reader();
        }
        let mut readers = self.readers();
        readers.next().filter(|_| readers.next().is_none())
    }

    /// Whether nothing is read for now. Its client keeps one position for all that it reads, and one of its
    /// subscriptions waits for its answer, or to be told that it lacks something. What others were sent would move
    /// that position past what this one lacks, and the client's next connection would begin behind it.
    #[inline]
    pub fn waits_as_one(&self) -> bool {
        self.manner.positions == Positions::Single && self.waits()
    }

    #[cold]
    fn waits(&self) -> bool {
        !self.is_settled() || self.is_healing_planned()
    }

    /// Whether the client keeps one position for both readers: then what the one has to wait for, the other waits
    /// for.
    pub fn share_position(&self, one: ReaderId, other: ReaderId) -> bool {
        match self.manner.positions {
            Positions::Proven => false,
            Positions::ByStream => self.stream_of(one) == self.stream_of(other),
            Positions::BySubscription => one.subscription() == other.subscription(),
            Positions::Single => true,
        }
    }

    /// The stream that a reader reads.
    pub fn stream_of(&self, reader: ReaderId) -> Option<StreamId> {
        self.subscriptions.get(reader.subscription())?.stream(reader)
    }

    /// Whether a page of it may have seen something already that is to come. Then it is asked of each entry.
    pub fn is_exact(&self) -> bool {
        self.is_exact
    }

    /// Whether the page of a reader has seen what was committed there: the entry is passed over.
    pub fn has_seen(&self, reader: ReaderId, commit: &Commit) -> bool {
        let subscription = self.subscriptions.get(reader.subscription());
        subscription.is_some_and(|subscription| subscription.has_seen(commit))
    }

    /// Everything up to an entry of this commit has been sent, on all streams of the reader's subscription:
    /// what its page has seen may be of no use any more.
    pub fn forget_seen(&mut self, reader: ReaderId, commit: &Commit) {
        if let Some(subscription) = self.subscriptions.get_mut(reader.subscription()) {
            subscription.forget_seen(commit);
            self.is_exact = self.subscriptions.iter().any(Subscription::is_exact);
        }
    }

    /// What goes in front of every message for the only subscription, if nothing else that goes
    /// around them is its own: who has the same memory here is sent the same bytes.
    pub fn shared_envelope(&self) -> Option<&Arc<[u8]>> {
        match &self.subscriptions[..] {
            [sole] if self.manner.shares_frames && !sole.goes_on() => {
                sole.envelope.is_shared().then(|| sole.envelope.shared())
            }
            _ => None,
        }
    }

    /// Every stream that this session has open, and the head when it joined; held ones, too.
    pub fn streams(&self) -> impl Iterator<Item = (StreamId, Offset)> {
        let subscriptions = self.subscriptions.iter().enumerate();
        let readers = subscriptions.flat_map(|(index, s)| s.readers(index));
        readers.map(|reader| (reader.stream, reader.attached))
    }

    /// What goes around an entry on its way to the client; `None` where there is nothing to send.
    pub fn wrap(&self, reader: ReaderId, entry: Around<'_>) -> Option<Wrap<'_>> {
        let subscription = self.subscriptions.get(reader.subscription())?;
        if let Some(change) = entry.message.and_then(|message| message.change()) {
            return self.wrap_change(reader, subscription, entry, change);
        }
        let stream = subscription.stream(reader)?;
        self.dialect.wrap(subscription.recipient(), stream, entry)
    }

    /// Everything of the reader's stream up to `offset` has been sent or is not for this client.
    pub fn advance(&mut self, reader: ReaderId, offset: Offset) {
        let positions = self.manner.positions;
        if let Some(subscription) = self.subscriptions.get_mut(reader.subscription()) {
            subscription.advance(reader, offset);
            if is_proven(positions, subscription) {
                self.proof.owe();
            }
            if self.manner.follows {
                self.dialect.sent(offset);
            }
        }
    }

    /// Everything up to `head` has been sent, on all streams. True if a client
    /// [asks](Self::asks_members) who is present.
    #[inline]
    pub fn caught_up(&mut self, head: Offset) -> bool {
        // A subscription that waits for its answer may begin before the head, or, where its node is behind, after it.
        self.manner.follows && !self.waits_as_one() && self.follow(head)
    }

    fn follow(&mut self, head: Offset) -> bool {
        for id in self.dialect.caught_up(head) {
            // One that waits for its turn to be told what it lacks is told so then.
            let reads = |s: &&Subscription| s.reading != Reading::OwesHealing;
            if let Some(subscription) = self.subscription(id).filter(reads) {
                self.push(self.dialect.history(&subscription.envelope, true));
            }
        }
        self.dialect.attending().is_some_and(|attending| !attending.asked.is_empty())
    }

    /// Whether the page of this reader needs no turn, see [`is_healing`](Self::is_healing).
    pub fn is_reader_healing(&self, reader: ReaderId) -> bool {
        let subscription = self.subscriptions.get(reader.subscription());
        subscription.is_some_and(|subscription| self.heals(&subscription.envelope))
    }

    /// History has moved past this reader: the client is told to heal itself, and goes on from
    /// `head`. Where it is not [healing](Self::is_reader_healing) yet, it takes a
    /// [turn](Self::plan_healing) first.
    pub fn resync(&mut self, reader: ReaderId, head: Offset) {
        if let Some(subscription) = self.subscriptions.get_mut(reader.subscription()) {
            subscription.advance(reader, head);
            self.proof.owe();
            self.lost(reader.subscription());
        }
    }

    /// The channels' subscriptions, for when the connection is gone.
    pub fn subscription_ids(&self) -> impl Iterator<Item = SubscriptionId> {
        self.subscriptions.iter().map(|subscription| subscription.id)
    }

    /// A mark to send as a WebSocket Ping behind everything up to `head`, if there is something
    /// to prove and the client answers. When it is on its way: [`marked`](Self::marked).
    /// `delivers` says that entries go out in front of it which have not been advanced yet.
    pub fn next_mark(&self, head: Offset, delivers: bool) -> Option<Mark> {
        // A mark is for all subscriptions, and those that wait have not been read.
        let waits = self.holds_some() || self.is_healing_planned();
        if self.keeps_positions() || waits {
            return None;
        }
        let positions = self.manner.positions;
        let owed = delivers && self.subscriptions.iter().any(|s| is_proven(positions, s));
        self.proof.next(owed, Mark { through: head, subscription: self.last_confirmed })
    }

    /// Its client says where it stands, and so nothing has to be proven.
    pub(super) fn keeps_positions(&self) -> bool {
        matches!(self.manner.positions, Positions::BySubscription | Positions::Single)
    }

    /// The mark is behind everything else in the socket.
    pub fn marked(&mut self, mark: Mark) {
        self.proof.sent(mark);
    }

    /// Takes a Pong's bytes. Every WebSocket client answers a Ping with its own bytes, by
    /// itself: so the stock client proves what has arrived without knowing of it. True if it proves more
    /// than was known.
    pub fn handle_pong(&mut self, payload: &[u8]) -> bool {
        self.proof.received(payload)
    }

    /// The client closes the connection by itself. What its script has not come to it drops, though it has arrived.
    pub fn client_closes(&mut self) {
        self.proof.settle();
    }

    /// Whether something was sent that no mark is behind of yet: one may go out as soon as the client has
    /// answered others.
    pub fn owes_mark(&self) -> bool {
        self.proof.is_owed()
    }

    /// How far each subscription that carries a cursor is known to have got; `None` where its
    /// client was to be resynced and that isn't proven.
    pub fn acknowledged(&self) -> impl Iterator<Item = (SubscriptionId, Option<Offset>)> {
        let with_cursor = self.subscriptions.iter().filter(|s| s.goes_on());
        with_cursor.map(|s| (s.id, self.proven(s)))
    }

    pub(super) fn proven(&self, subscription: &Subscription) -> Option<Offset> {
        self.proof.covers(subscription.id).or(subscription.began_after())
    }

    /// What names the subscription that waits for an answer: equal for equal identifiers.
    pub fn waiting_envelope(&self) -> Option<&Envelope> {
        match &self.waiting {
            Waiting::Subscription(pending) => Some(&pending.envelope),
            _ => None,
        }
    }

    /// Takes memory that others have, too, for the shared part of the envelope of the subscription that
    /// waits for an answer.
    pub fn share_envelope(&mut self, same: Arc<[u8]>) {
        if let Waiting::Subscription(pending) = &mut self.waiting {
            pending.envelope.share(same);
        }
    }

    /// Where the subscription that waits for an answer was left by this session, if it was.
    pub fn waiting_left(&self) -> Option<Progress> {
        match &self.waiting {
            Waiting::Subscription(pending) => self.left.get(&pending.envelope),
            _ => None,
        }
    }
}

/// Whether what was sent to this subscription is to be proven by Pongs.
fn is_proven(positions: Positions, subscription: &Subscription) -> bool {
    match positions {
        Positions::Proven => subscription.goes_on(),
        Positions::ByStream => true,
        Positions::BySubscription | Positions::Single => false,
    }
}
