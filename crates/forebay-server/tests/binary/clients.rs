//! `publish`, `listen` and `sign`.

use std::process::Stdio;

use crate::support::{Program, Proxy, SECRET, Server, forebay};

fn listen(url: &str, flags: &[&str]) -> Program {
    let arguments = [&["listen", "--url", url, "--secret", SECRET], flags].concat();
    let program = Program::start(&mut forebay(&arguments));
    program.error_line("listening");
    program
}

#[track_caller]
fn publish(server: &Server, data: &str) {
    let url = server.broadcast_url();
    let arguments = ["publish", "--url", &url, "--secret", SECRET, "room", data];
    assert!(forebay(&arguments).status().unwrap().success());
}

#[test]
fn what_is_published_is_printed_by_who_listens() {
    let server = Server::start(&[]);
    let mut lines = listen(&server.cable_url(), &["--count", "3", "room"]);
    let mut raw = listen(&server.cable_url(), &["--count", "3", "--raw", "room"]);
    let html = r#"<turbo-stream action="remove" target="m"></turbo-stream>"#;
    publish(&server, html);
    publish(&server, "{\"n\":9007199254740993,\n\"a\":[1]}");
    publish(&server, "-5");
    let quoted = serde_json::Value::from(html);
    assert_eq!(lines.line(), format!(r#"{{"stream":"room","message":{quoted}}}"#));
    assert_eq!(lines.line(), r#"{"stream":"room","message":{"n":9007199254740993, "a":[1]}}"#);
    assert_eq!(lines.line(), r#"{"stream":"room","message":-5}"#);
    assert_eq!(raw.line(), html);
    assert_eq!(raw.line(), r#"{"n":9007199254740993, "a":[1]}"#);
    assert_eq!(raw.line(), "-5");
    assert_eq!((lines.end(), raw.end()), (Some(0), Some(0)));
}

#[test]
fn publish_reads_standard_input_and_says_why_it_failed() {
    let server = Server::start(&[]);
    let listener = listen(&server.cable_url(), &["room"]);
    let url = server.broadcast_url();
    for data in [&["-"][..], &[]] {
        let arguments = [&["publish", "--url", &url, "--secret", SECRET, "room"], data].concat();
        let mut child = forebay(&arguments).stdin(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"[1]").unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(listener.line(), r#"{"stream":"room","message":[1]}"#);
    }

    let fail = |arguments: &[&str], part: &str| {
        let output = forebay(arguments).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(part), "{error}");
    };
    fail(
        &["publish", "--url", &url, "--key", "wrong", "room", "1"],
        "401 Unauthorized: this is not",
    );
    fail(&["publish", "--url", "http://127.0.0.1:1/", "room", "1"], "can't connect to http://");
    fail(&["listen", "--url", "ws://127.0.0.1:1/", "--public", "room"], "can't connect to ws://");
    let cable = server.cable_url();
    fail(&["listen", "--url", &cable, "--signed", "x--y"], "the subscription was rejected");
    fail(&["listen", "--url", &cable, "--public", "room"], "the subscription was rejected");
}

#[test]
fn listen_reads_signed_and_public_names_of_both_channels() {
    let server = Server::start(&["--public-streams", "room"]);
    let sign = |flags: &[&str]| {
        let arguments = [&["sign", "--secret", SECRET], flags, &["room"]].concat();
        let output = forebay(&arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let (turbo, expiring) = (sign(&[]), sign(&["--expires-in", "1h"]));
    let pubsub = sign(&["--pubsub"]);
    let url = server.cable_url();
    let listeners = [
        listen(&url, &["--signed", &turbo]),
        listen(&url, &["--signed", &expiring]),
        listen(&url, &["--signed", &pubsub, "--channel", "pubsub"]),
        listen(&url, &["--channel", "pubsub", "room"]),
        listen(&url, &["--public", "room"]),
    ];
    publish(&server, "1");
    for listener in &listeners {
        assert!(listener.line().ends_with(r#""message":1}"#));
    }
}

#[test]
fn a_listener_with_a_cursor_misses_nothing_and_repeats_nothing_when_its_line_is_cut() {
    let server = Server::start(&[]);
    let cursor = server.cursor();
    server.broadcast("room", &["1"]);
    let proxy = Proxy::before(&server.address);
    let url = format!("ws://{}/cable", proxy.address);
    let mut listener = listen(&url, &["--cursor", cursor.as_str(), "--count", "4", "room"]);
    server.broadcast("room", &["2"]);
    let line = |n: u64| format!(r#"{{"stream":"room","offset":{n},"message":{n}}}"#);
    assert_eq!([listener.line(), listener.line()], [line(1), line(2)]);
    proxy.cut();
    server.broadcast("room", &["3", "4"]);
    listener.error_line("connection lost");
    assert_eq!([listener.line(), listener.line()], [line(3), line(4)]);
    assert_eq!(listener.end(), Some(0));
}

#[test]
fn a_listener_survives_a_restart_of_the_server_and_says_that_it_may_have_missed_something() {
    let mut server = Server::start(&[]);
    let listener = listen(&server.cable_url(), &["room"]);
    let port = server.address.rsplit(':').next().unwrap().to_owned();
    server.program.kill();
    listener.error_line("connection lost");
    let server = Server::start(&["--port", &port]);
    listener.error_line("listening again");
    publish(&server, "1");
    assert_eq!(listener.line(), r#"{"stream":"room","message":1}"#);
}

#[cfg(unix)]
#[test]
fn a_listener_ends_well_with_ctrl_c() {
    let server = Server::start(&[]);
    let mut listener = listen(&server.cable_url(), &["room"]);
    listener.signal(rustix::process::Signal::INT);
    assert_eq!(listener.end(), Some(0));
}

#[test]
fn names_are_signed_as_rails_and_anycable_sign_them() {
    let run = |arguments: &[&str]| {
        let output = forebay(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    // AnyCable's documented example.
    let signed =
        "ImNoYXQ6MjAyMSI=--f9ee45dbccb1da04d8ceb99cc820207804370ba0d06b46fc3b8b373af1315628";
    let check = |arguments: &[&str], expected: &str| {
        assert_eq!(run(arguments), (Some(0), format!("{expected}\n")), "{arguments:?}");
    };
    check(&["sign", "--secret", "s3Krit", "chat:2021"], signed);
    check(&["sign", "--secret", "s3Krit", "--pubsub", "chat:2021"], signed);
    check(&["sign", "--secret", "s3Krit", "--verify", signed], "chat:2021");
    check(
        &["sign", "--secret", "s3Krit", "--tag", "chat:2021"],
        &format!(
            "<turbo-cable-stream-source channel=\"Turbo::StreamsChannel\" \
             signed-stream-name=\"{signed}\"></turbo-cable-stream-source>"
        ),
    );
    let forged = format!("{}9", &signed[..signed.len() - 1]);
    assert_eq!(run(&["sign", "--secret", "s3Krit", "--verify", &forged]).0, Some(1));
    let (base, digest) = ("--secret-key-base", "--digest");
    let sha256 = run(&["sign", base, "s3cr3t", "messages"]);
    let sha1 = run(&["sign", base, "s3cr3t", digest, "sha1", "messages"]);
    assert_ne!(sha256.1, sha1.1);
    assert_eq!((sha256.0, sha1.0), (Some(0), Some(0)));
}
