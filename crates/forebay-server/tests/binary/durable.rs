//! History in a folder: over `kill -9`, a deploy, and a full disk.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{PATIENCE, Page, Program, SECRET, Server, bearer, forebay, turbo};

fn serve(folder: &Path, flags: &[&str]) -> Server {
    let folder = folder.to_str().unwrap();
    Server::start(&[&["--history-folder", folder], flags].concat())
}

/// Publishes 1, 2, 3, … until `enough`; gives the number that were acknowledged.
fn publish(server: &Server, stream: &str, enough: impl Fn(u64) -> bool) -> u64 {
    let mut publisher = server.publisher();
    let mut acknowledged = 0;
    while !enough(acknowledged) {
        let data = (acknowledged + 1).to_string();
        let body = json!({ "stream": stream, "data": data }).to_string();
        if publisher.post(&bearer(), &body).status != 201 {
            break;
        }
        acknowledged += 1;
    }
    acknowledged
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let folder = TempDir::new().unwrap();
    let mut server = serve(folder.path(), &["--history-limit", "1000"]);
    let cursor = server.cursor();
    let mut total = 0;
    for round in 1..=3 {
        let acknowledged = publish(&server, "s", |count| count == 40 * round);
        server.program.kill();
        total += acknowledged;
        server = serve(folder.path(), &["--history-limit", "1000"]);
    }
    let mut page = server.page();
    page.subscribe(&turbo("s", Some(&cursor)));
    let expected: Vec<_> =
        [40, 80, 120].into_iter().flat_map(|n| 1..=n).map(|n| json!(n)).collect();
    assert_eq!(total, 240);
    assert_eq!(page.messages(240), expected);
    server.broadcast("s", &["\"live\""]);
    assert_eq!(page.messages(1), ["live"]);
}

