//! The task of one connection: a [`Session`] between a socket and the hub.
//!
//! It owns no channel and no queue. What it holds while idle is its session, a frame decoder
//! without buffers, and its place in the hub; what it holds behind a full socket is at most the
//! rest of what the socket took half of, and its positions in the log.
//!
//! One poll, from top to bottom: signals, the application's answers, what is to be sent, what
//! has arrived; and again, until nothing moves. While it is at rest, the hub's rounds write for it
//! (`seat.rs`).

mod at_once;
mod incoming;
mod outgoing;
mod seat;

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use forebay_cable::{CloseCode, DisconnectReason, Session};
use forebay_hub::{Client, Refusal, Round, Signals};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use self::at_once::AtOnce;
use self::incoming::Incoming;
use self::outgoing::{Outgoing, TURN_WRITES_MAX};
pub(crate) use self::seat::Driver;
use crate::application::{self, Application};
use crate::channels::{Channels, Identity};
use crate::excerpt::excerpt;
use crate::ws::Event;

/// Ticks that the end of a conversation may take, once one side wants it: at one and a half
/// seconds each, between four and a half and six seconds. Then the socket is closed as it is.
const CLOSE_TICKS_MAX: u8 = 3;

/// What one turn of a connection's task takes from its client at the most: pieces off the socket,
/// messages, and commands that are begun. At some 30 µs for a command others wait a millisecond.
pub(crate) const TURN_STEPS_MAX: usize = 32;

/// A connection.
#[derive(Debug)]
struct Connection<Io> {
    io: Io,
    session: Session,
    client: Client,
    application: Application,
    incoming: Incoming,
    outgoing: Outgoing,
    /// Ticks since one side wants to close.
    close_ticks: u8,
    /// Its access was taken back: nothing of it is remembered.
    revoked: bool,
    /// Whoever has to hear of its end has heard.
    ended: bool,
}

/// A session that was let in, and lacks only its socket.
pub(crate) struct Opening {
    pub(crate) session: Session,
    pub(crate) client: Client,
    pub(crate) channels: Arc<dyn Channels>,
    pub(crate) identity: Identity,
}

/// What of a connection's bytes is in the HTTP server's hands.
#[derive(Debug, Default)]
pub(crate) struct InHand {
    /// Read, and not the request's.
    pub(crate) read: Bytes,
    /// The answer to the handshake, if that is not written yet.
    pub(crate) answer: Box<[u8]>,
}

/// Drives one session over a byte stream that is a WebSocket already, until it is over. For
/// byte streams that don't come from an HTTP server: simulations, tests.
pub fn drive<Io: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    io: Io,
    session: Session,
    client: Client,
    channels: Arc<dyn Channels>,
    identity: Identity,
) -> impl Future<Output = ()> {
    task(io, InHand::default(), Opening { session, client, channels, identity })
}

/// The same, behind an HTTP server.
pub(crate) fn task<Io: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    io: Io,
    in_hand: InHand,
    opening: Opening,
) -> Driver<Io> {
    Driver::new(Connection::new(io, in_hand, opening))
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("both sides closed it")]
    Closed,
    #[error("the client was gone without a word: {0}")]
    Lost(io::Error),
    #[error("the client did not answer our close frame")]
    Unanswered,
    #[error("something panicked at it")]
    Failed,
    #[error("its task was dropped")]
    Dropped,
}

