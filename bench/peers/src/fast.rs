//! fastwebsockets over hyper, its halves apart as its documentation shows.

use std::sync::Arc;

use anyhow::Result;
use fastwebsockets::{FragmentCollectorRead, Frame, Payload, WebSocketError, upgrade};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

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
    if request.method() == Method::POST {
        room.publish(&request.into_body().collect().await?.to_bytes());
        let mut response = Response::new(Empty::new());
        *response.status_mut() = StatusCode::CREATED;
        return Ok(response);
    }
    let (response, socket) = upgrade::upgrade(&mut request)?;
    tokio::spawn(async move {
        if let Ok(socket) = socket.await {
            connection(socket, &room).await;
        }
    });
    Ok(response)
}

async fn connection(socket: fastwebsockets::WebSocket<TokioIo<hyper::upgrade::Upgraded>>, room: &Room) {
    let mut receiver = room.subscribe();
    let (read, mut write) = socket.split(tokio::io::split);
    let mut read = FragmentCollectorRead::new(read);
    let mut answer = |_| async { Ok::<_, WebSocketError>(()) };
    loop {
        tokio::select! {
            message = receiver.recv() => {
                let Ok(text) = message else { return };
                let frame = Frame::text(Payload::Borrowed(&text));
                if write.write_frame(frame).await.is_err() { return }
            }
            frame = read.read_frame(&mut answer) => {
                if frame.is_err() { return }
            }
        }
    }
}
