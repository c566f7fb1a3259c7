//! From axum's requests to the core's answers, and from hyper's upgrades to connections.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use forebay_core::{Address, Admission, Ends, ExtendedConnect, Forebay, Reply};
use http::request::Parts;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;

/// What hyper has read of the client behind its request.
type Read = axum::body::Bytes;

pub(crate) async fn answer(forebay: Forebay, address: Address, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    say_what_is_known(&mut parts);
    match forebay.admit(address, &parts, body).await {
        Reply::Answer(answer) => answer.map(Body::new),
        Reply::Connection(answer, admission) => match parts.extensions.remove::<OnUpgrade>() {
            Some(upgrade) => {
                tokio::spawn(hand_over(upgrade, admission));
                answer.map(|()| Body::empty())
            }
            None => forebay.not_upgradable(&parts).map(Body::new),
        },
    }
}

/// What its server knows of a request's connection. Servers of axum's say who the peer is if they are
/// asked to ([`into_make_service_with_connect_info`]).
///
/// [`into_make_service_with_connect_info`]: axum::Router::into_make_service_with_connect_info
fn say_what_is_known(parts: &mut Parts) {
    let extensions = &mut parts.extensions;
    if let Some(ConnectInfo(peer)) = extensions.get::<ConnectInfo<SocketAddr>>() {
        let ends = Ends::new(*peer, None);
        extensions.get_or_insert_with(|| ends);
    }
    let protocol = extensions.get::<hyper::ext::Protocol>();
    if protocol.is_some_and(|protocol| protocol.as_str() == "websocket") {
        extensions.insert(ExtendedConnect);
    }
}

/// Runs the connection once hyper has sent its answer. A client that goes away before that leaves
/// nothing to run.
async fn hand_over(upgrade: OnUpgrade, admission: Admission) {
    let Ok(upgraded) = upgrade.await else { return };
    // A task of its own, so that this one's memory does not stay.
    match raw_socket(upgraded) {
        Ok((stream, read)) => {
            forebay_core::prepare(&stream);
            drop(tokio::spawn(admission.read(read).run(stream)));
        }
        Err(upgraded) => drop(tokio::spawn(admission.run(TokioIo::new(upgraded)))),
    }
}

/// Takes the TCP stream back from hyper, with what it had read too far: a connection costs least over
/// that. Fails where there is something between: TLS, HTTP/2, another kind of socket.
fn raw_socket(upgraded: Upgraded) -> Result<(TcpStream, Read), Upgraded> {
    let (stream, read) = match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => (parts.io.into_inner(), parts.read_buf),
        Err(upgraded) => {
            let parts = upgraded.downcast::<TokioIo<TcpStream>>()?;
            (parts.io.into_inner(), parts.read_buf)
        }
    };
    Ok((stream, read))
}
