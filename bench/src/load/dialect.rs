//! How a client of each protocol opens a connection and subscribes.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::ops::Range;

use forebay_signing::{Cursor, CursorSigner, Key, Subject, Verifier};
use memchr::memmem;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::frames;

/// What the clients speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Dialect {
    /// A WebSocket that is subscribed by its path, and gets messages as they were published.
    Plain,
    /// `actioncable-v1-json`.
    ActionCable,
    /// `actioncable-v1-ext-json`.
    ActionCableExtended,
    /// Server-sent events from a stream that the path names.
    Events,
    /// Centrifugo's JSON protocol.
    Centrifugo,
    /// Pusher's protocol 7.
    Pusher,
}

/// What a message means to its client.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Meaning {
    /// Nothing to do.
    Nothing,
    /// Subscribe.
    Subscribe,
    /// Say this.
    Say(String),
    Subscribed,
    Refused,
}

/// Whom a connection subscribes at, and to what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) dialect: Dialect,
    pub(crate) port: u16,
    /// Where to connect; `{stream}` stands for the stream's name, `{signed}` for its signed name.
    pub(crate) path: String,
    /// The key that stream names are signed with.
    pub(crate) secret: String,
    /// Streams in all, of which entries are published to the first so many.
    pub(crate) streams: usize,
    pub(crate) heard: usize,
    /// Where the pages were rendered, if subscriptions are to say it. With Forebay this is a cursor, and
    /// each page has an id of its own, so no two identifiers are the same.
    pub(crate) rendered: Option<Rendered>,
}

/// A place in the log, or in the stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rendered {
    /// As its server writes it; Forebay's is hexadecimal.
    pub(crate) epoch: String,
    pub(crate) offset: u64,
}

/// The name of a stream by its number.
pub(crate) fn stream_name(stream: usize) -> String {
    format!("bench_{stream}")
}

