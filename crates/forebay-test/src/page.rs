//! A page in a browser that is none: it is asked for, subscribes its tags, and applies what comes.

mod reading;
mod tags;
mod visiting;

use std::collections::VecDeque;
use std::ops::Deref;
use std::time::Duration;

use ego_tree::NodeId;
use forebay_core::Position;
use http::StatusCode;
use serde_json::Value;

pub(crate) use self::tags::{Tag, TagState};
use crate::app::TestApp;
use crate::cable::Cable;
use crate::document::{Applied, Document, StreamTag};

/// How long a page may take until it has got everything. What is in memory takes milliseconds.
const SETTLE_MAX: Duration = Duration::from_secs(20);

/// Refreshes, frames and new tags that may follow one another until a page has everything. A page whose
/// every rendering broadcasts a refresh goes on for ever.
const ROUNDS_MAX: usize = 50;

/// A page that is open. What it shows is asked of the [`Document`] that it dereferences to.
///
/// It is at rest between calls: it reads what was broadcast when it is told to [settle](Self::settle).
#[must_use = "it is read when it settles"]
pub struct TestPage {
    app: TestApp,
    path: String,
    document: Document,
    /// Where the log stood before the page was asked for.
    asked_at: Position,
    cable: Option<Cable>,
    session: Option<String>,
    /// The page's connection was refused, or ended for good.
    refused: Option<Refused>,
    tags: Vec<Tag>,
    /// The stream of marks is read.
    reads_marks: bool,
    last_mark: u64,
    /// The ids of the requests that Turbo has made, the last of them.
    requests: VecDeque<String>,
    /// The last broadcast that was recorded before the page was opened, and where the log stood.
    opened_after: Option<u64>,
    opened_at: Position,
    refresh_is_due: bool,
    /// A connection was lost while a mark was awaited.
    is_behind: bool,
    reconnects: usize,
    received: Vec<Received>,
    messages: Vec<Value>,
    frames_without_match: Vec<String>,
    frames_loaded: Vec<NodeId>,
}

/// Why a page is not connected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Refused {
    /// The status of the answer to its handshake, if it had one.
    pub(crate) status: Option<StatusCode>,
    pub(crate) says: String,
}

/// A stream tag that came to the page.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Received {
    /// The stream's name in clear, where it came over one.
    pub stream: Option<String>,
    /// The signed name, as the page's tag has it.
    pub signed: Option<String>,
    /// Its place in the log.
    pub offset: Option<u64>,
    /// What became of it.
    pub applied: Applied,
}

impl TestPage {
    /// Asks for a page, as a browser does that goes there. Then its tags are subscribed, its frames loaded,
    /// and it has [settled](Self::settle).
    ///
    /// # Panics
    /// If there is no answer, or none that is a page.
    pub async fn open(app: &TestApp, path: &str) -> Self {
        let mut page = Self {
            app: app.clone(),
            path: path.to_owned(),
            document: Document::parse(""),
            asked_at: app.forebay.position(),
            cable: None,
            session: None,
            refused: None,
            tags: Vec::new(),
            reads_marks: false,
            last_mark: 0,
            requests: VecDeque::new(),
            opened_after: app.last_broadcast(),
            opened_at: app.forebay.position(),
            refresh_is_due: false,
            is_behind: false,
            reconnects: 0,
            received: Vec::new(),
            messages: Vec::new(),
            frames_without_match: Vec::new(),
            frames_loaded: Vec::new(),
        };
        page.load(path).await;
        page.settle().await;
        page
    }

    /// Waits until everything that was broadcast so far has come, and is applied. "So far" has in it what
    /// was broadcast to be sent later, debounced refreshes, and what waits in the outbox.
    ///
    /// Nothing here sleeps: behind all that goes a mark, through the same log and over the page's own
    /// connection, and the page reads until it has come. A refresh loads the page again, new tags are
    /// subscribed and new frames loaded, until nothing more follows.
    ///
    /// # Panics
    /// If it does not come to an end.
    pub async fn settle(&mut self) {
        if tokio::time::timeout(SETTLE_MAX, self.settle_now()).await.is_err() {
            let waits: Vec<_> = self.tags.iter().filter(|tag| tag.waits()).map(Tag::name).collect();
            panic!(
                "{}: the page has not settled within {SETTLE_MAX:?}; it waits for an answer to its tags {waits:?}, \
                 or for its last mark",
                self.path
            );
        }
    }

    async fn settle_now(&mut self) {
        for _ in 0..ROUNDS_MAX {
            self.load_frames().await;
            self.follow_tags().await;
            let mark = self.app.mark().await;
            self.read_up_to(mark).await;
            if std::mem::take(&mut self.refresh_is_due) {
                self.refresh().await;
            } else if self.is_at_rest() {
                return;
            }
        }
        panic!(
            "{}: after {ROUNDS_MAX} rounds there is still something new: a rendering that broadcasts, or a frame \
             that brings itself",
            self.path
        );
    }

    /// The page's address, without its host.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The tags of custom actions that came, in order.
    pub fn events(&self) -> Vec<&StreamTag> {
        let custom = self.received.iter().map(|received| &received.applied);
        custom.filter(|applied| applied.is_custom()).map(|applied| &applied.tag).collect()
    }

    /// Messages that came and are no HTML: what a page's own script would get.
    pub fn messages(&self) -> &[Value] {
        &self.messages
    }

    pub(crate) fn app(&self) -> &TestApp {
        &self.app
    }

    pub(crate) fn tags(&self) -> &[Tag] {
        &self.tags
    }

    pub(crate) fn refusal(&self) -> Option<&Refused> {
        self.refused.as_ref()
    }

    pub(crate) fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    pub(crate) fn opened_after(&self) -> Option<u64> {
        self.opened_after
    }

    pub(crate) fn opened_at(&self) -> Position {
        self.opened_at
    }

    pub(crate) fn asked_at(&self) -> Position {
        self.asked_at
    }

    /// Whether a tag's cursor was taken when the page was asked for, or later.
    pub(crate) fn is_of_this_rendering(&self, cursor: Position) -> bool {
        cursor.epoch == self.asked_at.epoch && cursor.offset >= self.asked_at.offset
    }

    pub(crate) fn frames_without_match(&self) -> &[String] {
        &self.frames_without_match
    }

    /// All stream tags that came since the page was opened, and what became of them.
    pub fn received(&self) -> &[Received] {
        &self.received
    }
}

impl Deref for TestPage {
    type Target = Document;

    fn deref(&self) -> &Document {
        &self.document
    }
}

impl std::fmt::Debug for TestPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestPage")
            .field("path", &self.path)
            .field("tags", &self.tags)
            .finish_non_exhaustive()
    }
}
