//! What several nodes know of one page and one broadcast, as the facts of one answer.

use serde::{Deserialize, Serialize};

use crate::{
    Broadcast, Connection, Facts, Log, Outcome, Page, Reach, Report, Subscription, nearest_names,
};

/// Tags of a page that another node is told: a name and a state of about 250 bytes each.
const TAGS_MAX: usize = 64;

/// Names that another node is told: the one that was probably meant is the nearest of the nearest.
const NEAR_MAX: usize = 3;

/// Which page and which broadcast somebody asks about.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// The page: its connection's id, the cursor of one of its tags, or its visitor's name or address.
    pub page: String,
    /// The stream's name, in clear or signed.
    pub stream: String,
    /// What a signed name claims to be, where nobody knows it as a tag.
    pub claimed: Option<String>,
    /// The broadcast's place. Without one it is the last.
    pub offset: Option<u64>,
}

/// What one node knows of them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Known {
    /// The facts.
    pub facts: Facts,
    /// Reports of pages that this node does not know, each with what its page calls itself: behind a load balancer
    /// a report may come to another node than its page.
    pub elsewhere: Vec<(String, Report)>,
}

impl Known {
    /// Without what another node can't use: the page's other tags are told by name, and of all names only those
    /// that come near.
    #[must_use]
    pub fn for_others(mut self) -> Self {
        let Facts { stream, page, known_streams, .. } = &mut self.facts;
        if let Some(page) = page {
            page.events.clear();
            // What is about the stream stays whole, and stays at all.
            page.subscriptions.sort_by_key(|one| !one.is_to(stream));
            page.leave_out(page.subscriptions.len().saturating_sub(TAGS_MAX));
            page.subscriptions.truncate(TAGS_MAX);
            for one in page.subscriptions.iter_mut().filter(|one| !one.is_to(stream)) {
                one.signed = None;
            }
        }
        *known_streams = nearest_names(stream, known_streams.iter().map(String::as_str), NEAR_MAX);
        self
    }
}

impl Facts {
    /// What all these nodes know together. The log is the asking node's, with the nodes that have answered, and those
    /// that have not.
    pub fn merge(about: &About, known: &[Known], log: Log) -> Self {
        let facts = || known.iter().map(|known| &known.facts);
        let pages = facts().filter_map(|facts| facts.page.as_ref());
        let page = choose_page(&about.page, pages).cloned();
        let stream = stream(about, page.as_ref(), known);
        let on_it: Vec<_> = facts().filter(|facts| facts.stream == stream).collect();
        let broadcast = broadcast(on_it.iter().filter_map(|facts| facts.broadcast.as_ref()));
        let mut known_streams: Vec<_> =
            facts().flat_map(|facts| facts.known_streams.iter().cloned()).collect();
        known_streams.sort_unstable();
        known_streams.dedup();
        known_streams.retain(|name| *name != stream);
        let reports = page.as_ref().map_or_else(Vec::new, |page| reports(page, known));
        Self { offset: about.offset, page, broadcast, reports, known_streams, log, stream }
    }
}

/// Of pages that several nodes know by this name, the one that is meant.
pub fn choose_page<'a>(whose: &str, pages: impl Iterator<Item = &'a Page>) -> Option<&'a Page> {
    pages.max_by_key(|page| rank(page, whose))
}

/// The one that is meant by its id comes first, then one that is there, then the newest.
fn rank<'a>(page: &'a Page, whose: &str) -> (bool, bool, u64, &'a str) {
    (page.id == whose, page.connection == Connection::Connected, page.since, &page.node)
}

/// A node that knows the name has put its name in clear in the place of what was asked. The page's own is the surest.
fn stream(about: &About, page: Option<&Page>, known: &[Known]) -> String {
    let is_pages = |facts: &&Facts| match (&facts.page, page) {
        (Some(theirs), Some(page)) => theirs.id == page.id && theirs.node == page.node,
        _ => false,
    };
    let facts = || known.iter().map(|known| &known.facts);
    let of_page = facts().filter(is_pages);
    let named = of_page.chain(facts()).map(|facts| &facts.stream);
    // What its signature claims may be another name than the tag's, if nobody has accepted that.
    let is_guess = |name: &&String| {
        **name == about.stream || about.claimed.as_ref().is_some_and(|claimed| claimed == *name)
    };
    let found = named.clone().find(|name| !is_guess(name)).or_else(|| named.clone().next());
    found.unwrap_or(&about.stream).clone()
}

/// The last of what several nodes know: each says the last that it knows, or what stands at one place.
fn broadcast<'a>(known: impl Iterator<Item = &'a Broadcast>) -> Option<Broadcast> {
    let (placed, unplaced): (Vec<_>, Vec<_>) =
        known.partition(|broadcast| broadcast.outcome.place().is_some());
    let offset = |broadcast: &&Broadcast| broadcast.outcome.place().map(|place| place.offset);
    let last = placed.iter().filter_map(offset).max();
    let same: Vec<_> = placed.into_iter().filter(|one| offset(one) == last).collect();
    // History has the same at each node. Where it was asked for, more is known: whose line it was, and whether
    // history has another in its place.
    let best = same.iter().max_by_key(|one| {
        (
            matches!(one.outcome, Outcome::Superseded(_)),
            one.source.place.is_some(),
            !one.node.is_empty(),
        )
    });
    let reach = same.iter().flat_map(|one| &one.reach);
    let published = best.map(|best| Broadcast { reach: together(reach), ..(**best).clone() });
    let unpublished = unplaced.into_iter().max_by_key(|one| one.at);
    match (published, unpublished) {
        // What never had a place was asked for later than what has the last one.
        (Some(published), Some(other)) if other.at > published.at => Some(other.clone()),
        (Some(published), _) => Some(published),
        (None, other) => other.cloned(),
    }
}

/// One for each node.
fn together<'a>(reach: impl Iterator<Item = &'a Reach>) -> Vec<Reach> {
    let mut all: Vec<Reach> = Vec::new();
    for one in reach {
        match all.iter_mut().find(|known| known.node == one.node) {
            Some(known) => known.subscriptions = known.subscriptions.max(one.subscriptions),
            None => all.push(one.clone()),
        }
    }
    all
}

/// What a page has reported, at whichever node that came.
fn reports(page: &Page, known: &[Known]) -> Vec<Report> {
    let of_tag = |one: &Subscription, name: &String| {
        one.signed_cursor.as_ref() == Some(name) || one.signed.as_ref() == Some(name)
    };
    let is_its =
        |name: &String| *name == page.id || page.subscriptions.iter().any(|one| of_tag(one, name));
    let of_known = known
        .iter()
        .filter(|known| known.facts.page.as_ref().is_some_and(|theirs| theirs.id == page.id));
    let here = of_known.flat_map(|known| &known.facts.reports);
    let elsewhere = known.iter().flat_map(|known| &known.elsewhere);
    let elsewhere = elsewhere.filter(|(name, _)| is_its(name)).map(|(_, report)| report);
    let mut elsewhere: Vec<_> = elsewhere.cloned().collect();
    // By the page's clock. What came to the page's own node may be by that node's, and is in order as it is.
    elsewhere.sort_by_key(|report| report.at);
    // What the page's script says comes after what its client has said already, and says more.
    let mut reports: Vec<_> = here.cloned().collect();
    reports.append(&mut elsewhere);
    reports
}
