//! Whether all servers at an address have one log: the epochs that they say, and a broadcast that each must see.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::json;

use super::cable::{Cable, Subscribed};
use super::fault::{Fault, Report};
use super::target::Target;
use super::{secret, web};
use crate::keys;
use crate::options::Settings;
use forebay_core::signing::Verifier;

/// Connections that are compared. A balancer that takes its servers in turn shows all of up to six.
const CONNECTIONS: usize = 6;

/// How long a broadcast may take from one server to the others.
const DELIVERY_MAX: Duration = Duration::from_secs(5);

pub(super) async fn check(settings: &Settings, target: &Target, signed: &str, report: &mut Report) {
    // A name of our own can be broadcast to. That of a page's tag is only subscribed.
    let own = keys::turbo(settings).into_iter().next();
    let name = secret::probe();
    let probe = own.map(|named| Verifier::new(named.key).sign(&name));
    let (mut cables, mut epochs) = (Vec::new(), BTreeSet::new());
    let mut is_probed = probe.is_some();
    for _ in 0..CONNECTIONS {
        let Ok(mut cable) = Cable::open(&target.cable, &target.origin).await else { continue };
        let subscribed = cable.subscribe(probe.as_deref().unwrap_or(signed)).await;
        let subscribed = match subscribed {
            // The key was found to be another.
            Subscribed::Rejected => {
                is_probed = false;
                cable.subscribe(signed).await
            }
            subscribed => subscribed,
        };
        if let Subscribed::Confirmed(epoch) = subscribed {
            epochs.extend(epoch);
            cables.push(cable);
        }
    }
    report.checked("one log");
    if epochs.len() > 1 {
        return report.add(
            "one log",
            two_logs(&format!(
                "{} connections to {} met {} logs of different epochs",
                cables.len(),
                target.cable,
                epochs.len()
            )),
        );
    }
    if !is_probed || (target.key.is_none() && !target.has_broadcast) {
        return report
            .skipped("a broadcast", "give the secret, and the broadcast key or --broadcast-url");
    }
    match publish(target, &name).await {
        Ok(None) => {}
        Ok(Some(fault)) => return report.add("a broadcast", fault),
        Err(error) => return report.skipped("a broadcast", format!("{error:#}")),
    }
    let until = Instant::now() + DELIVERY_MAX;
    let count = cables.len();
    let mut missing = 0;
    for cable in &mut cables {
        missing += usize::from(!gets(cable, until).await);
    }
    report.checked("a broadcast");
    if missing > 0 {
        report.add("a broadcast", two_logs(&format!(
            "a broadcast posted to {} came to {} of {count} connections within {DELIVERY_MAX:?}",
            target.broadcast, count - missing
        )));
    }
}

fn two_logs(what: &str) -> Fault {
    Fault {
        name: "two_logs",
        what: what.to_owned(),
        why: "several processes answer here, each with a log of its own: a page at one never sees what is told to another, and refreshes in vain".to_owned(),
        change: "give all of them one log: log = \"redis://…\" (or nats://, postgres://); or let one process answer".to_owned(),
    }
}

/// Posts a broadcast. What is wrong with the key is a fault, too.
async fn publish(target: &Target, stream: &str) -> anyhow::Result<Option<Fault>> {
    let body =
        json!({ "stream": stream, "data": "\"forebay doctor\"", "meta": { "transient": true } });
    let bearer = target.key.as_ref().map(|key| format!("Bearer {key}"));
    let bearer = bearer.as_deref().map(|bearer| ("authorization", bearer));
    let answer = web::post(&target.broadcast, bearer.as_slice(), body.to_string(), web::ANSWER_MAX);
    let answer = answer.await?;
    Ok(match answer.status {
        StatusCode::CREATED => None,
        StatusCode::UNAUTHORIZED => Some(Fault {
            name: "broadcast_key",
            what: format!("{} does not accept the broadcast key", target.broadcast),
            why: "the app's broadcasts are refused, too, if it has the same key".to_owned(),
            change: "broadcast_key, or the secret that it is derived from, must be the same for the app and the server".to_owned(),
        }),
        StatusCode::INSUFFICIENT_STORAGE | StatusCode::SERVICE_UNAVAILABLE => Some(Fault {
            name: "store",
            what: format!("a broadcast was not taken: {}", answer.body.trim()),
            why: "nothing can be broadcast now".to_owned(),
            change: "make room on the disk, or look at the log's store".to_owned(),
        }),
        status => anyhow::bail!("{} answered {status}: {}", target.broadcast, answer.body.trim()),
    })
}

async fn gets(cable: &mut Cable, until: Instant) -> bool {
    while let Ok(Some(said)) = cable.next(until).await {
        if said["m"] == "forebay doctor" || said["message"] == "forebay doctor" {
            return true;
        }
    }
    false
}
