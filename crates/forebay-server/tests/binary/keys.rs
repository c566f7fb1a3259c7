//! Which secret opens what.

use forebay_core::signing::{BEARER_BROADCAST, Key, KeyDigest, Verifier, derived_bearer};
use serde_json::json;

use crate::support::{Server, pubsub};

fn signed(channel: &str, key: Key, stream: &str) -> String {
    let name = Verifier::new(key).sign(stream);
    json!({ "channel": channel, "signed_stream_name": name }).to_string()
}

const TURBO: &str = "Turbo::StreamsChannel";
const PUBSUB: &str = "$pubsub";
const BASE: &str = "0123456789abcdef0123456789abcdef";

/// Which of these keys the server accepts, for each channel.
#[track_caller]
fn check(flags: &[&str], keys: &[(&str, &str, Key, bool)]) {
    let server = Server::start_with(&[flags, &["--broadcast-port", "0"]].concat());
    for (what, channel, key, expected) in keys {
        let mut page = server.page();
        let answer = page.try_subscribe(&signed(channel, key.clone(), "s"));
        let expected = if *expected { "confirm_subscription" } else { "reject_subscription" };
        assert_eq!(answer, expected, "{what} for {channel} with {flags:?}");
    }
}

#[test]
fn a_rails_secret_is_derived_from_and_anycables_is_the_key() {
    let derived = |digest| Key::derive_turbo(BASE, digest);
    let sha256 = || derived(KeyDigest::Sha256);
    let sha1 = || derived(KeyDigest::Sha1);
    check(
        &["--secret-key-base", BASE],
        &[
            ("derived", TURBO, sha256(), true),
            ("sha1", TURBO, sha1(), false),
            ("raw", TURBO, Key::raw(BASE), false),
            ("raw", PUBSUB, Key::raw(BASE), true),
        ],
    );
    check(
        &["--secret-key-base", BASE, "--secret-key-base-digest", "sha1"],
        &[("sha1", TURBO, sha1(), true), ("sha256", TURBO, sha256(), false)],
    );
    check(
        &["--secret", BASE],
        &[
            ("raw", TURBO, Key::raw(BASE), true),
            ("raw", PUBSUB, Key::raw(BASE), true),
            ("derived", TURBO, sha256(), false),
        ],
    );
    check(
        &["--secret", "anycable", "--turbo-streams-secret", "turbo", "--streams-secret", "streams"],
        &[
            ("turbo", TURBO, Key::raw("turbo"), true),
            ("turbo", PUBSUB, Key::raw("turbo"), false),
            ("streams", PUBSUB, Key::raw("streams"), true),
            ("streams", TURBO, Key::raw("streams"), false),
            ("secret", TURBO, Key::raw("anycable"), false),
        ],
    );
    check(
        &[
            "--secret",
            "new",
            "--previous-secrets",
            "old,older",
            "--previous-secret-key-bases",
            BASE,
        ],
        &[
            ("new", TURBO, Key::raw("new"), true),
            ("old", TURBO, Key::raw("old"), true),
            ("older", PUBSUB, Key::raw("older"), true),
            ("derived", TURBO, sha256(), true),
            ("other", TURBO, Key::raw("other"), false),
        ],
    );
}

#[test]
fn publishers_show_the_key_or_what_is_derived_from_a_secret() {
    let check = |flags: &[&str], keys: &[(&str, bool)]| {
        let server = Server::start_with(flags);
        assert_eq!(server.address, server.publishers, "with a key there is one port");
        for (key, expected) in keys {
            let header = format!("authorization: Bearer {key}");
            let status = server.publisher().post(&header, "[]").status;
            assert_eq!(status, if *expected { 201 } else { 401 }, "{key} with {flags:?}");
        }
    };
    let derived = |secret: &str| derived_bearer(secret, BEARER_BROADCAST);
    let both = ["--secret", "a", "--secret-key-base", BASE];
    check(&both, &[(&derived("a"), true), (&derived(BASE), false), ("a", false), ("", false)]);
    check(&["--secret-key-base", BASE], &[(&derived(BASE), true)]);
    let own = ["--secret", "a", "--broadcast-key", "k", "--previous-secrets", "b"];
    check(&own, &[("k", true), (&derived("a"), false), (&derived("b"), false)]);
    let rotated = ["--secret", "a", "--previous-secrets", "b"];
    check(&rotated, &[(&derived("a"), true), (&derived("b"), true)]);
}

#[test]
fn public_streams_are_public_by_pattern() {
    let server = Server::start(&["--public-streams", "news,chat/*"]);
    let mut page = server.page();
    for (stream, expected) in
        [("news", true), ("chat/1", true), ("newsroom", false), ("secret", false)]
    {
        let expected = if expected { "confirm_subscription" } else { "reject_subscription" };
        assert_eq!(page.try_subscribe(&pubsub(stream)), expected, "{stream}");
    }
    let channel = json!({ "channel": TURBO, "stream_name": "news" }).to_string();
    assert_eq!(page.try_subscribe(&channel), "reject_subscription");
}
