//! The state machine of one client: what it is subscribed to, what it is told next, what has to
//! be asked of the world.
//!
//! Invariants: commands are handled strictly in the order in which they came, one at a time; a
//! confirmation is transmitted before the first entry of its subscription can be read; an
//! identifier is subscribed at most once; nothing here grows without a limit of [`Limits`].

mod delivery;
mod left;
mod proof;
mod subscription;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use forebay_log::{StreamId, UnixMillis};
use serde_json::{Map, Value};

use self::left::{Left, Progress};
pub use self::proof::Mark;
use self::proof::Proof;
use self::subscription::Subscription;
pub use self::subscription::{Attachment, Reader, ReaderId, Resync, Start, SubscriptionId};
use crate::close::{Close, CloseCode, DisconnectReason};
use crate::command::{Command, Identifier};
use crate::limits::Limits;
use crate::wire::{self, Envelope};

/// Names a session on the wire: AnyCable's `sid`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl SessionId {
    /// Whether this is the session that `text` names.
    pub fn is(self, text: &str) -> bool {
        self.to_string() == text
    }
}

/// Something only the caller can do. The session waits for its answer before it goes on.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// May this client subscribe, and to what? Answer with [`Session::confirm`] or
    /// [`Session::reject`].
    Subscribe {
        /// What the subscription will be called.
        id: SubscriptionId,
        /// The channel and its parameters.
        identifier: Identifier,
    },
    /// A channel action. Answer with [`Session::done`].
    Perform {
        /// The subscription.
        id: SubscriptionId,
        /// The action's name.
        action: String,
        /// The client's data, `action` included.
        data: Map<String, Value>,
    },
    /// The subscription is gone and these streams are no longer read: close them, tell the
    /// channel, and answer with [`Session::done`].
    Unsubscribe {
        /// The subscription.
        id: SubscriptionId,
        /// What it had read.
        streams: Vec<StreamId>,
    },
}

/// What the session waits for.
#[derive(Debug)]
enum Waiting {
    Nothing,
    Subscription(SubscriptionId, Envelope),
    Completion,
}

/// One client of `actioncable-v1-json`.
#[derive(Debug)]
pub struct Session {
    id: SessionId,
    limits: Arc<Limits>,
    subscriptions: Vec<Subscription>,
    last_subscription: SubscriptionId,
    last_confirmed: SubscriptionId,
    waiting: Waiting,
    commands: VecDeque<Command>,
    effect: Option<Effect>,
    transmits: VecDeque<Bytes>,
    transmit_bytes: usize,
    left: Left,
    proof: Proof,
    ping_at: UnixMillis,
    /// Rejections that the session made by itself, not yet counted by the caller.
    rejections: u32,
    close: Option<Close>,
}

impl Session {
    /// Begins a session that the caller has accepted: it is welcomed.
    pub fn open(now: UnixMillis, id: SessionId, limits: Arc<Limits>) -> Self {
        let mut session = Self::closed(id, limits);
        session.push(wire::welcome(id));
        session.plan_ping(now);
        session
    }

    /// A session that the caller has not accepted: told so, and closed.
    pub fn refuse(id: SessionId, limits: Arc<Limits>) -> Self {
        let mut session = Self::closed(id, limits);
        session.disconnect(DisconnectReason::Unauthorized, false);
        session
    }

    fn closed(id: SessionId, limits: Arc<Limits>) -> Self {
        Self {
            id,
            limits,
            subscriptions: Vec::new(),
            last_subscription: SubscriptionId::default(),
            last_confirmed: SubscriptionId::default(),
            waiting: Waiting::Nothing,
            commands: VecDeque::new(),
            effect: None,
            transmits: VecDeque::new(),
            transmit_bytes: 0,
            left: Left::default(),
            proof: Proof::default(),
            ping_at: UnixMillis(u64::MAX),
            rejections: 0,
            close: None,
        }
    }

    /// Its name on the wire.
    pub fn id(&self) -> SessionId {
        self.id
    }

    // --- inputs -------------------------------------------------------------------------------

    /// Takes one text message from the client.
    pub fn handle_text(&mut self, text: &str) {
        if self.close.is_some() {
            return;
        }
        match Command::decode(text) {
            Ok(command) if self.is_answered_already(&command) => {}
            Ok(command) => {
                self.commands.push_back(command);
                self.work_off();
            }
            Err(error) => {
                let (code, reason) = match error {
                    crate::CommandError::Unknown => (CloseCode::PolicyViolation, "unknown command"),
                    _ => (CloseCode::InvalidPayload, "not an Action Cable command"),
                };
                self.fail(code, reason);
            }
        }
    }

    /// The peer broke a rule below this protocol: tells it which, and closes.
    pub fn fail(&mut self, code: CloseCode, reason: &'static str) {
        if self.close.is_none() {
            self.disconnect_with(DisconnectReason::InvalidRequest, false, Close { code, reason });
        }
    }

