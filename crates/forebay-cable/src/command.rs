//! Decoding what a client sends. Nothing here keeps state; the fuzz target `command` feeds it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use forebay_log::{Epoch, Offset, Position, UnixMillis};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// One command. The base protocol has the first three.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Command {
    /// `subscribe`: read the streams of a channel.
    Subscribe {
        /// The JSON text that names the subscription; opaque, compared and echoed as it is.
        identifier: String,
        /// What the client says about where it stands.
        terms: Terms,
    },
    /// `unsubscribe`: read them no more.
    Unsubscribe {
        /// The subscription's identifier.
        identifier: String,
    },
    /// `message`: an action for a channel.
    Perform {
        /// The subscription's identifier.
        identifier: String,
        /// `data.action`, or `receive` where there is none, as in Rails.
        action: String,
        /// The decoded `data`, `action` included.
        data: Map<String, Value>,
    },
    /// `history`: give what came after a position, or since a time.
    History {
        /// The subscription's identifier.
        identifier: String,
        /// What the client has of it already.
        history: History,
    },
    /// `whisper`: a message for the other subscribers.
    Whisper {
        /// The subscription's identifier.
        identifier: String,
        /// The message, as JSON text.
        json: String,
    },
    /// `join`: be present.
    Join {
        /// The subscription's identifier.
        identifier: String,
        /// As whom.
        joining: Joining,
    },
    /// `leave`: be present no more.
    Leave {
        /// The subscription's identifier.
        identifier: String,
    },
    /// `presence`: say who is present.
    Members {
        /// The subscription's identifier.
        identifier: String,
        /// They are to be named, and not only counted.
        with_records: bool,
    },
    /// `ping`: asks for a pong.
    Ping,
    /// `pong`: answers a ping. Nothing follows from it.
    Pong,
    /// `report`: what the page could not do.
    Report(Report),
}

/// Where a client that subscribes says it stands. The base protocol has none of it.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Terms {
    /// What the client has already, and so where to begin.
    pub claim: Claim,
    /// An earlier answer has confirmed this subscription. It is not to be confirmed again.
    pub quiet: bool,
    /// The subscription reads no stream. Its client wants actions and their answers only.
    pub deaf: bool,
    /// As whom its client is present from the beginning.
    pub joining: Option<Joining>,
}

impl Terms {
    pub(crate) fn keep_history_and_presence(&mut self) {
        let Self { claim, joining, .. } = std::mem::take(self);
        let claim = if matches!(claim, Claim::History(_)) { claim } else { Claim::None };
        *self = Self { claim, joining, ..Self::default() };
    }

    pub(crate) fn keep_position_only(&mut self) {
        self.joining = None;
        if !matches!(self.claim, Claim::After(_)) {
            self.claim = Claim::None;
        }
    }
}

/// As whom a client says that it is present. Nobody has checked it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Joining {
    /// The member's id. Empty where none was said that is a text.
    pub id: String,
    /// What others are told of the member: JSON text.
    pub info: String,
}

impl Joining {
    /// What can't be understood has an empty id: so it is refused as any other, and not the whole connection.
    fn decode(presence: Option<&RawValue>) -> Self {
        #[derive(Deserialize)]
        struct Wire<'a> {
            id: String,
            #[serde(borrow, default)]
            info: Option<&'a RawValue>,
        }
        let wire =
            presence.and_then(|presence| serde_json::from_str::<Wire<'_>>(presence.get()).ok());
        wire.map_or_else(Self::default, |Wire { id, info }| Self {
            id,
            info: info.map_or("null", RawValue::get).to_owned(),
        })
    }
}

/// What a client says that it already has.
#[derive(Clone, Debug, PartialEq, Default)]
#[non_exhaustive]
pub enum Claim {
    /// Nothing is said. The cursor counts, if there is one.
    #[default]
    None,
    /// Everything up to a position, on all of the subscription's streams.
    After(Position),
    /// An AnyCable client's `history`.
    History(History),
}

/// An AnyCable client's `history`.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct History {
    /// The client has everything that is older.
    pub since: Option<UnixMillis>,
    /// The client has everything up to a position, by stream. `None` for a position that can't
    /// be one of ours.
    pub streams: Vec<(String, Option<Position>)>,
}

impl History {
    /// Whether it names neither a time nor a position.
    pub fn is_empty(&self) -> bool {
        self.since.is_none() && self.streams.is_empty()
    }

    /// Whether it names this stream.
    pub fn names(&self, stream: &str) -> bool {
        self.streams.iter().any(|(name, _)| name == stream)
    }

    /// The position that it names for this stream.
    pub fn position(&self, stream: &str) -> Option<Position> {
        self.streams.iter().find(|(name, _)| name == stream).and_then(|(_, position)| *position)
    }
}

