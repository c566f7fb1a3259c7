//! The endpoint for pages: who may connect, and how many.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use crate::support::{Connection, Page, Server};

#[test]
fn pages_of_other_origins_are_refused_unless_allowed() {
    let check = |flags: &[&str], origin: &str, expected: bool| {
        let server = Server::start(flags);
        let outcome = Page::open(&server.address, &[("origin", origin)]).map(|_| ());
        assert_eq!(outcome, if expected { Ok(()) } else { Err(403) }, "{origin} {flags:?}");
    };
    check(&[], "https://evil.example", false);
    check(&["--allowed-origins", "https://app.example"], "https://app.example", true);
    check(&["--allowed-origins", "https://app.example"], "https://evil.example", false);
    check(&["--allowed_origins=*.app.example"], "https://a.app.example", true);
    check(&["--allowed_origins=*"], "https://evil.example", true);
}

/// One of them is the visitor's own.
#[test]
fn a_visitor_with_two_names_is_refused() {
    let server = Server::start(&["--identity-header", "X-Forebay-User"]);
    let (proxys, own) = (("x-forebay-user", "user:7"), ("x-forebay-user", "user:1"));
    assert_eq!(Page::open(&server.address, &[proxys]).map(|_| ()), Ok(()));
    assert_eq!(Page::open(&server.address, &[proxys, own]).map(|_| ()), Err(400));
    let line = server.program.error_line("request refused");
    assert!(line.contains("WARN") && line.contains("x-forebay-user"), "{line}");
    let headers = ["content-type: application/json", "x-forebay-user: a", "x-forebay-user: b"];
    let mut connection = Connection::open(&server.address);
    let answer = connection.request("POST", "/forebay/poll?wait=0", &headers, "[]");
    assert_eq!(answer.status, 400, "{answer:?}");
}

#[test]
fn connections_past_the_limit_get_503_and_publishers_still_get_through() {
    let server = Server::start(&["--max-conn", "1"]);
    let first = server.page();
    assert_eq!(Page::open(&server.address, &[]).map(|_| ()), Err(503));
    assert_eq!(server.get("/health").status, 200);
    assert_eq!(server.post("[]").status, 201);
    drop(first);
    // The place is free as soon as the server has seen that its page is gone.
    while Page::open(&server.address, &[]).is_err() {}
}

#[test]
fn paths_can_be_changed_and_others_are_not_found() {
    let flags = [
        "--path",
        "/live",
        "--health-path",
        "/up",
        "--ready-path",
        "/up/ready",
        "--broadcast-path",
        "/in",
    ];
    let server = Server::start(&flags);
    assert_eq!(server.get("/up").body, "ok\n");
    assert_eq!(server.get("/up/ready").status, 200);
    assert_eq!(server.get("/live").status, 426, "it takes WebSockets");
    assert_eq!(server.get("/in").status, 401);
    for path in ["/", "/cable", "/health", "/_broadcast"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
}

/// A request in front of the handshake and a command behind it, before anything is answered.
#[test]
fn what_stands_around_a_handshake_is_answered_in_its_order() {
    let server = Server::start(&["--public-streams"]);
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let handshake = "GET /cable HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // An upgrade to something else changes nothing.
    let other = "GET /health HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let mut said = [other.as_bytes(), handshake.as_bytes()].concat();
    said.extend([0x81, 0x80 | 5, 0, 0, 0, 0]);
    said.extend(b"hello");
    stream.write_all(&said).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).unwrap();
    let heard = String::from_utf8_lossy(&heard);
    let places = ["HTTP/1.1 200", "ok\n", "HTTP/1.1 101", "welcome", "invalid_request"];
    let places = places.map(|part| heard.find(part).unwrap_or_else(|| panic!("{part}: {heard}")));
    assert!(places.is_sorted(), "{heard}");
}
