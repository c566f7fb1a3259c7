//! The walk along a broadcast's way.

use serde::{Deserialize, Serialize};

use crate::{
    Broadcast, Broken, Class, Connection, Hop, Outcome, Page, Report, Resync, Seen, State,
    Subscription, Targets, nearest, readable,
};

/// How often a page has to come with a cursor of another log until that is no restart any more.
const OTHER_LOG_TIMES: u64 = 3;

/// What is known of one broadcast and one page. What is not known is left out.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The stream that is asked about.
    pub stream: String,
    /// The place in the log that is asked about. Without one it is the stream's last broadcast.
    pub offset: Option<u64>,
    /// The page.
    pub page: Option<Page>,
    /// The broadcast.
    pub broadcast: Option<Broadcast>,
    /// What the page has reported, the oldest first.
    pub reports: Vec<Report>,
    /// Streams that were broadcast to, or are read by anybody.
    pub known_streams: Vec<String>,
    /// The log, and who has told all this.
    pub log: Log,
}

/// The log, and the nodes that have told what they know.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Log {
    /// It is in this process's memory, so no other process can broadcast here.
    pub in_memory: bool,
    /// Its life, in hexadecimal.
    pub epoch: String,
    /// Where it ends.
    pub head: u64,
    /// Nodes whose facts are in here.
    pub nodes: Vec<String>,
    /// Nodes that have not answered.
    pub missing: Vec<String>,
    /// Nodes that record nothing.
    pub off: Vec<String>,
}

/// What is broken, and what the answer rests on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// The first broken hop.
    pub broken: Broken,
    /// The same in words, with what to change.
    pub sentence: String,
    /// The hop. Those before it are whole, as far as it is known.
    pub hop: Option<Hop>,
    /// The stream, with its records in clear.
    pub stream: String,
    /// The broadcast's place in the log.
    pub offset: Option<u64>,
    /// The page.
    pub page: Option<String>,
    /// The line of code that has asked for the broadcast.
    pub place: Option<String>,
    /// Nodes whose facts are in the answer.
    pub nodes: Vec<String>,
    /// Nodes that have not answered: they may know more.
    pub missing: Vec<String>,
    /// Nodes that record nothing: nobody knows what happens there.
    #[serde(default)]
    pub off: Vec<String>,
}

/// Names the first broken hop between this broadcast and this page.
pub fn why(facts: &Facts) -> Answer {
    let broken = broken(facts);
    let broadcast = facts.broadcast.as_ref();
    let place = broadcast.and_then(|broadcast| broadcast.outcome.place());
    Answer {
        sentence: broken.sentence(),
        hop: broken.hop(),
        stream: readable(&facts.stream),
        offset: facts.offset.or(place.map(|place| place.offset)),
        page: facts.page.as_ref().map(|page| page.id.clone()),
        place: broadcast.and_then(|broadcast| broadcast.source.place.clone()),
        nodes: facts.log.nodes.clone(),
        missing: facts.log.missing.clone(),
        off: facts.log.off.clone(),
        broken,
    }
}

fn broken(facts: &Facts) -> Broken {
    let broadcast = facts.broadcast.as_ref();
    if let Some(broken) = broadcast.and_then(unpublished) {
        return broken;
    }
    let Some(page) = &facts.page else { return unknown_page(facts) };
    if let Connection::Refused { why, detail } = &page.connection {
        return Broken::ConnectionRefused { why: *why, detail: detail.clone() };
    }
    let subscription = match subscription(facts, page) {
        Ok(subscription) => subscription,
        Err(broken) => return broken,
    };
    let is_of_other_log = subscription.resynced == Some(Resync::OtherEpoch);
    if is_of_other_log && subscription.resyncs >= OTHER_LOG_TIMES {
        let (times, in_memory) = (subscription.resyncs, facts.log.in_memory);
        return Broken::OtherLog { times, in_memory };
    }
    let report = report(facts, subscription);
    let Some(broadcast) = broadcast else {
        return report.map_or_else(|| unknown_broadcast(facts), |report| seen(report, None));
    };
    // What the page itself says of it ends the question whether it came.
    if let Some(report) = report {
        let broken = seen(report, Some(broadcast));
        let reads_again = broadcast.action.as_deref() == Some("refresh");
        let is_too_early = reads_again && broadcast.beside_transaction && broken.is_applied();
        return if is_too_early { Broken::BeforeCommit } else { broken };
    }
    undelivered(broadcast, page, subscription)
        .or_else(|| hash_target(broadcast))
        .unwrap_or_else(unreported)
}

/// What became of a broadcast that nobody could get.
fn unpublished(broadcast: &Broadcast) -> Option<Broken> {
    Some(match &broadcast.outcome {
        Outcome::Published(_) | Outcome::Superseded(_) => return None,
        Outcome::Pending => Broken::Pending,
        Outcome::Debounced => Broken::Debounced,
        Outcome::Suppressed => Broken::Suppressed,
        Outcome::RolledBack => Broken::RolledBack,
        Outcome::FailedToRender { why } => Broken::FailedToRender { why: why.clone() },
        Outcome::Invalid { why } => Broken::Invalid { why: why.clone() },
        Outcome::Refused { why } => Broken::Refused { why: why.clone() },
        Outcome::Gap { why } => Broken::Gap { why: why.clone() },
    })
}

