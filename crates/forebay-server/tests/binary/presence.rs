//! Who is present: over AnyCable's protocol, its REST API, and `/_presence`.

use forebay_core::signing::{BEARER_API, derived_bearer};
use serde_json::{Value, json};

use crate::support::{Answer, Page, SECRET, Server, bearer, pubsub};

const EXTENDED: (&str, &str) = ("sec-websocket-protocol", "actioncable-v1-ext-json");

fn server(flags: &[&str]) -> Server {
    let usual = ["--public-streams", "chat/*", "--presence-streams", "chat/*"];
    Server::start(&[&usual, flags].concat())
}

/// A page of AnyCable's client that is subscribed to the stream.
fn open(server: &Server, stream: &str, headers: &[(&'static str, &str)]) -> Page {
    let mut page = Page::open(&server.address, &[&[EXTENDED], headers].concat()).unwrap();
    page.subscribe(&pubsub(stream));
    page
}

fn join(page: &mut Page, stream: &str, id: &str) -> Value {
    let presence = json!({ "id": id, "info": { "name": id, "html": "<b>" } });
    page.say("join", &pubsub(stream), &json!({ "presence": presence }));
    page.next()["message"].take()
}

fn api_key() -> String {
    format!("authorization: Bearer {}", derived_bearer(SECRET, BEARER_API))
}

fn users(server: &Server, stream: &str) -> Answer {
    let path = format!("/api/presence/{stream}/users");
    server.publisher().request("GET", &path, &[&api_key()], "")
}

#[test]
fn anycables_api_says_who_is_present() {
    let server = server(&["--presence-clients-choose", "id"]);
    let none = users(&server, "chat%2F1");
    assert_eq!((none.status, &*none.body), (200, r#"{"type":"info","total":0}"#));
    let mut page = open(&server, "chat/1", &[]);
    assert_eq!(join(&mut page, "chat/1", "user-1")["type"], "accept");
    let expected = json!({"type": "join", "id": "user-1", "info": {"name": "user-1"}});
    assert_eq!(page.next()["message"], expected, "and not its HTML");
    let one = users(&server, "chat%2F1");
    let record = r#"{"info":{"name":"user-1"},"id":"user-1"}"#;
    assert_eq!(one.body, format!(r#"{{"type":"info","total":1,"records":[{record}]}}"#));
    assert!(one.head.to_lowercase().contains("content-type: application/json"), "{}", one.head);
    let request = |method: &str, path: &str, headers: &[&str]| {
        server.publisher().request(method, path, headers, "").status
    };
    let path = "/api/presence/chat%2F1/users";
    assert_eq!(request("GET", path, &[&bearer()]), 200, "whoever may broadcast may ask");
    assert_eq!(request("GET", path, &[]), 401);
    assert_eq!(request("GET", path, &["authorization: Bearer x"]), 401);
    assert_eq!(request("POST", path, &[&api_key()]), 422);
    assert_eq!(request("GET", "/api/presence/users", &[&api_key()]), 404);
    // Its key is for its API.
    assert_eq!(request("GET", "/_presence?stream=x", &[&api_key()]), 401);
}

#[test]
fn an_application_asks_who_is_present_and_says_another_info() {
    let server = server(&["--presence-clients-choose", "id"]);
    let mut page = open(&server, "chat/1", &[]);
    join(&mut page, "chat/1", "user-1");
    page.next();
    let get = |path: &str| server.publisher().request("GET", path, &[&bearer()], "");
    let answer: Value = serde_json::from_str(&get("/_presence?stream=chat%2F1").body).unwrap();
    assert_eq!(answer["total"], 1);
    assert_eq!(answer["members"], json!([{"id": "user-1", "info": {"name": "user-1"}}]));
    assert!(answer["position"].as_str().unwrap().contains('.'), "{answer}");
    assert_eq!(get("/_presence").status, 422);
    let post = |body: Value| {
        server.publisher().request("POST", "/_presence", &[&bearer()], &body.to_string()).status
    };
    assert_eq!(post(json!({"stream": "chat/1", "id": "user-1", "info": {"away": true}})), 204);
    let expected = json!({"type": "join", "id": "user-1", "info": {"away": true}});
    assert_eq!(page.next()["message"], expected);
    assert_eq!(post(json!({"stream": "chat/1", "id": "user-2", "info": 1})), 404);
    assert_eq!(post(json!({"stream": "chat/1", "id": "user-1", "info": "x".repeat(5_000)})), 413);
    assert_eq!(post(json!({"stream": "chat/1", "id": "user-1"})), 422);
    let stranger = server.publisher().request("POST", "/_presence", &[], "{}");
    assert_eq!(stranger.status, 401);
}

#[test]
fn as_whom_a_client_is_present_is_the_servers_to_say() {
    let check = |choose: &str, visitor: Option<&str>, id: &str, expected: &str| {
        let flags = ["--identity-header", "x-visitor", "--presence-clients-choose", choose];
        let server = server(&flags);
        let header = visitor.map(|visitor| ("x-visitor", visitor));
        let mut page = open(&server, "chat/1", header.as_slice());
        assert_eq!(join(&mut page, "chat/1", id)["type"], expected, "{choose} {visitor:?} {id}");
    };
    check("nothing", Some("ann"), "ann", "reject");
    check("info", Some("ann"), "ann", "accept");
    check("info", Some("ann"), "bob", "reject");
    check("info", None, "ann", "reject");
    check("id", None, "bob", "accept");
}

#[test]
fn where_no_stream_is_named_nobody_is_present() {
    let server = Server::start(&["--public-streams", "true", "--presence-clients-choose", "id"]);
    let mut page = open(&server, "chat/1", &[]);
    assert_eq!(join(&mut page, "chat/1", "ann")["type"], "reject");
    page.say("presence", &pubsub("chat/1"), &json!({}));
    assert_eq!(page.next()["message"]["type"], "error");
    server.program.error_line("somebody can't be present");
}
