//! The routes over real sockets: axum in front, a WebSocket client of another make behind.
#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use forebay::channel::{Channel, ConnectError, Context, Identity, Params, Rejection, Unauthorized};
use forebay::signing::{Cursor, CursorSigner, Key, KeyDigest, Subject, Verifier};
use forebay::{Error, Forebay, Html, Retention, Streamable, Turbo, TurboStream, Viewer};
use futures_util::{SinkExt as _, StreamExt as _};
use http::StatusCode;
use http::request::Parts;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

const SECRET: &str = "a secret for tests";

/// Longer than anything here takes, shorter than a human's patience.
const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    forebay: Forebay,
    address: SocketAddr,
}

impl Server {
    async fn start() -> Self {
        Self::with(Forebay::builder().secret(SECRET)).await
    }

    async fn with(builder: forebay::Builder) -> Self {
        let forebay = builder
            .app("chat")
            .public_streams("public/*")
            .channel("Chat", |_: &Params| Chat)
            .build()
            .unwrap();
        let app = app(&forebay);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { forebay, address }
    }

    async fn connect(&self) -> Client<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let mut client = Client::handshake(stream, &[]).await.unwrap();
        assert_eq!(client.text().await["type"], "welcome");
        client
    }

    async fn say(&self, stream: impl Streamable, text: &str) {
        self.forebay.broadcast().json_to(stream, &text).await.unwrap();
    }

    fn signed(&self, stream: &str) -> String {
        self.forebay.sign(&self.forebay.stream_name(stream).unwrap())
    }

    /// A page's identifier, with the log's position as its cursor.
    fn page(&self, stream: &str) -> String {
        let position = self.forebay.position();
        let (epoch, offset) = (position.epoch.0, position.offset.0);
        let signed = self.signed(stream);
        let cursor = signer(SECRET)
            .page(Cursor { epoch, offset, page: 1 })
            .cursor_for(Subject::Signed(&signed));
        turbo(&signed, &json!({ "cursor": cursor }))
    }
}

fn app(forebay: &Forebay) -> Router {
    Router::new()
        .route("/page", get(page))
        .route("/form", post(form).put(form))
        .merge(forebay.routes())
        .layer(forebay.layer())
        .layer(Extension(forebay.clone()))
}

/// Something is broadcast while the page is being made: after its data was read.
async fn page(turbo: Turbo, Extension(forebay): Extension<Forebay>) -> Result<Response, Error> {
    forebay.broadcast().json_to("room", &"in between").await?;
    turbo.page(&Html::raw(turbo.stream_from("room")?.to_string()))
}

async fn form(turbo: Turbo, body: String) -> Result<Response, Error> {
    match body.as_str() {
        "invalid" => turbo.invalid(&Html::text("no")),
        "elsewhere" => Ok(turbo.redirect("/elsewhere")),
        _ => Ok(turbo.respond(TurboStream::remove("form"), || turbo.redirect("/page"))),
    }
}

struct Chat;

impl Channel for Chat {
    async fn subscribed(&mut self, cx: &mut Context) -> Result<(), Rejection> {
        if cx.params().contains_key("forbidden") {
            return Err(Rejection);
        }
        if cx.params().contains_key("signed_stream_name") {
            let name = cx.verified_stream().ok_or(Rejection)?;
            cx.follow(&name);
            return Ok(());
        }
        cx.stream_from("chat")?;
        cx.transmit(&json!({ "hello": cx.identity().name() }));
        Ok(())
    }

    async fn received(&mut self, cx: &mut Context, action: &str, data: Map<String, Value>) {
        match action {
            "say" => {
                let others = cx.session();
                cx.broadcast().json_to("chat", &data["text"]).except(others).await.unwrap();
            }
            "leave" => cx.reject(),
            _ => cx.stop_all_streams(),
        }
    }
}

fn signer(secret: &str) -> CursorSigner {
    CursorSigner::new(Key::derive_turbo(secret, KeyDigest::Sha256))
}

fn turbo(signed: &str, more: &Value) -> String {
    let mut identifier =
        json!({ "channel": "Turbo::StreamsChannel", "signed_stream_name": signed });
    identifier.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    identifier.to_string()
}

struct Client<Io>(WebSocketStream<Io>);

