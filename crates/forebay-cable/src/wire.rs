//! What the server sends, as text. Key order and spelling are Rails'.

use std::io::Write;

use bytes::Bytes;
use forebay_log::{Offset, UnixMillis};

use crate::close::DisconnectReason;
use crate::session::SessionId;

/// A WebSocket subprotocol that a session can speak.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Protocol {
    /// Rails' own.
    ActionCableV1Json,
}

impl Protocol {
    /// The name in `Sec-WebSocket-Protocol`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ActionCableV1Json => "actioncable-v1-json",
        }
    }

    /// Picks from what a client offers, in its order of preference.
    pub fn select<'a>(offered: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let known = Self::ActionCableV1Json;
        offered.into_iter().any(|name| name.trim() == known.as_str()).then_some(known)
    }
}

/// What follows the message in an envelope.
///
/// `}` as Rails has it; and for subscriptions that carry a cursor, the entry's offset before it.
/// Stock clients ignore the key; whoever looks at the wire can tell which entry it is.
#[derive(Clone, Copy, Debug)]
pub struct EnvelopeEnd {
    /// `,"offset":` (10) and 20 digits and `}`.
    bytes: [u8; 31],
    len: u8,
}

impl EnvelopeEnd {
    pub(crate) fn plain() -> Self {
        let mut end = Self { bytes: [0; 31], len: 1 };
        end.bytes[0] = b'}';
        end
    }

    pub(crate) fn with_offset(offset: Offset) -> Self {
        let mut end = Self { bytes: [0; 31], len: 0 };
        let mut free = &mut end.bytes[..];
        let whole = free.len();
        write!(free, ",\"offset\":{offset}}}").expect("a u64 has at most 20 digits");
        let used = whole - free.len();
        end.len = u8::try_from(used).expect("31 fits in a byte");
        end
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

const IDENTIFIER_KEY: &[u8] = b"{\"identifier\":";
const MESSAGE_KEY: &[u8] = b",\"message\":";

/// `{"identifier":"…","message":`: all of a delivery that is the subscription's own.
///
/// It is kept instead of the identifier: it names the subscription as well, since equal
/// identifiers, and only those, have equal envelopes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Envelope(Box<[u8]>);

impl Envelope {
    pub(crate) fn new(identifier: &str) -> Self {
        let mut bytes = Vec::with_capacity(identifier.len() * 5 / 4 + 40);
        bytes.extend_from_slice(IDENTIFIER_KEY);
        serde_json::to_writer(&mut bytes, identifier).expect("a string encodes into a Vec");
        bytes.extend_from_slice(MESSAGE_KEY);
        Self(bytes.into_boxed_slice())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The identifier as JSON text, quotes included.
    fn identifier(&self) -> &[u8] {
        &self.0[IDENTIFIER_KEY.len()..self.0.len() - MESSAGE_KEY.len()]
    }

    fn typed(&self, kind: &str) -> Bytes {
        let mut bytes = Vec::with_capacity(self.0.len() + kind.len() + 16);
        bytes.extend_from_slice(IDENTIFIER_KEY);
        bytes.extend_from_slice(self.identifier());
        bytes.extend_from_slice(b",\"type\":\"");
        bytes.extend_from_slice(kind.as_bytes());
        bytes.extend_from_slice(b"\"}");
        bytes.into()
    }

    pub(crate) fn confirm(&self) -> Bytes {
        self.typed("confirm_subscription")
    }

    pub(crate) fn reject(&self) -> Bytes {
        self.typed("reject_subscription")
    }

    pub(crate) fn message(&self, json: &[u8]) -> Bytes {
        [self.as_bytes(), json, b"}"].concat().into()
    }

    /// The envelope of a message that has a type of its own (AnyCable's `broadcast_type`).
    pub(crate) fn with_kind(&self, kind: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() + kind.len() + 16);
        bytes.extend_from_slice(b"{\"type\":");
        serde_json::to_writer(&mut bytes, kind).expect("a string encodes into a Vec");
        bytes.push(b',');
        bytes.extend_from_slice(&self.0[1..]);
        bytes
    }
}

pub(crate) fn welcome(session: SessionId) -> Bytes {
    // AnyCable's `sid` rides along: Rails' client ignores it, and `exclude_socket` needs it.
    format!(r#"{{"type":"welcome","sid":"{session}"}}"#).into()
}

pub(crate) fn ping(now: UnixMillis) -> Bytes {
    let mut bytes = Vec::with_capacity(40);
    write!(bytes, r#"{{"type":"ping","message":{}}}"#, now.as_secs()).expect("a Vec takes it");
    bytes.into()
}

pub(crate) fn disconnect(reason: DisconnectReason, reconnect: bool) -> Bytes {
    format!(r#"{{"type":"disconnect","reason":"{reason}","reconnect":{reconnect}}}"#).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_echoes_the_identifier_byte_for_byte() {
        let identifier = "{\"channel\":\"Chat\\\\é\u{2028}\",\"room\": 1}";
        let envelope = Envelope::new(identifier);
        let confirm: serde_json::Value = serde_json::from_slice(&envelope.confirm()).unwrap();
        assert_eq!(confirm["identifier"], identifier);
        assert_eq!(confirm["type"], "confirm_subscription");
        let message: serde_json::Value =
            serde_json::from_slice(&envelope.message(b"\"<b>\"")).unwrap();
        assert_eq!(
            (&message["identifier"], &message["message"]),
            (&identifier.into(), &"<b>".into())
        );
        let kind =
            [&envelope.with_kind("presence")[..], b"1", EnvelopeEnd::plain().as_bytes()].concat();
        let kind: serde_json::Value = serde_json::from_slice(&kind).unwrap();
        assert_eq!((&kind["type"], &kind["identifier"]), (&"presence".into(), &identifier.into()));
    }

    #[test]
    fn an_end_names_the_largest_offset() {
        let end = EnvelopeEnd::with_offset(Offset(u64::MAX));
        assert_eq!(end.as_bytes(), br#","offset":18446744073709551615}"#);
    }

    #[test]
    fn rails_spelling() {
        assert_eq!(
            &ping(UnixMillis(1_700_000_000_999))[..],
            br#"{"type":"ping","message":1700000000}"#
        );
        assert_eq!(
            &disconnect(DisconnectReason::ServerRestart, true)[..],
            br#"{"type":"disconnect","reason":"server_restart","reconnect":true}"#
        );
        assert_eq!(
            &Envelope::new("x").confirm()[..],
            br#"{"identifier":"x","type":"confirm_subscription"}"#
        );
    }

    #[test]
    fn the_client_chooses_among_what_we_speak() {
        let json = Some(Protocol::ActionCableV1Json);
        assert_eq!(Protocol::select(["actioncable-v1-json", "actioncable-unsupported"]), json);
        assert_eq!(Protocol::select(["x", " actioncable-v1-json"]), json);
        assert_eq!(Protocol::select(["actioncable-unsupported"]), None);
    }
}
