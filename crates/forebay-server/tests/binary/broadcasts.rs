//! `POST /_broadcast`: what is taken, what is refused, and in which order it arrives.

use serde_json::{Value, json};

use crate::support::{Page, Server, bearer, pubsub, turbo};

fn one(stream: &str, data: &str) -> String {
    json!({ "stream": stream, "data": data }).to_string()
}

/// A page that reads a stream, with offsets where it has a cursor.
fn reader(server: &Server, stream: &str) -> Page {
    let cursor = server.cursor();
    let mut page = server.page();
    page.subscribe(&turbo(stream, Some(&cursor)));
    page
}

#[test]
fn each_request_is_answered_with_anycables_status_or_a_better_one() {
    let server =
        Server::start(&["--broadcast-max-size", "4KiB", "--broadcast-max-message-size", "2KiB"]);
    let mut page = reader(&server, "s");
    let check = |body: &str, status, part: &str| {
        let answer = server.post(body);
        assert_eq!(answer.status, status, "{body}");
        assert!(answer.body.contains(part), "{body}: {}", answer.body);
    };
    check("", 422, "neither a JSON object nor an array");
    check("{\"stream\":\"s\"", 422, "neither a JSON object nor an array");
    check(r#"{"stream":"s"}"#, 422, "`data` is missing");
    check(r#"{"stream":"s","data":{"a":1}}"#, 422, "`data` must be a string");
    check(r#"{"command":"disconnect","payload":{"identifier":"x"}}"#, 422, "`payload.identifier`");
    check(&one("s", &"x".repeat(3 << 10)), 413, "more than the 2048 that are allowed");
    check(&one("s", &"x".repeat(5 << 10)), 413, "more than the 4096 bytes that are allowed");
    check("[]", 201, "");
    check(&one("s", "\"end\""), 201, "");
    assert_eq!(page.messages(1), ["end"], "nothing of what was refused was published");
}

#[test]
fn access_is_taken_back_over_http() {
    let server = Server::start(&["--identity-header", "x-visitor"]);
    let post =
        |path, body: &str| server.publisher().request("POST", path, &[&bearer()], body).status;
    let stale = turbo("s", Some(&server.cursor()));
    let open = |visitor| Page::open(&server.address, &[("x-visitor", visitor)]).unwrap();
    let (mut one, mut two) = (open("one"), open("two"));
    one.subscribe(&stale);
    two.subscribe(&stale);
    assert_eq!(post("/_revoke", r#"{"identity":"one","stream":"s"}"#), 204);
    server.broadcast("s", &["\"for two\""]);
    let end = one.next();
    assert_eq!((&end["type"], &end["reason"]), (&json!("disconnect"), &json!("remote")));
    assert_eq!(two.messages(1), ["for two"]);
    assert_eq!(open("one").try_subscribe(&stale), "reject_subscription");
    let fresh = turbo("s", Some(&server.cursor()));
    assert_eq!(open("one").try_subscribe(&fresh), "confirm_subscription");
    assert_eq!(post("/_disconnect", r#"{"identity":"two"}"#), 204);
    assert_eq!(two.next()["reason"], "remote");
    for body in ["", "{}", "[]", r#"{"identity":1}"#, r#"{"channel":"x"}"#] {
        assert_eq!(post("/_revoke", body), 422, "{body}");
        assert_eq!(post("/_disconnect", body), 422, "{body}");
    }
    let stranger = server.publisher().request("POST", "/_revoke", &[], r#"{"stream":"s"}"#);
    assert_eq!(stranger.status, 401);
}

#[test]
fn rails_disconnects_a_visitor_by_anycables_command() {
    let server = Server::start(&["--identity-header", "x-visitor"]);
    let open = |visitor| Page::open(&server.address, &[("x-visitor", visitor)]).unwrap();
    let good = one("s", "1");
    let (mut one, mut two) = (open("account:one"), open("two"));
    one.subscribe(&turbo("s", None));
    two.subscribe(&turbo("s", None));
    let identifier = json!({ "user": "one", "account": "account" }).to_string();
    let payload = json!({ "identifier": identifier, "reconnect": true });
    let command = json!({ "command": "disconnect", "payload": payload }).to_string();
    assert_eq!(server.post(&command).status, 201);
    let end = json!({ "type": "disconnect", "reason": "remote", "reconnect": true });
    assert_eq!(one.next(), end);
    server.broadcast("s", &["\"for two\""]);
    assert_eq!(two.messages(1), ["for two"]);
    let batch = server.post(&format!("[{good},{command}]"));
    assert_eq!(batch.status, 501);
    assert!(batch.body.contains("broadcast 2 of the batch: a command is posted alone"));
    server.broadcast("s", &["\"end\""]);
    assert_eq!(two.messages(1), ["end"], "nothing of the batch was published, and two stays");
}

/// `reconnect: false`, as Rails' `disconnect(reconnect: false)` says it.
#[test]
fn who_is_dismissed_is_told_not_to_come_back() {
    let server = Server::start(&["--identity-header", "x-visitor"]);
    let end = json!({ "type": "disconnect", "reason": "remote", "reconnect": false });
    let command = json!({ "command": "disconnect", "payload":
        { "identifier": json!({ "user": "one" }).to_string(), "reconnect": false } });
    let ask = |path, body: &str| server.publisher().request("POST", path, &[&bearer()], body);
    for (path, body, status) in [
        ("/_broadcast", command.to_string(), 201),
        ("/_disconnect", json!({ "identity": "one", "reconnect": false }).to_string(), 204),
    ] {
        let mut page = Page::open(&server.address, &[("x-visitor", "one")]).unwrap();
        page.subscribe(&turbo("s", None));
        assert_eq!(ask(path, &body).status, status);
        assert_eq!(page.next(), end, "{path}");
    }
    assert_eq!(ask("/_disconnect", r#"{"identity":"one","reconnect":0}"#).status, 422);
}

/// What a publisher could not broadcast: its pages heal, those that are open and those that come later.
#[test]
fn a_publisher_says_what_it_could_not_broadcast() {
    let server = Server::start(&[]);
    let gap = |body: &str| server.publisher().request("POST", "/_gap", &[&bearer()], body).status;
    let cursor = server.cursor();
    let mut lacks = reader(&server, "lacks");
    let mut whole = reader(&server, "whole");
    server.broadcast("lacks", &["\"before\""]);
    assert_eq!(lacks.messages(1), ["before"]);
    assert_eq!(gap(r#"{"streams":["lacks","nobody reads this"]}"#), 204);
    // What comes before the page is told is in what it loads: it goes on after that.
    assert_eq!(lacks.messages(1), ["<turbo-stream action=\"refresh\"></turbo-stream>"]);
    server.broadcast("lacks", &["\"after\""]);
    server.broadcast("whole", &["\"after\""]);
    assert_eq!(lacks.messages(1), ["after"]);
    assert_eq!(whole.messages(1), ["after"]);
    let mut late = server.page();
    late.subscribe(&turbo("nobody reads this", Some(&cursor)));
    assert_eq!(late.messages(1), ["<turbo-stream action=\"refresh\"></turbo-stream>"]);

    let long = json!({ "streams": ["x".repeat(4097)] }).to_string();
    let many = json!({ "streams": vec!["x"; 1001] }).to_string();
    for body in ["", "[]", "{}", r#"{"streams":[]}"#, r#"{"streams":[""]}"#, &long, &many] {
        assert_eq!(gap(body), 422, "{body}");
    }
    let stranger = server.publisher().request("POST", "/_gap", &[], r#"{"streams":["lacks"]}"#);
    assert_eq!(stranger.status, 401);
}

/// Without `identity_header` nobody has a name: an answer of 201 would hide that nobody was sent away.
#[test]
fn nobody_is_disconnected_where_nobody_has_a_name() {
    let server = Server::start(&[]);
    let payload = json!({ "identifier": json!({ "user": "one" }).to_string() });
    let command = json!({ "command": "disconnect", "payload": payload }).to_string();
    let whom = r#"{"identity":"one"}"#;
    for (path, body) in [("/_broadcast", command.as_str()), ("/_disconnect", whom)] {
        let answer = server.publisher().request("POST", path, &[&bearer()], body);
        assert_eq!(answer.status, 501, "{path}");
        assert!(answer.body.contains("identity_header"), "{}", answer.body);
    }
}

#[test]
fn a_body_without_a_length_is_bounded_too() {
    let server =
        Server::start(&["--broadcast-max-size", "4KiB", "--broadcast-max-message-size", "2KiB"]);
    let mut publisher = server.publisher();
    let head = format!(
        "POST /_broadcast HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n{}\r\n\r\n",
        bearer()
    );
    publisher.send(&head);
    let chunk = format!("400\r\n{}\r\n", "x".repeat(0x400));
    for _ in 0..5 {
        publisher.send(&chunk);
    }
    assert_eq!(publisher.receive().status, 413);
    assert!(publisher.is_closed());
}

#[test]
fn other_methods_are_answered_as_anycable_does() {
    let server = Server::start(&[]);
    for method in ["GET", "PUT", "DELETE"] {
        let answer = server.publisher().request(method, "/_broadcast", &[&bearer()], "");
        assert_eq!(answer.status, 422);
        assert!(answer.head.contains("allow: POST"), "{}", answer.head);
    }
}

#[test]
fn a_batch_with_one_bad_element_publishes_nothing() {
    let server = Server::start(&[]);
    let mut page = reader(&server, "s");
    let good = one("s", "1");
    for bad in ["{}", "{\"stream\":\"s\"}", "{\"command\":\"disconnect\"}", "7", "", "["] {
        let answer = server.post(&format!("[{good},{good},{bad}]"));
        assert!([422, 501].contains(&answer.status), "{bad}: {answer:?}");
    }
    server.broadcast("s", &["2", "3"]);
    assert_eq!(page.messages(2), [2, 3]);
}

/// Numbers beyond 2^53, the order of keys and turbo-rails' JSON strings arrive as they were sent.
#[test]
fn messages_arrive_byte_for_byte() {
    let server = Server::start(&[]);
    let mut page = server.page();
    page.subscribe(&turbo("s", None));
    let html = r#""\u003cturbo-stream action=\"remove\" target=\"message_1\"\u003e\u003c/turbo-stream\u003e""#;
    let sent =
        [r#"{"b":9007199254740993,"a":1.10}"#, html, "[1,\n 2]", "\"2\"", "2", "not JSON", "null"];
    server.broadcast("s", &sent);
    let identifier = Value::from(turbo("s", None)).to_string();
    for data in sent {
        let json = match data {
            "not JSON" | "null" => Value::from(data).to_string(),
            json => json.to_owned(),
        };
        let expected = format!(r#"{{"identifier":{identifier},"message":{json}}}"#);
        assert_eq!(page.next_text(), expected);
    }
}

#[test]
fn meta_excludes_a_socket_names_a_type_and_keeps_nothing() {
    let server = Server::start(&[]);
    let cursor = server.cursor();
    let (mut ada, mut grace) = (reader(&server, "s"), reader(&server, "s"));
    let send = |data: &str, meta: Value| {
        let body = json!({ "stream": "s", "data": data, "meta": meta }).to_string();
        assert_eq!(server.post(&body).status, 201);
    };
    send("1", json!({ "exclude_socket": ada.sid }));
    send("2", json!({ "broadcast_type": "presence" }));
    send("3", json!({ "transient": true }));
    send("4", json!({}));
    assert_eq!(grace.messages(1), [1]);
    for page in [&mut ada, &mut grace] {
        let typed = page.next();
        assert_eq!((&typed["type"], &typed["message"]), (&json!("presence"), &json!(2)));
        assert_eq!(page.messages(2), [3, 4]);
    }
    let mut late = server.page();
    late.subscribe(&turbo("s", Some(&cursor)));
    assert_eq!(late.messages(3), [1, 2, 4], "the transient one is not replayed");
}

#[test]
fn batches_of_concurrent_publishers_are_contiguous_and_each_publishers_order_is_kept() {
    const PUBLISHERS: usize = 4;
    const BATCHES: usize = 25;
    const BATCH: usize = 4;
    let server = Server::start(&["--history-limit", "10000"]);
    let mut page = reader(&server, "s");
    std::thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let mut connection = server.publisher();
            scope.spawn(move || {
                for batch in 0..BATCHES {
                    let message = |at| json!([publisher, batch * BATCH + at]).to_string();
                    let batch: Vec<_> = (0..BATCH)
                        .map(|at| json!({ "stream": "s", "data": message(at) }))
                        .collect();
                    let answer = connection.post(&bearer(), &json!(batch).to_string());
                    assert_eq!(answer.status, 201);
                }
            });
        }
    });
    let mut next = [0; PUBLISHERS];
    for message in page.messages(PUBLISHERS * BATCHES * BATCH).chunks(BATCH) {
        let publisher = usize::try_from(message[0][0].as_u64().unwrap()).unwrap();
        for message in message {
            assert_eq!(*message, json!([publisher, next[publisher]]));
            next[publisher] += 1;
        }
    }
    assert_eq!(next, [BATCHES * BATCH; PUBLISHERS]);
}

#[test]
fn without_a_key_broadcasts_are_taken_from_this_machines_programs_on_a_port_of_their_own() {
    let server = Server::start_with(&["--public", "--broadcast-port", "0"]);
    assert_ne!(server.address, server.publishers);
    assert!(server.publishers.starts_with("127.0.0.1:"));
    let mut page = server.page();
    page.subscribe(&pubsub("s"));
    let post = |header| server.publisher().post(header, &one("s", "1")).status;
    assert_eq!(post("accept: */*"), 201);
    assert_eq!(post("origin: http://evil.example"), 403);
    assert_eq!(post("x-forwarded-for: 10.0.0.1"), 403);
    assert_eq!(page.messages(1), [1]);
    let main =
        crate::support::Connection::open(&server.address).post("accept: */*", &one("s", "2"));
    assert_eq!(main.status, 404, "there is no such thing on the port for pages");
}

#[test]
fn a_page_is_rendered_with_a_cursor_and_misses_nothing_from_then_on() {
    let server = Server::start(&[]);
    server.broadcast("s", &["0"]);
    let cursor = server.cursor();
    server.broadcast("s", &["1", "2"]);
    let mut page = server.page();
    page.subscribe(&turbo("s", Some(&cursor)));
    server.broadcast("s", &["3"]);
    assert_eq!(page.messages(3), [1, 2, 3]);
    let answer = server.publisher().request("GET", "/_cursor", &[], "");
    assert_eq!(answer.status, 401, "cursors are for the application");
}

#[test]
fn what_a_publisher_is_refused_is_in_the_log_with_who_what_and_why() {
    let server = Server::start(&[]);
    let check = |path: &str, body: &str, parts: [&str; 2]| {
        let mut publisher = server.publisher();
        let me = publisher.local_address();
        let status = publisher.request("POST", path, &[&bearer()], body).status;
        assert!((400..600).contains(&status), "{path}: {status}");
        let line = server.program.error_line(" refused");
        for part in parts.into_iter().chain([&*me]) {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    };
    check("/_broadcast", "{}", ["broadcasts refused", "`stream` is missing"]);
    check("/_revoke", "{}", ["/_revoke", "names an identity"]);
    check("/_readmit", "[]", ["/_readmit", "names an identity"]);
    check("/_disconnect", r#"{"identity":"one"}"#, ["/_disconnect", "no visitor has a name"]);
    check("/_gap", r#"{"streams":[]}"#, ["/_gap", "1 to 1000 names"]);
}
