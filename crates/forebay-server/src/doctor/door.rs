//! Whether a page is let in: upgrade, subprotocol, origin, and the first words.

use std::time::{Duration, Instant};

use http::StatusCode;

use super::cable::{Cable, OURS, RAILS, Refusal};
use super::fault::{Fault, Report};
use super::target::Target;
use super::web::{self, ANSWER_MAX};

/// What nobody's pages have: `.invalid` is reserved (RFC 6761).
const FOREIGN: &str = "https://forebay-doctor.invalid";

/// How often Rails pings.
const PING: Duration = Duration::from_secs(3);

/// What Rails says to a handshake that it refuses.
const RAILS_REFUSES: &str = "Page not found";

/// What a page met.
#[derive(Debug)]
pub(super) struct Met {
    protocol: String,
    /// How often the server pings. Rails does not say it.
    pub(super) ping: Duration,
}

impl Met {
    pub(super) fn is_ours(&self) -> bool {
        self.protocol == OURS
    }
}

/// Checks it. Gives what the server is, if a page is let in.
pub(super) async fn check(target: &Target, report: &mut Report) -> Option<Met> {
    let mut cable = match Cable::open(&target.cable, &target.origin).await {
        Ok(cable) => cable,
        Err(refusal) => {
            let fault = refused(target, refusal).await;
            report.add("handshake", fault);
            return None;
        }
    };
    report.checked("handshake");
    let welcome = cable.next(Instant::now() + ANSWER_MAX).await;
    let welcome = welcome.ok().flatten().filter(|said| said["type"] == "welcome");
    let Some(welcome) = welcome else {
        report.add("handshake", Fault {
            name: "no_welcome",
            what: format!("the WebSocket at {} is open, but no welcome came within {ANSWER_MAX:?}", target.cable),
            why: "something else than Action Cable answers there, or a proxy holds messages back; pages wait for ever".to_owned(),
            change: "let the cable's path lead to the cable; look at the proxy's buffering of WebSockets".to_owned(),
        });
        return None;
    };
    match Cable::open(&target.cable, FOREIGN).await {
        Ok(_) => report.add("origin", Fault {
            name: "any_origin",
            what: format!("a page of {FOREIGN} is let in"),
            why: "any website can open a connection in the name of your visitors".to_owned(),
            change: "name your pages in allowed_origins, and take * out (Rails: allowed_request_origins, without disable_request_forgery_protection)".to_owned(),
        }),
        Err(_) => report.checked("origin"),
    }
    let ping = welcome["ping"].as_u64().map_or(PING, Duration::from_millis);
    Some(Met { protocol: cable.protocol, ping })
}

async fn refused(target: &Target, refusal: Refusal) -> Fault {
    let cable = &target.cable;
    let (status, body) = match refusal {
        Refusal::Http(status) => (status, says(target).await),
        Refusal::NoProtocol => {
            return Fault {
                name: "subprotocol",
                what: format!("the WebSocket at {cable} does not speak actioncable-v1-json"),
                why: "Action Cable's client closes such a connection at once".to_owned(),
                change: "let the proxy pass Sec-WebSocket-Protocol, in both directions".to_owned(),
            };
        }
        Refusal::Broken(error) => {
            return Fault {
                name: "handshake",
                what: format!("the handshake at {cable} broke off: {error:#}"),
                why: "no page can connect".to_owned(),
                change: "see the log of the server and of the proxy at this moment".to_owned(),
            };
        }
    };
    if status == StatusCode::NOT_FOUND && body.trim() == RAILS_REFUSES {
        return refused_by_rails(target).await;
    }
    of_status(target, status, &body)
}

/// The body of the answer, for which the handshake does not wait.
async fn says(target: &Target) -> String {
    let headers = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        // Any 16 bytes will do (RFC 6455, section 4.1).
        ("sec-websocket-key", "Zm9yZWJheSBkb2N0b3IuLg=="),
        ("sec-websocket-protocol", RAILS),
        ("origin", &target.origin),
    ];
    let answer = web::get(&target.cable.to_string(), &headers).await;
    answer.map(|answer| answer.body).unwrap_or_default()
}

