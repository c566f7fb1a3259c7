//! Wrong configurations: all of it is said, nothing starts, and the status is 2.

use std::path::PathBuf;
use std::process::Command;

use crate::support::{Program, SECRET, forebay};

/// What it prints and complains of.
#[track_caller]
fn run(command: &mut Command, status: i32) -> (String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(status), "{out}\n{err}");
    (out, err)
}

#[track_caller]
fn refuse(arguments: &[&str], expected: &[&str]) {
    let (out, err) = run(&mut forebay(arguments), 2);
    assert_eq!(out, "");
    for expected in expected {
        assert!(err.contains(expected), "no {expected:?} in:\n{err}");
    }
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let path = file("wrong.toml", "port = \"many\"\n\n[history]\nlimt = 3\n");
    let path = path.to_str().unwrap();
    let arguments = ["serve", "--config", path, "--prot", "8080", "--log-level", "loud"];
    let (_, err) = run(forebay(&arguments).env("FOREBAY_SECERT", "x"), 2);
    for expected in [
        "error: --prot: `forebay serve` has no such option; did you mean --port?",
        "error: --log-level: \"loud\": expected one of off, error, warn, info, debug, trace",
        "error: FOREBAY_SECERT: there is no such option; did you mean FOREBAY_SECRET?",
        &format!("error: {path}:1: \"many\": expected a port"),
        &format!("error: {path}:4: there is no option `history.limt`; did you mean history.limit?"),
    ] {
        assert!(err.contains(expected), "no {expected:?} in:\n{err}");
    }
}

#[test]
fn options_that_contradict_each_other_are_named() {
    refuse(&["serve"], &["neither a secret nor a public stream"]);
    refuse(
        &["serve", "--secret", SECRET, "--health-path", "/cable", "--ready-path", "/cable"],
        &[
            "path = \"/cable\" (default) and health_path = \"/cable\" (--health-path) are the same",
            "ready_path = \"/cable\" (--ready-path) are the same path",
        ],
    );
    let contradictions =
        ["--shutdown-timeout", "5", "--shutdown-spread", "6", "--history-bytes", "512MiB"];
    refuse(
        &[&["serve", "--secret", SECRET, "--broadcast-host", "::1"], &contradictions[..]].concat(),
        &[
            "shutdown_spread = \"6s\" (--shutdown-spread) is more than shutdown_timeout = \"5s\"",
            "history_bytes = \"512MiB\" (--history-bytes) is more than history_total_bytes",
            "broadcast_host = \"::1\" (--broadcast-host) has no effect",
        ],
    );
    refuse(&["sign", "--tag", "--pubsub", "--secret", SECRET, "s"], &["--tag: "]);
    refuse(&["sign", "s"], &["nothing to sign with"]);
    refuse(&["listen"], &["<STREAM>"]);
    refuse(&["serv"], &["similar subcommand exists: 'serve'"]);
    refuse(&["serve", "--config", "nowhere.toml"], &["--config: nowhere.toml: "]);
}

#[test]
fn what_only_anycable_can_do_is_a_warning() {
    // No port can be had, so that it ends by itself.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let arguments = ["serve", "--secret", SECRET, "--port", &port, "--redis_url=redis://x"];
    let (_, err) = run(forebay(&arguments).env("ANYCABLE_RPC_HOST", "localhost:50051"), 1);
    for name in ["--redis_url", "ANYCABLE_RPC_HOST"] {
        assert!(err.contains(&format!("{name} is an option of AnyCable's")), "{err}");
    }
}

#[test]
fn what_promises_security_and_is_not_served_stops_the_start() {
    let (_, err) = run(
        forebay(&["serve", "--secret", SECRET, "--enforce_jwt"])
            .envs([("ANYCABLE_JWT_SECRET", "qwerty"), ("ANYCABLE_SSL_CERT", "cert.pem")]),
        2,
    );
    for expected in [
        "error: --enforce_jwt: this option of AnyCable's is not supported, and nothing starts with it: \
         tokens are not checked, so every visitor would connect",
        "error: ANYCABLE_JWT_SECRET: this option",
        "error: ANYCABLE_SSL_CERT: this option of AnyCable's is not supported, and nothing starts \
         with it: connections would not be encrypted; let a proxy end TLS",
    ] {
        assert!(err.contains(expected), "no {expected:?} in:\n{err}");
    }
    assert!(!err.contains("qwerty"), "{err}");
}

#[test]
fn where_the_platform_says_the_port_the_log_says_where_it_listens() {
    let arguments = ["serve", "--secret", SECRET];
    let program = Program::start(forebay(&arguments).env("PORT", "0"));
    program.error_line("listening on all interfaces, because PORT says the port");
    let ready = program.line();
    assert!(ready.starts_with("ready http://0.0.0.0:"), "{ready}");
}

#[test]
fn values_and_their_origins_can_be_seen_and_secrets_can_not() {
    let path = file("print.toml", "[history]\nlimit = 5\n");
    let path = path.to_str().unwrap();
    let arguments = ["serve", "--config", path, "--print-config", "--secret", "swordfish, long"];
    let (out, _) = run(forebay(&arguments).env("PORT", "3000"), 0);
    for expected in [
        "port = 3000 # PORT\n",
        "host = \"0.0.0.0\" # PORT\n",
        "# secret = \"…\" # --secret\n",
        &format!("limit = 5 # {path}:2\n"),
    ] {
        assert!(out.contains(expected), "no {expected:?} in:\n{out}");
    }
    assert!(!out.contains("swordfish"));
}

#[test]
fn help_the_version_and_the_documents_go_to_standard_output() {
    let check = |arguments: &[&str], part: &str| {
        let (out, err) = run(&mut forebay(arguments), 0);
        assert!(out.contains(part) && err.is_empty(), "{arguments:?}: {out}{err}");
    };
    check(&["--help"], "Exit status: 0");
    check(&["serve", "--help"], "[environment: FOREBAY_PORT, ANYCABLE_PORT, PORT]");
    check(&["--version"], env!("CARGO_PKG_VERSION"));
    check(&["options"], "| `--history-limit` |");
    check(&["man"], ".TH forebay 1");
}
