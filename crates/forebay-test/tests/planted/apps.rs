//! What the applications are made of.

use std::fmt::Display;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use forebay::{Builder, Forebay, Html, Streamable, Turbo};
use forebay_test::TestApp;

pub(crate) const SECRET: &str = "a secret of planted bugs";

#[derive(Clone, Streamable, askama::Template)]
#[template(source = r#"<li id="message_{{ id }}">{{ body }}</li>"#, ext = "html")]
pub(crate) struct Message {
    id: u64,
    body: String,
}

pub(crate) fn message(id: u64, body: &str) -> Message {
    Message { id, body: body.to_owned() }
}

/// A template that writes this.
pub(crate) fn raw(html: &str) -> Html {
    Html::raw(html.to_owned())
}

pub(crate) fn builder() -> Builder {
    Forebay::builder().secret(SECRET)
}

/// The page at `/`.
pub(crate) type Show = fn(&Turbo) -> Result<String, forebay::StreamNameError>;

pub(crate) fn show(html: Show) -> axum::routing::MethodRouter {
    get(move |turbo: Turbo| async move {
        match html(&turbo) {
            Ok(html) => turbo.page(&raw(&html)).into_response(),
            Err(error) => forebay::Error::from(error).into_response(),
        }
    })
}

/// An application with one page.
pub(crate) fn with_page(html: Show) -> (Forebay, TestApp) {
    built(builder(), html)
}

pub(crate) fn built(builder: Builder, html: Show) -> (Forebay, TestApp) {
    let forebay = builder.build().unwrap();
    let app = TestApp::new(&forebay, forebay.mount(Router::new().route("/", show(html))));
    (forebay, app)
}

/// A page that reads "room", and has a list.
pub(crate) fn room() -> (Forebay, TestApp) {
    with_page(|turbo| Ok(page(turbo.stream_from("room")?, r#"<ul id="messages"></ul>"#)))
}

pub(crate) fn page(tag: impl Display, html: &str) -> String {
    format!("<!doctype html><html><body>{tag}{html}</body></html>")
}

/// An answer with this HTML.
pub(crate) fn html(html: &str) -> Response {
    axum::response::Html(html.to_owned()).into_response()
}
