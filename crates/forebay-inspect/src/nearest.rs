//! The name that would have worked: of those that are known, the one that was probably meant.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// A name that is near to the one that was looked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Near {
    /// The name, in clear.
    pub name: String,
    /// What the two have in common.
    pub how: How,
}

/// How two names are near to each other. The first is the surest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum How {
    /// The same record, in another application's name.
    OtherApp,
    /// The same parts, in another order.
    Reordered,
    /// The same record, with something else before or behind it.
    SameRecord,
    /// A few letters differ.
    Spelling,
}

/// A part of a stream's name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Part {
    /// A record's global id, without its application.
    Record {
        app: String,
        record: String,
    },
    Text(String),
}

/// More parts than that are not compared: a name of 1024 bytes could have 512.
const PARTS_MAX: usize = 16;

/// The name of `known` that was probably meant by `wanted`, if one is near enough. Names of other records of
/// the same kind are not: `room:2` is no slip of the pen for `room:1`.
///
/// ```
/// use forebay_inspect::{How, nearest};
///
/// let near = nearest("chats:1", ["chat:2", "chat:1"]).expect("one is near");
/// assert_eq!((near.name.as_str(), near.how), ("chat:1", How::Spelling));
/// assert_eq!(nearest("room:1", ["room:2"]), None);
/// ```
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<Near> {
    let wanted_parts = parts(wanted);
    let known = known.into_iter().filter(|name| *name != wanted);
    let near = known.filter_map(|name| {
        let (how, distance) = compare(&wanted_parts, &parts(name))?;
        Some((how, distance, readable(name)))
    });
    let (how, _, name) = near.min()?;
    Some(Near { name, how })
}

/// Of these names the ones that are nearest to `wanted`, as they are written. Those that [`nearest`] would find
/// among all of them come first.
pub fn nearest_names<'a>(
    wanted: &str,
    known: impl IntoIterator<Item = &'a str>,
    max: usize,
) -> Vec<String> {
    let wanted_parts = parts(wanted);
    let near = known.into_iter().filter(|name| *name != wanted);
    let mut near: Vec<_> = near
        .filter_map(|name| Some((compare(&wanted_parts, &parts(name))?, readable(name), name)))
        .collect();
    near.sort_unstable();
    near.into_iter().take(max).map(|(_, _, name)| name.to_owned()).collect()
}

/// A stream's name with its records in clear: `gid://chat/Room/1:messages`.
///
/// ```
/// let name = forebay_inspect::readable("Z2lkOi8vY2hhdC9Sb29tLzE:messages");
/// assert_eq!(name, "gid://chat/Room/1:messages");
/// ```
pub fn readable(name: &str) -> String {
    let part = |part: &str| global_id(part).unwrap_or_else(|| part.to_owned());
    name.split(':').map(part).collect::<Vec<_>>().join(":")
}

/// `gid://chat/Room/1`, from the base64 that stands for it in a name.
fn global_id(part: &str) -> Option<String> {
    // Every global id begins with `gid://`.
    let bytes = part.starts_with("Z2lkOi8v").then(|| URL_SAFE_NO_PAD.decode(part).ok())??;
    String::from_utf8(bytes).ok()
}

fn parts(name: &str) -> Vec<Part> {
    name.split(':').take(PARTS_MAX).map(part).collect()
}

fn part(text: &str) -> Part {
    let gid = global_id(text);
    let found = gid.as_deref().and_then(|gid| gid.strip_prefix("gid://")?.split_once('/'));
    match found {
        Some((app, record)) => Part::Record { app: app.to_owned(), record: record.to_owned() },
        None => Part::Text(text.to_owned()),
    }
}

