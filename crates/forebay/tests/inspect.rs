//! Each broken hop that a server can see, planted on a real app and asked for.
#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

#[path = "inspect/nodes.rs"]
mod nodes;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Extension;
use axum::Router;
use axum::routing::post;
use forebay::inspect::{Answer, Broken, How, Inspect, Page, Refusal, Rejection, Resync, State};
use forebay::signing::{Cursor, CursorSigner, Key, KeyDigest, Subject, Verifier};
use forebay::{Forebay, Html, Render, RenderError, Retention, Revocation, Streamable, Turbo};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Pool, Sqlite};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

const SECRET: &str = "a secret for tests";

/// Longer than anything here takes, shorter than a human's patience.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Streamable)]
struct Room {
    id: u64,
}

impl Render for Room {
    fn to_html(&self) -> Result<Html, RenderError> {
        if self.id == 0 {
            Err(RenderError::new("no current user"))
        } else {
            Ok(Html::text("a room"))
        }
    }
}

struct Server {
    forebay: Forebay,
    address: SocketAddr,
    pool: Pool<Sqlite>,
}

/// Broadcasts beside a transaction of its own, and through it.
async fn beside(turbo: Turbo, Extension(pool): Extension<Pool<Sqlite>>) {
    let transaction = turbo.begin(&pool).await.unwrap();
    turbo.broadcast().refresh_to("beside").await.unwrap();
    transaction.broadcast().refresh_to("within").await.unwrap();
    transaction.commit().await.unwrap();
}

impl Server {
    async fn start() -> Self {
        Self::with(Forebay::builder().secret(SECRET).inspect(Inspect::development())).await
    }

    async fn with(builder: forebay::Builder) -> Self {
        Self::serve(builder.app("chat").build().unwrap()).await
    }

