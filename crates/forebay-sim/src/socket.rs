//! A socket between a server's driver and a client, in simulated time: bytes take a while, buffers
//! are small, and the line may be cut or go silent.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One direction.
#[derive(Debug, Default)]
struct Pipe {
    /// Bytes with the time at which they arrive.
    flying: VecDeque<(u64, Vec<u8>)>,
    bytes: usize,
    waker: Option<Waker>,
}

/// What both ends and the world share.
#[derive(Debug)]
pub(crate) struct Line {
    /// To the client.
    down: Pipe,
    /// To the server.
    up: Pipe,
    /// Milliseconds that bytes take.
    pub(crate) latency: u64,
    /// What a socket's buffers hold.
    pub(crate) capacity: usize,
    /// Nothing passes, and nobody is told.
    pub(crate) silent: bool,
    /// Both ends are told.
    pub(crate) cut: bool,
    /// The server has closed its side.
    pub(crate) closed: bool,
    now: u64,
}

/// The line, and a handle to it for the world.
pub(crate) type Shared = Arc<Mutex<Line>>;

impl Line {
    /// A good line.
    pub(crate) fn new(latency: u64, capacity: usize) -> Shared {
        Arc::new(Mutex::new(Self {
            down: Pipe::default(),
            up: Pipe::default(),
            latency,
            capacity,
            silent: false,
            cut: false,
            closed: false,
            now: 0,
        }))
    }

    /// Time goes on: what has arrived can be read.
    pub(crate) fn advance(&mut self, now: u64) {
        self.now = now;
        let arrived = self.up.flying.front().is_some_and(|(at, _)| *at <= now);
        if arrived
            && !self.silent
            && let Some(waker) = self.up.waker.take()
        {
            waker.wake();
        }
    }

    /// The client sends.
    pub(crate) fn send(&mut self, bytes: Vec<u8>) {
        if !self.silent && !self.cut {
            self.up.flying.push_back((self.now + self.latency, bytes));
        }
    }

    /// What has arrived at the client, at most `max` bytes.
    pub(crate) fn receive(&mut self, max: usize) -> Vec<u8> {
        let mut taken = Vec::new();
        while taken.len() < max && !self.silent && !self.cut {
            match self.down.flying.front() {
                Some((at, _)) if *at <= self.now => {}
                _ => break,
            }
            let Some((at, mut bytes)) = self.down.flying.pop_front() else { break };
            if taken.len() + bytes.len() > max {
                let rest = bytes.split_off(max - taken.len());
                self.down.flying.push_front((at, rest));
            }
            taken.append(&mut bytes);
        }
        let was_full = self.down.bytes >= self.capacity;
        self.down.bytes -= taken.len();
        if was_full
            && self.down.bytes < self.capacity
            && let Some(waker) = self.down.waker.take()
        {
            waker.wake();
        }
        taken
    }

    /// All that the server has said has been read.
    pub(crate) fn is_over(&self) -> bool {
        self.closed && !self.cut && !self.silent && self.down.flying.is_empty()
    }

    /// The line breaks, and both ends notice.
    pub(crate) fn cut(&mut self) {
        self.cut = true;
        for pipe in [&mut self.up, &mut self.down] {
            if let Some(waker) = pipe.waker.take() {
                waker.wake();
            }
        }
    }
}

/// The server's end.
#[derive(Debug)]
pub(crate) struct Socket(pub Shared);

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut line = self.0.lock().expect("nobody panics with it");
        if line.cut {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let now = line.now;
        let arrived = !line.silent && line.up.flying.front().is_some_and(|(at, _)| *at <= now);
        if !arrived {
            line.up.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if let Some((at, bytes)) = line.up.flying.pop_front() {
            let fits = bytes.len().min(buffer.remaining());
            buffer.put_slice(&bytes[..fits]);
            if fits < bytes.len() {
                line.up.flying.push_front((at, bytes[fits..].to_vec()));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut line = self.0.lock().expect("nobody panics with it");
        if line.cut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = line.capacity.saturating_sub(line.down.bytes).min(bytes.len());
        if room == 0 && !bytes.is_empty() {
            line.down.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let arrives = line.now + line.latency;
        line.down.bytes += room;
        line.down.flying.push_back((arrives, bytes[..room].to_vec()));
        Poll::Ready(Ok(room))
    }

    /// A burst leaves at once, as from a real socket.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        self.poll_write(cx, &bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().expect("nobody panics with it").closed = true;
        Poll::Ready(Ok(()))
    }
}
