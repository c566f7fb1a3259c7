//! Requests over HTTP, each over a connection of its own, so that a balancer may send each elsewhere.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::target::Target;
use crate::client::connect;

/// For an answer that has to wait for nothing.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(10);

/// As much of a page as is looked at.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// Asks for something, with these headers beside the usual ones.
pub(super) async fn get(url: &str, headers: &[(&str, &str)]) -> anyhow::Result<Answer> {
    ask(url, headers, None, ANSWER_MAX).await
}

/// Posts a body.
pub(super) async fn post(
    url: &str,
    headers: &[(&str, &str)],
    body: String,
    answer_max: Duration,
) -> anyhow::Result<Answer> {
    ask(url, headers, Some(body), answer_max).await
}

async fn ask(
    url: &str,
    headers: &[(&str, &str)],
    body: Option<String>,
    answer_max: Duration,
) -> anyhow::Result<Answer> {
    let asked = async {
        let (answer, _connection) = send(url, headers, body).await?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, PAGE_BYTES_MAX).collect().await;
        let body = body.map_err(|error| anyhow!("the answer broke off: {error}"))?.to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        anyhow::Ok(Answer { status: head.status, headers: head.headers, body })
    };
    let asked = tokio::time::timeout(answer_max, asked).await;
    asked.map_err(|_| anyhow!("no answer within {answer_max:?}")).flatten()
}

/// Whether an answer that goes on comes in pieces: up to the first ping, since what the server says at once leaves a
/// proxy with the head.
pub(super) async fn pieces(
    target: &Target,
    url: &str,
    body: String,
    max: Duration,
) -> anyhow::Result<Pieces> {
    let headers = [("content-type", "application/json"), ("origin", &*target.origin)];
    let asked = async {
        let (mut answer, _connection) = send(url, &headers, Some(body)).await?;
        if answer.status() != StatusCode::OK {
            return Ok(Pieces::Refused(answer.status()));
        }
        while let Some(Ok(frame)) = answer.body_mut().frame().await {
            let data = frame.data_ref().map(|data| String::from_utf8_lossy(data));
            if data.is_some_and(|data| data.contains(r#""type":"ping""#)) {
                return Ok(Pieces::Come);
            }
        }
        anyhow::Ok(Pieces::Cut)
    };
    tokio::time::timeout(max, asked).await.unwrap_or(Ok(Pieces::Held))
}

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pieces {
    Come,
    /// No ping came in time.
    Held,
    /// It ended before.
    Cut,
    Refused(StatusCode),
}

/// The connection's task, which ends with this.
struct Connection(tokio::task::JoinHandle<hyper::Result<()>>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn send(
    url: &str,
    headers: &[(&str, &str)],
    body: Option<String>,
) -> anyhow::Result<(http::Response<Incoming>, Connection)> {
    let url: Uri = url.parse().with_context(|| format!("{url} is no address"))?;
    let io = TokioIo::new(connect(&url).await?);
    let (mut sender, connection) = http1::handshake(io).await?;
    let connection = Connection(tokio::spawn(connection));
    let host = url.authority().map_or("", |authority| authority.as_str());
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder()
        .method(if body.is_some() { "POST" } else { "GET" })
        .uri(path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, "forebay-doctor");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body.unwrap_or_default())))?;
    Ok((sender.send_request(request).await?, connection))
}
