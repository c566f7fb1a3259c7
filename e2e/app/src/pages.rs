//! The room's page, which can be stopped between any two of its steps.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use forebay::turbo::StreamSource;
use forebay::{Html, Turbo};
use serde::Deserialize;

use crate::messages::{Failure, Message, Room};
use crate::{App, access, sabotage};

/// How the page is asked for.
#[derive(Deserialize)]
pub(crate) struct Options {
    /// The bundle that it loads; none for pages that a script drives.
    #[serde(default = "stock")]
    script: String,
    /// `late`: a cursor that is taken when the tag is rendered, which is wrong. `none`: none.
    /// `foreign`: signed by somebody else. `future`: ahead of the log. `expired`: as it is to be,
    /// on a tag that is too old. `unobserved`: as it is to be, in `data-cursor`.
    #[serde(default)]
    cursor: String,
    /// `events`: listens to server-sent events instead of the cable.
    #[serde(default)]
    source: String,
    /// The channel of the tag.
    channel: Option<String>,
    /// Where the client connects.
    cable: Option<String>,
    /// `visitor`: the tag is good for this visitor only.
    #[serde(default)]
    good_for: String,
    /// How often the tag stands on the page.
    #[serde(default = "one")]
    tags: usize,
    /// `morph`: refreshes morph.
    #[serde(default)]
    refresh: String,
    /// Whose connection the page may share with other tabs; else it has its own.
    share: Option<String>,
    /// `lazy`: far below there is a lazy frame, see [`count`].
    #[serde(default)]
    frame: String,
}

fn stock() -> String {
    "stock".to_owned()
}

fn one() -> usize {
    1
}

#[derive(Template)]
#[template(path = "room.html")]
struct RoomPage {
    room: i64,
    base: String,
    script: String,
    cable: String,
    morph: bool,
    frame: bool,
    share: Option<String>,
    sources: Vec<Html>,
    messages: Vec<Html>,
}

/// Gates, in this order: `before_read`, `after_read`, `before_tag`, `layout`, `flush`.
pub(crate) async fn room(
    State(app): State<App>,
    turbo: Turbo,
    headers: HeaderMap,
    Path(room): Path<i64>,
    Query(options): Query<Options>,
) -> Result<Response, Failure> {
    app.gates.pass("before_read").await;
    let messages = Message::of_room(&app.pool, room).await?;
    app.gates.pass("after_read").await;
    // What the view would render of each row, it renders here.
    let messages = messages.iter().map(forebay::Render::to_html).collect::<Result<Vec<_>, _>>()?;
    app.gates.pass("before_tag").await;
    let source = if options.source == "events" {
        let room = &Room { id: room };
        turbo.event_source_from([(room, "messages"), (room, "count")])?.to_html()
    } else if options.good_for == "visitor" {
        let visitor = access::visitor(&headers).ok_or("nobody is logged in")?;
        turbo.stream_from_for(&visitor, (&Room { id: room }, "messages"))?.to_html()
    } else {
        source(&app, &turbo, room, &options)?.to_html()
    };
    app.gates.pass("layout").await;
    let page = RoomPage {
        room,
        script: options.script,
        cable: options.cable.unwrap_or_else(|| format!("{}/cable", app.base)),
        base: app.base,
        morph: options.refresh == "morph",
        frame: options.frame == "lazy",
        share: options.share,
        sources: vec![source; options.tags],
        messages,
    };
    let response = turbo.page(&page)?;
    app.gates.pass("flush").await;
    Ok(response)
}

fn source(app: &App, turbo: &Turbo, room: i64, options: &Options) -> Result<StreamSource, Failure> {
    let stream = (&Room { id: room }, "messages");
    let source = match options.cursor.as_str() {
        "late" => sabotage::late_source(app, stream)?,
        "none" => sabotage::plain_source(app, stream)?,
        "foreign" => sabotage::foreign_source(app, stream)?,
        "expired" => sabotage::expired_source(app, turbo, stream)?,
        "future" => sabotage::future_source(app, stream)?,
        "unobserved" => sabotage::unobserved_source(app, turbo, stream)?,
        _ => turbo.stream_from(stream)?,
    };
    Ok(match &options.channel {
        Some(channel) => source.channel(channel),
        None => source,
    })
}

/// How many messages the room has: for a lazy frame with a source of its own. Gate: `count_read`.
pub(crate) async fn count(
    State(app): State<App>,
    turbo: Turbo,
    Path(room): Path<i64>,
) -> Result<Response, Failure> {
    let count = Message::of_room(&app.pool, room).await?.len();
    app.gates.pass("count_read").await;
    let source = turbo.stream_from((&Room { id: room }, "count"))?;
    let frame = forebay::frame("count")
        .html(Html::raw(format!("{source}<span id=\"number\">{count}</span>")));
    Ok(turbo.page(&frame.to_html())?)
}

/// A page's body, as a test wants it.
#[derive(Deserialize)]
pub(crate) struct Planted {
    /// `{source}` in it becomes the room's tag.
    html: String,
    /// The bundle that it loads.
    #[serde(default = "stock")]
    script: String,
}

#[derive(Template)]
#[template(path = "planted.html")]
struct PlantedPage {
    base: String,
    script: String,
    body: Html,
}

/// A page with a mistake in it, and the inspector's script.
pub(crate) async fn planted(
    State(app): State<App>,
    turbo: Turbo,
    Path(room): Path<i64>,
    Query(planted): Query<Planted>,
) -> Result<Response, Failure> {
    let source = turbo.stream_from((&Room { id: room }, "messages"))?.to_string();
    let body = Html::raw(planted.html.replace("{source}", &source));
    Ok(turbo.page(&PlantedPage { base: app.base, script: planted.script, body })?)
}

/// A page without any source: the harness drives the client itself.
pub(crate) async fn blank(
    State(app): State<App>,
    Query(options): Query<Options>,
    turbo: Turbo,
) -> Result<Response, Failure> {
    let page = RoomPage {
        room: 0,
        script: options.script,
        cable: options.cable.unwrap_or_else(|| format!("{}/cable", app.base)),
        base: app.base,
        morph: false,
        frame: false,
        share: options.share,
        sources: Vec::new(),
        messages: Vec::new(),
    };
    Ok(turbo.page(&page)?)
}
