//! One request over a connection of its own.

use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use http::{HeaderName, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::connect::connect;

/// As much of an answer's body as is worth showing.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Sends it. Gives the answer's status, and what it says.
///
/// # Errors
/// The server was not reached, or did not answer in this time.
pub(crate) async fn post(
    url: &Uri,
    headers: &[(HeaderName, &str)],
    body: String,
    answer_max: Duration,
) -> anyhow::Result<(StatusCode, String)> {
    send(Request::post(path(url)), url, headers, body, answer_max).await
}

/// Asks for it. Gives the answer's status, and what it says.
///
/// # Errors
/// As there.
pub(crate) async fn get(
    url: &Uri,
    headers: &[(HeaderName, &str)],
    answer_max: Duration,
) -> anyhow::Result<(StatusCode, String)> {
    send(Request::get(path(url)), url, headers, String::new(), answer_max).await
}

fn path(url: &Uri) -> &str {
    url.path_and_query().map_or("/", |path| path.as_str())
}

async fn send(
    request: http::request::Builder,
    url: &Uri,
    headers: &[(HeaderName, &str)],
    body: String,
    answer_max: Duration,
) -> anyhow::Result<(StatusCode, String)> {
    let io = TokioIo::new(connect(url).await?);
    let (mut sender, connection) = http1::handshake(io).await?;
    let connection = Ended(tokio::spawn(connection));
    let host = url.authority().map_or("", |authority| authority.as_str());
    let mut request = request.header(header::HOST, host).header(header::CONNECTION, "close");
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body)))?;
    let answered = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        anyhow::Ok((status, String::from_utf8_lossy(&body).into_owned()))
    };
    let answered = tokio::time::timeout(answer_max, answered).await;
    drop(connection);
    answered.map_err(|_| anyhow!("{url} did not answer within {answer_max:?}"))?
}

/// The connection's task ends with the request.
struct Ended<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
