//! One request to a node and back, on a connection of its own.

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::header::UPGRADE;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

use super::{Answer, Nodes, text};

/// How often a request goes to another node, because one was gone: more often than there are nodes in any test.
const TRIES_MAX: usize = 5;

/// Passes a request on. One that only reads goes to another node if its first has died over it, as with any proxy.
pub(super) async fn pass(mut request: Request<Incoming>, nodes: &Nodes) -> Answer {
    let upgrade = request.headers().contains_key(UPGRADE).then(|| hyper::upgrade::on(&mut request));
    let is_read = request.method() == Method::GET;
    let head = is_read.then(|| head_of(&request));
    let mut request = Some(request);
    for _ in 0..TRIES_MAX {
        let Some(index) = nodes.next().await else { break };
        let Some(stream) = nodes.connect(index).await else { continue };
        // Small messages go on at once; without it they only come later.
        drop(stream.set_nodelay(true));
        let Ok((mut node, connection)) = handshake(TokioIo::new(stream)).await else { continue };
        tokio::spawn(connection.with_upgrades());
        let answer = if let Some(head) = &head {
            node.send_request(head_of_head(head)).await
        } else {
            let Some(request) = request.take() else { break };
            node.send_request(request.map(Incoming::boxed)).await
        };
        match answer {
            Ok(answer) => return joined(answer, upgrade),
            Err(_) if is_read => {}
            Err(error) => return text(StatusCode::BAD_GATEWAY, format!("{error}\n")),
        }
    }
    text(StatusCode::SERVICE_UNAVAILABLE, "no node is ready\n")
}

type Body = http_body_util::combinators::BoxBody<hyper::body::Bytes, hyper::Error>;

/// What reads has no body.
fn head_of(request: &Request<Incoming>) -> Request<()> {
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = request.uri().clone();
    *head.headers_mut() = request.headers().clone();
    head
}

fn head_of_head(head: &Request<()>) -> Request<Body> {
    head.clone().map(|()| http_body_util::Empty::new().map_err(|never| match never {}).boxed())
}

/// The node's answer. If it is another protocol's, both sides are joined.
fn joined(mut answer: Response<Incoming>, client: Option<OnUpgrade>) -> Answer {
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(client) = client
    {
        let node = hyper::upgrade::on(&mut answer);
        tokio::spawn(async move {
            let (Ok(client), Ok(node)) = (client.await, node.await) else { return };
            let (mut client, mut node) = (TokioIo::new(client), TokioIo::new(node));
            // Ends when one side does, whatever the reason.
            drop(tokio::io::copy_bidirectional(&mut client, &mut node).await);
        });
    }
    answer.map(Incoming::boxed)
}
