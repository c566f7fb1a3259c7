//! Delivering entries: where the session stands on each stream, what goes around a message, and
//! what has been proven to arrive.

use forebay_log::Offset;

use super::proof::Mark;
use super::subscription::{Reader, ReaderId, Subscription, SubscriptionId};
use super::{Session, Waiting};
use crate::wire::EnvelopeEnd;

impl Session {
    /// Where this session stands on every stream that it reads.
    pub fn readers(&self) -> impl Iterator<Item = Reader> {
        self.subscriptions.iter().enumerate().flat_map(|(index, s)| s.readers(index))
    }

    /// The subscription's part of a delivery, in front of the message.
    pub fn envelope(&self, reader: ReaderId) -> &[u8] {
        self.subscriptions.get(reader.subscription()).map_or(b"", |s| s.envelope.as_bytes())
    }

    /// What follows the message.
    pub fn envelope_end(&self, reader: ReaderId, offset: Offset) -> EnvelopeEnd {
        match self.subscriptions.get(reader.subscription()) {
            Some(subscription) if subscription.has_cursor() => EnvelopeEnd::with_offset(offset),
            _ => EnvelopeEnd::plain(),
        }
    }

    /// As [`envelope`](Self::envelope), for a message with a `type` of its own.
    pub fn envelope_of_kind(&self, reader: ReaderId, kind: &str) -> Vec<u8> {
        let subscription = self.subscriptions.get(reader.subscription());
        subscription.map_or_else(Vec::new, |s| s.envelope.with_kind(kind))
    }

    /// Everything of the reader's stream up to `offset` has been sent or is not for this client.
    pub fn advance(&mut self, reader: ReaderId, offset: Offset) {
        if let Some(subscription) = self.subscriptions.get_mut(reader.subscription()) {
            subscription.advance(reader, offset);
            if subscription.has_cursor() {
                self.proof.owe();
            }
        }
    }

    /// History has moved past this reader: the client is told to heal itself, and goes on from
    /// `head`.
    pub fn resync(&mut self, reader: ReaderId, head: Offset) {
        if let Some(subscription) = self.subscriptions.get_mut(reader.subscription()) {
            subscription.advance(reader, head);
            self.proof.owe();
            let text = subscription.resync_text();
            self.push(text);
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
        let owed = delivers && self.subscriptions.iter().any(Subscription::has_cursor);
        self.proof.next(owed, Mark { through: head, subscription: self.last_confirmed })
    }

    /// The mark is behind everything else in the socket.
    pub fn marked(&mut self, mark: Mark) {
        self.proof.sent(mark);
    }

    /// Takes a Pong's bytes. Every WebSocket client answers a Ping with its own bytes, by
    /// itself: so the stock client proves what has arrived without knowing of it.
    pub fn handle_pong(&mut self, payload: &[u8]) {
        self.proof.received(payload);
    }

    /// How far each subscription that carries a cursor is known to have got; `None` where its
    /// client was to be resynced and that isn't proven.
    pub fn acknowledged(&self) -> impl Iterator<Item = (SubscriptionId, Option<Offset>)> {
        let with_cursor = self.subscriptions.iter().filter(|s| s.has_cursor());
        with_cursor.map(|s| (s.id, self.proven(s)))
    }

    pub(super) fn proven(&self, subscription: &Subscription) -> Option<Offset> {
        self.proof.covers(subscription.id).or(subscription.began_after)
    }

    /// What names the subscription that waits for an answer: equal for equal identifiers.
    pub fn waiting_envelope(&self) -> Option<&[u8]> {
        match &self.waiting {
            Waiting::Subscription(_, envelope) => Some(envelope.as_bytes()),
            _ => None,
        }
    }
}