impl<Io: AsyncRead + AsyncWrite + Unpin> Client<Io> {
    async fn handshake(io: Io, headers: &[(&'static str, &str)]) -> Result<Self, WsError> {
        let mut request = "ws://localhost/cable".into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        Ok(Self(tokio_tungstenite::client_async(request, io).await?.0))
    }

    /// The next text, pings left out.
    async fn text(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next()).await.unwrap();
            let Message::Text(text) = message.unwrap().unwrap() else { continue };
            let value: Value = serde_json::from_str(&text).unwrap();
            if value["type"] != "ping" {
                return value;
            }
        }
    }

    async fn send(&mut self, value: &Value) {
        self.0.send(Message::text(value.to_string())).await.unwrap();
    }

    /// Subscribes; gives the answer's type.
    async fn subscribe(&mut self, identifier: &str) -> String {
        self.send(&json!({ "command": "subscribe", "identifier": identifier })).await;
        let answer = self.text().await;
        assert_eq!(answer["identifier"], identifier, "echoed as it was");
        answer["type"].as_str().unwrap().to_owned()
    }

    async fn perform(&mut self, identifier: &str, data: &Value) {
        let data = data.to_string();
        self.send(&json!({ "command": "message", "identifier": identifier, "data": data })).await;
    }
}

const CONFIRMED: &str = "confirm_subscription";
const REJECTED: &str = "reject_subscription";
const REFRESH: &str = r#"<turbo-stream action="refresh"></turbo-stream>"#;

async fn http(server: &Server, request: &str) -> (String, String) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

/// S01 and S02 without a browser: the page's cursor is older than what came while it was made.
#[tokio::test]
async fn a_page_gets_what_was_broadcast_while_it_was_made() {
    let server = Server::start().await;
    let (_, body) =
        http(&server, "GET /page HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await;
    let value = |name: &str| {
        let rest = body.split_once(&format!("{name}=\"")).unwrap().1;
        rest.split_once('"').unwrap().0.to_owned()
    };
    let identifier = turbo(&value("signed-stream-name"), &json!({}));
    server.say("room", "before subscribing").await;
    let mut client = server.connect().await;
    assert_eq!(client.subscribe(&identifier).await, CONFIRMED);
    server.say("room", "after subscribing").await;
    for (offset, expected) in
        ["in between", "before subscribing", "after subscribing"].into_iter().enumerate()
    {
        let text = client.text().await;
        assert_eq!((&text["message"], &text["offset"]), (&expected.into(), &(offset + 1).into()));
    }
}

#[tokio::test]
async fn nothing_but_a_right_signature_opens_a_stream() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let good = server.signed("room");
    let expired = Verifier::new(Key::derive_turbo(SECRET, KeyDigest::Sha256))
        .sign_expiring("room", 1_000_000_000_000);
    let foreign =
        Verifier::new(Key::derive_turbo("another secret", KeyDigest::Sha256)).sign("room");
    for forged in [&good[..good.len() - 1], &good[1..], "", "room", &expired, &foreign] {
        assert_eq!(client.subscribe(&turbo(forged, &json!({}))).await, REJECTED, "{forged}");
    }
    let of_other_type = json!({ "channel": "Turbo::StreamsChannel", "signed_stream_name": 1 });
    assert_eq!(client.subscribe(&of_other_type.to_string()).await, REJECTED);
    let unknown = json!({ "channel": "Nobody", "signed_stream_name": good });
    assert_eq!(client.subscribe(&unknown.to_string()).await, REJECTED);
    assert_eq!(client.subscribe(&turbo(&good, &json!({}))).await, CONFIRMED);
    assert_eq!(server.forebay.stats().rejections, 8);
}

