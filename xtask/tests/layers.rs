//! The layer rules of ARCHITECTURE.md: arrows point down, and each crate leaves alone what is
//! another's.

#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every crate, with the crates of ours that it may use. A new arrow is a change of
/// ARCHITECTURE.md, and of this table in the same commit.
const ARROWS: [(&str, &[&str]); 21] = [
    ("forebay-turbo", &[]),
    ("forebay-signing", &[]),
    ("forebay-derive", &[]),
    ("forebay-log", &[]),
    ("forebay-presence", &["forebay-log"]),
    ("forebay-cable", &["forebay-log"]),
    ("forebay-inspect", &[]),
    ("forebay-store", &["forebay-log"]),
    ("forebay-store-tests", &["forebay-log", "forebay-presence", "forebay-store"]),
    ("forebay-shared", &["forebay-log", "forebay-store"]),
    ("forebay-redis", &["forebay-log", "forebay-shared"]),
    ("forebay-nats", &["forebay-log", "forebay-shared"]),
    ("forebay-postgres", &["forebay-log", "forebay-shared"]),
    ("forebay-outbox", &["forebay-log"]),
    (
        "forebay-hub",
        &["forebay-cable", "forebay-inspect", "forebay-log", "forebay-presence", "forebay-store"],
    ),
    ("forebay-transport", &["forebay-cable", "forebay-hub", "forebay-inspect", "forebay-log"]),
    (
        "forebay-core",
        &[
            "forebay-cable",
            "forebay-derive",
            "forebay-hub",
            "forebay-inspect",
            "forebay-log",
            "forebay-nats",
            "forebay-outbox",
            "forebay-postgres",
            "forebay-redis",
            "forebay-shared",
            "forebay-signing",
            "forebay-transport",
            "forebay-turbo",
        ],
    ),
    ("forebay", &["forebay-core"]),
    ("forebay-server", &["forebay-core"]),
    ("forebay-test", &["forebay-core", "forebay-inspect"]),
    (
        "forebay-sim",
        &[
            "forebay-cable",
            "forebay-hub",
            "forebay-log",
            "forebay-shared",
            "forebay-store",
            "forebay-store-tests",
            "forebay-transport",
        ],
    ),
];

const PURE: [&str; 6] = [
    "forebay-turbo",
    "forebay-signing",
    "forebay-log",
    "forebay-presence",
    "forebay-cable",
    "forebay-inspect",
];

/// What no pure crate may depend on, directly or not.
const SHELL_CRATES: [&str; 10] = [
    "tokio",
    "mio",
    "hyper",
    "socket2",
    "getrandom",
    "rand",
    "fastrand",
    "tracing-subscriber",
    "chrono",
    "time",
];

/// What the core may not depend on, directly or not: it has no web framework inside, and no server.
const FRAMEWORKS: [&str; 7] =
    ["axum", "axum-core", "hyper", "hyper-util", "tower", "tower-layer", "tower-service"];

/// What no pure crate may say: sockets, files, clocks, the environment, randomness.
const SHELL_WORDS: [&str; 9] = [
    "std::net",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime::now",
    "Instant::now",
    "RandomState",
    "println!",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("cargo can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The normal dependencies of each crate of ours, by name.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = cargo(&["metadata", "--format-version", "1", "--no-deps"]);
    let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap();
            let normal = dependencies.iter().filter(|dependency| dependency["kind"].is_null());
            (text(&package["name"]), normal.map(|d| text(&d["name"])).collect())
        })
        .collect()
}

/// The source files of a crate, with their text.
fn sources(name: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    let mut files = Vec::new();
    walk(&root().join("crates").join(name).join("src"), &mut files);
    files
}

