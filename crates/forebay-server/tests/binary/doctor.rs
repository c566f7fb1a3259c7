//! `forebay doctor`: each fault is named, and what is right has none.

mod nginx;
mod rails;

use serde_json::Value;

use crate::support::{SECRET, Server, forebay};

/// What it says, for programs, and its exit status.
fn examine(address: &str, flags: &[&str]) -> (Value, i32) {
    let arguments = [&["doctor", address, "--json"], flags].concat();
    let output = forebay(&arguments).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let said = serde_json::from_str(&said).unwrap_or_else(|_| {
        panic!("{said:?}: {}", String::from_utf8_lossy(&output.stderr));
    });
    (said, output.status.code().unwrap())
}

/// The findings, by name.
#[track_caller]
fn check(address: &str, flags: &[&str], expected: &[&str]) -> Value {
    let (said, status) = examine(address, flags);
    let findings = said["findings"].as_array().unwrap();
    let names: Vec<_> =
        findings.iter().map(|finding| finding["finding"].as_str().unwrap()).collect();
    assert_eq!(names, expected, "{address} {flags:?}: {said:#}");
    assert_eq!(status, i32::from(!expected.is_empty()));
    for finding in findings {
        for part in ["what", "why", "change"] {
            assert!(finding[part].as_str().unwrap().len() > 10, "{finding:#}");
        }
    }
    said
}

/// What was not looked at.
fn skipped(said: &Value) -> Vec<&str> {
    said["skipped"].as_array().unwrap().iter().map(|it| it["check"].as_str().unwrap()).collect()
}

/// A server that pings often: so a stream that is held back is told from one that is not sooner.
fn start(flags: &[&str]) -> Server {
    Server::start(&[&["--ping-interval", "500ms"], flags].concat())
}

fn with_secret<'a>(flags: &[&'a str]) -> Vec<&'a str> {
    [&["--hold", "1s", "--secret", SECRET], flags].concat()
}

#[test]
fn a_server_as_it_is_has_nothing_wrong() {
    let server = start(&[]);
    let site = format!("http://{}", server.address);
    let said = check(&site, &with_secret(&[]), &[]);
    assert_eq!(skipped(&said), ["a page"]);
    let checked = said["checked"].as_array().unwrap();
    for name in [
        "secret",
        "one log",
        "a broadcast",
        "buffering",
        "idle time-outs",
        "open files",
        "clock",
        "store",
    ] {
        assert!(checked.iter().any(|check| check == name), "{name}: {said:#}");
    }
    // The cable's own address will do, too, and without the secret there is less to see.
    let said = check(&server.cable_url(), &["--hold", "1s"], &[]);
    assert!(skipped(&said).contains(&"secret"), "{said:#}");
}

#[test]
fn a_wrong_key_and_a_wrong_digest_are_told_apart() {
    let server = Server::start_with(&["--ping-interval", "500ms", "--secret-key-base", SECRET]);
    let site = format!("http://{}", server.address);
    let base = ["--hold", "1s", "--secret-key-base", SECRET];
    check(&site, &base, &[]);
    check(&site, &[&base[..], &["--digest", "sha1"]].concat(), &["digest"]);
    let other = "another secret of the same length";
    check(
        &site,
        &["--hold", "1s", "--secret-key-base", other, "--broadcast-key", SECRET],
        &["secret"],
    );
    // The text is the key itself on one side, and what the key is made of on the other.
    check(&site, &with_secret(&[]), &["digest"]);
}

#[test]
fn who_is_refused_at_the_door_learns_why() {
    let server = start(&["--hosts", "here.example"]);
    let site = format!("http://{}", server.address);
    check(&site, &with_secret(&[]), &["host"]);
    let server = start(&[]);
    let site = format!("http://{}", server.address);
    check(&site, &with_secret(&["--origin", "https://other.example"]), &["origin"]);
    check(&format!("{site}/live"), &with_secret(&[]), &["path"]);
    let open = start(&["--allowed-origins", "*"]);
    check(&format!("http://{}", open.address), &with_secret(&[]), &["any_origin"]);
    drop(server);
    check(&site, &with_secret(&[]), &["unreachable"]);
}

#[cfg(unix)]
#[test]
fn few_open_files_and_a_wrong_broadcast_key_are_named() {
    let server = Server::start_limited(1_000, &["--ping-interval", "500ms"]);
    let site = format!("http://{}", server.address);
    check(&site, &with_secret(&[]), &["open_files"]);
    check(&site, &with_secret(&["--broadcast-key", "another"]), &["broadcast_key"]);
}

#[test]
fn people_are_told_in_sentences() {
    let server = start(&[]);
    let site = format!("http://{}", server.address);
    let arguments = ["doctor", &site, "--hold", "1s", "--origin", "https://other.example"];
    let output = forebay(&arguments).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let expected = "origin: pages of https://other.example are refused\n  why it matters: they are of \
                    another host than the cable, and are not named\n  to change: allowed_origins = \
                    [\"https://other.example\"]\n\nchecked: address, handshake, ";
    assert!(said.starts_with(expected), "{said}");
    assert!(said.ends_with(": 1 finding\n"), "{said}");
    let output = forebay(&["doctor", "ftp://a"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

/// Whoever reads a finding's name finds what it means.
#[test]
fn the_documentation_explains_each_finding_and_no_other() {
    let repository = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let document = std::fs::read_to_string(format!("{repository}/docs/doctor.md")).unwrap();
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
    let explained: std::collections::BTreeSet<_> =
        rows.filter_map(|row| row.split('`').next()).map(str::to_owned).collect();
    let mut named = std::collections::BTreeSet::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctor");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for file in files.chain([format!("{folder}.rs").into()]) {
        let text = std::fs::read_to_string(file).unwrap();
        let found = text.split("name: \"").skip(1).filter_map(|rest| rest.split('"').next());
        named.extend(found.map(str::to_owned));
    }
    assert!(named.len() > 20, "{named:?}");
    assert_eq!(explained, named);
}
