//! What an application sees at its edge with this crate: answers to forms, and mistakes that the
//! log names. No sockets; what is logged is read back.
#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::{get, post};
use forebay::{
    BroadcastError, Error, Forebay, Fsync, Html, RenderError, Turbo, TurboStream, TurboStreams,
};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use tower::ServiceExt as _;

const STREAMS: &str = "text/vnd.turbo-stream.html, text/html, application/xhtml+xml";
const PAGE: &str = "<!DOCTYPE html><html><body><form></form></body></html>";

fn forebay() -> Forebay {
    Forebay::builder().secret("a secret for tests").build().unwrap()
}

/// What is logged by this thread, for as long as this lives.
struct Log {
    text: Arc<Mutex<Vec<u8>>>,
    _subscriber: tracing::subscriber::DefaultGuard,
}

impl Log {
    fn new() -> Self {
        let text: Arc<Mutex<Vec<u8>>> = Arc::default();
        let writer = Arc::clone(&text);
        let log = tracing_subscriber::fmt().with_ansi(false).without_time();
        let log = log.with_writer(move || Lines(Arc::clone(&writer))).finish();
        Self { text, _subscriber: tracing::subscriber::set_default(log) }
    }

    /// What has been logged since this was asked for last.
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.text.lock())).unwrap()
    }
}

struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn ask(router: &Router, request: http::request::Builder) -> Response {
    router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn body(response: Response) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn form(path: &str, accept: &str) -> http::request::Builder {
    Request::post(path).header(header::ACCEPT, accept)
}

async fn invalid_streams(turbo: Turbo) -> Response {
    let form = TurboStream::replace("form").text("say something");
    turbo.respond_invalid(form, || turbo.page(&Html::raw(PAGE)))
}

#[tokio::test]
async fn an_invalid_form_is_answered_with_tags_for_turbo_and_a_page_for_others() {
    let forebay = forebay();
    let app = Router::new().route("/", post(invalid_streams)).layer(forebay.layer());
    let tags = ask(&app, form("/", STREAMS)).await;
    assert_eq!(tags.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(tags.headers()[header::CONTENT_TYPE], "text/vnd.turbo-stream.html; charset=utf-8");
    assert_eq!(tags.headers()[header::VARY], "accept");
    assert_eq!(body(tags).await, TurboStream::replace("form").text("say something").to_string());

    let page = ask(&app, form("/", "text/html")).await;
    assert_eq!(page.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(body(page).await, PAGE);

    let elsewhere =
        async |turbo: Turbo| turbo.respond_invalid(TurboStreams::new(), || turbo.redirect("/form"));
    let app = Router::new().route("/", post(elsewhere)).layer(forebay.layer());
    let redirect = ask(&app, form("/", "text/html")).await;
    assert_eq!(redirect.status(), StatusCode::SEE_OTHER, "any other answer stays what it is");
}

async fn part(turbo: Turbo) -> Result<Response, Error> {
    turbo.invalid(&Html::raw("<form id=\"form\"></form>"))
}

async fn whole(turbo: Turbo) -> Result<Response, Error> {
    turbo.invalid(&Html::raw(PAGE))
}

#[tokio::test]
async fn an_answer_that_would_wipe_the_page_is_named_in_the_log() {
    let log = Log::new();
    let app = Router::new().route("/part", post(part)).route("/whole", post(whole));
    let app = app.layer(forebay().layer());
    let wipes = "Turbo replaces the whole page by it";
    ask(&app, form("/part", STREAMS)).await;
    assert!(log.take().contains(wipes));
    ask(&app, form("/part", STREAMS).header("turbo-frame", "form")).await;
    ask(&app, form("/part", "text/html")).await;
    ask(&app, form("/whole", STREAMS)).await;
    assert_eq!(log.take(), "");
}

async fn bad_target(turbo: Turbo) -> Response {
    turbo.respond(TurboStream::remove("#form"), || turbo.redirect("/"))
}

#[tokio::test]
async fn tags_that_find_nothing_are_no_answer() {
    let log = Log::new();
    let app = Router::new().route("/", post(bad_target)).layer(forebay().layer());
    let response = ask(&app, form("/", STREAMS)).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let said = log.take();
    assert!(said.contains(r##""#form" is a selector"##) && said.contains("ERROR"), "{said}");
}

#[tokio::test]
async fn a_broadcast_that_is_not_awaited_is_named_in_the_log_with_its_line() {
    let log = Log::new();
    let broadcast = forebay().broadcast();
    let line = line!() + 1;
    let _ = broadcast.stream_to("s", TurboStream::refresh());
    let said = log.take();
    assert!(said.contains("ERROR") && said.contains("without being awaited"), "{said}");
    assert!(said.contains(&format!("facade.rs:{line}:")), "{said}");

    broadcast.stream_to("s", TurboStream::refresh()).await.unwrap();
    broadcast.refresh_later_to("s").await.unwrap();
    assert_eq!(log.take(), "");
}

async fn position(turbo: Turbo) -> String {
    turbo.position().to_string()
}

#[tokio::test]
async fn the_layers_of_two_forebays_around_one_handler_are_named_in_the_log() {
    let log = Log::new();
    let named = |app| Forebay::builder().secret("a secret for tests").app(app).build().unwrap();
    let (outer, inner) = (named("outside"), named("within"));
    let app = Router::new().route("/", get(position));
    let app = app.layer(inner.layer()).layer(outer.layer());
    for _ in 0..3 {
        let position = body(ask(&app, Request::get("/")).await).await;
        assert_eq!(position, inner.position().to_string());
    }
    let said = log.take();
    assert_eq!(said.matches("two Forebays' layers are around one handler").count(), 1, "{said}");
    assert!(said.contains("outside") && said.contains("within"), "{said}");
}

/// The outer one has looked before anything was read, so what it noted stays.
#[tokio::test]
async fn a_layer_that_is_there_twice_does_nothing_twice() {
    let log = Log::new();
    let forebay = forebay();
    let between = {
        let forebay = forebay.clone();
        axum::middleware::from_fn(move |request, next: axum::middleware::Next| {
            let forebay = forebay.clone();
            async move {
                forebay.broadcast().stream_to("s", TurboStream::refresh()).await.unwrap();
                next.run(request).await
            }
        })
    };
    let app = Router::new().route("/", get(position));
    let app = app.layer(forebay.layer()).layer(between).layer(forebay.layer());
    let before = forebay.position().to_string();
    assert_eq!(body(ask(&app, Request::get("/")).await).await, before);
    assert_eq!(log.take(), "");
}

#[test]
fn routes_that_are_merged_twice_are_named_before_axum_panics() {
    let log = Log::new();
    let forebay = forebay();
    let once = Router::<()>::new().merge(forebay.routes());
    assert_eq!(log.take(), "");
    let twice = std::panic::AssertUnwindSafe(|| once.merge(forebay.routes()));
    assert!(std::panic::catch_unwind(twice).is_err());
    let said = log.take();
    assert!(said.contains("WARN") && said.contains("merged twice"), "{said}");
}

/// Each message of a chain, from what went wrong to what it comes from.
fn chain(error: &(dyn StdError + 'static)) -> Vec<String> {
    let mut chain = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        chain.push(error.to_string());
        next = error.source();
    }
    chain
}

#[track_caller]
fn check_chain(error: &(dyn StdError + 'static), expected: &[&str]) {
    let chain = chain(error);
    assert_eq!(chain.len(), expected.len(), "{chain:#?}");
    for (text, expected) in chain.iter().zip(expected) {
        assert!(text.contains(expected), "{chain:#?}");
    }
    for (at, text) in chain.iter().enumerate() {
        assert!(!chain[at + 1..].iter().any(|below| text.contains(below)), "twice: {chain:#?}");
    }
}

#[tokio::test]
async fn an_error_says_what_it_comes_from_once() {
    let forebay = forebay();
    let unlucky = || RenderError::new("unlucky");
    check_chain(&Error::from(unlucky()), &["did not render", "unlucky"]);
    check_chain(&BroadcastError::from(unlucky()), &["did not render", "unlucky"]);
    check_chain(&Error::from(BroadcastError::from(unlucky())), &["did not render", "unlucky"]);
    let map = std::collections::HashMap::from([((), 1)]);
    let json = forebay.broadcast().json_to("s", &map).await.unwrap_err();
    check_chain(&json, &["can't be written as JSON", "key must be a string"]);

    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let builder = Forebay::builder().secret("a secret for tests");
        builder.file_log(folder.path(), Fsync::Os).build()
    };
    let first = open().unwrap();
    check_chain(&open().unwrap_err(), &["in use by another process"]);
    drop(first);
}

/// A log that is read as text has the whole chain.
#[tokio::test]
async fn what_failed_is_logged_with_what_it_comes_from() {
    let log = Log::new();
    let failed = async || Err::<(), _>(Error::from(RenderError::new("unlucky")));
    let app = Router::new().route("/", get(failed));
    let response = ask(&app, Request::get("/")).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let said = log.take();
    assert!(said.contains("did not render") && said.contains("unlucky"), "{said}");
}

async fn tag(turbo: Turbo) -> Result<Response, Error> {
    turbo.page(&Html::raw(turbo.stream_from("room")?.to_string()))
}

#[tokio::test]
async fn a_mounted_router_has_the_routes_and_the_layer_around_all_of_it() {
    let forebay = forebay();
    let fallback = async |turbo: Turbo| turbo.redirect("/");
    let app = forebay.mount(Router::new().route("/", get(tag)).fallback(fallback));
    assert_eq!(ask(&app, Request::get("/")).await.status(), StatusCode::OK);
    assert_eq!(ask(&app, Request::get("/nowhere")).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(ask(&app, Request::get("/cable")).await.status(), StatusCode::UPGRADE_REQUIRED);
    let added = app.route("/added", get(tag));
    let response = ask(&added, Request::get("/added")).await;
    assert!(body(response).await.contains("forebay.mount(router)"), "the mend is named");
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn a_tag_that_nothing_answers_is_named_once() {
    let log = Log::new();
    let (without, with) = (forebay(), forebay());
    let app = Router::new().route("/", get(tag)).layer(without.layer());
    for _ in 0..2 {
        ask(&app, Request::get("/")).await;
    }
    assert_eq!(log.take().matches("forebay.mount(router)").count(), 1);
    ask(&with.mount(Router::new().route("/", get(tag))), Request::get("/")).await;
    assert_eq!(log.take(), "");
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn a_tag_inside_a_broadcast_is_named_once() {
    let log = Log::new();
    let broadcast = forebay().broadcast();
    broadcast.stream_to("room", TurboStream::append("list").text("<turbo")).await.unwrap();
    assert_eq!(log.take(), "");
    let tag = Html::raw("<turbo-cable-stream-source></turbo-cable-stream-source>");
    for _ in 0..2 {
        let tags = TurboStream::append("list").html(tag.clone());
        broadcast.stream_to("room", tags).await.unwrap();
    }
    let said = log.take();
    assert_eq!(said.matches("write the tag into the pages").count(), 1, "{said}");
    assert!(said.contains("stream=room"), "{said}");
}

#[tokio::test]
async fn a_pages_head_says_where_the_cable_is_wherever_the_router_is() {
    async fn head(turbo: Turbo) -> String {
        format!("{}{}", turbo.head(), turbo.script())
    }
    let expected = |cable: &str, folder: &str| {
        format!(
            "<meta name=\"action-cable-url\" content=\"{cable}\" />\
             <meta name=\"forebay-url\" content=\"{folder}\">\
             <script type=\"module\" src=\"{folder}/forebay.js\"></script>"
        )
    };
    let builder = || Forebay::builder().secret("a secret for tests");
    let mounted = |forebay: Forebay| forebay.mount(Router::new().route("/", get(head)));
    let of = async |app: Router, path| body(ask(&app, Request::get(path)).await).await;

    let plain = mounted(builder().build().unwrap());
    assert_eq!(of(plain.clone(), "/").await, expected("/cable", "/forebay"));
    let nested = Router::new().nest("/app", plain);
    assert_eq!(of(nested, "/app").await, expected("/app/cable", "/app/forebay"));
    let moved = builder().cable_path("/live/cable").prefix("/live").public_url("https://a.example");
    let moved = mounted(moved.build().unwrap());
    let expected = expected("https://a.example/live/cable", "https://a.example/live");
    assert_eq!(of(moved, "/").await, expected);
}
