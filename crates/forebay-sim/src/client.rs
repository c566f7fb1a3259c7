//! A page's client: the stock one, which can only repeat its cursor, or ours, which says where it is.

use forebay_log::Position;

use crate::frames::{Frame, Frames, masked};
use crate::socket::Shared;
use crate::variant::Variant;

/// Which client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Protocol {
    /// `actioncable-v1-json`: its network stack answers Pings, it knows nothing.
    Stock,
    /// `forebay-v1-json`.
    Forebay,
}

/// One tag.
#[derive(Clone, Debug)]
pub(crate) struct Tag {
    /// The stream.
    pub(crate) stream: usize,
    /// Names it to the server; the same for as long as the page lives.
    pub(crate) identifier: String,
    /// What our own client has received.
    received: Option<Position>,
    number: u64,
}

/// What came.
#[derive(Debug)]
pub(crate) enum Came {
    /// An entry, by stream and serial number.
    Entry(usize, usize),
    /// The page lacks something and was told so.
    Resync,
    /// The page may not read this any more.
    Rejected,
    /// The server ends the connection.
    Disconnected,
    /// Something was missing, and the client noticed.
    Gap,
    /// A subscription stands.
    Confirmed,
}

/// One connection of a page.
#[derive(Debug)]
pub(crate) struct Client {
    protocol: Protocol,
    line: Shared,
    frames: Frames,
    /// When it last heard of its server.
    pub(crate) heard: u64,
    is_welcomed: bool,
}

