//! AnyCable's extended protocol: history, restored sessions, and what it has to remember for them.
//!
//! Its client keeps one position per *stream*, and names it for every identifier under which it
//! has received that stream. For a page that is brought back with the identifier of an earlier
//! life (a Turbo snapshot), that position is another page's. So where the identifier carries a
//! cursor, a session trusts what it knows itself: where it left the identifier, or the cursor.
//! Only a session that has just begun knows nothing, and takes the client's word. It never takes
//! the time of a page that has a cursor: its clock may be fast, and the cursor is exact.

use std::borrow::Cow;
use std::sync::Arc;

use forebay_log::{Epoch, Offset, Position, StreamId, UnixMillis};

use super::dialect::Dialect;
use super::left::{Left, Progress};
use super::subscription::{Reading, Start, SubscriptionId};
use super::{Effect, Session, Step, Waiting};
use crate::command::{Claim, History, Identifier};
use crate::wire::{self, Envelope};

/// How long restored subscriptions wait for their client to say where it goes on. It does so at
/// once, if it does.
const HELD_MAX_MS: u64 = 5_000;

#[derive(Debug)]
pub(super) struct Extended {
    pub(super) epoch: Epoch,
    /// Less than a ping interval old: what its client says of positions is about its life before.
    fresh: bool,
    names: Vec<(StreamId, Arc<str>)>,
    /// Subscriptions that are told when they have got their history.
    owed: Vec<SubscriptionId>,
    /// It is not welcomed before its subscriptions are decided.
    restoring: bool,
    held_until: Option<UnixMillis>,
}

/// What is kept of a session that was lost, for the next one of the same client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    subscriptions: Vec<KeptSubscription>,
    left: Left,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct KeptSubscription {
    pub(super) identifier: Box<str>,
    pub(super) proven: Option<Offset>,
}

/// Identifiers and what of them is proven; then, of those that were left, digests, what was sent, what
/// is proven, and returns.
type KeptText<'a> = (Vec<(Cow<'a, str>, Option<u64>)>, Vec<(u64, u64, Option<u64>, u8)>);

impl Kept {
    /// What it takes in memory, about.
    pub fn bytes(&self) -> usize {
        let identifiers: usize = self.subscriptions.iter().map(|s| s.identifier.len() + 64).sum();
        identifiers + self.left.len() * 32 + 128
    }

    /// For the next process: JSON.
    pub fn to_json(&self) -> String {
        let number = |offset: Option<Offset>| offset.map(|offset| offset.0);
        let subscriptions = self.subscriptions.iter();
        let left = self.left.iter();
        let text: KeptText<'_> = (
            subscriptions.map(|s| ((&*s.identifier).into(), number(s.proven))).collect(),
            left.map(|(digest, left)| (*digest, left.sent.0, number(left.proven), left.returns))
                .collect(),
        );
        serde_json::to_string(&text).expect("texts and numbers encode")
    }

    /// Takes what [`to_json`](Self::to_json) made.
    pub fn from_json(json: &str) -> Option<Self> {
        let (subscriptions, left): KeptText<'_> = serde_json::from_str(json).ok()?;
        let subscriptions = subscriptions.into_iter().map(|(identifier, proven)| {
            KeptSubscription { identifier: identifier.into(), proven: proven.map(Offset) }
        });
        let left = left.into_iter().map(|(digest, sent, proven, returns)| {
            (digest, Progress { sent: Offset(sent), proven: proven.map(Offset), returns })
        });
        Some(Self { subscriptions: subscriptions.collect(), left: left.collect() })
    }
}

impl Extended {
    pub(super) fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            fresh: true,
            names: Vec::new(),
            owed: Vec::new(),
            restoring: false,
            held_until: None,
        }
    }

    pub(super) fn opened(&mut self, stream: StreamId, name: Arc<str>) {
        match self.names.iter_mut().find(|(other, _)| other.index() == stream.index()) {
            // A stream's index is used again when it is closed.
            Some(known) => *known = (stream, name),
            None => self.names.push((stream, name)),
        }
    }

    pub(super) fn name(&self, stream: StreamId) -> &str {
        self.names.iter().find(|(other, _)| *other == stream).map_or("", |(_, name)| name)
    }

    pub(super) fn reject_history(&mut self, id: SubscriptionId) {
        self.owed.retain(|owed| *owed != id);
    }
}

impl Dialect {
    pub(super) fn owe_history(&mut self, id: SubscriptionId) {
        // One answer serves all that ask before it: their number has no other limit.
        if let Self::Extended(extended) = self
            && !extended.owed.contains(&id)
        {
            extended.owed.push(id);
        }
    }

    /// A ping interval has passed.
    pub(super) fn age(&mut self) {
        if let Self::Extended(extended) = self {
            extended.fresh = false;
        }
    }

    pub(super) fn held_until(&self) -> Option<UnixMillis> {
        match self {
            Self::Extended(extended) => extended.held_until,
            _ => None,
        }
    }
}

impl Session {
    /// Whether what this session knows of the identifier is better than what its client says.
    pub(super) fn knows_better(&self, envelope: &Envelope, identifier: &Identifier) -> bool {
        let Dialect::Extended(extended) = &self.dialect else { return true };
        let has_cursor = identifier.params.contains_key("cursor");
        has_cursor && (!extended.fresh || self.left.contains(envelope))
    }

    /// Whether a client that keeps one position for a stream may have got it on this connection, under
    /// whatever identifier.
    pub fn has_opened(&self, stream: &str) -> bool {
        match &self.dialect {
            Dialect::Extended(extended) => extended.names.iter().any(|(_, name)| **name == *stream),
            _ => false,
        }
    }

