//! A broadcast as a row, and back.

use forebay_log::{Action, Class, Database, Extent, Message, StateKey, Targets};
use serde::{Deserialize, Serialize};

/// A broadcast that is to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    /// The stream's name.
    pub stream: String,
    /// What it says.
    pub says: Saying,
}

/// What a row says of its stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Saying {
    /// A message for its pages.
    Message(Message, Class),
    /// Its pages load themselves again, at most once in a refresh window.
    Refresh {
        /// The whole message. Without one it is the plain refresh.
        json: Option<String>,
        /// The request whose page is left out, and the message without that.
        request: Option<Request>,
    },
    /// A broadcast is missing. An empty name means all streams.
    Gap,
}

/// A request that a refresh comes from.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Request {
    /// The request's id.
    pub id: String,
    /// The refresh without it, for one that stands for several.
    pub plain: Option<String>,
}

/// A committed row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its place in the table.
    pub id: i64,
    /// Its random name; rows that were written together have it in common.
    pub key: String,
    /// The stream's name.
    pub stream: String,
    /// What it says, or why that can't be read.
    pub says: Result<Saying, String>,
}

/// What was read at once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reading {
    /// The rows, by transactions.
    pub groups: Vec<Group>,
    /// There is more.
    pub ended_early: bool,
    /// When it was read, as Postgres tells it.
    pub moment: Option<Moment>,
}

/// A moment of a Postgres server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// Which server, in which life.
    pub database: Database,
    /// Where the WAL ended before the rows were read: what was visible then is among them.
    pub before: u64,
    /// A place in the WAL behind the commits of all that were read.
    pub behind: u64,
}

/// The rows of one transaction, or a part of them where they are very many.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// The transaction's id, in Postgres.
    pub transaction: Option<u64>,
    /// In the order in which they were broadcast. At least one.
    pub rows: Vec<Row>,
}

impl Group {
    /// The name under which the group is published once. It is the same for whoever reads the group again.
    pub fn name(&self) -> String {
        self.rows.first().map_or_else(String::new, |row| format!("{}:{}", row.key, row.id))
    }
}

/// A row's columns, but for its id.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    pub(crate) kind: String,
    pub(crate) stream: String,
    pub(crate) message: Option<String>,
    pub(crate) extras: Option<String>,
}

/// What few rows have, in one column.
#[derive(Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Extras {
    #[serde(skip_serializing_if = "Option::is_none")]
    except: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<ActionText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ephemeral: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plain: Option<String>,
}

#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct ActionText {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    targets: Option<String>,
}

#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct State {
    target: String,
    extent: String,
}

impl From<&Draft> for Columns {
    fn from(draft: &Draft) -> Self {
        let (kind, message, extras) = match &draft.says {
            Saying::Message(message, class) => {
                ("message", Some(message.as_json().to_owned()), Extras::of(message, class))
            }
            Saying::Refresh { json, request } => {
                let (request_id, plain) = match request.clone() {
                    Some(Request { id, plain }) => (Some(id), plain),
                    None => (None, None),
                };
                ("refresh", json.clone(), Extras { request_id, plain, ..Extras::default() })
            }
            Saying::Gap => ("gap", None, Extras::default()),
        };
        let has_extras = extras != Extras::default();
        let extras = has_extras.then(|| serde_json::to_string(&extras).unwrap_or_default());
        Self { kind: kind.to_owned(), stream: draft.stream.clone(), message, extras }
    }
}

