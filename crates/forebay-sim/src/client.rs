//! One connection of a page: its client's side.
//!
//! Four kinds: the stock one, which can only repeat its cursor; ours, which says where it is, over
//! any of its transports; AnyCable's, which says where it is by stream; and the browser's own
//! `EventSource`.

use std::collections::VecDeque;

use forebay_log::Position;
use serde_json::value::RawValue;

use crate::frames::{Frame, Frames, masked};
use crate::page::{Memory, Tag};
use crate::present::HERE;
use crate::rooms::name_of;
use crate::socket::Shared;
use crate::variant::Variant;

/// Which client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Protocol {
    /// `actioncable-v1-json`: its network stack answers Pings, it knows nothing.
    Stock,
    /// `forebay-v1-json`.
    Forebay,
    /// `actioncable-v1-ext-json`.
    AnyCable,
    /// `text/event-stream`, in Turbo's HTML.
    EventSource,
}

/// How it reaches its server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Transport {
    WebSocket,
    /// `POST /forebay/events`
    Events,
    /// `POST /forebay/poll`
    Poll,
    /// `GET /forebay/events`
    Source,
}

/// What came.
#[derive(Debug)]
pub(crate) enum Came {
    /// An entry: of which life of the log, of which stream, and which one of it.
    Entry(u64, usize, usize),
    /// Somebody has come, or left, or said something else of themselves.
    Change(String),
    /// The page lacks something and was told so: what it reads, and where it stood then.
    Resync(Vec<(usize, Position)>),
    /// The page may not read this any more.
    Rejected,
    /// The server ends the connection.
    Disconnected,
    /// The same, and says that it does.
    Dismissed,
    /// The answer is complete: time to ask again.
    Answered,
    /// Something was missing, and the client noticed.
    Gap,
    /// Something came that the client has, or that begins before what it has; it noticed.
    Again,
    /// A subscription stands.
    Confirmed,
    /// Subscriptions of its session before stand again.
    Restored,
    /// AnyCable's client says of its other subscriptions where they stand.
    Welcomed,
}

/// What the network stack has and the page has not heard yet.
#[derive(Debug)]
enum Heard {
    Message(String),
    Event(String),
    Came(Came),
}

/// What a page hears with.
pub(crate) struct Ears<'a> {
    /// Its tags.
    pub(crate) tags: &'a mut [Tag],
    /// What its script remembers.
    pub(crate) memory: &'a mut Memory,
    /// The design.
    pub(crate) variant: Variant,
    /// Chance.
    pub(crate) rng: &'a mut fastrand::Rng,
    /// Its own clock, in seconds.
    pub(crate) seconds: u64,
}

/// One connection of a page.
#[derive(Debug)]
pub(crate) struct Client {
    protocol: Protocol,
    transport: Transport,
    line: Shared,
    frames: Frames,
    /// Of an answer over HTTP: what is not complete yet.
    text: Vec<u8>,
    /// Its status has come.
    is_answered: bool,
    inbox: VecDeque<Heard>,
    is_welcomed: bool,
}

impl Client {
    /// A new connection. Over WebSocket the server speaks first.
    pub(crate) fn new(protocol: Protocol, transport: Transport, line: Shared) -> Self {
        Self {
            protocol,
            transport,
            line,
            frames: Frames::default(),
            text: Vec::new(),
            is_answered: false,
            inbox: VecDeque::new(),
            is_welcomed: false,
        }
    }

    /// The line.
    pub(crate) fn line(&self) -> &Shared {
        &self.line
    }

    /// How it reaches its server.
    pub(crate) fn transport(&self) -> Transport {
        self.transport
    }

    fn send(&self, opcode: u8, payload: &[u8]) {
        self.line.lock().expect("one thread").send(masked(opcode, payload));
    }

    /// Its page is left.
    pub(crate) fn unload(&self) {
        if self.transport == Transport::WebSocket {
            self.send(8, &1001_u16.to_be_bytes());
        }
    }

    /// Its page takes it for dead, and lives on.
    pub(crate) fn close(&self) {
        if self.transport == Transport::WebSocket {
            self.send(8, &[]);
        }
    }

