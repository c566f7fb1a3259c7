//! A conversation with one client: its session, its place in the hub, and the application's side of it.
//!
//! What has to happen between the three is written here, once. Whoever carries the bytes (a WebSocket's
//! driver, an HTTP exchange) only moves them, and calls, in each of its turns and in this order:
//!
//! 1. [`Conversation::poll_signals`], and [`Conversation::tick`] where that says so;
//! 2. [`Conversation::hear`] for each text that has arrived;
//! 3. [`Conversation::settle`], then [`Conversation::note`]: the application's answers;
//! 4. [`Conversation::say`], until there is nothing more: this goes out before any entry;
//! 5. [`Conversation::read`]; what that says in turn; [`Conversation::wrap`] for each delivery; and
//!    [`Conversation::sent`] for those that are on their way;
//! 6. [`Conversation::caught_up`], if that was all.
//!
//! It ends with [`Conversation::end`], or by being dropped, as the task of an embedding application may be. That
//! is the same: channels hear of it, and what the page has proven to have is kept.

mod application;
mod attending;
mod begin;
mod effects;
mod ending;
mod entries;
mod inspecting;
mod rejections;

use std::fmt;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use forebay_cable::{Close, CloseCode, DisconnectReason, Report, ReportKind, Session, SessionId};
use forebay_hub::{Client, Ending, Hub, Means, Refusal, Signals};
use forebay_log::Offset;

use self::application::Application;
pub(crate) use self::ending::Failing;
use self::ending::Memory;
use crate::channels::{Channels, Identity};
use crate::excerpt::excerpt;

/// Says who is at the other end. A socket is asked only when something is to be logged: a connection
/// keeps nothing for that.
pub(crate) type Peer<'a> = &'a dyn Fn() -> Option<SocketAddr>;

/// A session that was let in, with what belongs to it.
pub(crate) struct Conversation {
    session: Session,
    client: Client,
    application: Application,
    memory: Memory,
    /// Its channels and the hub have heard of its end.
    has_ended: bool,
    /// As what the hub counts it.
    means: Option<Means>,
}

impl Conversation {
    pub(crate) fn new(
        session: Session,
        client: Client,
        channels: Arc<dyn Channels>,
        identity: Identity,
    ) -> Self {
        let application = Application::new(channels, identity);
        let memory = Memory::Proven;
        Self { session, client, application, memory, has_ended: false, means: None }
    }

    /// Has the hub count it, as long as it is there.
    pub(crate) fn counted_as(mut self, means: Means) -> Self {
        self.hub().enter(means);
        self.means = Some(means);
        self
    }

    pub(crate) fn id(&self) -> SessionId {
        self.session.id()
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) fn hub(&self) -> &Hub {
        self.client.hub()
    }

