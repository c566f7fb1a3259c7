//! The endpoint for pages: who may connect, and how many.

use crate::support::{Page, Server};

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
