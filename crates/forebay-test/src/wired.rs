//! Whether everything that is broadcast is shown: the first broken hop of whatever is not.

use std::fmt;

use forebay_inspect::{Broken, Facts, Page, Refusal, Rejection, Report, Seen, Subscription, why};
use http::StatusCode;

use crate::page::{Received, Refused, Tag, TagState, TestPage};

/// Of two elements that differ, so much is shown: from a little before the difference on.
const SHOWN_CHARS: usize = 300;
const BEFORE_CHARS: usize = 60;

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
}

impl Fault {
    fn new(broken: Broken, stream: Option<&str>) -> Self {
        let sentence = broken.sentence();
        Self { broken, sentence, stream: stream.map(str::to_owned) }
    }

    fn said(self, sentence: String) -> Self {
        Self { sentence, ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(stream) = &self.stream {
            write!(f, "`{stream}`")?;
        }
        let separator = if self.stream.is_some() { ": " } else { "" };
        write!(f, "{separator}{}", self.sentence)
    }
}

impl TestPage {
    /// That everything is shown that came to the page since it was opened: each target is there once, no
    /// template is empty, and every tag is subscribed, with a cursor of this rendering.
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
        let mut faults: Vec<_> = self.refused().into_iter().collect();
        if faults.is_empty() {
            faults.extend(self.tags().iter().filter_map(|tag| self.fault_of_tag(tag)));
        }
        faults.extend(self.received().iter().filter_map(fault_of_received));
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
                let (why, detail) =
                    (Rejection::Authorizer, "or its signature is not good".to_owned());
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
