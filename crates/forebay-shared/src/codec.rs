//! How records look in a shared log: one byte that names the format, then postcard.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use forebay_log::{
    Action, Class, Commit, Content, Control, Extent, Held, Inquiry, InquiryKind, Lacking, Member,
    Message, Node, Offset, Presence, Revocation, StateKey, Targets, UnixMillis,
};
use serde::{Deserialize, Serialize};

/// A node that meets another one tells its pages that they may lack something.
const FORMAT: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Written<'a> {
    at: u64,
    #[serde(borrow)]
    what: What<'a>,
}

#[derive(Serialize, Deserialize)]
enum What<'a> {
    #[serde(borrow)]
    Entry(Entry<'a>),
    Revoke(Names<'a>),
    Readmit(Names<'a>),
    Disconnect(Cow<'a, str>, bool),
    GapOfStream(Cow<'a, str>),
    GapOfPrefix(Cow<'a, str>),
    GapOfAll,
    Nothing,
    Alive(u64),
    Asks(u64),
    #[serde(borrow)]
    Signs(Signs<'a>),
    Ended(Ended<'a>),
    Inquiry(WrittenInquiry<'a>),
    Leaves(u64),
}

#[derive(Serialize, Deserialize)]
struct WrittenInquiry<'a> {
    node: u64,
    #[serde(borrow)]
    name: Cow<'a, str>,
    number: u64,
    #[serde(borrow)]
    kind: WrittenKind<'a>,
}

#[derive(Serialize, Deserialize)]
enum WrittenKind<'a> {
    #[serde(borrow)]
    Question(&'a [u8]),
    #[serde(borrow)]
    Answer((u64, &'a [u8])),
    Farewell,
}

#[derive(Serialize, Deserialize)]
struct Signs<'a> {
    node: u64,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    /// Each with its info, and since when that is known.
    held: Vec<(Cow<'a, str>, Cow<'a, str>, Option<u64>)>,
    released: Vec<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
struct Ended<'a> {
    node: u64,
    by: u64,
    seen: u64,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    members: Vec<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
struct Names<'a> {
    #[serde(borrow)]
    identity: Option<Cow<'a, str>>,
    #[serde(borrow)]
    stream: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    stream: Cow<'a, str>,
    #[serde(borrow)]
    json: Cow<'a, str>,
    class: WrittenClass<'a>,
    extras: Option<Box<Extras<'a>>>,
}

#[derive(Serialize, Deserialize)]
struct Extras<'a> {
    #[serde(borrow)]
    except: Option<Cow<'a, str>>,
    #[serde(borrow)]
    kind: Option<Cow<'a, str>>,
    action: Option<(Cow<'a, str>, WrittenTargets<'a>)>,
    commit: Option<[u64; 5]>,
}

#[derive(Serialize, Deserialize)]
enum WrittenClass<'a> {
    Log,
    #[serde(borrow)]
    State((Cow<'a, str>, Cow<'a, str>)),
    Ephemeral,
}

#[derive(Serialize, Deserialize)]
enum WrittenTargets<'a> {
    Page,
    #[serde(borrow)]
    Id(Cow<'a, str>),
    Selector(Cow<'a, str>),
}

/// Adds records to a body.
pub(crate) fn encode(body: &mut Vec<u8>, at: UnixMillis, contents: &[Content]) {
    if body.is_empty() {
        body.push(FORMAT);
    }
    for content in contents {
        let written = Written { at: at.0, what: what(content) };
        *body = postcard::to_extend(&written, std::mem::take(body)).expect("a vector takes it");
    }
}

/// `None` for what was not written by [`encode`] of this version.
pub(crate) fn decode(body: &Bytes) -> Option<Vec<(UnixMillis, Content)>> {
    let Some((&format, mut rest)) = body.split_first() else { return Some(Vec::new()) };
    if format != FORMAT {
        return None;
    }
    let mut contents = Vec::new();
    while !rest.is_empty() {
        let (written, more) = postcard::take_from_bytes::<Written<'_>>(rest).ok()?;
        contents.push((UnixMillis(written.at), content(written.what)?));
        rest = more;
    }
    Some(contents)
}

fn what(content: &Content) -> What<'_> {
    match content {
        Content::Entry { stream, message, class } => What::Entry(Entry {
            stream: Cow::from(&**stream),
            json: message.as_json().into(),
            class: match class {
                Class::State(key) => {
                    WrittenClass::State((key.target().into(), key.extent().as_str().into()))
                }
                Class::Ephemeral => WrittenClass::Ephemeral,
                _ => WrittenClass::Log,
            },
            extras: extras(message),
        }),
        Content::Control(Control::Revoke(revocation)) => What::Revoke(names(revocation)),
        Content::Control(Control::Readmit(revocation)) => What::Readmit(names(revocation)),
        Content::Control(Control::Disconnect { identity, reconnects }) => {
            What::Disconnect(Cow::from(&**identity), *reconnects)
        }
        Content::Control(Control::Gap(Lacking::Stream(stream))) => {
            What::GapOfStream(Cow::from(&**stream))
        }
        Content::Control(Control::Gap(Lacking::Prefix(prefix))) => {
            What::GapOfPrefix(Cow::from(&**prefix))
        }
        Content::Control(Control::Nothing) => What::Nothing,
        Content::Control(Control::Presence(sign)) => presence(sign),
        Content::Control(Control::Inquiry(inquiry)) => What::Inquiry(WrittenInquiry {
            node: inquiry.node.0,
            name: Cow::from(&*inquiry.name),
            number: inquiry.number,
            kind: match &inquiry.kind {
                InquiryKind::Question(body) => WrittenKind::Question(body),
                InquiryKind::Answer { to, body } => WrittenKind::Answer((to.0, body)),
                InquiryKind::Farewell => WrittenKind::Farewell,
            },
        }),
        // What this version can't say is told as what it may mean at the most.
        Content::Control(_) => What::GapOfAll,
    }
}

fn ids(ids: &[Arc<str>]) -> Vec<Cow<'_, str>> {
    ids.iter().map(|id| Cow::from(&**id)).collect()
}

fn presence(sign: &Presence) -> What<'_> {
    match sign {
        Presence::Alive { node } => What::Alive(node.0),
        Presence::Leaves { node } => What::Leaves(node.0),
        Presence::Asks { node } => What::Asks(node.0),
        Presence::Signs { node, stream, held, released } => What::Signs(Signs {
            node: node.0,
            stream: Cow::from(&**stream),
            held: held
                .iter()
                .map(|Held { member, since }| {
                    (Cow::from(&*member.id), Cow::from(&*member.info), since.map(|at| at.0))
                })
                .collect(),
            released: ids(released),
        }),
        Presence::Ended { node, by, seen, stream, members } => What::Ended(Ended {
            node: node.0,
            by: by.0,
            seen: seen.0,
            stream: Cow::from(&**stream),
            members: ids(members),
        }),
    }
}

fn extras(message: &Message) -> Option<Box<Extras<'_>>> {
    let action = message.action().map(|Action { name, targets }| {
        let targets = match targets {
            Targets::Page => WrittenTargets::Page,
            Targets::Id(id) => WrittenTargets::Id(Cow::from(&**id)),
            Targets::Selector(selector) => WrittenTargets::Selector(Cow::from(&**selector)),
        };
        (Cow::from(&**name), targets)
    });
    let except = message.excepted().map(Cow::from);
    let kind = message.kind_name().map(Cow::from);
    let commit = message.commit().map(|commit| commit.to_numbers());
    let is_some = except.is_some() || kind.is_some() || action.is_some() || commit.is_some();
    is_some.then(|| Box::new(Extras { except, kind, action, commit }))
}

fn names(revocation: &Revocation) -> Names<'_> {
    Names {
        identity: revocation.identity().map(|identity| Cow::from(&**identity)),
        stream: revocation.stream().map(|stream| Cow::from(&**stream)),
    }
}

fn revocation(names: Names<'_>) -> Revocation {
    let name = |name: Option<Cow<'_, str>>| name.map(Arc::<str>::from);
    Revocation::from_parts(name(names.identity), name(names.stream))
}

fn content(what: What<'_>) -> Option<Content> {
    let gap = |lacking| Content::Control(Control::Gap(lacking));
    Some(match what {
        What::Entry(Entry { stream, json, class, extras }) => Content::Entry {
            stream: stream.into(),
            message: message(json, extras),
            class: match class {
                WrittenClass::Log => Class::Log,
                WrittenClass::State((target, extent)) => {
                    Class::State(StateKey::new(target, Extent::named(&extent)?))
                }
                WrittenClass::Ephemeral => Class::Ephemeral,
            },
        },
        What::Revoke(names) => Content::Control(Control::Revoke(revocation(names))),
        What::Readmit(names) => Content::Control(Control::Readmit(revocation(names))),
        What::Disconnect(identity, reconnects) => {
            Content::Control(Control::Disconnect { identity: identity.into(), reconnects })
        }
        What::GapOfStream(stream) => gap(Lacking::Stream(stream.into())),
        What::GapOfPrefix(prefix) => gap(Lacking::Prefix(prefix.into())),
        What::GapOfAll => gap(Lacking::All),
        What::Nothing => Content::Control(Control::Nothing),
        What::Alive(node) => sign(Presence::Alive { node: Node(node) }),
        What::Leaves(node) => sign(Presence::Leaves { node: Node(node) }),
        What::Asks(node) => sign(Presence::Asks { node: Node(node) }),
        What::Signs(Signs { node, stream, held, released }) => {
            let held = held.into_iter().map(|(id, info, since)| Held {
                member: Member::new(id, info),
                since: since.map(Offset),
            });
            sign(Presence::Signs {
                node: Node(node),
                stream: stream.into(),
                held: held.collect(),
                released: released.into_iter().map(Arc::from).collect(),
            })
        }
        What::Ended(Ended { node, by, seen, stream, members }) => sign(Presence::Ended {
            node: Node(node),
            by: Node(by),
            seen: Offset(seen),
            stream: stream.into(),
            members: members.into_iter().map(Arc::from).collect(),
        }),
        What::Inquiry(WrittenInquiry { node, name, number, kind }) => {
            let kind = match kind {
                WrittenKind::Question(body) => InquiryKind::Question(Bytes::copy_from_slice(body)),
                WrittenKind::Answer((to, body)) => {
                    InquiryKind::Answer { to: Node(to), body: Bytes::copy_from_slice(body) }
                }
                WrittenKind::Farewell => InquiryKind::Farewell,
            };
            let inquiry = Inquiry { node: Node(node), name: name.into(), number, kind };
            Content::Control(Control::Inquiry(Arc::new(inquiry)))
        }
    })
}

fn sign(sign: Presence) -> Content {
    Content::Control(Control::Presence(Arc::new(sign)))
}

fn message(json: Cow<'_, str>, extras: Option<Box<Extras<'_>>>) -> Message {
    let mut message = Message::json(json);
    let Some(extras) = extras else { return message };
    if let Some(session) = extras.except {
        message = message.except(session);
    }
    if let Some(kind) = extras.kind {
        message = message.kind(kind);
    }
    if let Some((name, targets)) = extras.action {
        let targets = match targets {
            WrittenTargets::Page => Targets::Page,
            WrittenTargets::Id(id) => Targets::Id(id.into()),
            WrittenTargets::Selector(selector) => Targets::Selector(selector.into()),
        };
        message = message.does(Action { name: name.into(), targets });
    }
    if let Some(commit) = extras.commit {
        message = message.committed_in(Commit::from_numbers(commit));
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inquiry(kind: InquiryKind) -> Control {
        let name = "wéb-1".into();
        Control::Inquiry(Arc::new(Inquiry { node: Node(7), name, number: 9, kind }))
    }

    fn contents() -> Vec<Content> {
        let message = Message::json("{\"a\": \"ü\u{2028}\"}").except("a session").kind("whisper");
        let message = message.committed_in(Commit::from_numbers([1, 2, u64::MAX, 4, 5]));
        let entry =
            |message: Message, class| Content::Entry { stream: "räume".into(), message, class };
        let targets = [Targets::Page, Targets::Id("a".into()), Targets::Selector("a > b".into())];
        let acting = targets.map(|targets| {
            let action = Action { name: "append".into(), targets };
            entry(message.clone().does(action), Class::Ephemeral)
        });
        let state = Class::State(StateKey::new("list", Extent::Absence));
        let controls = [
            Control::Revoke(Revocation::of("user:1", "room")),
            Control::Readmit(Revocation::of_identity("user:2")),
            Control::Disconnect { identity: "user:3".into(), reconnects: true },
            Control::Gap(Lacking::Stream("hall".into())),
            Control::Gap(Lacking::Prefix("room:".into())),
            Control::Gap(Lacking::All),
            Control::Nothing,
            Control::Presence(Arc::new(Presence::Alive { node: Node(1) })),
            Control::Presence(Arc::new(Presence::Leaves { node: Node(6) })),
            Control::Presence(Arc::new(Presence::Asks { node: Node(2) })),
            Control::Presence(Arc::new(Presence::Signs {
                node: Node(u64::MAX),
                stream: "räume".into(),
                held: [None, Some(Offset(9))]
                    .map(|since| Held { member: Member::new("ä", "{\"a\": 1}"), since })
                    .into(),
                released: vec!["b".into(), "".into()],
            })),
            Control::Presence(Arc::new(Presence::Ended {
                node: Node(3),
                by: Node(4),
                seen: Offset(5),
                stream: "hall".into(),
                members: vec!["c".into()],
            })),
            inquiry(InquiryKind::Question(Bytes::from_static(b"why?"))),
            inquiry(InquiryKind::Answer { to: Node(u64::MAX), body: vec![0, 255].into() }),
            inquiry(InquiryKind::Farewell),
        ];
        let plain = [entry(Message::json("1"), Class::Log), entry(message.clone(), state)];
        acting.into_iter().chain(plain).chain(controls.map(Content::Control)).collect()
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        let (mut body, contents) = (Vec::new(), contents());
        encode(&mut body, UnixMillis(7), &contents[..2]);
        encode(&mut body, UnixMillis(9), &contents[2..]);
        let read = decode(&body.into()).unwrap();
        let at: Vec<_> = read.iter().map(|(at, _)| at.0).collect();
        assert_eq!((at[..2].to_vec(), at[2]), (vec![7, 7], 9));
        assert_eq!(read.into_iter().map(|(_, content)| content).collect::<Vec<_>>(), contents);
    }

    /// What was cut short gives fewer records, or is no body; another version's is none.
    #[test]
    fn what_is_not_a_body_is_not_read_as_one() {
        let mut body = Vec::new();
        encode(&mut body, UnixMillis(7), &contents());
        for end in 1..body.len() {
            let read = decode(&Bytes::copy_from_slice(&body[..end]));
            assert!(read.is_none_or(|read| read.len() < contents().len()));
        }
        body[0] = FORMAT + 1;
        assert_eq!(decode(&body.into()), None);
        assert_eq!(decode(&Bytes::new()), Some(Vec::new()));
    }
}
