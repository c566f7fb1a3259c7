//! The page's source tags: each subscribes when it comes, and unsubscribes when it goes.

use ego_tree::NodeId;
use forebay_core::signing::claimed_name;
use forebay_core::{Epoch, Offset, Position};
use serde_json::json;

use super::{Refused, TestPage};
use crate::app::resolved;
use crate::cable::{Cable, NotConnected};
use crate::document::Source;
use crate::events::Events;

/// A page that is cut off again and again is told apart from one that has lost its socket once.
const RECONNECTS_MAX: usize = 3;

/// One source tag.
pub(crate) struct Tag {
    pub(super) node: NodeId,
    pub(crate) signed: String,
    /// The stream's name in clear, as the signature claims it.
    pub(crate) stream: Option<String>,
    /// Where the log stood when the tag was rendered, if it says so.
    cursor: Option<Position>,
    pub(crate) state: TagState,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    Cable { identifier: String },
    Events { src: String, events: Option<Events>, last_mark: u64 },
}

/// How far a tag has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TagState {
    Asked,
    Live,
    Rejected,
    /// Not one of ours: another server's events.
    Foreign,
}

impl Tag {
    fn new(node: NodeId, source: Source) -> Self {
        let (signed, cursor, kind) = match source {
            // A cursor follows the name behind a dot.
            Source::Cable { identifier, signed } => {
                let cursor = signed.split_once('.').and_then(|(_, cursor)| position(cursor));
                (signed, cursor, Kind::Cable { identifier })
            }
            Source::Events { src } => {
                let (signed, cursor) = (in_query(&src, "stream"), in_query(&src, "cursor"));
                let kind = Kind::Events { src, events: None, last_mark: 0 };
                (signed, position(&cursor), kind)
            }
        };
        let stream = claimed_name(signed.split('.').next().unwrap_or_default());
        Self { node, signed, stream, cursor, state: TagState::Asked, kind }
    }

    fn is(&self, node: NodeId, source: &Source) -> bool {
        self.node == node
            && match (&self.kind, source) {
                (Kind::Cable { identifier }, Source::Cable { identifier: other, .. }) => {
                    identifier == other
                }
                // The element opens its address once, and never looks again.
                (Kind::Events { .. }, Source::Events { .. }) => true,
                _ => false,
            }
    }

    pub(super) fn identifier(&self) -> Option<&str> {
        match &self.kind {
            Kind::Cable { identifier } => Some(identifier),
            Kind::Events { .. } => None,
        }
    }

    pub(super) fn waits(&self) -> bool {
        self.state == TagState::Asked
    }

    pub(crate) fn cursor(&self) -> Option<Position> {
        self.cursor
    }

    pub(crate) fn name(&self) -> &str {
        self.stream.as_deref().unwrap_or(&self.signed)
    }
}

impl std::fmt::Debug for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.name(), self.state)
    }
}

/// What an event source's address says first under this name.
fn in_query(src: &str, wanted: &str) -> String {
    let query = src.split_once('?').map_or("", |(_, query)| query);
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let found = pairs.find(|(name, _)| name == wanted);
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The position at the beginning of a cursor: `EPOCH.OFFSET.PAGE.MAC`.
fn position(cursor: &str) -> Option<Position> {
    let mut parts = cursor.split('.');
    let epoch = u64::from_str_radix(parts.next()?, 16).ok()?;
    let offset = parts.next()?.parse().ok()?;
    Some(Position { epoch: Epoch(epoch), offset: Offset(offset) })
}

impl TestPage {
    /// Subscribes what has come, gives up what has gone, and waits for the answers.
    pub(super) async fn follow_tags(&mut self) {
        let sources = self.document.sources();
        let is_there = |tag: &Tag| sources.iter().any(|(node, source)| tag.is(*node, source));
        let (there, gone): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.tags).into_iter().partition(is_there);
        self.tags = there;
        self.give_up(gone).await;
        for (node, source) in sources {
            if !self.tags.iter().any(|tag| tag.is(node, &source)) {
                self.take_up(Tag::new(node, source)).await;
            }
        }
        self.await_answers().await;
    }

    /// Every tag of the document is subscribed, and no other.
    pub(super) fn has_all_tags(&self) -> bool {
        let sources = self.document.sources();
        let is_known =
            |(node, source): &(NodeId, Source)| self.tags.iter().any(|tag| tag.is(*node, source));
        sources.len() == self.tags.len() && sources.iter().all(is_known)
    }

    /// The document is another one: all its tags are gone.
    pub(super) async fn give_up_all(&mut self) {
        let gone = std::mem::take(&mut self.tags);
        self.give_up(gone).await;
    }

    async fn give_up(&mut self, gone: Vec<Tag>) {
        for tag in gone {
            let Some(identifier) = tag.identifier() else { continue };
            let is_needed = self.tags.iter().any(|other| other.identifier() == Some(identifier));
            if let Some(cable) = self.cable.as_mut().filter(|_| !is_needed) {
                cable.unsubscribe(identifier).await;
            }
        }
    }

    async fn take_up(&mut self, mut tag: Tag) {
        match &mut tag.kind {
            Kind::Cable { identifier } => {
                let identifier = identifier.clone();
                self.connect().await;
                match self.cable.as_mut() {
                    Some(cable) => cable.subscribe(&identifier).await,
                    None => tag.state = TagState::Rejected,
                }
            }
            Kind::Events { src, .. } if !src.contains("stream=") => tag.state = TagState::Foreign,
            Kind::Events { src, events, .. } => {
                let path = format!("{}&{}", resolved(&self.path, src), self.app.marks_query());
                match Events::open(&self.app, &path).await {
                    Ok(opened) => (*events, tag.state) = (Some(opened), TagState::Live),
                    Err(error) => {
                        tag.state = TagState::Rejected;
                        self.refused = Some(error.into());
                    }
                }
            }
        }
        self.tags.push(tag);
    }

    /// Opens the page's one WebSocket, and reads marks over it.
    async fn connect(&mut self) {
        if self.cable.is_some() || self.refused.is_some() {
            return;
        }
        let address = self.document.meta("action-cable-url");
        let path = resolved(&self.path, address.as_deref().unwrap_or("/cable"));
        match Cable::open(&self.app, &path).await {
            Ok(mut cable) => {
                cable.subscribe(&self.marks_identifier()).await;
                (self.cable, self.reads_marks) = (Some(cable), false);
            }
            Err(error) => self.refused = Some(error.into()),
        }
    }

    /// The socket is lost: another one, over which all tags subscribe again, as the stock client does.
    pub(super) async fn reconnect(&mut self) {
        self.cable = None;
        self.reconnects += 1;
        if self.reconnects > RECONNECTS_MAX {
            let says = format!("the connection was lost {} times", self.reconnects);
            self.refused.get_or_insert(Refused { status: None, says });
        }
        self.connect().await;
        for at in 0..self.tags.len() {
            let Some(identifier) = self.tags[at].identifier().map(str::to_owned) else { continue };
            match self.cable.as_mut() {
                Some(cable) => {
                    cable.subscribe(&identifier).await;
                    self.tags[at].state = TagState::Asked;
                }
                None => self.tags[at].state = TagState::Rejected,
            }
        }
    }

    pub(super) fn marks_identifier(&self) -> String {
        let signed = self.app.marks_name();
        json!({ "channel": "Turbo::StreamsChannel", "signed_stream_name": signed }).to_string()
    }
}

impl From<NotConnected> for Refused {
    fn from(NotConnected { status, says }: NotConnected) -> Self {
        Self { status, says }
    }
}