    /// The client says where it stands on a subscription that it has.
    pub(super) fn history(&mut self, identifier: &str, mut history: History) {
        let envelope = Envelope::new(identifier);
        let Some(index) = self.find(&envelope) else {
            self.rejections += 1;
            self.push(envelope.typed("reject_history", format_args!("")));
            return;
        };
        let subscription = &self.subscriptions[index];
        let id = subscription.id;
        // A time is less than a cursor, which is exact, and the client's clock may be wrong. So with a
        // cursor only streams that it names are placed; the others stay where they stand.
        let mut streams = subscription.streams();
        if let (true, Dialect::Extended(extended)) = (subscription.has_cursor(), &self.dialect) {
            streams.retain(|stream| history.names(extended.name(*stream)));
            history.since = None;
        }
        // The page has lived on and was subscribed all the time: its position is its own.
        let claim = Claim::History(history);
        self.dialect.owe_history(id);
        self.waiting = Waiting::Completion(id);
        self.effect = Some(Box::new(Effect::Place { id, streams, claim }));
    }

    /// Answers [`Effect::Place`]: the client goes on from here.
    pub fn place(&mut self, id: SubscriptionId, starts: &[(StreamId, Start)]) {
        if !matches!(self.waiting, Waiting::Completion(other) if other == id) {
            return;
        }
        if let Some(index) = self.subscription_index(id)
            && self.subscriptions[index].place(starts)
        {
            self.lost(index);
        }
        self.done();
    }

    pub(super) fn confirm_histories(&mut self) {
        let Dialect::Extended(extended) = &mut self.dialect else { return };
        for id in std::mem::take(&mut extended.owed) {
            if let Some(subscription) = self.subscription(id) {
                let text = subscription.envelope.typed("confirm_history", format_args!(""));
                self.push(text);
            }
        }
    }

    pub(super) fn say_no_presence(&mut self, identifier: &str) {
        let error = Envelope::new(identifier).with_kind("presence");
        let error = [&error[..], br#"{"type":"error"}}"#].concat();
        self.push(error.into());
    }

    // --- a session that goes on for another ---------------------------------------------------

    /// What the client's next session has to know, if it can go on for this one: its connection was
    /// lost, and neither side has ended it, or only this process ends.
    pub fn keep(&mut self) -> Option<Kept> {
        let kept = self.kept()?;
        let left = std::mem::take(&mut self.left);
        Some(Kept { left, ..kept })
    }

    /// The same at this moment, of a session that goes on.
    pub fn kept(&self) -> Option<Kept> {
        let may_come_back = self.close.as_ref().is_none_or(|close| close.is_restart());
        let lost = matches!(&self.dialect, Dialect::Extended(extended) if !extended.restoring)
            && may_come_back
            && !self.subscriptions.is_empty();
        lost.then(|| {
            let subscriptions = self.subscriptions.iter();
            let subscriptions = subscriptions.map(|subscription| KeptSubscription {
                identifier: subscription.envelope.identifier_text().into(),
                proven: self.proven(subscription),
            });
            Kept { subscriptions: subscriptions.collect(), left: self.left.clone() }
        })
    }

    pub(super) fn begin_restoring(&mut self, now: UnixMillis, kept: Kept) {
        if let Dialect::Extended(extended) = &mut self.dialect {
            extended.restoring = true;
            extended.held_until = Some(UnixMillis(now.0 + HELD_MAX_MS));
            self.left = kept.left;
            self.steps.extend(kept.subscriptions.into_iter().map(Step::Restore));
        } else {
            self.say_welcome();
        }
    }

    pub(super) fn end_restoring(&mut self) {
        let Dialect::Extended(extended) = &mut self.dialect else { return };
        if std::mem::take(&mut extended.restoring) {
            // A client that gets nothing back subscribes anew.
            let text = if self.subscriptions.is_empty() {
                wire::welcome(self.id)
            } else {
                wire::welcome_back(self.id, self.subscriptions.iter().map(|s| &s.envelope))
            };
            self.push(text);
        }
    }

    /// Whether a restored subscription still waits for its client to say where it goes on.
    pub(super) fn holds_some(&self) -> bool {
        self.dialect.held_until().is_some()
            && self.subscriptions.iter().any(|s| s.reading == Reading::Held)
    }

    /// Those that were restored and never said where they go on, go on where they were proven to
    /// be.
    pub(super) fn release_held(&mut self, now: UnixMillis) {
        let Dialect::Extended(extended) = &mut self.dialect else { return };
        if extended.restoring || extended.held_until.is_none_or(|until| now < until) {
            return;
        }
        extended.held_until = None;
        let held =
            self.subscriptions.iter().filter(|subscription| subscription.reading == Reading::Held);
        let steps: Vec<_> = held.map(|subscription| Step::Release(subscription.id)).collect();
        self.steps.extend(steps);
        self.work_off();
    }

    pub(super) fn release(&mut self, id: SubscriptionId) {
        let subscription =
            self.subscription(id).filter(|subscription| subscription.reading == Reading::Held);
        let Some(subscription) = subscription else { return };
        let position = subscription.began_after.and_then(|proven| self.dialect.position(proven));
        let claim = position.map_or(Claim::None, Claim::After);
        let streams = subscription.streams();
        self.waiting = Waiting::Completion(id);
        self.effect = Some(Box::new(Effect::Place { id, streams, claim }));
    }

    pub(super) fn stream_position(
        &self,
        stream: StreamId,
        offset: Offset,
    ) -> Option<(&str, Position)> {
        match &self.dialect {
            Dialect::Extended(extended) => {
                Some((extended.name(stream), Position { epoch: extended.epoch, offset }))
            }
            _ => None,
        }
    }
}
