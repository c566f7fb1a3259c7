//! `forebay publish STREAM DATA`: one `POST /_broadcast`.

use std::io::{IsTerminal as _, Read as _};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::json;

use super::connect::connect;
use crate::keys;
use crate::options::{Id, Settings};
use crate::output;

/// How long to wait for the server's answer.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// As much of an answer's body as is worth showing.
const ANSWER_BYTES_MAX: usize = 4 << 10;

/// Publishes. Prints nothing if that succeeds.
pub(crate) fn publish(
    settings: &Settings,
    stream: Option<&str>,
    data: Option<&str>,
) -> anyhow::Result<()> {
    let key = keys::bearer(settings);
    // Where the server takes broadcasts if nobody says otherwise.
    let default = match key {
        Some(_) => "http://localhost:8080/_broadcast",
        None => "http://localhost:8090/_broadcast",
    };
    let url: Uri = settings.text(Id::PublishUrl).unwrap_or(default).parse()?;
    let data = match data {
        None | Some("-") => read_stdin()?,
        Some(data) => data.to_owned(),
    };
    let body = json!({ "stream": stream, "data": data }).to_string();
    super::run(post(&url, key.as_deref(), body))
}

fn read_stdin() -> anyhow::Result<String> {
    let (mut data, mut stdin) = (String::new(), std::io::stdin());
    if stdin.is_terminal() {
        output::complain("reading the message from standard input");
    }
    stdin.read_to_string(&mut data).context("standard input can't be read")?;
    Ok(data)
}

async fn post(url: &Uri, key: Option<&str>, body: String) -> anyhow::Result<()> {
    let io = TokioIo::new(connect(url).await?);
    let (mut sender, connection) = http1::handshake(io).await?;
    let connection = tokio::spawn(connection);
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let host = url.authority().map_or("", |authority| authority.as_str());
    let mut request = Request::post(path)
        .header(header::HOST, host)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close");
    if let Some(key) = key {
        request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
    }
    let request = request.body(Full::new(Bytes::from(body)))?;
    let answer = tokio::time::timeout(ANSWER_MAX, sender.send_request(request)).await;
    let answer = answer.map_err(|_| anyhow!("{url} did not answer within {ANSWER_MAX:?}"))??;
    let status = answer.status();
    if status == StatusCode::CREATED {
        return Ok(());
    }
    let body = http_body_util::Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    connection.abort();
    let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let body = String::from_utf8_lossy(&body);
    bail!("{url} answered {status}: {}", body.trim())
}
