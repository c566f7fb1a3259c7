//! Beginning and ending.

use std::net::TcpListener;

use rustix::process::Signal;

use crate::support::{Page, Program, SECRET, Server, bearer, forebay, turbo};

#[test]
fn a_signal_tells_every_page_to_come_back_and_ends_well() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start(&["--shutdown-spread", "100ms"]);
        let mut pages = [server.page(), server.page(), server.page()];
        pages[0].subscribe(&turbo("s", None));
        server.program.signal(signal);
        for page in &mut pages {
            let goodbye = page.next_text();
            let expected = r#"{"type":"disconnect","reason":"server_restart","reconnect":true}"#;
            assert_eq!(goodbye, expected);
            assert_eq!(page.close_code(), 1001);
        }
        assert_eq!(server.program.end(), Some(0));
    }
}

#[test]
fn while_draining_it_is_not_ready_but_serves_and_a_second_signal_ends_it() {
    let mut server = Server::start(&["--shutdown-delay", "1h"]);
    assert_eq!((server.get("/health").status, server.get("/ready").status), (200, 200));
    server.program.signal(Signal::TERM);
    server.program.error_line("shutting down");
    assert_eq!((server.get("/health").status, server.get("/ready").status), (200, 503));
    let mut page = server.page();
    page.subscribe(&turbo("s", None));
    server.broadcast("s", &["1"]);
    assert_eq!(page.messages(1), [1]);
    server.program.signal(Signal::TERM);
    assert_eq!(server.program.end(), Some(1));
}

#[test]
fn a_page_that_does_not_leave_is_waited_for_no_longer_than_said() {
    let mut server = Server::start(&["--shutdown-timeout", "300ms", "--shutdown-spread", "0"]);
    let page = server.page();
    server.program.signal(Signal::TERM);
    // The page reads nothing and so never answers the server's close frame.
    server.program.error_line("shutdown timeout");
    assert_eq!(server.program.end(), Some(0));
    drop(page);
}

#[test]
fn a_request_that_runs_is_finished() {
    let mut server = Server::start(&[]);
    let mut publisher = server.publisher();
    let body = r#"{"stream":"s","data":"1"}"#;
    publisher.send(&format!(
        "POST /_broadcast HTTP/1.1\r\nhost: a\r\n{}\r\nexpect: \
         100-continue\r\ncontent-length: {}\r\n\r\n",
        bearer(),
        body.len()
    ));
    assert_eq!(publisher.receive().status, 100, "the server waits for the body");
    server.program.signal(Signal::TERM);
    server.program.error_line("telling pages");
    publisher.send(body);
    assert_eq!(publisher.receive().status, 201);
    assert_eq!(server.program.end(), Some(0));
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = forebay(&["serve", "--secret", SECRET, "--port", &port]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains(&format!("can't listen at localhost port {port}")), "{error}");
    assert!(output.stdout.is_empty());
}

#[test]
fn the_log_can_be_json() {
    let mut command =
        forebay(&["serve", "--secret", SECRET, "--port", "0", "--log-format", "json"]);
    let program = Program::start(&mut command);
    let line = program.error_line("ready");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["level"], &line["message"]), (&"INFO".into(), &"ready".into()));
    let address = program.line().strip_prefix("ready http://").unwrap().to_owned();
    assert_eq!(Page::open(&address, &[("origin", "http://evil.example")]).err(), Some(403));
}
