//! The WebSocket handshake: RFC 6455 over HTTP/1.1, RFC 8441 over HTTP/2.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use forebay_cable::Protocol;
use forebay_hub::{Refusal, Refused};
use http::header::{self, HeaderMap, HeaderName};
use http::{HeaderValue, Method, Response, StatusCode, Version, request};
use sha1::{Digest, Sha1};

use crate::door::Denied;

/// An extended CONNECT for a WebSocket (RFC 8441). A server of HTTP/2, which alone can tell, puts it
/// into the request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct ExtendedConnect;

/// Why a request does not become a connection. Answer with [`status`](Self::status) and the
/// message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// It is an ordinary HTTP request.
    #[error("this address takes WebSocket connections only")]
    NotAnUpgrade,
    /// The version of WebSocket is not 13.
    #[error("only WebSocket version 13 is supported")]
    BadVersion,
    /// `Sec-WebSocket-Key` is missing or malformed.
    #[error("Sec-WebSocket-Key is missing or malformed")]
    BadKey,
    /// None of the offered subprotocols is spoken here.
    #[error("none of the offered subprotocols is supported; offer actioncable-v1-json")]
    NoCommonProtocol,
    /// The request's origin or host is not let in.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The server is going down.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// Nothing was heard of the log's store for too long.
    #[error("this server has lost its log; come back, to another one")]
    Behind,
    /// The HTTP server has no connection to hand over. An [`Endpoint`](crate::Endpoint) doesn't know:
    /// whoever runs the HTTP server says so ([`refuse_handshake`](crate::Endpoint::refuse_handshake)).
    #[error("the HTTP server does not support upgrades")]
    NotUpgradable,
}

impl From<Refused> for HandshakeError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::ShuttingDown => Self::ShuttingDown,
            Refused::Behind => Self::Behind,
        }
    }
}

impl HandshakeError {
    /// The HTTP status to answer with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::NotAnUpgrade | Self::BadVersion => StatusCode::UPGRADE_REQUIRED,
            Self::BadKey | Self::NoCommonProtocol => StatusCode::BAD_REQUEST,
            Self::Denied(denied) => denied.status(),
            Self::ShuttingDown | Self::Behind => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotUpgradable => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What kind of a refusal it is. An ordinary request is none.
    pub(crate) const fn refusal(self) -> Option<Refusal> {
        Some(match self {
            Self::NotAnUpgrade => return None,
            Self::BadVersion | Self::BadKey | Self::NoCommonProtocol | Self::NotUpgradable => {
                Refusal::Handshake
            }
            Self::Denied(denied) => denied.refusal(),
            Self::ShuttingDown => Refusal::ShuttingDown,
            Self::Behind => Refusal::Behind,
        })
    }

    /// The answer, its message as plain text.
    pub fn into_response(self) -> Response<String> {
        let mut response = Response::new(format!("{self}\n"));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        match self {
            Self::NotAnUpgrade | Self::BadVersion => {
                headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            Self::ShuttingDown | Self::Behind => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

/// Checks a handshake and makes its answer: 101 over HTTP/1.1, 200 over HTTP/2.
pub(crate) fn answer(request: &request::Parts) -> Result<(Response<()>, Protocol), HandshakeError> {
    let headers = &request.headers;
    let mut response = Response::new(());
    if request.version == Version::HTTP_2 {
        let is_extended = request.extensions.get::<ExtendedConnect>().is_some();
        if request.method != Method::CONNECT || !is_extended {
            return Err(HandshakeError::NotAnUpgrade);
        }
    } else {
        let upgrades = request.version >= Version::HTTP_11
            && request.method == Method::GET
            && has_token(headers, &header::CONNECTION, "upgrade")
            && has_token(headers, &header::UPGRADE, "websocket");
        if !upgrades {
            return Err(HandshakeError::NotAnUpgrade);
        }
        let key = headers.get(header::SEC_WEBSOCKET_KEY).ok_or(HandshakeError::BadKey)?;
        let nonce = STANDARD.decode(key.as_bytes()).map_err(|_| HandshakeError::BadKey)?;
        if nonce.len() != 16 {
            return Err(HandshakeError::BadKey);
        }
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let answer = response.headers_mut();
        answer.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        answer.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        answer.insert(header::SEC_WEBSOCKET_ACCEPT, accept(key.as_bytes()));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(HandshakeError::BadVersion);
    }
    let protocol = protocol(headers)?;
    if let Some(protocol) = protocol {
        let name = HeaderValue::from_static(protocol.as_str());
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, name);
    }
    Ok((response, protocol.unwrap_or(Protocol::ActionCableV1Json)))
}

/// The subprotocol, if the client names any; a client that names none gets Action Cable.
fn protocol(headers: &HeaderMap) -> Result<Option<Protocol>, HandshakeError> {
    let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let mut offered = offers.iter().filter_map(|value| value.to_str().ok()).peekable();
    if offered.peek().is_none() {
        return Ok(None);
    }
    let chosen = Protocol::select(offered.flat_map(|value| value.split(',')));
    chosen.map(Some).ok_or(HandshakeError::NoCommonProtocol)
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(token))
}

/// RFC 6455, section 4.2.2: the key and a fixed GUID, hashed.
fn accept(key: &[u8]) -> HeaderValue {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let text = STANDARD.encode(hash.finalize());
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 5] = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "actioncable-v1-json, actioncable-unsupported"),
    ];

    fn ask(changes: &[(&str, &str)]) -> Result<Response<()>, HandshakeError> {
        let mut request = http::Request::get("/cable");
        for (name, value) in GOOD {
            let change = changes.iter().find(|(other, _)| *other == name);
            let value = change.map_or(value, |(_, value)| value);
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        answer(&request.body(()).unwrap().into_parts().0).map(|(response, _)| response)
    }

    #[test]
    fn a_good_handshake_is_accepted() {
        let response = ask(&[]).unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        // The example of RFC 6455, section 1.3.
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(response.headers()["sec-websocket-protocol"], "actioncable-v1-json");
        let plain = ask(&[("sec-websocket-protocol", "")]).unwrap();
        assert!(!plain.headers().contains_key("sec-websocket-protocol"));
    }

    #[test]
    fn http_1_0_has_no_upgrades() {
        let mut request = http::Request::get("/cable").version(Version::HTTP_10);
        for (name, value) in GOOD {
            request = request.header(name, value);
        }
        let (request, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(answer(&request).unwrap_err(), HandshakeError::NotAnUpgrade);
    }

    #[test]
    fn a_bad_one_is_told_why() {
        let check = |name, value, expected| {
            assert_eq!(ask(&[(name, value)]).unwrap_err(), expected, "{name}: {value}");
        };
        check("connection", "close", HandshakeError::NotAnUpgrade);
        check("upgrade", "h2c", HandshakeError::NotAnUpgrade);
        check("sec-websocket-version", "8", HandshakeError::BadVersion);
        check("sec-websocket-version", "", HandshakeError::BadVersion);
        check("sec-websocket-key", "", HandshakeError::BadKey);
        check("sec-websocket-key", "short", HandshakeError::BadKey);
        check("sec-websocket-protocol", "graphql-ws", HandshakeError::NoCommonProtocol);
    }
}