/// What an answer of HTTP to a handshake is a sign of.
fn of_status(target: &Target, status: StatusCode, body: &str) -> Fault {
    let Target { cable, origin, .. } = target;
    let says = body.lines().next().unwrap_or_default().trim();
    match status.as_u16() {
        426 | 400 => Fault {
            name: "upgrade_headers",
            what: format!("the server at {cable} got an ordinary request instead of a WebSocket's ({status}: {says})"),
            why: "a proxy does not pass on Upgrade and Connection, so no page can connect".to_owned(),
            change: "nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\";".to_owned(),
        },
        403 if says.contains("this origin") && target.is_same_origin => Fault {
            name: "proxy_host",
            what: format!("pages of {origin} are refused, though they are of the cable's own host"),
            why: "the proxy asks the server for another host, so your own pages look like those of a stranger".to_owned(),
            change: "nginx: proxy_set_header Host $http_host; or X-Forwarded-Host, with the proxy in trusted_proxies; or name the page in allowed_origins".to_owned(),
        },
        403 if says.contains("this origin") => Fault {
            name: "origin",
            what: format!("pages of {origin} are refused"),
            why: "they are of another host than the cable, and are not named".to_owned(),
            change: format!("allowed_origins = [\"{origin}\"]"),
        },
        403 if says.contains("this host") => Fault {
            name: "host",
            what: format!("the server does not know itself by this name ({says})"),
            why: "every page is refused".to_owned(),
            change: "name the host in hosts, or let the proxy pass it on: nginx: proxy_set_header Host $http_host;".to_owned(),
        },
        404 => Fault {
            name: "path",
            what: format!("nothing is at {cable} (404)"),
            why: "pages ask there, and no subscription is ever confirmed".to_owned(),
            change: "let the proxy send this path to the cable; or correct the meta tag action-cable-url (Rails: config.action_cable.url) and mount_path".to_owned(),
        },
        502 | 504 => Fault {
            name: "upstream",
            what: format!("the proxy at {cable} does not reach the server ({status})"),
            why: "no page can connect".to_owned(),
            change: "start the server, or correct its address in the proxy (nginx: proxy_pass)".to_owned(),
        },
        503 => Fault {
            name: "unavailable",
            what: format!("the server turns pages away for now (503: {says})"),
            why: "it is full, shuts down, or has lost its log; pages come back and ask again".to_owned(),
            change: "see /ready, max_conn, the limit of open files, and the log's store".to_owned(),
        },
        _ => Fault {
            name: "handshake",
            what: format!("{cable} answers a WebSocket's handshake with {status}: {says}"),
            why: "no page can connect".to_owned(),
            change: "see the log of the server and of the proxy at this moment".to_owned(),
        },
    }
}

/// Rails says the same to a foreign origin and to a request that is no handshake. Other origins tell.
async fn refused_by_rails(target: &Target) -> Fault {
    let host = target.site.split_once("://").map_or("", |(_, host)| host);
    for origin in [target.site.clone(), format!("https://{host}"), format!("http://{host}")] {
        if origin != target.origin && Cable::open(&target.cable, &origin).await.is_ok() {
            return Fault {
                name: "origin",
                what: format!(
                    "Rails refuses pages of {}, and takes those of {origin}",
                    target.origin
                ),
                why: "a page of that origin never subscribes; Rails answers it with 404".to_owned(),
                change: format!(
                    "config.action_cable.allowed_request_origins = [\"{}\"]; behind a proxy that ends TLS also: proxy_set_header X-Forwarded-Proto $scheme;",
                    target.origin
                ),
            };
        }
    }
    Fault {
        name: "origin_or_upgrade",
        what: format!("Rails refuses the handshake of a page of {} (404)", target.origin),
        why: "it says so to an origin that is not allowed, and to a request that a proxy has taken the upgrade headers from".to_owned(),
        change: format!(
            "config.action_cable.allowed_request_origins = [\"{}\"]; and in nginx proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\"; proxy_set_header Host $http_host;",
            target.origin
        ),
    }
}