    /// Over HTTP: says all at once.
    pub(crate) fn ask(&self, tags: &[Tag], memory: &Memory, variant: Variant) {
        let request = match self.transport {
            Transport::WebSocket => return,
            Transport::Source => {
                let query = tags.iter().flat_map(|tag| {
                    let in_url = variant != Variant::LostEventId;
                    let cursor = in_url.then(|| format!("cursor={}", tag.cursor));
                    [Some(format!("stream=stream+{}", tag.stream)), cursor]
                });
                let query = query.flatten().collect::<Vec<_>>().join("&");
                let last = memory.last_event_id.as_deref().unwrap_or_default();
                format!("{query}\t{last}\t")
            }
            Transport::Events | Transport::Poll => {
                let quiet = |tag: &Tag| {
                    self.transport == Transport::Poll && memory.confirmed.contains(&tag.identifier)
                };
                let commands = tags.iter().map(|tag| self.subscribe(tag, quiet(tag), memory));
                let commands: Vec<_> = commands.collect();
                // The first answer is wanted at once, to find out whether anything comes back at all.
                let wait = if memory.confirmed.is_empty() { 0 } else { 25 };
                format!("wait={wait}\t\t[{}]", commands.join(","))
            }
        };
        self.line.lock().expect("one thread").send(format!("{request}\n").into_bytes());
    }

    /// Subscribes to tags that are new on this connection, and leaves others. False if it takes
    /// another connection.
    pub(crate) fn change(&self, gone: &[Tag], new: &[Tag], memory: &Memory) -> bool {
        if self.transport != Transport::WebSocket {
            return false;
        }
        if !self.is_welcomed {
            return true;
        }
        let gone = gone.iter().map(|tag| command("unsubscribe", tag, ""));
        let commands = gone.chain(new.iter().map(|tag| self.subscribe(tag, false, memory)));
        if self.protocol == Protocol::Forebay {
            let commands: Vec<_> = commands.collect();
            self.send(1, format!("[{}]", commands.join(",")).as_bytes());
        } else {
            commands.for_each(|command| self.send(1, command.as_bytes()));
        }
        true
    }

