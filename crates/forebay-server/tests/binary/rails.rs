//! The Ruby of `docs/serve.md`, run by Rails against the real server.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{Server, forebay};

const SECRET_KEY_BASE: &str = "0123456789abcdef0123456789abcdef";

/// The code block of the document that contains this.
fn block(language: &str, part: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/serve.md");
    let document = std::fs::read_to_string(path).unwrap();
    let opening = format!("```{language}\n");
    let mut blocks = document.split(&opening).skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.find(|block| block.contains(part)).unwrap().to_owned()
}

/// An application's folder with the document's files.
fn root(server: &Server) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("rails");
    let adapter = root.join("lib/action_cable/subscription_adapter");
    std::fs::create_dir_all(&adapter).unwrap();
    std::fs::create_dir_all(root.join("config")).unwrap();
    let write = |name: &str, text: String| std::fs::write(root.join(name), text).unwrap();
    write(
        "lib/action_cable/subscription_adapter/forebay.rb",
        block("ruby", "module SubscriptionAdapter"),
    );
    write("live_page.rb", block("ruby", "module LivePage"));
    let url = format!("http://{}", server.address);
    let cable = block("yaml", "adapter: forebay").replace("http://127.0.0.1:8080", &url);
    write("config/cable.yml", cable);
    root
}

#[test]
#[ignore = "needs Ruby with Rails: apt-get install ruby-actioncable ruby-railties"]
fn a_rails_app_broadcasts_through_the_server_and_its_pages_miss_nothing() {
    // Debian's Rails is older than 7.0, so its keys are derived with SHA-1.
    let flags = ["--secret-key-base", SECRET_KEY_BASE, "--digest", "sha1"];
    let serve = [&flags[..2], &["--secret-key-base-digest", "sha1"]].concat();
    let mut server = Server::start_with(&serve);
    let mut ruby = Command::new("ruby");
    ruby.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/binary/rails/app.rb"))
        .arg(root(&server))
        .env("TEST_SECRET", SECRET_KEY_BASE)
        .env("RAILS_ENV", "development")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut ruby = ruby.spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(ruby.stdout.take().unwrap()));
    let tag = lines.next().unwrap().unwrap();
    let attribute = |name: &str| {
        let (_, rest) = tag.split_once(&format!(" {name}=\"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let (signed, cursor) = (attribute("signed-stream-name"), attribute("data-cursor"));
    assert_eq!(attribute("data-view"), "all");

    let output = forebay(&[&["sign", "messages"], &flags[..]].concat()).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), signed, "signed as Rails signs");

    let identifier = json!({ "channel": "Turbo::StreamsChannel", "signed_stream_name": signed, "cursor": cursor }).to_string();
    let mut page = server.page();
    page.subscribe(&identifier);
    let replayed = page.next_text();
    let html = r#""\u003cturbo-stream\u003e1\u003c/turbo-stream\u003e""#;
    assert!(replayed.contains(&format!(r#""message":{html}"#)), "{replayed}");
    let object = page.next_text();
    assert!(object.contains(r#""number":9007199254740993"#), "{object}");

    // The server is restarted under Rails' open connection.
    let port = server.address.rsplit(':').next().unwrap().to_owned();
    server.program.kill();
    let server = Server::start_with(&[&serve[..], &["--port", &port]].concat());
    let mut page = server.page();
    page.subscribe(&identifier);
    assert_eq!(
        page.messages(1),
        ["<turbo-stream action=\"refresh\"></turbo-stream>"],
        "another log: the page heals itself"
    );
    std::io::Write::write_all(&mut ruby.stdin.take().unwrap(), b"\n").unwrap();
    assert!(ruby.wait().unwrap().success());
    assert_eq!(page.messages(1), ["after the restart"]);
}
