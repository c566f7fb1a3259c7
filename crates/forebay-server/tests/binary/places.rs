//! What visitors can take, and what is kept for others.

use std::net::TcpStream;

use serde_json::json;

use crate::support::{Connection, Page, Server, bearer, pubsub};

const EVENTS: &str =
    "GET /forebay/events?stream=s HTTP/1.1\r\nhost: a\r\naccept: text/event-stream\r\n\r\n";

/// The status of a poll that does not wait.
fn poll(server: &Server) -> u16 {
    let body = json!([{ "command": "subscribe", "identifier": pubsub("s") }]).to_string();
    let headers = ["content-type: application/json"];
    let mut connection = Connection::open(&server.address);
    connection.request("POST", "/forebay/poll?wait=0", &headers, &body).status
}

#[test]
fn visitors_that_take_every_file_lock_out_nobody_but_visitors() {
    // An eighth is kept, and at least 32.
    let server = Server::start_limited(100, &["--public-streams", "s"]);
    let mut pages = Vec::new();
    let refused = loop {
        match Page::open(&server.address, &[]) {
            Ok(page) => pages.push(page),
            Err(status) => break status,
        }
        assert!(pages.len() < 100);
    };
    assert_eq!(refused, 503);
    assert!(pages.len() > 30, "{}", pages.len());
    server.program.error_line("too many files are open");
    assert_eq!(poll(&server), 503);
    let mut source = Connection::open(&server.address);
    source.send(EVENTS);
    let answer = source.receive();
    assert_eq!((answer.status, answer.body.as_str()), (200, "retry: 5000\n\n"), "it comes back");
    // Neither by connections that say nothing.
    let silent: Vec<_> = (0..10).map(|_| TcpStream::connect(&server.address).unwrap()).collect();
    for _ in 0..3 {
        assert_eq!(server.get("/health").status, 200);
        assert_eq!(server.post(r#"{"stream":"s","data":"1"}"#).status, 201);
    }
    let _ = server.cursor();
    drop(silent);
    pages.truncate(5);
    pages[0].subscribe(&pubsub("s"));
}

#[test]
fn max_conn_counts_websockets_and_event_streams_alone() {
    let server = Server::start(&["--max-conn", "2", "--public-streams", "s"]);
    let _pages = [server.page(), server.page()];
    assert_eq!(Page::open(&server.address, &[]).err(), Some(503));
    let line = server.program.error_line("visitor turned away");
    assert!(line.contains("max_conn") && line.contains("peer=127.0.0.1"), "{line}");
    for _ in 0..3 {
        assert_eq!(poll(&server), 200);
    }
    assert_eq!(server.get("/forebay/forebay.js").status, 200);
    assert_eq!(server.post(r#"{"stream":"s","data":"1"}"#).status, 201);
    let headers = ["content-type: application/json"];
    let mut events = Connection::open(&server.address);
    let body = json!([{ "command": "subscribe", "identifier": pubsub("s") }]).to_string();
    let answer = events.request("POST", "/forebay/events", &headers, &body);
    assert_eq!(answer.status, 503);
    assert!(answer.head.to_lowercase().contains("retry-after: 5"), "{}", answer.head);
    assert!(server.publisher().post(&bearer(), "").status == 422, "publishers are not counted");
}
