//! The floor: a server that is nothing but system calls. One thread, one epoll loop, one `write` per
//! delivery, one `writev` per burst; the same bytes on the wire as Forebay sends.
//!
//! It asks nobody who they are, keeps no history, orders nothing and drops whoever is slow.

use std::io::{IoSlice, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4};

use anyhow::{Context as _, Result, ensure};
use memchr::memmem;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::load::frames;
use crate::load::work::Floor;

const LISTENER: u64 = u64::MAX;
const UPGRADED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const TAKEN: &[u8] = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";

/// Frames that one `writev` takes at most.
const FRAMES_MAX: usize = 1024;

struct Socket {
    fd: OwnedFd,
    upgraded: bool,
    /// A request that is not whole.
    received: Vec<u8>,
}

/// Serves until it is killed; says its port first.
pub(crate) fn serve(floor: &Floor) -> Result<()> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let listener = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&listener, true)?;
    rustix::net::bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, floor.port))?;
    rustix::net::listen(&listener, 4096)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut sockets: Vec<Option<Socket>> = Vec::new();
    let mut free = Vec::new();
    let mut history: Vec<Vec<u8>> = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    let mut events = Vec::with_capacity(1024);
    loop {
        events.clear();
        epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in &events {
            if event.data.u64() == LISTENER {
                accept(&epoll, &listener, &mut sockets, &mut free)?;
                continue;
            }
            let index = usize::try_from(event.data.u64())?;
            let Some(socket) = sockets[index].as_mut() else { continue };
            let read = match rustix::io::read(&socket.fd, &mut buffer[..]) {
                Ok(0) | Err(Errno::CONNRESET) => {
                    sockets[index] = None;
                    free.push(index);
                    continue;
                }
                Ok(read) => read,
                Err(Errno::AGAIN) => continue,
                Err(error) => return Err(error.into()),
            };
            if socket.upgraded {
                continue;
            }
            socket.received.extend_from_slice(&buffer[..read]);
            if !socket.received.starts_with(b"POST") {
                if memmem::find(&socket.received, b"\r\n\r\n").is_some() {
                    socket.upgraded = true;
                    socket.received = Vec::new();
                    let replayed = &history[history.len().saturating_sub(floor.replay)..];
                    let mut slices = vec![IoSlice::new(UPGRADED)];
                    slices.extend(replayed.iter().map(|frame| IoSlice::new(frame)));
                    rustix::io::writev(&socket.fd, &slices)?;
                }
                continue;
            }
            // Whoever publishes may not have waited for the last answer.
            let mut bodies = Vec::new();
            while let Some((body, length)) = body(&socket.received)? {
                bodies.push(body);
                socket.received.drain(..length);
            }
            for body in bodies {
                let first = history.len();
                history.extend(body.split(|byte| *byte == b'\n').map(|line| frame(floor, line)));
                if let Some(publisher) = &sockets[index] {
                    rustix::io::write(&publisher.fd, TAKEN)?;
                }
                deliver(&history[first..], &sockets)?;
                let kept = history.len().saturating_sub(floor.replay);
                history.drain(..kept);
            }
        }
    }
}

fn accept(
    epoll: &OwnedFd,
    listener: &OwnedFd,
    sockets: &mut Vec<Option<Socket>>,
    free: &mut Vec<usize>,
) -> Result<()> {
    loop {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let fd = match rustix::net::accept_with(listener, flags) {
            Ok(fd) => fd,
            Err(Errno::AGAIN | Errno::CONNABORTED) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        sockopt::set_tcp_nodelay(&fd, true)?;
        let index = free.pop().unwrap_or_else(|| {
            sockets.push(None);
            sockets.len() - 1
        });
        epoll::add(epoll, &fd, EventData::new_u64(index as u64), EventFlags::IN)?;
        sockets[index] = Some(Socket { fd, upgraded: false, received: Vec::new() });
    }
}

fn deliver(frames: &[Vec<u8>], sockets: &[Option<Socket>]) -> Result<()> {
    ensure!(frames.len() <= FRAMES_MAX, "a burst is one writev");
    let bytes = frames.iter().map(Vec::len).sum();
    let slices: Vec<_> = frames.iter().map(|frame| IoSlice::new(frame)).collect();
    for socket in sockets.iter().flatten().filter(|socket| socket.upgraded) {
        let written = match frames {
            [frame] => rustix::io::write(&socket.fd, frame),
            _ => rustix::io::writev(&socket.fd, &slices),
        };
        ensure!(written == Ok(bytes), "a floor's client must be as fast as the floor: {written:?}");
    }
    Ok(())
}

/// The body of the first request, if all of it is there, and how long the request is.
fn body(requests: &[u8]) -> Result<Option<(Vec<u8>, usize)>> {
    let Some(end) = memmem::find(requests, b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&requests[..end])?;
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let length: usize = length.context("a broadcast has a length")?.parse()?;
    let (begin, end) = (end + 4, end + 4 + length);
    Ok(requests.get(begin..end).map(|body| (body.to_vec(), end)))
}

/// The text frame that Forebay would send.
fn frame(floor: &Floor, html: &[u8]) -> Vec<u8> {
    let message = serde_json::to_string(&String::from_utf8_lossy(html)).unwrap_or_default();
    let length = floor.before.len() + message.len() + floor.after.len();
    let mut frame = frames::head(1, 0, length);
    let _ = write!(frame, "{}{message}{}", floor.before, floor.after);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_cut_where_they_end() {
        let two = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nokPOST / HTTP/1.1\r\n";
        let (first, length) = body(two).unwrap().expect("it is whole");
        assert_eq!((first.as_slice(), &two[length..]), (&b"ok"[..], &b"POST / HTTP/1.1\r\n"[..]));
        assert_eq!(body(&two[length..]).unwrap(), None);
        assert_eq!(body(&two[..length - 1]).unwrap(), None);
    }
}
