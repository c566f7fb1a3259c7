//! Connections to the application: bytes in memory for a service, or whatever a test connects to.
//!
//! What is on them is HTTP/1.1, and WebSockets behind an upgrade, as between a browser and a server. So a
//! test goes through the application's own layers, and through nothing of ours that is for tests only.

use std::error::Error as StdError;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{client, server};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, duplex};
use tower_service::Service;

/// What is on its way in each direction before the sender waits.
const BUFFER_BYTES: usize = 64 << 10;

/// Bytes in both directions.
pub(crate) trait Line: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Line for T {}

pub(crate) type BoxLine = Box<dyn Line>;

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

type Connecting = Pin<Box<dyn Future<Output = io::Result<BoxLine>> + Send>>;

/// Makes a connection to the application.
pub(crate) type Connect = Arc<dyn Fn() -> Connecting + Send + Sync>;

/// Connects to a service that is served here, by hyper, in the test's own runtime.
pub(crate) fn in_process<S, B>(service: S) -> Connect
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    Arc::new(move || {
        let (ours, theirs) = duplex(BUFFER_BYTES);
        let service = service.clone();
        let answer = service_fn(move |request| {
            let mut service = service.clone();
            async move {
                poll_fn(|cx| service.poll_ready(cx)).await?;
                service.call(request).await
            }
        });
        tokio::spawn(async move {
            let connection = server::conn::http1::Builder::new();
            let connection = connection.serve_connection(TokioIo::new(theirs), answer);
            // Whoever has connected sees how it ended.
            let _ = connection.with_upgrades().await;
        });
        Box::pin(async { Ok(Box::new(ours) as BoxLine) })
    })
}

/// Connects as the test says.
pub(crate) fn with<F, Fut, L>(connect: F) -> Connect
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = io::Result<L>> + Send + 'static,
    L: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    Arc::new(move || {
        let line = connect();
        Box::pin(async move { Ok(Box::new(line.await?) as BoxLine) })
    })
}

/// Sends a request on a connection of its own. The answer's body has not been read.
pub(crate) async fn send(
    connect: &Connect,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, BoxError> {
    let line = connect().await?;
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(line)).await?;
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}

/// The text of an answer's body.
pub(crate) async fn text(body: Incoming) -> Result<String, BoxError> {
    let bytes = body.collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