fn unknown_page(facts: &Facts) -> Broken {
    let Log { missing, off, .. } = &facts.log;
    let because = if !missing.is_empty() {
        format!("this page may be at a node that has not answered: ask {}", missing.join(", "))
    } else if !off.is_empty() {
        format!(
            "this page may be at a node that records nothing: switch the inspector on at {}",
            off.join(", ")
        )
    } else {
        "no node remembers this page: its request for a connection has not come here, so look at its cable address and at the browser's console"
            .to_owned()
    };
    Broken::NotKnown { because }
}

fn unknown_broadcast(facts: &Facts) -> Broken {
    if let Some(offset) = facts.offset {
        let because = format!("no broadcast at offset {offset} is remembered: look at a newer one");
        return Broken::NotKnown { because };
    }
    if !facts.log.missing.is_empty() {
        let nodes = facts.log.missing.join(", ");
        let because = format!("nodes that may have broadcast have not answered: ask {nodes}");
        return Broken::NotKnown { because };
    }
    let near = nearest(&facts.stream, facts.known_streams.iter().map(String::as_str));
    if near.is_none() && !facts.log.off.is_empty() {
        let nodes = facts.log.off.join(", ");
        let because = format!(
            "it may have been asked for at a node that records nothing: switch the inspector on at {nodes}"
        );
        return Broken::NotKnown { because };
    }
    let (stream, in_memory) = (readable(&facts.stream), facts.log.in_memory);
    Broken::NeverBroadcast { stream, near, in_memory }
}

fn unreported() -> Broken {
    let because = "it was delivered, and the page has reported nothing: load `/forebay/inspect.js` in it to see what it did";
    Broken::NotKnown { because: because.to_owned() }
}

/// The page's subscription to the stream, if it reads it.
fn subscription<'a>(facts: &'a Facts, page: &'a Page) -> Result<&'a Subscription, Broken> {
    let to_it = page.subscriptions.iter().filter(|one| one.is_to(&facts.stream));
    // Of several the one that has come farthest: a tag that came back after it had left.
    let Some(subscription) = to_it.max_by_key(|one| rank(&one.state)) else {
        return Err(if page.connection == Connection::Connected {
            not_subscribed(facts, page)
        } else {
            Broken::Disconnected
        });
    };
    match &subscription.state {
        State::Rejected { why, detail } => {
            Err(Broken::Rejected { why: *why, detail: detail.clone() })
        }
        _ if page.connection != Connection::Connected => Err(Broken::Disconnected),
        State::Asked => Err(Broken::NotConfirmed),
        State::Held => Err(Broken::Held),
        State::Left => {
            let removed = facts.reports.iter().any(|report| {
                report.seen == Seen::SourceRemoved && is_of(report, &facts.stream, subscription)
            });
            Err(if removed { Broken::SourceRemoved } else { Broken::TagLeft })
        }
        State::Live | State::Healing => Ok(subscription),
    }
}

const fn rank(state: &State) -> u8 {
    match state {
        State::Left => 0,
        State::Rejected { .. } => 1,
        State::Asked => 2,
        State::Held => 3,
        State::Healing => 4,
        State::Live => 5,
    }
}

fn not_subscribed(facts: &Facts, page: &Page) -> Broken {
    let names = || page.subscriptions.iter().filter_map(|one| one.stream.as_deref());
    let near = nearest(&facts.stream, names());
    let unread = page.subscriptions.iter().find_map(|one| match &one.state {
        // Its name is not known, so it may be this one.
        State::Rejected { why, detail } if one.stream.is_none() => {
            Some(Broken::Rejected { why: *why, detail: detail.clone() })
        }
        _ => None,
    });
    if let (None, Some(rejected)) = (&near, unread) {
        return rejected;
    }
    let reads = names().map(readable).collect();
    Broken::NotSubscribed { stream: readable(&facts.stream), reads, near }
}

