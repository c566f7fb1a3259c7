//! A page that shows who has it open, and makes whoever opens it one of them.

use std::time::Duration;

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use forebay::{
    Html, Members, Presence, PresenceOptions, Record as _, Streamable, Turbo, TurboStream,
};
use serde::{Deserialize, Serialize};

use crate::App;
use crate::messages::Failure;

/// Somebody, by their name.
#[derive(Clone, Streamable, Serialize, Deserialize, Template)]
#[template(
    source = r#"<li id="{{ self.dom_id() }}">{{ name }}{% if typing %} is typing{% endif %}</li>"#,
    ext = "html"
)]
pub(crate) struct Visitor {
    #[streamable(key)]
    name: String,
    typing: bool,
}

pub(crate) fn presence() -> Presence<Visitor> {
    Presence::<Visitor>::new()
        .streams("here:*")
        .count(|_, total| TurboStream::update("total").text(total.to_string()))
}

/// `FOREBAY_E2E_PRESENCE` is `TTL,GRACE` in milliseconds; without it they are as by default.
pub(crate) fn options() -> anyhow::Result<PresenceOptions> {
    let options = PresenceOptions::default();
    let Ok(text) = std::env::var("FOREBAY_E2E_PRESENCE") else { return Ok(options) };
    let (ttl, grace) = text.split_once(',').unwrap_or((&text, &text));
    let millis = |text: &str| text.parse().map(Duration::from_millis);
    Ok(options.ttl(millis(ttl)?).grace(millis(grace)?))
}

#[derive(Deserialize)]
pub(crate) struct Options {
    #[serde(rename = "as")]
    name: Option<String>,
    #[serde(default = "stock")]
    script: String,
    /// `other`: the member of another stream. `forged`: signed by nobody.
    #[serde(default)]
    member: String,
    /// `events`: the tag listens to server-sent events.
    #[serde(default)]
    source: String,
    /// `morph`: refreshes morph.
    #[serde(default)]
    refresh: String,
}

fn stock() -> String {
    "stock".to_owned()
}

#[derive(Template)]
#[template(path = "here.html")]
struct Page {
    base: String,
    script: String,
    morph: bool,
    here: Members<Visitor>,
    sources: Vec<Html>,
}

/// Gates: `before_members`, `after_members`.
pub(crate) async fn show(
    State(app): State<App>,
    turbo: Turbo,
    Path(room): Path<i64>,
    Query(options): Query<Options>,
) -> Result<Response, Failure> {
    app.gates.pass("before_members").await;
    let here = turbo.members::<Visitor>(("here", room))?;
    app.gates.pass("after_members").await;
    let source = match &options.name {
        None => here.watch()?.to_html(),
        Some(name) => {
            let new = || Visitor { name: name.clone(), typing: false };
            let me = here.iter().find(|visitor| visitor.name == *name).cloned();
            let me = me.unwrap_or_else(new);
            let source = here.presence_from(&me)?;
            match options.member.as_str() {
                _ if options.source == "events" => here.event_source_from(&me)?.to_html(),
                "other" => {
                    let other = turbo.presence_from(("here", room + 1), &me)?.to_html();
                    source.data("member", member_of(other.as_str())).to_html()
                }
                "forged" => source.data("member", "eyJpZCI6ImFubiJ9--00").to_html(),
                _ => source.to_html(),
            }
        }
    };
    let morph = options.refresh == "morph";
    let mut sources = vec![source];
    if morph {
        sources.push(turbo.stream_from(("all", room))?.to_html());
    }
    let page = Page { base: app.base, script: options.script, morph, here, sources };
    Ok(turbo.page(&page)?)
}

/// The signed member in a tag.
fn member_of(tag: &str) -> String {
    let rest = tag.split("data-member=\"").nth(1).unwrap_or_default();
    rest.split('"').next().unwrap_or_default().to_owned()
}

#[derive(Deserialize)]
pub(crate) struct Typing {
    name: String,
    typing: bool,
}

pub(crate) async fn typing(
    turbo: Turbo,
    Path(room): Path<i64>,
    Form(Typing { name, typing }): Form<Typing>,
) -> Result<StatusCode, Failure> {
    let is_known = turbo.update_member(("here", room), &Visitor { name, typing })?;
    Ok(if is_known { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND })
}

pub(crate) async fn refresh(turbo: Turbo, Path(room): Path<i64>) -> Result<StatusCode, Failure> {
    turbo.forebay().broadcast().refresh_to(("all", room)).await?;
    Ok(StatusCode::NO_CONTENT)
}
