//! What pages are shown when members change, and what the application does then.

use std::sync::atomic::{AtomicBool, Ordering};

use forebay_hub::{Change, Member, OnPresence};
use forebay_turbo::{Record, Render, RenderError, TurboStream, TurboStreams};
use serde::de::DeserializeOwned;

/// What a hook may give: a stream tag, several, or a [`Result`] with either.
pub trait IntoStreams {
    /// The tags.
    ///
    /// # Errors
    /// [`RenderError`] if a template failed. Pages of the stream then load themselves again.
    fn into_streams(self) -> Result<TurboStreams, RenderError>;
}

macro_rules! into_streams {
    ($($tags:ty)*) => {$(
        impl IntoStreams for $tags {
            fn into_streams(self) -> Result<TurboStreams, RenderError> {
                Ok(self.into())
            }
        }

        impl IntoStreams for Result<$tags, RenderError> {
            fn into_streams(self) -> Result<TurboStreams, RenderError> {
                self.map(Into::into)
            }
        }
    )*};
}
into_streams!(TurboStream TurboStreams Vec<TurboStream>);

type Rendered = Result<TurboStreams, RenderError>;
type OfMember<M> = Box<dyn Fn(&str, &M) -> Rendered + Send + Sync>;
type OfTotal = Box<dyn Fn(&str, usize) -> Rendered + Send + Sync>;
type OfStream = Box<dyn Fn(&str) + Send + Sync>;

/// How presence looks and what follows from it, for the members of some streams.
///
/// Every hook gets the stream's name first. The first four give stream tags; they are called once on each node,
/// in the order of the log, for all pages together. So they see no request and no visitor. Hooks must not wait:
/// until they return, nobody's presence changes on this node. They must not change a member in place either
/// ([`Forebay::update_member`](crate::Forebay::update_member) would wait for them for ever): spawn a task for that, and for broadcasts.
///
/// `M` is the member: what its tag's page gave, read from its JSON again.
#[must_use = "it does nothing until it is given to a builder"]
pub struct Presence<M> {
    streams: Pattern,
    joined: OfMember<M>,
    updated: OfMember<M>,
    left: OfMember<M>,
    count: Option<OfTotal>,
    first_in: Option<OfStream>,
    last_out: Option<OfStream>,
    /// Somebody was told of a member that is none of these.
    has_strangers: AtomicBool,
}

/// A name, or its beginning and its end.
enum Pattern {
    Name(String),
    Around(String, String),
}

impl Pattern {
    fn new(text: &str) -> Self {
        match text.split_once('*') {
            Some((beginning, end)) => Self::Around(beginning.to_owned(), end.to_owned()),
            None => Self::Name(text.to_owned()),
        }
    }

    fn fits(&self, stream: &str) -> bool {
        match self {
            Self::Name(name) => name == stream,
            Self::Around(beginning, end) => {
                stream.strip_prefix(beginning.as_str()).is_some_and(|rest| rest.ends_with(end))
            }
        }
    }
}

