//! AnyCable's broadcasts as data, whatever brings them: one object, or an array of them.
//!
//! ```json
//! {"stream": "chat/1", "data": "{\"text\":\"hi\"}",
//!  "meta": {"exclude_socket": "<sid>", "broadcast_type": "presence", "transient": true}}
//! ```
//!
//! `data` is a text. If it is JSON, that is what pages get, byte for byte; anything else, and JSON's
//! `null`, is sent as a JSON string. turbo-rails' HTML comes as a JSON string, and stays one.

use forebay_core::StreamName;
use forebay_core::raw::RawBroadcast;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::serve::disconnects::Disconnect;

/// Broadcasts of one request. Appending them holds up other publishers for about 10 ms.
const BATCH_MAX: usize = 10_000;

/// Names longer than an identifier may be could not be subscribed to.
pub(in crate::serve) const STREAM_BYTES_MAX: usize = 4 << 10;

/// Session ids have 16 characters here and 21 in AnyCable; types are words.
const META_BYTES_MAX: usize = 256;

/// Why a body is not taken.
#[derive(Debug, thiserror::Error)]
pub(in crate::serve) enum FormatError {
    #[error("the body is neither a JSON object nor an array of them: {0}")]
    Body(serde_json::Error),
    #[error("{0} broadcasts in one request are more than {BATCH_MAX}")]
    Batch(usize),
    /// Nothing of the request is published, so it can be sent again as a whole.
    #[error("{}; nothing was published", place(*index, what))]
    Element {
        /// Its place in the batch, from 1.
        index: Option<usize>,
        what: ElementError,
    },
}

/// What is wrong with one broadcast.
#[derive(Debug, thiserror::Error)]
pub(in crate::serve) enum ElementError {
    #[error("it is not an object")]
    NoObject,
    #[error("{0}")]
    Json(serde_json::Error),
    #[error("`stream` is missing")]
    NoStream,
    #[error("`stream` is empty")]
    EmptyStream,
    #[error("`stream` has more than {STREAM_BYTES_MAX} bytes")]
    LongStream,
    #[error("`data` is missing")]
    NoData,
    #[error("`data` must be a string; JSON is sent as one, too")]
    NoText,
    #[error("`meta.{0}` must be a string of at most {META_BYTES_MAX} bytes")]
    MetaText(&'static str),
    #[error("`meta.transient` must be true or false")]
    MetaSwitch,
    #[error("the only command that is supported is `disconnect`, not {0}")]
    Command(String),
    #[error("a command is posted alone, not in a batch")]
    Batched,
    #[error(
        "`payload.identifier` must be a text: a JSON object whose values are texts; sorted and \
         joined by colons they are the visitor's identity (identity_header)"
    )]
    Identifier,
    #[error("`payload.reconnect` must be true or false")]
    Reconnect,
}

fn place(index: Option<usize>, what: &ElementError) -> String {
    match index {
        Some(index) => format!("broadcast {index} of the batch: {what}"),
        None => what.to_string(),
    }
}

/// A broadcast as it is posted. Keys that AnyCable does not have are passed over, as it does.
#[derive(Deserialize)]
struct Element<'a> {
    stream: Option<String>,
    /// As it is written, its quotes and escapes included.
    #[serde(borrow, default, deserialize_with = "some")]
    data: Option<&'a RawValue>,
    meta: Option<Map<String, Value>>,
    command: Option<Value>,
    payload: Option<Value>,
}

/// What a request asks for.
pub(super) enum Posted {
    Broadcasts(Vec<RawBroadcast>),
    Disconnect(Disconnect),
}

/// A value that is there; `null` is one, too.
fn some<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(value).map(Some)
}

/// Reads a request's body: all of its broadcasts, or what is wrong.
pub(super) fn read(body: &[u8]) -> Result<Posted, FormatError> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'[') {
        let alone = |what| FormatError::Element { index: None, what };
        if let Ok(element) = serde_json::from_slice(body) {
            return single(element).map_err(alone);
        }
        let one: &RawValue = serde_json::from_slice(body).map_err(FormatError::Body)?;
        return element(one).and_then(single).map_err(alone);
    }
    let batch: Vec<&RawValue> = serde_json::from_slice(body).map_err(FormatError::Body)?;
    if batch.len() > BATCH_MAX {
        return Err(FormatError::Batch(batch.len()));
    }
    let numbered = |(at, raw): (usize, &&RawValue)| {
        batched(raw).map_err(|what| FormatError::Element { index: Some(at + 1), what })
    };
    batch.iter().enumerate().map(numbered).collect::<Result<_, _>>().map(Posted::Broadcasts)
}

