//! `forebay publish STREAM DATA`: one `POST /_broadcast`.

use std::io::{IsTerminal as _, Read as _};
use std::time::Duration;

use anyhow::{Context as _, bail};
use http::{StatusCode, Uri, header};
use serde_json::json;

use super::post::post;
use crate::keys;
use crate::options::{Id, Settings};
use crate::output;

/// How long to wait for the server's answer.
const ANSWER_MAX: Duration = Duration::from_secs(30);

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
    super::run(publish_to(&url, key.as_deref(), body))
}

fn read_stdin() -> anyhow::Result<String> {
    let (mut data, mut stdin) = (String::new(), std::io::stdin());
    if stdin.is_terminal() {
        output::complain("reading the message from standard input");
    }
    stdin.read_to_string(&mut data).context("standard input can't be read")?;
    Ok(data)
}

async fn publish_to(url: &Uri, key: Option<&str>, body: String) -> anyhow::Result<()> {
    let bearer = key.map(|key| format!("Bearer {key}"));
    let authorization = bearer.as_deref().map(|bearer| (header::AUTHORIZATION, bearer));
    let json = (header::CONTENT_TYPE, "application/json");
    let headers: Vec<_> = authorization.into_iter().chain([json]).collect();
    let (status, said) = post(url, &headers, body, ANSWER_MAX).await?;
    if status == StatusCode::CREATED {
        return Ok(());
    }
    bail!("{url} answered {status}: {}", said.trim())
}
