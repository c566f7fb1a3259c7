//! `serve --inspect` and `why`.

use std::time::Instant;

use forebay_rig::{Redis, Server as _};

use crate::support::{PATIENCE, Program, SECRET, Server, forebay};

/// What `why` prints, and how it ends.
fn why(server: &Server, arguments: &[&str]) -> (String, Option<i32>) {
    let url = server.url("/forebay/inspect");
    let output = forebay(&[&["why", "--url", &url], arguments].concat()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8(said).unwrap(), output.status.code())
}

#[test]
fn why_says_which_hop_is_broken_and_ends_with_one() {
    let server = Server::start(&["--inspect"]);
    let url = server.cable_url();
    let listener =
        Program::start(&mut forebay(&["listen", "--url", &url, "--secret", SECRET, "chat:1"]));
    listener.error_line("listening");
    let publish = server.broadcast_url();
    let arguments = ["publish", "--url", &publish, "--secret", SECRET, "chats:1", "1"];
    assert!(forebay(&arguments).status().unwrap().success());

    // Without a page it is the newest of this machine.
    let (said, status) = why(&server, &["--stream", "chats:1"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.starts_with("published to `chats:1`, but this page reads `chat:1`"), "{said}");
    let (said, status) = why(&server, &["--stream", "news", "--page", "nobody"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.starts_with("not known, because no node remembers this page"), "{said}");
    let (said, status) = why(&server, &[]);
    assert_eq!(status, Some(2), "{said}");
}

#[test]
fn nothing_is_shown_unless_it_is_asked_for_and_with_a_key_to_those_who_have_it() {
    let (said, status) = why(&Server::start(&[]), &["--stream", "room"]);
    assert_eq!(status, Some(1));
    assert!(said.contains("begin the server with --inspect"), "{said}");
    let server = Server::start(&["--inspect", "--inspect-key", "s3cret"]);
    let (said, status) = why(&server, &["--stream", "room"]);
    assert_eq!(status, Some(1));
    assert!(said.contains("401 Unauthorized: show the inspector's key"), "{said}");
    let (said, _) = why(&server, &["--stream", "room", "--key", "s3cret"]);
    assert!(said.starts_with("not known"), "{said}");
}

/// The page is at one server, the broadcast was posted to another, and a third is asked.
#[test]
fn why_is_answered_for_all_servers_of_one_log() {
    let redis = Redis::options().start().unwrap();
    let start = || Server::start(&["--log", &redis.url(), "--inspect"]);
    let [asked, at_page, mut publisher] = [start(), start(), start()];
    let url = at_page.cable_url();
    let listener =
        Program::start(&mut forebay(&["listen", "--url", &url, "--secret", SECRET, "chat:1"]));
    listener.error_line("listening");
    publisher.broadcast("chats:1", &["1"]);
    let page = ["--stream", "chats:1", "--page", "127.0.0.1"];
    // Others have a second to answer. On a busy machine that may be too little, and then it is said.
    let began = Instant::now();
    let (said, status) = loop {
        let (said, status) = why(&asked, &page);
        let nodes = said.lines().find_map(|line| line.trim().strip_prefix("known from: "));
        let have_all_answered = nodes.is_some_and(|nodes| nodes.split(", ").count() == 3);
        if have_all_answered {
            break (said, status);
        }
        assert!(began.elapsed() < PATIENCE, "{said}");
    };
    assert_eq!(status, Some(1), "{said}");
    assert!(said.starts_with("published to `chats:1`, but this page reads `chat:1`"), "{said}");
    assert!(!said.contains("not answered"), "{said}");

    // One that is killed is named, and holds nobody up for long.
    publisher.program.kill();
    let (said, _) = why(&asked, &page);
    assert!(said.contains("not answered: "), "{said}");
}