/// What a page could not do, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The kind of trouble.
    pub kind: ReportKind,
    /// The subscription, if it is about one.
    pub identifier: String,
    /// The entry, if it is about one.
    pub offset: Option<Offset>,
    /// Details, for the log.
    pub detail: String,
}

/// The kinds of [`Report`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReportKind {
    /// An action's target is not in the page.
    NoTarget,
    /// A subscription was rejected.
    Rejected,
    /// Something was missing between two entries.
    Gap,
    /// Any other error.
    Error,
}

/// Why a message is no command. It is always the client's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// Not JSON, or not an object with a `command`.
    #[error("not a command: {0}")]
    Malformed(#[source] serde_json::Error),
    /// A command that this protocol does not have.
    #[error("unknown command")]
    Unknown,
    /// A command without the identifier that it needs.
    #[error("no identifier")]
    NoIdentifier,
    /// `message` whose `data` is not the JSON text of an object.
    #[error("data is not the JSON text of an object")]
    BadData,
    /// A position that is not `EPOCH.OFFSET`.
    #[error("after is not a position")]
    BadPosition,
    /// `whisper` without data, or a report of an unknown kind.
    #[error("the command lacks something")]
    Incomplete,
}

/// A report's texts are cut at this length.
const REPORT_BYTES_MAX: usize = 512;

/// Times before this many are taken as seconds (the year 5138), later ones as milliseconds
/// (from 1973 on): AnyCable's clients send seconds, its specification says milliseconds.
const SECONDS_MAX: u64 = 100_000_000_000;

#[derive(Deserialize)]
struct Wire<'a> {
    command: Cow<'a, str>,
    identifier: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    after: Option<Cow<'a, str>>,
    history: Option<WireHistory>,
    #[serde(borrow)]
    presence: Option<&'a RawValue>,
    #[serde(default)]
    quiet: bool,
    #[serde(default)]
    deaf: bool,
    kind: Option<ReportKind>,
    offset: Option<u64>,
    detail: Option<String>,
}

#[derive(Deserialize)]
struct WireHistory {
    since: Option<u64>,
    #[serde(default)]
    streams: Option<BTreeMap<String, WirePosition>>,
}

#[derive(Deserialize)]
struct WirePosition {
    #[serde(default)]
    epoch: String,
    #[serde(default)]
    offset: u64,
}

impl Command {
    /// Decodes one text message.
    ///
    /// # Errors
    /// [`CommandError`] names what is wrong with it.
    pub fn decode(text: &str) -> Result<Self, CommandError> {
        Self::of(serde_json::from_str(text).map_err(CommandError::Malformed)?)
    }

    /// Decodes one command or an array of commands.
    ///
    /// # Errors
    /// [`CommandError`] names what is wrong with the first that is.
    pub fn decode_all(text: &str) -> Result<Vec<Self>, CommandError> {
        if !text.trim_ascii_start().starts_with('[') {
            return Self::decode(text).map(|command| vec![command]);
        }
        let wires: Vec<Wire<'_>> = serde_json::from_str(text).map_err(CommandError::Malformed)?;
        wires.into_iter().map(Self::of).collect()
    }

    fn of(wire: Wire<'_>) -> Result<Self, CommandError> {
        let identifier = wire.identifier.ok_or(CommandError::NoIdentifier);
        match &*wire.command {
            "subscribe" => {
                let claim = match (wire.after, wire.history) {
                    (Some(after), _) => Claim::After(position(&after)?),
                    (None, Some(history)) => Claim::History(history.decode()),
                    (None, None) => Claim::None,
                };
                let joining = wire.presence.map(|presence| Joining::decode(Some(presence)));
                let terms = Terms { claim, quiet: wire.quiet, deaf: wire.deaf, joining };
                Ok(Self::Subscribe { identifier: identifier?, terms })
            }
            "unsubscribe" => Ok(Self::Unsubscribe { identifier: identifier? }),
            "message" => {
                let identifier = identifier?;
                let (action, data) = decode_data(wire.data)?;
                Ok(Self::Perform { identifier, action, data })
            }
            "history" => {
                let history = wire.history.map(WireHistory::decode).unwrap_or_default();
                Ok(Self::History { identifier: identifier?, history })
            }
            "whisper" => {
                let json = wire.data.ok_or(CommandError::Incomplete)?.get().to_owned();
                Ok(Self::Whisper { identifier: identifier?, json })
            }
            "join" => {
                Ok(Self::Join { identifier: identifier?, joining: Joining::decode(wire.presence) })
            }
            "leave" => Ok(Self::Leave { identifier: identifier? }),
            "presence" => {
                let with_records = !wire.data.is_some_and(wants_total_only);
                Ok(Self::Members { identifier: identifier?, with_records })
            }
            "ping" => Ok(Self::Ping),
            "pong" => Ok(Self::Pong),
            "report" => Ok(Self::Report(Report {
                kind: wire.kind.ok_or(CommandError::Incomplete)?,
                identifier: cut(identifier.unwrap_or_default()),
                offset: wire.offset.map(Offset),
                detail: cut(wire.detail.unwrap_or_default()),
            })),
            _ => Err(CommandError::Unknown),
        }
    }
}

