//! Pages of a small application: what they subscribe, load, send and show.

#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::sync::Arc;

use axum::extract::{Form, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use forebay::{Error, Forebay, Html, Streamable, Turbo, TurboStream, TurboStreams};
use forebay_test::{Seen, TestApp};
use parking_lot::Mutex;
use serde::Deserialize;

#[derive(Clone, Streamable, askama::Template)]
#[template(source = r#"<li id="message_{{ id }}">{{ body }}</li>"#, ext = "html")]
struct Message {
    id: usize,
    body: String,
}

type Messages = Arc<Mutex<Vec<Message>>>;

async fn show(turbo: Turbo, State(messages): State<Messages>) -> Result<Response, Error> {
    let tag = turbo.stream_from(("room", 1))?.to_html().into_string();
    let messages = messages.lock().clone();
    let items: Result<Vec<_>, _> = messages.iter().map(askama::Template::render).collect();
    let items = items.unwrap().concat();
    turbo.page(&Html::raw(format!(
        "<!doctype html><html><head>{}</head><body>{tag}<ul id=\"messages\">{items}</ul>\
         <form id=\"new\" action=\"/messages\" method=\"post\"><input name=\"body\" value=\"\"><input type=\"hidden\" name=\"by\" value=\"me\"></form>\
         <turbo-frame id=\"count\" src=\"/count\"></turbo-frame>\
         <turbo-frame id=\"lazy\" src=\"/lazy\" loading=\"lazy\"><p>wait</p></turbo-frame></body></html>",
        turbo.head().as_str()
    )))
}

async fn events(turbo: Turbo) -> Result<Response, Error> {
    let tag = turbo.event_source_from([("room", 1)])?.to_html().into_string();
    turbo.page(&Html::raw(format!("<body>{tag}<ul id=\"messages\"></ul></body>")))
}

#[derive(Deserialize)]
struct New {
    body: String,
    by: String,
}

async fn create(
    turbo: Turbo,
    State(messages): State<Messages>,
    Form(new): Form<New>,
) -> Result<Response, Error> {
    let message = {
        let mut messages = messages.lock();
        let id = messages.len() + 1;
        messages.push(Message { id, body: format!("{} {}", new.by, new.body) });
        messages.last().unwrap().clone()
    };
    turbo.broadcast().append_to(("room", 1), &message).await?;
    turbo.broadcast().refresh_to(("room", 1)).await?;
    Ok(turbo.respond(TurboStreams::new(), || turbo.redirect("/")))
}

async fn count(State(messages): State<Messages>) -> axum::response::Html<String> {
    axum::response::Html(format!(
        "<turbo-frame id=\"count\"><b id=\"n\">{}</b></turbo-frame>",
        messages.lock().len()
    ))
}

async fn lazy(turbo: Turbo) -> Result<Response, Error> {
    let tag = turbo.stream_from("lazy")?.to_html().into_string();
    turbo.page(&Html::raw(format!(
        "<turbo-frame id=\"lazy\">{tag}<p id=\"loaded\">{}</p></turbo-frame>",
        turbo.frame_request().unwrap_or_default()
    )))
}

fn app() -> (Forebay, TestApp) {
    let forebay = Forebay::builder().secret("a secret for tests").build().unwrap();
    let router = Router::new()
        .route("/", get(show))
        .route("/events", get(events))
        .route("/messages", post(create))
        .route("/count", get(count))
        .route("/lazy", get(lazy))
        .layer(Extension(()));
    let router = forebay.mount(router).with_state(Messages::default());
    let app = TestApp::new(&forebay, router);
    (forebay, app)
}

fn message(id: usize, body: &str) -> Message {
    Message { id, body: body.to_owned() }
}

#[tokio::test]
async fn a_page_shows_what_was_broadcast_before_it_settles() {
    let (forebay, app) = app();
    let mut page = app.open("/").await;
    page.assert_count("#messages li", 0);
    for id in 1..=200 {
        forebay.broadcast().append_to(("room", 1), &message(id, "hi")).await.unwrap();
    }
    page.assert_gone("#message_1");
    page.settle().await;
    page.assert_count("#messages li", 200);
    page.assert_text("#message_200", "hi");
    assert_eq!(page.received().len(), 200);
    assert!(page.received().iter().all(|received| received.stream.as_deref() == Some("room:1")));
}

#[tokio::test]
async fn what_was_broadcast_between_rendering_and_subscribing_is_replayed() {
    let (forebay, app) = app();
    // The page's frame is asked for after the page, and before its tags are subscribed.
    forebay.broadcast().append_to(("room", 1), &message(1, "before")).await.unwrap();
    let mut page = app.open("/").await;
    page.assert_gone("#message_1");
    forebay.broadcast().append_later_to(("room", 1), message(2, "later")).await.unwrap();
    forebay.broadcast().append_to(("room", 1), &message(3, "here only")).ephemeral().await.unwrap();
    page.settle().await;
    page.assert_text("#message_2", "later");
    page.assert_text("#message_3", "here only");
}

#[tokio::test]
async fn a_form_is_sent_and_others_see_it() {
    let (_, app) = app();
    let mut other = app.visitor().open("/").await;
    let mut page = app.open("/").await;
    page.submit("#new", &[("body", "hello")]).await;
    page.assert_texts("#messages li", &["me hello"]);
    assert!(page.has_left_out_its_refresh());
    // The refresh is for others, who see the frame of the new rendering, too.
    other.settle().await;
    other.assert_texts("#messages li", &["me hello"]);
    other.assert_text("#n", "1");
    assert!(!other.has_left_out_its_refresh());
}

#[tokio::test]
async fn frames_are_loaded_when_a_browser_does() {
    let (forebay, app) = app();
    let mut page = app.open("/").await;
    page.assert_text("#count #n", "0");
    page.assert_text("#lazy", "wait");
    page.load_frame("lazy").await;
    page.assert_text("#lazy #loaded", "lazy");
    let text = TurboStream::update("loaded").text("live");
    forebay.broadcast().stream_to("lazy", text).await.unwrap();
    page.settle().await;
    page.assert_text("#loaded", "live");
}

#[tokio::test]
async fn a_refresh_loads_the_page_again_once_for_several() {
    let (forebay, app) = app();
    let mut page = app.open("/").await;
    forebay.broadcast().append_to(("room", 1), &message(7, "not in the data")).await.unwrap();
    for _ in 0..3 {
        forebay.broadcast().refresh_later_to(("room", 1)).await.unwrap();
    }
    page.settle().await;
    page.assert_gone("#message_7");
    forebay.broadcast().append_to(("room", 1), &message(8, "afterwards")).await.unwrap();
    page.settle().await;
    page.assert_text("#message_8", "afterwards");
}

#[tokio::test]
async fn an_event_source_is_read_like_a_cable() {
    let (forebay, app) = app();
    let mut page = app.open("/events").await;
    forebay.broadcast().append_to(("room", 1), &message(1, "over events")).await.unwrap();
    page.settle().await;
    page.assert_text("#message_1", "over events");
    assert_eq!(page.received()[0].stream.as_deref(), Some("room:1"));
}

#[tokio::test]
async fn a_page_that_lost_its_connection_comes_back_and_lacks_nothing() {
    let forebay = Forebay::builder()
        .secret("a secret for tests")
        .connect(async |_| Ok(forebay::Identity::named("alice")))
        .build()
        .unwrap();
    let router = Router::new().route("/", get(show)).route("/count", get(count));
    let app = TestApp::new(&forebay, forebay.mount(router).with_state(Messages::default()));
    let mut page = app.open("/").await;
    assert_eq!(forebay.disconnect("alice").await.unwrap(), 1);
    forebay.broadcast().append_to(("room", 1), &message(1, "meanwhile")).await.unwrap();
    page.settle().await;
    page.assert_text("#message_1", "meanwhile");
}

#[tokio::test]
async fn custom_actions_are_events_and_json_is_a_message() {
    let (forebay, app) = app();
    let mut page = app.action("notify").open("/").await;
    let tag = TurboStream::action("notify", None).attribute("level", "warning");
    forebay.broadcast().stream_to(("room", 1), tag).await.unwrap();
    forebay.broadcast().json_to(("room", 1), &serde_json::json!({ "typing": true })).await.unwrap();
    page.settle().await;
    assert_eq!(page.events()[0].attribute("level"), Some("warning"));
    assert_eq!(page.messages(), [serde_json::json!({ "typing": true })]);
    assert_eq!(page.received()[0].applied.seen, Seen::Applied);
}

#[tokio::test]
async fn a_failure_names_what_is_near_and_shows_it() {
    let (_, app) = app();
    let page = app.open("/").await;
    let failure = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        page.assert_text("#mesages", "x");
    }));
    let said = *failure.unwrap_err().downcast::<String>().unwrap();
    assert!(said.starts_with("`#mesages` is not on the page; near to it are messages\n"), "{said}");
    assert!(said.contains("<ul id=\"messages\"></ul>"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_several_threads_see_one_order() {
    let (forebay, app) = app();
    let (mut one, mut two) = (app.open("/").await, app.open("/").await);
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let forebay = forebay.clone();
            tokio::spawn(async move {
                for n in 0..25 {
                    let message = message(writer * 100 + n, "x");
                    forebay.broadcast().append_to(("room", 1), &message).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    one.settle().await;
    two.settle().await;
    one.assert_count("#messages li", 100);
    assert_eq!(one.html_of("#messages"), two.html_of("#messages"));
}
