//! What a proxy does to connections that are quiet, and to answers that go on: measured by holding them.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::json;

use super::cable::{Cable, Held, RAILS, Subscribed, identifier};
use super::door::Met;
use super::fault::{Fault, Report};
use super::target::Target;
use super::web::{self, Pieces};

/// What a ping may take on its way, and a tick late.
const PING_LATE: Duration = Duration::from_secs(2);

/// The longest that a poll of our client's waits.
const POLL_MAX: Duration = Duration::from_secs(25);

/// What the answer to a poll may take on its way, once the server has given it.
const LATE: Duration = Duration::from_secs(5);

pub(super) async fn check(target: &Target, signed: &str, met: &Met, report: &mut Report) {
    if !met.is_ours() {
        let held = hold(target, signed).await;
        report.skipped("buffering", "the server at this address is not Forebay");
        return report.note("idle time-outs", held.and_then(|held| cut(target, held)));
    }
    let (held, piece, poll) =
        tokio::join!(hold(target, signed), stream(target, signed, met), poll(target, signed));
    report.note("idle time-outs", held.and_then(|held| cut(target, held)));
    report.note("idle time-outs", poll);
    report.note("buffering", piece);
}

fn command(signed: &str) -> String {
    json!({ "command": "subscribe", "identifier": identifier(signed) }).to_string()
}

/// Holds a WebSocket on which only the server speaks.
async fn hold(target: &Target, signed: &str) -> Option<Held> {
    let mut cable = Cable::open_with(&target.cable, &target.origin, RAILS).await.ok()?;
    let Subscribed::Confirmed(_) = cable.subscribe(signed).await else { return None };
    Some(cable.hold(target.hold).await)
}

fn cut(target: &Target, held: Held) -> Option<Fault> {
    let lasted = held.lasted?;
    Some(Fault {
        name: "idle_timeout",
        what: format!(
            "a WebSocket that only the server spoke on was cut after {lasted:.1?} (held for {:?}; its longest pause was {:.1?})",
            target.hold, held.quiet
        ),
        why: "pages lose their connection again and again, and are replayed each time".to_owned(),
        change: "nginx: proxy_read_timeout 60s; proxy_send_timeout 60s; or more; in a load balancer its idle time-out".to_owned(),
    })
}

async fn stream(target: &Target, signed: &str, met: &Met) -> Option<Fault> {
    let url = format!("{}/events", target.prefix);
    let max = met.ping * 2 + PING_LATE;
    match web::pieces(target, &url, command(signed), max).await {
        // Who is cut is found where quiet connections are held.
        Ok(Pieces::Come | Pieces::Cut) => None,
        Ok(Pieces::Held) => Some(Fault {
            name: "buffering",
            what: format!("no ping came on an event stream at {url} within {max:?}; the server sends one every {:?}", met.ping),
            why: "a proxy collects answers before it passes them on, so pages without WebSockets get everything late or never".to_owned(),
            change: format!("nginx: proxy_buffering off; in the location of {}/ (and no proxy_ignore_headers X-Accel-Buffering)", target.prefix),
        }),
        Ok(Pieces::Refused(status)) => Some(no_way(&url, &status.to_string())),
        Err(error) => Some(no_way(&url, &format!("{error:#}"))),
    }
}

fn no_way(url: &str, why: &str) -> Fault {
    Fault {
        name: "fallback",
        what: format!("{url} does not answer as it should: {why}"),
        why: "pages behind a firewall that stops WebSockets have no other way, and forebay.js can't be loaded from there".to_owned(),
        change: "let the proxy send the paths of prefix (/forebay/) to the server, as it does with the cable".to_owned(),
    }
}

/// Asks for what does not come, and sees whether the server's answer arrives or a proxy's.
async fn poll(target: &Target, signed: &str) -> Option<Fault> {
    let first = format!("{}/poll?wait=0", target.prefix);
    let headers = [("content-type", "application/json"), ("origin", &*target.origin)];
    let answer = web::post(&first, &headers, command(signed), web::ANSWER_MAX).await;
    let confirmed = match answer {
        Ok(answer) if answer.status == StatusCode::OK => answer.body,
        Ok(answer) => return Some(no_way(&first, &answer.status.to_string())),
        Err(error) => return Some(no_way(&first, &format!("{error:#}"))),
    };
    // From where it stands there is nothing to say, so the next one waits.
    let at = serde_json::from_str::<serde_json::Value>(&confirmed).ok()?;
    let at = at.as_array()?.iter().find_map(|said| said["at"].as_str())?.to_owned();
    let wait = target.hold.min(POLL_MAX);
    let url = format!("{}/poll?wait={}", target.prefix, wait.as_secs());
    let body = json!({ "command": "subscribe", "identifier": identifier(signed), "after": at, "quiet": true });
    let began = Instant::now();
    let answer = web::post(&url, &headers, body.to_string(), wait + LATE).await;
    let took = began.elapsed();
    let why = match answer {
        Ok(answer) if answer.status == StatusCode::OK => return None,
        Ok(answer) => format!("was answered with {}", answer.status),
        Err(error) => format!("was cut ({error:#})"),
    };
    Some(Fault {
        name: "idle_timeout",
        what: format!("a poll that the server answers after {wait:?} {why} after {took:.1?}"),
        why: "a proxy does not wait for quiet answers, so pages without WebSockets ask again and again".to_owned(),
        change: "nginx: proxy_read_timeout 60s; or more; in a load balancer its idle time-out".to_owned(),
    })
}
