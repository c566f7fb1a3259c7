//! Sockets that connect from many loopback addresses, so that ports don't run out.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use socket2::SockRef;

/// Connections from one address. There are 28 000 ports for each, but Linux looks for a free one by trying:
/// with 10 000 in use this took most of a generator's time.
const PER_ADDRESS: usize = 1_000;

/// What a slow client's socket takes of what it has not read.
const THIN_BUFFER: usize = 8 << 10;

/// Bytes in a segment on the internet. The loopback's are 45 times as large, and by them Linux reckons
/// how much a server's socket may hold: megabytes for each client.
const ETHERNET_SEGMENT: u32 = 1_448;

/// How much a socket holds of what nobody reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Width {
    Usual,
    Thin,
}

/// A nonblocking TCP socket.
#[derive(Debug)]
pub(super) struct Source(OwnedFd);

impl Source {
    /// Begins to connect to a port of this machine, from the `index`th place.
    pub(super) fn connect(index: usize, port: u16, width: Width) -> io::Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let fd = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        sockopt::set_tcp_nodelay(&fd, true)?;
        if width == Width::Thin {
            sockopt::set_socket_recv_buffer_size(&fd, THIN_BUFFER)?;
            SockRef::from(&fd).set_tcp_mss(ETHERNET_SEGMENT)?;
        }
        // A close is a reset, which leaves no port waiting.
        sockopt::set_socket_linger(&fd, Some(Duration::ZERO))?;
        rustix::net::bind(&fd, &SocketAddrV4::new(address(index)?, 0))?;
        match rustix::net::connect(&fd, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(Self(fd)),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether connecting failed.
    pub(super) fn error(&self) -> io::Result<()> {
        Ok(sockopt::socket_error(&self.0)??)
    }

    /// The number of bytes read; 0 at the end, `None` if there is nothing now.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match rustix::io::read(&self.0, buffer) {
            Ok(read) => Ok(Some(read)),
            Err(Errno::AGAIN | Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The number of bytes taken, which may be none.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        match rustix::net::send(&self.0, bytes, rustix::net::SendFlags::NOSIGNAL) {
            Ok(written) => Ok(written),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}

/// Every process has addresses of its own, as far as these go.
fn address(index: usize) -> io::Result<Ipv4Addr> {
    let process = u8::try_from(1 + std::process::id() % 250).map_err(io::Error::other)?;
    let last = u8::try_from(1 + index / PER_ADDRESS).map_err(io::Error::other)?;
    Ok(Ipv4Addr::new(127, process, 0, last))
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
