//! `forebay why --page PAGE --stream STREAM`: one `GET …/inspect/why`.

use std::time::Duration;

use anyhow::{Context as _, bail};
use forebay_core::inspect::Answer;
use http::{StatusCode, Uri, header};

use super::post::get;
use crate::options::{Id, Problem, Problems, Settings};
use crate::output;

/// How long to wait for the server's answer. It asks the other nodes for a second.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// A hop is broken, and that is printed. It is an error for the exit status alone.
#[derive(Debug, thiserror::Error)]
#[error("a hop is broken")]
pub(crate) struct IsBroken;

/// Prints the first broken hop, and what to change.
///
/// # Errors
/// [`IsBroken`] unless the page shows the broadcast, or what the server says.
pub(crate) fn why(settings: &Settings) -> anyhow::Result<()> {
    let Some(stream) = settings.text(Id::Stream).filter(|stream| !stream.is_empty()) else {
        return Err(Problems(vec![Problem::at("--stream", "name the stream")]).into());
    };
    let url = settings.text(Id::InspectUrl).unwrap_or_default().trim_end_matches('/');
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("stream", stream);
    if let Some(page) = settings.text(Id::WhyPage) {
        query.append_pair("page", page);
    }
    if let Some(offset) = settings.number(Id::Offset) {
        query.append_pair("offset", &offset.to_string());
    }
    let url: Uri = format!("{url}/why?{}", query.finish()).parse()?;
    let answer = super::run(ask(&url, settings.text(Id::InspectKey)))?;
    print(&answer)?;
    if answer.broken.is_applied() { Ok(()) } else { Err(IsBroken.into()) }
}

async fn ask(url: &Uri, key: Option<&str>) -> anyhow::Result<Answer> {
    let bearer = key.map(|key| format!("Bearer {key}"));
    let headers: Vec<_> =
        bearer.as_deref().map(|bearer| (header::AUTHORIZATION, bearer)).into_iter().collect();
    let (status, said) = get(url, &headers, ANSWER_MAX).await?;
    if status == StatusCode::NOT_FOUND {
        bail!("{url} is no inspector: begin the server with --inspect, or name it with --url");
    }
    if status != StatusCode::OK {
        bail!("{url} answered {status}: {}", said.trim());
    }
    serde_json::from_str(&said).with_context(|| format!("{url} answered no answer"))
}

/// The sentence first, and then what it rests on.
fn print(answer: &Answer) -> anyhow::Result<()> {
    output::print(&answer.sentence)?;
    let about = [
        ("stream", Some(answer.stream.clone())),
        ("page", answer.page.clone()),
        ("offset", answer.offset.map(|offset| offset.to_string())),
        ("made at", answer.place.clone()),
        ("known from", Some(answer.nodes.join(", ")).filter(|nodes| !nodes.is_empty())),
        ("not answered", Some(answer.missing.join(", ")).filter(|nodes| !nodes.is_empty())),
        ("nothing recorded at", Some(answer.off.join(", ")).filter(|nodes| !nodes.is_empty())),
    ];
    for (name, value) in about {
        if let Some(value) = value {
            output::print(format_args!("  {name}: {value}"))?;
        }
    }
    Ok(())
}