/// S43 for each kind of cursor: the page is told to heal itself, once, and is live.
#[tokio::test]
async fn s43_a_cursor_that_cannot_be_served_resyncs() {
    let retention = Retention::default().entries_max(2);
    let server = Server::with(Forebay::builder().secret(SECRET).retention(retention)).await;
    let old = server.page("room");
    for n in 0..3 {
        server.say("room", &n.to_string()).await;
    }
    let position = server.forebay.position();
    let (epoch, offset) = (position.epoch.0, position.offset.0);
    let page = |secret: &str, epoch, offset| {
        let signed = server.signed("room");
        let cursor = signer(secret)
            .page(Cursor { epoch, offset, page: 1 })
            .cursor_for(Subject::Signed(&signed));
        turbo(&signed, &json!({ "cursor": cursor }))
    };
    let cases = [
        old,
        page(SECRET, !epoch, offset),
        page(SECRET, epoch, offset + 100),
        page("another secret", epoch, offset),
        turbo(&server.signed("room"), &json!({ "cursor": "rubbish" })),
        turbo(&server.signed("room"), &json!({ "cursor": 7 })),
    ];
    for identifier in cases {
        let mut client = server.connect().await;
        assert_eq!(client.subscribe(&identifier).await, CONFIRMED);
        assert_eq!(client.text().await["message"], REFRESH, "{identifier}");
        server.say("room", "live").await;
        assert_eq!(client.text().await["message"], "live");
    }
    let stats = server.forebay.stats();
    let resyncs = [stats.resyncs_forgotten, stats.resyncs_other_epoch, stats.resyncs_future];
    assert_eq!((resyncs, stats.cursors_refused), ([1, 1, 1], 3));
}

#[tokio::test]
async fn a_cursor_never_widens_what_may_be_read() {
    let server = Server::start().await;
    let other = server.page("other");
    server.say("room", "secret").await;
    let mut client = server.connect().await;
    assert_eq!(client.subscribe(&other).await, CONFIRMED);
    server.say("other", "mine").await;
    assert_eq!(client.text().await["message"], "mine");
}

#[tokio::test]
async fn pubsub_takes_signed_names_and_public_ones() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let identifier =
        |key: &str, value: &str| json!({ "channel": "$pubsub", key: value }).to_string();
    let raw = Verifier::new(Key::raw(SECRET)).sign("private/1");
    assert_eq!(client.subscribe(&identifier("stream_name", "private/1")).await, REJECTED);
    assert_eq!(client.subscribe(&identifier("stream_name", "public/1")).await, CONFIRMED);
    assert_eq!(client.subscribe(&identifier("signed_stream_name", &raw)).await, CONFIRMED);
    // The signed name counts where both are given.
    let both =
        json!({ "channel": "$pubsub", "stream_name": "public/1", "signed_stream_name": "x" });
    assert_eq!(client.subscribe(&both.to_string()).await, REJECTED);
    server.say("private/1", "hello").await;
    let text = client.text().await;
    assert_eq!(text["message"], "hello");
    assert!(text.get("offset").is_none(), "Rails' own envelope where there is no cursor");
}

