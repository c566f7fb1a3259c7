//! As much of an HTTP client as shows what is on the wire.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::PATIENCE;

/// A connection that stays open from request to request.
pub(crate) struct Connection(BufReader<TcpStream>);

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Connection {
    pub(crate) fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    /// Who the server is asked by.
    pub(crate) fn local_address(&self) -> String {
        self.0.get_ref().local_addr().unwrap().to_string()
    }

    pub(crate) fn post(&mut self, header: &str, body: &str) -> Answer {
        self.request("POST", "/_broadcast", &[header], body)
    }

    pub(crate) fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[&str],
        body: &str,
    ) -> Answer {
        self.try_request(method, path, headers, body).expect("no answer")
    }

    pub(crate) fn try_request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[&str],
        body: &str,
    ) -> std::io::Result<Answer> {
        let length = format!("content-length: {}", body.len());
        let headers = [&["host: test", &length], headers].concat();
        self.send(&format!("{method} {path} HTTP/1.1\r\n{}\r\n\r\n{body}", headers.join("\r\n")));
        self.try_receive()
    }

    pub(crate) fn send(&mut self, text: &str) {
        // The server may have answered and closed already.
        let _ = self.0.get_mut().write_all(text.as_bytes());
    }

    pub(crate) fn receive(&mut self) -> Answer {
        self.try_receive().expect("no answer")
    }

    /// An answer, if the connection lives until it is whole.
    pub(crate) fn try_receive(&mut self) -> std::io::Result<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head)? == 0 {
                return Err(std::io::Error::other(format!("closed within {head:?}")));
            }
        }
        let status = head[9..12].parse().unwrap();
        let length = head.to_lowercase().lines().find_map(|line| {
            line.strip_prefix("content-length: ").map(|length| length.parse().unwrap())
        });
        let mut body = vec![0; length.unwrap_or(0)];
        self.0.read_exact(&mut body)?;
        Ok(Answer { status, head, body: String::from_utf8(body).unwrap() })
    }

    /// Whether the server has not closed it, as far as is known.
    pub(crate) fn is_open(&self) -> bool {
        let socket = self.0.get_ref();
        socket.set_nonblocking(true).unwrap();
        let peeked = socket.peek(&mut [0]);
        socket.set_nonblocking(false).unwrap();
        peeked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Whether the server has closed it.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0))
    }
}
