//! A real nginx in front of the server, with its usual mistakes.

use super::{check, with_secret};
use crate::documentation::Nginx;
use crate::support::Server;

const UPGRADE: &str = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
                       proxy_set_header Connection \"upgrade\";";
const HOST: &str = "proxy_set_header Host $http_host;";
const UNBUFFERED: &str =
    "proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_buffering off;";
/// Nothing of the server's says otherwise. Over HTTP/1.1 nginx passes on whole chunks as they come.
const BUFFERED: &str = "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;";
const IMPATIENT: &str = "proxy_read_timeout 1s;";

/// A location for the cable and one for the rest.
fn block(to: &str, cable: &[&str], rest: &[&str]) -> String {
    let (cable, rest) = (cable.concat(), rest.concat());
    format!(
        "location /cable {{ proxy_pass http://{to}; {cable} }}\n\
         location /forebay/ {{ proxy_pass http://{to}; {rest} }}\n\
         location /health {{ proxy_pass http://{to}; }}\n\
         location /ready {{ proxy_pass http://{to}; }}\n"
    )
}

/// All at the same time: each takes as long as a quiet connection is held.
#[test]
#[ignore = "needs nginx; cargo xtask ruby installs it"]
fn five_wrong_configurations_are_named_and_the_right_one_is_not() {
    let often = ["--ping-interval", "500ms"];
    let (one, other) = (Server::start(&often), Server::start(&often));
    // Between its pings nginx loses its patience.
    let seldom = Server::start(&[]);
    let both = format!("upstream both {{ server {}; server {}; }}\n", one.address, other.address);
    let address = &*one.address;
    let cases: [(&str, String, &[&str]); 6] = [
        ("", block(address, &[UPGRADE, HOST], &[UNBUFFERED, HOST]), &[]),
        ("", block(address, &[HOST], &[UNBUFFERED, HOST]), &["upgrade_headers"]),
        ("", block(address, &[UPGRADE, HOST], &[BUFFERED, HOST]), &["buffering"]),
        (
            "",
            block(&seldom.address, &[UPGRADE, HOST, IMPATIENT], &[UNBUFFERED, HOST, IMPATIENT]),
            &["idle_timeout", "idle_timeout"],
        ),
        ("", block(address, &[UPGRADE], &[UNBUFFERED]), &["proxy_host"]),
        (&both, block("both", &[UPGRADE, HOST], &[UNBUFFERED, HOST]), &["two_logs"]),
    ];
    std::thread::scope(|scope| {
        for (before, block, expected) in cases {
            // The broadcast has to come to the server that is asked.
            let is_seldoms = block.contains(IMPATIENT);
            let posted = if is_seldoms { seldom.broadcast_url() } else { one.broadcast_url() };
            scope.spawn(move || {
                let nginx = Nginx::start_with(before, &block, address);
                let site = format!("http://{}", nginx.address);
                let flags = ["--broadcast-url", &posted, "--hold", "4s"];
                check(&site, &with_secret(&flags)[2..], expected);
            });
        }
    });
}
