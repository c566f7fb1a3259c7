//! What a broadcast says, until it is a message: a tag with its content, or something else.

use std::sync::Arc;

use forebay_cable::SessionId;
use forebay_hub::Trace;
use forebay_log::{Class, Extent, StateKey, Targets};
use forebay_turbo::{
    Action, Attributes, Html, Render, RenderError, StreamName, Target, TurboStream, TurboStreams,
};

use super::draft::BroadcastError;

pub(super) enum Body<'a> {
    Tag(Tag, Content<'a>),
    Template(Content<'a>),
    Streams(TurboStreams),
    Json(Result<String, serde_json::Error>),
}

pub(super) enum Content<'a> {
    None,
    Html(Html),
    Borrowed(Rendering<'a>),
    Owned(Rendering<'static>),
}

/// A template that has its engine.
type Rendering<'a> = Box<dyn FnOnce() -> Result<Html, RenderError> + Send + 'a>;

/// A stream tag whose target may still change.
pub(super) struct Tag {
    pub(super) action: Action,
    pub(super) target: Option<Target>,
    pub(super) attributes: Attributes,
    pub(super) request_id: Option<Arc<str>>,
}

/// How long it is worth keeping, before what it says is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Log,
    State,
    Ephemeral,
}

/// Everything of a broadcast but its body.
pub(super) struct Envelope {
    pub(super) stream: StreamName,
    pub(super) keep: Keep,
    pub(super) except: Option<SessionId>,
    pub(super) trace: Trace,
}

impl Envelope {
    /// The class in the log: what a state entry overwrites is told by its tag.
    pub(super) fn class(&self, body: &Body<'_>) -> Class {
        Self::class_of(self.keep, body)
    }

    pub(super) fn class_of(keep: Keep, body: &Body<'_>) -> Class {
        match (keep, body) {
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

    pub(super) fn into_stream(self, content: Html) -> TurboStream {
        let stream = TurboStream::action(self.action.as_str(), self.target)
            .attributes(self.attributes)
            .html(content);
        match &self.request_id {
            Some(id) => stream.request_id(id),
            None => stream,
        }
    }

    /// What it does to a page.
    pub(super) fn action(&self) -> forebay_log::Action {
        let targets = match &self.target {
            Some(Target::Id(id)) => Targets::Id(id.as_str().into()),
            Some(Target::Selector(selector)) => Targets::Selector(selector.as_str().into()),
            _ => Targets::Page,
        };
        forebay_log::Action { name: self.action.as_str().into(), targets }
    }

    fn state_key(&self) -> Option<StateKey> {
        let target = match &self.target {
            Some(Target::Id(id)) => format!("#{id}"),
            Some(Target::Selector(selector)) => selector.clone(),
            _ => String::new(),
        };
        Some(match self.action {
            Action::Update => StateKey::new(target, Extent::Content),
            Action::Replace => StateKey::new(target, Extent::Element),
            Action::Remove => StateKey::new(target, Extent::Absence),
            Action::Refresh => {
                StateKey::new(self.request_id.as_deref().unwrap_or_default(), Extent::Refresh)
            }
            _ => return None,
        })
    }
}

impl Body<'_> {
    /// What it does to a page, as far as that is known without a look at its HTML.
    pub(super) fn action(&self) -> Option<forebay_log::Action> {
        let Body::Tag(tag, _) = self else { return None };
        Some(tag.action())
    }

    /// The message's JSON text.
    pub(super) fn encode(self) -> Result<String, BroadcastError> {
        let html = match self {
            Body::Tag(tag, content) => tag.into_stream(content.render()?).to_string(),
            Body::Template(content) => content.render()?.into_string(),
            Body::Streams(streams) => streams.to_string(),
            Body::Json(json) => return Ok(json?),
        };
        Ok(serde_json::to_string(&html)?)
    }

    /// Renders now what is only borrowed.
    pub(super) fn into_owned(self) -> Result<Body<'static>, RenderError> {
        Ok(match self {
            Body::Tag(tag, content) => Body::Tag(tag, content.into_owned()?),
            Body::Template(content) => Body::Template(content.into_owned()?),
            Body::Streams(streams) => Body::Streams(streams),
            Body::Json(json) => Body::Json(json),
        })
    }
}

impl<'a> Content<'a> {
    pub(super) fn borrowed<E>(content: &'a (impl Render<E> + Sync)) -> Self {
        Self::Borrowed(Box::new(|| content.to_html()))
    }

    pub(super) fn owned<E>(content: impl Render<E> + Send + 'static) -> Self {
        Self::Owned(Box::new(move || content.to_html()))
    }

    fn render(self) -> Result<Html, RenderError> {
        match self {
            Content::None => Ok(Html::default()),
            Content::Html(html) => Ok(html),
            Content::Borrowed(render) | Content::Owned(render) => render(),
        }
    }

    fn into_owned(self) -> Result<Content<'static>, RenderError> {
        Ok(match self {
            Content::Owned(render) => Content::Owned(render),
            other => Content::Html(other.render()?),
        })
    }
}
