//! What the log may cost: nothing that anybody waits for.

use rustix::process::Signal;
use serde_json::json;

use crate::support::{SECRET, Server, bearer};

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let mut server = Server::start_unheard(&["--secret", SECRET]);
    // More than the pipe and the log's own queue take: a line each, at level debug.
    let request = format!(
        "POST /_broadcast HTTP/1.1\r\nhost: a\r\n{}\r\ncontent-length: 25\r\n\r\n{}",
        bearer(),
        r#"{"stream":"s","data":"1"}"#
    );
    let mut publisher = server.publisher();
    for _ in 0..100 {
        publisher.send(&request.repeat(200));
        (0..200).for_each(|_| assert_eq!(publisher.receive().status, 201));
    }
    assert_eq!(server.get("/health").status, 200);
    server.program.hear();
    server.program.error_line("lines of the log were dropped");
    server.program.signal(Signal::TERM);
    server.program.error_line("bye");
    assert_eq!(server.program.end(), Some(0));
}

#[test]
fn a_server_whose_log_is_stuck_ends_all_the_same() {
    let mut server = Server::start_unheard(&["--secret", SECRET]);
    let mut publisher = server.publisher();
    for _ in 0..1_000 {
        assert_eq!(publisher.post(&bearer(), r#"{"stream":"s","data":"1"}"#).status, 201);
    }
    drop(publisher);
    server.program.signal(Signal::TERM);
    assert_eq!(server.program.end(), Some(0));
}

#[test]
fn what_strangers_cause_is_logged_in_part_and_counted() {
    let server = Server::start(&[]);
    let mut publisher = server.publisher();
    for _ in 0..50 {
        assert_eq!(publisher.post("authorization: Bearer wrong", "").status, 401);
    }
    server.program.signal(Signal::TERM);
    let lines = server.program.rest_of_errors();
    let refused = lines.iter().filter(|line| line.contains("publisher refused peer="));
    assert_eq!(refused.count(), 20);
    assert!(lines.iter().any(|line| line.ends_with("and 30 more: publisher refused")));
}

#[test]
fn what_strangers_send_is_cut_in_the_log() {
    let server = Server::start(&["--public-streams", "public/*"]);
    let long = "x".repeat(3_900);
    let mut page = server.page();
    for identifier in [
        json!({ "channel": long }),
        json!({ "channel": "$pubsub", "stream_name": long }),
        json!({ "channel": "Turbo::StreamsChannel", "signed_stream_name": long }),
    ] {
        assert_eq!(page.try_subscribe(&identifier.to_string()), "reject_subscription");
    }
    assert_eq!(server.post(&json!({ "command": long }).to_string()).status, 501);
    assert_eq!(server.post(&format!("\"{long}\"")).status, 422);
    let _ = server.get(&format!("/{long}"));
    server.program.signal(Signal::TERM);
    drop(page);
    let lines = server.program.rest_of_errors();
    let rejected = lines.iter().filter(|line| line.contains("subscription rejected")).count();
    assert_eq!(rejected, 3, "{lines:#?}");
    let refused = lines.iter().filter(|line| line.contains("broadcasts refused")).count();
    assert_eq!(refused, 2, "{lines:#?}");
    for line in lines {
        assert!(line.len() < 600, "{line}");
    }
}