fn single(element: Element<'_>) -> Result<Posted, ElementError> {
    match &element.command {
        None => Ok(Posted::Broadcasts(vec![broadcast(element)?])),
        Some(Value::String(command)) if command == "disconnect" => {
            disconnect(&element.payload.unwrap_or_default()).map(Posted::Disconnect)
        }
        Some(command) => Err(ElementError::Command(command.to_string())),
    }
}

fn batched(raw: &RawValue) -> Result<RawBroadcast, ElementError> {
    let element = element(raw)?;
    if element.command.is_some() {
        return Err(ElementError::Batched);
    }
    broadcast(element)
}

/// Whose connections end. Rails' identifiers are JSON in a text. Rails itself names a visitor by the
/// values alone, sorted and joined by colons (`connection_identifier`), and so does this.
fn disconnect(payload: &Value) -> Result<Disconnect, ElementError> {
    let identifier = payload.get("identifier").and_then(Value::as_str);
    let identifiers = identifier.and_then(|text| serde_json::from_str(text).ok());
    let Some(Value::Object(identifiers)) = identifiers else {
        return Err(ElementError::Identifier);
    };
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let values: Option<Vec<_>> = identifiers.values().map(text).collect();
    let mut values = values.filter(|all| !all.is_empty()).ok_or(ElementError::Identifier)?;
    values.sort_unstable();
    let identity = values.join(":");
    match payload.get("reconnect") {
        None => Ok(Disconnect { identity, reconnect: true }),
        Some(Value::Bool(reconnect)) => Ok(Disconnect { identity, reconnect: *reconnect }),
        Some(_) => Err(ElementError::Reconnect),
    }
}

fn element(raw: &RawValue) -> Result<Element<'_>, ElementError> {
    if !raw.get().starts_with('{') {
        return Err(ElementError::NoObject);
    }
    serde_json::from_str(raw.get()).map_err(ElementError::Json)
}

fn broadcast(element: Element<'_>) -> Result<RawBroadcast, ElementError> {
    let stream = element.stream.ok_or(ElementError::NoStream)?;
    match stream.len() {
        0 => return Err(ElementError::EmptyStream),
        1..=STREAM_BYTES_MAX => {}
        _ => return Err(ElementError::LongStream),
    }
    let data = element.data.ok_or(ElementError::NoData)?;
    let message = message(data)?;
    let broadcast = RawBroadcast::new(StreamName::raw(stream), message);
    match element.meta {
        Some(meta) => with_meta(broadcast, &meta),
        None => Ok(broadcast),
    }
}

fn with_meta(
    mut broadcast: RawBroadcast,
    meta: &Map<String, Value>,
) -> Result<RawBroadcast, ElementError> {
    let text = |name| match meta.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= META_BYTES_MAX => {
            Ok(Some(text.as_str()).filter(|text| !text.is_empty()))
        }
        Some(_) => Err(ElementError::MetaText(name)),
    };
    if let Some(session) = text("exclude_socket")? {
        broadcast = broadcast.except(session);
    }
    if let Some(kind) = text("broadcast_type")? {
        broadcast = broadcast.kind(kind);
    }
    match meta.get("transient") {
        Some(Value::Bool(true)) => Ok(broadcast.ephemeral()),
        None | Some(Value::Null | Value::Bool(false)) => Ok(broadcast),
        Some(_) => Err(ElementError::MetaSwitch),
    }
}

/// What pages get: the text itself, if it is JSON.
fn message(data: &RawValue) -> Result<Box<RawValue>, ElementError> {
    // HTML is no JSON. As a JSON string it stands in the body already, and is neither read nor written
    // again; but where characters are escaped by number, these could be wrong.
    let written = data.get();
    if written.starts_with("\"<") && !written.contains("\\u") {
        return Ok(data.to_owned());
    }
    if !written.starts_with('"') {
        return Err(ElementError::NoText);
    }
    let text: String = serde_json::from_str(written).map_err(ElementError::Json)?;
    match serde_json::from_str::<&RawValue>(&text) {
        Ok(json) if json.get() != "null" => Ok(json.to_owned()),
        _ => serde_json::value::to_raw_value(&text).map_err(ElementError::Json),
    }
}

#[cfg(test)]
mod tests;