    /// For its carrier, which signals and seats depend on.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn client_mut(&mut self) -> &mut Client {
        &mut self.client
    }

    // --- signals ----------------------------------------------------------------------------------

    /// Takes the hub's signals, and ends the session where they say so: the server goes down, somebody has
    /// taken its access back, or has sent its visitor away. The rest is its carrier's.
    pub(crate) fn poll_signals(&mut self, cx: &Context<'_>) -> Signals {
        let signals = self.client.poll_signals(cx.waker());
        if signals.contains(Signals::SHUTDOWN) {
            self.client.end_presence(Ending::ServerLeaves);
            self.session.disconnect(DisconnectReason::ServerRestart, true);
        }
        let dismissed = signals.contains(Signals::DISMISS);
        let disconnected = dismissed || signals.contains(Signals::DISCONNECT);
        let revoked = signals.contains(Signals::REVOKED) && self.client.is_revoked(&self.session);
        if signals.contains(Signals::FAILED) {
            self.memory = Memory::Failed;
        }
        if disconnected || revoked {
            self.memory = Memory::Nothing;
            // One that is to come back is waited for.
            let comes_back = !dismissed && !revoked;
            self.client.end_presence(if comes_back { Ending::Lost } else { Ending::Closed });
            self.hub().stats().disconnects.add(1);
            self.session.disconnect(DisconnectReason::Remote, !dismissed);
        }
        signals
    }

    /// Does what is due because time has passed.
    pub(crate) fn tick(&mut self) {
        self.session.handle_timeout(self.client.hub().now());
    }

    // --- what the client says ---------------------------------------------------------------------

    /// Takes a text of the client's. If it is no command, the session is over.
    pub(crate) fn hear(&mut self, text: &str) {
        self.client.lives();
        self.hub().stats().client_messages.add(1);
        let was_over = self.is_over();
        self.session.handle_text(text);
        if !was_over && self.is_over() {
            self.hub().stats().violations.add(1);
            tracing::debug!(session = %self.id(), "client sent no command");
        }
    }

    /// The client has sent a Ping.
    pub(crate) fn hear_ping(&mut self) {
        self.client.lives();
        self.session.handle_ping();
    }

    /// The client has answered a Ping. True if something is due because of that.
    pub(crate) fn hear_pong(&mut self, payload: &[u8]) -> bool {
        self.client.lives();
        if self.session.handle_pong(payload) {
            self.client.note_proof(&self.session);
        }
        self.session.owes_mark()
    }

    /// The client has broken a rule of WebSockets.
    pub(crate) fn fail(&mut self, code: CloseCode, reason: &'static str) {
        self.hub().stats().violations.add(1);
        tracing::debug!(session = %self.id(), reason, "client broke the protocol");
        self.session.fail(code, reason);
    }

    pub(crate) fn wants_input(&self) -> bool {
        self.session.wants_input()
    }

    /// Counts and logs that a client has sent too many commands and is not read for a while, where it is so.
    pub(crate) fn note_pace(&self, peer: Peer<'_>) {
        if !self.session.is_held_back() {
            return;
        }
        let Some(more) = self.hub().refused(Refusal::Commands) else { return };
        tracing::warn!(
            peer = peer().map(tracing::field::display),
            session = %self.id(),
            identity = self.client.identity().map(excerpt),
            more_before = Some(more).filter(|more| *more > 0),
            "a client sends too many commands: they wait"
        );
    }

    // --- what the application answers -------------------------------------------------------------

    /// Moves on as far as answers are there, and takes no more than `steps`, each a command or some that
    /// need no answer. True if the session has moved.
    pub(crate) fn settle(
        &mut self,
        cx: &mut Context<'_>,
        steps: &mut usize,
        peer: Peer<'_>,
    ) -> bool {
        let mut moved = false;
        while *steps > 0 {
            if self.application.is_running() {
                match self.application.poll(cx) {
                    Poll::Pending => return moved,
                    Poll::Ready(Ok(finished)) => self.finish(finished, peer),
                    // The panic hook has said where. Other connections go on.
                    Poll::Ready(Err(_)) => self.has_panicked(),
                }
            } else if let Some(effect) = self.session.poll_effect() {
                *steps -= 1;
                let begin = AssertUnwindSafe(|| self.begin(effect, peer));
                if catch_unwind(begin).is_err() {
                    self.has_panicked();
                }
            } else if self.session.is_paused() {
                *steps -= 1;
            } else {
                return moved;
            }
            moved = true;
        }
        moved
    }

    fn has_panicked(&mut self) {
        self.hub().stats().panics.add(1);
        self.session.disconnect(DisconnectReason::InternalError, true);
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.session.is_settled()
    }

    pub(crate) fn has_subscriptions(&self) -> bool {
        self.session.subscription_ids().next().is_some()
    }

    /// Counts what the session has rejected by itself; counts and logs what pages could not do.
    pub(crate) fn note(&mut self, peer: Peer<'_>) {
        self.note_own_rejections(peer);
        for report in self.session.take_reports() {
            self.note_report(report);
        }
    }

    /// Most pages have nothing to report, ever: so it does not weigh on their turns.
    #[cold]
    fn note_report(&self, report: Report) {
        self.record_report(&report);
        let stats = self.client.hub().stats();
        let Report { kind, identifier, offset, detail } = report;
        let counter = match kind {
            ReportKind::NoTarget => &stats.reported_no_target,
            ReportKind::Rejected => &stats.reported_rejected,
            ReportKind::Gap => &stats.reported_gaps,
            _ => &stats.reported_errors,
        };
        counter.add(1);
        let (session, offset) = (self.session.id(), offset.unwrap_or(Offset::ZERO));
        let (identifier, detail) = (excerpt(&identifier), excerpt(&detail));
        tracing::info!(?kind, %session, identifier, %offset, detail, "a page reports");
    }

    // --- what the client is told ------------------------------------------------------------------

    /// The session is over: what is left to say goes out, and then this.
    pub(crate) fn is_over(&self) -> bool {
        self.session.poll_close().is_some()
    }

    pub(crate) fn close(&self) -> Option<Close> {
        self.session.poll_close()
    }

    /// The next text for the client.
    pub(crate) fn say(&mut self) -> Option<Bytes> {
        self.session.poll_transmit()
    }

    pub(crate) fn has_something_to_say(&self) -> bool {
        self.session.has_something_to_say()
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, client, application, .. } = self;
        let mut f = f.debug_struct("Conversation");
        f.field("session", session).field("client", client).field("application", application);
        f.finish_non_exhaustive()
    }
}
