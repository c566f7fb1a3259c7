//! Writing to a socket at once or not at all, and without asking the runtime.
//!
//! A round writes to many sockets, nearly all of which have room. That the runtime thinks so, too, is
//! kept by it in memory of its own for each socket, which would be fetched only to be told.

use std::any::Any;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

#[cfg(any(target_os = "android", target_os = "linux"))]
use rustix::net::{SendAncillaryBuffer, SendFlags};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

/// A TCP stream that is written by system calls alone. Pending wakes nobody.
pub(super) struct AtOnce<'a>(&'a TcpStream);

impl<'a> AtOnce<'a> {
    /// `None` where `io` is something else, or another system's: flags differ.
    pub(super) fn of<Io: 'static>(io: &'a Io) -> Option<Self> {
        // Decided when it is compiled.
        let stream = (io as &dyn Any).downcast_ref::<TcpStream>();
        stream.filter(|_| cfg!(any(target_os = "android", target_os = "linux"))).map(Self)
    }
}

impl AsyncWrite for AtOnce<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        pending_if_full(send(self.0, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        pending_if_full(send_vectored(self.0, slices))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn pending_if_full(sent: io::Result<usize>) -> Poll<io::Result<usize>> {
    match sent {
        // Interrupted by a signal: its task tries again.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) =>
        {
            Poll::Pending
        }
        sent => Poll::Ready(sent),
    }
}

#[cfg(any(target_os = "android", target_os = "linux"))]
fn send(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(stream, bytes, FLAGS)?)
}

#[cfg(any(target_os = "android", target_os = "linux"))]
fn send_vectored(stream: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    Ok(rustix::net::sendmsg(stream, slices, &mut SendAncillaryBuffer::default(), FLAGS)?)
}

/// A peer that is gone is an error and no signal, whosever process this is.
#[cfg(any(target_os = "android", target_os = "linux"))]
const FLAGS: SendFlags = SendFlags::NOSIGNAL.union(SendFlags::DONTWAIT);

#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn send(_: &TcpStream, _: &[u8]) -> io::Result<usize> {
    Err(io::ErrorKind::WouldBlock.into())
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn send_vectored(_: &TcpStream, _: &[IoSlice<'_>]) -> io::Result<usize> {
    Err(io::ErrorKind::WouldBlock.into())
}
