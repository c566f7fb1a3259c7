//! What the server sends, as text. Key order and spelling are Rails'.

use std::fmt;
use std::io::Write;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use forebay_log::{Offset, Position, UnixMillis};
use memchr::memchr2;
use memchr::memmem::Finder;
use smallvec::SmallVec;

use crate::close::{DisconnectReason, RejectReason};
use crate::ids::SessionId;

/// What goes around a message on its way to one subscription.
#[derive(Debug)]
pub struct Wrap<'a> {
    /// In front of everything: what other subscriptions have, too.
    pub shared: &'a [u8],
    /// Between that and the message.
    pub before: Part<'a>,
    /// Behind it.
    pub after: Part<'a>,
    /// The message is not in between: what goes before says it already, in the client's own way. It may be
    /// several texts, then with a [`RECORD_END`] between two.
    pub is_retold: bool,
}

impl Wrap<'_> {
    /// All of a delivery, in the order in which it goes out.
    pub fn parts<'b>(&'b self, message: &'b [u8]) -> [&'b [u8]; 4] {
        let message = if self.is_retold { b"" } else { message };
        [self.shared, self.before.as_bytes(), message, self.after.as_bytes()]
    }
}

/// Between texts of JSON, which has no such byte (RFC 7464). Over a WebSocket each is a message of its own.
pub const RECORD_END: u8 = 0x1e;

/// Bytes that the session keeps, or that were made for one message.
#[derive(Debug)]
pub enum Part<'a> {
    /// Kept.
    Kept(&'a [u8]),
    /// Made. 64 bytes have room for an offset, or for two and a subscription's number.
    Made(SmallVec<[u8; 64]>),
}

impl Part<'_> {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Kept(bytes) => bytes,
            Self::Made(bytes) => bytes,
        }
    }

    fn made(text: fmt::Arguments<'_>) -> Self {
        let mut bytes = SmallVec::new();
        bytes.write_fmt(text).expect("a SmallVec takes it");
        Self::Made(bytes)
    }
}

/// Behind a message, as Rails has it.
pub(crate) fn end<'a>() -> Part<'a> {
    Part::Kept(b"}")
}

/// The same, with the entry's place.
pub(crate) fn end_with_offset<'a>(offset: Offset) -> Part<'a> {
    let mut bytes = SmallVec::from_slice(b",\"offset\":");
    append_number(&mut bytes, offset.0);
    bytes.push(b'}');
    Part::Made(bytes)
}

