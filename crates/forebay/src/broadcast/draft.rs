//! One broadcast before it is sent: what can still be changed about it.

use std::future::IntoFuture;
use std::pin::Pin;

use forebay_cable::SessionId;
use forebay_hub::PublishError;
use forebay_log::Position;
use forebay_turbo::{
    AttributeValue, Html, Render, RenderError, StreamName, StreamNameError, Target,
};

use super::Broadcaster;
use super::body::{Body, Content, Envelope, Keep, Tag};
#[cfg(feature = "sqlx")]
use super::outbox::Verdict;
use super::publisher::{Job, Prepared};
use crate::suppress;

/// Why a broadcast was not sent. Nothing of it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BroadcastError {
    /// It has no stream.
    #[error(transparent)]
    StreamName(#[from] StreamNameError),
    /// Its content could not be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Its value could not be encoded.
    #[error("the value is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It is larger than [`Builder::message_bytes_max`](crate::Builder::message_bytes_max).
    #[error("the message has {bytes} bytes, more than the {max} that are allowed")]
    TooBig {
        /// Its size, encoded.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The log is kept on disk, and the disk did not take it: nobody got it.
    #[error(transparent)]
    NotTaken(#[from] PublishError),
    /// The queue of later broadcasts is gone, because its runtime is.
    #[error("later broadcasts are no longer taken")]
    Closed,
    /// Its transaction was rolled back.
    #[error("the transaction of this broadcast was rolled back")]
    RolledBack,
}

/// What became of a broadcast.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Sent {
    /// It has its place in the log.
    Published {
        /// Its position.
        position: Position,
        /// Subscriptions of this process that it woke.
        subscribers: usize,
    },
    /// It will be rendered and published after those before it.
    Later,
    /// It is collected, and sent at the end of the refresh window.
    Debounced,
    /// It waits for its transaction to commit.
    AfterCommit,
    /// It was suppressed.
    Suppressed,
}

/// A broadcast that is sent when it is awaited.
#[must_use = "a broadcast is sent when it is awaited"]
pub struct Broadcast<'a> {
    broadcaster: Broadcaster,
    stream: Result<StreamName, StreamNameError>,
    model: Option<&'static str>,
    body: Body<'a>,
    keep: Keep,
    except: Option<SessionId>,
    when: When,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Now,
    Later,
    Debounced,
}

impl<'a> Broadcast<'a> {
    pub(super) fn new(
        broadcaster: Broadcaster,
        stream: Result<StreamName, StreamNameError>,
        model: Option<&'static str>,
        body: Body<'a>,
    ) -> Self {
        let (keep, except, when) = (Keep::Log, None, When::Now);
        Self { broadcaster, stream, model, body, keep, except, when }
    }

    /// Another target than the record's: an element's id, or a record whose element it is.
    pub fn target(self, target: impl Into<Target>) -> Self {
        let target = target.into();
        self.tag(|tag| tag.target = Some(target))
    }

    /// All elements that a CSS selector finds.
    pub fn targets(self, selector: impl Into<String>) -> Self {
        self.target(Target::selector(selector))
    }

    /// An attribute of the tag.
    pub fn attribute(self, name: impl Into<String>, value: impl Into<AttributeValue>) -> Self {
        self.tag(|tag| {
            tag.attributes.set(name, value);
        })
    }

    /// Changes what is there instead of exchanging it.
    pub fn morph(self) -> Self {
        self.attribute("method", "morph")
    }

    /// The answer to this request shows the same already. The page that made the request leaves this
    /// broadcast out, if it runs `forebay.js` and the answer has arrived; all others show it.
    ///
    /// For broadcasts of one action; ready-made tags ([`Broadcaster::stream_to`]) carry what
    /// [`TurboStream::request_id`](crate::TurboStream::request_id) gives them.
    pub fn reflected(self) -> Self {
        let id = self.broadcaster.request_id.clone();
        self.tag(|tag| tag.request_id = id)
    }

    /// For a refresh: no page is left out, not even the one whose request this is.
    pub fn to_everybody(self) -> Self {
        self.tag(|tag| tag.request_id = None)
    }

    /// For a refresh: the page with this request id is left out.
    pub fn request_id(self, id: &str) -> Self {
        self.tag(|tag| tag.request_id = Some(id.into()))
    }

    /// This HTML instead of the record's partial.
    pub fn html(self, html: Html) -> Self {
        self.content(Content::Html(html))
    }

    /// This text instead of the record's partial. It is escaped.
    pub fn text(self, text: &str) -> Self {
        self.html(Html::text(text))
    }

    /// Another partial than the record's.
    pub fn partial(self, partial: &'a (impl Render + Sync)) -> Self {
        self.content(Content::Borrowed(partial))
    }

    /// No content, and nothing is rendered.
    pub fn without_content(self) -> Self {
        self.content(Content::None)
    }

    /// Keeps only what a replay needs to reach the same page: a later `replace`, `update`,
    /// `remove` or `refresh` of the same target supersedes this one in history. Other actions
    /// add to what is there, so they are kept all.
    ///
    /// For values that change often (progress, counters, prices). A replacement must keep the
    /// element's id.
    pub fn state(self) -> Self {
        Self { keep: Keep::State, ..self }
    }

    /// Keeps nothing: whoever is not subscribed at this moment never gets it.
    pub fn ephemeral(self) -> Self {
        Self { keep: Keep::Ephemeral, ..self }
    }

    /// Leaves one session out: the one whose channel object handles an action, say.
    pub fn except(self, session: SessionId) -> Self {
        Self { except: Some(session), ..self }
    }

    pub(super) fn later(self) -> Self {
        Self { when: When::Later, ..self }
    }

    /// Collected into one refresh a window: nothing but its attributes and request id counts.
    pub(super) fn debounced(self) -> Self {
        Self { when: When::Debounced, ..self }
    }

    fn tag(mut self, change: impl FnOnce(&mut Tag)) -> Self {
        if let Body::Tag(tag, _) = &mut self.body {
            change(tag);
        }
        self
    }

    fn content(mut self, content: Content<'a>) -> Self {
        match &mut self.body {
            Body::Tag(_, old) | Body::Template(old) => *old = content,
            Body::Streams(_) | Body::Json(_) => {}
        }
        self
    }

    async fn send(self) -> Result<Sent, BroadcastError> {
        if suppress::is_suppressed(self.model) {
            return Ok(Sent::Suppressed);
        }
        let stream = self.stream?;
        let publisher = &self.broadcaster.core.publisher;
        let broadcast = match (self.when, self.body) {
            (When::Debounced, Body::Tag(tag, _)) => Prepared::Refresh(stream, tag),
            (when, body) => {
                let envelope = Envelope { stream, keep: self.keep, except: self.except };
                match when {
                    When::Later => Prepared::Later(Job::new(envelope, body.into_owned()?)),
                    _ => Prepared::Publish(publisher.encode(envelope, body)?),
                }
            }
        };
        #[cfg(feature = "sqlx")]
        let broadcast = match &self.broadcaster.outbox {
            None => broadcast,
            Some(outbox) => match outbox.put(broadcast) {
                Verdict::GoesOut(broadcast) => broadcast,
                Verdict::Waits => return Ok(Sent::AfterCommit),
                Verdict::IsGone => return Err(BroadcastError::RolledBack),
            },
        };
        publisher.send(broadcast).await
    }
}

impl<'a> IntoFuture for Broadcast<'a> {
    type Output = Result<Sent, BroadcastError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
