//! `serve --inspect` and `why`.

use crate::support::{Program, SECRET, Server, forebay};

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
