//! A conversation over one HTTP exchange: the request has its commands, the answer has what it says.
//!
//! Nothing of it outlives the exchange. A request names every subscription and where the client
//! stands on it, so that any server can answer it, and an answer that is lost is given again.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;
use bytes::Bytes;
use forebay_hub::{Batch, Signals};
use forebay_log::UnixMillis;
use http_body::{Body, Frame};

use crate::conversation::{Conversation, Failing};
use crate::driver::TURN_STEPS_MAX;

/// Bytes after which a piece of an event stream takes no further entry: what a connection that is
/// not read holds is this much and one entry.
const PIECE_BYTES_MAX: usize = 16 << 10;

/// How messages follow each other in an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// Server-sent events, each message the data of one.
    Events,
    /// The messages are events already.
    Source,
    /// The elements of a JSON array.
    Array,
}

impl Format {
    fn append(self, out: &mut Vec<u8>, parts: &[&[u8]]) {
        let (before, after) = match self {
            Self::Events => (&b"data: "[..], &b"\n\n"[..]),
            Self::Array if !out.is_empty() => (&b","[..], &b""[..]),
            Self::Source | Self::Array => (&b""[..], &b""[..]),
        };
        out.extend_from_slice(before);
        let start = out.len();
        for part in parts {
            out.extend_from_slice(part);
        }
        if self == Self::Events {
            // JSON may have line ends between its tokens, and only there; an event's field may not.
            for byte in &mut out[start..] {
                if matches!(*byte, b'\n' | b'\r') {
                    *byte = b' ';
                }
            }
        }
        out.extend_from_slice(after);
    }
}

pub(crate) struct Exchange {
    conversation: Conversation,
    format: Format,
    /// Who asks, if that is known.
    peer: Option<SocketAddr>,
}

impl Exchange {
    pub(crate) fn new(
        conversation: Conversation,
        format: Format,
        peer: Option<SocketAddr>,
    ) -> Self {
        Self { conversation, format, peer }
    }

    /// Hands the client's text to the conversation. False if it is no command.
    pub(crate) fn handle(&mut self, text: &str) -> bool {
        self.conversation.hear(text);
        !self.conversation.is_over()
    }

    /// Whether all is decided, and none of it granted.
    pub(crate) fn is_refused(&self) -> bool {
        self.conversation.is_settled() && !self.conversation.has_subscriptions()
    }

    /// Answers what can be answered at once: all of it, since its head has bounds of its own.
    pub(crate) fn settle(&mut self, cx: &mut Context<'_>) {
        self.take_steps(cx, usize::MAX);
    }

    fn take_steps(&mut self, cx: &mut Context<'_>, mut steps: usize) {
        let peer = || self.peer;
        self.conversation.settle(cx, &mut steps, &peer);
        self.conversation.note(&peer);
        if steps == 0 {
            // There may be more. First the others have their turn.
            cx.waker().wake_by_ref();
        }
    }

    /// Moves on, and writes what is due, as much as one look at the log gives.
    fn turn(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Signals {
        let wake = self.conversation.client().wake();
        let failing = Failing::new(&wake);
        let signals = self.conversation.poll_signals(cx);
        if signals.contains(Signals::TICK) {
            if self.format == Format::Array {
                // A client that waits for its answer lives, as far as anybody can tell.
                self.conversation.client().lives();
            } else {
                self.conversation.tick();
            }
        }
        self.take_steps(cx, TURN_STEPS_MAX);
        let over = self.conversation.is_over();
        // A poll has one answer: until all is decided, what is said stays with the session. What it
        // is for is read once it is known who reads it.
        if over || self.format != Format::Array || self.conversation.is_settled() {
            self.say(out);
            if !over {
                self.deliver(out);
                self.say(out);
            }
        }
        failing.unless();
        signals
    }

    /// Writes what the session says.
    fn say(&mut self, out: &mut Vec<u8>) {
        while let Some(text) = self.conversation.say() {
            self.format.append(out, &[&text]);
        }
    }

    fn deliver(&mut self, out: &mut Vec<u8>) {
        let mut batch = Batch::default();
        if !self.conversation.read(&mut batch) {
            return self.say(out);
        }
        self.say(out);
        let mut passed = 0;
        for delivery in &batch.deliveries {
            if self.format != Format::Array && out.len() >= PIECE_BYTES_MAX {
                // The rest is read from the log again when this has gone.
                break;
            }
            if let Some(wrap) = self.conversation.wrap(delivery) {
                let message = delivery.message.as_ref().map_or(&b""[..], |m| m.bytes());
                self.format.append(out, &wrap.parts(message));
            }
            passed += 1;
        }
        let all = self.conversation.sent(&batch, passed);
        self.conversation.record_standings();
        self.conversation.hub().delivered(&batch, passed);
        if all && batch.complete {
            self.conversation.caught_up(batch.head);
        }
    }

    /// Throws away what the session says at its beginning: the answer to a request has no welcome.
    pub(crate) fn hush(&mut self) {
        while self.conversation.say().is_some() {}
    }

    /// Waits until there is something to say, or until `deadline`. Gives it as a JSON array.
    pub(crate) fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        deadline: UnixMillis,
    ) -> Poll<Vec<u8>> {
        let mut out = Vec::new();
        loop {
            let signals = self.turn(cx, &mut out);
            let over = self.conversation.is_over();
            let waited = self.conversation.hub().now() >= deadline;
            if over || self.conversation.is_settled() && (!out.is_empty() || waited) {
                return Poll::Ready([b"[", &out[..], b"]"].concat());
            }
            if signals == Signals::default() {
                return Poll::Pending;
            }
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("session", &self.conversation.id()).finish_non_exhaustive()
    }
}

/// The body of an answer that goes on for as long as both sides want.
///
/// It is read on demand: what its reader has no room for stays in the log. The HTTP server asks for
/// more than its socket takes (hyper: 400 KB), so the next piece waits until the last one is gone.
#[derive(Debug)]
pub struct EventStream {
    /// `None` once it is over.
    exchange: Option<Exchange>,
    way: Arc<Way>,
}

/// Whether a piece is still on its way to the socket.
#[derive(Debug, Default)]
struct Way {
    busy: AtomicBool,
    waker: AtomicWaker,
}

/// What the HTTP server has until it has written it.
struct Piece {
    bytes: Vec<u8>,
    way: Arc<Way>,
}

impl Piece {
    fn send(bytes: Vec<u8>, way: &Arc<Way>) -> Bytes {
        way.busy.store(true, Ordering::Release);
        Bytes::from_owner(Self { bytes, way: Arc::clone(way) })
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.way.busy.store(false, Ordering::Release);
        self.way.waker.wake();
    }
}

impl EventStream {
    pub(crate) fn new(exchange: Exchange) -> Self {
        Self { exchange: Some(exchange), way: Arc::default() }
    }
}

impl Body for EventStream {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.way.waker.register(cx.waker());
        if self.way.busy.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        let mut out = Vec::new();
        loop {
            let Some(exchange) = &mut self.exchange else { return Poll::Ready(None) };
            let signals = exchange.turn(cx, &mut out);
            if exchange.conversation.is_over() {
                self.exchange = None;
            }
            if !out.is_empty() {
                if let Some(exchange) = &self.exchange {
                    // What was sent before has been taken: its end said that there is room.
                    exchange.conversation.client().lives();
                }
                return Poll::Ready(Some(Ok(Frame::data(Piece::send(out, &self.way)))));
            }
            if self.exchange.is_some() && signals == Signals::default() {
                return Poll::Pending;
            }
        }
    }
}

#[cfg(test)]
mod tests;
