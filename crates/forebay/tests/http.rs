//! Server-sent events and long polls, and access that is taken back on every transport. Time is
//! simulated: no socket is involved, only the router.
#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::future::{Ready, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use forebay::channel::{Channel, ConnectError, Context, Identity, Params, Rejection, Unauthorized};
use forebay::signing::Subject;
use forebay::{Forebay, Revocation, StreamName, Turbo, TurboStream};
use forebay_core::raw::{RawBroadcast, publish_all};
use http::request::Parts;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower::ServiceExt as _;

struct App {
    forebay: Forebay,
    router: Router,
}

struct Echo;

impl Channel for Echo {
    async fn subscribed(&mut self, cx: &mut Context) -> Result<(), Rejection> {
        cx.transmit(&"hello");
        cx.stream_from("echo")?;
        Ok(())
    }

    async fn received(&mut self, cx: &mut Context, action: &str, data: Map<String, Value>) {
        cx.transmit(&json!({ "action": action, "data": data }));
    }
}

/// Answers each action in its own time, and reads nothing before it is asked to.
struct Slow;

impl Channel for Slow {
    async fn subscribed(&mut self, cx: &mut Context) -> Result<(), Rejection> {
        tokio::task::yield_now().await;
        cx.transmit(&"ready");
        Ok(())
    }

    async fn received(&mut self, cx: &mut Context, _: &str, _: Map<String, Value>) {
        tokio::task::yield_now().await;
        cx.stream_from("room").unwrap();
    }
}

/// Reads the stream of its tag; rejects in one way or the other.
struct Checked {
    rejects: bool,
}

impl Channel for Checked {
    async fn subscribed(&mut self, cx: &mut Context) -> Result<(), Rejection> {
        match cx.verified_stream() {
            Some(name) => cx.follow(&name),
            None if self.rejects => cx.reject(),
            None => return Err(Rejection),
        }
        Ok(())
    }
}

/// The visitor is whoever the header says.
fn visitor(parts: &Parts) -> Ready<Result<Identity, ConnectError>> {
    ready(match parts.headers.get("x-visitor").map(|name| name.to_str().unwrap()) {
        Some("nobody") => Err(Unauthorized),
        Some("later") => Err(ConnectError::Unavailable("the database is away".into())),
        Some("panic") => panic!("in the hook"),
        Some(name) => Ok(Identity::named(name)),
        None => Ok(Identity::anonymous()),
    })
}

/// Both tags of a page, as JSON of their identifiers' parameters.
async fn page(turbo: Turbo) -> String {
    let tag = turbo.stream_from("room").unwrap().to_string();
    let own = turbo.stream_from_for("user:1", "inbox").unwrap().to_string();
    let source = turbo.event_source_from(["room", "hall"]).unwrap().to_string();
    format!("{tag}\n{own}\n{source}")
}

/// For the public stream that the body names, or for a channel.
async fn cursor(turbo: Turbo, name: String) -> String {
    let subject = if name.is_empty() { Subject::Channel } else { Subject::Public(&name) };
    turbo.page_cursor().cursor_for(subject)
}

impl App {
    fn new() -> Self {
        Self::with(Forebay::builder())
    }

    fn with(builder: forebay::Builder) -> Self {
        Self::alone(builder.secret("a secret for tests"))
    }

    /// With the builder's keys only.
    fn alone(builder: forebay::Builder) -> Self {
        let builder = builder.connect(visitor).channel("Echo", |_: &Params| Echo);
        let checked = |params: &Params| Checked { rejects: params.contains_key("rejects") };
        let builder = builder.channel("Checked", checked);
        let forebay = builder.channel("Slow", |_: &Params| Slow).build().unwrap();
        let router = Router::new()
            .route("/page", axum::routing::get(page))
            .route("/cursor", axum::routing::post(cursor))
            .merge(forebay.routes())
            .layer(forebay.layer());
        Self { forebay, router }
    }

