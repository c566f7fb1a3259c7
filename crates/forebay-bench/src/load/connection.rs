//! One client: from its request to its last entry.

use std::io;
use std::ops::Range;

use memchr::memmem;

use super::dialect::{Dialect, Meaning, Target};
use super::frames::{self, Incoming};
use super::source::Source;
use super::work::Faults;
use crate::marker::{self, now};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Connecting,
    Opening,
    Subscribing,
    Live,
    /// The server ended or refused it.
    Lost,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: Source,
    pub(super) state: State,
    /// Where it gets entries from, and what else it has yet to subscribe to.
    pub(super) stream: usize,
    others: Range<usize>,
    /// Which of all pages it belongs to.
    page: usize,
    /// When it began to connect.
    pub(super) began: u64,
    /// The number of the entry that it must get next; any, if it begins in the middle of a stream or
    /// was told to load its page again.
    next: Option<u64>,
    pub(super) refreshes: u64,
    /// It reads no faster than this, in bytes a second.
    pub(super) slow: Option<usize>,
    /// What has been received of a message that is not whole.
    partial: Vec<u8>,
}

/// What one reading found.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Entries' publishing times.
    pub(super) entries: Vec<u64>,
    pub(super) bytes: u64,
    pub(super) faults: Faults,
    pub(super) became_live: bool,
}

impl Connection {
    /// Of the `page`th page, which begins now.
    pub(super) fn new(
        socket: Source,
        page: usize,
        streams: Range<usize>,
        next: Option<u64>,
    ) -> Self {
        Self {
            socket,
            state: State::Connecting,
            stream: streams.start,
            others: streams.start + 1..streams.end,
            page,
            began: now(),
            next,
            refreshes: 0,
            slow: None,
            partial: Vec::new(),
        }
    }

    pub(super) fn open(&mut self, target: &Target) -> io::Result<()> {
        self.socket.error()?;
        self.say(&target.request(self.stream))?;
        self.state = State::Opening;
        Ok(())
    }

    /// Reads once into `buffer`.
    pub(super) fn receive(
        &mut self,
        target: &Target,
        buffer: &mut [u8],
        heard: &mut Heard,
    ) -> io::Result<()> {
        let Some(read) = self.socket.read(buffer)? else { return Ok(()) };
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        heard.bytes += read as u64;
        if self.partial.is_empty() {
            let rest = self.hear(target, &buffer[..read], heard)?;
            if rest < read {
                self.partial = buffer[rest..read].to_vec();
            }
        } else {
            let mut bytes = std::mem::take(&mut self.partial);
            bytes.extend_from_slice(&buffer[..read]);
            let rest = self.hear(target, &bytes, heard)?;
            bytes.drain(..rest);
            if !bytes.is_empty() {
                self.partial = bytes;
            }
        }
        Ok(())
    }

    /// Handles all that is whole; how many bytes that was.
    fn hear(&mut self, target: &Target, bytes: &[u8], heard: &mut Heard) -> io::Result<usize> {
        let mut rest = bytes;
        if self.state == State::Opening {
            let Some(end) = memmem::find(bytes, b"\r\n\r\n") else { return Ok(0) };
            let expected = if target.dialect == Dialect::Events { "200" } else { "101" };
            let status = bytes.get(9..12).unwrap_or_default();
            if status != expected.as_bytes() {
                let answer = String::from_utf8_lossy(&bytes[..end]);
                return Err(io::Error::other(format!("refused: {answer}")));
            }
            rest = &bytes[end + 4..];
            self.state = State::Subscribing;
            self.act(target, target.opening(self.stream), heard)?;
        }
        let next = match target.dialect {
            Dialect::Events => frames::event,
            _ => frames::websocket,
        };
        while let Some((incoming, after)) = next(rest) {
            rest = after;
            match incoming {
                Incoming::Message(message) => self.hear_message(target, message, heard)?,
                Incoming::Ping(payload) => self.say(&frames::masked(10, payload))?,
                Incoming::Close(payload) => return Err(io::Error::other(frames::reason(payload))),
            }
        }
        Ok(bytes.len() - rest.len())
    }

    fn hear_message(
        &mut self,
        target: &Target,
        message: &[u8],
        heard: &mut Heard,
    ) -> io::Result<()> {
        let mut entries = 0;
        let mut unread = message;
        while let Some((found, rest)) = marker::find(unread) {
            let next = self.next.unwrap_or(found.number);
            heard.faults.missing += found.number.saturating_sub(next);
            heard.faults.doubled += u64::from(found.number < next);
            self.next = Some(next.max(found.number + 1));
            heard.entries.push(found.at);
            unread = rest;
            entries += 1;
        }
        // Centrifugo joins messages, so that a ping may be among entries, and a confirmation before them.
        if entries == 0 || target.dialect == Dialect::Centrifugo {
            if memmem::find(message, b"refresh").is_some() {
                self.refreshes += 1;
                self.next = None;
            }
            self.act(target, target.hear(message, self.stream, self.page), heard)?;
        }
        Ok(())
    }

    fn act(&mut self, target: &Target, meaning: Meaning, heard: &mut Heard) -> io::Result<()> {
        match meaning {
            Meaning::Nothing => {}
            Meaning::Say(text) => self.say(&frames::masked(1, text.as_bytes()))?,
            Meaning::Subscribed => {
                if let Some(other) = self.others.next() {
                    self.say(&frames::masked(1, target.subscribe(other, self.page).as_bytes()))?;
                } else {
                    heard.became_live |= self.state != State::Live;
                    self.state = State::Live;
                }
            }
            Meaning::Refused => return Err(io::Error::other("the server refuses to subscribe")),
        }
        Ok(())
    }

    /// Clients say so little that a socket always takes it at once.
    fn say(&self, bytes: &[u8]) -> io::Result<()> {
        if self.socket.write(bytes)? < bytes.len() {
            return Err(io::Error::other("the server does not read what a client says"));
        }
        Ok(())
    }
}
