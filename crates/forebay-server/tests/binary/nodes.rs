//! Several servers with one log, over real Redis.

use forebay_rig::{Redis, Server as _};
use serde_json::json;

use crate::support::{Program, SECRET, Server, forebay, turbo};

fn start(redis: &Redis) -> Server {
    Server::start(&["--log", &redis.url()])
}

#[test]
fn a_page_of_one_server_goes_on_at_another() {
    let redis = Redis::options().append_only().start().unwrap();
    let [mut one, mut other] = [start(&redis), start(&redis)];
    let cursor = one.cursor();
    one.broadcast("s", &["1"]);
    other.broadcast("s", &["2", "3"]);
    // Rendered by one, read at the other, which may not have come so far yet.
    let newer = one.cursor();
    one.broadcast("s", &["4"]);
    for (server, cursor, expected) in [
        (&other, &cursor, vec![1, 2, 3, 4]),
        (&one, &cursor, vec![1, 2, 3, 4]),
        (&other, &newer, vec![4]),
    ] {
        let mut page = server.page();
        page.subscribe(&turbo("s", Some(cursor)));
        assert_eq!(page.messages(expected.len()), expected);
    }
    // One is killed, and comes again: it has what is kept.
    one.program.kill();
    other.broadcast("s", &["5"]);
    one = start(&redis);
    let mut page = one.page();
    page.subscribe(&turbo("s", Some(&cursor)));
    assert_eq!(page.messages(5), [1, 2, 3, 4, 5]);
    other.program.kill();
    one.broadcast("s", &["6"]);
    assert_eq!(page.messages(1), [6]);
}

/// What Redis had acknowledged may be gone with its process, so that all pages render themselves again.
#[test]
fn a_store_that_begins_again_is_told_to_pages() {
    let redis = Redis::options().append_only().start().unwrap();
    let server = start(&redis);
    let mut page = server.page();
    page.subscribe(&turbo("s", Some(&server.cursor())));
    redis.kill().unwrap();
    redis.restart().unwrap();
    assert_eq!(page.next()["type"], json!("disconnect"));
    server.program.error_line("a new epoch begins");
    let mut page = server.page();
    page.subscribe(&turbo("s", Some(&server.cursor())));
    server.broadcast("s", &["1"]);
    assert_eq!(page.messages(1), [1]);
}

#[test]
fn what_is_wrong_with_the_log_is_said_in_one_line() {
    let check = |flags: &[&str], part: &str| {
        let flags = [&["serve", "--port", "0", "--secret", SECRET], flags].concat();
        let mut program = Program::start(&mut forebay(&flags));
        let line = program.error_line(part);
        assert!(!line.contains("hunter2"), "{line}");
        assert_ne!(program.end(), Some(0));
    };
    check(&["--log", "kafka://localhost"], "kafka");
    check(&["--log", "redis://localhost?kept=1"], "no option");
    check(&["--log", "folder:a", "--history-folder", "b"], "choose one");
    let redis = Redis::options().user("me", "hunter2").start().unwrap();
    let wrong = format!("redis://me:hunter3@{}", redis.address());
    check(&["--log", &wrong], "user and password");
}
