//! What a value of an option can be, and reading it.

use forebay_core::raw::Door;

use super::units::{milliseconds, show_milliseconds, show_size, size};
use crate::origins;

/// The kinds of values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// A text that is never shown.
    Secret,
    /// Secrets, separated by commas where they are one text.
    Secrets,
    /// The name of a file.
    File,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Yes or no.
    Switch,
    /// A TCP port; 0 lets the system choose.
    Port,
    /// A number from the first to the second.
    Count(u64, u64),
    /// Bytes, from the first to the second.
    Size(u64, u64),
    /// Milliseconds, from the first to the second. A number without a unit is seconds.
    Duration(u64, u64),
    /// The path of a route.
    Route,
    /// An address with one of these schemes.
    Url(&'static [&'static str]),
    /// Web origins.
    Origins,
    /// Names of this server.
    Hosts,
    /// Addresses and networks.
    Networks,
    /// Names of streams, or their beginnings and `*`; `true` is every stream.
    Streams,
}

/// A value that was checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    Text(String),
    /// Durations are milliseconds.
    Number(u64),
    Switch(bool),
    List(Vec<String>),
}

/// A value as it was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Raw {
    Text(String),
    Integer(i64),
    Bool(bool),
    List(Vec<String>),
}

impl Raw {
    /// One text, if that is what it is or can be written as.
    fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.trim().to_owned()),
            Self::Integer(number) => Some(number.to_string()),
            Self::Bool(switch) => Some(switch.to_string()),
            Self::List(_) => None,
        }
    }

    /// For an error: how the user wrote it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::List(items) => format!("{items:?}"),
            other => format!("{:?}", other.text().unwrap_or_default()),
        }
    }
}

