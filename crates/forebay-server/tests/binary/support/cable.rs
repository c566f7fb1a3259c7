//! A page: an Action Cable client that sees every byte.

use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use forebay_core::signing::{Key, PageCursor, Subject, Verifier};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use super::{PATIENCE, SECRET};

pub(crate) struct Page {
    socket: WebSocket<TcpStream>,
    pub(crate) sid: String,
}

/// How long one step has to wait, whatever comes meanwhile: pings come for ever.
struct Wait(Instant);

impl Wait {
    fn begin() -> Self {
        Self(Instant::now())
    }

    #[track_caller]
    fn goes_on(&self) {
        assert!(self.0.elapsed() < PATIENCE, "nothing but pings");
    }
}

/// The identifier of a signed Turbo stream, with what this makes of it.
pub(crate) fn turbo(stream: &str, cursor: Option<&PageCursor>) -> String {
    let signed = Verifier::new(Key::raw(SECRET)).sign(stream);
    let cursor = cursor.map(|page| page.cursor_for(Subject::Signed(&signed)));
    let mut identifier =
        json!({ "channel": "Turbo::StreamsChannel", "signed_stream_name": signed });
    if let Some(cursor) = cursor {
        identifier["cursor"] = cursor.into();
    }
    identifier.to_string()
}

/// The identifier of a public stream.
pub(crate) fn pubsub(stream: &str) -> String {
    json!({ "channel": "$pubsub", "stream_name": stream }).to_string()
}

impl Page {
    /// Connects, and reads the welcome. The error is the status of the refusal, or
    /// 0 where the connection broke off before there was an answer.
    pub(crate) fn open(address: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = format!("ws://{address}/cable").into_client_request().unwrap();
        let usual = HeaderValue::from_static("actioncable-v1-json");
        request.headers_mut().insert("sec-websocket-protocol", usual);
        for (name, _) in headers {
            request.headers_mut().remove(*name);
        }
        // What is there twice is sent twice.
        for (name, value) in headers {
            request.headers_mut().append(*name, HeaderValue::from_str(value).unwrap());
        }
        let socket = match tungstenite::client(request, stream) {
            Ok((socket, _)) => socket,
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response))) => {
                return Err(response.status().as_u16());
            }
            Err(_) => return Err(0),
        };
        let mut page = Self { socket, sid: String::new() };
        let welcome = page.next();
        assert_eq!(welcome["type"], "welcome");
        welcome["sid"].as_str().unwrap().clone_into(&mut page.sid);
        Ok(page)
    }

    /// Says a command that has these fields, too.
    pub(crate) fn say(&mut self, command: &str, identifier: &str, rest: &Value) {
        let mut text = rest.clone();
        text["command"] = command.into();
        text["identifier"] = identifier.into();
        self.socket.send(Message::text(text.to_string())).unwrap();
    }

    /// Subscribes, and waits for the confirmation.
    #[track_caller]
    pub(crate) fn subscribe(&mut self, identifier: &str) {
        assert_eq!(self.try_subscribe(identifier), "confirm_subscription", "{identifier}");
    }

    /// Asks to subscribe, if the connection is not over.
    pub(crate) fn send_subscribe(&mut self, identifier: &str) {
        let command = json!({ "command": "subscribe", "identifier": identifier });
        let _ = self.socket.send(Message::text(command.to_string()));
    }

    /// Subscribes; gives the type of the answer.
    pub(crate) fn try_subscribe(&mut self, identifier: &str) -> String {
        self.send_subscribe(identifier);
        let answer = self.next();
        assert_eq!(answer["identifier"], identifier);
        answer["type"].as_str().unwrap().to_owned()
    }

    /// What comes next, but for pings.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Value {
        let text = self.next_text();
        serde_json::from_str(&text).unwrap()
    }

    /// The same, as it is on the wire.
    #[track_caller]
    pub(crate) fn next_text(&mut self) -> String {
        let wait = Wait::begin();
        loop {
            wait.goes_on();
            match self.socket.read().unwrap() {
                Message::Text(text) if !text.contains(r#""type":"ping""#) => {
                    return text.to_string();
                }
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// The same, until the connection is over.
    pub(crate) fn next_or_end(&mut self) -> Option<Value> {
        let wait = Wait::begin();
        loop {
            wait.goes_on();
            match self.socket.read() {
                Ok(Message::Text(text)) if !text.contains(r#""type":"ping""#) => {
                    return Some(serde_json::from_str(&text).unwrap());
                }
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    /// The next text, pings included, until the connection is over.
    pub(crate) fn hear(&mut self) -> Option<Value> {
        let wait = Wait::begin();
        loop {
            wait.goes_on();
            match self.socket.read() {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    /// Its connection ends without a word.
    pub(crate) fn cut(&mut self, how: Shutdown) {
        self.socket.get_ref().shutdown(how).unwrap();
    }

    /// Closes it as a browser's script does, and waits for the end.
    pub(crate) fn close(mut self) {
        let _ = self.socket.close(None);
        let wait = Wait::begin();
        while self.socket.read().is_ok() {
            wait.goes_on();
        }
    }

    /// Reads on to the next Ping, and answers it, as a browser does.
    #[track_caller]
    pub(crate) fn answer_ping(&mut self) {
        let wait = Wait::begin();
        while !matches!(self.socket.read().unwrap(), Message::Ping(_)) {
            wait.goes_on();
        }
        self.socket.flush().unwrap();
    }

    /// The next messages of the stream.
    #[track_caller]
    pub(crate) fn messages(&mut self, count: usize) -> Vec<Value> {
        let mut messages = Vec::new();
        while messages.len() < count {
            messages.push(self.next()["message"].take());
        }
        messages
    }

    /// The code that the server closes with.
    #[track_caller]
    pub(crate) fn close_code(&mut self) -> u16 {
        let wait = Wait::begin();
        loop {
            wait.goes_on();
            match self.socket.read().unwrap() {
                Message::Close(frame) => {
                    // Our own close frame, which the server waits for.
                    let _ = self.socket.flush();
                    return frame.unwrap().code.into();
                }
                Message::Text(text) if !text.contains(r#""type":"ping""#) => panic!("{text}"),
                _ => {}
            }
        }
    }
}
