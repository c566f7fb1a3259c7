//! One connection of an Action Cable client with one subscription.

use std::borrow::Cow;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, Uri, header};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::connect::Io;

/// Five pings, at one in three seconds: without any of them the connection is dead.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// What it subscribes to, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subscription<'a> {
    pub(super) url: &'a Uri,
    pub(super) identifier: &'a str,
}

/// One message of the stream.
#[derive(Debug)]
pub(super) struct Delivery<'a> {
    pub(super) message: &'a RawValue,
    /// Its place in the log, if the subscription carries a cursor.
    pub(super) offset: Option<u64>,
    pub(super) kind: Option<Cow<'a, str>>,
}

/// Why following has ended.
#[derive(Debug)]
pub(super) enum End {
    /// The caller has enough.
    Enough,
    /// The server does not want this client, now or later.
    Refused(String),
    /// Trying again may help.
    Lost(anyhow::Error),
}

/// A message of the server's. It may have further fields.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    reconnect: Option<bool>,
    identifier: Option<String>,
    offset: Option<u64>,
}

/// Subscribes, and hands messages over until it is over. `on_delivery` says whether to go on.
pub(super) async fn follow(
    io: Box<dyn Io>,
    subscription: Subscription<'_>,
    mut on_confirm: impl FnMut(),
    mut on_delivery: impl FnMut(&Delivery<'_>) -> anyhow::Result<bool>,
) -> anyhow::Result<End> {
    let mut request = subscription.url.into_client_request()?;
    let protocol = HeaderValue::from_static("actioncable-v1-json");
    request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    let handshake = tokio_tungstenite::client_async(request, io);
    let mut socket = match tokio::time::timeout(SILENCE_MAX, handshake).await {
        Ok(Ok((socket, _))) => socket,
        Ok(Err(error)) => return Ok(End::Lost(anyhow!(error).context("the WebSocket handshake"))),
        Err(_) => {
            return Ok(End::Lost(anyhow!(
                "no answer to the WebSocket handshake within {SILENCE_MAX:?}"
            )));
        }
    };
    let subscribe =
        serde_json::json!({ "command": "subscribe", "identifier": subscription.identifier });
    if let Err(error) = socket.send(Message::text(subscribe.to_string())).await {
        return Ok(End::Lost(error.into()));
    }
    loop {
        let text = match tokio::time::timeout(SILENCE_MAX, socket.next()).await {
            Err(_) => return Ok(End::Lost(anyhow!("the server said nothing for {SILENCE_MAX:?}"))),
            Ok(None) => return Ok(End::Lost(anyhow!("the server closed the connection"))),
            Ok(Some(Err(error))) => return Ok(End::Lost(error.into())),
            Ok(Some(Ok(Message::Text(text)))) => text,
            Ok(Some(Ok(_))) => continue,
        };
        let said: Said<'_> = serde_json::from_str(&text)
            .with_context(|| format!("this is no message of an Action Cable server: {text}"))?;
        let is_ours = said.identifier.as_deref() == Some(subscription.identifier);
        match (said.kind.as_deref(), said.message) {
            (Some("welcome" | "ping"), _) => {}
            (Some("disconnect"), _) => {
                let reason = said.reason.unwrap_or_default();
                let why = format!("the server said: disconnect, {reason}");
                return Ok(match said.reconnect {
                    Some(false) => End::Refused(why),
                    _ => End::Lost(anyhow!(why)),
                });
            }
            (Some("confirm_subscription"), _) if is_ours => on_confirm(),
            (Some("reject_subscription"), _) if is_ours => {
                let why = "the subscription was rejected: the signature is wrong, or the stream is \
                           not public. The server's log says which; both must have the same secret";
                return Ok(End::Refused(why.to_owned()));
            }
            (_, Some(message)) if is_ours => {
                let delivery = Delivery { message, offset: said.offset, kind: said.kind };
                if !on_delivery(&delivery)? {
                    let _ = socket.close(None).await;
                    return Ok(End::Enough);
                }
            }
            _ => {}
        }
    }
}