impl Kind {
    /// Whether the value must not be shown.
    pub(crate) const fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::Secrets)
    }

    /// Whether several values can be given, one after the other.
    pub(crate) const fn is_list(self) -> bool {
        matches!(self, Self::Secrets | Self::Origins | Self::Hosts | Self::Networks | Self::Streams)
    }

    /// Reads a value; the error says what was expected instead.
    pub(crate) fn parse(self, raw: &Raw) -> Result<Value, String> {
        self.read(raw).ok_or_else(|| format!("expected {}", self.expected()))
    }

    fn read(self, raw: &Raw) -> Option<Value> {
        if self.is_list() {
            return self.read_list(raw);
        }
        if matches!(self, Self::Text | Self::Secret | Self::File) {
            // A number in the file may have lost its zeros: secrets and names are texts.
            let Raw::Text(text) = raw else { return None };
            return (!text.is_empty()).then(|| Value::Text(text.clone()));
        }
        let text = raw.text()?;
        let number = |number: u64, min: u64, max: u64| {
            (min..=max).contains(&number).then_some(Value::Number(number))
        };
        match self {
            Self::Choice(words) => words.contains(&&*text).then_some(Value::Text(text)),
            Self::Switch => switch(&text).map(Value::Switch),
            Self::Port => number(text.parse().ok()?, 0, u64::from(u16::MAX)),
            Self::Count(min, max) => number(text.parse().ok()?, min, max),
            Self::Size(min, max) => number(size(&text)?, min, max),
            Self::Duration(min, max) => number(milliseconds(&text)?, min, max),
            Self::Route => is_route(&text).then_some(Value::Text(text)),
            Self::Url(schemes) => is_url(&text, schemes).then_some(Value::Text(text)),
            _ => None,
        }
    }

    fn read_list(self, raw: &Raw) -> Option<Value> {
        let items: Vec<String> = match raw {
            Raw::Text(text) => text.split(',').map(|item| item.trim().to_owned()).collect(),
            Raw::List(items) => items.clone(),
            // AnyCable's `public_streams` is a switch.
            Raw::Bool(all) => vec![all.to_string()],
            Raw::Integer(_) => return None,
        };
        let mut items: Vec<_> = items.into_iter().filter(|item| !item.is_empty()).collect();
        match self {
            Self::Origins if items.iter().any(|item| origins::parse(item).is_none()) => None,
            Self::Hosts if items.iter().any(|item| Door::default().host(item).is_err()) => None,
            Self::Networks if items.iter().any(|item| Door::default().proxy(item).is_err()) => None,
            Self::Streams => {
                items = match items.iter().map(|item| switch(item)).collect::<Vec<_>>()[..] {
                    [Some(true)] => vec!["*".to_owned()],
                    [Some(false)] => Vec::new(),
                    _ => items,
                };
                Some(Value::List(items))
            }
            _ => Some(Value::List(items)),
        }
    }

    /// What a value must be.
    fn expected(self) -> String {
        match self {
            Self::Text | Self::Secret => "a text".to_owned(),
            Self::File => "the name of a file".to_owned(),
            Self::Secrets => "texts, separated by commas".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Switch => "true or false".to_owned(),
            Self::Port => "a port: a number from 0 to 65535, 0 for any free one".to_owned(),
            Self::Count(min, max) => format!("a number {}", range(min, max, |n| n.to_string())),
            Self::Size(min, max) => {
                let range = range(min, max, show_size);
                format!("a number of bytes {range}, such as 65536 or 64KiB")
            }
            Self::Duration(min, max) => {
                let range = range(min, max, show_milliseconds);
                format!("a duration {range}: seconds, or a number with ms, s, m, h or d")
            }
            Self::Route => {
                "a path such as /cable, of letters, digits and the signs - . _ ~ /".to_owned()
            }
            Self::Url(schemes) => format!("an address that begins with {}", schemes.join(" or ")),
            Self::Origins => "origins such as https://example.com, https://*.example.com, \
                              http://localhost:* or capacitor://localhost, or * for all, separated \
                              by commas"
                .to_owned(),
            Self::Hosts => {
                "hosts such as example.com, example.com:8080 or *.example.com, separated by commas"
                    .to_owned()
            }
            Self::Networks => {
                "addresses such as 10.0.0.7 or 10.0.0.0/8, separated by commas".to_owned()
            }
            Self::Streams => {
                "names of streams or beginnings such as chat/*, separated by commas, or \
                              true for all"
                    .to_owned()
            }
        }
    }

    /// A value as it is written in the file. Not for secrets.
    pub(super) fn show(self, value: &Value) -> String {
        match (self, value) {
            (Self::Duration(..), Value::Number(ms)) => quote(&show_milliseconds(*ms)),
            (Self::Size(..), Value::Number(bytes)) => quote(&show_size(*bytes)),
            (_, Value::Number(number)) => number.to_string(),
            (_, Value::Switch(switch)) => switch.to_string(),
            (_, Value::Text(text)) => quote(text),
            (_, Value::List(items)) => {
                let items: Vec<_> = items.iter().map(|item| quote(item)).collect();
                format!("[{}]", items.join(", "))
            }
        }
    }

    /// What stands for the value in `--help`.
    pub(crate) const fn placeholder(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Secret => "SECRET",
            Self::Secrets => "SECRETS",
            Self::File => "FILE",
            Self::Choice(_) => "WORD",
            Self::Switch => "BOOL",
            Self::Port => "PORT",
            Self::Count(..) => "NUMBER",
            Self::Size(..) => "SIZE",
            Self::Duration(..) => "DURATION",
            Self::Route => "PATH",
            Self::Url(_) => "URL",
            Self::Origins => "ORIGINS",
            Self::Hosts => "HOSTS",
            Self::Networks => "ADDRESSES",
            Self::Streams => "STREAMS",
        }
    }
}

/// A basic string of TOML: JSON's escapes are among its own.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn range(min: u64, max: u64, show: impl Fn(u64) -> String) -> String {
    if max == u64::MAX {
        format!("of at least {}", show(min))
    } else {
        format!("from {} to {}", show(min), show(max))
    }
}

/// AnyCable's words, and a few more.
pub(super) fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" | "yes" | "on" => Some(true),
        "false" | "f" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// What the router takes literally, and needs no escaping.
fn is_route(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
    text.starts_with('/') && text.chars().all(plain)
}

fn is_url(text: &str, schemes: &[&str]) -> bool {
    let has_host = text.parse::<http::Uri>().is_ok_and(|uri| uri.host().is_some());
    has_host && schemes.iter().any(|scheme| text.starts_with(scheme))
}