impl Columns {
    /// What they say, or why nobody can tell.
    pub(crate) fn read(self) -> Result<Saying, String> {
        let extras: Extras = match self.extras.as_deref() {
            None => Extras::default(),
            Some(text) => serde_json::from_str(text)
                .map_err(|error| format!("the column extras can't be read: {error}"))?,
        };
        match (self.kind.as_str(), self.message) {
            ("message", Some(json)) => {
                if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&json) {
                    return Err(format!("the message is no JSON: {error}"));
                }
                let class = extras.class()?;
                Ok(Saying::Message(extras.dress(Message::json(json)), class))
            }
            ("refresh", json) => {
                let plain = extras.plain;
                let request = extras.request_id.map(|id| Request { id, plain });
                Ok(Saying::Refresh { json, request })
            }
            ("gap", _) => Ok(Saying::Gap),
            ("message", None) => Err("it has no message".to_owned()),
            (kind, _) => Err(format!("nobody knows the kind {kind:?}")),
        }
    }
}

impl Extras {
    fn of(message: &Message, class: &Class) -> Self {
        let text = |text: &str| text.to_owned();
        let action = message.action().map(|action| {
            let (target, targets) = match &action.targets {
                Targets::Page => (None, None),
                Targets::Id(id) => (Some(text(id)), None),
                Targets::Selector(selector) => (None, Some(text(selector))),
            };
            ActionText { name: text(&action.name), target, targets }
        });
        let state = match class {
            Class::State(key) => {
                Some(State { target: text(key.target()), extent: text(key.extent().as_str()) })
            }
            _ => None,
        };
        Self {
            except: message.excepted().map(text),
            r#type: message.kind_name().map(text),
            action,
            state,
            ephemeral: *class == Class::Ephemeral,
            ..Self::default()
        }
    }

    fn class(&self) -> Result<Class, String> {
        Ok(match &self.state {
            _ if self.ephemeral => Class::Ephemeral,
            None => Class::Log,
            Some(State { target, extent }) => {
                let known = Extent::named(extent);
                let extent = known.ok_or_else(|| format!("nobody knows the extent {extent:?}"))?;
                Class::State(StateKey::new(target.as_str(), extent))
            }
        })
    }

    fn dress(self, mut message: Message) -> Message {
        if let Some(ActionText { name, target, targets }) = self.action {
            let targets = match (target, targets) {
                (Some(id), _) => Targets::Id(id.into()),
                (None, Some(selector)) => Targets::Selector(selector.into()),
                (None, None) => Targets::Page,
            };
            message = message.does(Action { name: name.into(), targets });
        }
        if let Some(kind) = self.r#type {
            message = message.kind(kind);
        }
        if let Some(session) = self.except {
            message = message.except(session);
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_was_drafted() {
        let action = |targets| Action { name: "append".into(), targets };
        let json = || Message::json("\"<p>é</p>\"");
        let key = StateKey::new("#count", Extent::Content);
        let request = Request { id: "r1".into(), plain: Some("\"b\"".into()) };
        for says in [
            Saying::Message(json(), Class::Log),
            Saying::Message(json().does(action(Targets::Page)), Class::Ephemeral),
            Saying::Message(json().does(action(Targets::Id("a".into()))), Class::State(key)),
            Saying::Message(
                json().does(action(Targets::Selector(".a".into()))).except("s1").kind("k"),
                Class::Log,
            ),
            Saying::Refresh { json: None, request: None },
            Saying::Refresh { json: Some("\"a\"".into()), request: Some(request) },
            Saying::Gap,
        ] {
            let draft = Draft { stream: "s".into(), says };
            let columns = Columns::from(&draft);
            assert_eq!(columns.stream, "s");
            assert_eq!(columns.read().unwrap(), draft.says);
        }
    }

    #[test]
    fn what_can_t_be_read_says_why() {
        let check = |kind: &str, message: Option<&str>, extras: Option<&str>, expected: &str| {
            let columns = Columns {
                kind: kind.into(),
                stream: "s".into(),
                message: message.map(str::to_owned),
                extras: extras.map(str::to_owned),
            };
            let error = columns.read().unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check("message", None, None, "no message");
        check("message", Some("<p>"), None, "no JSON");
        check("message", Some("1"), Some("{"), "extras");
        check("message", Some("1"), Some(r#"{"state":{"target":"a","extent":"x"}}"#), "extent");
        check("other", None, None, "kind");
    }
}