    /// Sends what is due at `now`. Call it at [`poll_timeout`](Self::poll_timeout) or later.
    pub fn handle_timeout(&mut self, now: UnixMillis) {
        if now < self.ping_at || self.close.is_some() {
            return;
        }
        // Behind a socket that takes nothing, one ping is as good as many.
        if self.transmits.is_empty() {
            self.push(wire::ping(now));
        }
        self.plan_ping(now);
    }

    /// Ends the session from our side.
    pub fn disconnect(&mut self, reason: DisconnectReason, reconnect: bool) {
        let (code, text) = match reason {
            DisconnectReason::ServerRestart => (CloseCode::GoingAway, "server restarts"),
            DisconnectReason::Unauthorized => (CloseCode::Normal, "unauthorized"),
            DisconnectReason::InvalidRequest => (CloseCode::PolicyViolation, "invalid request"),
            DisconnectReason::Remote => (CloseCode::Normal, "disconnected remotely"),
            DisconnectReason::InternalError => (CloseCode::InternalError, "internal error"),
        };
        self.disconnect_with(reason, reconnect, Close { code, reason: text });
    }

    fn disconnect_with(&mut self, reason: DisconnectReason, reconnect: bool, close: Close) {
        if self.close.is_none() {
            self.push(wire::disconnect(reason, reconnect));
            self.commands.clear();
            self.close = Some(close);
        }
    }

    // --- answers to effects -------------------------------------------------------------------

    /// Answers [`Effect::Subscribe`]: the client is told, and from now on these streams can be
    /// read for it. The caller has registered for their entries *before* this call, so that
    /// nothing falls between what is read and what it is woken for.
    ///
    /// `goes_on` says that the identifier carries a cursor and always reads the same streams: then
    /// a subscription that this session had left goes on behind what it was sent. An
    /// identifier without a cursor begins anew, since it may belong to a page that was rendered
    /// in between.
    pub fn confirm(&mut self, attachments: Vec<Attachment>, goes_on: bool, resync: Resync) {
        let waiting = std::mem::replace(&mut self.waiting, Waiting::Nothing);
        let Waiting::Subscription(id, envelope) = waiting else {
            self.waiting = waiting;
            return;
        };
        self.push(envelope.confirm());
        self.last_confirmed = id;
        let left = if goes_on { self.left.take(&envelope) } else { None };
        let mut subscription = Subscription::new(id, envelope, goes_on, resync);
        let mut lost = false;
        for attachment in attachments {
            lost |= subscription.attach(attachment, left);
        }
        if lost {
            self.push(subscription.resync_text());
        }
        // Most pages have one: a Vec would take room for four at once.
        self.subscriptions.reserve_exact(1);
        self.subscriptions.push(subscription);
        self.work_off();
    }

    /// Answers [`Effect::Subscribe`]: no.
    pub fn reject(&mut self) {
        let waiting = std::mem::replace(&mut self.waiting, Waiting::Nothing);
        if let Waiting::Subscription(_, envelope) = waiting {
            self.push(envelope.reject());
            self.work_off();
        } else {
            self.waiting = waiting;
        }
    }

    /// Answers [`Effect::Perform`] and [`Effect::Unsubscribe`].
    pub fn done(&mut self) {
        if matches!(self.waiting, Waiting::Completion) {
            self.waiting = Waiting::Nothing;
            self.work_off();
        }
    }

    // --- what a channel may do at any time ----------------------------------------------------

    /// Sends a JSON value to one subscription. False if there is no such subscription.
    pub fn transmit(&mut self, id: SubscriptionId, json: &[u8]) -> bool {
        let Some(subscription) = self.subscription(id) else {
            return false;
        };
        let text = subscription.envelope.message(json);
        self.push(text);
        true
    }

    /// Reads one more stream for a subscription. False if there is no such subscription, which
    /// leaves the stream with the caller.
    pub fn attach(&mut self, id: SubscriptionId, attachment: Attachment) -> bool {
        let Some(subscription) = self.subscriptions.iter_mut().find(|s| s.id == id) else {
            return false;
        };
        if subscription.attach(attachment, None) {
            let text = subscription.resync_text();
            self.push(text);
        }
        true
    }

    /// Stops reading a stream. True if it was read, and is the caller's to close again.
    pub fn detach(&mut self, id: SubscriptionId, stream: StreamId) -> bool {
        let subscription = self.subscriptions.iter_mut().find(|s| s.id == id);
        subscription.is_some_and(|subscription| subscription.detach(stream))
    }

    /// Stops reading all streams of a subscription, and gives them back.
    pub fn detach_all(&mut self, id: SubscriptionId) -> Vec<StreamId> {
        let subscription = self.subscriptions.iter_mut().find(|s| s.id == id);
        subscription.map_or_else(Vec::new, Subscription::detach_all)
    }

    /// Rejects a subscription that was confirmed; gives back its streams.
    pub fn revoke(&mut self, id: SubscriptionId) -> Vec<StreamId> {
        let Some(index) = self.subscriptions.iter().position(|s| s.id == id) else {
            return Vec::new();
        };
        let subscription = self.subscriptions.swap_remove(index);
        self.push(subscription.envelope.reject());
        subscription.streams()
    }

