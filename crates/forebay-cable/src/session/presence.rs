//! Who is present, for clients that are told so in words of their protocol: AnyCable's.
//!
//! A subscription with a *presence reader* reads the presence stream beside its own streams. What changed there
//! is said as the protocol says it, at its place in the order of the log. Who is present altogether is said
//! where everything before it has been sent and nothing after it: what is asked for waits for that.
//!
//! Such a client forgets who is present whenever its connection is lost, and mostly does not ask again. So one
//! that may have come back is told without being asked.

use forebay_log::{Change, Member, Offset, StreamId};

use super::subscription::{ReaderId, Reading, Subscription};
use super::{Effect, Session, Waiting};
use crate::command::Joining;
use crate::dialect::{Around, PresenceAnswer};
use crate::ids::SubscriptionId;
use crate::wire::{Envelope, Part, Wrap};

/// A client is to be told who is present.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AsksMembers {
    /// The subscription.
    pub id: SubscriptionId,
    /// The presence stream that it reads.
    pub stream: StreamId,
    /// They are to be named, and not only counted.
    pub with_records: bool,
}

impl Session {
    /// Whether this client is told who is present, where an [`Attachment`](super::Attachment) says
    /// [so](super::Attachment::is_presence).
    pub fn tells_presence(&self) -> bool {
        self.dialect.attending().is_some()
    }

    /// Its client was here before, by another connection, and has forgotten who is present.
    pub fn returns(&mut self) {
        if let Some(attending) = self.dialect.attending_mut() {
            attending.is_returning = true;
        }
    }

    /// Answers [`Effect::Join`].
    pub fn joined(&mut self, id: SubscriptionId, outcome: Result<Joining, &str>) {
        if self.is_asked(id) {
            self.say_joined(id, outcome, true);
            self.done();
        }
    }

    /// The client has said in its subscription, which was confirmed, that it is present: this came of it. Only a
    /// refusal is said.
    pub fn joined_at_once(&mut self, id: SubscriptionId, outcome: Result<Joining, &str>) {
        self.say_joined(id, outcome, false);
    }

    fn say_joined(&mut self, id: SubscriptionId, outcome: Result<Joining, &str>, is_said: bool) {
        let Some(subscription) = self.subscriptions.iter().find(|s| s.id == id) else { return };
        let answer = match &outcome {
            Ok(_) if !is_said => None,
            Ok(_) => Some(PresenceAnswer::Done { command: "join" }),
            Err(reason) => Some(PresenceAnswer::Refused { command: "join", reason }),
        };
        let text = answer.map(|answer| self.dialect.presence(&subscription.envelope, answer));
        if let (Ok(joining), Some(attending)) = (outcome, self.dialect.attending_mut()) {
            attending.joined.retain(|(other, _)| *other != id);
            attending.joined.push((id, joining));
        }
        if let Some(text) = text {
            self.push(text);
        }
    }

    /// Answers [`Effect::Leave`]: whether it was present.
    pub fn left_presence(&mut self, id: SubscriptionId, was_present: bool) {
        if !self.is_asked(id) {
            return;
        }
        self.forget_joined(id);
        if let Some(subscription) = self.subscription(id) {
            let answer = if was_present {
                PresenceAnswer::Done { command: "leave" }
            } else {
                PresenceAnswer::Refused { command: "leave", reason: "it is not present" }
            };
            self.push(self.dialect.presence(&subscription.envelope, answer));
        }
        self.done();
    }

    fn is_asked(&self, id: SubscriptionId) -> bool {
        matches!(self.waiting, Waiting::Completion(other) if other == id)
    }

    /// Who is to be told now who is present, if [`caught_up`](Self::caught_up) says that there is somebody. Answer
    /// with [`say_members`](Self::say_members) if nothing has changed there since; else ask again behind that.
    pub fn asks_members(&self) -> Option<AsksMembers> {
        let mut asked = self.dialect.attending()?.asked.iter();
        asked.find_map(|(id, with_records)| {
            let subscription = self.subscription(*id).filter(|s| s.reading == Reading::Reads)?;
            let stream = subscription.presence_stream()?;
            Some(AsksMembers { id: *id, stream, with_records: *with_records })
        })
    }

    /// Tells a client who is present: all of them, or only how many.
    pub fn say_members(&mut self, asks: AsksMembers, total: usize, members: &[Member]) {
        let AsksMembers { id, with_records, .. } = asks;
        if let Some(attending) = self.dialect.attending_mut() {
            attending.asked.retain(|asked| *asked != (id, with_records));
        }
        if let Some(subscription) = self.subscription(id) {
            let members = if with_records { members } else { &[] };
            self.push(self.dialect.members(&subscription.envelope, total, members));
        }
    }

