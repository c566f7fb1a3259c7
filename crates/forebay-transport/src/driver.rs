//! The task of one connection: a [`Conversation`] over a WebSocket.
//!
//! It owns no channel and no queue. What it holds while idle is its conversation, a frame decoder
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
use forebay_cable::{CloseCode, Session};
use forebay_hub::{Client, Round, Signals, prefetch};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use self::at_once::AtOnce;
use self::incoming::Incoming;
use self::outgoing::{Outgoing, TURN_WRITES_MAX};
pub(crate) use self::seat::Driver;
use crate::channels::{Channels, Identity};
use crate::conversation::Conversation;
use crate::ws::Event;

/// What one turn of a connection's task takes from its client at the most: pieces off the socket,
/// messages, and commands that are begun. At some 30 µs for a command others wait a millisecond.
pub(crate) const TURN_STEPS_MAX: usize = 32;

/// The code of a browser whose page goes away (RFC 6455, section 7.4.1: "navigated away"). A
/// script's own `close()` sends another or none, and its page lives on.
const UNLOADED: u16 = 1001;

/// A connection.
#[derive(Debug)]
struct Connection<Io> {
    io: Io,
    conversation: Conversation,
    incoming: Incoming,
    outgoing: Outgoing,
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
    task(io, InHand::default(), Conversation::new(session, client, channels, identity))
}

/// Drives a session behind an HTTP server, from what the server has read and not written yet.
pub(crate) fn task<Io: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    io: Io,
    in_hand: InHand,
    conversation: Conversation,
) -> Driver<Io> {
    Driver::new(Connection::new(io, in_hand, conversation))
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
}

/// What was received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Received {
    /// Something that may have an answer.
    Words,
    /// Pongs, after which nothing is due.
    Pongs,
}

