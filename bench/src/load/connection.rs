//! One client: from its request to its last entry.

use std::collections::VecDeque;
use std::io;

use memchr::memmem;

use super::dialect::{Dialect, Meaning, Page, Target};
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
    /// Where it gets entries from.
    pub(super) stream: usize,
    /// Its first words, and what it has yet to subscribe to: both are gone as soon as they are said.
    request: Vec<u8>,
    subscribes: VecDeque<Vec<u8>>,
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
    /// Of this page, which begins now.
    pub(super) fn new(socket: Source, page: Page, next: Option<u64>) -> Self {
        Self {
            socket,
            state: State::Connecting,
            stream: page.stream,
            request: page.request,
            subscribes: page.subscribes,
            began: now(),
            next,
            refreshes: 0,
            slow: None,
            partial: Vec::new(),
        }
    }

    pub(super) fn open(&mut self) -> io::Result<()> {
        self.socket.error()?;
        let request = std::mem::take(&mut self.request);
        self.say(&request)?;
        self.state = State::Opening;
        Ok(())
    }

    /// Reads once into `buffer`; how much.
    pub(super) fn receive(
        &mut self,
        target: &Target,
        buffer: &mut [u8],
        heard: &mut Heard,
    ) -> io::Result<usize> {
        let Some(read) = self.socket.read(buffer)? else { return Ok(0) };
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
        Ok(read)
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
            self.act(target.opened(), heard)?;
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
            self.act(target.hear(message), heard)?;
        }
        Ok(())
    }

    fn act(&mut self, meaning: Meaning, heard: &mut Heard) -> io::Result<()> {
        match meaning {
            Meaning::Nothing => {}
            Meaning::Subscribe => self.subscribe()?,
            Meaning::Say(text) => self.say(&frames::masked(1, text.as_bytes()))?,
            Meaning::Subscribed => {
                if self.subscribes.is_empty() {
                    heard.became_live |= self.state != State::Live;
                    self.state = State::Live;
                } else {
                    self.subscribe()?;
                }
            }
            Meaning::Refused => return Err(io::Error::other("the server refuses to subscribe")),
        }
        Ok(())
    }

    fn subscribe(&mut self) -> io::Result<()> {
        let frame = self.subscribes.pop_front().unwrap_or_default();
        self.say(&frame)
    }

    /// Clients say so little that a socket always takes it at once.
    fn say(&self, bytes: &[u8]) -> io::Result<()> {
        if self.socket.write(bytes)? < bytes.len() {
            return Err(io::Error::other("the server does not read what a client says"));
        }
        Ok(())
    }
}
