//! Every engine's partials are records to broadcast, and its templates pages.
#![cfg(all(feature = "askama", feature = "maud"))]

use askama::Template;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use forebay::{
    Broadcaster, Error, Forebay, Html, Partial, Render, RenderError, ReplayEntry, Streamable,
    Turbo, frame,
};
use http::Request;
use http_body_util::BodyExt as _;
use maud::{Markup, html};
use tower::ServiceExt as _;

#[derive(Streamable, Template)]
#[template(source = "<p>{{ id }}</p>", ext = "html")]
struct Askama {
    id: i64,
}

#[derive(Streamable)]
struct Maud {
    id: i64,
}

impl maud::Render for Maud {
    fn render(&self) -> Markup {
        html! { p { (self.id) } }
    }
}

#[derive(Streamable)]
struct Own {
    id: i64,
}

impl Render for Own {
    fn to_html(&self) -> Result<Html, RenderError> {
        Ok(Html::raw(format!("<p>{}</p>", self.id)))
    }
}

async fn any<E, R: Partial<E> + Sync>(broadcast: &Broadcaster, record: &R) -> Result<(), Error> {
    broadcast.replace(record).state().await?;
    Ok(())
}

#[tokio::test]
async fn what_each_engine_renders_is_broadcast() -> Result<(), Box<dyn std::error::Error>> {
    let forebay = Forebay::builder().secret("a secret for tests").build()?;
    let (before, broadcast) = (forebay.position(), forebay.broadcast());
    broadcast.append_to("s", &Askama { id: 1 }).await?;
    broadcast.append_to("s", &Maud { id: 2 }).await?;
    broadcast.append_to("s", &Own { id: 3 }).await?;
    broadcast.append_to("s", &Own { id: 0 }).partial(&Askama { id: 4 }).await?;
    broadcast.append_to("s", &Askama { id: 0 }).partial(&html! { p { "5" } }).await?;
    broadcast.render_to("s", &html! { p { "6" } }).await?;
    let shown: Vec<_> = forebay.replay("s", before)?.iter().filter_map(ReplayEntry::html).collect();
    for (n, html) in (1..).zip(&shown) {
        assert!(html.contains(&format!("<p>{n}</p>")), "{html}");
    }
    assert_eq!(shown.len(), 6);
    any(&broadcast, &Maud { id: 1 }).await?;
    any(&broadcast, &Askama { id: 1 }).await?;
    any(&broadcast, &Own { id: 1 }).await?;
    Ok(())
}

async fn pages(turbo: Turbo) -> Result<Response, Error> {
    turbo.page(&Askama { id: 1 })?;
    turbo.page(&Own { id: 1 })?;
    turbo.page(&Html::raw("<p>"))?;
    turbo.invalid(&frame("form"))?;
    turbo.page(&html! { (turbo.stream_from("s")?) p { "hi" } })
}

#[tokio::test]
async fn what_each_engine_renders_is_a_page() -> Result<(), Box<dyn std::error::Error>> {
    let forebay = Forebay::builder().secret("a secret for tests").build()?;
    let app = Router::new().route("/", get(pages)).layer(forebay.layer());
    let response = app.oneshot(Request::get("/").body(Body::empty())?).await?;
    let html = response.into_body().collect().await?.to_bytes();
    assert!(html.starts_with(b"<turbo-cable-stream-source") && html.ends_with(b"<p>hi</p>"));
    Ok(())
}
