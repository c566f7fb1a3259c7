//! `forebay-v1-json`, where it differs. See docs/protocol.md.

use bytes::Bytes;
use forebay_log::{Offset, Position};
use smallvec::SmallVec;

use super::{Envelope, Part, Wrap, append_number, end};
use crate::close::RejectReason;
use crate::session::{SessionId, SubscriptionId};

pub(crate) fn welcome(session: SessionId, ping_interval_ms: u64) -> Bytes {
    format!(r#"{{"type":"welcome","sid":"{session}","ping":{ping_interval_ms}}}"#).into()
}

pub(crate) fn confirm(
    envelope: &Envelope,
    s: SubscriptionId,
    at: Option<Position>,
    resync: Option<u64>,
) -> Bytes {
    let at = at.map(|at| format!(r#","at":"{at}""#)).unwrap_or_default();
    let wait = |wait_ms| format!(r#","resync":true{}"#, wait(wait_ms));
    let resync = resync.map(wait).unwrap_or_default();
    envelope.typed("confirm_subscription", format_args!(r#","s":{s}{at}{resync}"#))
}

pub(crate) fn reject(envelope: &Envelope, reason: RejectReason) -> Bytes {
    envelope.typed("reject_subscription", format_args!(r#","reason":"{reason}""#))
}

pub(crate) fn resync(envelope: &Envelope, s: SubscriptionId, at: Position, wait_ms: u64) -> Bytes {
    envelope.typed("resync", format_args!(r#","s":{s},"at":"{at}"{}"#, wait(wait_ms)))
}

/// How long the client waits before it heals itself, if it is to wait.
fn wait(wait_ms: u64) -> String {
    if wait_ms > 0 { format!(r#","wait":{wait_ms}"#) } else { String::new() }
}

pub(crate) fn rewind(s: SubscriptionId, at: Position) -> Bytes {
    format!(r#"{{"type":"rewind","s":{s},"at":"{at}"}}"#).into()
}

/// What goes around an entry. `kind` is the message's own type, `message` whether there is one.
pub(crate) fn wrap<'a>(
    s: SubscriptionId,
    offset: Offset,
    previous: Offset,
    kind: Option<&str>,
    message: bool,
) -> Wrap<'a> {
    let mut before = SmallVec::from_slice(br#"{"s":"#);
    append_number(&mut before, s.0);
    before.extend_from_slice(br#","o":"#);
    append_number(&mut before, offset.0);
    before.extend_from_slice(br#","p":"#);
    append_number(&mut before, previous.0);
    if let Some(kind) = kind {
        before.extend_from_slice(b",\"type\":");
        serde_json::to_writer(&mut before, kind).expect("a string encodes");
    }
    before.extend_from_slice(if message { b",\"m\":" } else { b"" });
    Wrap { shared: b"", before: Part::Made(before), after: end(), is_retold: false }
}