/// A file without its comments and tests, so that both may name what the code may not.
fn code(path: &Path, text: &str) -> String {
    let in_tests = |part: &std::ffi::OsStr| part == "tests.rs" || part == "tests";
    if path.iter().any(in_tests) {
        return String::new();
    }
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Crates, other than `except`, whose code says one of `words`.
fn who_says(words: &[&str], except: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, _) in ARROWS.iter().filter(|(name, _)| !except.contains(name)) {
        for (path, text) in sources(name) {
            let code = code(&path, &text);
            let said = words.iter().filter(|word| code.contains(**word));
            found.extend(said.map(|word| format!("{} says {word}", path.display())));
        }
    }
    found
}

#[test]
fn arrows_point_down_and_are_all_known() {
    let dependencies = dependencies();
    for (name, allowed) in ARROWS {
        let ours: Vec<_> =
            dependencies[name].iter().filter(|name| name.starts_with("forebay")).collect();
        for dependency in ours {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not use {dependency}");
        }
    }
    let known: BTreeSet<_> = ARROWS.iter().map(|(name, _)| *name).collect();
    let not_layers = [
        "forebay-actix",
        "forebay-chat",
        "forebay-cluster",
        "forebay-e2e-app",
        "forebay-instructions",
        "forebay-interleavings",
        "forebay-mistakes",
        "forebay-rig",
        "xtask",
    ];
    for name in dependencies.keys().filter(|name| !not_layers.contains(&name.as_str())) {
        assert!(known.contains(name.as_str()), "{name} is in no layer: say which in ARROWS");
    }
}

/// That none of `dependencies` is one of the crate's, directly or not.
fn reaches_none(name: &str, dependencies: &[&str]) {
    let whole = ["--edges", "normal", "--prefix", "none", "--all-features"];
    let tree = cargo(&[&["tree", "--package", name], &whole[..]].concat());
    for line in tree.lines() {
        let dependency = line.split(' ').next().unwrap_or_default();
        assert!(!dependencies.contains(&dependency), "{name} reaches {dependency}");
    }
}

#[test]
fn pure_crates_reach_no_shell() {
    for name in PURE {
        reaches_none(name, &SHELL_CRATES);
    }
}

#[test]
fn the_core_reaches_no_web_framework() {
    reaches_none("forebay-core", &FRAMEWORKS);
}

#[test]
fn pure_crates_say_nothing_of_the_shell() {
    let shells: Vec<_> =
        ARROWS.iter().map(|(name, _)| *name).filter(|name| !PURE.contains(name)).collect();
    assert_eq!(who_says(&SHELL_WORDS, &shells), [""; 0]);
}

#[test]
fn only_turbo_writes_html() {
    let tags = ["<turbo-", "</", "<template", "<meta"];
    assert_eq!(who_says(&tags, &["forebay-turbo"]), [""; 0]);
}

#[test]
fn only_signing_touches_keys() {
    let dependencies = dependencies();
    for crypto in ["hmac", "sha2", "pbkdf2", "subtle"] {
        let users: Vec<_> = dependencies
            .iter()
            .filter(|(_, dependencies)| dependencies.contains(crypto))
            .map(|(name, _)| name.as_str())
            .collect();
        assert!(users.iter().all(|name| *name == "forebay-signing"), "{crypto}: {users:?}");
    }
}

/// An id or a key that is not random where the system has no randomness is one to be guessed.
#[test]
fn randomness_has_no_stand_in() {
    let stand_ins = ["getrandom::u64().unwrap_or", "getrandom::u64().ok("];
    assert_eq!(who_says(&stand_ins, &[]), [""; 0]);
}

#[test]
fn only_the_server_reads_the_environment_logs_and_exits() {
    let words = ["std::env::var", "env::vars", "process::exit", "tracing_subscriber"];
    assert_eq!(who_says(&words, &["forebay-server"]), [""; 0]);
}

#[test]
fn the_log_and_the_session_never_name_a_wall_clock() {
    // `Duration` and `UnixMillis` come in as arguments.
    for name in ["forebay-log", "forebay-presence", "forebay-cable"] {
        for (path, text) in sources(name) {
            let code = code(&path, &text);
            assert!(
                !code.contains("SystemTime") && !code.contains("Instant"),
                "{}",
                path.display()
            );
        }
    }
}