    async fn serve(forebay: Forebay) -> Self {
        let one = SqlitePoolOptions::new().max_connections(1);
        let pool = one.connect("sqlite::memory:").await.unwrap();
        let router = Router::new().route("/beside", post(beside));
        let app = forebay.mount(router).layer(Extension(pool.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { forebay, address, pool }
    }

    fn signed(&self, stream: impl Streamable) -> String {
        self.forebay.sign(&self.forebay.stream_name(stream).unwrap())
    }

    /// A tag that was rendered where the log stands now.
    fn tag(&self, stream: impl Streamable) -> Tag {
        let position = self.forebay.position();
        self.tag_at(stream, position.epoch.0, position.offset.0)
    }

    fn tag_at(&self, stream: impl Streamable, epoch: u64, offset: u64) -> Tag {
        let signed = self.signed(stream);
        let cursors = CursorSigner::new(Key::derive_turbo(SECRET, KeyDigest::Sha256));
        let cursor = Cursor { epoch, offset, page: 1 };
        let cursor = cursors.page(cursor).cursor_for(Subject::Signed(&signed));
        Tag { signed, cursor: Some(cursor) }
    }

    /// A page with these tags. Each is answered when this returns.
    async fn open(&self, tags: &[Tag]) -> Opened {
        let before = self.pages();
        let request = format!("ws://{}/cable", self.address).into_client_request().unwrap();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        let mut page = Opened { socket, id: String::new() };
        assert_eq!(page.text().await["type"], "welcome");
        for tag in tags {
            page.subscribe(tag).await;
        }
        let is_new = |page: &Page| !before.iter().any(|other| other.id == page.id);
        page.id = self.pages().into_iter().find(is_new).unwrap().id;
        page
    }

    fn pages(&self) -> Vec<Page> {
        self.forebay.inspection().unwrap().pages(0, 10, |_| true)
    }

    #[track_caller]
    fn why(&self, page: &Opened, stream: impl Streamable) -> Answer {
        let stream = self.forebay.stream_name(stream).unwrap();
        self.forebay.why(&page.id, stream.as_str(), None).unwrap()
    }

    async fn request(&self, head: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let request =
            format!("{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    async fn get(&self, path: &str, more: &str) -> (u16, String) {
        self.request(&format!("GET {path} HTTP/1.1\r\nHost: localhost{more}"), "").await
    }
}

#[derive(Clone)]
struct Tag {
    signed: String,
    cursor: Option<String>,
}

struct Opened {
    socket: WebSocketStream<TcpStream>,
    id: String,
}

impl Opened {
    async fn text(&mut self) -> Value {
        let next = async {
            loop {
                let Message::Text(text) = self.socket.next().await.unwrap().unwrap() else {
                    continue;
                };
                let value: Value = serde_json::from_str(&text).unwrap();
                if value["type"] != "ping" {
                    return value;
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.unwrap()
    }

    async fn subscribe(&mut self, tag: &Tag) -> Value {
        let mut identifier =
            json!({ "channel": "Turbo::StreamsChannel", "signed_stream_name": tag.signed });
        if let Some(cursor) = &tag.cursor {
            identifier["cursor"] = json!(cursor);
        }
        let identifier = json!(identifier.to_string());
        let command = json!({ "command": "subscribe", "identifier": identifier });
        self.socket.send(Message::text(command.to_string())).await.unwrap();
        loop {
            let answer = self.text().await;
            // A page that lacks something is told so, too.
            if answer["identifier"] == identifier && answer["type"].is_string() {
                return answer;
            }
        }
    }
}

#[track_caller]
fn is(answer: &Answer, expected: &str) {
    let broken = serde_json::to_value(&answer.broken).unwrap();
    assert_eq!(broken["is"], expected, "{answer:?}");
}

/// What was published is named by the line of code, and by what the page says it did with it.
#[tokio::test]
async fn what_a_page_shows_is_whole_from_the_line_of_code_on() {
    let server = Server::start().await;
    let tag = server.tag("room");
    let mut page = server.open(std::slice::from_ref(&tag)).await;
    let line = line!() + 1;
    server.forebay.broadcast().text_to("room", "count", 1).await.unwrap();
    page.text().await;
    let place = format!("{}:{line}", file!());
    assert_eq!(server.why(&page, "room").place.as_deref(), Some(place.as_str()));

    // Stock clients know no id, but the cursor of their tag.
    let written = format!("{}.{}", tag.signed, tag.cursor.unwrap());
    let report = json!({ "path": "/", "dropped": 1, "reports": [
        { "stream": written, "action": "update", "target": "count", "seen": { "is": "applied" } },
    ]});
    let head = "POST /forebay/inspect/reports HTTP/1.1\r\nHost: localhost\r\n\
                Origin: http://localhost\r\nContent-Type: application/json";
    let (status, body) = server.request(head, &report.to_string()).await;
    assert_eq!((status, body.as_str()), (200, r#"{"taken":1,"left_out":0}"#));
    let answer = server.why(&page, "room");
    assert_eq!((&answer.broken, answer.offset), (&Broken::Applied, Some(1)));

    let missing = r#"{"is":"target_missing","ids":["counts"]}"#;
    let report = json!({ "page": page.id, "reports": [
        { "offset": 1, "target": "count", "seen": serde_json::from_str::<Value>(missing).unwrap() },
    ]});
    server.request(head, &report.to_string()).await;
    let path = format!("/forebay/inspect/why?page={}&stream=room", page.id);
    let (status, body) = server.get(&path, "").await;
    assert_eq!(status, 200);
    let answer: Answer = serde_json::from_str(&body).unwrap();
    is(&answer, "target_missing");
    assert!(answer.sentence.contains("has `counts`"), "{}", answer.sentence);
}

#[tokio::test]
async fn a_name_that_differs_is_named_with_the_one_that_is_read() {
    let server = Server::start().await;
    let page =
        server.open(&[server.tag(("chat", 1)), server.tag((Room { id: 1 }, "people"))]).await;
    let near = |answer: &Answer| match &answer.broken {
        Broken::NotSubscribed { near: Some(near), .. } => (near.name.clone(), near.how),
        other => panic!("{other:?}"),
    };
    server.forebay.broadcast().refresh_to(("chats", 1)).await.unwrap();
    assert_eq!(near(&server.why(&page, ("chats", 1))), ("chat:1".into(), How::Spelling));
    let room = Room { id: 1 };
    server.forebay.broadcast().refresh(&room).await.unwrap();
    let expected = ("gid://chat/Room/1:people".into(), How::SameRecord);
    assert_eq!(near(&server.why(&page, &room)), expected);
    // Of another application's name, as a page of its would be.
    let other = Forebay::builder().secret(SECRET).app("shop").build().unwrap();
    let theirs = other.stream_name((&room, "people")).unwrap();
    let answer = server.forebay.why(&page.id, theirs.as_str(), None).unwrap();
    assert_eq!(near(&answer), ("gid://chat/Room/1:people".into(), How::OtherApp));

    is(&server.why(&page, ("chat", 1)), "never_broadcast");
    server.forebay.broadcast().refresh_to(("chat", 2)).await.unwrap();
    let answer = server.why(&page, ("chat", 2));
    assert!(matches!(&answer.broken, Broken::NotSubscribed { near: None, .. }), "{answer:?}");
}

#[tokio::test]
async fn a_broadcast_that_was_not_published_says_why() {
    let server = Server::start().await;
    let page = server.open(&[server.tag("room")]).await;
    let broadcast = || server.forebay.broadcast();

    forebay::suppressing_all(async { broadcast().refresh_to("room").await.unwrap() }).await;
    is(&server.why(&page, "room"), "suppressed");

    let transaction = server.forebay.begin(&server.pool).await.unwrap();
    transaction.broadcast().refresh_to("room").await.unwrap();
    is(&server.why(&page, "room"), "pending");
    transaction.rollback().await.unwrap();
    is(&server.why(&page, "room"), "rolled_back");

    broadcast().append_to("room", &Room { id: 0 }).await.unwrap_err();
    let answer = server.why(&page, "room");
    is(&answer, "failed_to_render");
    assert!(answer.sentence.contains("no current user"), "{}", answer.sentence);

    // The handler has gone on, and nobody sees the error but the log.
    broadcast().append_later_to("room", Room { id: 0 }).await.unwrap();
    server.forebay.shut_down(Duration::ZERO).await;
    let broadcasts = server.forebay.inspection().unwrap().broadcasts(None, 1, |_| true);
    let outcome = serde_json::to_value(&broadcasts[0].outcome).unwrap();
    assert_eq!(outcome["is"], "failed_to_render");
}

#[tokio::test]
async fn a_target_with_a_hash_and_a_blank_name_are_refused_with_their_reason() {
    let server = Server::start().await;
    let page = server.open(&[server.tag("room")]).await;
    server.forebay.broadcast().text_to("room", "#count", 1).await.unwrap_err();
    let answer = server.why(&page, "room");
    is(&answer, "invalid");
    assert!(answer.sentence.contains("#count"), "{}", answer.sentence);
    server.forebay.broadcast().refresh_to(("room", "")).await.unwrap_err();
    let answer = server.forebay.why(&page.id, "", None).unwrap();
    assert!(answer.sentence.contains("blank"), "{}", answer.sentence);
}

#[tokio::test]
async fn a_tag_that_is_refused_says_why() {
    let server = Server::start().await;
    let check = async |tag: Tag, expected| {
        let page = server.open(&[tag]).await;
        let answer = server.why(&page, "room");
        let Broken::Rejected { why, .. } = answer.broken else { panic!("{answer:?}") };
        assert_eq!(why, expected);
    };
    let signed = |key: &str, sign: &dyn Fn(Verifier) -> String| Tag {
        signed: sign(Verifier::new(Key::derive_turbo(key, KeyDigest::Sha256))),
        cursor: None,
    };
    check(signed("another secret", &|v| v.sign("room")), Rejection::Key).await;
    check(signed(SECRET, &|v| v.sign_expiring("room", 1)), Rejection::Expired).await;
    check(signed(SECRET, &|v| v.sign_for("room", "Other")), Rejection::Purpose).await;
    let other_digest = Verifier::new(Key::derive_turbo(SECRET, KeyDigest::Sha1)).sign("room");
    check(Tag { signed: other_digest, cursor: None }, Rejection::Digest).await;
    let tag = server.tag("room");
    server.forebay.revoke(Revocation::of_stream("room")).await.unwrap();
    check(tag, Rejection::Revoked).await;
}

#[tokio::test]
async fn a_page_that_was_not_let_in_says_why() {
    let server = Server::start().await;
    let handshake = |more: &str| {
        format!(
            "GET /cable HTTP/1.1\r\nHost: localhost\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=={more}"
        )
    };
    let upgrade = "\r\nConnection: Upgrade\r\nUpgrade: websocket";
    let (status, _) = server.request(&handshake("\r\nX-Proxy: 1"), "").await;
    assert_eq!(status, 426);
    let refused = |page: &Page| match &page.connection {
        forebay::inspect::Connection::Refused { why, detail } => (*why, detail.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&server.pages()[0]).0, Refusal::Upgrade);
    let origin = format!("{upgrade}\r\nOrigin: http://evil.example");
    let head = handshake(&origin);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(format!("{head}\r\n\r\n").as_bytes()).await.unwrap();
    let mut first = [0; 12];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut first)).await.unwrap().unwrap();
    assert_eq!(&first[9..], b"403");
    let pages = server.pages();
    let origin = pages.iter().find(|page| refused(page).0 == Refusal::Origin).unwrap();
    assert!(refused(origin).1.contains("http://evil.example"));
    let answer = server.forebay.why(&origin.id, "room", None).unwrap();
    is(&answer, "connection_refused");
}

#[tokio::test]
async fn what_is_sent_beside_its_transaction_is_too_early() {
    let server = Server::start().await;
    let page = server.open(&[server.tag("beside"), server.tag("within")]).await;
    let head = "POST /beside HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: r-7";
    assert_eq!(server.request(head, "").await.0, 200);
    let inspection = server.forebay.inspection().unwrap();
    let all = inspection.broadcasts(None, 9, |_| true);
    let said: Vec<_> = all.iter().map(|b| (b.stream.as_str(), b.beside_transaction)).collect();
    assert_eq!(said, [("beside", true), ("within", false)]);
    assert_eq!(all[0].source.request.as_deref(), Some("r-7"));
    let report = |stream: &str| forebay::inspect::Report {
        stream: Some(stream.into()),
        action: Some("refresh".into()),
        ..Default::default()
    };
    inspection.report(1, &page.id, report("beside"));
    inspection.report(1, &page.id, report("within"));
    is(&server.why(&page, "beside"), "before_commit");
    is(&server.why(&page, "within"), "applied");
}

#[tokio::test]
async fn what_was_there_before_the_page_says_why_it_is_not_replayed() {
    let retention = Retention::default().entries_max(2);
    let builder = Forebay::builder().secret(SECRET).retention(retention);
    let server = Server::with(builder.inspect(Inspect::development())).await;
    let old = server.tag("room");
    let broadcast = || server.forebay.broadcast();
    broadcast().text_to("room", "count", 1).ephemeral().await.unwrap();
    is(&server.why(&server.open(std::slice::from_ref(&old)).await, "room"), "came_later");
    broadcast().text_to("room", "count", 1).await.unwrap();
    let without = Tag { cursor: None, ..server.tag("room") };
    is(&server.why(&server.open(&[without]).await, "room"), "no_cursor");
    is(&server.why(&server.open(&[server.tag("room")]).await, "room"), "before_cursor");
    for count in 0..3 {
        broadcast().text_to("room", "count", count).await.unwrap();
    }
    let answer = server.why(&server.open(&[old]).await, "room");
    assert_eq!(answer.broken, Broken::Healing { why: Some(Resync::Forgotten) });

    broadcast().text_to("state", "count", 1).state().await.unwrap();
    let first = server.forebay.position().offset.0;
    broadcast().text_to("state", "count", 2).state().await.unwrap();
    let epoch = server.forebay.position().epoch.0;
    let page = server.open(&[server.tag_at("state", epoch, first - 1)]).await;
    let answer = server.forebay.why(&page.id, "state", Some(first)).unwrap();
    is(&answer, "superseded");
}

/// Rendered by a node with a log of its own, again and again.
#[tokio::test]
async fn a_page_of_a_node_with_another_log_is_found() {
    let server = Server::start().await;
    let foreign = |offset| server.tag_at("room", 7, offset);
    let page = server.open(&[foreign(1), foreign(2), foreign(3), foreign(4)]).await;
    let answer = server.why(&page, "room");
    assert!(matches!(answer.broken, Broken::OtherLog { in_memory: true, .. }), "{answer:?}");
    assert!(answer.sentence.contains("give all nodes a shared log"), "{}", answer.sentence);
}

#[tokio::test]
async fn a_page_and_its_tags_are_shown_with_where_they_stand() {
    let server = Server::start().await;
    let mut page = server.open(&[server.tag("room")]).await;
    server.forebay.broadcast().refresh_to("room").await.unwrap();
    page.text().await;
    let path = format!("/forebay/inspect/pages?id={}", page.id);
    let shown: Page = serde_json::from_str(&server.get(&path, "").await.1).unwrap();
    let tag = &shown.subscriptions[0];
    assert_eq!((tag.stream.as_deref(), &tag.state), (Some("room"), &State::Live));
    assert_eq!((tag.sent, tag.attached), (Some(1), Some(0)));
    let events: Vec<_> = shown.events.iter().map(|event| event.what.as_str()).collect();
    assert_eq!(events, ["connected", "subscribed", "live"]);
    let (_, all) = server.get("/forebay/inspect/broadcasts?stream=room", "").await;
    let all: Value = serde_json::from_str(&all).unwrap();
    assert_eq!(all["broadcasts"][0]["reach"][0]["subscriptions"], 1);
    assert_eq!(all["broadcasts"][0]["body"], Value::Null);
}

#[tokio::test]
async fn without_a_key_only_this_machine_sees_it_and_with_one_who_has_it() {
    let server = Server::start().await;
    assert_eq!(server.get("/forebay/inspect/pages", "").await.0, 200);
    let relayed = server.get("/forebay/inspect/pages", "\r\nX-Forwarded-For: 1.2.3.4").await;
    assert_eq!(relayed.0, 403);
    let builder = Forebay::builder().secret(SECRET).inspect(Inspect::with_key("s3cret"));
    let server = Server::with(builder).await;
    assert_eq!(server.get("/forebay/inspect/pages", "").await.0, 401);
    let authorized = server.get("/forebay/inspect/pages", "\r\nAuthorization: Bearer s3cret").await;
    assert_eq!(authorized.0, 200);
    let head = "POST /forebay/inspect/reports HTTP/1.1\r\nHost: localhost\r\n\
                Content-Type: application/json";
    assert_eq!(server.request(head, r#"{"reports":[]}"#).await.0, 403);
    let server = Server::with(Forebay::builder().secret(SECRET).inspect(None)).await;
    assert_eq!(server.get("/forebay/inspect/pages", "").await.0, 404);
    assert_eq!(server.forebay.why("p", "room", None), None);
}
