//! Publishing over one keep-alive connection, in each server's own way.

use std::io::{self, Write as _};

use forebay_signing::{BEARER_BROADCAST, derived_bearer};
use memchr::memmem;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::dialect::{Target, stream_name};
use super::source::Source;
use crate::marker::now;

/// How a server takes broadcasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Post {
    /// AnyCable's `POST /_broadcast`: an object, or an array of them.
    Broadcast,
    /// The payloads as they are, separated by line feeds; one request for all.
    Lines,
    /// nchan: one request for each payload.
    Nchan,
    /// Centrifugo's `/api/publish`, or `/api/batch` for several.
    Centrifugo,
    /// Pusher's `/apps/app/batch_events`.
    Pusher,
}

impl Post {
    /// The requests that publish these payloads to a stream.
    fn requests(self, head: &str, stream: usize, payloads: &[String]) -> Vec<u8> {
        let name = stream_name(stream);
        let mut requests = Vec::new();
        let mut request = |path: &str, body: &str| {
            let length = body.len();
            let _ = write!(
                requests,
                "POST {path} HTTP/1.1\r\n{head}Content-Length: {length}\r\n\r\n{body}"
            );
        };
        match self {
            Self::Broadcast => {
                let all = payloads.iter().map(|data| json!({"stream": name, "data": data}));
                let body = match payloads {
                    [_] => all.collect::<Vec<_>>().remove(0),
                    _ => Value::Array(all.collect()),
                };
                request("/_broadcast", &body.to_string());
            }
            Self::Lines => {
                let path = format!("/_broadcast?stream={name}");
                request(&path, &payloads.join("\n"));
            }
            Self::Nchan => {
                let path = format!("/publish/{name}");
                for payload in payloads {
                    request(&path, payload);
                }
            }
            Self::Centrifugo => {
                let publish = |data: &String| json!({"channel": name, "data": {"html": data}});
                if let [payload] = payloads {
                    let body = publish(payload).to_string();
                    request("/api/publish", &body);
                } else {
                    let commands: Vec<_> =
                        payloads.iter().map(|data| json!({"publish": publish(data)})).collect();
                    let body = json!({ "commands": commands }).to_string();
                    request("/api/batch", &body);
                }
            }
            Self::Pusher => {
                let event = |data| json!({"name": "turbo", "channel": name, "data": data});
                let batch: Vec<_> = payloads.iter().map(event).collect();
                let body = json!({ "batch": batch }).to_string();
                request("/apps/app/batch_events", &body);
            }
        }
        requests
    }

    /// How many answers there will be.
    fn answers(self, payloads: usize) -> usize {
        if self == Self::Nchan { payloads } else { 1 }
    }
}

/// Nanoseconds.
const IDLE_MAX: u64 = 30_000_000_000;

/// One keep-alive connection that publishes.
#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) socket: Source,
    post: Post,
    /// The fields that all its requests have.
    head: String,
    /// What the socket has not taken yet.
    unsent: Vec<u8>,
    received: Vec<u8>,
    /// Requests without an answer.
    pub(super) unanswered: usize,
    /// When it last asked for something.
    used: u64,
    closed: bool,
}

impl Publisher {
    pub(super) fn new(socket: Source, post: Post, target: &Target) -> Self {
        let token = derived_bearer(&target.secret, BEARER_BROADCAST);
        let head = format!(
            "Host: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Authorization: Bearer {token}\r\nX-API-Key: {}\r\n",
            target.port, target.secret
        );
        Self {
            socket,
            post,
            head,
            unsent: Vec::new(),
            received: Vec::new(),
            unanswered: 0,
            used: now(),
            closed: false,
        }
    }

    pub(super) fn publish(&mut self, stream: usize, payloads: &[String]) -> io::Result<()> {
        self.used = now();
        self.unsent.extend(self.post.requests(&self.head, stream, payloads));
        self.unanswered += self.post.answers(payloads.len());
        self.flush()
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        let written = self.socket.write(&self.unsent)?;
        self.unsent.drain(..written);
        Ok(())
    }

    /// Whether another connection has to take its place: the server has closed it, or may at any moment.
    /// None keeps a connection for ever that is not used; nginx and `forebay serve` do for 75 s.
    pub(super) fn is_stale(&self) -> bool {
        self.closed || (self.is_idle() && now() - self.used > IDLE_MAX)
    }

    /// Whether the server owes it nothing.
    fn is_idle(&self) -> bool {
        self.unanswered == 0 && self.unsent.is_empty()
    }

    /// Reads what is there; the number of answers that are whole now.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match self.socket.read(buffer) {
            Ok(Some(read)) => read,
            Ok(None) => return Ok(0),
            Err(_) if self.is_idle() => 0,
            Err(error) => return Err(error),
        };
        if read == 0 {
            self.closed = true;
            if self.is_idle() {
                return Ok(0);
            }
            return Err(io::Error::other("the server has closed the publisher's connection"));
        }
        self.received.extend_from_slice(&buffer[..read]);
        let mut answers = 0;
        while let Some(length) = answer(&self.received)? {
            self.received.drain(..length);
            answers += 1;
        }
        self.unanswered = self.unanswered.saturating_sub(answers);
        Ok(answers)
    }
}

/// The length of the first answer, if it is whole; an error unless it is a success.
fn answer(bytes: &[u8]) -> io::Result<Option<usize>> {
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        let answer = String::from_utf8_lossy(&bytes[..bytes.len().min(500)]);
        return Err(io::Error::other(format!("a broadcast was answered: {answer}")));
    }
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    let whole = if let Some(length) = field("content-length:") {
        let length: usize = length.trim().parse().map_err(io::Error::other)?;
        Some(end + 4 + length)
    } else if field("transfer-encoding:").is_some() {
        memmem::find(&bytes[end..], b"\r\n0\r\n\r\n").map(|at| end + at + 7)
    } else {
        Some(end + 4)
    };
    Ok(whole.filter(|whole| *whole <= bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_cut_where_they_end() {
        let two = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 201 Created\r\n\r\n";
        assert_eq!(answer(two).expect("success"), Some(40));
        assert_eq!(answer(&two[40..]).expect("success"), Some(two.len() - 40));
        assert_eq!(answer(&two[..39]).expect("success"), None);
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
        assert_eq!(answer(chunked).expect("success"), Some(chunked.len()));
        assert!(answer(b"HTTP/1.1 401 Unauthorized\r\n\r\n").is_err());
    }
}