    async fn ask(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// The page's two identifiers and the address of its event source.
    async fn page(&self) -> Page {
        let response = self.ask(Request::get("/page").body(Body::empty()).unwrap()).await;
        let html = text(response).await;
        let tags: Vec<_> = html.lines().collect();
        Page {
            room: identifier(tags[0]),
            inbox: identifier(tags[1]),
            source: attribute(tags[2], "src"),
        }
    }

    async fn cursor_for(&self, name: &str) -> String {
        let request = Request::post("/cursor").body(Body::from(name.to_owned())).unwrap();
        text(self.ask(request).await).await
    }

    async fn post(&self, path: &str, body: Value) -> Response {
        self.post_as(path, None, body).await
    }

    async fn post_as(&self, path: &str, visitor: Option<&str>, body: Value) -> Response {
        let mut request = Request::post(path).header("content-type", "application/json");
        if let Some(visitor) = visitor {
            request = request.header("x-visitor", visitor);
        }
        self.ask(request.body(Body::from(body.to_string())).unwrap()).await
    }

    async fn poll(&self, commands: Value) -> Vec<Value> {
        let response = self.post("/forebay/poll", commands).await;
        assert_eq!(response.status(), StatusCode::OK);
        serde_json::from_str(&text(response).await).unwrap()
    }

    async fn say(&self, stream: &str, text: &str) {
        self.forebay.broadcast().json_to(stream, &text).await.unwrap();
    }

    fn epoch(&self) -> String {
        self.at().split_once('.').unwrap().0.to_owned()
    }

    fn at(&self) -> String {
        self.forebay.position().to_string()
    }
}

struct Page {
    room: String,
    inbox: String,
    source: String,
}

async fn text(response: Response) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

fn attribute(tag: &str, name: &str) -> String {
    let rest = tag.split_once(&format!(" {name}=\"")).unwrap().1;
    rest.split_once('"').unwrap().0.replace("&amp;", "&")
}

fn identifier(tag: &str) -> String {
    json!({
        "channel": attribute(tag, "channel"),
        "signed_stream_name": attribute(tag, "signed-stream-name"),
    })
    .to_string()
}

/// The identifier of a tag with this signed name and cursor.
fn tag(signed: &str, cursor: Option<&str>) -> String {
    let name = cursor.map_or(signed.to_owned(), |cursor| format!("{signed}.{cursor}"));
    json!({ "channel": "Turbo::StreamsChannel", "signed_stream_name": name }).to_string()
}

/// The signed name and the cursor of a tag's identifier.
fn parts(identifier: &str) -> (String, String) {
    let identifier: Value = serde_json::from_str(identifier).unwrap();
    let (signed, cursor) =
        identifier["signed_stream_name"].as_str().unwrap().split_once('.').unwrap();
    (signed.to_owned(), cursor.to_owned())
}

fn subscribe(identifier: &str) -> Value {
    json!({ "command": "subscribe", "identifier": identifier })
}

fn again(identifier: &str, after: &str) -> Value {
    json!({ "command": "subscribe", "identifier": identifier, "after": after, "quiet": true })
}

/// The events of a stream, one after the other.
struct Events {
    body: Body,
    text: String,
}

impl Events {
    fn of(response: Response) -> Self {
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Self { body: response.into_body(), text: String::new() }
    }

