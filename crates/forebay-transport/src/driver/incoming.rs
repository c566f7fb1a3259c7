//! From the socket to events. Between two reads nothing is held but an unfinished message.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};

use crate::ws::{Decoder, Event, Violation};

/// What one read takes at the most. Shared by all connections of a thread.
const READ_BYTES: usize = 16 << 10;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

#[derive(Debug)]
pub(super) struct Incoming {
    /// There is one while a message is unfinished.
    decoder: Option<Box<Decoder>>,
    /// Read, but not yet wanted: what the HTTP server took, and what came behind a command that
    /// filled the session up. At most [`READ_BYTES`].
    held: Box<[u8]>,
    hears: Hears,
}

/// How much of what comes is still looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hears {
    /// All of it.
    Everything,
    /// It broke the rules: whatever follows is thrown away, so that our answer is not cut off by
    /// a reset, which is what closing a socket with unread bytes does.
    Nothing,
    /// It has closed: nothing will follow.
    Closed,
}

impl Incoming {
    pub(super) fn new(read: &Bytes) -> Self {
        // A copy, because hyper's buffer is 8 KiB however little of it this is.
        let held = read[..].into();
        Self { decoder: None, held, hears: Hears::Everything }
    }

    /// The client has said all it will say.
    pub(super) fn is_closed(&self) -> bool {
        self.hears == Hears::Closed
    }

    /// Takes one piece off the socket and hands on what is complete in it, for as long as
    /// `handle` wants more. Ready if there was anything. A message may have `bytes_max`.
    pub(super) fn poll<Io: AsyncRead>(
        &mut self,
        cx: &mut Context<'_>,
        io: Pin<&mut Io>,
        bytes_max: usize,
        mut handle: impl FnMut(Result<Event<'_>, Violation>) -> bool,
    ) -> Poll<io::Result<()>> {
        if !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            let unused = self.feed(&held, bytes_max, &mut handle);
            self.held = held[held.len() - unused..].into();
            return Poll::Ready(Ok(()));
        }
        let mut memory = BUFFER.take();
        memory.resize(READ_BYTES, 0);
        let mut buffer = ReadBuf::new(&mut memory);
        let read = io.poll_read(cx, &mut buffer);
        if let Poll::Ready(Ok(())) = read {
            let filled = buffer.filled();
            let unused = self.feed(filled, bytes_max, &mut handle);
            self.held = filled[filled.len() - unused..].into();
        }
        let nothing = buffer.filled().is_empty();
        BUFFER.set(memory);
        ready!(read)?;
        if nothing {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        Poll::Ready(Ok(()))
    }

    /// Gives the number of bytes at the end of `bytes` that were not wanted.
    fn feed(
        &mut self,
        bytes: &[u8],
        bytes_max: usize,
        handle: &mut impl FnMut(Result<Event<'_>, Violation>) -> bool,
    ) -> usize {
        if self.hears != Hears::Everything {
            return 0;
        }
        let mut decoder = self.decoder.take().map_or_else(|| Decoder::new(bytes_max), |kept| *kept);
        let mut rest = bytes;
        loop {
            match decoder.decode(&mut rest) {
                Ok(None) => break,
                Ok(Some(Event::Close(code))) => {
                    handle(Ok(Event::Close(code)));
                    self.hears = Hears::Closed;
                    return 0;
                }
                Ok(Some(event)) => {
                    if !handle(Ok(event)) {
                        break;
                    }
                }
                Err(violation) => {
                    handle(Err(violation));
                    self.hears = Hears::Nothing;
                    return 0;
                }
            }
        }
        if !decoder.is_idle() {
            self.decoder = Some(Box::new(decoder));
        }
        rest.len()
    }
}
