//! A log's server that refuses, or is away: what the server says, what publishers are answered, what pages see.

use forebay_rig::{Build, Nats, Postgres, Redis, Server as Store};
use serde_json::json;

use crate::support::{Page, Program, SECRET, Server, forebay, turbo};

fn page(server: &Server) -> Page {
    let mut page = server.page();
    page.subscribe(&turbo("s", Some(&server.cursor())));
    page
}

fn post(server: &Server, data: &str) -> (u16, String) {
    let answer = server.post(&json!({ "stream": "s", "data": data }).to_string());
    (answer.status, answer.body)
}

/// Both may begin at the same time.
#[test]
fn a_store_that_is_away_at_the_start_is_waited_for() {
    let check = |store: &dyn Store| {
        store.stop().unwrap();
        let flags = ["serve", "--port", "0", "--secret", SECRET, "--log", &store.url()];
        let program = Program::start(&mut forebay(&flags));
        program.error_line("can't be reached yet");
        store.restart().unwrap();
        assert!(program.line().starts_with("ready"));
    };
    check(&Redis::options().start().unwrap());
    check(&Nats::options(Build::Installed).start().unwrap());
    check(&Postgres::options().start().unwrap());
}

/// Publishers are told at once. Pages stay, and go on when there is room.
#[test]
fn a_store_that_is_full_refuses_publishers_and_keeps_pages() {
    let redis = Redis::options().memory("3mb", "noeviction").start().unwrap();
    let server = Server::start(&["--log", &redis.url()]);
    let mut page = page(&server);
    let long = format!("\"{}\"", "x".repeat(100_000));
    let mut taken = 0;
    let refused = loop {
        match post(&server, &long) {
            (201, _) => taken += 1,
            refused => break refused,
        }
        assert!(taken < 100, "it never gets full");
    };
    assert_eq!(refused.0, 507);
    assert!(refused.1.contains("it is full: maxmemory is used up"), "{}", refused.1);
    server.program.error_line("broadcasts refused");
    assert_eq!(server.get("/ready").status, 200, "pages are served");
    redis.command(&["config", "set", "maxmemory", "100mb"]).unwrap();
    assert_eq!(post(&server, "1").0, 201);
    assert_eq!(page.messages(taken + 1).last(), Some(&json!(1)));
}

#[test]
fn a_right_that_is_taken_away_is_named_to_publishers() {
    let redis = Redis::options().start().unwrap();
    let server = Server::start(&["--log", &redis.url()]);
    let mut page = page(&server);
    redis.command(&["acl", "setuser", "default", "-xadd"]).unwrap();
    let (status, said) = post(&server, "1");
    assert_eq!(status, 503);
    assert!(said.contains("its user lacks rights") && said.contains("+@write"), "{said}");
    redis.command(&["acl", "setuser", "default", "+xadd"]).unwrap();
    assert_eq!(post(&server, "2").0, 201);
    assert_eq!(page.messages(1), [2]);
}

/// Publishers wait for a moment, and are told that nobody knows. The server is not ready until the store is back.
#[test]
fn a_store_that_goes_away_is_told_to_publishers_and_load_balancers() {
    let postgres = Postgres::options().start().unwrap();
    let server = Server::start(&["--log", &postgres.url()]);
    let mut page = page(&server);
    postgres.stop().unwrap();
    let (status, said) = post(&server, "1");
    assert_eq!(status, 503, "{said}");
    server.program.error_line("the log can't be read");
    while server.get("/ready").status != 503 {
        std::thread::yield_now();
    }
    postgres.restart().unwrap();
    while server.get("/ready").status != 200 {
        std::thread::yield_now();
    }
    assert_eq!(post(&server, "2").0, 201);
    assert_eq!(page.messages(1), [2]);
}

/// It runs, and what may be lost is said.
#[test]
fn what_is_not_durable_is_warned_of() {
    let redis = Redis::options().start().unwrap();
    Server::start(&["--log", &redis.url()]).program.error_line("keeps no append-only file");
    let postgres = Postgres::options().configure("fsync = off").start().unwrap();
    Server::start(&["--log", &postgres.url()]).program.error_line("fsync is off");
}
