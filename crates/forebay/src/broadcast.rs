//! Broadcasting: turbo-rails' whole family, on one [`Broadcaster`].
//!
//! Follow one from here to the socket: [`Broadcast`] (what is to be sent, `broadcast/draft.rs`),
//! `Publisher` (encoding, `broadcast/publisher.rs`), `Hub::publish` (its place in the log), and
//! the connection's task, which reads it from there (`driver/outgoing.rs` in forebay-transport).

mod body;
#[cfg(feature = "sqlx")]
mod commits;
mod draft;
#[cfg(feature = "sqlx")]
mod outbox;
mod publisher;
mod refresh;

use std::sync::Arc;

use forebay_turbo::{Action, Record, Render, StreamName, Streamable, Target, TurboStreams};
use serde::Serialize;

use self::body::{Body, Content, Tag};
pub use self::draft::{Broadcast, BroadcastError, Sent};
#[cfg(feature = "sqlx")]
pub(crate) use self::outbox::{OpenOutbox, Outbox};
pub(crate) use self::publisher::{Publisher, Settings};
use crate::app::Core;

/// A record that can be shown: it has an element, a stream of its own, and a partial.
pub trait Partial: Record + Streamable + Render {}

impl<T: Record + Streamable + Render> Partial for T {}

/// Where broadcasts begin. From [`Turbo::broadcast`](crate::Turbo::broadcast) in a handler, from
/// [`Forebay::broadcast`](crate::Forebay::broadcast) anywhere else, from `Transaction::broadcast` inside a transaction.
///
/// Methods that end in `_to` take the stream; the others broadcast to the record's own. What
/// they return is sent when it is awaited:
///
/// ```
/// # use forebay::{Broadcaster, Error, Partial, StreamName};
/// # async fn example<M: Partial + Sync>(broadcast: Broadcaster, message: M) -> Result<(), Error> {
/// broadcast.append_to(("room", 1, "messages"), &message).await?;
/// broadcast.replace(&message).morph().await?;
/// broadcast.remove_to("board", &message).targets(".card").await?;
/// # Ok(())
/// # }
/// ```
///
/// Methods with `later` in their name take the record, and render and send it after the handler
/// has gone on: one after the other, in the order in which they were called.
#[derive(Clone)]
#[must_use]
pub struct Broadcaster {
    core: Arc<Core>,
    request_id: Option<Arc<str>>,
    #[cfg(feature = "sqlx")]
    outbox: Option<Outbox>,
}

/// The target that each action infers from the record.
fn collection<R: Record>(_: &R) -> Target {
    Target::Id(R::model().plural().to_owned())
}

fn element<R: Record>(record: &R) -> Target {
    Target::from(record)
}

macro_rules! family {
    ($($(#[$doc:meta])* $action:ident, $target:ident:
        $to:ident, $own:ident, $later_to:ident, $later_own:ident;)*) => {$(
        $(#[$doc])*
        pub fn $to<'a, R: Partial + Sync>(
            &self,
            stream: impl Streamable,
            record: &'a R,
        ) -> Broadcast<'a> {
            self.action_on(&stream, Action::$action, Some($target(record)), record)
        }

        /// The same, to the record's own stream.
        pub fn $own<'a, R: Partial + Sync>(&self, record: &'a R) -> Broadcast<'a> {
            self.$to(record, record)
        }

        /// The same, rendered and sent later.
        pub fn $later_to<R: Partial + Send + Sync + 'static>(
            &self,
            stream: impl Streamable,
            record: R,
        ) -> Broadcast<'static> {
            self.action_later_on(&stream, Action::$action, Some($target(&record)), record)
        }

        /// The same, to the record's own stream, rendered and sent later.
        pub fn $later_own<R: Partial + Send + Sync + 'static>(
            &self,
            record: R,
        ) -> Broadcast<'static> {
            let stream = self.name(&record);
            let target = $target(&record);
            self.tag_later(stream, Action::$action, Some(target), record)
        }
    )*};
}

