//! What options mean together.

use super::*;
use crate::options::tests::settings_of;

fn config(flags: &str) -> Config {
    Config::new(&settings_of(&format!("serve {flags}"))).unwrap()
}

/// Who may broadcast, and the listener of their own, if there is one.
#[track_caller]
fn check(flags: &str, access: &str, own: Option<&str>) {
    let config = config(flags);
    let actual = match &config.access {
        Access::Bearer(tokens) => format!("{} keys", tokens.len()),
        Access::Loopback => "this machine".to_owned(),
        Access::Anybody => "anybody".to_owned(),
    };
    let place = config.publishers.map(|Place { host, port }| format!("{host} {port}"));
    assert_eq!((actual.as_str(), place.as_deref()), (access, own), "{flags}");
}

#[test]
fn publishers_have_a_port_of_their_own_where_there_is_no_key() {
    check("--secret s", "1 keys", None);
    check("--secret s --previous-secrets t", "2 keys", None);
    check("--secret s --host 0.0.0.0 --broadcast-port 9", "1 keys", Some("0.0.0.0 9"));
    check("--secret s --broadcast-port 8080", "1 keys", None);
    check("--secret s --broadcast-port 9 --broadcast-host ::1", "1 keys", Some("::1 9"));
    check("--public", "this machine", Some("localhost 8090"));
    check("--public --secret s", "this machine", Some("localhost 8090"));
    check("--public --broadcast-key k", "1 keys", None);
    check("--public --host 0.0.0.0", "this machine", Some("localhost 8090"));
    check("--public --broadcast-port 8080", "this machine", None);
    check("--public --port 0 --broadcast-port 0", "this machine", Some("localhost 0"));
    check("--streams-secret s", "this machine", Some("localhost 8090"));
    check("--public --broadcast-host 0.0.0.0", "anybody", Some("0.0.0.0 8090"));
}

#[test]
fn what_is_dangerous_is_warned_about() {
    let check = |flags: &str, expected: &[&str]| {
        let warnings = config(flags).warnings;
        assert_eq!(warnings.len(), expected.len(), "{flags}: {warnings:?}");
        for (warning, expected) in warnings.iter().zip(expected) {
            assert!(warning.contains(expected), "{warning}");
        }
    };
    check("--secret 0123456789abcdef", &[]);
    check("--secret short", &["--secret: a secret of 5 bytes can be guessed"]);
    check("--public --broadcast-host 0.0.0.0", &["everybody who can reach 0.0.0.0 may broadcast"]);
}

#[test]
fn pages_are_told_to_leave_within_the_time_there_is() {
    let check = |flags: &str, seconds| {
        let spread = config(&format!("--public {flags}")).shutdown.spread;
        assert_eq!(spread.as_secs(), seconds, "{flags}");
    };
    check("", 10);
    check("--shutdown-timeout 6", 2);
    check("--shutdown-timeout 60", 10);
    check("--shutdown-spread 20", 20);
}
