//! The state machine of one client: what it is subscribed to, what it is told next, what has to
//! be asked of the world.
//!
//! Invariants: commands are handled strictly in the order in which they came, one at a time; a
//! confirmation is transmitted before the first entry of its subscription can be read; an
//! identifier is subscribed at most once; nothing here grows without a limit of [`Limits`].

mod answers;
mod commands;
mod delivery;
mod effect;
mod healing;
mod left;
mod pace;
mod presence;
mod proof;
mod queue;
mod restoring;
mod saying;
mod standing;
mod steps;
mod subscription;

use std::sync::Arc;

use bytes::Bytes;
use forebay_log::{Epoch, UnixMillis};
use smallvec::SmallVec;

pub use self::effect::Effect;
use self::healing::Healing;
use self::left::Left;
pub use self::left::Progress;
use self::pace::Pace;
pub use self::presence::AsksMembers;
pub use self::proof::Mark;
use self::proof::Proof;
use self::queue::Queue;
pub use self::restoring::Kept;
pub use self::standing::Standing;
use self::steps::{Pending, Restored, Step, Waiting};
use self::subscription::Subscription;
pub use self::subscription::{Attachment, Reader, ReaderId, Start};
use crate::close::{Close, CloseCode, DisconnectReason};
use crate::command::{CommandError, Report};
use crate::dialect::{Dialect, Manner, Protocol};
use crate::ids::{SessionId, SubscriptionId};
use crate::limits::Limits;
use crate::wire::Envelope;

/// How a session begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The session's name on the wire.
    pub id: SessionId,
    /// The protocol that it speaks.
    pub protocol: Protocol,
    /// The epoch of the positions that it says.
    pub epoch: Epoch,
}

/// One client: the rules of its protocol, without sockets, a clock or an application.
///
/// The caller brings those, and calls four kinds of methods.
///
/// - **Inputs** say what has happened: [`handle_text`](Self::handle_text), [`handle_ping`](Self::handle_ping),
///   [`handle_pong`](Self::handle_pong) and [`handle_timeout`](Self::handle_timeout); and, where this side ends
///   the session, [`fail`](Self::fail) and [`disconnect`](Self::disconnect). While
///   [`wants_input`](Self::wants_input) is false, what the client sends stays in its socket.
/// - **Polls** say what is to be done: [`poll_effect`](Self::poll_effect), [`poll_transmit`](Self::poll_transmit),
///   [`poll_close`](Self::poll_close), [`poll_timeout`](Self::poll_timeout). After an input, an answer or a
///   delivery there may be something new, and at no other time.
/// - **Answers** belong to effects. The session waits for the one before it goes on, and takes no other:
///
///   | [`Effect`] | its answer |
///   |---|---|
///   | `Subscribe` | [`confirm`](Self::confirm) or [`reject`](Self::reject) |
///   | `Perform`, `Unsubscribe` | [`done`](Self::done) |
///   | `Place` | [`place`](Self::place) |
///   | `Whisper` | [`whispered`](Self::whispered) |
///   | `Join` | [`joined`](Self::joined) |
///   | `Leave` | [`left_presence`](Self::left_presence) |
///
///   Beside them a channel may at any time [`transmit`](Self::transmit), [`attach`](Self::attach),
///   [`detach`](Self::detach) and [`revoke`](Self::revoke).
/// - **Deliveries** take entries from the log to the client: [`readers`](Self::readers) says what is to be read
///   and from where, and the caller says how far it got.
///
/// # The order
///
/// 1. Whatever has happened is handed in.
/// 2. `poll_effect`, and the answer to what it gives, until it gives `None`. Streams are opened before their
///    subscription is confirmed, and closed when the session gives them back: nothing of a stream may fall
///    between what is read and what the caller is woken for.
/// 3. `poll_transmit`, until it gives `None`. This goes out before any entry.
/// 4. If [`poll_close`](Self::poll_close) gives something: that, and nothing more.
/// 5. Else the readers are read, all at the same state of the log. For each of them that history has left
///    behind: [`resync`](Self::resync). Then step 3 again.
/// 6. The entries of all readers, in the order of the log: [`wrap`](Self::wrap) each, hand it to the socket, and
///    [`advance`](Self::advance) its reader as far as the socket took them and no farther. What it did not take is
///    read again.
/// 7. If all was read and taken: [`next_mark`](Self::next_mark), which goes out behind it as a Ping, then
///    [`marked`](Self::marked); and [`caught_up`](Self::caught_up), which says whether somebody
///    [asks who is present](Self::asks_members).
///
/// At its end [`acknowledged`](Self::acknowledged) and [`keep`](Self::keep) say what is to be remembered of it.
#[derive(Debug)]
pub struct Session {
    id: SessionId,
    dialect: Box<dyn Dialect>,
    /// What the dialect says of itself, at hand: deliveries look at it.
    manner: Manner,
    limits: Arc<Limits>,
    /// Most pages have one.
    subscriptions: SmallVec<[Subscription; 1]>,
    last_subscription: SubscriptionId,
    last_confirmed: SubscriptionId,
    waiting: Waiting,
    steps: Queue<Step>,
    /// Out of line: a session has none nearly all of its life.
    effect: Option<Box<Effect>>,
    transmits: Queue<Bytes>,
    left: Left,
    healing: Option<Box<Healing>>,
    proof: Proof,
    ping_at: UnixMillis,
    /// Rejections that the session made by itself, not yet counted by the caller.
    rejections: u32,
    /// A page of it may have seen something already that is to come. Kept at hand: each delivery asks.
    is_exact: bool,
    pace: Pace,
    close: Option<Box<Close>>,
}

