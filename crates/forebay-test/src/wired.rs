//! Whether everything that is broadcast is shown: the first broken hop of whatever is not.

use std::fmt;

use forebay_core::StreamName;
use forebay_core::inspect::{
    Broadcast, Broken, Connection, Facts, Outcome, Page, Refusal, Rejection, Report, Seen, State,
    Subscription, why,
};
use http::StatusCode;

use crate::app::MARKS;
use crate::page::{Received, Refused, Tag, TagState, TestPage};

/// Broadcasts that are looked at. `Inspection` remembers as many by default.
const BROADCASTS_MAX: usize = 1_000;

/// Of two elements that differ, so much is shown: from a little before the difference on.
const SHOWN_CHARS: usize = 300;
const BEFORE_CHARS: usize = 60;

/// Forebay's own streams begin with it: who is present is published there.
const RESERVED: char = '\u{1}';

/// Something that keeps a page from showing a change.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Fault {
    /// The hop that is broken.
    pub broken: Broken,
    /// The same in words, and what to change.
    pub sentence: String,
    /// The stream, its name in clear.
    pub stream: Option<String>,
    /// The line of code that has broadcast.
    pub place: Option<String>,
}

impl Fault {
    fn new(broken: Broken, stream: Option<&str>) -> Self {
        let sentence = broken.sentence();
        Self { broken, sentence, stream: stream.map(str::to_owned), place: None }
    }

    fn said(self, sentence: String) -> Self {
        Self { sentence, ..self }
    }

    fn at(self, broadcast: Option<&Broadcast>) -> Self {
        Self { place: broadcast.and_then(|broadcast| broadcast.source.place.clone()), ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(stream) = &self.stream {
            write!(f, "`{stream}`")?;
        }
        if let Some(place) = &self.place {
            write!(f, " ({place})")?;
        }
        let separator = if self.stream.is_some() || self.place.is_some() { ": " } else { "" };
        write!(f, "{separator}{}", self.sentence)
    }
}

impl TestPage {
    /// That everything that was broadcast since the page was opened is shown: here, or on another page that
    /// reads it. No broadcast is without a reader, left out, rolled back or failed; each target is there once;
    /// no template is empty; every tag is subscribed, with a cursor of this rendering.
    ///
    /// It [settles](Self::settle) first.
    ///
    /// # Panics
    /// With the first broken hop, and what to change. All others follow.
    pub async fn assert_wired(&mut self) {
        self.settle().await;
        let faults = self.faults();
        if faults.is_empty() {
            return;
        }
        let said: Vec<_> = faults.iter().map(|fault| format!("\n- {fault}")).collect();
        panic!("{} is not wired:{}", self.path(), said.concat());
    }

    /// What [`assert_wired`](Self::assert_wired) finds, as far as the page has come.
    pub fn faults(&self) -> Vec<Fault> {
        let broadcasts = self.broadcasts();
        let mut faults: Vec<_> = self.refused().into_iter().collect();
        if faults.is_empty() {
            faults.extend(self.tags().iter().filter_map(|tag| self.fault_of_tag(tag)));
        }
        faults.extend(broadcasts.iter().filter_map(|broadcast| self.fault_of_broadcast(broadcast)));
        let place = |received: &Received| {
            let at = |broadcast: &&Broadcast| {
                let place = broadcast.outcome.place();
                place.is_some() && place.map(|place| place.offset) == received.offset
            };
            broadcasts.iter().find(at)
        };
        let received = self.received().iter();
        faults.extend(received.filter_map(|one| fault_of_received(one).map(|f| f.at(place(one)))));
        let frames = self.frames_without_match().iter();
        faults.extend(
            frames
                .map(|frame| Fault::new(Broken::FrameWithoutMatch { frame: frame.clone() }, None)),
        );
        faults
    }