impl WireHistory {
    fn decode(self) -> History {
        let since = self
            .since
            .filter(|since| *since > 0)
            .map(|since| UnixMillis(if since < SECONDS_MAX { since * 1_000 } else { since }));
        let streams = self.streams.unwrap_or_default().into_iter();
        let streams = streams.map(|(name, wire)| {
            let epoch = u64::from_str_radix(&wire.epoch, 16).ok().map(Epoch);
            (name, epoch.map(|epoch| Position { epoch, offset: Offset(wire.offset) }))
        });
        History { since, streams: streams.collect() }
    }
}

fn wants_total_only(data: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Wire {
        return_records: bool,
    }
    serde_json::from_str(data.get()).is_ok_and(|Wire { return_records }| !return_records)
}

fn position(text: &str) -> Result<Position, CommandError> {
    text.parse().map_err(|_| CommandError::BadPosition)
}

fn cut(mut text: String) -> String {
    let mut end = REPORT_BYTES_MAX.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

fn decode_data(data: Option<&RawValue>) -> Result<(String, Map<String, Value>), CommandError> {
    let text = data.ok_or(CommandError::BadData)?.get();
    let text: Cow<'_, str> = serde_json::from_str(text).map_err(|_| CommandError::BadData)?;
    let data: Map<String, Value> =
        serde_json::from_str(&text).map_err(|_| CommandError::BadData)?;
    let action = match data.get("action") {
        Some(Value::String(action)) if !action.is_empty() => action.clone(),
        Some(Value::Null) | None => "receive".to_owned(),
        Some(_) => return Err(CommandError::BadData),
    };
    Ok((action, data))
}

/// What an identifier says: the channel's class and the subscription's parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Identifier {
    /// The channel's class, such as `Turbo::StreamsChannel`.
    pub channel: String,
    /// All parameters but `channel`.
    pub params: Map<String, Value>,
}

/// Why an identifier can't be understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentifierError {
    /// Not the JSON text of an object.
    #[error("the identifier is not the JSON text of an object")]
    Malformed,
    /// An object that does not name a channel.
    #[error("the identifier names no channel")]
    NoChannel,
}

impl Identifier {
    /// Decodes an identifier.
    ///
    /// A tag's cursor comes behind its signed name and a dot. Here it becomes the parameter `cursor`,
    /// as if the tag had `data-cursor`, and the name is again what was signed.
    ///
    /// # Errors
    /// [`IdentifierError`] says what is missing.
    pub fn decode(text: &str) -> Result<Self, IdentifierError> {
        let mut params: Map<String, Value> =
            serde_json::from_str(text).map_err(|_| IdentifierError::Malformed)?;
        let Some(Value::String(channel)) = params.remove("channel") else {
            return Err(IdentifierError::NoChannel);
        };
        if channel.is_empty() {
            return Err(IdentifierError::NoChannel);
        }
        if let Some(Value::String(name)) = params.get_mut("signed_stream_name") {
            if let Some(dot) = name.find('.') {
                let cursor = name.split_off(dot + 1);
                name.pop();
                params.insert("cursor".to_owned(), cursor.into());
            }
        }
        Ok(Self { channel, params })
    }

