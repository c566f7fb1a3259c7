//! The page's WebSocket: Action Cable, as `@rails/actioncable` speaks it.

use futures_util::{SinkExt as _, StreamExt as _};
use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::app::TestApp;
use crate::connect::BoxLine;

/// What the stock client offers.
const PROTOCOLS: &str = "actioncable-v1-json, actioncable-unsupported";

pub(crate) struct Cable {
    socket: WebSocketStream<BoxLine>,
}

/// What the server says.
pub(crate) enum Said {
    Welcome {
        session: Option<String>,
    },
    Confirmed {
        identifier: String,
    },
    Rejected {
        identifier: String,
    },
    Message {
        identifier: String,
        message: Value,
        offset: Option<u64>,
    },
    /// The connection ends: what for, and whether the client is to come back.
    Ends {
        why: String,
        comes_back: bool,
    },
    Other,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) struct NotConnected {
    pub(crate) status: Option<StatusCode>,
    pub(crate) says: String,
}

impl Cable {
    pub(crate) async fn open(app: &TestApp, path: &str) -> Result<Self, NotConnected> {
        let failed = |says: String| NotConnected { status: None, says };
        let address = app.websocket_address(path);
        let request = address.into_client_request();
        let mut request = request.map_err(|error| failed(error.to_string()))?;
        app.add_headers(request.headers_mut());
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOLS));
        let line = (app.connect)().await.map_err(|error| failed(error.to_string()))?;
        match tokio_tungstenite::client_async(request, line).await {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(Error::Http(answer)) => {
                let body = answer.body().as_deref().unwrap_or_default();
                let says = String::from_utf8_lossy(body).trim().to_owned();
                Err(NotConnected { status: Some(answer.status()), says })
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }

    pub(crate) async fn subscribe(&mut self, identifier: &str) {
        self.command("subscribe", identifier).await;
    }

    pub(crate) async fn unsubscribe(&mut self, identifier: &str) {
        self.command("unsubscribe", identifier).await;
    }

    async fn command(&mut self, command: &str, identifier: &str) {
        let text = json!({ "command": command, "identifier": identifier }).to_string();
        // Whoever reads next is told that it has ended.
        let _ = self.socket.send(Message::text(text)).await;
    }

    pub(crate) async fn next(&mut self) -> Said {
        let ended = |why: String| Said::Ends { why, comes_back: true };
        match self.socket.next().await {
            None => ended("the server has closed the connection".to_owned()),
            Some(Err(error)) => ended(error.to_string()),
            Some(Ok(Message::Close(frame))) => {
                let reason = frame.map(|frame| frame.reason.to_string()).unwrap_or_default();
                ended(format!("the server has closed the connection: {reason}"))
            }
            Some(Ok(Message::Text(text))) => said(&text),
            Some(Ok(_)) => Said::Other,
        }
    }
}

fn said(text: &str) -> Said {
    let Ok(mut said) = serde_json::from_str::<Value>(text) else { return Said::Other };
    let identifier = said["identifier"].as_str().unwrap_or_default().to_owned();
    match said["type"].as_str() {
        Some("welcome") => Said::Welcome { session: said["sid"].as_str().map(str::to_owned) },
        Some("confirm_subscription") => Said::Confirmed { identifier },
        Some("reject_subscription") => Said::Rejected { identifier },
        Some("disconnect") => Said::Ends {
            why: said["reason"].as_str().unwrap_or_default().to_owned(),
            comes_back: said["reconnect"].as_bool().unwrap_or(false),
        },
        None if said.get("message").is_some() => Said::Message {
            identifier,
            offset: said["offset"].as_u64(),
            message: said["message"].take(),
        },
        _ => Said::Other,
    }
}