impl Session {
    /// Begins a session that the caller has accepted: it is welcomed.
    pub fn open(now: UnixMillis, hello: Hello, limits: Arc<Limits>) -> Self {
        Self::speak(now, hello.id, hello.protocol.dialect(hello.epoch), limits)
    }

    /// As [`open`](Self::open), in a dialect that the caller brings along.
    pub fn speak(
        now: UnixMillis,
        id: SessionId,
        dialect: Box<dyn Dialect>,
        limits: Arc<Limits>,
    ) -> Self {
        let mut session = Self::closed(id, dialect, limits);
        session.say_welcome();
        session.begin_at(now);
        session
    }

    /// Begins a session that goes on for one of AnyCable's that was lost. Its subscriptions are
    /// decided anew before it is welcomed.
    pub fn restore(now: UnixMillis, hello: Hello, limits: Arc<Limits>, kept: Kept) -> Self {
        let mut session = Self::closed(hello.id, hello.protocol.dialect(hello.epoch), limits);
        session.returns();
        session.begin_restoring(now, kept);
        session.begin_at(now);
        session.work_off();
        session
    }

    /// A session that the caller has not accepted. Its client is told so, and it is closed. The reason says
    /// whether the client comes back.
    pub fn refuse(hello: Hello, limits: Arc<Limits>, reason: DisconnectReason) -> Self {
        let mut session = Self::closed(hello.id, hello.protocol.dialect(hello.epoch), limits);
        session.disconnect(reason, reason != DisconnectReason::Unauthorized);
        session
    }

    fn closed(id: SessionId, dialect: Box<dyn Dialect>, limits: Arc<Limits>) -> Self {
        Self {
            id,
            manner: dialect.manner(),
            dialect,
            limits,
            subscriptions: SmallVec::new(),
            last_subscription: SubscriptionId::default(),
            last_confirmed: SubscriptionId::default(),
            waiting: Waiting::Nothing,
            steps: Queue::default(),
            effect: None,
            transmits: Queue::default(),
            left: Left::default(),
            healing: None,
            proof: Proof::default(),
            ping_at: UnixMillis(u64::MAX),
            rejections: 0,
            is_exact: false,
            pace: Pace::default(),
            close: None,
        }
    }

    /// Its name on the wire.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Takes one text message from the client.
    pub fn handle_text(&mut self, text: &str) {
        if self.close.is_some() {
            return;
        }
        match self.dialect.decode(text) {
            Ok(commands) if commands.len() > self.limits.commands_each_max => {
                self.fail(CloseCode::PolicyViolation, "too many commands in one message");
            }
            Ok(commands) => {
                self.pace.take(commands.len());
                for command in commands {
                    if !self.is_answered_already(&command) {
                        self.steps.push_back(Step::Command(command));
                    }
                }
                self.work_off();
            }
            Err(error) => {
                let (code, reason) = match error {
                    CommandError::Unknown => (CloseCode::PolicyViolation, "unknown command"),
                    _ => (CloseCode::InvalidPayload, "not a command of this protocol"),
                };
                self.fail(code, reason);
            }
        }
    }

    /// The client has sent a WebSocket Ping: it counts as a command, since it wants an answer.
    pub fn handle_ping(&mut self) {
        self.pace.take(1);
    }

