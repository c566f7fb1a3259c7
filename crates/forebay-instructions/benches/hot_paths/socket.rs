//! A client that takes everything at once and answers each Ping, without a kernel in between.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The first byte of a final text, Ping or Pong frame (RFC 6455, section 5.2).
const TEXT: u8 = 0x81;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// What a Ping carries (`Mark::to_bytes`).
const MARK_BYTES: usize = 12;

/// In the second byte: a client's frame, and a length that does not fit into seven bits.
const MASKED: u8 = 0x80;
const TWO_BYTES_OF_LENGTH: u8 = 0x7e;

/// What has arrived at the client.
#[derive(Default)]
pub(crate) struct Received {
    bytes: AtomicU64,
    pings: AtomicU64,
}

impl Received {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn pings(&self) -> u64 {
        self.pings.load(Ordering::Relaxed)
    }
}

pub(crate) struct Socket {
    /// What the client sends next.
    sends: Vec<u8>,
    received: Arc<Received>,
}

impl Socket {
    /// A client that begins with this text.
    pub(crate) fn new(text: &str) -> (Self, Arc<Received>) {
        let received = Arc::default();
        let mut socket =
            Self { sends: Vec::with_capacity(1 << 10), received: Arc::clone(&received) };
        socket.send(TEXT, text.as_bytes());
        (socket, received)
    }

    /// A client's frame is masked; a mask of zeros leaves the bytes as they are.
    fn send(&mut self, first: u8, payload: &[u8]) {
        self.sends.push(first);
        if let Ok(short @ 0..=125) = u8::try_from(payload.len()) {
            self.sends.push(MASKED | short);
        } else {
            let len = u16::try_from(payload.len()).unwrap();
            self.sends.push(MASKED | TWO_BYTES_OF_LENGTH);
            self.sends.extend_from_slice(&len.to_be_bytes());
        }
        self.sends.extend_from_slice(&[0; 4]);
        self.sends.extend_from_slice(payload);
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.sends.is_empty() {
            // The benchmark polls by itself.
            return Poll::Pending;
        }
        buffer.put_slice(&self.sends);
        self.sends.clear();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written: usize = slices.iter().map(|slice| slice.len()).sum();
        self.received.bytes.fetch_add(written as u64, Ordering::Relaxed);
        // The server's Ping goes out last.
        let end = slices.last().and_then(|slice| slice.last_chunk::<{ 2 + MARK_BYTES }>());
        if let Some([PING, len, payload @ ..]) = end {
            assert_eq!(usize::from(*len), MARK_BYTES);
            self.send(PONG, payload);
            self.received.pings.fetch_add(1, Ordering::Relaxed);
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