    // --- outputs ------------------------------------------------------------------------------

    /// The next text message for the client.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        let text = self.transmits.pop_front()?;
        self.transmit_bytes -= text.len();
        if self.transmits.is_empty() {
            self.transmits = VecDeque::new();
        }
        Some(text)
    }

    /// What the caller has to do and to answer.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effect.take()
    }

    /// Rejections since the last call that nobody was asked about: past a limit, without a
    /// channel, or of an action on no subscription.
    pub fn take_rejections(&mut self) -> u32 {
        std::mem::take(&mut self.rejections)
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> UnixMillis {
        self.ping_at
    }

    /// Set once the session is over: send what is left to transmit, then this.
    pub fn poll_close(&self) -> Option<Close> {
        self.close
    }

    /// Whether the client may send more. While false, leave its bytes in the socket.
    pub fn wants_input(&self) -> bool {
        self.close.is_none()
            && self.commands.len() < self.limits.commands_waiting_max
            && self.transmit_bytes < self.limits.transmit_bytes_max
    }

    // --- inside -------------------------------------------------------------------------------

    fn work_off(&mut self) {
        while matches!(self.waiting, Waiting::Nothing) && self.close.is_none() {
            let Some(command) = self.commands.pop_front() else {
                self.commands = VecDeque::new();
                break;
            };
            match command {
                Command::Subscribe { identifier } => self.subscribe(&identifier),
                Command::Unsubscribe { identifier } => self.unsubscribe(&identifier),
                Command::Perform { identifier, action, data } => {
                    self.perform(&identifier, action, data);
                }
            }
        }
    }

    /// A client that loses patience asks again while the answer is being found: that one answer
    /// serves both. (`@anycable/web` takes a second confirmation for a mistake and unsubscribes.)
    fn is_answered_already(&self, command: &Command) -> bool {
        let (Waiting::Subscription(_, waiting), Command::Subscribe { identifier }) =
            (&self.waiting, command)
        else {
            return false;
        };
        let leaves = |queued: &Command| matches!(queued, Command::Unsubscribe { identifier: other } if other == identifier);
        *waiting == Envelope::new(identifier) && !self.commands.iter().any(leaves)
    }

    fn subscribe(&mut self, text: &str) {
        let envelope = Envelope::new(text);
        if self.find(&envelope).is_some() {
            // Rails says nothing here, and its client then asks again every 500 ms for ever
            // (rails/rails#44652).
            self.push(envelope.confirm());
            return;
        }
        let full = self.subscriptions.len() >= self.limits.subscriptions_max;
        let long = text.len() > self.limits.identifier_bytes_max;
        let identifier = Identifier::decode(text);
        let (false, false, Ok(identifier)) = (full, long, identifier) else {
            self.rejections += 1;
            self.push(envelope.reject());
            return;
        };
        self.last_subscription = self.last_subscription.next();
        let id = self.last_subscription;
        self.waiting = Waiting::Subscription(id, envelope);
        self.effect = Some(Effect::Subscribe { id, identifier });
    }

    fn unsubscribe(&mut self, identifier: &str) {
        // An unknown one is no error: the client may have been rejected in the meantime.
        let Some(index) = self.find(&Envelope::new(identifier)) else {
            return;
        };
        let subscription = self.subscriptions.swap_remove(index);
        let id = subscription.id;
        if let (true, Some(sent)) = (subscription.has_cursor(), subscription.sent()) {
            let progress = Progress { sent, proven: self.proven(&subscription) };
            self.left.put(&subscription.envelope, progress, self.limits.left_max);
        }
        self.waiting = Waiting::Completion;
        self.effect = Some(Effect::Unsubscribe { id, streams: subscription.streams() });
    }

    fn perform(&mut self, identifier: &str, action: String, data: Map<String, Value>) {
        let envelope = Envelope::new(identifier);
        let Some(index) = self.find(&envelope) else {
            // Rails only logs this; the client would go on believing that it is subscribed.
            self.rejections += 1;
            self.push(envelope.reject());
            return;
        };
        let id = self.subscriptions[index].id;
        self.waiting = Waiting::Completion;
        self.effect = Some(Effect::Perform { id, action, data });
    }

    fn find(&self, envelope: &Envelope) -> Option<usize> {
        self.subscriptions.iter().position(|subscription| subscription.envelope == *envelope)
    }

    fn subscription(&self, id: SubscriptionId) -> Option<&Subscription> {
        self.subscriptions.iter().find(|subscription| subscription.id == id)
    }

    fn push(&mut self, text: Bytes) {
        self.transmit_bytes += text.len();
        self.transmits.push_back(text);
    }

    /// A thirtieth early: a caller whose clock ticks a millisecond too soon would else ping at
    /// its next tick only, and clients give up after two intervals of silence.
    fn plan_ping(&mut self, now: UnixMillis) {
        let interval = self.limits.ping_interval_ms;
        self.ping_at = UnixMillis(now.0 + interval - interval / 30);
    }
}

#[cfg(test)]
mod tests;