    /// That a new request for the page renders this element as it is here, after all that was broadcast. It
    /// fails where a broadcast and the page's template differ, and where a page is rendered from data that is
    /// older than its broadcasts. White space and source tags may differ.
    pub async fn assert_fresh(&mut self, selector: &str) {
        self.settle().await;
        let fresh = Self::open(self.app(), self.path()).await;
        let (here, there) = (self.shown(selector), fresh.shown(selector));
        let same =
            here.chars().zip(there.chars()).take_while(|(here, there)| here == there).count();
        let around = |html: &str| -> String {
            html.chars().skip(same.saturating_sub(BEFORE_CHARS)).take(SHOWN_CHARS).collect()
        };
        assert!(
            here == there,
            "{}: `{selector}` is not what a new request renders: its data is older than the broadcast, or the \
             two have different templates; from where they differ\n here: …{}\nfresh: …{}",
            self.path(),
            around(&here),
            around(&there)
        );
    }

    fn broadcasts(&self) -> Vec<Broadcast> {
        let inspection = self.app().forebay.inspection();
        // A test is built with debug assertions, in which everything is recorded.
        let inspection =
            inspection.expect("the Forebay records what is broadcast (`Builder::inspect`)");
        let is_ours =
            |one: &Broadcast| !one.stream.starts_with(MARKS) && !one.stream.starts_with(RESERVED);
        inspection.broadcasts(self.opened_after(), BROADCASTS_MAX, is_ours)
    }

    fn refused(&self) -> Option<Fault> {
        let Refused { status, says } = self.refusal()?;
        let page = Page::refused(kind_of(*status, says), says);
        let stream = self.tags().iter().find_map(|tag| tag.stream.clone()).unwrap_or_default();
        let facts = Facts { stream: stream.clone(), page: Some(page), ..Facts::default() };
        Some(Fault::new(why(&facts).broken, Some(&stream)))
    }

    fn fault_of_tag(&self, tag: &Tag) -> Option<Fault> {
        match tag.state {
            TagState::Foreign => return None,
            TagState::Live => {}
            TagState::Asked => return Some(Fault::new(Broken::NotConfirmed, Some(tag.name()))),
            TagState::Rejected => {
                let known = self.known_page();
                let known = known.iter().flat_map(|page| &page.subscriptions);
                // A cursor may be behind the name, or not.
                let bare = |signed: &str| signed.split('.').next().unwrap_or_default().to_owned();
                let is_it = |one: &&Subscription| {
                    one.signed.as_deref().is_some_and(|signed| bare(signed) == bare(&tag.signed))
                };
                let state = known.rev().find(is_it);
                let (why, detail) = match state.map(|one| &one.state) {
                    Some(State::Rejected { why, detail }) => (*why, detail.clone()),
                    _ => (Rejection::Authorizer, String::new()),
                };
                return Some(Fault::new(Broken::Rejected { why, detail }, Some(tag.name())));
            }
        }
        let fault = Fault::new(Broken::BeforeCursor, Some(tag.name()));
        match tag.cursor() {
            None => Some(fault.said(
                "the page's tag has no cursor, so what is broadcast between rendering and subscribing is lost: \
                 write it with `stream_from`"
                    .to_owned(),
            )),
            Some(cursor) if self.is_of_this_rendering(cursor) => None,
            Some(cursor) => Some(fault.said(format!(
                "the page's tag is older than the page ({cursor}, and the page was asked for at {}), as in a \
                 cached fragment: its data may be as old, and all since then is replayed; render the tag anew",
                self.asked_at()
            ))),
        }
    }

