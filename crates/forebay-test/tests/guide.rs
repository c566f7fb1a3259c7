//! The program of `docs/testing.md`, whole: a room with messages, and the tests that it has. The guide quotes
//! this file.

#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Form, State};
use axum::response::Response;
use axum::routing::{get, post};
use forebay::{Error, Forebay, Streamable, Turbo, TurboStream};
use forebay_test::{Document, TestApp, TestPage};
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Streamable, Template)]
#[template(source = r#"<p id="message_{{ id }}">{{ body }}</p>"#, ext = "html")]
struct Message {
    id: usize,
    body: String,
}

type Messages = Arc<Mutex<Vec<Message>>>;

#[derive(Template)]
#[template(
    source = r#"<!DOCTYPE html>
<html lang="en">
<head>
  <title>A room</title>
  <script type="module" src="https://cdn.jsdelivr.net/npm/@hotwired/turbo-rails@8.0.23/app/assets/javascripts/turbo.js"></script>
</head>
<body>
  {{ turbo.stream_from("room")? }}
  <div id="messages">{% for message in messages %}{{ message|safe }}{% endfor %}</div>
  <form id="new_message" action="/messages" method="post"><input name="body"></form>
  <turbo-frame id="count" src="/count" loading="lazy">…</turbo-frame>
</body>
</html>"#,
    ext = "html"
)]
struct Show {
    turbo: Turbo,
    messages: Vec<Message>,
}

async fn show(turbo: Turbo, State(messages): State<Messages>) -> Result<Response, Error> {
    let messages = messages.lock().clone();
    turbo.page(&Show { turbo: turbo.clone(), messages })
}

#[derive(Deserialize)]
struct NewMessage {
    body: String,
}

async fn create(
    turbo: Turbo,
    State(messages): State<Messages>,
    Form(NewMessage { body }): Form<NewMessage>,
) -> Result<Response, Error> {
    let message = {
        let mut messages = messages.lock();
        let id = messages.len() + 1;
        messages.push(Message { id, body });
        messages[id - 1].clone()
    };
    turbo.broadcast().append_to("room", &message).await?;
    Ok(turbo.redirect("/"))
}

async fn count(State(messages): State<Messages>) -> axum::response::Html<String> {
    let count = messages.lock().len();
    axum::response::Html(format!("<turbo-frame id=\"count\"><b>{count}</b></turbo-frame>"))
}

fn router(forebay: &Forebay) -> Router {
    let router = Router::new()
        .route("/", get(show))
        .route("/messages", post(create))
        .route("/count", get(count));
    forebay.mount(router).with_state(Messages::default())
}

fn app() -> (Forebay, TestApp) {
    let forebay = Forebay::builder().secret("a secret for tests").build().unwrap();
    let app = TestApp::new(&forebay, router(&forebay));
    (forebay, app)
}

#[tokio::test]
async fn a_message_is_shown_on_every_page() {
    let (_, app) = app();
    let mut ada = app.open("/").await;
    let mut grace = app.visitor().open("/").await;

    ada.submit("#new_message", &[("body", "hi")]).await;

    ada.assert_text("#message_1", "hi");
    grace.settle().await;
    grace.assert_text("#message_1", "hi");
}

#[tokio::test]
async fn everything_is_wired() {
    let (_, app) = app();
    let mut page = app.open("/").await;
    page.submit("#new_message", &[("body", "hi")]).await;

    page.assert_wired().await;
    page.assert_fresh("#messages").await;
}

#[tokio::test]
async fn a_message_is_broadcast_once() {
    let (_, app) = app();
    let mut page = app.open("/").await;

    let send = page.submit("#new_message", &[("body", "hi")]);
    app.assert_broadcasts("room", 1, send).await;
    app.assert_no_broadcasts("room", page.reload()).await;
}

#[tokio::test]
async fn a_change_that_no_visitor_has_made() {
    let (forebay, app) = app();
    let mut page = app.open("/").await;
    let message = Message { id: 7, body: "from a job".to_owned() };
    forebay.broadcast().append_later_to("room", message).await.unwrap();

    page.settle().await;

    page.assert_texts("#messages p", &["from a job"]);
}

#[tokio::test]
async fn a_lazy_frame_is_loaded_when_it_is_seen() {
    let (_, app) = app();
    let mut page = app.open("/").await;
    page.load_frame("count").await;
    page.assert_text("#count b", "0");
}

#[tokio::test]
async fn a_visitor_who_is_signed_in() {
    let (_, app) = app();
    let ada = app.visitor().header("cookie", "session=of-ada");
    let page: TestPage = ada.open("/").await;
    page.assert_count("#messages p", 0);
}

#[test]
fn tags_without_an_application() {
    let mut page = Document::parse(r#"<ul id="todos"><li id="todo_1">Milk</li></ul>"#);
    let applied = page.receive(&TurboStream::remove("todo_2").to_string());
    page.assert_exists("#todo_1");
    assert_eq!(applied[0].elements, 0);
}

#[tokio::test]
async fn behind_a_server_of_any_framework() {
    let forebay = Forebay::builder().secret("a secret for tests").build().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(listener, router(&forebay)).into_future());

    let app = TestApp::connecting(&forebay, move || TcpStream::connect(address));
    let mut page = app.open("/").await;
    page.submit("#new_message", &[("body", "over a socket")]).await;
    page.assert_text("#message_1", "over a socket");
    page.assert_wired().await;
    server.abort();
}