impl<M: DeserializeOwned + Send + Sync + 'static> Presence<M> {
    /// Shows members by their partials, with the targets that broadcasts of a record have: whoever comes is appended
    /// to the element named by the model's plural (`visitors`), whoever changes is replaced (`visitor_1`), and
    /// whoever leaves is removed.
    pub fn new<E>() -> Self
    where
        M: Record + Render<E>,
    {
        Self::silent()
            .joined(|_, member: &M| TurboStream::append(M::model().plural()).render(member))
            .updated(|_, member| TurboStream::replace(member.dom_id()).render(member))
            .left(|_, member| TurboStream::remove(member.dom_id()))
    }

    /// Shows nothing that is not said.
    pub fn silent() -> Self {
        let nothing = || -> OfMember<M> { Box::new(|_, _| Ok(TurboStreams::default())) };
        Self {
            streams: Pattern::Around(String::new(), String::new()),
            joined: nothing(),
            updated: nothing(),
            left: nothing(),
            count: None,
            first_in: None,
            last_out: None,
            has_strangers: AtomicBool::new(false),
        }
    }

    /// Only for streams of these names: a name, or a beginning, `*` and an end (`room:*`, `*:visitors`).
    /// Default: all. Of several in one builder, the first that fits takes the stream.
    pub fn streams(mut self, pattern: impl AsRef<str>) -> Self {
        self.streams = Pattern::new(pattern.as_ref());
        self
    }

    /// Shows that somebody has come.
    pub fn joined<S: IntoStreams>(
        mut self,
        hook: impl Fn(&str, &M) -> S + Send + Sync + 'static,
    ) -> Self {
        self.joined = Box::new(move |stream, member| hook(stream, member).into_streams());
        self
    }

    /// Shows that a member is another now.
    pub fn updated<S: IntoStreams>(
        mut self,
        hook: impl Fn(&str, &M) -> S + Send + Sync + 'static,
    ) -> Self {
        self.updated = Box::new(move |stream, member| hook(stream, member).into_streams());
        self
    }

    /// Shows that a member is gone; it is as it was at last.
    pub fn left<S: IntoStreams>(
        mut self,
        hook: impl Fn(&str, &M) -> S + Send + Sync + 'static,
    ) -> Self {
        self.left = Box::new(move |stream, member| hook(stream, member).into_streams());
        self
    }

    /// Shows how many are there, whenever the number changes. Where more are present than
    /// [`PresenceOptions::names_max`](crate::PresenceOptions) it is all that pages are told.
    pub fn count<S: IntoStreams>(
        mut self,
        hook: impl Fn(&str, usize) -> S + Send + Sync + 'static,
    ) -> Self {
        self.count = Some(Box::new(move |stream, total| hook(stream, total).into_streams()));
        self
    }

    /// Called when somebody comes to a stream where nobody was, on one node of all: the one that says so in the
    /// log. A node that is killed at this very moment calls nobody.
    pub fn first_in(mut self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.first_in = Some(Box::new(hook));
        self
    }

    /// Called when the last one has left a stream, as [`first_in`](Self::first_in).
    pub fn last_out(mut self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.last_out = Some(Box::new(hook));
        self
    }

    fn each(&self, stream: &str, members: &[Member], hook: &OfMember<M>) -> Rendered {
        let mut tags = TurboStreams::default();
        for member in members {
            match serde_json::from_str(&member.info) {
                Ok(member) => tags.extend(hook(stream, &member)?),
                Err(error) => self.note_stranger(stream, member, &error),
            }
        }
        Ok(tags)
    }

    fn note_stranger(&self, stream: &str, member: &Member, error: &serde_json::Error) {
        if !self.has_strangers.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                stream, member = &*member.id, %error,
                "a member is none of those that this stream's hooks show: pages are not told of it, nor of others like it"
            );
        }
    }
}

impl<M> std::fmt::Debug for Presence<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Presence").finish_non_exhaustive()
    }
}

/// A [`Presence`] of whatever members.
pub(crate) trait Kind: Send + Sync {
    fn fits(&self, stream: &str) -> bool;
    fn tags(&self, stream: &str, change: &Change) -> Rendered;
    fn call(&self, stream: &str, change: &Change);
}

impl<M: DeserializeOwned + Send + Sync + 'static> Kind for Presence<M> {
    fn fits(&self, stream: &str) -> bool {
        self.streams.fits(stream)
    }

    fn tags(&self, stream: &str, change: &Change) -> Rendered {
        let mut tags = self.each(stream, &change.left, &self.left)?;
        tags.extend(self.each(stream, &change.updated, &self.updated)?);
        tags.extend(self.each(stream, &change.joined, &self.joined)?);
        if let Some(count) = self.count.as_ref().filter(|_| change.total != change.total_before) {
            tags.extend(count(stream, change.total)?);
        }
        Ok(tags)
    }

    fn call(&self, stream: &str, change: &Change) {
        let hook = match (change.total_before, change.total) {
            (0, 1..) => &self.first_in,
            (1.., 0) => &self.last_out,
            _ => &None,
        };
        if let Some(hook) = hook {
            hook(stream);
        }
    }
}

/// All hooks of an application, as the hub calls them.
pub(crate) struct Hooks(pub(crate) Vec<Box<dyn Kind>>);

impl Hooks {
    fn of(&self, stream: &str) -> Option<&dyn Kind> {
        self.0.iter().find(|kind| kind.fits(stream)).map(|kind| &**kind)
    }
}

impl OnPresence for Hooks {
    fn render(&self, stream: &str, change: &Change) -> Option<String> {
        let tags = self.of(stream)?.tags(stream, change);
        let tags = tags.and_then(|tags| tags.check().map(|()| tags).map_err(RenderError::new));
        let tags = tags.unwrap_or_else(|error| {
            let error = crate::error::with_causes(&error);
            tracing::error!(
                stream,
                error,
                "who has come or left can't be shown: pages load themselves again"
            );
            TurboStream::refresh().into()
        });
        (!tags.is_empty()).then(|| tags.to_string())
    }

    fn changed(&self, stream: &str, change: &Change) {
        if let Some(kind) = self.of(stream) {
            kind.call(stream, change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_name_or_its_two_ends() {
        let check = |pattern, stream, expected| {
            assert_eq!(Pattern::new(pattern).fits(stream), expected, "{pattern} {stream}");
        };
        check("room:1", "room:1", true);
        check("room:1", "room:12", false);
        check("room:*", "room:12", true);
        check("*:visitors", "Z2lk:visitors", true);
        check("*:visitors", "Z2lk:messages", false);
        check("room:*:here", "room:1:here", true);
        // Both ends are to be there.
        check("room:*:here", "room:here", false);
        check("*", "", true);
    }
}