    fn subscribe(&self, tag: &Tag, quiet: bool, memory: &Memory) -> String {
        let mut rest = match (self.protocol, tag.received) {
            (Protocol::Forebay, Some(at)) => format!(r#","after":"{at}""#),
            (Protocol::AnyCable, _) => history(tag, memory),
            _ => String::new(),
        };
        if quiet {
            rest.push_str(r#","quiet":true"#);
        }
        command("subscribe", tag, &rest)
    }

    /// The network stack takes what has arrived, at most so many bytes. True if anything has.
    pub(crate) fn pull(&mut self, max: usize) -> bool {
        let (bytes, is_over) = {
            let mut line = self.line.lock().expect("one thread");
            (line.receive(max), line.is_over())
        };
        if self.transport == Transport::WebSocket {
            for frame in self.frames.push(&bytes) {
                match frame {
                    Frame::Ping(payload) => self.send(10, &payload),
                    Frame::Close => self.inbox.push_back(Heard::Came(Came::Disconnected)),
                    Frame::Text(text) => self.inbox.push_back(Heard::Message(text)),
                }
            }
        } else {
            self.text.extend_from_slice(&bytes);
            self.pull_answer(is_over);
        }
        !bytes.is_empty()
    }

    fn pull_answer(&mut self, is_over: bool) {
        if !self.is_answered {
            let Some(end) = self.text.iter().position(|byte| *byte == b'\n') else { return };
            let status: Vec<u8> = self.text.drain(..=end).collect();
            self.is_answered = true;
            match &*status {
                b"200\n" => {}
                b"403\n" => self.inbox.push_back(Heard::Came(Came::Rejected)),
                _ => self.inbox.push_back(Heard::Came(Came::Disconnected)),
            }
        }
        if self.transport == Transport::Poll {
            if is_over {
                // An answer that was cut off is none.
                let text = std::mem::take(&mut self.text);
                let messages: Vec<Box<RawValue>> =
                    serde_json::from_slice(&text).unwrap_or_default();
                let messages = messages.into_iter();
                self.inbox.extend(messages.map(|text| Heard::Message(text.get().to_owned())));
                self.inbox.push_back(Heard::Came(Came::Answered));
            }
            return;
        }
        while let Some(end) = self.text.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = self.text.drain(..end + 2).collect();
            let event = String::from_utf8(event).unwrap_or_default();
            self.inbox.push_back(match event.strip_prefix("data: ") {
                Some(text) if self.transport == Transport::Events => {
                    Heard::Message(text.trim_end().to_owned())
                }
                _ => Heard::Event(event),
            });
        }
        if is_over {
            self.inbox.push_back(Heard::Came(Came::Disconnected));
        }
    }

    /// The page hears what its network stack has.
    pub(crate) fn hear(&mut self, ears: &mut Ears<'_>) -> Vec<Came> {
        let mut came = Vec::new();
        while let Some(heard) = self.inbox.pop_front() {
            match heard {
                Heard::Message(text) => self.hear_message(&text, ears, &mut came),
                Heard::Event(text) => hear_event(&text, ears, &mut came),
                Heard::Came(what) => came.push(what),
            }
            // It turns away from this connection: what else is on it, it does not take.
            let is_over = matches!(
                came.last(),
                Some(Came::Gap | Came::Disconnected | Came::Dismissed | Came::Answered)
            );
            if is_over {
                break;
            }
        }
        if ears.variant == Variant::ByStream {
            by_stream(&mut came);
        }
        came
    }

    fn hear_message(&mut self, text: &str, ears: &mut Ears<'_>, came: &mut Vec<Came>) {
        let variant = ears.variant;
        if let Some(rest) = text.strip_prefix(r#"{"s":"#) {
            // Between server and client one is lost now and then, or comes twice.
            if variant.loses_entries() && ears.rng.u32(..200) == 0 {
                return;
            }
            came.extend(take_entry(rest, ears.tags, variant));
            if variant == Variant::Repeated && ears.rng.u32(..200) == 0 {
                came.extend(take_entry(rest, ears.tags, variant));
            }
            return;
        }
        let at = || field(text, r#""at":""#, '"').and_then(|at| at.parse().ok());
        let kind = field(text, r#""type":""#, '"').unwrap_or_default();
        if kind == "welcome" {
            self.welcome(text, ears, came);
            return;
        }
        // Of a tag that the page no longer has: nobody listens.
        let page = field(text, r#"\"page\":"#, '}');
        if page.is_some_and(|page| ears.tags.iter().all(|tag| !tag.is_of(page))) {
            return;
        }
        match kind {
            "confirm_subscription" => {
                let stands = self.stands(text, ears);
                let number = field(text, r#""s":"#, ',').and_then(|s| s.parse().ok());
                if let Some(tag) = named(text, ears.tags) {
                    tag.number = number.unwrap_or_default();
                    tag.received = at().or(tag.received);
                    ears.memory.confirmed.insert(tag.identifier.clone());
                }
                came.push(Came::Confirmed);
                if text.contains(r#""resync":true"#) {
                    came.push(Came::Resync(stands));
                }
            }
            "reject_subscription" => came.push(Came::Rejected),
            "resync" => {
                came.push(Came::Resync(self.stands(text, ears)));
                if let Some(tag) = named(text, ears.tags) {
                    tag.received = at().or(tag.received);
                }
            }
            "rewind" => {
                let number = field(text, r#""s":"#, ',').and_then(|s| s.parse().ok());
                let mut tags = ears.tags.iter_mut();
                if let Some(tag) = tags.find(|tag| number == Some(tag.number)) {
                    tag.received = at().or(tag.received);
                }
            }
            "reject_history" => came.push(Came::Resync(self.stands(text, ears))),
            "confirm_history" | "pong" => {}
            "disconnect" => {
                ears.memory.sid = None;
                came.push(Came::Dismissed);
            }
            "ping" => ears.memory.since = ears.seconds,
            _ => match field(text, r#""message":""#, '"') {
                Some("refresh") => came.push(Came::Resync(self.stands(text, ears))),
                Some(message) => {
                    if self.protocol == Protocol::AnyCable {
                        note_position(text, ears.tags);
                    }
                    came.extend(entry(message));
                }
                None => {}
            },
        }
    }

    /// Where the tag that a message names stands. A server need not believe more than its cursor of a
    /// client that isn't ours.
    fn stands(&self, text: &str, ears: &mut Ears<'_>) -> Vec<(usize, Position)> {
        let Some(tag) = named(text, ears.tags) else { return Vec::new() };
        let at = match self.protocol {
            Protocol::Forebay => tag.received,
            _ if tag.has_cursor() => Some(tag.cursor),
            _ => tag.received,
        };
        at.map(|at| (tag.stream, at)).into_iter().collect()
    }

    fn welcome(&mut self, text: &str, ears: &mut Ears<'_>, came: &mut Vec<Came>) {
        if self.transport != Transport::WebSocket {
            return;
        }
        self.is_welcomed = true;
        let restored = if self.protocol == Protocol::AnyCable {
            let welcome: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
            ears.memory.sid = welcome["sid"].as_str().map(str::to_owned);
            welcome["restored_ids"].as_array().cloned().unwrap_or_default()
        } else {
            Vec::new()
        };
        let is_restored = |tag: &Tag| restored.iter().any(|id| *id == *tag.identifier);
        for id in restored.iter().filter_map(|id| id.as_str()) {
            let known = ears.tags.iter().find(|tag| tag.identifier == id);
            let command = if let Some(tag) = known {
                command("history", tag, &history(tag, ears.memory))
            } else {
                let identifier = serde_json::to_string(id).expect("it is a string");
                format!(r#"{{"command":"unsubscribe","identifier":{identifier}}}"#)
            };
            self.send(1, command.as_bytes());
        }
        let new: Vec<_> = ears.tags.iter().filter(|tag| !is_restored(tag)).cloned().collect();
        self.change(&[], &new, ears.memory);
        if !restored.is_empty() {
            came.push(Came::Restored);
        }
        if self.protocol == Protocol::AnyCable && !new.is_empty() {
            came.push(Came::Welcomed);
        }
    }
}

/// What came at once, one stream after the other.
fn by_stream(came: &mut [Came]) {
    let runs = came.chunk_by_mut(|a, b| matches!((a, b), (Came::Entry(..), Came::Entry(..))));
    for run in runs {
        run.sort_by_key(|came| match came {
            Came::Entry(_, stream, _) => *stream,
            _ => 0,
        });
    }
}

fn command(command: &str, tag: &Tag, rest: &str) -> String {
    let identifier = serde_json::to_string(&tag.identifier).expect("it is a string");
    format!(r#"{{"command":"{command}","identifier":{identifier}{rest}}}"#)
}

/// As `@anycable/core` asks: from its position, and since the last ping by its own clock.
fn history(tag: &Tag, memory: &Memory) -> String {
    let streams = tag.received.map_or(String::new(), |Position { epoch, offset }| {
        let name = serde_json::to_string(&name_of(tag.stream)).expect("it is a string");
        format!(r#"{name}:{{"epoch":"{:x}","offset":{offset}}}"#, epoch.0)
    });
    format!(r#","history":{{"since":{},"streams":{{{streams}}}}}"#, memory.since)
}

fn note_position(text: &str, tags: &mut [Tag]) {
    let value: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let epoch = value["epoch"].as_str().unwrap_or_default();
    let position = format!("{epoch}.{}", value["offset"]).parse().ok();
    if let (Some(tag), Some(position)) = (named(text, tags), position) {
        tag.received = Some(position);
    }
}

/// As a browser reads an event (the HTML standard, section 9.2.6).
fn hear_event(event: &str, ears: &mut Ears<'_>, came: &mut Vec<Came>) {
    let (mut data, mut name) = (String::new(), "");
    for line in event.lines() {
        match line.split_once(": ") {
            Some(("id", id)) => ears.memory.last_event_id = Some(id.to_owned()),
            Some(("data", line)) => data.push_str(line),
            Some(("event", event)) => name = event,
            _ => {}
        }
    }
    match name {
        "reject" => came.push(Came::Rejected),
        "" if data == "refresh" => {
            let last = ears.memory.last_event_id.as_ref().and_then(|id| id.parse().ok());
            let stands = ears.tags.iter().map(|tag| (tag.stream, last.unwrap_or(tag.cursor)));
            came.push(Came::Resync(stands.collect()));
        }
        "" => came.extend(entry(&data)),
        _ => {}
    }
}

/// Our client's queue, as far as it decides what is shown.
fn take_entry(rest: &str, tags: &mut [Tag], variant: Variant) -> Option<Came> {
    let number: u64 = rest.split(',').next()?.parse().ok()?;
    let offset: u64 = field(rest, r#""o":"#, ',')?.parse().ok()?;
    let previous: u64 = field(rest, r#""p":"#, ',')?.trim_end_matches('}').parse().ok()?;
    let tag = tags.iter_mut().find(|tag| tag.number == number)?;
    let received = tag.received.as_mut()?;
    if offset <= received.offset.0 || previous < received.offset.0 {
        return Some(Came::Again);
    }
    if previous > received.offset.0 && variant != Variant::LaxContiguity {
        return Some(Came::Gap);
    }
    received.offset.0 = offset;
    entry(field(rest, r#""m":""#, '"')?)
}

fn entry(message: &str) -> Option<Came> {
    if message.starts_with(HERE) {
        return Some(Came::Change(message.to_owned()));
    }
    let mut numbers = message.split(':').map(str::parse::<usize>);
    let mut next = || numbers.next()?.ok();
    Some(Came::Entry(next()? as u64, next()?, next()?))
}

pub(crate) fn field<'a>(text: &'a str, name: &str, end: char) -> Option<&'a str> {
    let from = text.find(name)? + name.len();
    let rest = &text[from..];
    Some(&rest[..rest.find(end).unwrap_or(rest.len())])
}

fn named<'a>(text: &str, tags: &'a mut [Tag]) -> Option<&'a mut Tag> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let identifier = value["identifier"].as_str()?.to_owned();
    tags.iter_mut().find(|tag| tag.identifier == identifier)
}