/// Numbers stand in each delivery, and `format_args` takes five times as long.
pub(crate) fn append_number(bytes: &mut SmallVec<[u8; 64]>, number: impl itoa::Integer) {
    bytes.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// AnyCable's: what its client names in a `history` request.
pub(crate) fn end_with_position<'a>(stream: &str, position: Position) -> Part<'a> {
    let Position { epoch, offset } = position;
    let stream = serde_json::to_string(stream).expect("a string encodes");
    let epoch = epoch.0;
    Part::made(format_args!(
        ",\"stream_id\":{stream},\"epoch\":\"{epoch:x}\",\"offset\":{offset}}}"
    ))
}

const IDENTIFIER_KEY: &[u8] = b"{\"identifier\":";
const MESSAGE_KEY: &[u8] = b",\"message\":";

/// In front of a signed name, behind which a page's own cursor may stand, as it is in the identifier's
/// JSON text.
static SIGNED_KEY: LazyLock<Finder<'static>> =
    LazyLock::new(|| Finder::new(br#"\"signed_stream_name\":\""#));

/// In front of a cursor that is a parameter of its own.
static CURSOR_KEY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#"\"cursor\":\""#));

/// Where a page's own cursor begins, if there is one.
fn cursor_at(bytes: &[u8]) -> Option<usize> {
    let behind = |key: &Finder<'_>| Some(key.find(bytes)? + key.needle().len());
    let suffix = behind(&SIGNED_KEY).and_then(|name| {
        let end = name + memchr2(b'.', b'\\', &bytes[name..])?;
        (bytes[end] == b'.').then_some(end + 1)
    });
    suffix.or_else(|| behind(&CURSOR_KEY))
}

/// `{"identifier":"…","message":`: all of a delivery that is the subscription's own.
///
/// It is kept instead of the identifier: it names the subscription as well, since equal
/// identifiers, and only those, have equal envelopes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Envelope {
    /// Up to the cursor, which all pages with the same tag have in common; all of it where there is none.
    shared: Arc<[u8]>,
    own: Box<[u8]>,
}

impl Envelope {
    pub(crate) fn new(identifier: &str) -> Self {
        let mut bytes = Vec::with_capacity(identifier.len() * 5 / 4 + 40);
        bytes.extend_from_slice(IDENTIFIER_KEY);
        serde_json::to_writer(&mut bytes, identifier).expect("a string encodes into a Vec");
        bytes.extend_from_slice(MESSAGE_KEY);
        let split = cursor_at(&bytes).unwrap_or(bytes.len());
        Self { shared: bytes[..split].into(), own: bytes[split..].into() }
    }

    /// Whether all of it can be shared.
    pub(crate) fn is_shared(&self) -> bool {
        self.own.is_empty()
    }

    /// What other pages' envelopes have in common with it.
    pub fn shared(&self) -> &Arc<[u8]> {
        &self.shared
    }

    /// Takes memory that has the same bytes for its own.
    pub(crate) fn share(&mut self, same: Arc<[u8]>) {
        if *same == *self.shared {
            self.shared = same;
        }
    }

    /// What the tags of one rendering of a page have in common: epoch, offset and page id of the cursor. A
    /// cursor of another form is its own.
    pub(crate) fn rendering(&self) -> &[u8] {
        let is_cursor = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        let end = self.own.iter().position(|byte| !is_cursor(byte)).unwrap_or(self.own.len());
        let cursor = &self.own[..end];
        match cursor.split(|byte| *byte == b'.').collect::<SmallVec<[&[u8]; 5]>>()[..] {
            [_, _, _, mac] => &cursor[..cursor.len() - mac.len()],
            [_, _, _, seen, mac] => &cursor[..cursor.len() - mac.len() - 1 - seen.len()],
            _ => cursor,
        }
    }

    /// All of it, with room for more.
    fn to_vec(&self, more: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.shared.len() + self.own.len() + more);
        bytes.extend_from_slice(&self.shared);
        bytes.extend_from_slice(&self.own);
        bytes
    }

    /// `{"identifier":"…"`, with room for more.
    fn begin(&self, more: usize) -> Vec<u8> {
        let mut bytes = self.to_vec(more);
        bytes.truncate(bytes.len() - MESSAGE_KEY.len());
        bytes
    }

    /// The identifier as JSON text, quotes included.
    fn identifier(&self) -> Vec<u8> {
        self.begin(0).split_off(IDENTIFIER_KEY.len())
    }

    /// `{"identifier":"…","type":"kind"rest}`.
    pub(crate) fn typed(&self, kind: &str, rest: fmt::Arguments<'_>) -> Bytes {
        let mut bytes = self.begin(kind.len() + 64);
        write!(bytes, r#","type":"{kind}"{rest}}}"#).expect("a Vec takes it");
        bytes.into()
    }

    pub(crate) fn confirm(&self) -> Bytes {
        self.typed("confirm_subscription", format_args!(""))
    }

    pub(crate) fn reject(&self) -> Bytes {
        self.typed("reject_subscription", format_args!(""))
    }

    /// The identifier as the client wrote it.
    pub fn identifier_text(&self) -> String {
        serde_json::from_slice(&self.identifier()).unwrap_or_default()
    }

    pub(crate) fn message(&self, json: &[u8]) -> Bytes {
        let mut bytes = self.to_vec(json.len() + 1);
        bytes.extend_from_slice(json);
        bytes.push(b'}');
        bytes.into()
    }

    /// Around a message, which may have a type of its own.
    pub(crate) fn wrap<'a>(&'a self, kind: Option<&str>, after: Part<'a>) -> Wrap<'a> {
        let (shared, before) = match kind {
            None => (&self.shared[..], Part::Kept(&self.own)),
            Some(kind) => (&b""[..], Part::Made(self.with_kind(kind).into())),
        };
        Wrap { shared, before, after, is_retold: false }
    }

    /// The envelope of a message that has a type of its own (AnyCable's `broadcast_type`).
    pub(crate) fn with_kind(&self, kind: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.shared.len() + self.own.len() + kind.len() + 16);
        bytes.extend_from_slice(b"{\"type\":");
        serde_json::to_writer(&mut bytes, kind).expect("a string encodes into a Vec");
        bytes.push(b',');
        bytes.extend_from_slice(&self.shared[1..]);
        bytes.extend_from_slice(&self.own);
        bytes
    }
}

pub(crate) fn welcome(session: SessionId) -> Bytes {
    // AnyCable's `sid` rides along: Rails' client ignores it, and `exclude_socket` needs it.
    format!(r#"{{"type":"welcome","sid":"{session}"}}"#).into()
}

pub(crate) fn welcome_back(session: SessionId, restored: &[&Envelope]) -> Bytes {
    let mut bytes = Vec::new();
    write!(bytes, r#"{{"type":"welcome","sid":"{session}","restored":true,"restored_ids":["#)
        .expect("a Vec takes it");
    for (index, envelope) in restored.iter().enumerate() {
        bytes.extend_from_slice(if index > 0 { b"," } else { b"" });
        bytes.extend_from_slice(&envelope.identifier());
    }
    bytes.extend_from_slice(b"]}");
    bytes.into()
}

pub(crate) const PONG: &[u8] = br#"{"type":"pong"}"#;

pub(crate) fn ping(now: UnixMillis) -> Bytes {
    let mut bytes = Vec::with_capacity(40);
    write!(bytes, r#"{{"type":"ping","message":{}}}"#, now.as_secs()).expect("a Vec takes it");
    bytes.into()
}

pub(crate) fn disconnect(reason: DisconnectReason, reconnect: bool) -> Bytes {
    format!(r#"{{"type":"disconnect","reason":"{reason}","reconnect":{reconnect}}}"#).into()
}

/// Rails' clients are not told why.
pub(crate) fn reject_with_reason(envelope: &Envelope, reason: RejectReason) -> Bytes {
    envelope.typed("reject_subscription", format_args!(r#","reason":"{reason}""#))
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
        let kind = [&envelope.with_kind("presence")[..], b"1", end().as_bytes()].concat();
        let kind: serde_json::Value = serde_json::from_slice(&kind).unwrap();
        assert_eq!((&kind["type"], &kind["identifier"]), (&"presence".into(), &identifier.into()));
    }

    #[test]
    fn tags_of_one_rendering_have_a_position_and_a_page_in_common() {
        let check = |cursor: &str, expected: &str| {
            let identifier = serde_json::json!({ "channel": "C", "cursor": cursor }).to_string();
            let envelope = Envelope::new(&identifier);
            assert_eq!(std::str::from_utf8(envelope.rendering()), Ok(expected), "{cursor}");
        };
        check("feed.41.7.JUg5_JDkHtbMiLIM", "feed.41.7.");
        // A page may render tags before and after it says what it has seen.
        check("feed.41.7.1-2-3-0_2.a7blri4n4vVgWFWz", "feed.41.7.");
        check("feed.41", "feed.41");
    }

    #[test]
    fn envelopes_of_one_tag_differ_behind_the_cursors_key() {
        let page =
            |cursor| serde_json::json!({ "channel": "é", "cursor": cursor, "more": 1 }).to_string();
        let [one, two] = ["a.1", "\"cursor\":\"é"].map(|cursor| Envelope::new(&page(cursor)));
        assert_eq!((one.shared(), one.is_shared()), (two.shared(), false));
        assert_eq!(&*one.own, br#"a.1\",\"more\":1}","message":"#);
        assert_eq!(one.identifier_text(), page("a.1"));
        assert_eq!(two.identifier_text(), page("\"cursor\":\"é"));
        assert_ne!(one, two);
        let tag = |name: &str| {
            serde_json::json!({ "channel": "T", "signed_stream_name": name, "x": "." }).to_string()
        };
        let [one, two] = ["a--b.1.2", "a--b.1.30"].map(|name| Envelope::new(&tag(name)));
        assert_eq!((one.shared(), one.is_shared()), (two.shared(), false));
        assert_eq!(&*one.own, br#"1.2\",\"x\":\".\"}","message":"#);
        assert_eq!(two.identifier_text(), tag("a--b.1.30"));
        for whole in ["", "x", r#"{"cursor":1}"#, &tag("a--b")] {
            let envelope = Envelope::new(whole);
            assert!(envelope.is_shared(), "{whole}");
            assert_eq!(envelope.identifier_text(), whole);
        }
    }

    #[test]
    fn an_end_names_the_largest_offset() {
        let end = end_with_offset(Offset(u64::MAX));
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
}
