//! Requests as they arrive from pages, programs and proxies.

use super::*;

fn request(headers: &[(&str, &str)], ends: Option<(&str, &str)>) -> request::Parts {
    let mut request = http::Request::get("/cable");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some((peer, local)) = ends {
        let ends = Ends { peer: peer.parse().unwrap(), local: local.parse().ok() };
        request = request.extension(ends);
    }
    request.body(()).unwrap().into_parts().0
}

/// Asked from this machine at 127.0.0.1:8080.
const HERE: Option<(&str, &str)> = Some(("127.0.0.1:5000", "127.0.0.1:8080"));

#[track_caller]
fn check(
    door: &Door,
    headers: &[(&str, &str)],
    ends: Option<(&str, &str)>,
    expected: Result<(), Denied>,
) {
    assert_eq!(door.check(&request(headers, ends)), expected, "{headers:?} {ends:?}");
}

#[test]
fn pages_of_the_same_host_and_programs() {
    let door = Door::default();
    check(&door, &[], None, Ok(()));
    check(&door, &[("host", "a.example")], None, Ok(()));
    check(&door, &[("host", "a.example"), ("origin", "https://a.example")], None, Ok(()));
    let there = ("origin", "https://b.example");
    check(&door, &[("host", "a.example"), there], None, Err(Denied::ForeignOrigin));
    check(&door, &[there], None, Err(Denied::ForeignOrigin));
    check(&door, &[("host", "a.example"), ("origin", "null")], None, Err(Denied::ForeignOrigin));
    check(&Origins::any().into(), &[("host", "a.example"), there], None, Ok(()));
    let http2 = http::Request::get("https://a.example/cable").header("origin", "https://a.example");
    assert_eq!(door.check(&http2.body(()).unwrap().into_parts().0), Ok(()));
}

#[test]
fn two_hosts_or_two_origins_are_none() {
    let (one, two) = (("host", "a.example"), ("host", "b.example"));
    check(&Door::default(), &[one, two], None, Err(Denied::TwoHosts));
    check(&Origins::any().into(), &[one, one], None, Err(Denied::TwoHosts));
    let origins = [one, ("origin", "https://a.example"), ("origin", "https://b.example")];
    check(&Door::default(), &origins, None, Err(Denied::ForeignOrigin));
}

#[test]
fn only_trusted_proxies_say_which_host_was_asked() {
    let headers = [
        ("host", "10.0.0.1:8080"),
        ("x-forwarded-host", "www.example"),
        ("origin", "https://www.example"),
    ];
    let refused = Err(Denied::ForeignOrigin);
    let proxy = Some(("10.0.0.7:5000", "10.0.0.1:8080"));
    check(&Door::default(), &headers, proxy, refused);
    check(&Door::default(), &headers, None, refused);
    for trusted in ["10.0.0.7", "10.0.0.0/8", "0.0.0.0/0"] {
        let door = Door::default().proxy(trusted).unwrap();
        check(&door, &headers, proxy, Ok(()));
        check(&door, &headers, Some(("[::ffff:10.0.0.7]:5000", "10.0.0.1:8080")), Ok(()));
        // Nobody knows who asks.
        check(&door, &headers, None, refused);
        // The visitor's name for the server counts, not the proxy's.
        let internal = [headers[0], headers[1], ("origin", "http://10.0.0.1:8080")];
        check(&door, &internal, proxy, refused);
    }
    let other = Door::default().proxy("10.0.0.8").unwrap();
    check(&other, &headers, proxy, refused);
    let v6 = Door::default().proxy("fd00::/8").unwrap();
    check(&v6, &headers, Some(("[fd00::7]:5000", "[fd00::1]:8080")), Ok(()));
    for bad in ["", "proxy.example", "10.0.0.0/33", "10.0.0.7:80", "*"] {
        assert!(Door::default().proxy(bad).is_err(), "{bad}");
    }
}

#[test]
fn only_trusted_proxies_say_who_asks() {
    let client = |door: &Door, forwarded: &[(&str, &str)]| {
        door.client(&request(forwarded, Some(("10.0.0.7:5000", "10.0.0.1:8080"))))
            .unwrap()
            .to_string()
    };
    let trusting = Door::default().proxy("10.0.0.7").unwrap();
    let forwarded = [("x-forwarded-for", "1.1.1.1, 192.0.2.3")];
    assert_eq!(client(&Door::default(), &forwarded), "10.0.0.7");
    assert_eq!(client(&trusting, &forwarded), "192.0.2.3", "the proxy's own word is the last");
    assert_eq!(client(&trusting, &[]), "10.0.0.7");
    assert_eq!(client(&trusting, &[("x-forwarded-for", "unknown")]), "10.0.0.7");
    assert_eq!(Door::default().client(&request(&[], None)), None);
}

/// `evil.example` is a name of 127.0.0.1, as its owner says, and its page is in a browser of this machine.
#[test]
fn a_name_that_was_pointed_at_the_loopback_address_is_not_this_server() {
    let door = Door::default();
    let evil = [("host", "evil.example:8080"), ("origin", "http://evil.example:8080")];
    check(&door, &evil, HERE, Err(Denied::ForeignHost));
    check(&door, &evil[..1], HERE, Err(Denied::ForeignHost));
    let port80 = Some(("127.0.0.1:5000", "127.0.0.1:80"));
    check(&door, &[("host", "evil.example")], port80, Err(Denied::ForeignHost));
    check(&door, &evil, Some(("[::1]:5000", "[::1]:8080")), Err(Denied::ForeignHost));
    for own in ["localhost:8080", "app.localhost:8080", "127.0.0.1:8080", "[::1]:8080"] {
        let origin = format!("http://{own}");
        check(&door, &[("host", own), ("origin", &origin)], HERE, Ok(()));
    }
    // A proxy on this machine, and a server that others reach.
    let proxied = [("host", "www.example"), ("origin", "https://www.example")];
    check(&door, &proxied, HERE, Ok(()));
    check(&door, &evil, Some(("10.0.0.7:5000", "10.0.0.1:8080")), Ok(()));
    let named = Origins::same().and("http://evil.example:8080").unwrap().into();
    check(&named, &evil, HERE, Ok(()));
    check(&Origins::any().into(), &evil, HERE, Ok(()));
}

#[test]
fn where_hosts_are_said_others_are_refused() {
    let door = Door::default().host("www.example").unwrap().host("*.app.example:8443").unwrap();
    let check = |host, expected| check(&door, &[("host", host)], HERE, expected);
    check("www.example", Ok(()));
    check("WWW.example:8080", Ok(()));
    check("a.app.example:8443", Ok(()));
    check("a.app.example", Err(Denied::ForeignHost));
    check("localhost:8080", Err(Denied::ForeignHost));
    check("", Err(Denied::ForeignHost));
    for bad in ["", "https://a", "a b", "a:x", "*.10.0.0.1", "*"] {
        assert!(Door::default().host(bad).is_err(), "{bad}");
    }
}
