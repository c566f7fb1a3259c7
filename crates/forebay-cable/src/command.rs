//! Decoding what a client sends. Nothing here keeps state; the fuzz target `command` feeds it.

use serde::Deserialize;
use serde_json::{Map, Value};

/// One command of `actioncable-v1-json`.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `subscribe`: the identifier, as text.
    Subscribe {
        /// The JSON text that names the subscription; opaque, compared and echoed as it is.
        identifier: String,
    },
    /// `unsubscribe`.
    Unsubscribe {
        /// Which subscription.
        identifier: String,
    },
    /// `message`: an action for a channel.
    Perform {
        /// Which subscription.
        identifier: String,
        /// `data.action`, or `receive` where there is none, as in Rails.
        action: String,
        /// The decoded `data`, `action` included.
        data: Map<String, Value>,
    },
}

/// Why a message is no command. The client's fault, always.
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
}

#[derive(Deserialize)]
struct Wire {
    command: String,
    identifier: Option<String>,
    data: Option<Value>,
}

impl Command {
    /// Decodes one text message.
    ///
    /// # Errors
    /// [`CommandError`] names what is wrong with it.
    pub fn decode(text: &str) -> Result<Self, CommandError> {
        let wire: Wire = serde_json::from_str(text).map_err(CommandError::Malformed)?;
        let identifier = wire.identifier.ok_or(CommandError::NoIdentifier);
        match wire.command.as_str() {
            "subscribe" => Ok(Self::Subscribe { identifier: identifier? }),
            "unsubscribe" => Ok(Self::Unsubscribe { identifier: identifier? }),
            "message" => {
                let identifier = identifier?;
                let (action, data) = decode_data(wire.data.as_ref())?;
                Ok(Self::Perform { identifier, action, data })
            }
            _ => Err(CommandError::Unknown),
        }
    }
}

fn decode_data(data: Option<&Value>) -> Result<(String, Map<String, Value>), CommandError> {
    let text = data.and_then(Value::as_str).ok_or(CommandError::BadData)?;
    let data: Map<String, Value> = serde_json::from_str(text).map_err(|_| CommandError::BadData)?;
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
    /// `channel`: `Turbo::StreamsChannel`, say.
    pub channel: String,
    /// Everything else.
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
    /// # Errors
    /// [`IdentifierError`] says what is missing.
    pub fn decode(text: &str) -> Result<Self, IdentifierError> {
        let mut params: Map<String, Value> =
            serde_json::from_str(text).map_err(|_| IdentifierError::Malformed)?;
        match params.remove("channel") {
            Some(Value::String(channel)) if !channel.is_empty() => Ok(Self { channel, params }),
            _ => Err(IdentifierError::NoChannel),
        }
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
            r#"Subscribe { identifier: "{\"channel\":\"A\"}" }"#,
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
        check(r#"{"command":"subscribe","identifier":"x"} {}"#, "not a command");
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
