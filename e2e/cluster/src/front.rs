//! One address for several nodes: each request goes to the next node that is ready.
//!
//! Nothing sticks to a node: two requests of one page, or the two halves of a subscription, go to different ones. A node
//! that is not ready gets nothing new; what it has it keeps. WebSockets and event streams pass.

mod nodes;
mod pass;

use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

pub(crate) use self::nodes::Nodes;

pub(crate) type Answer = Response<BoxBody<Bytes, hyper::Error>>;

/// What the front answers itself, before it asks a node.
pub(crate) trait Own: Send + Sync + 'static {
    /// An answer, if this is not for a node.
    fn answer(
        self: Arc<Self>,
        request: &Request<Incoming>,
    ) -> impl Future<Output = Option<Answer>> + Send;
}

/// Answers nothing.
pub(crate) struct Nothing;

impl Own for Nothing {
    async fn answer(self: Arc<Self>, _: &Request<Incoming>) -> Option<Answer> {
        None
    }
}

/// Listens on this port for as long as the runtime lives, and gives its address.
pub(crate) async fn serve(
    port: u16,
    nodes: Arc<Nodes>,
    own: Arc<impl Own>,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    nodes.watch();
    tokio::spawn(async move {
        // An accept that fails is one of a connection that is gone, or of too many files: the next may not.
        loop {
            if let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connection(client, Arc::clone(&nodes), Arc::clone(&own)));
            }
        }
    });
    Ok(address)
}

async fn connection(client: TcpStream, nodes: Arc<Nodes>, own: Arc<impl Own>) {
    // Small messages go on at once; without it they only come later.
    drop(client.set_nodelay(true));
    let service = service_fn(move |request| {
        let (nodes, own) = (Arc::clone(&nodes), Arc::clone(&own));
        async move {
            let answer = own.answer(&request).await;
            let answer = match answer {
                Some(answer) => answer,
                None => pass::pass(request, &nodes).await,
            };
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let server = hyper::server::conn::http1::Builder::new();
    // A client that goes away is none of ours to report.
    drop(server.serve_connection(TokioIo::new(client), service).with_upgrades().await);
}

pub(crate) fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(text.into()).map_err(|never| match never {}).boxed());
    *answer.status_mut() = status;
    answer
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use axum::Router;
    use axum::routing::get;

    use super::*;
    use crate::request::ask;

    /// A node that says its name, and that it is ready while it is.
    async fn node(name: &'static str, is_ready: Arc<AtomicBool>) -> SocketAddr {
        let ready = async move || {
            let is_ready = is_ready.load(Ordering::SeqCst);
            if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
        };
        let router = Router::new().route("/ready", get(ready)).route("/", get(async move || name));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, router).into_future());
        address
    }

    #[tokio::test]
    async fn each_request_goes_to_the_next_node_that_is_ready() {
        let ready = [(); 3].map(|()| Arc::new(AtomicBool::new(true)));
        let mut addresses = Vec::new();
        for (name, ready) in ["one", "two", "three"].into_iter().zip(&ready) {
            addresses.push(node(name, Arc::clone(ready)).await);
        }
        // Nobody listens there.
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        addresses.push(gone);
        let nodes = Nodes::new(addresses);
        let front = serve(0, Arc::clone(&nodes), Arc::new(Nothing)).await.unwrap();
        let names = async || {
            let mut names = Vec::new();
            for _ in 0..6 {
                names.push(ask(front, "GET", "/").await.unwrap().body);
            }
            names
        };
        assert!(nodes.wait_for_ready(3).await);
        let asked = names().await;
        for pair in asked.windows(2) {
            assert_ne!(pair[0], pair[1], "{asked:?}");
        }
        ready[0].store(false, Ordering::SeqCst);
        while nodes.ready()[0] {
            tokio::task::yield_now().await;
        }
        assert!(!names().await.contains(&"one".to_owned()));
    }
}
