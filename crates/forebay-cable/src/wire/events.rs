//! Server-sent events (the HTML standard, section 9.2), for pages without a script of ours.

use std::borrow::Cow;

use bytes::Bytes;
use forebay_log::Position;

/// A second, for servers that restart. Browsers wait three or five by themselves.
pub(crate) const WELCOME: &[u8] = b"retry: 1000\n\n";

const ALIVE: &[u8] = b":\n\n";

/// Comments keep the connection open; an id without data moves `Last-Event-ID` on.
pub(crate) fn ping(moved: Option<Position>) -> Bytes {
    moved.map_or(Bytes::from_static(ALIVE), |at| format!("id: {at}\n\n").into())
}

pub(crate) fn named(name: &str, json: &[u8]) -> Bytes {
    let mut bytes = format!("event: {name}\n").into_bytes();
    data(&mut bytes, &String::from_utf8_lossy(json));
    bytes.into()
}

pub(crate) fn resync(at: Position, message: &[u8]) -> Bytes {
    let mut bytes = Vec::new();
    // Turbo's refresh first: a browser that has got the id only would never ask for it again.
    if !message.is_empty() {
        content(&mut bytes, message);
    }
    bytes.extend_from_slice(format!("event: resync\nid: {at}\ndata: {at}\n\n").as_bytes());
    bytes.into()
}

pub(crate) fn entry(at: Position, json: &[u8]) -> Vec<u8> {
    let mut bytes = format!("id: {at}\n").into_bytes();
    content(&mut bytes, json);
    bytes
}

pub(crate) fn message(json: &[u8]) -> Bytes {
    let mut bytes = Vec::new();
    content(&mut bytes, json);
    bytes.into()
}

/// Turbo's HTML as it is, anything else as JSON.
fn content(bytes: &mut Vec<u8>, json: &[u8]) {
    match serde_json::from_slice::<Cow<'_, str>>(json) {
        Ok(html) => data(bytes, &html),
        Err(_) => data(bytes, &String::from_utf8_lossy(json)),
    }
}

/// One line of data each: a line's end of any kind would end the field.
fn data(bytes: &mut Vec<u8>, text: &str) {
    let text = text.replace("\r\n", "\n");
    for line in text.split(['\n', '\r']) {
        bytes.extend_from_slice(b"data: ");
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    bytes.push(b'\n');
}