impl<Io: AsyncRead + AsyncWrite + Unpin + 'static> Connection<Io> {
    fn new(io: Io, in_hand: InHand, conversation: Conversation) -> Self {
        let mut outgoing = Outgoing::default();
        outgoing.answer_handshake(in_hand.answer);
        Self { io, conversation, incoming: Incoming::new(&in_hand.read), outgoing }
    }

    /// In its task: all there is to do. Ready when it is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let end = ready!(self.drive(cx));
        tracing::debug!(session = %self.conversation.id(), %end, "connection ended");
        self.conversation.end();
        Poll::Ready(())
    }

    /// In a round: writes what is new. False where its task has to look after it.
    fn deliver(&mut self, round: &mut Round) -> bool {
        let Self { io, conversation, outgoing, .. } = self;
        prefetch((
            conversation.stands_at(),
            conversation.client().is_muted(),
            outgoing.is_at_rest(),
        ));
        // Where its task waits for the socket to take something, that is the only one to be woken for it.
        let rests = !conversation.client().is_muted()
            && outgoing.is_at_rest()
            && !conversation.has_something_to_say();
        if !rests {
            return false;
        }
        // A socket that takes nothing is left to the task, which then waits for it.
        let mut cx = Context::from_waker(Waker::noop());
        let sent = match AtOnce::of(io) {
            Some(mut io) => outgoing.poll_round(&mut cx, Pin::new(&mut io), conversation, round),
            None => outgoing.poll_round(&mut cx, Pin::new(io), conversation, round),
        };
        matches!(sent, Poll::Ready(Ok(()))) && !conversation.has_something_to_say()
    }

    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let signals = self.conversation.poll_signals(cx);
        if signals.contains(Signals::FAILED) {
            return Poll::Ready(End::Failed);
        }
        if signals.contains(Signals::ENDS) {
            // The Pong to our last Ping may be there.
            self.hear_last_words(cx);
            return Poll::Ready(End::Unanswered);
        }
        if signals.contains(Signals::TICK) {
            self.conversation.tick();
            if self.conversation.client().wants_proof_of_life() {
                self.outgoing.ping();
            }
            if self.outgoing.has_waited(self.conversation.is_over()) {
                return Poll::Ready(End::Unanswered);
            }
        }
        let (mut steps, mut writes) = (TURN_STEPS_MAX, TURN_WRITES_MAX);
        loop {
            let Self { io, conversation, .. } = self;
            let mut moved = conversation.settle(cx, &mut steps, &|| peer_of(io));
            let sent = self.poll_send(cx, &mut writes);
            if let Poll::Ready(Err(error)) = sent {
                self.hear_last_words(cx);
                return Poll::Ready(End::Lost(error));
            }
            if self.incoming.is_closed() && self.outgoing.is_done() {
                return Poll::Ready(End::Closed);
            }
            match self.poll_words(cx, &mut steps) {
                Poll::Ready(Err(error)) => return Poll::Ready(End::Lost(error)),
                Poll::Ready(Ok(())) => moved = true,
                Poll::Pending => {}
            }
            if moved {
                let Self { io, conversation, .. } = self;
                conversation.note(&|| peer_of(io));
            }
            if steps == 0 {
                // There may be more. First the others have their turn.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !moved {
                if sent.is_pending() {
                    self.conversation.client().mute_entries();
                    return Poll::Pending;
                }
                if !self.conversation.client().unmute_entries() {
                    return Poll::Pending;
                }
            }
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, writes: &mut usize) -> Poll<io::Result<()>> {
        let mut io = Pin::new(&mut self.io);
        ready!(self.outgoing.poll(cx, io.as_mut(), &mut self.conversation, writes))?;
        if self.outgoing.is_done() {
            // Our side of the stream ends here; the client sees that after our close frame.
            ready!(io.poll_shutdown(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// A socket that can't be written may still hold what the client said before: its close
    /// frame, which tells whether its page is gone, or the Pong to our last Ping.
    fn hear_last_words(&mut self, cx: &mut Context<'_>) {
        let Self { io, conversation, incoming, outgoing } = self;
        let bytes_max = conversation.hub().limits().message_bytes_max;
        let mut heard = |event: Result<Event<'_>, _>| {
            match event {
                Ok(Event::Pong(payload)) => drop(conversation.hear_pong(payload)),
                Ok(Event::Close(code)) if !outgoing.close_sent() => hear_close(conversation, code),
                _ => {}
            }
            true
        };
        while let Poll::Ready(Ok(())) = incoming.poll(cx, Pin::new(&mut *io), bytes_max, &mut heard)
        {
        }
    }

    /// Ready if anything was received that may have an answer, and handled.
    fn poll_words(&mut self, cx: &mut Context<'_>, steps: &mut usize) -> Poll<io::Result<()>> {
        loop {
            match ready!(self.poll_receive(cx, steps))? {
                Received::Words => return Poll::Ready(Ok(())),
                Received::Pongs => {}
            }
        }
    }

    /// Ready if anything was received, and handled.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        steps: &mut usize,
    ) -> Poll<io::Result<Received>> {
        if *steps == 0 {
            return Poll::Pending;
        }
        // After our close frame everything but the client's own is read and thrown away.
        let over = self.conversation.is_over();
        if self.incoming.is_closed() || !(over || self.conversation.wants_input()) {
            return Poll::Pending;
        }
        let Self { io, conversation, incoming, outgoing } = self;
        let bytes_max = conversation.hub().limits().message_bytes_max;
        let mut received = Received::Pongs;
        let polled = incoming.poll(cx, Pin::new(io), bytes_max, |event| {
            if let Ok(Event::Pong(payload)) = event {
                if conversation.hear_pong(payload) {
                    received = Received::Words;
                }
                return true;
            }
            received = Received::Words;
            *steps = steps.saturating_sub(1);
            match event {
                Ok(Event::Text(text)) => conversation.hear(text),
                Ok(Event::Ping(payload)) => {
                    outgoing.pong(payload);
                    conversation.hear_ping();
                }
                Ok(Event::Close(code)) => {
                    if !outgoing.close_sent() {
                        hear_close(conversation, code);
                    }
                    conversation.closed();
                    outgoing.answer_close(code);
                    return false;
                }
                Ok(Event::Pong(_)) => {}
                Err(violation) => {
                    conversation.fail(violation.close_code(), violation.reason());
                    return false;
                }
            }
            over || (*steps > 0 && conversation.wants_input())
        });
        ready!(polled)?;
        *steps = steps.saturating_sub(1);
        conversation.note_pace(&|| peer_of(io));
        Poll::Ready(Ok(received))
    }
}

/// It was the client's wish, and no answer.
fn hear_close(conversation: &mut Conversation, code: Option<u16>) {
    match code {
        Some(UNLOADED) => conversation.unload(),
        _ => conversation.client_closes(),
    }
}

/// Who is at the other end of a socket. `None` where it is no bare socket: its peer was known to the
/// HTTP server only.
fn peer_of<Io: 'static>(io: &Io) -> Option<SocketAddr> {
    (io as &dyn Any).downcast_ref::<TcpStream>()?.peer_addr().ok()
}

/// The code to answer a client's close frame with (RFC 6455, section 5.5.1): its own.
fn echoed(code: Option<u16>) -> u16 {
    code.unwrap_or(CloseCode::Normal as u16)
}

#[cfg(test)]
mod tests;