/// A database that hiccups must not log everybody out for good.
#[tokio::test]
async fn who_can_not_be_known_now_is_told_to_come_back() {
    let builder = Forebay::builder().secret(SECRET).connect(async |parts| {
        let user = parts.headers.get("x-user").ok_or(Unauthorized)?.to_str()?;
        assert!(user != "panic", "in the hook");
        // As a database does it: the error of something else.
        let number: u32 = user.parse()?;
        Ok(Identity::named(format!("user:{number}")))
    });
    let server = Server::with(builder).await;
    let first = async |headers: &[(&'static str, &str)]| {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let mut client = Client::handshake(stream, headers).await.unwrap();
        let first = client.text().await;
        (first, client)
    };
    for user in ["a database's error", "panic"] {
        let (goodbye, mut client) = first(&[("x-user", user)]).await;
        let expected = json!({ "type": "disconnect", "reason": "unavailable", "reconnect": true });
        assert_eq!(goodbye, expected, "{user}");
        let close = client.0.next().await.unwrap().unwrap();
        assert!(matches!(close, Message::Close(Some(frame)) if u16::from(frame.code) == 1013));
    }
    assert_eq!(first(&[]).await.0["reconnect"], false);
    assert_eq!(first(&[("x-user", "7")]).await.0["type"], "welcome");
    let stats = server.forebay.stats();
    assert_eq!((stats.refused_unavailable, stats.refused_unauthorized, stats.refusals), (2, 1, 3));
}

#[tokio::test]
async fn channels_talk_back() {
    let builder = Forebay::builder().secret(SECRET).connect(|parts: &Parts| {
        let user = parts.headers.get("x-user").and_then(|user| user.to_str().ok());
        let identity = user.map(|user| Identity::named(user.to_owned())).ok_or(Unauthorized);
        async move { identity }
    });
    let server = Server::with(builder).await;
    let connect = async |user: &str| {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let mut client = Client::handshake(stream, &[("x-user", user)]).await.unwrap();
        assert_eq!(client.text().await["type"], "welcome");
        client
    };
    let (mut ada, mut grace) = (connect("ada").await, connect("grace").await);
    let chat = r#"{"channel":"Chat"}"#;
    for (client, name) in [(&mut ada, "ada"), (&mut grace, "grace")] {
        assert_eq!(client.subscribe(chat).await, CONFIRMED);
        assert_eq!(client.text().await["message"], json!({ "hello": name }));
    }
    let forbidden = r#"{"channel":"Chat","forbidden":true}"#;
    assert_eq!(ada.subscribe(forbidden).await, REJECTED);
    ada.perform(chat, &json!({ "action": "say", "text": "hi" })).await;
    assert_eq!(grace.text().await["message"], "hi");
    grace.perform(chat, &json!({ "action": "say", "text": "ho" })).await;
    assert_eq!(ada.text().await["message"], "ho", "her own was not sent to her");
    ada.perform(chat, &json!({ "action": "leave" })).await;
    assert_eq!(ada.text().await["type"], REJECTED);

    let stream = TcpStream::connect(server.address).await.unwrap();
    let mut nobody = Client::handshake(stream, &[]).await.unwrap();
    let goodbye = nobody.text().await;
    assert_eq!(
        (&goodbye["reason"], &goodbye["reconnect"]),
        (&"unauthorized".into(), &false.into())
    );
    let close = nobody.0.next().await.unwrap().unwrap();
    assert!(matches!(close, Message::Close(Some(_))), "{close:?}");
}

/// turbo-rails#493: a name that was signed for a channel opens no other.
#[tokio::test]
async fn a_name_signed_for_a_channel_is_good_for_that_channel_only() {
    let server = Server::start().await;
    let verifier = Verifier::new(Key::derive_turbo(SECRET, KeyDigest::Sha256));
    let mut client = server.connect().await;
    let ask = |channel: &str, signed: &str| {
        json!({ "channel": channel, "signed_stream_name": signed }).to_string()
    };
    let bound = verifier.sign_for("room", "Chat");
    assert_eq!(client.subscribe(&ask("Turbo::StreamsChannel", &bound)).await, REJECTED);
    assert_eq!(client.subscribe(&ask("Chat", &verifier.sign_for("room", "Other"))).await, REJECTED);
    assert_eq!(client.subscribe(&ask("Chat", &bound)).await, CONFIRMED);
    assert_eq!(client.subscribe(&ask("Chat", &server.signed("room"))).await, CONFIRMED);
    server.say("room", "hello").await;
    assert_eq!(client.text().await["message"], "hello");
}

#[tokio::test]
async fn refusals_are_answered_in_http() {
    let server = Server::start().await;
    let refused = async |headers: &[(&'static str, &str)]| {
        let stream = TcpStream::connect(server.address).await.unwrap();
        match Client::handshake(stream, headers).await {
            Err(WsError::Http(response)) => response.status(),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("was let in"),
        }
    };
    let origin = refused(&[("origin", "https://evil.example")]).await;
    let protocol = refused(&[("sec-websocket-protocol", "soap")]).await;
    let version = refused(&[("sec-websocket-version", "8")]).await;
    let expected = (StatusCode::FORBIDDEN, StatusCode::BAD_REQUEST, StatusCode::UPGRADE_REQUIRED);
    assert_eq!((origin, protocol, version), expected);
    let get = "GET /cable HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let (head, body) = http(&server, get).await;
    assert!(head.starts_with("http/1.1 426"), "{head}");
    assert!(body.contains("WebSocket"), "{body}");
    server.forebay.shut_down(Duration::ZERO).await;
    assert_eq!(refused(&[]).await, StatusCode::SERVICE_UNAVAILABLE);
}

/// Where hyper's stream is no `TcpStream`, the same driver runs on it: here an in-memory pipe.
#[tokio::test]
async fn without_a_raw_socket_the_same_session_runs() {
    let server = Server::start().await;
    let (near, far) = tokio::io::duplex(4096);
    let service = hyper_util::service::TowerToHyperService::new(app(&server.forebay));
    tokio::spawn(async move {
        let io = hyper_util::rt::TokioIo::new(far);
        let executor = hyper_util::rt::TokioExecutor::new();
        let http = hyper_util::server::conn::auto::Builder::new(executor);
        http.serve_connection_with_upgrades(io, service).await.unwrap();
    });
    let identifier = server.page("room");
    server.say("room", "replayed").await;
    let mut client = Client::handshake(near, &[]).await.unwrap();
    assert_eq!(client.text().await["type"], "welcome");
    assert_eq!(client.subscribe(&identifier).await, CONFIRMED);
    assert_eq!(client.text().await["message"], "replayed");
    for n in 0..100 {
        server.say("room", &n.to_string()).await;
    }
    for n in 0..100 {
        assert_eq!(client.text().await["message"], n.to_string());
    }
    client.0.close(None).await.unwrap();
}

#[tokio::test]
async fn forms_are_answered_as_turbo_wants_them() {
    let server = Server::start().await;
    let ask = async |method: &str, accept: &str, body: &str| {
        let length = body.len();
        let request = format!(
            "{method} /form HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAccept: {accept}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        http(&server, &request).await
    };
    let stream = "text/vnd.turbo-stream.html, text/html, application/xhtml+xml";
    let (head, body) = ask("POST", stream, "ok").await;
    assert!(head.contains("content-type: text/vnd.turbo-stream.html; charset=utf-8"), "{head}");
    assert!(head.contains("vary: accept"), "{head}");
    assert_eq!(body, r#"<turbo-stream action="remove" target="form"></turbo-stream>"#);
    let (head, _) = ask("PUT", "text/html", "ok").await;
    assert!(head.starts_with("http/1.1 303") && head.contains("location: /page"), "{head}");
    let (head, _) = ask("POST", stream, "elsewhere").await;
    assert!(head.starts_with("http/1.1 303"), "{head}");
    let (head, body) = ask("POST", stream, "invalid").await;
    assert!(head.starts_with("http/1.1 422") && head.contains("vary: turbo-frame"), "{head}");
    assert_eq!(body, "no");
}

#[tokio::test]
async fn without_the_layer_a_handler_says_what_is_missing() {
    use tower::ServiceExt as _;
    let app = Router::new().route("/", get(async |turbo: Turbo| turbo.redirect("/")));
    let request = http::Request::get("/").body(axum::body::Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = axum::body::to_bytes(response.into_body(), 1_000).await.unwrap();
    assert!(String::from_utf8_lossy(&body).contains("forebay.layer()"));
}

/// A page that was rendered by another process has all of its tags, and one request heals them.
#[tokio::test]
async fn a_page_whose_tags_all_lack_something_is_told_to_refresh_once() {
    let (renders, subscribes) = (Server::start().await, Server::start().await);
    let mut client = subscribes.connect().await;
    for stream in ["room", "hall", "stairs"] {
        assert_eq!(client.subscribe(&renders.page(stream)).await, CONFIRMED);
        if stream == "room" {
            assert_eq!(client.text().await["message"], REFRESH);
        }
    }
    subscribes.say("stairs", "the next").await;
    assert_eq!(client.text().await["message"], "the next");
    let stats = subscribes.forebay.stats();
    assert_eq!((stats.resyncs_other_epoch, stats.unhealed), (3, 0));
}

/// A balancer in front of two processes, each with a log of its own.
#[tokio::test]
async fn a_page_that_another_process_renders_again_and_again_is_not_told_for_ever() {
    let (renders, subscribes) = (Server::start().await, Server::start().await);
    let mut client = subscribes.connect().await;
    let first = renders.page("room");
    assert_eq!(client.subscribe(&first).await, CONFIRMED);
    assert_eq!(client.text().await["message"], REFRESH);
    client.send(&json!({ "command": "unsubscribe", "identifier": first })).await;
    renders.say("room", "meanwhile").await;
    for _ in 0..3 {
        let again = renders.page("room");
        assert_eq!(client.subscribe(&again).await, CONFIRMED);
        let unhealed = json!({ "type": "unhealed", "reason": "foreign_epoch" });
        assert_eq!(client.text().await["message"], unhealed);
        subscribes.say("room", "live").await;
        assert_eq!(client.text().await["message"], "live");
        client.send(&json!({ "command": "unsubscribe", "identifier": again })).await;
        renders.say("room", "meanwhile").await;
    }
    assert_eq!(subscribes.forebay.stats().unhealed, 3);
}

/// An outage that all pages notice at once.
#[tokio::test]
async fn pages_that_lack_something_at_once_are_told_one_after_the_other() {
    let renders = Server::start().await;
    let subscribes = Server::with(Forebay::builder().secret(SECRET).heals_per_second(1)).await;
    let mut pages = Vec::new();
    for _ in 0..3 {
        let mut client = subscribes.connect().await;
        assert_eq!(client.subscribe(&renders.page("room")).await, CONFIRMED);
        pages.push(client);
    }
    for client in &mut pages {
        assert_eq!(client.text().await["message"], REFRESH);
    }
    // Two have their turns at once, the third has waited.
    assert_eq!(subscribes.forebay.stats().heals_delayed, 1);
}

/// Tells which of its methods run, how far, and when it is dropped.
struct Witness {
    stays_in_subscribed: bool,
    may_go_on: Arc<Notify>,
    says: UnboundedSender<&'static str>,
}

impl Witness {
    fn say(&self, what: &'static str) {
        self.says.send(what).unwrap();
    }
}

impl Channel for Witness {
    async fn subscribed(&mut self, _: &mut Context) -> Result<(), Rejection> {
        self.say("is being subscribed");
        if self.stays_in_subscribed {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn received(&mut self, _: &mut Context, _: &str, _: Map<String, Value>) {
        self.say("receives");
        self.may_go_on.notified().await;
        self.say("has received");
    }

    async fn unsubscribed(&mut self, _: &mut Context) {
        self.say("unsubscribed");
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.says.send("dropped");
    }
}

/// As `Channel`'s documentation says what becomes of each method.
#[tokio::test]
async fn a_connection_that_ends_drops_a_subscription_in_the_making_and_lets_actions_run_to_their_end()
 {
    let may_go_on = Arc::new(Notify::new());
    let (says, mut said) = unbounded_channel();
    let made = Arc::clone(&may_go_on);
    let builder = Forebay::builder().secret(SECRET).channel("Witness", move |params: &Params| {
        let (may_go_on, says) = (Arc::clone(&made), says.clone());
        Witness { stays_in_subscribed: params.contains_key("stays"), may_go_on, says }
    });
    let server = Server::with(builder).await;
    let mut next = async || tokio::time::timeout(PATIENCE, said.recv()).await.unwrap().unwrap();

    let mut client = server.connect().await;
    let undecided = json!({ "channel": "Witness", "stays": true }).to_string();
    client.send(&json!({ "command": "subscribe", "identifier": undecided })).await;
    assert_eq!(next().await, "is being subscribed");
    drop(client);
    assert_eq!(next().await, "dropped");

    let mut client = server.connect().await;
    let acts = json!({ "channel": "Witness" }).to_string();
    client.send(&json!({ "command": "subscribe", "identifier": acts })).await;
    assert_eq!(next().await, "is being subscribed");
    client
        .send(&json!({ "command": "message", "identifier": acts, "data": "{\"action\":\"x\"}" }))
        .await;
    assert_eq!(next().await, "receives");
    drop(client);
    while server.forebay.connections() > 0 {
        tokio::task::yield_now().await;
    }
    may_go_on.notify_one();
    let mut rest = Vec::new();
    while rest.last() != Some(&"dropped") {
        rest.push(next().await);
    }
    assert_eq!(rest, ["has received", "unsubscribed", "dropped"]);
}

/// A form that Turbo submits signs a visitor in, and the connection is of before.
#[tokio::test]
async fn a_visitor_who_signs_in_on_an_open_connection_is_identified_anew() {
    let visitor = |parts: &Parts| {
        let name = parts.headers.get("x-visitor").map(|name| name.to_str().unwrap().to_owned());
        std::future::ready(Ok::<_, ConnectError>(
            name.map_or_else(Identity::anonymous, Identity::named),
        ))
    };
    let builder = Forebay::builder().secret(SECRET).connect(visitor);
    let server = Server::with(builder).await;
    let verifier = Verifier::new(Key::derive_turbo(SECRET, KeyDigest::Sha256));
    let inbox = turbo(&verifier.sign_for("inbox", "viewer:ann"), &json!({}));
    let connect = async |headers: &[(&'static str, &str)]| {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let mut client = Client::handshake(stream, headers).await.unwrap();
        assert_eq!(client.text().await["type"], "welcome");
        client
    };
    let mut before = connect(&[]).await;
    assert_eq!(before.subscribe(&inbox).await, CONFIRMED);
    let ended = json!({ "type": "disconnect", "reason": "remote", "reconnect": true });
    assert_eq!(before.text().await, ended);
    let mut signed_in = connect(&[("x-visitor", "ann")]).await;
    assert_eq!(signed_in.subscribe(&inbox).await, CONFIRMED);
    // Somebody else's tag stays somebody else's: once, and then it is refused.
    let mut other = connect(&[("x-visitor", "bob")]).await;
    assert_eq!(other.subscribe(&inbox).await, REJECTED);
    let stats = server.forebay.stats();
    assert_eq!((stats.reidentified, stats.rejections), (1, 1));
}

/// Refuses rooms without a number, follows the others, and says who leaves.
struct Room(u64);

impl Channel for Room {
    async fn subscribed(&mut self, cx: &mut Context) -> Result<(), Rejection> {
        cx.stream_from(("room", self.0))?;
        Ok(())
    }

    async fn received(&mut self, cx: &mut Context, _: &str, _: Map<String, Value>) {
        cx.stop_stream_from(("room", self.0)).unwrap();
    }

    async fn unsubscribed(&mut self, cx: &mut Context) {
        let who = cx.identity().name().map(str::to_owned);
        cx.broadcast().json_to(("room", self.0), &json!({ "left": who })).await.unwrap();
    }
}

fn rooms() -> forebay::Builder {
    Forebay::builder().secret(SECRET).channel("Room", |params: &Params| {
        params.get("id").and_then(Value::as_u64).map(Room).ok_or(Rejection)
    })
}

#[tokio::test]
async fn a_channel_whose_parameters_are_no_good_is_rejected_before_it_is_made() {
    let server = Server::with(rooms()).await;
    let mut client = server.connect().await;
    let room = |id: Value| json!({ "channel": "Room", "id": id }).to_string();
    assert_eq!(client.subscribe(&room(json!("one"))).await, REJECTED);
    assert_eq!(client.subscribe(&room(json!(1))).await, CONFIRMED);
    server.say(("room", 1), "hi").await;
    assert_eq!(client.text().await["message"], "hi");
}

#[tokio::test]
async fn a_channel_that_is_left_can_tell_the_others() {
    let server = Server::with(rooms()).await;
    let (mut leaver, mut other) = (server.connect().await, server.connect().await);
    let room = json!({ "channel": "Room", "id": 1 }).to_string();
    for client in [&mut leaver, &mut other] {
        assert_eq!(client.subscribe(&room).await, CONFIRMED);
    }
    drop(leaver);
    assert_eq!(other.text().await["message"], json!({ "left": null }));
}

#[tokio::test]
async fn a_channel_that_has_stopped_a_stream_reads_it_no_more() {
    let server = Server::with(rooms()).await;
    let mut client = server.connect().await;
    let room = |id: u64| json!({ "channel": "Room", "id": id }).to_string();
    for id in [1, 2] {
        assert_eq!(client.subscribe(&room(id)).await, CONFIRMED);
    }
    client.perform(&room(1), &json!({ "action": "stop" })).await;
    // Commands are handled in order: the answer to this one comes after the stop.
    assert_eq!(client.subscribe(&room(3)).await, CONFIRMED);
    server.say(("room", 1), "not read").await;
    server.say(("room", 2), "read").await;
    assert_eq!(client.text().await["message"], "read");
}

/// Takes whatever nobody else takes.
struct Fallback(String);

impl Channel for Fallback {
    async fn subscribed(&mut self, cx: &mut Context) -> Result<(), Rejection> {
        assert_eq!(cx.channel(), self.0);
        cx.transmit(&json!({ "fallback": self.0 }));
        Ok(())
    }
}

#[tokio::test]
async fn a_channel_that_nobody_has_registered_is_the_fallbacks() {
    let builder = rooms().fallback_channel(|name: &str, params: &Params| {
        let is_welcome = !params.contains_key("forbidden");
        is_welcome.then(|| Fallback(name.to_owned())).ok_or(Rejection)
    });
    let server = Server::with(builder).await;
    let mut client = server.connect().await;
    let other = json!({ "channel": "Other" }).to_string();
    assert_eq!(client.subscribe(&other).await, CONFIRMED);
    assert_eq!(client.text().await["message"], json!({ "fallback": "Other" }));
    let forbidden = json!({ "channel": "Other", "forbidden": true }).to_string();
    assert_eq!(client.subscribe(&forbidden).await, REJECTED);
    let own = json!({ "channel": "Room", "id": 1 }).to_string();
    assert_eq!(client.subscribe(&own).await, CONFIRMED);
    server.say(("room", 1), "its own").await;
    assert_eq!(client.text().await["message"], "its own");

    for name in ["Room", "Turbo::StreamsChannel", "$pubsub"] {
        let taken = rooms().channel(name, |_: &Params| Chat).build();
        assert!(matches!(taken, Err(forebay::BuildError::DuplicateChannel(_))), "{name}");
    }
}

/// Two keys of one kind: the first one signs, older ones are accepted.
#[tokio::test]
async fn pubsub_has_keys_of_its_own() {
    let builder = Forebay::builder().secret(SECRET).pubsub_key("new").pubsub_key("old");
    let server = Server::with(builder).await;
    let mut client = server.connect().await;
    for (key, expected) in [("new", CONFIRMED), ("old", CONFIRMED), ("other", REJECTED)] {
        let name = Verifier::new(Key::raw(key)).sign(&format!("of {key}"));
        let pubsub = json!({ "channel": "$pubsub", "signed_stream_name": name }).to_string();
        assert_eq!(client.subscribe(&pubsub).await, expected, "{key}");
    }
}

#[tokio::test]
async fn a_visitors_own_streams_are_read_by_nobody_else() {
    let visitor = |parts: &Parts| {
        let name = parts.headers.get("x-visitor").unwrap().to_str().unwrap().to_owned();
        std::future::ready(Ok::<_, ConnectError>(Identity::named(name)))
    };
    let builder = Forebay::builder().secret(SECRET).connect(visitor);
    let server = Server::with(builder).await;
    let tag = |of: &str| {
        let turbo = server.forebay.begin_request(&http::HeaderMap::new(), None);
        let tag = turbo.stream_from((Viewer(of), "inbox")).unwrap().to_string();
        let name = tag.split("signed-stream-name=\"").nth(1).unwrap().split('"').next().unwrap();
        turbo_identifier(name)
    };
    let connect = async |name: &str| {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let mut client = Client::handshake(stream, &[("x-visitor", name)]).await.unwrap();
        assert_eq!(client.text().await["type"], "welcome");
        client
    };
    let (anns, bobs) = (tag("user:1"), tag("user:2"));
    let (mut ann, mut bob) = (connect("user:1").await, connect("user:2").await);
    assert_eq!(ann.subscribe(&anns).await, CONFIRMED);
    assert_eq!(bob.subscribe(&bobs).await, CONFIRMED);
    let broadcast = server.forebay.broadcast();
    broadcast.json_to((Viewer("user:2"), "inbox"), &"for bob").await.unwrap();
    broadcast.json_to((Viewer("user:1"), "inbox"), &"for ann").await.unwrap();
    assert_eq!(bob.text().await["message"], "for bob");
    assert_eq!(ann.text().await["message"], "for ann");
    // Copied into another's page it opens nothing: the connection ends once, and then it is refused.
    assert_eq!(bob.subscribe(&anns).await, CONFIRMED);
    assert_eq!(bob.text().await["type"], "disconnect");
    let mut bob = connect("user:2").await;
    assert_eq!(bob.subscribe(&anns).await, REJECTED);
}

/// The identifier of a tag, as Turbo makes it.
fn turbo_identifier(signed: &str) -> String {
    turbo(signed, &json!({}))
}