/// What two names have in common, and how many letters they have not.
fn compare(wanted: &[Part], known: &[Part]) -> Option<(How, usize)> {
    if wanted.len() == known.len() {
        let pairs = || wanted.iter().zip(known);
        if pairs().all(|(a, b)| a == b || is_other_app(a, b)) {
            return Some((How::OtherApp, 0));
        }
        if sorted(wanted) == sorted(known) {
            return Some((How::Reordered, 0));
        }
    }
    let shares_record = wanted.iter().any(|part| is_record(part) && known.contains(part));
    let spelling = spelling(wanted, known);
    if shares_record {
        return Some((How::SameRecord, spelling.unwrap_or(usize::MAX)));
    }
    Some((How::Spelling, spelling?))
}

fn is_record(part: &Part) -> bool {
    matches!(part, Part::Record { .. })
}

fn is_other_app(a: &Part, b: &Part) -> bool {
    match (a, b) {
        (Part::Record { record: a, .. }, Part::Record { record: b, .. }) => a == b,
        _ => false,
    }
}

fn sorted(parts: &[Part]) -> Vec<&Part> {
    let mut parts: Vec<_> = parts.iter().collect();
    parts.sort();
    parts
}

/// By how many letters two names differ, if it is by few: a third of each part at the most. Numbers and
/// records have to be the same.
fn spelling(wanted: &[Part], known: &[Part]) -> Option<usize> {
    if wanted.len() != known.len() {
        // `chat1` for `chat:1`: a separator that is missing.
        let (a, b) = (joined(wanted)?, joined(known)?);
        return (a == b).then_some(1);
    }
    let mut distance = 0;
    for (a, b) in wanted.iter().zip(known) {
        match (a, b) {
            (a, b) if a == b => {}
            (Part::Text(a), Part::Text(b)) => distance += text_distance(a, b)?,
            _ => return None,
        }
    }
    Some(distance)
}

fn joined(parts: &[Part]) -> Option<String> {
    let text = |part: &Part| match part {
        Part::Text(text) => Some(text.replace(['-', '_', '/', '.'], "")),
        Part::Record { .. } => None,
    };
    parts.iter().map(text).collect()
}

fn text_distance(a: &str, b: &str) -> Option<usize> {
    // Keys are not spelt wrongly; they are others.
    if digits(a) != digits(b) {
        return None;
    }
    let distance = strsim::osa_distance(&a.to_lowercase(), &b.to_lowercase());
    let letters = a.chars().count().max(b.chars().count());
    (distance <= (letters / 3).max(1)).then_some(distance.max(1))
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wanted name, known ones, and what is found.
    type Case<'a> = (&'a str, &'a [&'a str], Option<(&'a str, How)>);

    fn record(app: &str, record: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("gid://{app}/{record}"))
    }

    #[test]
    fn what_was_probably_meant_is_found() {
        let room = record("chat", "Room/1");
        let (other_app, other_room) = (record("shop", "Room/1"), record("chat", "Room/2"));
        let cases: &[Case<'_>] = &[
            ("chats:1", &["chat:1"], Some(("chat:1", How::Spelling))),
            ("Chat:1", &["chat:1"], Some(("chat:1", How::Spelling))),
            ("chat1", &["chat:1"], Some(("chat:1", How::Spelling))),
            ("chat:1", &["chat:2", "board:1"], None),
            ("chat12", &["chat13"], None),
            ("room:1", &["user:1"], None),
            (&room, &[&other_app], Some(("gid://shop/Room/1", How::OtherApp))),
            (&room, &[&other_room], None),
            (&format!("{room}:messages"), &[&room], Some(("gid://chat/Room/1", How::SameRecord))),
            (
                &format!("{room}:messages"),
                &["news", &format!("messages:{room}")],
                Some(("messages:gid://chat/Room/1", How::Reordered)),
            ),
            (
                &format!("{room}:messages"),
                &[&format!("{room}:people"), &format!("{room}:message")],
                Some(("gid://chat/Room/1:message", How::SameRecord)),
            ),
            ("news", &["news"], None),
            ("", &["news"], None),
        ];
        for (wanted, known, expected) in cases {
            let near = nearest(wanted, known.iter().copied());
            let near = near.as_ref().map(|near| (near.name.as_str(), near.how));
            assert_eq!(near, *expected, "{wanted} among {known:?}");
        }
    }
}
