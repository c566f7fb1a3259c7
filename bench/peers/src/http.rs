//! hyper on a bare listener: broadcasts are taken here, everything else is a library's to upgrade.

use std::sync::Arc;

use anyhow::Result;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::Room;

/// How a library answers a request to upgrade, and drives what comes of it.
pub(crate) type Upgrade = fn(Request<Incoming>, Arc<Room>) -> Result<Response<Empty<Bytes>>>;

pub(crate) async fn serve(listener: TcpListener, room: Arc<Room>, upgrade: Upgrade) -> Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let room = Arc::clone(&room);
        let service = service_fn(move |request| answer(request, Arc::clone(&room), upgrade));
        tokio::spawn(
            http1::Builder::new().serve_connection(TokioIo::new(socket), service).with_upgrades(),
        );
    }
}

async fn answer(
    request: Request<Incoming>,
    room: Arc<Room>,
    upgrade: Upgrade,
) -> Result<Response<Empty<Bytes>>> {
    if request.method() != Method::POST {
        return upgrade(request, room);
    }
    room.publish(&request.into_body().collect().await?.to_bytes());
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}