    /// The next event, or `None` at the end.
    async fn next(&mut self) -> Option<String> {
        while !self.text.contains("\n\n") {
            let frame = self.body.frame().await?.unwrap();
            self.text.push_str(str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
        let (event, rest) = self.text.split_once("\n\n").unwrap();
        let (event, rest) = (event.to_owned(), rest.to_owned());
        self.text = rest;
        Some(event)
    }

    /// The next message that is no ping.
    async fn json(&mut self) -> Option<Value> {
        for _ in 0..30 {
            let event = self.next().await?;
            let json: Value = serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
            if json["type"] != "ping" {
                return Some(json);
            }
        }
        panic!("nothing but pings for a minute")
    }
}

// --- long polls -----------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn a_poll_is_answered_when_there_is_something_and_again_if_the_answer_was_lost() {
    let app = App::new();
    let page = app.page().await;
    app.say("room", "1").await;
    let first = app.poll(json!([subscribe(&page.room)])).await;
    let e = app.forebay.position().epoch.0;
    assert_eq!(
        first,
        [
            json!({"identifier": page.room, "type": "confirm_subscription", "s": 1, "at": format!("{e:x}.0")}),
            json!({"s": 1, "o": 1, "p": 0, "m": "1"}),
        ]
    );
    let at = app.at();
    let next = json!([again(&page.room, &at)]);
    let (answer, ()) = tokio::join!(app.poll(next.clone()), app.say("room", "2"));
    assert_eq!(answer, [json!({"s": 1, "o": 2, "p": 1, "m": "2"})]);
    assert_eq!(app.poll(next).await, answer, "the answer was lost: here it is again");
}

#[tokio::test(start_paused = true)]
async fn a_poll_without_news_is_answered_in_time() {
    let app = App::new();
    let page = app.page().await;
    let started = tokio::time::Instant::now();
    assert!(app.poll(json!([again(&page.room, &app.at())])).await.is_empty());
    let waited = started.elapsed();
    assert!((Duration::from_secs(25)..Duration::from_secs(27)).contains(&waited), "{waited:?}");
    let none = app.post("/forebay/poll?wait=0", json!([again(&page.room, &app.at())])).await;
    assert_eq!(text(none).await, "[]");
    assert_eq!(app.forebay.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_poll_keeps_the_order_over_all_its_streams() {
    let app = App::new();
    let page = app.page().await;
    let inbox = app.post_as("/forebay/poll", Some("user:1"), json!([subscribe(&page.inbox)])).await;
    assert!(text(inbox).await.contains("confirm_subscription"));
    for n in 0..10 {
        app.say(if n % 2 == 0 { "room" } else { "inbox" }, &n.to_string()).await;
    }
    let both = json!([subscribe(&page.room), subscribe(&page.inbox)]);
    let answer = app.post_as("/forebay/poll", Some("user:1"), both).await;
    let answer: Vec<Value> = serde_json::from_str(&text(answer).await).unwrap();
    let got: Vec<_> = answer.iter().filter_map(|entry| entry["m"].as_str()).collect();
    assert_eq!(got, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
}

#[tokio::test(start_paused = true)]
async fn an_action_is_performed_by_a_poll_that_reads_nothing() {
    let app = App::new();
    let echo = json!({"channel": "Echo"}).to_string();
    let first = app.poll(json!([subscribe(&echo)])).await;
    assert_eq!(first[1]["message"], "hello");
    let perform = json!([
        {"command": "subscribe", "identifier": echo, "quiet": true, "deaf": true},
        {"command": "message", "identifier": echo, "data": "{\"action\":\"speak\"}"},
    ]);
    app.say("echo", "not for the deaf").await;
    let answer = app.post("/forebay/poll?wait=0", perform).await;
    let answer: Value = serde_json::from_str(&text(answer).await).unwrap();
    assert_eq!(
        answer,
        json!([{"identifier": echo, "message": {"action": "speak", "data": {"action": "speak"}}}])
    );
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_waits_for_one_decision_keeps_the_others() {
    let app = App::new();
    let page = app.page().await;
    let slow = json!({"channel": "Slow"}).to_string();
    let answer = app.poll(json!([subscribe(&page.room), subscribe(&slow)])).await;
    let said: Vec<_> = answer.iter().map(|said| (&said["identifier"], &said["type"])).collect();
    let (room, slow) = (Value::from(page.room), Value::from(slow));
    let confirmed = Value::from(CONFIRMED);
    assert_eq!(said, [(&room, &confirmed), (&slow, &confirmed), (&slow, &Value::Null)]);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_history_cannot_serve_is_resynced_once() {
    let app = App::new();
    let page = app.page().await;
    let lost = app.poll(json!([again(&page.room, "1.5")])).await;
    let told = (&lost[0]["resync"], &lost[0]["at"]);
    assert_eq!(told, (&true.into(), &app.at().into()), "what it has of this life nobody can say");
    let other = App::new();
    let lost = other.poll(json!([subscribe(&page.room)])).await;
    assert_eq!((&lost[0]["resync"], &lost[0]["at"]), (&true.into(), &other.at().into()));
    assert!(other.poll(json!([again(&page.room, &other.at())])).await.is_empty());
}

// --- server-sent events ---------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn events_have_our_messages() {
    let app = App::new();
    let page = app.page().await;
    app.say("room", "1").await;
    let response = app.post("/forebay/events", json!([subscribe(&page.room)])).await;
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store, no-transform");
    let mut events = Events::of(response);
    for expected in ["welcome", "confirm_subscription"] {
        assert_eq!(events.json().await.unwrap()["type"], expected);
    }
    assert_eq!(events.json().await.unwrap()["m"], "1");
    app.say("room", "2").await;
    assert_eq!(events.json().await.unwrap(), json!({"s": 1, "o": 2, "p": 1, "m": "2"}));
    drop(events);
    assert_eq!(app.forebay.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn json_over_several_lines_is_one_event() {
    let app = App::new();
    let page = app.page().await;
    let mut events = Events::of(app.post("/forebay/events", json!([subscribe(&page.room)])).await);
    events.json().await;
    events.json().await;
    let message = RawValue::from_string("{\n\n \"a\":\r\n\"b\\n\"}".into()).unwrap();
    let broadcast = RawBroadcast::new(StreamName::raw("room"), message);
    publish_all(&app.forebay, &[broadcast]).await.unwrap();
    assert_eq!(events.json().await.unwrap()["m"], json!({"a": "b\n"}));
}

/// What an HTTP server holds of a stream whose client does not read is one piece of it.
#[tokio::test(start_paused = true)]
async fn an_event_stream_that_is_not_read_stays_in_the_log() {
    let app = App::new();
    let page = app.page().await;
    let text = "x".repeat(10_000);
    for _ in 0..100 {
        app.say("room", &text).await;
    }
    let (mut client, server) = tokio::io::duplex(1_000);
    let serving = hyper_util::service::TowerToHyperService::new(app.router.clone());
    let connection = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    let serving = tokio::spawn(async move {
        let _ = connection.serve_connection(TokioIo::new(server), serving).await;
    });
    let body = json!([subscribe(&page.room)]).to_string();
    let request = format!(
        "POST /forebay/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    client.write_all(request.as_bytes()).await.unwrap();
    // Paused time goes on once nothing else can.
    tokio::time::sleep(Duration::from_mins(1)).await;
    let held = app.forebay.stats().deliveries;
    assert_eq!(held, 2, "16 KB and what the last entry has more");
    let mut got = 0;
    let mut buffer = vec![0; 64 << 10];
    while got < 100 * text.len() {
        let n = client.read(&mut buffer).await.unwrap();
        assert!(n > 0, "it ended early");
        got += String::from_utf8_lossy(&buffer[..n]).matches('x').count();
    }
    assert_eq!(app.forebay.stats().deliveries, 100);
    drop(client);
    serving.await.unwrap();
    assert_eq!(app.forebay.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_event_source_gets_html_and_resumes_by_its_last_id() {
    let app = App::new();
    let page = app.page().await;
    app.forebay
        .broadcast()
        .stream_to("room", TurboStream::append("list").text("a\nb"))
        .await
        .unwrap();
    let html = TurboStream::append("list").text("a\nb").to_string().replace('\n', "\ndata: ");
    let get = |last: Option<&str>| {
        let request = Request::get(&page.source);
        let request = match last {
            Some(last) => request.header("last-event-id", last),
            None => request,
        };
        request.body(Body::empty()).unwrap()
    };
    let mut events = Events::of(app.ask(get(None)).await);
    assert_eq!(events.next().await.unwrap(), "retry: 1000");
    let at = app.at();
    assert_eq!(events.next().await.unwrap(), format!("id: {at}\ndata: {html}"));
    app.say("hall", "x").await;
    assert_eq!(events.next().await.unwrap(), format!("id: {}\ndata: x", app.at()));
    drop(events);

    let mut events = Events::of(app.ask(get(Some(&at))).await);
    events.next().await;
    assert_eq!(events.next().await.unwrap(), format!("id: {}\ndata: x", app.at()));
    // Something else happens in the log: a ping moves the browser's position on.
    app.say("elsewhere", "y").await;
    assert_eq!(events.next().await.unwrap(), format!("id: {}", app.at()));
    assert_eq!(events.next().await.unwrap(), ":");
}

#[tokio::test(start_paused = true)]
async fn an_event_source_of_another_life_is_resynced() {
    let page = App::new().page().await;
    let app = App::new();
    app.say("room", "1").await;
    let request = Request::get(&page.source).body(Body::empty()).unwrap();
    let mut events = Events::of(app.ask(request).await);
    events.next().await;
    // Both of its streams begin anew, and one refresh heals the page.
    let at = app.at();
    assert!(events.next().await.unwrap().contains("action=\"refresh\""));
    for _ in 0..2 {
        assert_eq!(events.next().await.unwrap(), format!("event: resync\nid: {at}\ndata: {at}"));
    }
    app.say("room", "2").await;
    assert!(events.next().await.unwrap().ends_with("data: 2"));
}

// --- refusals -------------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_told_so() {
    let app = App::new();
    for path in ["/forebay/events", "/forebay/poll"] {
        let post = |kind: &str, body: String| {
            Request::post(path).header("content-type", kind).body(Body::from(body)).unwrap()
        };
        let json = "application/json; charset=utf-8";
        for (request, expected) in [
            (post("text/plain", "[]".into()), 415),
            (post(json, "{".into()), 400),
            (post(json, "{\"command\":\"dance\"}".into()), 400),
            (post(json, "[1]".into()), 400),
            (post(json, " ".repeat(300_000)), 413),
            (Request::put(path).body(Body::empty()).unwrap(), 405),
        ] {
            assert_eq!(app.ask(request).await.status(), expected, "{path}");
        }
        let nobody = app.post_as(path, Some("nobody"), json!([])).await;
        assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
    }
    let none = Request::get("/forebay/events?stream=nonsense").body(Body::empty()).unwrap();
    assert_eq!(app.ask(none).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(app.forebay.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_can_not_be_known_now_is_told_when_to_come_back() {
    let app = App::new();
    for visitor in ["later", "panic"] {
        for path in ["/forebay/events", "/forebay/poll"] {
            let response = app.post_as(path, Some(visitor), json!([])).await;
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{visitor} {path}");
            assert_eq!(response.headers()["retry-after"], "5");
        }
        // After another status `EventSource` never comes back.
        let source = Request::get("/forebay/events?stream=x").header("x-visitor", visitor);
        let source = source.header("accept", "text/event-stream").body(Body::empty()).unwrap();
        let response = app.ask(source).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(text(response).await, "retry: 5000\n\n");
    }
    let never = app.post_as("/forebay/poll", Some("nobody"), json!([])).await;
    assert_eq!(
        (never.status(), never.headers().get("retry-after")),
        (StatusCode::UNAUTHORIZED, None)
    );
    let stats = app.forebay.stats();
    assert_eq!((stats.refused_unavailable, stats.refused_unauthorized, stats.refusals), (6, 1, 7));
}

#[tokio::test(start_paused = true)]
async fn an_event_source_that_comes_during_a_shutdown_is_told_to_come_back() {
    let app = App::new();
    let page = app.page().await;
    app.forebay.shut_down(Duration::ZERO).await;
    let request = Request::get(&page.source).header("accept", "text/event-stream");
    let response = app.ask(request.body(Body::empty()).unwrap()).await;
    assert_eq!((response.status(), &*text(response).await), (StatusCode::OK, "retry: 1000\n\n"));
    assert_eq!(app.forebay.stats().refused_shutting_down, 1);
}

#[tokio::test(start_paused = true)]
async fn refusals_are_counted_by_their_reason() {
    let builder = Forebay::builder().host("here.example").trusted_proxy("10.0.0.0/8");
    let app = App::with(builder);
    let ask = async |headers: &[(&str, &str)], peer: &str| {
        let mut request = Request::post("/forebay/poll?wait=0")
            .extension(axum::extract::ConnectInfo::<std::net::SocketAddr>(peer.parse().unwrap()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let json = request.header("content-type", "application/json");
        app.ask(json.body(Body::from("[]")).unwrap()).await.status().as_u16()
    };
    let (visitor, proxy) = ("192.0.2.1:1", "10.0.0.7:1");
    let (here, there) = (("host", "here.example"), ("host", "there.example"));
    let forwarded = ("x-forwarded-host", "here.example");
    assert_eq!(ask(&[here], visitor).await, 200);
    assert_eq!(ask(&[there], visitor).await, 403);
    assert_eq!(ask(&[there, forwarded], visitor).await, 403);
    assert_eq!(ask(&[there, forwarded], proxy).await, 200);
    assert_eq!(ask(&[here, here], visitor).await, 400);
    assert_eq!(ask(&[here, ("origin", "https://there.example")], visitor).await, 403);
    let stats = app.forebay.stats();
    assert_eq!((stats.refused_host, stats.refused_origin, stats.refusals), (3, 1, 4));
}

#[tokio::test(start_paused = true)]
async fn pages_of_other_origins_are_let_in_only_where_that_is_allowed() {
    let ask = |method: Method, origin: &str| {
        Request::builder()
            .method(method)
            .uri("/forebay/poll?wait=0")
            .header("host", "here.example")
            .header("origin", origin)
            .header("content-type", "application/json")
            .body(Body::from("[]"))
            .unwrap()
    };
    let origins = forebay::Origins::same().and("https://there.example").unwrap();
    let app = App::with(Forebay::builder().origins(origins));
    let foreign = app.ask(ask(Method::POST, "https://evil.example")).await;
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
    assert!(!foreign.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    for method in [Method::POST, Method::OPTIONS] {
        let allowed = app.ask(ask(method, "https://there.example")).await;
        assert!(allowed.status().is_success());
        let headers = allowed.headers();
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://there.example");
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
    }
    // Where all are let in, an answer must name the origin all the same: `*` is for requests without cookies.
    let app = App::with(Forebay::builder().origins(forebay::Origins::any()));
    for method in [Method::POST, Method::OPTIONS] {
        let allowed = app.ask(ask(method, "https://anywhere.example")).await;
        let headers = allowed.headers();
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://anywhere.example");
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
    }
}

// --- access that is taken back --------------------------------------------------------------------

async fn outcome(app: &App, visitor: Option<&str>, identifier: &str) -> String {
    let answer = app.post_as("/forebay/poll", visitor, json!([subscribe(identifier)])).await;
    let answer: Value = serde_json::from_str(&text(answer).await).unwrap();
    let reason = answer[0]["reason"].as_str().unwrap_or_default();
    format!("{} {reason}", answer[0]["type"].as_str().unwrap()).trim_end().to_owned()
}

const CONFIRMED: &str = "confirm_subscription";
const UNAUTHORIZED: &str = "reject_subscription unauthorized";
const EXPIRED: &str = "reject_subscription expired";

/// S60, S61: over polls, events and `EventSource`, while connected and with a saved tag.
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_taken_back_ends_at_once_and_stays_away_from_old_pages() {
    let app = App::new();
    let page = app.page().await;
    let mut events = Events::of(app.post("/forebay/events", json!([subscribe(&page.room)])).await);
    events.json().await;
    events.json().await;
    let mut source =
        Events::of(app.ask(Request::get(&page.source).body(Body::empty()).unwrap()).await);
    source.next().await;
    let poll = json!([again(&page.room, &app.at())]);
    let room = Revocation::of_stream("room");
    let revoke = async {
        // The poll is waiting by now.
        tokio::task::yield_now().await;
        app.forebay.revoke(room.clone()).await.unwrap();
        app.say("room", "secret").await;
    };
    let (answer, ()) = tokio::join!(app.poll(poll), revoke);
    let end = json!({"type": "disconnect", "reason": "remote", "reconnect": true});
    assert_eq!(answer, std::slice::from_ref(&end));
    assert_eq!(events.json().await, Some(end));
    assert_eq!(events.json().await, None);
    assert!(source.next().await.unwrap().starts_with("event: disconnect"));
    assert_eq!(source.next().await, None);

    assert_eq!(outcome(&app, None, &page.room).await, "reject_subscription revoked");
    let mut source =
        Events::of(app.ask(Request::get(&page.source).body(Body::empty()).unwrap()).await);
    source.next().await;
    assert!(source.next().await.unwrap().contains("revoked"), "the hall is still open");
    let (signed, _) = parts(&page.room);
    let without = tag(&signed, None);
    assert_eq!(outcome(&app, None, &without).await, "reject_subscription revoked");
    assert_eq!(outcome(&app, None, &app.page().await.room).await, CONFIRMED);
    assert!(app.forebay.readmit(&room).await.unwrap());
    assert_eq!(outcome(&app, None, &without).await, CONFIRMED);
}

/// What was rendered beside other names says nothing of how old this one is.
#[tokio::test(start_paused = true)]
async fn an_old_tag_with_a_new_pages_cursor_is_an_old_tag() {
    let app = App::new();
    let (signed, _) = parts(&app.page().await.room);
    app.forebay.revoke(Revocation::of("user:1", "room")).await.unwrap();
    let new = app.page().await;
    let (_, inbox) = parts(&new.inbox);
    let mut cursors = new.source.split('&').filter_map(|pair| pair.strip_prefix("cursor="));
    let (first, last) = (cursors.next().unwrap(), cursors.next().unwrap());
    assert_ne!(first, last);
    // As if the visitor had chosen the name of a public stream.
    let public = app.cursor_for(&signed).await;
    for cursor in [Some(&*inbox), Some(last), Some(""), None, Some(&public)] {
        let outcome = outcome(&app, Some("user:1"), &tag(&signed, cursor)).await;
        assert_eq!(outcome, "reject_subscription revoked", "{cursor:?}");
    }
    // The application has rendered the tag again.
    assert_eq!(outcome(&app, Some("user:1"), &new.room).await, CONFIRMED);
    assert_eq!(outcome(&app, Some("user:1"), &tag(&signed, Some(first))).await, CONFIRMED);
    // A tag of a page from before the cursor stood behind the name.
    let parameter = json!({ "channel": "Turbo::StreamsChannel", "signed_stream_name": signed, "cursor": first });
    assert_eq!(outcome(&app, Some("user:1"), &parameter.to_string()).await, CONFIRMED);

    let signed = signed.replace('=', "%3D");
    for (cursor, outcome) in [(last, "revoked"), (first, "confirm")] {
        let address = format!("/forebay/events?cursor={first}&stream={signed}&cursor={cursor}");
        let request = Request::get(address).header("x-visitor", "user:1").body(Body::empty());
        let response = app.ask(request.unwrap()).await;
        assert_eq!(response.status().is_success(), outcome == "confirm", "{cursor}");
    }
}

/// Where there is no signed name, the cursor is made for the public one, or for none.
#[tokio::test(start_paused = true)]
async fn a_cursor_for_a_public_stream_or_a_channel_says_how_old_the_page_is() {
    let builder = Forebay::builder().public_streams("lobby").whispered_streams("lobby");
    let app = App::with(builder);
    let public = |cursor: &str| {
        json!({"channel": "$pubsub", "stream_name": "lobby", "cursor": cursor}).to_string()
    };
    let old = app.cursor_for("lobby").await;
    app.forebay.revoke(Revocation::of_identity("user:1")).await.unwrap();
    let check = async |cursor: &str, expected: &str| {
        assert_eq!(outcome(&app, Some("user:1"), &public(cursor)).await, expected);
    };
    check(&old, "reject_subscription revoked").await;
    check(&app.cursor_for("").await, "reject_subscription revoked").await;
    check(&app.cursor_for("lobby").await, CONFIRMED).await;
    let slow = |cursor: &str| json!({"channel": "Slow", "cursor": cursor}).to_string();
    let before = app.forebay.stats().cursors_refused;
    outcome(&app, None, &slow(&app.cursor_for("").await)).await;
    assert_eq!(app.forebay.stats().cursors_refused, before);
    outcome(&app, None, &slow(&old)).await;
    assert_eq!(app.forebay.stats().cursors_refused, before + 1);
}

/// S61, for one of two visitors.
#[tokio::test(start_paused = true)]
async fn one_visitor_is_put_out_and_the_others_stay() {
    let app = App::new();
    let page = app.page().await;
    let open = async |visitor| {
        let response =
            app.post_as("/forebay/events", Some(visitor), json!([subscribe(&page.room)]));
        let mut events = Events::of(response.await);
        events.json().await;
        events.json().await;
        events
    };
    let (mut one, mut two) = (open("user:1").await, open("user:2").await);
    app.forebay.revoke(Revocation::of("user:1", "room")).await.unwrap();
    app.say("room", "for two").await;
    assert_eq!(one.json().await.unwrap()["type"], "disconnect");
    assert_eq!(two.json().await.unwrap()["m"], "for two");
    assert_eq!(outcome(&app, Some("user:1"), &page.room).await, "reject_subscription revoked");
    assert_eq!(outcome(&app, Some("user:1"), &page.inbox).await, CONFIRMED);
    assert_eq!(outcome(&app, Some("user:2"), &page.room).await, CONFIRMED);
    let mut one = Events::of(
        app.post_as("/forebay/events", Some("user:1"), json!([subscribe(&page.inbox)])).await,
    );
    one.json().await;
    one.json().await;
    let before = app.forebay.stats().disconnects;
    assert_eq!(app.forebay.disconnect("user:1").await.unwrap(), 1);
    assert_eq!(one.json().await.unwrap()["reason"], "remote");
    assert_eq!(app.forebay.stats().disconnects - before, 1);
}

#[tokio::test(start_paused = true)]
async fn a_visitor_who_reads_nothing_is_put_out_too() {
    let app = App::new();
    let slow = json!({"channel": "Slow"}).to_string();
    let response = app.post_as("/forebay/events", Some("user:1"), json!([subscribe(&slow)]));
    let mut events = Events::of(response.await);
    for _ in 0..3 {
        events.json().await;
    }
    app.forebay.revoke(Revocation::of_identity("user:1")).await.unwrap();
    assert_eq!(events.json().await.unwrap()["type"], "disconnect");
}

#[tokio::test(start_paused = true)]
async fn a_channel_does_not_open_what_was_taken_back() {
    let app = App::new();
    app.forebay.revoke(Revocation::of("user:1", "room")).await.unwrap();
    let slow = json!({"channel": "Slow"}).to_string();
    let commands = json!([
        subscribe(&slow),
        {"command": "message", "identifier": slow, "data": "{\"action\":\"follow\"}"},
    ]);
    let response = app.post_as("/forebay/events", Some("user:1"), commands.clone());
    let mut events = Events::of(response.await);
    for _ in 0..3 {
        events.json().await;
    }
    assert_eq!(events.json().await.unwrap()["type"], "reject_subscription");
    let mut other = Events::of(app.post_as("/forebay/events", Some("user:2"), commands).await);
    for _ in 0..3 {
        other.json().await;
    }
    // A ping says that the action is over.
    other.next().await;
    app.say("room", "not for one").await;
    assert_eq!(other.json().await.unwrap()["m"], "not for one");
}

/// S60: a tag that was made for one visitor.
#[tokio::test(start_paused = true)]
async fn a_viewers_tag_opens_nothing_to_others() {
    let app = App::new();
    let page = app.page().await;
    assert_eq!(outcome(&app, Some("user:1"), &page.inbox).await, CONFIRMED);
    for visitor in [Some("user:2"), None] {
        let refused = outcome(&app, visitor, &page.inbox).await;
        assert_eq!(refused, "reject_subscription other_viewer", "{visitor:?}");
    }
}

/// What a quiet tenant gets over an event stream and a poll, and when, while another one is `busy`.
async fn noticed_by_a_tenant(busy: usize) -> (Vec<(Duration, bool)>, usize, Duration) {
    let app = App::new();
    let tenant = |name: &str| {
        let stream = app.forebay.stream_name((name, "room")).unwrap();
        let signed = app.forebay.sign(&stream);
        json!({"channel": "Turbo::StreamsChannel", "signed_stream_name": signed}).to_string()
    };
    let (active, quiet) = (tenant("active"), tenant("quiet"));
    let begun = tokio::time::Instant::now();
    let mut events = Events::of(app.post("/forebay/events", json!([subscribe(&quiet)])).await);
    events.json().await; // the welcome
    events.json().await; // and the confirmation
    let watch = async {
        let mut seen = Vec::new();
        for _ in 0..5 {
            let event = events.next().await.unwrap();
            seen.push((begun.elapsed(), event.contains(r#""type":"ping""#)));
        }
        seen
    };
    let work = async {
        for n in 0..busy {
            app.forebay.broadcast().json_to(("active", "room"), &n).await.unwrap();
            tokio::time::sleep(Duration::from_millis(70)).await;
        }
    };
    let poll = json!([again(&quiet, &app.at())]);
    let answered = async { (app.poll(poll).await.len(), begun.elapsed()) };
    let (seen, (length, answered), ()) = tokio::join!(watch, answered, work);
    let there = app.poll(json!([again(&active, &format!("{}.0", app.epoch()))]));
    assert!(busy == 0 || there.await.len() == busy, "the other was there to be seen");
    (seen, length, answered)
}

/// S63: nothing of it comes, and nothing comes earlier or later for it.
#[tokio::test(start_paused = true)]
async fn s63_what_one_tenant_does_is_not_noticed_by_another() {
    let alone = noticed_by_a_tenant(0).await;
    assert!(alone.0.iter().all(|(_, is_ping)| *is_ping), "{alone:?}");
    assert_eq!(alone.1, 0);
    assert_eq!(noticed_by_a_tenant(100).await, alone);
}

/// S66: pages of before a rotation work until the old key is taken away, and are refused then;
/// `forebay.js` then renders the page again (`e2e/tests/tokens.test.js`).
#[tokio::test(start_paused = true)]
async fn keys_are_rotated_and_tags_of_a_key_that_is_gone_are_expired() {
    let rotated = Forebay::builder().secret("a newer secret for tests");
    let page = App::new().page().await;
    assert_eq!(outcome(&App::with(rotated), None, &page.room).await, CONFIRMED);
    let app = App::alone(Forebay::builder().secret("a newer secret for tests"));
    assert_eq!(outcome(&app, None, &page.room).await, EXPIRED);
    assert_eq!(outcome(&app, Some("user:1"), &page.inbox).await, EXPIRED);
    assert_eq!(outcome(&app, None, &app.page().await.room).await, CONFIRMED);
}

/// A tag's identifier, with other parameters.
fn changed(identifier: &str, changes: &Value) -> String {
    let mut params: Map<String, Value> = serde_json::from_str(identifier).unwrap();
    params.extend(changes.as_object().unwrap().clone());
    Value::Object(params).to_string()
}

/// S65, S66: the application's channels say it as Turbo's does.
#[tokio::test]
async fn a_channel_says_expired_where_a_plain_tag_is_expired() {
    let old = Forebay::builder().stream_lifetime(Duration::ZERO);
    let apps = [
        (App::with(old), App::new()),
        (App::new(), App::alone(Forebay::builder().secret("a newer secret for tests"))),
    ];
    for (older, app) in apps {
        let (page, fresh) = (older.page().await, app.page().await);
        for rejects in [json!({}), json!({"rejects": true})] {
            let ask = async |tag: &str, changes: Value| {
                let checked = changed(&changed(tag, &rejects), &json!({"channel": "Checked"}));
                outcome(&app, None, &changed(&checked, &changes)).await
            };
            assert_eq!(ask(&page.room, json!({})).await, EXPIRED);
            assert_eq!(ask(&fresh.room, json!({})).await, CONFIRMED);
            for bad in [json!("no signature"), json!(7)] {
                let refused = ask(&fresh.room, json!({"signed_stream_name": bad})).await;
                assert_eq!(refused, UNAUTHORIZED);
            }
        }
    }
}

/// S65: what is refused; `forebay.js` then renders the page again (`e2e/tests/access.test.js`).
#[tokio::test]
async fn a_tag_is_expired_when_its_time_is_over() {
    let app = App::with(Forebay::builder().stream_lifetime(Duration::ZERO));
    let page = app.page().await;
    assert_eq!(outcome(&app, None, &page.room).await, EXPIRED);
    assert_eq!(outcome(&app, Some("user:1"), &page.inbox).await, EXPIRED);
    let source = app.ask(Request::get(&page.source).body(Body::empty()).unwrap()).await;
    assert_eq!(source.status(), StatusCode::FORBIDDEN);
    let app = App::with(Forebay::builder().stream_lifetime(Duration::from_hours(1)));
    assert_eq!(outcome(&app, None, &app.page().await.room).await, CONFIRMED);
}

#[tokio::test(start_paused = true)]
async fn everybody_is_told_when_the_server_goes() {
    let app = App::new();
    let page = app.page().await;
    let mut events = Events::of(app.post("/forebay/events", json!([subscribe(&page.room)])).await);
    events.json().await;
    events.json().await;
    let poll = app.poll(json!([again(&page.room, &app.at())]));
    let away = app.forebay.shut_down(Duration::from_secs(2));
    let (answer, told, ()) = tokio::join!(poll, events.json(), async {
        away.await;
    });
    let end = json!({"type": "disconnect", "reason": "server_restart", "reconnect": true});
    assert_eq!((answer, told), (vec![end.clone()], Some(end)));
    let refused = app.post("/forebay/poll", json!([])).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
}

/// A body that never comes to its end.
struct HalfSent;

impl http_body::Body for HalfSent {
    type Data = axum::body::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_has_a_time_and_a_stranger_s_is_not_waited_for() {
    let app = App::new();
    let status = async |headers: &[(&str, &str)]| {
        let began = tokio::time::Instant::now();
        let mut seconds = Vec::new();
        for path in ["/forebay/poll", "/forebay/events"] {
            let mut request = Request::post(path).header("host", "app.example");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = app.ask(request.body(Body::new(HalfSent)).unwrap()).await;
            seconds.push((answer.status().as_u16(), began.elapsed().as_secs()));
        }
        seconds
    };
    let json = ("content-type", "application/json");
    let foreign = status(&[json, ("origin", "https://evil.example")]).await;
    assert_eq!(foreign, [(403, 0), (403, 0)]);
    assert_eq!(status(&[("content-type", "text/plain")]).await, [(415, 0), (415, 0)]);
    assert_eq!(status(&[json]).await, [(408, 10), (408, 20)]);
}

// --- addresses ------------------------------------------------------------------------------------

/// The address of a page's event source, in a router that is nested at `at`, and whether it can be asked.
async fn source_of(builder: forebay::Builder, at: &str) -> (String, StatusCode) {
    let forebay = builder.secret("a secret for tests").build().unwrap();
    let inner = Router::new()
        .route("/page", axum::routing::get(page))
        .merge(forebay.routes())
        .layer(forebay.layer());
    let router = if at.is_empty() { inner } else { Router::new().nest(at, inner) };
    let ask = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap()
    };
    for path in ["/cable", "/cable/"] {
        assert_eq!(
            ask(&format!("{at}{path}")).await.status(),
            StatusCode::UPGRADE_REQUIRED,
            "{at}"
        );
    }
    let html = text(ask(&format!("{at}/page")).await).await;
    let source = attribute(html.lines().nth(2).unwrap(), "src");
    let status = ask(&source).await.status();
    (source.split('?').next().unwrap().to_owned(), status)
}

#[tokio::test(start_paused = true)]
async fn an_event_source_is_where_the_router_is() {
    let check = async |builder: forebay::Builder, at, expected: &str, status| {
        assert_eq!(source_of(builder, at).await, (expected.to_owned(), status));
    };
    check(Forebay::builder(), "", "/forebay/events", StatusCode::OK).await;
    check(Forebay::builder(), "/app", "/app/forebay/events", StatusCode::OK).await;
    check(Forebay::builder().prefix("/live/"), "/app", "/app/live/events", StatusCode::OK).await;
    // A proxy's prefix: nobody here has such a path.
    let proxied = Forebay::builder().public_url("/app/");
    check(proxied, "", "/app/forebay/events", StatusCode::NOT_FOUND).await;
    let elsewhere = Forebay::builder().public_url("https://live.example/app");
    check(elsewhere, "", "https://live.example/app/forebay/events", StatusCode::NOT_FOUND).await;
    for (cable, prefix) in [("cable", "/a"), ("/{id}", "/a"), ("/c", "a"), ("/a/poll", "/a/")] {
        let builder = Forebay::builder().secret("a secret for tests");
        assert!(builder.cable_path(cable).prefix(prefix).build().is_err(), "{cable} {prefix}");
    }
}

#[tokio::test(start_paused = true)]
async fn scripts_are_for_pages_of_origins_that_are_let_in() {
    let origins = forebay::Origins::same().and("https://there.example").unwrap();
    let app = App::with(Forebay::builder().origins(origins));
    for path in ["/forebay/forebay.js", "/forebay/worker.js", "/forebay/inspect.js"] {
        let ask = async |origin: &str| {
            let request = Request::get(path).header("origin", origin);
            let response = app.ask(request.body(Body::empty()).unwrap()).await;
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.headers()["vary"], "origin");
            let allowed = response.headers().get("access-control-allow-origin");
            allowed.map(|origin| origin.to_str().unwrap().to_owned())
        };
        assert_eq!(ask("https://there.example").await.as_deref(), Some("https://there.example"));
        assert_eq!(ask("https://evil.example").await, None);
    }
}

#[derive(forebay::Streamable, serde::Serialize, serde::Deserialize)]
struct Visitor {
    id: i64,
}

/// Whose page has the tag is there while its event stream is open; a tag that says somebody else opens nothing.
#[tokio::test(start_paused = true)]
async fn a_visitor_is_present_by_an_event_source() {
    let app = App::new();
    let turbo = || app.forebay.begin_request(&http::HeaderMap::new(), None);
    let total = || turbo().members::<Visitor>("room").unwrap().total();
    let here = turbo().members::<Visitor>("room").unwrap();
    let src = attribute(&here.event_source_from(&Visitor { id: 7 }).unwrap().to_string(), "src");
    let open = async |src: &str| app.ask(Request::get(src).body(Body::empty()).unwrap()).await;
    let stream = open(&src).await;
    assert_eq!((stream.status(), total()), (StatusCode::OK, 1));
    let elsewhere = turbo().members::<Visitor>("hall").unwrap();
    let elsewhere = elsewhere.event_source_from(&Visitor { id: 8 }).unwrap().to_string();
    let (ours, _) = src.split_once("&member=").unwrap();
    let elsewhere = attribute(&elsewhere, "src");
    let (_, theirs) = elsewhere.split_once("&member=").unwrap();
    for member in [theirs, "x", ""] {
        let refused = open(&format!("{ours}&member={member}")).await;
        assert_eq!((refused.status(), total()), (StatusCode::FORBIDDEN, 1), "{member}");
    }
    let refused = app.forebay.stats().iter().find(|(name, _)| *name == "presence_refused");
    assert_eq!(refused.map(|(_, count)| count), Some(3));
    drop(stream);
    tokio::time::sleep(Duration::from_secs(14)).await;
    assert_eq!(total(), 1, "it may come back");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(total(), 0);
}
