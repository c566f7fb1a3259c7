//! A page's WebSocket.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, StatusCode, Uri, header};
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::{ProtocolError, SubProtocolError};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::web::ANSWER_MAX;
use crate::client::{Io, connect};

/// Forebay's own protocol, which says positions. A server that speaks it is ours.
pub(super) const OURS: &str = "forebay-v1-json";

/// Rails' protocol.
pub(super) const RAILS: &str = "actioncable-v1-json";

/// An open one.
pub(super) struct Cable {
    socket: WebSocketStream<Box<dyn Io>>,
    /// What it speaks.
    pub(super) protocol: String,
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum Refusal {
    /// An answer of HTTP.
    Http(StatusCode),
    /// A WebSocket that does not speak what was asked for.
    NoProtocol,
    /// Anything else.
    Broken(anyhow::Error),
}

/// What became of a subscription.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Subscribed {
    /// With the epoch that the server has, if it says it.
    Confirmed(Option<String>),
    Rejected,
    /// Neither came.
    Nothing(String),
}

/// The identifier of a Turbo stream.
pub(super) fn identifier(signed: &str) -> String {
    json!({ "channel": "Turbo::StreamsChannel", "signed_stream_name": signed }).to_string()
}

impl Cable {
    /// Opens one, as a page of this origin.
    pub(super) async fn open(cable: &Uri, origin: &str) -> Result<Self, Refusal> {
        Self::open_with(cable, origin, &format!("{OURS}, {RAILS}")).await
    }

    /// The same, which speaks one of these.
    pub(super) async fn open_with(
        cable: &Uri,
        origin: &str,
        protocols: &str,
    ) -> Result<Self, Refusal> {
        let opened = tokio::time::timeout(ANSWER_MAX, try_open(cable, origin, protocols)).await;
        let late = || Refusal::Broken(anyhow!("no answer to the handshake within {ANSWER_MAX:?}"));
        opened.map_err(|_| late()).flatten()
    }

    /// The next message, as long as it comes before then.
    pub(super) async fn next(&mut self, until: Instant) -> anyhow::Result<Option<Value>> {
        loop {
            let next = tokio::time::timeout_at(until.into(), self.socket.next()).await;
            match next {
                Err(_) => return Ok(None),
                Ok(None) => return Err(anyhow!("the connection was closed")),
                Ok(Some(Err(error))) => return Err(error.into()),
                Ok(Some(Ok(Message::Text(text)))) => {
                    return Ok(Some(serde_json::from_str(&text)?));
                }
                Ok(Some(Ok(Message::Close(_)))) => {
                    return Err(anyhow!("the connection was closed"));
                }
                // Answers are made by the crate, when it is read on.
                Ok(Some(Ok(_))) => {}
            }
        }
    }

    /// Subscribes.
    pub(super) async fn subscribe(&mut self, signed: &str) -> Subscribed {
        self.subscribe_to(&identifier(signed)).await
    }

    async fn subscribe_to(&mut self, identifier: &str) -> Subscribed {
        let text = json!({ "command": "subscribe", "identifier": identifier }).to_string();
        if let Err(error) = self.socket.send(Message::text(text)).await {
            return Subscribed::Nothing(error.to_string());
        }
        let until = Instant::now() + ANSWER_MAX;
        loop {
            let said = match self.next(until).await {
                Ok(Some(said)) => said,
                Ok(None) => return Subscribed::Nothing(format!("no answer within {ANSWER_MAX:?}")),
                Err(error) => return Subscribed::Nothing(error.to_string()),
            };
            match said["type"].as_str() {
                Some("confirm_subscription") => {
                    let epoch = said["at"].as_str().and_then(|at| at.split('.').next());
                    return Subscribed::Confirmed(epoch.map(str::to_owned));
                }
                Some("reject_subscription") => return Subscribed::Rejected,
                Some("disconnect") => return Subscribed::Nothing("disconnect".to_owned()),
                _ => {}
            }
        }
    }

    /// Holds it without a word for so long, beside answers to pings. Gives for how long it lasted if that was less,
    /// and the longest time without a message of the server's.
    pub(super) async fn hold(&mut self, time: Duration) -> Held {
        let began = Instant::now();
        let (mut last, mut quiet) = (began, Duration::ZERO);
        loop {
            match self.next(began + time).await {
                Ok(None) => return Held { lasted: None, quiet: quiet.max(last.elapsed()) },
                Ok(Some(_)) => {
                    quiet = quiet.max(last.elapsed());
                    last = Instant::now();
                }
                Err(_) => {
                    let quiet = quiet.max(last.elapsed());
                    return Held { lasted: Some(began.elapsed()), quiet };
                }
            }
        }
    }
}

/// How a quiet connection went.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// If it ended too early.
    pub(super) lasted: Option<Duration>,
    pub(super) quiet: Duration,
}

async fn try_open(cable: &Uri, origin: &str, protocols: &str) -> Result<Cable, Refusal> {
    let broken = |error: anyhow::Error| Refusal::Broken(error);
    let io = connect(cable).await.map_err(broken)?;
    let url = cable.to_string().replacen("http", "ws", 1);
    let mut request = url.into_client_request().map_err(|error| broken(error.into()))?;
    let value = |text: &str| HeaderValue::from_str(text).map_err(|error| broken(error.into()));
    request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, value(protocols)?);
    request.headers_mut().insert(header::ORIGIN, value(origin)?);
    match tokio_tungstenite::client_async(request, io).await {
        Ok((socket, answer)) => {
            let protocol = answer.headers().get(header::SEC_WEBSOCKET_PROTOCOL);
            let protocol = protocol.and_then(|name| name.to_str().ok()).unwrap_or_default();
            Ok(Cable { socket, protocol: protocol.to_owned() })
        }
        Err(Error::Http(answer)) => Err(Refusal::Http(answer.status())),
        Err(Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(
            SubProtocolError::NoSubProtocol | SubProtocolError::InvalidSubProtocol,
        ))) => Err(Refusal::NoProtocol),
        Err(error) => Err(broken(error.into())),
    }
}