    /// The peer broke a rule below this protocol: tells it which, and closes.
    pub fn fail(&mut self, code: CloseCode, reason: &'static str) {
        if self.close.is_none() {
            self.disconnect_with(DisconnectReason::InvalidRequest, false, Close { code, reason });
        }
    }

    /// Sends what is due at `now`, and takes note of the time: a client that has sent as many commands as
    /// it may can send more. Call it every second or so, or at [`poll_timeout`](Self::poll_timeout).
    pub fn handle_timeout(&mut self, now: UnixMillis) {
        if self.close.is_some() {
            return;
        }
        self.pace.fill(now, &self.limits);
        self.release_held(now);
        self.heal_due(now);
        if now < self.ping_at {
            return;
        }
        self.age();
        self.forget_told();
        self.proof.age();
        // Behind a socket that takes nothing, one ping is as good as many.
        if self.transmits.is_empty() {
            self.say_ping(now);
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
            DisconnectReason::Unavailable => (CloseCode::TryAgainLater, "unavailable"),
            DisconnectReason::InternalError => (CloseCode::InternalError, "internal error"),
        };
        self.disconnect_with(reason, reconnect, Close { code, reason: text });
    }

    fn disconnect_with(&mut self, reason: DisconnectReason, reconnect: bool, close: Close) {
        if self.close.is_none() {
            self.say_disconnect(reason, reconnect);
            self.steps.clear();
            self.close = Some(Box::new(close));
        }
    }

    /// Gives the next text message for the client.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.transmits.pop_front()
    }

    /// Gives what the caller has to do and to answer. `None` if there is nothing, or if the session
    /// [pauses](Self::is_paused).
    pub fn poll_effect(&mut self) -> Option<Effect> {
        if self.is_paused() {
            self.work_off();
        }
        self.effect.take().map(|effect| *effect)
    }

    /// Whether the session stopped in the middle of what the client said, so that others have their turn:
    /// [`poll_effect`](Self::poll_effect) goes on with it.
    pub fn is_paused(&self) -> bool {
        matches!(self.waiting, Waiting::Nothing) && !self.steps.is_empty() && self.close.is_none()
    }

    /// Whether the client has sent as many commands as it may for now.
    pub fn is_held_back(&self) -> bool {
        self.pace.is_empty() && self.close.is_none()
    }

    /// Rejections since the last call that nobody was asked about: past a limit, without a
    /// channel, or of an action on no subscription.
    pub fn take_rejections(&mut self) -> u32 {
        std::mem::take(&mut self.rejections)
    }

    /// What pages have reported since the last call.
    pub fn take_reports(&mut self) -> Vec<Report> {
        self.dialect.take_reports()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> UnixMillis {
        let others = [self.held_until(), self.heals_at()];
        others.into_iter().flatten().fold(self.ping_at, UnixMillis::min)
    }

    /// Whether nothing waits for an answer or for its turn.
    pub fn is_settled(&self) -> bool {
        matches!(self.waiting, Waiting::Nothing) && self.steps.is_empty()
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) or [`poll_close`](Self::poll_close) has something.
    pub fn has_something_to_say(&self) -> bool {
        !self.transmits.is_empty() || self.close.is_some()
    }

    /// Set once the session is over: send what is left to transmit, then this.
    pub fn poll_close(&self) -> Option<Close> {
        self.close.as_deref().copied()
    }

    /// Whether the client may send more. While false, leave its bytes in the socket.
    pub fn wants_input(&self) -> bool {
        self.close.is_none()
            && !self.pace.is_empty()
            && self.steps.len() < self.limits.commands_waiting_max
            && self.transmits.iter().map(Bytes::len).sum::<usize>() < self.limits.transmit_bytes_max
    }

    fn find(&self, envelope: &Envelope) -> Option<usize> {
        self.subscriptions.iter().position(|subscription| subscription.envelope == *envelope)
    }

    fn subscription_index(&self, id: SubscriptionId) -> Option<usize> {
        self.subscriptions.iter().position(|subscription| subscription.id == id)
    }

    fn subscription(&self, id: SubscriptionId) -> Option<&Subscription> {
        self.subscriptions.iter().find(|subscription| subscription.id == id)
    }

    fn subscription_mut(&mut self, id: SubscriptionId) -> Option<&mut Subscription> {
        self.subscriptions.iter_mut().find(|subscription| subscription.id == id)
    }

    fn push(&mut self, text: Bytes) {
        if !text.is_empty() {
            self.transmits.push_back(text);
        }
    }

    fn begin_at(&mut self, now: UnixMillis) {
        self.pace = Pace::full(now, &self.limits);
        self.plan_ping(now);
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
