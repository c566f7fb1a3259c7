//! The endpoint for pages: who may connect, and how many.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use forebay_core::signing::{Key, Verifier};

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
    check(&["--allowed-origins", "capacitor://localhost"], "capacitor://localhost", true);
    check(&["--allowed-origins", "capacitor://localhost"], "ionic://localhost", false);
    check(&["--allowed-origins", "https://app.example"], "null", false);
    check(&["--allowed-origins", "null"], "null", true);
    let extension = "chrome-extension://gighmmpiobklfepjocnamgkkbiglidom";
    check(&["--allowed-origins", extension], extension, true);
    check(&["--allowed-origins", "https://*.app.example"], "https://evil/.app.example", false);
}

/// The most frequent mistake in a configuration must not be an empty log.
#[test]
fn whoever_is_refused_is_in_the_log_with_who_what_and_why() {
    let server = Server::start(&[]);
    let refused = |headers: &[(&'static str, &str)], status: u16, parts: &[&str]| {
        assert_eq!(Page::open(&server.address, headers).map(|_| ()), Err(status));
        let line = server.program.error_line("connection refused");
        for part in [" WARN ", "peer=127.0.0.1", "path=\"/cable\""].iter().chain(parts) {
            assert!(line.contains(part), "no {part:?} in {line}");
        }
    };
    let host = format!("host=\"{}\"", server.address);
    refused(
        &[("origin", "https://evil.example")],
        403,
        &["origin=\"https://evil.example\"", &host, "reason=this origin is not allowed"],
    );
    refused(
        &[("sec-websocket-protocol", "graphql-ws")],
        400,
        &["none of the offered subprotocols", "offered=\"graphql-ws\""],
    );
    let port = server.address.rsplit(':').next().unwrap();
    let evil = format!("evil.example:{port}");
    let evil_host = format!("host=\"{evil}\"");
    refused(&[("host", &evil)], 403, &["not known by this host", &evil_host]);

    let headers = ["content-type: application/json", "origin: https://evil.example"];
    let mut connection = Connection::open(&server.address);
    let answer = connection.request("POST", "/forebay/poll?wait=0", &headers, "[]");
    assert_eq!(answer.status, 403, "{answer:?}");
    let line = server.program.error_line("connection refused");
    assert!(line.contains("path=\"/forebay/poll\"") && line.contains("evil.example"), "{line}");
}

#[test]
fn a_rejected_subscription_is_in_the_log_with_its_stream_in_clear() {
    let server = Server::start(&["--identity-header", "x-user"]);
    let mut page = Page::open(&server.address, &[("x-user", "user:7")]).unwrap();
    // Another secret's.
    let signed = Verifier::new(Key::raw("another secret")).sign(&"room ".repeat(100));
    let identifier =
        serde_json::json!({ "channel": "Turbo::StreamsChannel", "signed_stream_name": signed });
    assert_eq!(page.try_subscribe(&identifier.to_string()), "reject_subscription");
    let line = server.program.error_line("subscription rejected");
    for part in [
        " WARN ",
        "peer=127.0.0.1:",
        "identity=\"user:7\"",
        "channel=\"Turbo::StreamsChannel\"",
        "stream=\"room room ",
        "reason=expired",
        "why=\"the signature is wrong\"",
    ] {
        assert!(line.contains(part), "no {part:?} in {line}");
    }
    assert!(!line.contains(&"room ".repeat(50)), "names are cut: {line}");
    assert_eq!(page.try_subscribe(r#"{"channel":"NoSuchChannel"}"#), "reject_subscription");
    let line = server.program.error_line("subscription rejected");
    assert!(line.contains("NoSuchChannel") && line.contains("no such channel"), "{line}");
}

#[test]
fn a_flood_of_refusals_is_a_few_lines_that_say_how_many_there_were() {
    let server = Server::start(&[]);
    for _ in 0..40 {
        let foreign = Page::open(&server.address, &[("origin", "https://evil.example")]);
        assert_eq!(foreign.map(|_| ()), Err(403));
    }
    // Another kind has lines of its own.
    let wrong = Page::open(&server.address, &[("sec-websocket-protocol", "graphql-ws")]);
    assert_eq!(wrong.map(|_| ()), Err(400));
    let lines = server.program.error_lines_until("graphql-ws");
    let foreign = lines.iter().filter(|line| line.contains("connection refused")).count();
    assert!((1..=10).contains(&foreign), "{lines:#?}");
}

#[test]
fn a_proxy_is_believed_only_where_it_is_trusted() {
    let forwarded = [("x-forwarded-host", "www.example"), ("origin", "https://www.example")];
    let check = |flags: &[&str], expected| {
        let server = Server::start(flags);
        assert_eq!(Page::open(&server.address, &forwarded).map(|_| ()), expected, "{flags:?}");
    };
    check(&[], Err(403));
    check(&["--trusted-proxies", "10.0.0.0/8"], Err(403));
    check(&["--trusted-proxies", "10.0.0.0/8,127.0.0.1"], Ok(()));
    check(&["--trusted-proxies", "127.0.0.0/8", "--hosts", "www.example"], Ok(()));
    check(&["--trusted-proxies", "127.0.0.0/8", "--hosts", "other.example"], Err(403));
}

#[test]
fn a_request_names_one_host_and_a_host_of_this_server() {
    let server = Server::start_with(&["--public", "--broadcast-port", "0"]);
    let status = |address: &str, path: &str, hosts: &[&str]| {
        let hosts: Vec<_> = hosts.iter().map(|host| format!("host: {host}\r\n")).collect();
        let mut connection = Connection::open(address);
        connection.send(&format!("GET {path} HTTP/1.1\r\n{}\r\n", hosts.concat()));
        connection.receive().status
    };
    let (pages, publishers) = (&server.address, &server.publishers);
    assert_eq!(status(pages, "/health", &["a.example"]), 200);
    assert_eq!(status(pages, "/health", &[]), 400);
    assert_eq!(status(pages, "/health", &["a.example", "b.example"]), 400);
    // Somebody else's name for this machine: their page is of the same host, so it has no `Origin`.
    let rebound = |address: &str| format!("evil.example:{}", address.rsplit(':').next().unwrap());
    assert_eq!(status(pages, "/forebay/events?stream=x", &[&rebound(pages)]), 403);
    assert_eq!(status(publishers, "/_cursor", &[&rebound(publishers)]), 403);
    assert_eq!(status(publishers, "/_cursor", &[publishers]), 200);
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
    assert_eq!(server.get("/live/").status, 426, "a slash more or less is no other address");
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
