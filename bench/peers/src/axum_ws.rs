//! axum with its `ws` feature.

use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use tokio::net::TcpListener;

use crate::Room;

/// The read buffer of a socket, where it is not the default of 128 KiB.
type ReadBuffer = Option<usize>;

pub(crate) async fn sink(listener: TcpListener) -> Result<()> {
    let app = Router::new().route("/_broadcast", post(|_: Bytes| async { StatusCode::CREATED }));
    Ok(axum::serve(listener.tap_io(|io| _ = io.set_nodelay(true)), app).await?)
}

pub(crate) async fn serve(
    listener: TcpListener,
    room: Arc<Room>,
    read_buffer: ReadBuffer,
) -> Result<()> {
    let app = Router::new()
        .route("/_broadcast", post(broadcast))
        .route("/", get(upgrade))
        .with_state((room, read_buffer));
    Ok(axum::serve(listener.tap_io(|io| _ = io.set_nodelay(true)), app).await?)
}

async fn broadcast(State((room, _)): State<(Arc<Room>, ReadBuffer)>, body: Bytes) -> StatusCode {
    room.publish(&body);
    StatusCode::CREATED
}

async fn upgrade(
    State((room, read_buffer)): State<(Arc<Room>, ReadBuffer)>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let receiver = room.subscribe();
    let upgrade = match read_buffer {
        Some(bytes) => upgrade.read_buffer_size(bytes).write_buffer_size(0),
        None => upgrade,
    };
    upgrade.on_upgrade(|socket| connection(socket, receiver))
}

async fn connection(mut socket: WebSocket, mut receiver: tokio::sync::broadcast::Receiver<Bytes>) {
    loop {
        tokio::select! {
            message = receiver.recv() => {
                let Ok(text) = message else { return };
                let Ok(text) = Utf8Bytes::try_from(text) else { return };
                if socket.send(Message::Text(text)).await.is_err() { return }
            }
            message = socket.recv() => {
                if !matches!(message, Some(Ok(_))) { return }
            }
        }
    }
}