impl<Io: AsyncRead + AsyncWrite + Unpin + 'static> Connection<Io> {
    fn new(io: Io, in_hand: InHand, opening: Opening) -> Self {
        let Opening { session, client, channels, identity } = opening;
        let mut outgoing = Outgoing::default();
        outgoing.answer_handshake(in_hand.answer);
        Self {
            io,
            session,
            client,
            application: Application::new(channels, identity),
            incoming: Incoming::new(&in_hand.read),
            outgoing,
            close_ticks: 0,
            revoked: false,
            ended: false,
        }
    }

    /// In its task: all there is to do. Ready when it is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let end = ready!(self.drive(cx));
        self.end(&end);
        Poll::Ready(())
    }

    /// In a round: writes what is new. False where its task has to look after it.
    fn deliver(&mut self, round: &mut Round) -> bool {
        // Its memory is cold. Looked at in all these places before anything is decided, it is fetched at
        // once: 1 000 connections cost 0.05 of the floor less than where one fetch waits for another.
        std::hint::black_box(self.session.sole_reader().map(|reader| reader.position));
        // Where its task waits for the socket to take something, that is the only one to be woken for it.
        let rests = !self.client.is_muted()
            & self.outgoing.is_at_rest()
            & !self.session.has_something_to_say();
        if !rests {
            return false;
        }
        let Self { io, session, client, outgoing, .. } = self;
        // A socket that takes nothing is left to the task, which then waits for it.
        let mut cx = Context::from_waker(Waker::noop());
        let sent = match AtOnce::of(io) {
            Some(mut io) => outgoing.poll_round(&mut cx, Pin::new(&mut io), session, client, round),
            None => outgoing.poll_round(&mut cx, Pin::new(io), session, client, round),
        };
        matches!(sent, Poll::Ready(Ok(()))) && !session.has_something_to_say()
    }

    /// Ends the session where somebody has taken its access back, or sent its visitor away.
    fn end_if_told(&mut self, signals: Signals) {
        let dismissed = signals.contains(Signals::DISMISS);
        let disconnected = dismissed || signals.contains(Signals::DISCONNECT);
        let revoked = signals.contains(Signals::REVOKED) && self.client.is_revoked(&self.session);
        if disconnected || revoked {
            self.revoked = true;
            self.client.hub().stats().disconnects.add(1);
            self.session.disconnect(DisconnectReason::Remote, !dismissed);
        }
    }

    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let signals = self.client.poll_signals(cx.waker());
        if signals.contains(Signals::FAILED) {
            return Poll::Ready(End::Failed);
        }
        if signals.contains(Signals::ENDS) {
            // The Pong to our last Ping may be there.
            self.hear_last_words(cx);
            return Poll::Ready(End::Unanswered);
        }
        if signals.contains(Signals::SHUTDOWN) {
            self.session.disconnect(DisconnectReason::ServerRestart, true);
        }
        self.end_if_told(signals);
        if signals.contains(Signals::TICK) {
            self.session.handle_timeout(self.client.hub().now());
            let closes = self.session.poll_close().is_some() || self.outgoing.answers_close();
            self.close_ticks += u8::from(closes);
            if self.close_ticks > CLOSE_TICKS_MAX {
                return Poll::Ready(End::Unanswered);
            }
        }
        let (mut steps, mut writes) = (TURN_STEPS_MAX, TURN_WRITES_MAX);
        loop {
            let Self { io, application, session, client, .. } = self;
            let mut moved = application.poll(cx, session, client, &mut steps, &|| peer_of(io));
            let sent = self.poll_send(cx, &mut writes);
            if let Poll::Ready(Err(error)) = sent {
                self.hear_last_words(cx);
                return Poll::Ready(End::Lost(error));
            }
            if self.incoming.is_closed() && self.outgoing.is_done() {
                return Poll::Ready(End::Closed);
            }
            match self.poll_receive(cx, &mut steps) {
                Poll::Ready(Err(error)) => return Poll::Ready(End::Lost(error)),
                Poll::Ready(Ok(())) => moved = true,
                Poll::Pending => {}
            }
            let Self { io, session, client, .. } = self;
            if moved {
                application::note(session, client, &|| peer_of(io));
            }
            if steps == 0 {
                // There may be more. First the others have their turn.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !moved {
                if sent.is_pending() {
                    self.client.mute_entries();
                    return Poll::Pending;
                }
                if !self.client.unmute_entries() {
                    return Poll::Pending;
                }
            }
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, writes: &mut usize) -> Poll<io::Result<()>> {
        let mut io = Pin::new(&mut self.io);
        ready!(self.outgoing.poll(cx, io.as_mut(), &mut self.session, &self.client, writes))?;
        if self.outgoing.is_done() {
            // Our side of the stream ends here; the client sees that after our close frame.
            ready!(io.poll_shutdown(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// A socket that can't be written may still hold what the client said before: its close
    /// frame, which tells whether its page is gone, or the Pong to our last Ping.
    fn hear_last_words(&mut self, cx: &mut Context<'_>) {
        let Self { io, session, client, incoming, .. } = self;
        let bytes_max = client.hub().limits().message_bytes_max;
        let mut heard = |event: Result<Event<'_>, _>| {
            if let Ok(Event::Pong(payload)) = event {
                // What it proves is noted when the connection is left, which is now.
                let _ = session.handle_pong(payload);
            }
            true
        };
        while let Poll::Ready(Ok(())) = incoming.poll(cx, Pin::new(&mut *io), bytes_max, &mut heard)
        {
        }
    }

    /// Ready if anything was received, and handled.
    fn poll_receive(&mut self, cx: &mut Context<'_>, steps: &mut usize) -> Poll<io::Result<()>> {
        if *steps == 0 {
            return Poll::Pending;
        }
        // After our close frame everything but the client's own is read and thrown away.
        let over = self.session.poll_close().is_some();
        if self.incoming.is_closed() || !(over || self.session.wants_input()) {
            return Poll::Pending;
        }
        let Self { io, session, client, incoming, outgoing, .. } = self;
        let bytes_max = client.hub().limits().message_bytes_max;
        let received = incoming.poll(cx, Pin::new(io), bytes_max, |event| match event {
            Ok(Event::Text(text)) => {
                *steps = steps.saturating_sub(1);
                session.handle_text(text);
                if !over && session.poll_close().is_some() {
                    client.hub().stats().violations.add(1);
                    tracing::debug!(session = %session.id(), "client sent no command");
                }
                over || (*steps > 0 && session.wants_input())
            }
            Ok(Event::Ping(payload)) => {
                *steps = steps.saturating_sub(1);
                outgoing.pong(payload);
                session.handle_ping();
                over || (*steps > 0 && session.wants_input())
            }
            Ok(Event::Pong(payload)) => {
                if session.handle_pong(payload) {
                    client.note_proof(session);
                }
                true
            }
            Ok(Event::Close(code)) => {
                outgoing.answer_close(code);
                false
            }
            Err(violation) => {
                client.hub().stats().violations.add(1);
                tracing::debug!(session = %session.id(), %violation, "client broke the protocol");
                session.fail(violation.close_code(), violation.reason());
                false
            }
        });
        if received.is_ready() {
            *steps = steps.saturating_sub(1);
            if session.is_held_back() {
                note_wait(session, client, peer_of(io));
            }
        }
        received
    }
}

/// Who is at the other end of a socket. `None` where it is no bare socket: its peer was known to the
/// HTTP server only.
fn peer_of<Io: 'static>(io: &Io) -> Option<SocketAddr> {
    (io as &dyn Any).downcast_ref::<TcpStream>()?.peer_addr().ok()
}

impl<Io> Connection<Io> {
    fn end(&mut self, end: &End) {
        self.ended = true;
        let session = self.session.id();
        tracing::debug!(%session, %end, "connection ended");
        self.application.end();
        if matches!(end, End::Failed) {
            self.client.hub().stats().panics.add(1);
            tracing::error!(%session, "a panic has ended a connection; its client comes back");
            return;
        }
        let is_unloaded = self.incoming.was_unloaded() && !self.outgoing.close_answered();
        if is_unloaded || self.revoked {
            return;
        }
        if let Some(kept) = self.session.keep() {
            self.client.keep_session(kept);
        }
        for (id, acknowledged) in self.session.acknowledged() {
            self.client.leave_page(id, acknowledged);
        }
    }
}

/// A task that is aborted, or has panicked, is dropped without having come to its end.
impl<Io> Drop for Connection<Io> {
    fn drop(&mut self) {
        if !self.ended {
            let failed = self.client.has_failed();
            self.end(if failed { &End::Failed } else { &End::Dropped });
        }
    }
}

/// Counts and logs that a client has sent too many commands, and is not read for a while.
fn note_wait(session: &Session, client: &Client, peer: Option<SocketAddr>) {
    let Some(more) = client.hub().refused(Refusal::Commands) else { return };
    tracing::warn!(
        peer = peer.map(tracing::field::display),
        session = %session.id(),
        identity = client.identity().map(excerpt),
        more_before = Some(more).filter(|more| *more > 0),
        "a client sends too many commands: they wait"
    );
}

/// The code to answer a client's close frame with (RFC 6455, section 5.5.1): its own.
fn echoed(code: Option<u16>) -> u16 {
    code.unwrap_or(CloseCode::Normal as u16)
}

#[cfg(test)]
mod tests;
