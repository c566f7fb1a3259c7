//! Which origins fit which patterns, and which are none.

use super::*;

fn origins(patterns: &[&str]) -> Origins {
    patterns.iter().fold(Origins::same(), |origins, pattern| origins.and(pattern).unwrap())
}

#[track_caller]
fn check(pattern: &str, origin: &str, expected: bool) {
    let origin = Origin::parse(origin);
    let allowed = origin.as_ref().is_some_and(|origin| origins(&[pattern]).allow(origin));
    assert_eq!(allowed, expected, "{origin:?} with {pattern}");
}

#[test]
fn web_origins_fit_by_scheme_host_and_port() {
    check("https://app.example.com", "https://app.example.com", true);
    check("https://app.example.com", "https://APP.example.com:443", true);
    check("https://app.example.com:443", "https://app.example.com", true);
    check("https://app.example.com", "http://app.example.com", false);
    check("https://app.example.com", "https://app.example.com:8443", false);
    check("https://app.example.com", "https://app.example.com.", false);
    check("http://[::1]:3000", "http://[0:0:0:0:0:0:0:1]:3000", true);
    check("http://127.0.0.1:3000", "http://127.0.0.1:3000", true);
}

#[test]
fn origins_without_a_port_fit_by_scheme_and_host() {
    check("capacitor://localhost", "capacitor://localhost", true);
    check("Capacitor://Localhost", "capacitor://localhost", true);
    check("capacitor://localhost", "ionic://localhost", false);
    check("capacitor://localhost", "capacitor://localhost:80", false);
    check("capacitor://localhost", "http://localhost", false);
    check("ionic://localhost", "ionic://localhost", true);
    check("tauri://localhost", "tauri://localhost", true);
    let extension = "chrome-extension://gighmmpiobklfepjocnamgkkbiglidom";
    check(extension, extension, true);
    check(extension, "chrome-extension://aaaammpiobklfepjocnamgkkbiglidom", false);
    let other = "moz-extension://0a2b1c3d-4e5f-4789-8abc-def012345678";
    check(other, other, true);
    check("moz-extension://*", other, true);
    check("moz-extension://*", extension, false);
    check("file://", "file://", true);
    check("file://", "null", false);
}

#[test]
fn pages_without_an_origin_are_let_in_only_where_that_is_said() {
    check("null", "null", true);
    check("null", "https://null", false);
    check("https://null", "null", false);
    check("https://*.example.org", "null", false);
    assert!(Origins::any().allow(&Origin::Null) && !Origins::same().allow(&Origin::Null));
}

#[test]
fn a_wildcard_stands_for_what_an_origin_can_have() {
    check("https://*.example.org", "https://a.b.example.org", true);
    check("https://*.example.org", "https://example.org", false);
    check("https://*.example.org", "https://evilexample.org", false);
    check("http://localhost:*", "http://localhost:5173", true);
    check("http://localhost:*", "http://localhost", true);
    for nobodys in [
        "https://evil.org/.example.org",
        "https://evil.org#.example.org",
        "https://evil.org?.example.org",
        "https://evil.org\\.example.org",
        "https://me@a.example.org",
        "https://evil.org:443.example.org",
        "https://a b.example.org",
        "https://a,b.example.org",
        "https://..example.org",
        "https://.example.org",
        "https://*.example.org",
        "https://ü.example.org",
        "https://[::1].example.org",
        &format!("https://{}.example.org", "a".repeat(250)),
    ] {
        check("https://*.example.org", nobodys, false);
        assert!(Origin::parse(nobodys).is_none(), "{nobodys}");
    }
    for nobodys in ["x", "", "0", "-1", "+1", "65536", "80 ", "*"] {
        check("http://localhost:*", &format!("http://localhost:{nobodys}"), false);
    }
}

#[test]
fn what_no_page_has_is_no_pattern() {
    for bad in [
        "example.com",
        "https://",
        "https://*",
        "https://a/b",
        "https://a/",
        "https://a:x",
        "https://a:",
        "https://a:0",
        "https://*.*.example.com",
        "https://a.*.example.com",
        "https://*.10.0.0.1",
        "https://*.[::1]",
        "https://1.2.3",
        "https://a..b",
        "https://me@a",
        "wss://example.com",
        "ws://*.example.com",
        "1http://example.com",
        "://example.com",
        "NULL",
        "",
    ] {
        let error = Origins::same().and(bad).unwrap_err().to_string();
        assert!(error.contains(bad), "{error}");
    }
}

#[test]
fn pages_of_the_servers_own_host() {
    let check = |origin: &str, host: &str, expected| {
        let (host, port) = split_port(host);
        let (host, port) = (Host::parse(host).unwrap(), port.and_then(parse_port));
        let origin = Origin::parse(origin).unwrap();
        assert_eq!(origin.is_of(&host, port), expected, "{origin:?} at {host:?} {port:?}");
    };
    check("http://localhost:3000", "localhost:3000", true);
    check("http://localhost:3001", "localhost:3000", false);
    check("https://example.com", "example.com", true);
    check("https://example.com", "example.com:443", true);
    check("https://example.com", "example.com:80", false);
    check("https://EXAMPLE.com:443", "example.com", true);
    check("https://example.com.evil.org", "example.com", false);
    check("https://evil.org", "example.com", false);
    check("http://[::1]:3000", "[::1]:3000", true);
    check("http://[::1]", "[::1]", true);
    // It has this host, but it is no page that this host has served.
    check("capacitor://localhost", "localhost", false);
    check("null", "null", false);
}
