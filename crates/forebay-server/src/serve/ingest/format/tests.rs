//! What is posted, and what pages get of it.

use super::*;
use crate::serve::ingest::{Refused, http};

/// The message that pages get of this `data`.
#[track_caller]
fn check(data: &str, expected: &str) {
    let body = serde_json::json!({ "stream": "s", "data": data }).to_string();
    let batch = read(body.as_bytes()).unwrap();
    assert_eq!(batch[0].json(), expected);
}

#[test]
fn json_stays_as_it_is_and_anything_else_becomes_a_string() {
    check(r#"{"text":"hi"}"#, r#"{"text":"hi"}"#);
    check(r#"{ "b" : 1, "a":9007199254740993 }"#, r#"{ "b" : 1, "a":9007199254740993 }"#);
    check("1e400", "1e400");
    check(" [1]\n", "[1]");
    check("{\n\"a\":1\n}", "{\n\"a\":1\n}");
    check("hi", r#""hi""#);
    check("", r#""""#);
    check("null", r#""null""#);
    check("{\"a\":", r#""{\"a\":""#);
    check("<b>\u{2028}é</b>", "\"<b>\u{2028}é</b>\"");
}

/// Escapes that may be left out or written otherwise stay as they were written.
#[test]
fn html_is_the_json_string_that_stands_in_the_body() {
    for data in [r#""<b title=\"a\">\n</b>""#, r#""<\/b>é""#, r#""<>""#] {
        let batch = read(format!(r#"{{"stream":"s","data":{data}}}"#).as_bytes()).unwrap();
        assert_eq!(batch[0].json(), data);
    }
    let batch = read(br#"{"stream":"s","data":"<\u0062>"}"#).unwrap();
    assert_eq!(batch[0].json(), r#""<b>""#);
}

/// turbo-rails' payload is JSON already: what Rails makes of the HTML.
#[test]
fn turbo_rails_html_stays_the_json_string_that_it_is() {
    let json = r#""\u003cturbo-stream action=\"remove\" target=\"message_1\"\u003e\u003c/turbo-stream\u003e""#;
    check(json, json);
}

/// Each body is refused, with this status and a message that names what is wrong.
#[track_caller]
fn read(body: &[u8]) -> Result<Vec<RawBroadcast>, FormatError> {
    match super::read(body)? {
        Posted::Broadcasts(batch) => Ok(batch),
        Posted::Disconnect(identity) => panic!("{identity:?}"),
    }
}

fn refuse(body: &str, status: u16, expected: &str) {
    let error = read(body.as_bytes()).expect_err(body);
    let message = error.to_string();
    assert_eq!(http::status(&Refused::Format(error)).as_u16(), status, "{body}");
    assert!(message.contains(expected), "{body}: {message}");
}

#[test]
fn what_can_not_be_read_is_named() {
    refuse("", 422, "neither a JSON object nor an array");
    refuse("hello", 422, "neither a JSON object nor an array");
    refuse("{\"stream\":", 422, "neither a JSON object nor an array");
    refuse("{} {}", 422, "trailing characters");
    refuse("3", 422, "it is not an object");
    refuse("{}", 422, "`stream` is missing");
    refuse(r#"{"stream":"","data":""}"#, 422, "`stream` is empty");
    refuse(r#"{"stream":5,"data":""}"#, 422, "expected a string");
    refuse(r#"{"stream":"a"}"#, 422, "`data` is missing");
    refuse(r#"{"stream":"a","data":{"b":1}}"#, 422, "`data` must be a string");
    refuse(r#"{"stream":"a","data":null}"#, 422, "`data` must be a string");
    refuse(r#"{"stream":"a","data":"1","data":"2"}"#, 422, "duplicate field `data`");
    refuse(r#"{"stream":"a","data":"\ud800"}"#, 422, "hex escape");
    refuse(r#"{"stream":"a","data":"<\ud800"}"#, 422, "hex escape");
    refuse("{\"stream\":\"a\",\"data\":\"<\n\"}", 422, "control character");
    let meta = |meta| format!(r#"{{"stream":"a","data":"1","meta":{meta}}}"#);
    refuse(&meta("[]"), 422, "expected a map");
    refuse(&meta(r#"{"exclude_socket":7}"#), 422, "`meta.exclude_socket`");
    refuse(&meta(r#"{"transient":"yes"}"#), 422, "`meta.transient`");
    refuse(&meta(&format!(r#"{{"broadcast_type":"{}"}}"#, "x".repeat(257))), 422, "256 bytes");
    let long = format!(r#"{{"stream":"{}","data":"1"}}"#, "x".repeat(4097));
    refuse(&long, 422, "more than 4096 bytes");
}

#[test]
fn a_remote_disconnect_names_an_identity_as_rails_does() {
    let post = |payload: &str| format!(r#"{{"command":"disconnect","payload":{payload}}}"#);
    let check = |identifier: &str, more: &str, identity: &str, reconnect| {
        let identifier = serde_json::to_string(identifier).unwrap();
        let body = post(&format!(r#"{{"identifier":{identifier}{more}}}"#));
        let Posted::Disconnect(posted) = super::read(body.as_bytes()).unwrap() else {
            panic!("{body}")
        };
        assert_eq!(posted, Disconnect { identity: identity.to_owned(), reconnect });
    };
    check(r#"{"user":"u:7"}"#, "", "u:7", true);
    check(r#"{"user":"u:7"}"#, r#","reconnect":true"#, "u:7", true);
    check(r#"{"user":"u:7"}"#, r#","reconnect":false"#, "u:7", false);
    check(r#"{"user":"u","account":"a","tab":"é"}"#, "", "a:u:é", true);
    for payload in [
        "{}",
        "null",
        "[]",
        r#"{"identifier":7}"#,
        r#"{"identifier":"u:7"}"#,
        r#"{"identifier":"{}"}"#,
        r#"{"identifier":"{\"user\":7}"}"#,
        r#"{"identifier":"{\"user\":\"u:7\",\"account\":null}"}"#,
        r#"{"identifier":"{\"user\":\"\"}"}"#,
    ] {
        refuse(&post(payload), 422, "`payload.identifier` must be");
    }
    let identifier = r#""identifier":"{\"user\":\"u:7\"}""#;
    refuse(&post(&format!(r#"{{{identifier},"reconnect":1}}"#)), 422, "`payload.reconnect`");
    refuse(r#"{"command":"disconnect"}"#, 422, "`payload.identifier` must be");
    refuse(r#"{"command":"other","payload":{}}"#, 501, "not \"other\"");
    refuse(r#"{"command":1}"#, 501, "not 1");
}

#[test]
fn one_bad_broadcast_refuses_its_batch() {
    let good = r#"{"stream":"a","data":"1"}"#;
    refuse(&format!("[{good},{{}}]"), 422, "broadcast 2 of the batch: `stream` is missing");
    refuse(
        &format!("[{good},[\"a\",\"1\"]]"),
        422,
        "broadcast 2 of the batch: it is not an object",
    );
    refuse(&format!("[{good},{{\"command\":\"disconnect\"}}]"), 501, "nothing was published");
    refuse(&format!("[{good},]"), 422, "neither a JSON object nor an array");
    refuse(&format!("[{}{good}]", format!("{good},").repeat(10_000)), 413, "more than 10000");
    assert_eq!(read(b" []").unwrap().len(), 0);
    assert_eq!(read(format!(" [{good}, {good}]").as_bytes()).unwrap().len(), 2);
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let error = read(b"{\"stream\":\"\xff\",\"data\":\"\"}").unwrap_err();
    assert_eq!(http::status(&Refused::Format(error)).as_u16(), 422);
}
