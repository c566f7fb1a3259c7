//! Server-sent events (the HTML standard, section 9.2), for pages without a script of ours. The browser keeps
//! one position for all that it reads: the id of the last event.

use std::borrow::Cow;

use bytes::Bytes;
use forebay_log::{Epoch, Offset, Position, StreamId, UnixMillis};
use smallvec::{SmallVec, smallvec};

use super::{Around, Dialect, Lack, Manner, Positions, Recipient, UNHEALED, check};
use crate::close::{DisconnectReason, RejectReason};
use crate::command::{Command, CommandError, Terms};
use crate::ids::{SessionId, SubscriptionId};
use crate::wire::{self, Envelope, Part, Wrap};

/// A second, for servers that restart. Browsers wait three or five by themselves.
const WELCOME: &[u8] = b"retry: 1000\n\n";

const ALIVE: &[u8] = b":\n\n";

#[derive(Debug)]
pub(super) struct EventSource {
    epoch: Epoch,
    /// Everything up to here has been sent, on all streams.
    through: Offset,
    /// The last id that was sent.
    told: Offset,
}

impl EventSource {
    pub(super) fn new(epoch: Epoch) -> Self {
        Self { epoch, through: Offset::ZERO, told: Offset::ZERO }
    }

    fn at(&self, offset: Offset) -> Position {
        Position { epoch: self.epoch, offset }
    }
}

impl Dialect for EventSource {
    fn manner(&self) -> Manner {
        Manner {
            positions: Positions::Single,
            heals_itself: false,
            follows: true,
            shares_frames: false,
        }
    }

    /// The client says nothing: these commands are made of its request.
    fn decode(&self, text: &str) -> Result<Vec<Command>, CommandError> {
        check(Command::decode_all(text)?, Terms::keep_position_only, |_| false)
    }

    fn welcome(&self, _: SessionId, _: u64) -> Bytes {
        Bytes::from_static(WELCOME)
    }

    fn ping(&mut self, _: UnixMillis) -> Bytes {
        let moved = self.through > self.told;
        self.told = self.told.max(self.through);
        ping(moved.then_some(self.at(self.told)))
    }

    fn disconnect(&self, reason: DisconnectReason, reconnect: bool) -> Bytes {
        named("disconnect", &wire::disconnect(reason, reconnect))
    }

    fn confirm(&self, _: Recipient<'_>, _: Option<Offset>, _: Option<u64>) -> Bytes {
        Bytes::new()
    }

    fn reject(&self, envelope: &Envelope, reason: RejectReason) -> Bytes {
        named("reject", &wire::reject_with_reason(envelope, reason))
    }

    fn message(&self, _: &Envelope, json: &[u8]) -> Bytes {
        let mut bytes = Vec::new();
        content(&mut bytes, json);
        bytes.into()
    }

    fn wrap<'a>(&'a self, _: Recipient<'a>, _: StreamId, entry: Around<'_>) -> Option<Wrap<'a>> {
        let mut bytes = format!("id: {}\n", self.at(entry.offset)).into_bytes();
        content(&mut bytes, entry.message?.bytes());
        let (before, after) = (Part::Made(bytes.into()), Part::Kept(b""));
        Some(Wrap { shared: b"", before, after, is_retold: true })
    }

    fn lost(&mut self, lack: &Lack<'_>) -> SmallVec<[Bytes; 2]> {
        self.told = lack.newest;
        let at = self.at(lack.newest);
        let mut bytes = Vec::new();
        // Turbo's refresh first: a browser that has got the id only would never ask for it again.
        if lack.tells {
            content(&mut bytes, lack.resync.json());
        }
        bytes.extend_from_slice(format!("event: resync\nid: {at}\ndata: {at}\n\n").as_bytes());
        smallvec![bytes.into()]
    }

    fn unhealed(&self, _: &Envelope) -> Bytes {
        named("unhealed", UNHEALED)
    }

    fn sent(&mut self, offset: Offset) {
        self.told = offset;
    }

    fn caught_up(&mut self, head: Offset) -> Vec<SubscriptionId> {
        self.through = self.through.max(head);
        Vec::new()
    }
}

/// Comments keep the connection open; an id without data moves `Last-Event-ID` on.
fn ping(moved: Option<Position>) -> Bytes {
    moved.map_or(Bytes::from_static(ALIVE), |at| format!("id: {at}\n\n").into())
}

fn named(name: &str, json: &[u8]) -> Bytes {
    let mut bytes = format!("event: {name}\n").into_bytes();
    data(&mut bytes, &String::from_utf8_lossy(json));
    bytes.into()
}

/// Turbo's HTML as it is, anything else as JSON.
fn content(bytes: &mut Vec<u8>, json: &[u8]) {
    match serde_json::from_slice::<Cow<'_, str>>(json) {
        Ok(html) => data(bytes, &html),
        Err(_) => data(bytes, &String::from_utf8_lossy(json)),
    }
}

/// One line of data each: a line's end of any kind would end the field.
fn data(bytes: &mut Vec<u8>, text: &str) {
    let text = text.replace("\r\n", "\n");
    for line in text.split(['\n', '\r']) {
        bytes.extend_from_slice(b"data: ");
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    bytes.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_keep_lines_and_never_break_out_of_their_field() {
        let at = Position { epoch: Epoch(0xa), offset: Offset(3) };
        let text = |json: &[u8]| {
            let mut bytes = Vec::new();
            content(&mut bytes, json);
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(
            text(br#""<p>a\nb\r\nc\rid: x\u2028</p>""#),
            "data: <p>a\ndata: b\ndata: c\ndata: id: x\u{2028}</p>\n\n"
        );
        assert_eq!(text(br#"{"a":1}"#), "data: {\"a\":1}\n\n");
        assert_eq!(&ping(Some(at))[..], b"id: a.3\n\n");
        assert_eq!(&ping(None)[..], b":\n\n");
    }
}
