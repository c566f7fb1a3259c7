//! One broadcast before it is sent: what can still be changed about it.

use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;

use forebay_cable::SessionId;
use forebay_log::{Class, Effect, Position, StateKey};
use forebay_turbo::{
    Action, AttributeValue, Attributes, Html, Render, RenderError, StreamName, StreamNameError,
    Target, TurboStream, TurboStreams,
};

use super::Broadcaster;
use super::publisher::Job;
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
    /// The queue of later broadcasts is gone, because its runtime is.
    #[error("later broadcasts are no longer taken")]
    Closed,
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

pub(super) enum Body<'a> {
    Tag(Tag, Content<'a>),
    Template(Content<'a>),
    Streams(TurboStreams),
    Json(Result<String, serde_json::Error>),
}

pub(super) enum Content<'a> {
    None,
    Html(Html),
    Borrowed(&'a (dyn Render + Sync)),
    Owned(Box<dyn Render + Send + Sync>),
}

/// A stream tag whose target may still change.
pub(super) struct Tag {
    action: Action,
    target: Option<Target>,
    attributes: Attributes,
    pub(super) request_id: Option<Arc<str>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Log,
    State,
    Ephemeral,
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
        if self.when == When::Debounced
            && let Body::Tag(tag, _) = self.body
        {
            #[cfg(feature = "sqlx")]
            if let Some(outbox) = &self.broadcaster.outbox {
                outbox.refresh(stream, tag);
                return Ok(Sent::AfterCommit);
            }
            return Ok(publisher.refresh(&stream, tag));
        }
        let envelope = Envelope { stream, keep: self.keep, except: self.except };
        if self.when == When::Later {
            let job = Job::new(envelope, self.body.into_owned()?);
            #[cfg(feature = "sqlx")]
            if let Some(outbox) = &self.broadcaster.outbox {
                outbox.later(job);
                return Ok(Sent::AfterCommit);
            }
            return publisher.later(job).await;
        }
        let ready = publisher.encode(envelope, self.body)?;
        #[cfg(feature = "sqlx")]
        if let Some(outbox) = &self.broadcaster.outbox {
            outbox.publish(ready);
            return Ok(Sent::AfterCommit);
        }
        Ok(publisher.publish(&ready))
    }
}

impl<'a> IntoFuture for Broadcast<'a> {
    type Output = Result<Sent, BroadcastError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// Everything of a broadcast but its body.
pub(super) struct Envelope {
    pub(super) stream: StreamName,
    keep: Keep,
    pub(super) except: Option<SessionId>,
}

impl Envelope {
    /// The class in the log: what a state entry overwrites is told by its tag.
    pub(super) fn class(&self, body: &Body<'_>) -> Class {
        match (self.keep, body) {
            (Keep::Ephemeral, _) => Class::Ephemeral,
            (Keep::State, Body::Tag(tag, _)) => tag.state_key().map_or(Class::Log, Class::State),
            (Keep::State | Keep::Log, _) => Class::Log,
        }
    }
}

impl Tag {
    pub(super) fn new(action: Action, target: Option<Target>) -> Self {
        Self { action, target, attributes: Attributes::new(), request_id: None }
    }

    pub(super) fn to_stream(&self, content: Html) -> TurboStream {
        let stream = TurboStream::action(self.action.as_str(), self.target.clone())
            .attributes(self.attributes.clone())
            .html(content);
        match &self.request_id {
            Some(id) => stream.request_id(id),
            None => stream,
        }
    }

    fn state_key(&self) -> Option<StateKey> {
        let target = match &self.target {
            Some(Target::Id(id)) => format!("#{id}"),
            Some(Target::Selector(selector)) => selector.clone(),
            _ => String::new(),
        };
        Some(match self.action {
            Action::Update => StateKey::new(target, Effect::Content),
            Action::Replace => StateKey::new(target, Effect::Element),
            Action::Remove => StateKey::new(target, Effect::Absence),
            Action::Refresh => {
                StateKey::new(self.request_id.as_deref().unwrap_or_default(), Effect::Refresh)
            }
            _ => return None,
        })
    }
}

impl Body<'_> {
    /// The message's JSON text.
    pub(super) fn encode(self) -> Result<String, BroadcastError> {
        let html = match self {
            Body::Tag(tag, content) => tag.to_stream(content.render()?).to_string(),
            Body::Template(content) => content.render()?.into_string(),
            Body::Streams(streams) => streams.to_string(),
            Body::Json(json) => return Ok(json?),
        };
        Ok(serde_json::to_string(&html)?)
    }

    /// Renders now what is only borrowed.
    fn into_owned(self) -> Result<Body<'static>, RenderError> {
        Ok(match self {
            Body::Tag(tag, content) => Body::Tag(tag, content.into_owned()?),
            Body::Template(content) => Body::Template(content.into_owned()?),
            Body::Streams(streams) => Body::Streams(streams),
            Body::Json(json) => Body::Json(json),
        })
    }
}

impl Content<'_> {
    fn render(self) -> Result<Html, RenderError> {
        match self {
            Content::None => Ok(Html::default()),
            Content::Html(html) => Ok(html),
            Content::Borrowed(content) => content.to_html(),
            Content::Owned(content) => content.to_html(),
        }
    }

    fn into_owned(self) -> Result<Content<'static>, RenderError> {
        Ok(match self {
            Content::Owned(content) => Content::Owned(content),
            other => Content::Html(other.render()?),
        })
    }
}