impl Broadcaster {
    pub(crate) fn new(core: Arc<Core>, request_id: Option<Arc<str>>) -> Self {
        Self {
            core,
            request_id,
            #[cfg(feature = "sqlx")]
            outbox: None,
        }
    }

    #[cfg(feature = "sqlx")]
    pub(crate) fn into_outbox(self, outbox: Outbox) -> Self {
        Self { outbox: Some(outbox), ..self }
    }

    #[cfg(feature = "sqlx")]
    pub(crate) fn publisher(&self) -> &Publisher {
        &self.core.publisher
    }

    family! {
        /// Adds the record at the end of the element named by its model's plural: `messages`.
        Append, collection: append_to, append, append_later_to, append_later;
        /// Adds the record at the beginning of the element named by its model's plural.
        Prepend, collection: prepend_to, prepend, prepend_later_to, prepend_later;
        /// Replaces the record's element: `message_1`.
        Replace, element: replace_to, replace, replace_later_to, replace_later;
        /// Replaces what is in the record's element. The partial's root must then not have the
        /// same id, or the page gets it twice.
        Update, element: update_to, update, update_later_to, update_later;
    }

    /// Removes the record's element. Nothing is rendered.
    pub fn remove_to<R: Record>(&self, stream: impl Streamable, record: &R) -> Broadcast<'static> {
        let tag = Tag::new(Action::Remove, Some(element(record)));
        let body = Body::Tag(tag, Content::None);
        self.draft(self.name(&stream), Some(R::model().name()), body)
    }

    /// The same, to the record's own stream.
    pub fn remove<R: Record + Streamable>(&self, record: &R) -> Broadcast<'static> {
        self.remove_to(record, record)
    }

    /// Inserts the record before an element.
    pub fn before_to<'a, R: Partial + Sync>(
        &self,
        stream: impl Streamable,
        target: impl Into<Target>,
        record: &'a R,
    ) -> Broadcast<'a> {
        self.action_on(&stream, Action::Before, Some(target.into()), record)
    }

    /// Inserts the record after an element.
    pub fn after_to<'a, R: Partial + Sync>(
        &self,
        stream: impl Streamable,
        target: impl Into<Target>,
        record: &'a R,
    ) -> Broadcast<'a> {
        self.action_on(&stream, Action::After, Some(target.into()), record)
    }

    /// Any action, with the model's plural as its target.
    pub fn action_to<'a, R: Partial + Sync>(
        &self,
        stream: impl Streamable,
        action: impl Into<Action>,
        record: &'a R,
    ) -> Broadcast<'a> {
        self.action_on(&stream, action.into(), Some(collection(record)), record)
    }

    /// The same, to the record's own stream.
    pub fn action<'a, R: Partial + Sync>(
        &self,
        action: impl Into<Action>,
        record: &'a R,
    ) -> Broadcast<'a> {
        self.action_to(record, action, record)
    }

    /// Any action, rendered and sent later.
    pub fn action_later_to<R: Partial + Send + Sync + 'static>(
        &self,
        stream: impl Streamable,
        action: impl Into<Action>,
        record: R,
    ) -> Broadcast<'static> {
        self.action_later_on(&stream, action.into(), Some(collection(&record)), record)
    }

    /// Makes pages load themselves again, but for the one whose request this is.
    pub fn refresh_to(&self, stream: impl Streamable) -> Broadcast<'static> {
        self.refresh_named(self.name(&stream), None)
    }

    /// The same, to the record's own stream.
    pub fn refresh<R: Record + Streamable>(&self, record: &R) -> Broadcast<'static> {
        self.refresh_named(self.name(record), Some(R::model().name()))
    }

    /// Makes pages load themselves again, not more often than the refresh window says: the first
    /// at once, the last never later than the window. See
    /// [`Builder::refresh_window`](crate::Builder::refresh_window).
    pub fn refresh_later_to(&self, stream: impl Streamable) -> Broadcast<'static> {
        self.refresh_to(stream).debounced()
    }

    /// The same, to the record's own stream.
    pub fn refresh_later<R: Record + Streamable>(&self, record: &R) -> Broadcast<'static> {
        self.refresh(record).debounced()
    }

    /// A template that writes stream tags itself: `broadcast_render_to`.
    pub fn render_to<'a>(
        &self,
        stream: impl Streamable,
        template: &'a (impl Render + Sync),
    ) -> Broadcast<'a> {
        self.draft(self.name(&stream), None, Body::Template(Content::Borrowed(template)))
    }

    /// The same, to the record's own stream.
    pub fn render<'a, R: Record + Streamable>(
        &self,
        record: &R,
        template: &'a (impl Render + Sync),
    ) -> Broadcast<'a> {
        let body = Body::Template(Content::Borrowed(template));
        self.draft(self.name(record), Some(R::model().name()), body)
    }

    /// A template that writes stream tags itself, rendered and sent later.
    pub fn render_later_to(
        &self,
        stream: impl Streamable,
        template: impl Render + Send + Sync + 'static,
    ) -> Broadcast<'static> {
        let body = Body::Template(Content::Owned(Box::new(template)));
        self.draft(self.name(&stream), None, body).later()
    }

    /// Stream tags as they are: `broadcast_stream_to`.
    pub fn stream_to(
        &self,
        stream: impl Streamable,
        tags: impl Into<TurboStreams>,
    ) -> Broadcast<'static> {
        self.draft(self.name(&stream), None, Body::Streams(tags.into()))
    }

    /// A JSON value, for channels whose pages have JavaScript of their own.
    pub fn json_to(&self, stream: impl Streamable, value: &impl Serialize) -> Broadcast<'static> {
        self.draft(self.name(&stream), None, Body::Json(serde_json::to_string(value)))
    }

    fn action_on<'a, R: Partial + Sync>(
        &self,
        stream: &impl Streamable,
        action: Action,
        target: Option<Target>,
        record: &'a R,
    ) -> Broadcast<'a> {
        let body = Body::Tag(Tag::new(action, target), Content::Borrowed(record));
        self.draft(self.name(stream), Some(R::model().name()), body)
    }

    fn action_later_on<R: Partial + Send + Sync + 'static>(
        &self,
        stream: &impl Streamable,
        action: Action,
        target: Option<Target>,
        record: R,
    ) -> Broadcast<'static> {
        self.tag_later(self.name(stream), action, target, record)
    }

    fn tag_later<R: Partial + Send + Sync + 'static>(
        &self,
        stream: Result<StreamName, forebay_turbo::StreamNameError>,
        action: Action,
        target: Option<Target>,
        record: R,
    ) -> Broadcast<'static> {
        let body = Body::Tag(Tag::new(action, target), Content::Owned(Box::new(record)));
        self.draft(stream, Some(R::model().name()), body).later()
    }

    fn refresh_named(
        &self,
        stream: Result<StreamName, forebay_turbo::StreamNameError>,
        model: Option<&'static str>,
    ) -> Broadcast<'static> {
        let mut tag = Tag::new(Action::Refresh, None);
        tag.request_id.clone_from(&self.request_id);
        self.draft(stream, model, Body::Tag(tag, Content::None))
    }

    fn name(&self, stream: &impl Streamable) -> Result<StreamName, forebay_turbo::StreamNameError> {
        self.core.stream_name(stream)
    }

    fn draft<'a>(
        &self,
        stream: Result<StreamName, forebay_turbo::StreamNameError>,
        model: Option<&'static str>,
        body: Body<'a>,
    ) -> Broadcast<'a> {
        Broadcast::new(self.clone(), stream, model, body)
    }
}

impl std::fmt::Debug for Broadcaster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broadcaster").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
