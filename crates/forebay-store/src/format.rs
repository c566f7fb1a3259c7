//! How entries look on disk: a line of JSON about the message, then the message.

use std::borrow::Cow;

use forebay_log::{
    Class, Commit, Entry, Extent, Forgotten, Held, Member, Message, Node, Offset, Presence,
    Revocation, StateKey, UnixMillis,
};
use serde::{Deserialize, Serialize};

use crate::record::{Revoked, Row, Written};

#[derive(Serialize, Deserialize)]
struct Head<'a> {
    /// The stream.
    s: Cow<'a, str>,
    /// When it was appended.
    t: u64,
    /// The session that must not get it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x: Option<Cow<'a, str>>,
    /// The envelope's type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    k: Option<Cow<'a, str>>,
    /// A state's target, and what is done to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<(Cow<'a, str>, Cow<'a, str>)>,
    /// What the stream lacked before: an offset and its date. An older format doesn't say.
    #[serde(default)]
    f: Option<(u64, u64)>,
    /// The database transaction behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    d: Option<[u64; 5]>,
}

/// Names are values, because keys are short. Older formats have no date, and know of nothing that was
/// given again.
pub(crate) fn encode_revoked(revoked: &Revoked) -> Vec<u8> {
    let Revoked { at: _, made_at, revocation, is_readmitted } = revoked;
    let (identity, stream) = (revocation.identity(), revocation.stream());
    let (identity, stream) = (identity.map(|i| &**i), stream.map(|s| &**s));
    let value = if *is_readmitted {
        serde_json::json!([identity, stream, made_at.0, true])
    } else {
        serde_json::json!([identity, stream, made_at.0])
    };
    value.to_string().into_bytes()
}

pub(crate) fn decode_revoked(at: Offset, value: &[u8]) -> Option<Revoked> {
    type Name = Option<String>;
    let whole = serde_json::from_slice::<(Name, Name, u64, bool)>(value).or_else(|_| {
        serde_json::from_slice::<(Name, Name, u64)>(value).map(|(i, s, at)| (i, s, at, false))
    });
    let (identity, stream, made_at, is_readmitted) = whole
        .or_else(|_| serde_json::from_slice(value).map(|(i, s)| (i, s, u64::MAX, false)))
        .ok()?;
    let revocation = Revocation::from_parts(identity.map(Into::into), stream.map(Into::into));
    Some(Revoked { at, made_at: UnixMillis(made_at), revocation, is_readmitted })
}

pub(crate) fn encode(record: &Row<'_>) -> Result<Vec<u8>, serde_json::Error> {
    let class = match record.class {
        Class::State(key) => Some((key.target().into(), key.extent().as_str().into())),
        _ => None,
    };
    let head = Head {
        s: record.stream.into(),
        t: record.at.0,
        x: record.message.excepted().map(Cow::from),
        k: record.message.kind_name().map(Cow::from),
        c: class,
        f: Some((record.forgotten.offset.0, record.forgotten.at.0)),
        d: record.message.commit().map(|commit| commit.to_numbers()),
    };
    let mut bytes = serde_json::to_vec(&head)?;
    bytes.push(b'\n');
    bytes.extend_from_slice(record.message.bytes());
    Ok(bytes)
}

/// `None` for what was not written by [`encode`]. A stream whose entry does not say what it lacked
/// lacks at most what the `floor` covers.
pub(crate) fn decode(offset: Offset, bytes: &[u8], floor: Forgotten) -> Option<Written> {
    // JSON escapes line ends.
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let head: Head<'_> = serde_json::from_slice(&bytes[..end]).ok()?;
    let mut message = Message::json(String::from_utf8(bytes[end + 1..].to_vec()).ok()?);
    if let Some(session) = head.x {
        message = message.except(session.into_owned());
    }
    if let Some(kind) = head.k {
        message = message.kind(kind.into_owned());
    }
    if let Some(commit) = head.d {
        message = message.committed_in(Commit::from_numbers(commit));
    }
    let class = match head.c {
        None => Class::Log,
        Some((target, name)) => {
            Class::State(StateKey::new(target.into_owned(), Extent::named(&name)?))
        }
    };
    let at = UnixMillis(head.t);
    let entry = Entry { offset, appended_at: at, message: message.into(), class };
    let forgotten = head
        .f
        .map_or(floor, |(offset, at)| Forgotten { offset: Offset(offset), at: UnixMillis(at) });
    Some(Written { stream: head.s.into_owned(), entry, forgotten })
}

/// A member that a node holds. Its length tells the stream from the id behind it.
pub(crate) fn hold_key(node: Node, stream: &str, id: &str) -> Vec<u8> {
    let length = u32::try_from(stream.len()).unwrap_or(u32::MAX).to_be_bytes();
    let node = node.0.to_be_bytes();
    [&node[..], &length, stream.as_bytes(), id.as_bytes()].concat()
}

/// The record's place, that of the record which brought the info, and the info.
pub(crate) fn hold_value(at: Offset, held: &Held) -> Vec<u8> {
    let since = held.since.unwrap_or(at);
    [&key(at)[..], &key(since), held.member.info.as_bytes()].concat()
}

/// Where a stream's members changed last. No node has this name.
pub(crate) fn changed_key(stream: &str) -> Vec<u8> {
    [&NOBODY.to_be_bytes()[..], stream.as_bytes()].concat()
}

/// The stream of such a key. `None` for a member's.
pub(crate) fn changed_stream(key: &[u8]) -> Option<&str> {
    str::from_utf8(key.strip_prefix(&NOBODY.to_be_bytes())?).ok()
}

const NOBODY: u64 = u64::MAX;

/// The record that says it. `None` for what was written otherwise.
pub(crate) fn decode_hold(key: &[u8], value: &[u8]) -> Option<(Offset, Presence)> {
    let (node, rest) = key.split_at_checked(8)?;
    let (length, rest) = rest.split_at_checked(4)?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    let (stream, id) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let (at, rest) = value.split_at_checked(8)?;
    let (since, info) = rest.split_at_checked(8)?;
    let text = |bytes| str::from_utf8(bytes).ok();
    let held = Held { member: Member::new(text(id)?, text(info)?), since: Some(offset(since)?) };
    let (node, stream) = (Node(number(node)?), text(stream)?.into());
    let sign = Presence::Signs { node, stream, held: vec![held], released: Vec::new() };
    Some((offset(at)?, sign))
}

/// Big-endian, so that keys are in the order of the log.
pub(crate) fn key(offset: Offset) -> [u8; 8] {
    offset.0.to_be_bytes()
}

pub(crate) fn offset(key: &[u8]) -> Option<Offset> {
    number(key).map(Offset)
}

pub(crate) fn number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

/// An offset and a date.
pub(crate) fn pair(forgotten: Forgotten) -> Vec<u8> {
    [key(forgotten.offset), forgotten.at.0.to_be_bytes()].concat()
}

pub(crate) fn read_pair(bytes: &[u8]) -> Option<Forgotten> {
    let (offset, at) = bytes.split_at_checked(8)?;
    Some(Forgotten { offset: self::offset(offset)?, at: UnixMillis(number(at)?) })
}