impl Tag {
    /// A tag of a page that was rendered at `cursor`.
    pub(crate) fn new(stream: usize, cursor: Position, page: u64) -> Self {
        let identifier =
            format!(r#"{{"channel":"T","stream":{stream},"cursor":"{cursor}","page":{page}}}"#);
        Self { stream, identifier, received: Some(cursor), number: 0 }
    }

    fn is_of(&self, page: &str) -> bool {
        field(&self.identifier, r#""page":"#, '}') == Some(page)
    }

    /// The same tag in the same HTML, alive once more: where it stands is what it says.
    pub(crate) fn again(&self) -> Self {
        let cursor = field(&self.identifier, r#""cursor":""#, '"').and_then(|c| c.parse().ok());
        Self { received: cursor, number: 0, ..self.clone() }
    }

    /// As a client does that forgets where it was.
    fn forget(&mut self) {
        if let Some(at) = self.identifier.find(r#","cursor""#) {
            self.identifier.truncate(at);
            self.identifier.push('}');
        }
        self.received = None;
    }
}

impl Client {
    /// A new connection. The server speaks first.
    pub(crate) fn new(protocol: Protocol, line: Shared, now: u64) -> Self {
        Self { protocol, line, frames: Frames::default(), heard: now, is_welcomed: false }
    }

    /// The line.
    pub(crate) fn line(&self) -> &Shared {
        &self.line
    }

    fn send(&self, opcode: u8, payload: &[u8]) {
        self.line.lock().expect("one thread").send(masked(opcode, payload));
    }

    /// Its page is left.
    pub(crate) fn unload(&self) {
        self.send(8, &1001_u16.to_be_bytes());
    }

    /// Subscribes to tags that are new on this connection, and leaves others.
    pub(crate) fn change(&self, gone: &[Tag], new: &[Tag]) {
        if !self.is_welcomed {
            return;
        }
        let gone = gone.iter().map(|tag| ("unsubscribe", tag));
        let commands =
            gone.chain(new.iter().map(|tag| ("subscribe", tag))).map(|(command, tag)| {
                let identifier = serde_json::to_string(&tag.identifier).expect("it is a string");
                let after = match (self.protocol, command, tag.received) {
                    (Protocol::Forebay, "subscribe", Some(at)) => format!(r#","after":"{at}""#),
                    _ => String::new(),
                };
                format!(r#"{{"command":"{command}","identifier":{identifier}{after}}}"#)
            });
        if self.protocol == Protocol::Forebay {
            let commands: Vec<_> = commands.collect();
            self.send(1, format!("[{}]", commands.join(",")).as_bytes());
        } else {
            commands.for_each(|command| self.send(1, command.as_bytes()));
        }
    }

    /// Takes what has arrived, at most so many bytes.
    pub(crate) fn receive(
        &mut self,
        now: u64,
        max: usize,
        tags: &mut [Tag],
        variant: Variant,
        rng: &mut fastrand::Rng,
    ) -> Vec<Came> {
        let bytes = self.line.lock().expect("one thread").receive(max);
        let mut came = Vec::new();
        if bytes.is_empty() {
            return came;
        }
        self.heard = now;
        for frame in self.frames.push(&bytes) {
            match frame {
                Frame::Ping(payload) => self.send(10, &payload),
                Frame::Close => came.push(Came::Disconnected),
                Frame::Text(text) => self.hear(&text, tags, variant, rng, &mut came),
            }
            // It turns away from this connection: what else is on it, it does not take.
            if matches!(came.last(), Some(Came::Gap | Came::Disconnected)) {
                break;
            }
        }
        came
    }

    fn hear(
        &mut self,
        text: &str,
        tags: &mut [Tag],
        variant: Variant,
        rng: &mut fastrand::Rng,
        came: &mut Vec<Came>,
    ) {
        if let Some(rest) = text.strip_prefix(r#"{"s":"#) {
            // A broker between server and client that loses one now and then.
            if variant.loses_entries() && rng.u32(..200) == 0 {
                return;
            }
            came.extend(take_entry(rest, tags, variant));
            return;
        }
        // Of a tag that the page no longer has: nobody listens.
        let page = field(text, r#"\"page\":"#, '}');
        if page.is_some_and(|page| tags.iter().all(|tag| !tag.is_of(page))) {
            return;
        }
        let kind = field(text, r#""type":""#, '"').unwrap_or_default();
        match kind {
            "welcome" => {
                self.is_welcomed = true;
                if variant == Variant::LostPosition && rng.u32(..3) == 0 {
                    tags.iter_mut().for_each(Tag::forget);
                }
                self.change(&[], tags);
            }
            "confirm_subscription" => {
                let number = field(text, r#""s":"#, ',').and_then(|s| s.parse().ok());
                let at = field(text, r#""at":""#, '"').and_then(|at| at.parse().ok());
                if let Some(tag) = named(text, tags) {
                    tag.number = number.unwrap_or_default();
                    tag.received = at.or(tag.received);
                }
                came.push(Came::Confirmed);
                if text.contains(r#""resync":true"#) {
                    came.push(Came::Resync);
                }
            }
            "reject_subscription" => came.push(Came::Rejected),
            "resync" => {
                let at = field(text, r#""at":""#, '"').and_then(|at| at.parse().ok());
                if let Some(tag) = named(text, tags) {
                    tag.received = at.or(tag.received);
                }
                came.push(Came::Resync);
            }
            "disconnect" => came.push(Came::Disconnected),
            "ping" => {}
            _ => match field(text, r#""message":""#, '"') {
                Some("refresh") => came.push(Came::Resync),
                Some(message) => came.extend(entry(message)),
                None => {}
            },
        }
    }
}

/// Our client's queue, as far as it decides what is shown.
fn take_entry(rest: &str, tags: &mut [Tag], variant: Variant) -> Option<Came> {
    let number: u64 = rest.split(',').next()?.parse().ok()?;
    let offset: u64 = field(rest, r#""o":"#, ',')?.parse().ok()?;
    let previous: u64 = field(rest, r#""p":"#, ',')?.parse().ok()?;
    let tag = tags.iter_mut().find(|tag| tag.number == number)?;
    let received = tag.received.as_mut()?;
    if offset <= received.offset.0 {
        return None;
    }
    if previous > received.offset.0 && variant != Variant::LaxContiguity {
        return Some(Came::Gap);
    }
    received.offset.0 = offset;
    entry(field(rest, r#""m":""#, '"')?)
}

fn entry(message: &str) -> Option<Came> {
    let (stream, serial) = message.split_once(':')?;
    Some(Came::Entry(stream.parse().ok()?, serial.parse().ok()?))
}

fn field<'a>(text: &'a str, name: &str, end: char) -> Option<&'a str> {
    let from = text.find(name)? + name.len();
    let rest = &text[from..];
    Some(&rest[..rest.find(end).unwrap_or(rest.len())])
}

fn named<'a>(text: &str, tags: &'a mut [Tag]) -> Option<&'a mut Tag> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let identifier = value["identifier"].as_str()?.to_owned();
    tags.iter_mut().find(|tag| tag.identifier == identifier)
}
