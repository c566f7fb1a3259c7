//! fastwebsockets over hyper, its halves apart as its documentation shows.

use std::sync::Arc;

use anyhow::Result;
use fastwebsockets::{FragmentCollectorRead, Frame, Payload, WebSocketError};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use crate::Room;

pub(crate) fn upgrade(
    mut request: Request<Incoming>,
    room: Arc<Room>,
) -> Result<Response<Empty<Bytes>>> {
    let (response, socket) = fastwebsockets::upgrade::upgrade(&mut request)?;
    tokio::spawn(async move {
        if let Ok(socket) = socket.await {
            connection(socket, &room).await;
        }
    });
    Ok(response)
}

async fn connection(
    socket: fastwebsockets::WebSocket<TokioIo<hyper::upgrade::Upgraded>>,
    room: &Room,
) {
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