    /// Of a broadcast that reached nobody, or was not sent as it should be.
    fn fault_of_broadcast(&self, broadcast: &Broadcast) -> Option<Fault> {
        let stream = Some(broadcast.stream.as_str()).filter(|stream| !stream.is_empty());
        if broadcast.beside_transaction {
            return Some(Fault::new(Broken::BeforeCommit, stream).at(Some(broadcast)));
        }
        let offset = match &broadcast.outcome {
            Outcome::Debounced => return None,
            Outcome::Published(place) | Outcome::Superseded(place) => Some(place.offset),
            Outcome::Pending if self.was_relayed(&broadcast.stream) => None,
            _ => {
                let facts = Facts { broadcast: Some(broadcast.clone()), ..Facts::default() };
                return Some(Fault::new(why(&facts).broken, stream).at(Some(broadcast)));
            }
        };
        let came = self.received().iter().any(|one| offset.is_some() && one.offset == offset);
        let is_read = offset.is_none() && self.is_read_by_somebody(&broadcast.stream);
        if came || is_read || broadcast.subscriptions() > 0 {
            return None;
        }
        let published = Broadcast::published(&broadcast.stream, "", offset.unwrap_or_default());
        let facts = Facts {
            stream: broadcast.stream.clone(),
            page: Some(self.as_page()),
            broadcast: Some(published),
            known_streams: self.tags().iter().filter_map(|tag| tag.stream.clone()).collect(),
            ..Facts::default()
        };
        let broken = why(&facts).broken;
        let is_news =
            !matches!(broken, Broken::Applied | Broken::BeforeCursor | Broken::NotKnown { .. });
        is_news.then(|| Fault::new(broken, stream).at(Some(broadcast)))
    }

    /// Whether something was published to a stream since the page was opened. What is in an outbox is recorded
    /// when it is asked for; its relay does not know by whom.
    fn was_relayed(&self, stream: &str) -> bool {
        let name = StreamName::raw(stream.to_owned());
        self.app().forebay.replay(name, self.opened_at()).is_ok_and(|entries| !entries.is_empty())
    }

    /// Whether any page reads a stream, or has read it.
    fn is_read_by_somebody(&self, stream: &str) -> bool {
        let reads = |page: &Page| page.subscriptions.iter().any(|one| one.is_to(stream));
        let inspection = self.app().forebay.inspection();
        inspection.is_some_and(|inspection| !inspection.pages(0, 1, reads).is_empty())
    }

    /// What the Forebay knows of this page.
    fn known_page(&self) -> Option<Page> {
        let session = self.session()?;
        self.app().forebay.facts(session, "", None)?.page
    }

    /// The page, as it sees itself.
    fn as_page(&self) -> Page {
        let subscriptions = self.tags().iter().map(|tag| {
            let state = match tag.state {
                TagState::Live => State::Live,
                TagState::Asked | TagState::Foreign => State::Asked,
                TagState::Rejected => {
                    State::Rejected { why: Rejection::Authorizer, detail: String::new() }
                }
            };
            Subscription { stream: tag.stream.clone(), state, ..Subscription::default() }
        });
        Page {
            connection: Connection::Connected,
            subscriptions: subscriptions.collect(),
            ..Page::default()
        }
    }
}

fn fault_of_received(received: &Received) -> Option<Fault> {
    let Received { stream, applied, .. } = received;
    if matches!(applied.seen, Seen::Applied | Seen::OwnRefresh) {
        return None;
    }
    let report = Report {
        action: Some(applied.tag.action.clone()),
        target: applied.tag.target.clone(),
        targets: applied.tag.targets.clone(),
        seen: applied.seen.clone(),
        ..Report::default()
    };
    let name = stream.clone().unwrap_or_default();
    let page = Page { subscriptions: vec![Subscription::live(&name)], ..Page::default() };
    let facts = Facts { stream: name, page: Some(page), reports: vec![report], ..Facts::default() };
    Some(Fault::new(why(&facts).broken, stream.as_deref()))
}

/// What a connection was refused for, by the answer that it got.
fn kind_of(status: Option<StatusCode>, says: &str) -> Refusal {
    match status {
        _ if says.contains("this host") || says.contains("one host") => Refusal::Host,
        _ if says.contains("origin") => Refusal::Origin,
        Some(StatusCode::UPGRADE_REQUIRED | StatusCode::INTERNAL_SERVER_ERROR) => Refusal::Upgrade,
        Some(StatusCode::SERVICE_UNAVAILABLE) => Refusal::Leaving,
        Some(StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST) => Refusal::Handshake,
        Some(_) => Refusal::Request,
        None => Refusal::Token,
    }
}