    /// History has moved past a presence reader: its client is told who is present now. False for any other reader.
    pub fn resync_presence(&mut self, reader: ReaderId, head: Offset) -> bool {
        let Some(subscription) = self.subscriptions.get_mut(reader.subscription()) else {
            return false;
        };
        let id = subscription.id;
        let is_presence = subscription.is_presence(reader);
        if is_presence {
            subscription.advance(reader, head);
            self.tell_members(id, true);
        }
        is_presence
    }

    // --- what the client asks ---------------------------------------------------------------------

    pub(super) fn join(&mut self, identifier: &str, joining: Joining) {
        self.ask_presence(identifier, "join", |id| Effect::Join { id, joining });
    }

    pub(super) fn leave(&mut self, identifier: &str) {
        self.ask_presence(identifier, "leave", |id| Effect::Leave { id });
    }

    fn ask_presence(
        &mut self,
        identifier: &str,
        command: &'static str,
        effect: impl FnOnce(SubscriptionId) -> Effect,
    ) {
        let envelope = Envelope::new(identifier);
        if let Some(index) = self.find(&envelope) {
            let id = self.subscriptions[index].id;
            self.waiting = Waiting::Completion(id);
            self.effect = Some(Box::new(effect(id)));
        } else {
            self.say_unknown(&envelope, command);
        }
    }

    pub(super) fn members(&mut self, identifier: &str, with_records: bool) {
        let envelope = Envelope::new(identifier);
        match self.find(&envelope).map(|index| &self.subscriptions[index]) {
            Some(found) if found.presence_stream().is_some() => {
                let id = found.id;
                self.tell_members(id, with_records);
            }
            Some(_) => {
                let reason = "nobody can be present on this stream";
                let answer = PresenceAnswer::Refused { command: "presence", reason };
                self.push(self.dialect.presence(&envelope, answer));
            }
            None => self.say_unknown(&envelope, "presence"),
        }
    }

    fn say_unknown(&mut self, envelope: &Envelope, command: &'static str) {
        self.rejections += 1;
        let answer = PresenceAnswer::Refused { command, reason: "not subscribed" };
        self.push(self.dialect.presence(envelope, answer));
    }

    /// One answer serves all that ask before it: their number has no other limit.
    fn tell_members(&mut self, id: SubscriptionId, with_records: bool) {
        if let Some(attending) = self.dialect.attending_mut() {
            if !attending.asked.contains(&(id, with_records)) {
                attending.asked.push((id, with_records));
            }
        }
    }

    // --- what is remembered -----------------------------------------------------------------------

    /// A subscription with a presence reader has begun: whoever comes back is told who is there. Behind a server that
    /// has said that it restarts, its client names no session. It asks for history then, as it does at first.
    pub(super) fn begin_attending(&mut self, id: SubscriptionId, asks_history: bool) {
        let attending = self.dialect.attending();
        if asks_history || attending.is_some_and(|attending| attending.is_returning) {
            self.tell_members(id, true);
        }
    }

    pub(super) fn forget_attending(&mut self, id: SubscriptionId) {
        self.forget_joined(id);
        if let Some(attending) = self.dialect.attending_mut() {
            attending.asked.retain(|(other, _)| *other != id);
        }
    }

    fn forget_joined(&mut self, id: SubscriptionId) {
        if let Some(attending) = self.dialect.attending_mut() {
            attending.joined.retain(|(other, _)| *other != id);
        }
    }

    /// As whom the client has said that it is present.
    pub(super) fn joining_of(&self, id: SubscriptionId) -> Option<&Joining> {
        let mut joined = self.dialect.attending()?.joined.iter();
        joined.find(|(other, _)| *other == id).map(|(_, joining)| joining)
    }

    /// What is proven of the subscription that waits for an answer, where another session had it.
    pub fn waiting_proven(&self) -> Option<Offset> {
        match &self.waiting {
            Waiting::Subscription(pending) => pending.restored.and_then(|restored| restored.proven),
            _ => None,
        }
    }

    // --- what is said -----------------------------------------------------------------------------

    /// An entry of a presence stream: the change itself for a presence reader, and the application's HTML for any
    /// other, if there is some.
    #[cold]
    pub(super) fn wrap_change<'a>(
        &'a self,
        reader: ReaderId,
        subscription: &'a Subscription,
        entry: Around<'_>,
        change: &Change,
    ) -> Option<Wrap<'a>> {
        if subscription.is_presence(reader) {
            let texts = self.dialect.change(&subscription.envelope, change);
            let before = Part::Made(texts.into());
            return Some(Wrap { shared: b"", before, after: Part::Kept(b""), is_retold: true });
        }
        let message = entry.message.filter(|message| !message.is_textless());
        let stream = subscription.stream(reader)?;
        self.dialect.wrap(subscription.recipient(), stream, Around { message, ..entry })
    }
}
