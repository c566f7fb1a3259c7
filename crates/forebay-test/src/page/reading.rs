//! Reading the page's connections, and applying what comes.

use forebay_inspect::Seen;
use serde_json::Value;

use super::tags::{Kind, Tag, TagState};
use super::{Received, Refused, TestPage};
use crate::app::TestApp;
use crate::cable::Said;
use crate::document::Applied;

/// What a message came over. Nothing is known of what was in an answer.
#[derive(Clone, Default)]
pub(super) struct Over {
    stream: Option<String>,
    signed: Option<String>,
    offset: Option<u64>,
}

impl Over {
    fn tag(tag: &Tag, offset: Option<u64>) -> Self {
        Self { stream: tag.stream.clone(), signed: Some(tag.signed.clone()), offset }
    }
}

impl TestPage {
    /// Reads until every tag has its answer.
    pub(super) async fn await_answers(&mut self) {
        let waits = |page: &Self| {
            page.cable.is_some()
                && (!page.reads_marks
                    || page.tags.iter().any(|tag| tag.waits() && tag.identifier().is_some()))
        };
        while waits(self) {
            self.read_cable().await;
        }
        self.check_log();
    }

    /// No mark comes from another log, and nothing else of what the test broadcasts.
    fn check_log(&self) {
        let facts = self.session.as_deref().filter(|_| self.cable.is_some());
        let facts = facts.and_then(|session| self.app.forebay.facts(session, "", None));
        let is_elsewhere = facts.is_some_and(|facts| facts.log.in_memory && facts.page.is_none());
        assert!(
            !is_elsewhere,
            "{}: the page is connected to another log than that of the test's Forebay: give all nodes a shared \
             log, and the test the Forebay that the application was made with",
            self.path
        );
    }

    /// Reads until this mark has come over every connection.
    pub(super) async fn read_up_to(&mut self, mark: u64) {
        while self.cable.is_some() && self.last_mark < mark {
            if !self.read_cable().await {
                // Marks are not kept: the next round has one of its own.
                self.await_answers().await;
                self.is_behind = true;
                break;
            }
        }
        for at in 0..self.tags.len() {
            self.read_events(at, mark).await;
        }
    }

    /// Reads one thing that the server says. False where the connection is another one now, or none.
    async fn read_cable(&mut self) -> bool {
        let Some(cable) = &mut self.cable else { return false };
        match cable.next().await {
            Said::Welcome { session } => self.session = session,
            Said::Confirmed { identifier } => self.answered(&identifier, TagState::Live),
            Said::Rejected { identifier } => self.answered(&identifier, TagState::Rejected),
            Said::Message { identifier, message, offset } => {
                self.message(&identifier, &message, offset);
            }
            Said::Ends { comes_back: true, .. } => {
                self.reconnect().await;
                return false;
            }
            Said::Ends { why, comes_back: false } => {
                (self.cable, self.refused) = (None, Some(Refused { status: None, says: why }));
                self.tags.iter_mut().for_each(|tag| tag.state = TagState::Rejected);
                return false;
            }
            Said::Other => {}
        }
        true
    }

    fn answered(&mut self, identifier: &str, state: TagState) {
        if identifier == self.marks_identifier() {
            assert!(state == TagState::Live, "{}: the page may not read its marks", self.path);
            self.reads_marks = true;
            return;
        }
        let tags = self.tags.iter_mut().filter(|tag| tag.identifier() == Some(identifier));
        tags.for_each(|tag| tag.state = state);
    }

    /// Every tag of a subscription gets its messages, as every element does.
    fn message(&mut self, identifier: &str, message: &Value, offset: Option<u64>) {
        if let Some(mark) = TestApp::mark_in(message) {
            self.last_mark = self.last_mark.max(mark);
            return;
        }
        let tags = self.tags.iter().filter(|tag| tag.identifier() == Some(identifier));
        let over: Vec<_> = tags.map(|tag| Over::tag(tag, offset)).collect();
        for over in over {
            self.receive(message, &over);
        }
    }

    /// As Turbo does: only a text is stream tags.
    fn receive(&mut self, message: &Value, over: &Over) {
        match message.as_str() {
            Some(html) => {
                let applied = self.document.receive(html);
                self.note(applied, over);
            }
            None => self.messages.push(message.clone()),
        }
    }

    /// Notes what became of stream tags, and whether the page is to load itself again.
    pub(super) fn note(&mut self, applied: Vec<Applied>, over: &Over) {
        for mut applied in applied {
            if applied.is_refresh() {
                let own = applied.tag.attribute("request-id");
                if own.is_some_and(|own| self.requests.iter().any(|id| id == own)) {
                    applied.seen = Seen::OwnRefresh;
                } else {
                    self.refresh_is_due = true;
                }
            }
            let Over { stream, signed, offset } = over.clone();
            self.received.push(Received { stream, signed, offset, applied });
        }
    }

    /// Reads one event source until this mark has come.
    async fn read_events(&mut self, at: usize, mark: u64) {
        loop {
            let tag = &mut self.tags[at];
            let Kind::Events { events: Some(events), last_mark, .. } = &mut tag.kind else {
                return;
            };
            if *last_mark >= mark {
                return;
            }
            let Some(event) = events.next().await else {
                tag.kind = Kind::Events { src: String::new(), events: None, last_mark: 0 };
                tag.state = TagState::Rejected;
                return;
            };
            let json = serde_json::from_str::<Value>(&event.data).ok();
            if let Some(number) = json.as_ref().and_then(TestApp::mark_in) {
                *last_mark = number.max(*last_mark);
            } else if event.name == "message" {
                let over = Over::tag(tag, event.offset);
                // A text that is not JSON is HTML; what is JSON is not for Turbo.
                let message = json.unwrap_or(Value::String(event.data));
                self.receive(&message, &over);
            }
        }
    }
}
