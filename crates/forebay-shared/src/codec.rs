//! How records look in a shared log: one byte that names the format, then postcard.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use forebay_log::{
    Action, Class, Content, Control, Extent, Lacking, Message, Revocation, StateKey, Targets,
    UnixMillis,
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
        // What this version can't say is told as what it may mean at the most.
        Content::Control(_) => What::GapOfAll,
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
    let (except, kind) = (message.excepted(), message.kind_name());
    (except.is_some() || kind.is_some() || action.is_some()).then(|| {
        Box::new(Extras { except: except.map(Cow::from), kind: kind.map(Cow::from), action })
    })
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
    })
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
    message
}