/// What base64 and a query have in common, but mean otherwise.
fn escaped(signed: &str) -> String {
    signed.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

impl Target {
    fn signed(&self, stream: usize) -> String {
        Verifier::new(Key::raw(&self.secret)).sign(&stream_name(stream))
    }

    /// The request that opens a connection, as a browser sends it.
    fn request(&self, stream: usize) -> Vec<u8> {
        let path = self.path.replace("{stream}", &stream_name(stream));
        let path = if path.contains("{signed}") {
            path.replace("{signed}", &escaped(&self.signed(stream)))
        } else {
            path
        };
        let port = self.port;
        let mut head = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n\
             User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36\r\n\
             Accept-Language: en-US,en;q=0.9\r\nCache-Control: no-cache\r\nPragma: no-cache\r\n"
        );
        if self.dialect == Dialect::Events {
            head.push_str("Accept: text/event-stream\r\n\r\n");
            return head.into_bytes();
        }
        head.push_str(
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        );
        let protocol = match self.dialect {
            Dialect::ActionCable => Some("actioncable-v1-json, actioncable-unsupported"),
            Dialect::ActionCableExtended => Some("actioncable-v1-ext-json"),
            _ => None,
        };
        if let Some(protocol) = protocol {
            let _ = write!(head, "Sec-WebSocket-Protocol: {protocol}\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// What a connection that is open means.
    pub(super) fn opened(&self) -> Meaning {
        match self.dialect {
            Dialect::Plain | Dialect::Events => Meaning::Subscribed,
            Dialect::Centrifugo => Meaning::Subscribe,
            _ => Meaning::Nothing,
        }
    }

    /// What a message without a marker means.
    pub(super) fn hear(&self, message: &[u8]) -> Meaning {
        let has = |needle: &str| memmem::find(message, needle.as_bytes()).is_some();
        match self.dialect {
            Dialect::ActionCable | Dialect::ActionCableExtended => {
                if has(r#""type":"welcome""#) {
                    Meaning::Subscribe
                } else if has(r#""type":"confirm_subscription""#) {
                    Meaning::Subscribed
                } else if has(r#""type":"reject_subscription""#) || has(r#""type":"disconnect""#) {
                    Meaning::Refused
                } else if self.dialect == Dialect::ActionCableExtended && has(r#""type":"ping""#) {
                    Meaning::Say(r#"{"command":"pong"}"#.to_owned())
                } else {
                    Meaning::Nothing
                }
            }
            Dialect::Centrifugo => match message {
                // A ping, by itself or among others; a server that hears no pong hangs up.
                _ if has("{}")
                    && message.split(|byte| *byte == b'\n').any(|line| line == b"{}") =>
                {
                    Meaning::Say("{}".to_owned())
                }
                _ if has(r#""error""#) => Meaning::Refused,
                _ if has(r#""id":2"#) => Meaning::Subscribed,
                _ => Meaning::Nothing,
            },
            Dialect::Pusher => {
                if has("pusher:connection_established") {
                    Meaning::Subscribe
                } else if has("pusher_internal:subscription_succeeded") {
                    Meaning::Subscribed
                } else if has("pusher:ping") {
                    Meaning::Say(r#"{"event":"pusher:pong","data":{}}"#.to_owned())
                } else if has("pusher:error") {
                    Meaning::Refused
                } else {
                    Meaning::Nothing
                }
            }
            Dialect::Plain | Dialect::Events => Meaning::Nothing,
        }
    }

    /// Action Cable's subscription, as `turbo_stream_from`'s element writes it: the cursor comes behind the
    /// signed name.
    pub(crate) fn identifier(&self, stream: usize, page: usize) -> String {
        let signed = self.signed(stream);
        let cursor = self.rendered.as_ref().map(|Rendered { epoch, offset }| {
            let cursors = CursorSigner::new(Key::raw(&self.secret));
            let epoch = u64::from_str_radix(epoch, 16).unwrap_or_default();
            let page = cursors.page(Cursor { epoch, offset: *offset, page: page as u64 });
            format!(".{}", page.cursor_for(Subject::Signed(&signed)))
        });
        let cursor = cursor.unwrap_or_default();
        format!(r#"{{"channel":"Turbo::StreamsChannel","signed_stream_name":"{signed}{cursor}"}}"#)
    }

    /// What a page says to subscribe, if its address does not say it.
    fn subscribe(&self, stream: usize, page: usize) -> Option<String> {
        Some(match self.dialect {
            Dialect::Plain | Dialect::Events => return None,
            Dialect::ActionCable | Dialect::ActionCableExtended => {
                let identifier = self.identifier(stream, page);
                json!({"command": "subscribe", "identifier": identifier}).to_string()
            }
            Dialect::Centrifugo => {
                let mut subscribe = json!({"channel": stream_name(stream)});
                if let Some(Rendered { epoch, offset }) = &self.rendered {
                    subscribe["recover"] = true.into();
                    subscribe["epoch"] = epoch.as_str().into();
                    subscribe["offset"] = (*offset).into();
                }
                let connect = json!({"id": 1, "connect": {}});
                format!("{connect}\n{}", json!({"id": 2, "subscribe": subscribe}))
            }
            Dialect::Pusher => {
                let data = json!({"channel": stream_name(stream)});
                json!({"event": "pusher:subscribe", "data": data}).to_string()
            }
        })
    }

    /// The `number`th page, rendered with these streams.
    pub(super) fn page(&self, number: usize, streams: Range<usize>) -> Page {
        let texts = streams.clone().filter_map(|stream| self.subscribe(stream, number));
        Page {
            number,
            request: self.request(streams.start),
            subscribes: texts.map(|text| frames::masked(1, text.as_bytes())).collect(),
            stream: streams.start,
        }
    }
}

/// What its visitor's browser has of it before it connects.
#[derive(Debug)]
pub(super) struct Page {
    /// Which of all it is.
    pub(super) number: usize,
    /// Opens its connection.
    pub(super) request: Vec<u8>,
    /// A frame for each of its streams that it has to name, in this order.
    pub(super) subscribes: VecDeque<Vec<u8>>,
    /// The first of these: where it gets entries from.
    pub(super) stream: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_of_centrifugo_is_answered_wherever_it_stands() {
        let target = Target {
            dialect: Dialect::Centrifugo,
            port: 0,
            path: String::new(),
            secret: String::new(),
            streams: 1,
            heard: 1,
            rendered: None,
        };
        let pong = Meaning::Say("{}".to_owned());
        let push = r#"{"push":{"channel":"bench_0","pub":{"data":{"html":"{}"}}}}"#;
        assert_eq!(target.hear(b"{}"), pong);
        assert_eq!(target.hear(format!("{push}\n{{}}").as_bytes()), pong);
        assert_eq!(target.hear(format!("{{}}\n{push}").as_bytes()), pong);
        assert_eq!(target.hear(push.as_bytes()), Meaning::Nothing);
    }
}