/// Why the page's socket was not given it, or may not have passed it on.
fn undelivered(broadcast: &Broadcast, page: &Page, subscription: &Subscription) -> Option<Broken> {
    if broadcast.except.as_ref().is_some_and(|except| *except == page.id) {
        return Some(Broken::Excepted);
    }
    if subscription.state == State::Healing {
        return Some(Broken::Healing { why: subscription.resynced });
    }
    let place = broadcast.outcome.place()?;
    let cursor = subscription.cursor.as_ref().filter(|cursor| cursor.epoch == place.epoch);
    if cursor.is_some_and(|cursor| place.offset <= cursor.offset) {
        let before_commit = broadcast.beside_transaction;
        return Some(if before_commit { Broken::BeforeCommit } else { Broken::BeforeCursor });
    }
    let was_there_before = subscription.attached.is_some_and(|attached| place.offset <= attached);
    if was_there_before {
        if let Some(broken) = let_go(broadcast, subscription) {
            return Some(broken);
        }
    }
    let has = |up_to: Option<u64>| up_to.is_some_and(|up_to| place.offset <= up_to);
    if !has(subscription.sent) && subscription.sent.is_some() {
        return Some(if subscription.is_stalled { Broken::Stalled } else { Broken::NotSent });
    }
    if matches!(broadcast.outcome, Outcome::Superseded(_)) {
        return Some(Broken::Superseded);
    }
    (subscription.proven.is_some() && !has(subscription.proven)).then_some(Broken::NotProven)
}

/// Why a page is not replayed what was there before it came.
fn let_go(broadcast: &Broadcast, subscription: &Subscription) -> Option<Broken> {
    match subscription {
        _ if broadcast.class == Class::Ephemeral => Some(Broken::CameLater),
        Subscription { resynced: Some(why), .. } => Some(Broken::Healing { why: Some(*why) }),
        Subscription { cursor: None, .. } => Some(Broken::NoCursor),
        _ => None,
    }
}

fn hash_target(broadcast: &Broadcast) -> Option<Broken> {
    match &broadcast.targets {
        Some(Targets::Id(id)) if id.starts_with('#') => {
            Some(Broken::HashTarget { target: id.clone() })
        }
        _ => None,
    }
}

/// The page's last report of this broadcast.
fn report<'a>(facts: &'a Facts, subscription: &Subscription) -> Option<&'a Report> {
    let of_stream = || {
        let reports = facts.reports.iter().rev();
        reports.filter(|report| is_of(report, &facts.stream, subscription))
    };
    let Some(broadcast) = &facts.broadcast else { return of_stream().next() };
    let place = broadcast.outcome.place()?;
    let exact = of_stream().find(|report| report.offset == Some(place.offset));
    // A page that knows no offsets says what it has done; the last that is alike is meant.
    exact.or_else(|| {
        of_stream().find(|report| report.offset.is_none() && is_like(report, broadcast))
    })
}

fn is_of(report: &Report, stream: &str, subscription: &Subscription) -> bool {
    match &report.stream {
        Some(name) => *name == stream || subscription.signed.as_ref() == Some(name),
        None => true,
    }
}

fn is_like(report: &Report, broadcast: &Broadcast) -> bool {
    let Some(action) = &broadcast.action else {
        // What it does is not known here, so only its stream tells.
        return report.stream.is_some();
    };
    let acts_on = match &broadcast.targets {
        Some(Targets::Id(id)) => report.target.as_ref() == Some(id),
        Some(Targets::Selector(selector)) => report.targets.as_ref() == Some(selector),
        Some(Targets::Page) | None => true,
    };
    // What is there twice may be an element of what it brings, and is named in the place of its target.
    let names_other = matches!(report.seen, Seen::TargetDoubled { .. });
    report.action.as_ref() == Some(action) && (acts_on || names_other)
}

/// What the page says, as a broken hop.
fn seen(report: &Report, broadcast: Option<&Broadcast>) -> Broken {
    let of_broadcast = broadcast.and_then(|broadcast| match &broadcast.targets {
        Some(Targets::Id(name) | Targets::Selector(name)) => Some(name),
        _ => None,
    });
    let target = report.target.as_ref().or(report.targets.as_ref()).or(of_broadcast);
    let target = || target.cloned().unwrap_or_default();
    match &report.seen {
        Seen::Applied => Broken::Applied,
        Seen::TargetMissing { .. } if is_hash(report) => Broken::HashTarget { target: target() },
        Seen::TargetMissing { ids } => Broken::TargetMissing { target: target(), ids: ids.clone() },
        Seen::TargetDoubled { count, nested } => {
            Broken::TargetDoubled { target: target(), count: *count, nested: *nested }
        }
        Seen::EmptyTemplate => Broken::EmptyTemplate,
        Seen::SourceRemoved => Broken::SourceRemoved,
        Seen::Preview => Broken::Preview,
        Seen::Permanent => Broken::Permanent,
        Seen::FrameWithoutMatch { frame } => Broken::FrameWithoutMatch { frame: frame.clone() },
        Seen::Misplaced { element, parent } => {
            Broken::Misplaced { element: element.clone(), parent: parent.clone() }
        }
        Seen::UnknownAction => {
            Broken::UnknownAction { action: report.action.clone().unwrap_or_default() }
        }
        Seen::OwnRefresh => Broken::OwnRefresh,
        Seen::Stalled => Broken::PageStalled,
        Seen::Threw { error } => Broken::Threw { error: error.clone() },
    }
}

fn is_hash(report: &Report) -> bool {
    report.target.as_ref().is_some_and(|target| target.starts_with('#'))
}

#[cfg(test)]
mod tests;