    /// A parameter that is a string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.params.get(name)?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let outcome = match Command::decode(text) {
            Ok(command) => format!("{command:?}"),
            Err(error) => error.to_string(),
        };
        assert!(outcome.starts_with(expected), "{text}: {outcome}");
    }

    #[test]
    fn commands_are_decoded_or_named_as_wrong() {
        check(
            r#"{"command":"subscribe","identifier":"{\"channel\":\"A\"}"}"#,
            r#"Subscribe { identifier: "{\"channel\":\"A\"}", terms: Terms { claim: None, quiet: false"#,
        );
        check(r#"{"command":"unsubscribe","identifier":"x"}"#, "Unsubscribe");
        check(
            r#"{"command":"message","identifier":"x","data":"{\"action\":\"speak\",\"n\":1}"}"#,
            r#"Perform { identifier: "x", action: "speak""#,
        );
        check(
            r#"{"command":"message","identifier":"x","data":"{}"}"#,
            r#"Perform { identifier: "x", action: "receive""#,
        );
        check(r#"{"command":"message","identifier":"x","data":{"action":"a"}}"#, "data is not");
        check(r#"{"command":"message","identifier":"x","data":"[]"}"#, "data is not");
        check(r#"{"command":"message","identifier":"x","data":"{\"action\":1}"}"#, "data is not");
        check(r#"{"command":"message","identifier":"x"}"#, "data is not");
        check(r#"{"command":"subscribe"}"#, "no identifier");
        check(r#"{"command":"dance","identifier":"x"}"#, "unknown command");
        check(r#"{"command":"dance"}"#, "unknown command");
        check(r#"{"identifier":"x"}"#, "not a command");
        check("[]", "not a command");
        check("", "not a command");
        check(&"[".repeat(100_000), "not a command");
        check(r#"{"command":"subscribe","identifier":"x","after":"x"}"#, "after is not");
        check(r#"{"command":"whisper","identifier":"x"}"#, "the command lacks");
        check(r#"{"command":"report"}"#, "the command lacks");
        check(r#"{"command":"report","kind":"dance"}"#, "not a command");
        check(r#"{"command":"ping"}"#, "Ping");
        check(r#"{"command":"subscribe","identifier":"x"} {}"#, "not a command");
    }

    #[test]
    fn a_client_says_where_it_stands() {
        let claim = |rest: &str| {
            let text = format!(r#"{{"command":"subscribe","identifier":"x",{rest}}}"#);
            match Command::decode(&text) {
                Ok(Command::Subscribe { terms, .. }) => terms.claim,
                other => panic!("{text}: {other:?}"),
            }
        };
        let at = |epoch, offset| Position { epoch: Epoch(epoch), offset: Offset(offset) };
        assert_eq!(claim(r#""after":"c0ffee.42""#), Claim::After(at(0xc0_ffee, 42)));
        let Claim::History(history) = claim(
            r#""history":{"since":1713000000,"streams":{"a":{"offset":12,"epoch":"f"},"b":{"epoch":"x7Ka"}}}"#,
        ) else {
            panic!("no history");
        };
        assert_eq!(history.since, Some(UnixMillis(1_713_000_000_000)));
        assert_eq!(history.streams, [("a".to_owned(), Some(at(15, 12))), ("b".to_owned(), None)]);
        assert_eq!(
            claim(r#""history":{"since":1713000000123}"#),
            Claim::History(History {
                since: Some(UnixMillis(1_713_000_000_123)),
                streams: Vec::new()
            })
        );
        assert_eq!(claim(r#""history":null"#), Claim::None);
    }

    #[test]
    fn an_array_is_several_commands() {
        let commands = Command::decode_all(r#" [{"command":"ping"},{"command":"pong"}]"#).unwrap();
        assert_eq!(commands, [Command::Ping, Command::Pong]);
        assert_eq!(Command::decode_all(r#"{"command":"pong"}"#).unwrap(), [Command::Pong]);
        assert!(Command::decode_all(r#"[{"command":"pong"},[]]"#).is_err());
        assert!(Command::decode_all("[1").is_err());
    }

    #[test]
    fn reports_are_short() {
        let detail = "é".repeat(1_000);
        let text = format!(r#"{{"command":"report","kind":"gap","offset":7,"detail":"{detail}"}}"#);
        let Ok(Command::Report(report)) = Command::decode(&text) else { panic!("no report") };
        assert_eq!((report.kind, report.offset), (ReportKind::Gap, Some(Offset(7))));
        assert_eq!(report.detail.len(), REPORT_BYTES_MAX);
    }

    #[test]
    fn a_cursor_behind_the_signed_name_is_a_parameter_of_its_own() {
        let check = |params: &str, name, cursor| {
            let identifier = Identifier::decode(&format!(r#"{{"channel":"A",{params}}}"#)).unwrap();
            let actual = (identifier.text("signed_stream_name"), identifier.text("cursor"));
            assert_eq!(actual, (name, cursor), "{params}");
        };
        check(r#""signed_stream_name":"a==--b""#, Some("a==--b"), None);
        check(r#""signed_stream_name":"a--b.e.1.p.m""#, Some("a--b"), Some("e.1.p.m"));
        check(r#""signed_stream_name":"a--b","cursor":"e.1""#, Some("a--b"), Some("e.1"));
        // A morph changes both; the observed attribute is the one that counts.
        check(r#""signed_stream_name":"a--b.e.2","cursor":"e.1""#, Some("a--b"), Some("e.2"));
        check(r#""signed_stream_name":"a--b.""#, Some("a--b"), Some(""));
        check(r#""stream_name":"a.b""#, None, None);
    }

    #[test]
    fn identifiers_name_a_channel() {
        let identifier = Identifier::decode(r#"{"channel":"A","id":1,"name":"n"}"#).unwrap();
        assert_eq!((identifier.channel.as_str(), identifier.text("name")), ("A", Some("n")));
        assert_eq!(identifier.text("id"), None);
        for text in ["", "1", "{}", r#"{"channel":1}"#, r#"{"channel":""}"#, "null"] {
            assert!(Identifier::decode(text).is_err(), "{text}");
        }
    }
}