#[test]
fn a_publisher_that_is_cut_off_by_kill_9_loses_nothing_that_was_answered() {
    let folder = TempDir::new().unwrap();
    let mut server =
        serve(folder.path(), &["--history-limit", "100000", "--history-bytes", "64MiB"]);
    let cursor = server.cursor();
    let mut publisher = server.publisher();
    let request = |n: u64| {
        let body = json!({ "stream": "s", "data": n.to_string() }).to_string();
        let (bearer, length) = (bearer(), body.len());
        format!(
            "POST /_broadcast HTTP/1.1\r\nhost: a\r\n{bearer}\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    };
    // All at once: it is killed while it works them off.
    publisher.send(&(1..=1_000).map(request).collect::<String>());
    for _ in 0..100 {
        assert_eq!(publisher.receive().status, 201);
    }
    server.program.kill();
    let server = serve(folder.path(), &["--history-limit", "100000", "--history-bytes", "64MiB"]);
    let mut page = server.page();
    page.subscribe(&turbo("s", Some(&cursor)));
    server.broadcast("s", &["\"end\""]);
    let mut got = Vec::new();
    while got.last() != Some(&json!("end")) {
        got.extend(page.messages(1));
    }
    got.pop();
    // More than were answered may have been taken, but none without those before it.
    assert!(got.len() >= 100);
    assert_eq!(got, (1..=got.len()).map(|n| json!(n)).collect::<Vec<_>>());
}

/// A stock page goes on from what its Pongs have proven: rows without ids are not there twice.
#[test]
fn ten_deploys_show_no_page_anything_twice() {
    let folder = TempDir::new().unwrap();
    let mut server = serve(folder.path(), &["--shutdown-timeout", "2s"]);
    let identifier = turbo("s", Some(&server.cursor()));
    let mut page = server.page();
    page.subscribe(&identifier);
    for deploy in 0..10 {
        server.broadcast("s", &[&format!("\"{deploy} live\"")]);
        assert_eq!(page.messages(1), [format!("{deploy} live")]);
        server.program.signal(Signal::TERM);
        // Its browser has answered the Ping behind what it got when it reads on.
        while page.next()["type"] != "disconnect" {}
        drop(page);
        server.program.end();
        server = serve(folder.path(), &["--shutdown-timeout", "2s"]);
        server.broadcast("s", &[&format!("\"{deploy} meanwhile\"")]);
        page = server.page();
        page.subscribe(&identifier);
        assert_eq!(page.messages(1), [format!("{deploy} meanwhile")]);
    }
}

/// Nothing is at hand but what was written: all but the last moment.
#[test]
fn kill_9_shows_a_page_again_only_what_it_got_last() {
    let folder = TempDir::new().unwrap();
    let mut server = serve(folder.path(), &[]);
    let identifier = turbo("s", Some(&server.cursor()));
    let proven = folder.path().join("pages");
    for round in 0..3 {
        let mut page = server.page();
        page.subscribe(&identifier);
        let before = fs::read(&proven).unwrap()[512..].to_vec();
        server.broadcast("s", &[&format!("\"{round}\"")]);
        assert_eq!(page.messages(1), [round.to_string()]);
        page.answer_ping();
        let begun = Instant::now();
        while fs::read(&proven).unwrap()[512..] == before[..] {
            assert!(begun.elapsed() < PATIENCE, "what the page has proven is written");
            std::thread::yield_now();
        }
        server.program.kill();
        drop(page);
        server = serve(folder.path(), &[]);
    }
}

#[test]
fn access_that_was_taken_back_stays_so_over_kill_9() {
    let folder = TempDir::new().unwrap();
    let mut server = serve(folder.path(), &[]);
    let stale = turbo("s", Some(&server.cursor()));
    let revoke = r#"{"stream":"s"}"#;
    let answer = server.publisher().request("POST", "/_revoke", &[&bearer()], revoke);
    assert_eq!(answer.status, 204);
    let fresh = turbo("s", Some(&server.cursor()));
    server.program.kill();
    let server = serve(folder.path(), &[]);
    for identifier in [&stale, &turbo("s", None)] {
        assert_eq!(server.page().try_subscribe(identifier), "reject_subscription");
    }
    assert_eq!(server.page().try_subscribe(&fresh), "confirm_subscription");
}

#[test]
fn access_is_given_again_and_stays_so_over_kill_9() {
    let folder = TempDir::new().unwrap();
    let mut server = serve(folder.path(), &[]);
    let page = turbo("s", Some(&server.cursor()));
    let post = |server: &Server, path| {
        let answer = server.publisher().request("POST", path, &[&bearer()], r#"{"stream":"s"}"#);
        assert_eq!(answer.status, 204, "{path}");
    };
    post(&server, "/_revoke");
    server.program.error_line("access taken back");
    assert_eq!(server.page().try_subscribe(&page), "reject_subscription");
    post(&server, "/_readmit");
    server.program.error_line("access given again");
    server.page().subscribe(&page);
    // Whoever asks again has it.
    post(&server, "/_readmit");
    let refused = server.publisher().request("POST", "/_readmit", &[&bearer()], "{}");
    assert_eq!(refused.status, 422);
    let stranger = server.publisher().request("POST", "/_readmit", &[], r#"{"stream":"s"}"#);
    assert_eq!(stranger.status, 401);
    server.program.kill();
    let server = serve(folder.path(), &[]);
    server.page().subscribe(&page);
}

/// A byte was flipped: the server says where and what to do, and does it where that is wanted.
#[test]
fn a_damaged_folder_is_told_and_moved_aside_on_request() {
    let folder = TempDir::new().unwrap();
    let mut server = serve(folder.path(), &[]);
    let before = server.cursor();
    server.broadcast("s", &["\"first\"", "\"needle in the journal\"", "\"last\""]);
    server.program.kill();
    let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let journal = files.into_iter().find(|path| path.extension().is_some_and(|e| e == "jnl"));
    let journal = journal.unwrap();
    let mut bytes = fs::read(&journal).unwrap();
    let at = bytes.windows(6).position(|bytes| bytes == b"needle").unwrap();
    bytes[at] ^= 1;
    fs::write(&journal, bytes).unwrap();
    let path = folder.path().to_str().unwrap();
    let arguments = ["serve", "--secret", SECRET, "--port", "0", "--history-folder", path];
    let mut program = Program::start(&mut forebay(&arguments));
    let said = program.error_line("is damaged");
    assert!(said.contains(path) && said.contains("--history-discard-damaged"), "{said}");
    assert_eq!(program.end(), Some(1));
    let server = serve(folder.path(), &["--history-discard-damaged"]);
    server.program.error_line("moved aside");
    assert!(folder.path().join("damaged-1").join("marker").exists());
    let mut page = server.page();
    page.subscribe(&turbo("s", Some(&before)));
    let told = page.next()["message"].to_string();
    assert!(told.contains("refresh"), "its pages load themselves again: {told}");
}

#[test]
fn two_servers_do_not_share_a_folder() {
    let folder = TempDir::new().unwrap();
    let server = serve(folder.path(), &[]);
    let flags = ["serve", "--port", "0", "--secret", "a secret of a second server"];
    let output = forebay(&flags)
        .args(["--history-folder", folder.path().to_str().unwrap(), "--history-folder-wait", "0"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    let pid = server.program.pid();
    // Not every system says who has locked what.
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let is_known = locks.split_whitespace().any(|word| word == pid.to_string());
    let who = if is_known { format!(": process {pid}") } else { String::new() };
    assert!(said.contains(&format!("is in use by another process{who}")), "{said}");
}

#[test]
fn a_server_waits_for_the_folder_of_one_that_is_about_to_end() {
    let folder = TempDir::new().unwrap();
    let mut first = serve(folder.path(), &[]);
    let cursor = first.cursor();
    first.broadcast("s", &["1"]);
    let name = folder.path().to_str().unwrap();
    let flags = ["serve", "--port", "0", "--secret", SECRET, "--history-folder", name];
    let second = Program::start(&mut forebay(&flags));
    second.error_line("waiting for the folder");
    first.program.kill();
    let address = second.line().strip_prefix("ready http://").unwrap().to_owned();
    let mut page = Page::open(&address, &[]).unwrap();
    page.subscribe(&turbo("s", Some(&cursor)));
    assert_eq!(page.messages(1), [1]);
}

#[test]
fn a_folder_that_cannot_be_used_is_no_wrong_configuration() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let name = file.path().to_str().unwrap();
    let flags = ["serve", "--port", "0", "--secret", SECRET, "--history-folder", name];
    let output = forebay(&flags).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

/// A small disk of our own. Only root can make one.
struct Disk(TempDir);

impl Disk {
    fn new(size: &str) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let options = format!("size={size}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path());
        mount.output().is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_answered_and_costs_nothing_that_was_acknowledged() {
    let Some(disk) = Disk::new("16m") else {
        eprintln!("not run: a small disk can be mounted by root only");
        return;
    };
    let folder = disk.0.path().join("history");
    let ballast = disk.0.path().join("ballast");
    fs::write(&ballast, vec![1; 12 << 20]).unwrap();
    let flags = ["--history-limit", "1000", "--history-bytes", "64MiB"];
    let mut server = serve(&folder, &flags);
    let cursor = server.cursor();
    let large = |n: u32| {
        // Not to be compressed.
        let noise = (0..9_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) ^ n).to_string());
        json!({ "stream": "s", "data": json!({ "n": n, "noise": noise.collect::<String>() }).to_string() })
    };
    let mut acknowledged = Vec::new();
    let refused = (0..).find_map(|n| {
        let answer = server.post(&large(n).to_string());
        if answer.status == 201 {
            acknowledged.push(n);
            return None;
        }
        Some(answer)
    });
    let refused = refused.unwrap();
    assert_eq!(refused.status, 507, "{refused:?}");
    let health = server.get("/health");
    assert_eq!(health.status, 200);
    assert!(health.body.contains("ok, but the last broadcast was not taken"), "{}", health.body);
    assert!(refused.body.contains("the disk is full"), "{}", refused.body);
    assert!(acknowledged.len() > 5);
    // What was half written is cleared away at the next try, so one more may fit.
    let more = (5_000..5_010).filter(|n| server.post(&large(*n).to_string()).status == 201);
    acknowledged.extend(more.collect::<Vec<_>>());
    assert!(acknowledged.last() < Some(&5_009), "it is still full");
    fs::remove_file(&ballast).unwrap();
    for n in 10_000..10_003 {
        assert_eq!(server.post(&large(n).to_string()).status, 201, "there is room again");
        acknowledged.push(n);
    }
    server.program.kill();
    let server = serve(&folder, &flags);
    let mut page = server.page();
    page.subscribe(&turbo("s", Some(&cursor)));
    let got: Vec<_> = page.messages(acknowledged.len()).iter().map(|m| m["n"].clone()).collect();
    assert_eq!(got, acknowledged);
    server.broadcast("s", &["\"live\""]);
    assert_eq!(page.messages(1), ["live"]);
}
