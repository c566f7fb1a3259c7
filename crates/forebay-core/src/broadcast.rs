//! Broadcasting: turbo-rails' whole family, on one [`Broadcaster`].
//!
//! Follow one from here to the socket: [`Broadcast`] (what is to be sent, `broadcast/draft.rs`),
//! `Publisher` (encoding, `broadcast/publisher.rs`), `Hub::publish` (its place in the log), and
//! the connection's task, which reads it from there (`driver/outgoing.rs` in forebay-transport).

mod body;
#[cfg(feature = "sqlx")]
mod commits;
mod draft;
pub mod kinds;
#[cfg(feature = "sqlx")]
mod pending;
mod publisher;
mod refresh;
#[cfg(feature = "sqlx")]
mod relay;
mod tracing;

use std::fmt::Display;
use std::sync::Arc;

use forebay_turbo::{
    Action, Html, Record, Render, StreamName, StreamNameError, Streamable, Target, TurboStreams,
    engine,
};
use serde::Serialize;

use self::body::{Body, Content, Tag};
pub use self::draft::{Broadcast, BroadcastError, Sent};
use self::kinds::{Addition, AnyAction, Change, LaterRefresh, Refresh, Removal, Whole};
#[cfg(feature = "sqlx")]
pub(crate) use self::pending::{OpenPending, Pending};
pub(crate) use self::publisher::{Publisher, Settings};
#[cfg(feature = "sqlx")]
pub(crate) use self::relay::Relay;
pub(crate) use self::tracing::Asker;
#[cfg(feature = "sqlx")]
pub(crate) use self::tracing::OpenTransaction;
use crate::app::Core;

/// A record that can be shown: it has an element, a stream of its own, and a partial.
///
/// Nobody implements it: [`Record`] and [`Streamable`] come from `#[derive(Streamable)]`, and
/// [`Render`] from the template engine, which is the parameter. Generic code names the engine and
/// lets the compiler find it: `fn announce<E, R: Partial<E>>(record: &R)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be broadcast as a record",
    label = "it lacks its names, its partial, or both",
    note = "names: `#[derive(forebay::Streamable)]`, which needs a field `id` or `#[streamable(key)]`",
    note = "partial: derive askama's `Template`, implement maud's `Render`, or implement `forebay::Render`; `askama` and `maud` are features of forebay",
    note = "what is no record is broadcast with `stream_to` or `json_to`"
)]
pub trait Partial<Engine = engine::Own>: Record + Streamable + Render<Engine> {}

#[diagnostic::do_not_recommend]
impl<E, T: Record + Streamable + Render<E>> Partial<E> for T {}

/// Where broadcasts begin. From [`Turbo::broadcast`](crate::Turbo::broadcast) in a handler, from
/// [`Forebay::broadcast`](crate::Forebay::broadcast) anywhere else, from `Transaction::broadcast` inside a transaction.
///
/// Methods that end in `_to` take the stream; the others broadcast to the record's own. What
/// they return is sent when it is awaited:
///
/// ```
/// # use forebay_core as forebay;
/// # use forebay::{BroadcastError, Broadcaster, Partial};
/// # async fn example<E, M: Partial<E> + Sync>(broadcast: Broadcaster, message: M) -> Result<(), BroadcastError> {
/// broadcast.append_to(("room", 1, "messages"), &message).await?;
/// broadcast.replace(&message).morph().await?;
/// broadcast.remove_to("board", &message).targets(".card").await?;
/// # Ok(())
/// # }
/// ```
///
/// Methods with `later` in their name take the record itself. They render and send it when the handler
/// has gone on, one after the other, in the order in which they were called.
#[derive(Clone)]
#[must_use]
pub struct Broadcaster {
    core: Arc<Core>,
    request_id: Option<Arc<str>>,
    /// The request, where broadcasts are recorded.
    asker: Option<Asker>,
    #[cfg(feature = "sqlx")]
    pending: Option<Pending>,
}

/// The target that an action infers from the record, or why it can't.
type Inferred = Result<Target, BroadcastError>;

#[expect(clippy::unnecessary_wraps, reason = "as `element`, for the family below")]
fn collection<R: Record>(_: &R) -> Inferred {
    Ok(Target::Id(R::model().plural().to_owned()))
}

fn element<R: Record>(record: &R) -> Inferred {
    let unsaved = || BroadcastError::Unsaved { model: R::model().name() };
    record.key().map(|_| Target::from(record)).ok_or_else(unsaved)
}

macro_rules! family {
    ($($(#[$doc:meta])* $kind:ident, $action:ident, $target:ident:
        $to:ident, $own:ident, $later_to:ident, $later_own:ident;)*) => {$(
        $(#[$doc])*
        #[track_caller]
        pub fn $to<'a, E, R: Partial<E> + Sync>(
            &self,
            stream: impl Streamable,
            record: &'a R,
        ) -> Broadcast<'a, $kind> {
            self.action_on(&stream, Action::$action, $target(record), record)
        }

        #[doc = concat!("As [`", stringify!($to), "`](Self::", stringify!($to), "), to the record's own stream.")]
        #[track_caller]
        pub fn $own<'a, E, R: Partial<E> + Sync>(&self, record: &'a R) -> Broadcast<'a, $kind> {
            self.$to(record, record)
        }

        #[doc = concat!("As [`", stringify!($to), "`](Self::", stringify!($to), "), rendered and sent later.")]
        #[track_caller]
        pub fn $later_to<E, R: Partial<E> + Send + 'static>(
            &self,
            stream: impl Streamable,
            record: R,
        ) -> Broadcast<'static, $kind> {
            self.tag_later(self.name(&stream), Action::$action, $target(&record), record)
        }

        #[doc = concat!("As [`", stringify!($own), "`](Self::", stringify!($own), "), rendered and sent later.")]
        #[track_caller]
        pub fn $later_own<E, R: Partial<E> + Send + 'static>(
            &self,
            record: R,
        ) -> Broadcast<'static, $kind> {
            let stream = self.name(&record);
            let target = $target(&record);
            self.tag_later(stream, Action::$action, target, record)
        }
    )*};
}

impl Broadcaster {
    pub(crate) fn new(core: Arc<Core>, request_id: Option<Arc<str>>) -> Self {
        Self {
            core,
            request_id,
            asker: None,
            #[cfg(feature = "sqlx")]
            pending: None,
        }
    }

    pub(crate) fn asked_by(self, asker: Option<Asker>) -> Self {
        Self { asker, ..self }
    }

    /// A transaction of its request begins.
    #[cfg(feature = "sqlx")]
    pub(crate) fn begins(&self) -> Option<OpenTransaction> {
        self.asker.as_ref().map(Asker::begins)
    }

    #[cfg(feature = "sqlx")]
    pub(crate) fn within(self, pending: Pending) -> Self {
        Self { pending: Some(pending), ..self }
    }

    /// Whether what it broadcasts is written into the outbox: it is rendered before that.
    #[cfg_attr(
        not(feature = "sqlx"),
        expect(clippy::unused_self, reason = "without a database there is no outbox")
    )]
    fn is_stored(&self) -> bool {
        #[cfg(feature = "sqlx")]
        return self.pending.as_ref().is_some_and(Pending::is_stored);
        #[cfg(not(feature = "sqlx"))]
        false
    }

    #[cfg(feature = "sqlx")]
    pub(crate) fn publisher(&self) -> &Publisher {
        &self.core.publisher
    }

    family! {
        /// Adds the record at the end of the element named by its model's plural: `messages`.
        Addition, Append, collection: append_to, append, append_later_to, append_later;
        /// Adds the record at the beginning of the element named by its model's plural.
        Addition, Prepend, collection: prepend_to, prepend, prepend_later_to, prepend_later;
        /// Replaces the record's element: `message_1`. A record without a key has none.
        Change, Replace, element: replace_to, replace, replace_later_to, replace_later;
        /// Replaces what is in the record's element. The partial's root must then not have the
        /// same id, or the page gets it twice.
        Change, Update, element: update_to, update, update_later_to, update_later;
    }

    /// Removes the record's element. Nothing is rendered.
    #[track_caller]
    pub fn remove_to<R: Record>(
        &self,
        stream: impl Streamable,
        record: &R,
    ) -> Broadcast<'static, Removal> {
        let model = Some(R::model().name());
        self.tag(self.name(&stream), model, Action::Remove, element(record), Content::None)
    }

    /// As [`remove_to`](Self::remove_to), to the record's own stream.
    #[track_caller]
    pub fn remove<R: Record + Streamable>(&self, record: &R) -> Broadcast<'static, Removal> {
        self.remove_to(record, record)
    }

    /// Inserts the record before an element.
    #[track_caller]
    pub fn before_to<'a, E, R: Partial<E> + Sync>(
        &self,
        stream: impl Streamable,
        target: impl Into<Target>,
        record: &'a R,
    ) -> Broadcast<'a, Addition> {
        self.action_on(&stream, Action::Before, Ok(target.into()), record)
    }

    /// Inserts the record after an element.
    #[track_caller]
    pub fn after_to<'a, E, R: Partial<E> + Sync>(
        &self,
        stream: impl Streamable,
        target: impl Into<Target>,
        record: &'a R,
    ) -> Broadcast<'a, Addition> {
        self.action_on(&stream, Action::After, Ok(target.into()), record)
    }

    /// Sends any action. Its target is the element named by the model's plural.
    #[track_caller]
    pub fn action_to<'a, E, R: Partial<E> + Sync>(
        &self,
        stream: impl Streamable,
        action: impl Into<Action>,
        record: &'a R,
    ) -> Broadcast<'a, AnyAction> {
        self.action_on(&stream, action.into(), collection(record), record)
    }

    /// As [`action_to`](Self::action_to), to the record's own stream.
    #[track_caller]
    pub fn action<'a, E, R: Partial<E> + Sync>(
        &self,
        action: impl Into<Action>,
        record: &'a R,
    ) -> Broadcast<'a, AnyAction> {
        self.action_to(record, action, record)
    }

    /// As [`action_to`](Self::action_to), rendered and sent later.
    #[track_caller]
    pub fn action_later_to<E, R: Partial<E> + Send + 'static>(
        &self,
        stream: impl Streamable,
        action: impl Into<Action>,
        record: R,
    ) -> Broadcast<'static, AnyAction> {
        self.tag_later(self.name(&stream), action.into(), collection(&record), record)
    }

    /// Makes pages load themselves again, except for the page whose request this is.
    #[track_caller]
    pub fn refresh_to(&self, stream: impl Streamable) -> Broadcast<'static, Refresh> {
        self.refresh_named(self.name(&stream), None)
    }

    /// As [`refresh_to`](Self::refresh_to), to the record's own stream.
    #[track_caller]
    pub fn refresh<R: Record + Streamable>(&self, record: &R) -> Broadcast<'static, Refresh> {
        self.refresh_named(self.name(record), Some(R::model().name()))
    }

    /// Makes pages load themselves again, at most once in each refresh window
    /// ([`Builder::refresh_window`](crate::Builder::refresh_window)). The first refresh goes out at once,
    /// the last one at the end of its window.
    ///
    /// Of several within a window, the last one's attributes count.
    #[track_caller]
    pub fn refresh_later_to(&self, stream: impl Streamable) -> Broadcast<'static, LaterRefresh> {
        self.refresh_named(self.name(&stream), None).debounced()
    }

    /// As [`refresh_later_to`](Self::refresh_later_to), to the record's own stream.
    #[track_caller]
    pub fn refresh_later<R: Record + Streamable>(
        &self,
        record: &R,
    ) -> Broadcast<'static, LaterRefresh> {
        self.refresh_named(self.name(record), Some(R::model().name())).debounced()
    }

    /// Sends what this template writes: stream tags. turbo-rails calls this `broadcast_render_to`.
    #[track_caller]
    pub fn render_to<'a, E>(
        &self,
        stream: impl Streamable,
        template: &'a (impl Render<E> + Sync),
    ) -> Broadcast<'a, Whole> {
        self.draft(self.name(&stream), None, Body::Template(Content::borrowed(template)))
    }

    /// As [`render_to`](Self::render_to), to the record's own stream.
    #[track_caller]
    pub fn render<'a, E, R: Record + Streamable>(
        &self,
        record: &R,
        template: &'a (impl Render<E> + Sync),
    ) -> Broadcast<'a, Whole> {
        let body = Body::Template(Content::borrowed(template));
        self.draft(self.name(record), Some(R::model().name()), body)
    }

    /// As [`render_to`](Self::render_to), rendered and sent later.
    #[track_caller]
    pub fn render_later_to<E>(
        &self,
        stream: impl Streamable,
        template: impl Render<E> + Send + 'static,
    ) -> Broadcast<'static, Whole> {
        self.draft(self.name(&stream), None, Body::Template(Content::owned(template))).later()
    }

    /// Sends these stream tags. turbo-rails calls this `broadcast_stream_to`.
    #[track_caller]
    pub fn stream_to(
        &self,
        stream: impl Streamable,
        tags: impl Into<TurboStreams>,
    ) -> Broadcast<'static, Whole> {
        self.draft(self.name(&stream), None, Body::Streams(tags.into()))
    }

    /// Puts a text into the element with this id, such as a count, a state or a time. The text is escaped.
    ///
    /// ```
    /// # use forebay_core as forebay;
    /// # async fn example(broadcast: forebay::Broadcaster) -> Result<(), forebay::BroadcastError> {
    /// // A page that was away needs the newest number only.
    /// broadcast.text_to("board", "open_issues", 17).state().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn text_to(
        &self,
        stream: impl Streamable,
        target: impl Into<Target>,
        text: impl Display,
    ) -> Broadcast<'static, Change> {
        let text = Content::Html(Html::text(&text.to_string()));
        self.tag(self.name(&stream), None, Action::Update, Ok(target.into()), text)
    }

    /// Sends a JSON value, for channels whose pages have JavaScript of their own.
    #[track_caller]
    pub fn json_to(
        &self,
        stream: impl Streamable,
        value: &impl Serialize,
    ) -> Broadcast<'static, Whole> {
        self.draft(self.name(&stream), None, Body::Json(serde_json::to_string(value)))
    }

    #[track_caller]
    fn action_on<'a, E, R: Partial<E> + Sync, K>(
        &self,
        stream: &impl Streamable,
        action: Action,
        target: Inferred,
        record: &'a R,
    ) -> Broadcast<'a, K> {
        let model = Some(R::model().name());
        self.tag(self.name(stream), model, action, target, Content::borrowed(record))
    }

    #[track_caller]
    fn tag_later<E, R: Partial<E> + Send + 'static, K>(
        &self,
        stream: Result<StreamName, StreamNameError>,
        action: Action,
        target: Inferred,
        record: R,
    ) -> Broadcast<'static, K> {
        let model = Some(R::model().name());
        self.tag(stream, model, action, target, Content::owned(record)).later()
    }

    #[track_caller]
    fn tag<'a, K>(
        &self,
        stream: Result<StreamName, StreamNameError>,
        model: Option<&'static str>,
        action: Action,
        target: Inferred,
        content: Content<'a>,
    ) -> Broadcast<'a, K> {
        self.draft(stream, model, Body::Tag(Tag::new(action, None), content)).aim(target)
    }

    #[track_caller]
    fn refresh_named(
        &self,
        stream: Result<StreamName, StreamNameError>,
        model: Option<&'static str>,
    ) -> Broadcast<'static, Refresh> {
        let mut tag = Tag::new(Action::Refresh, None);
        tag.request_id.clone_from(&self.request_id);
        self.draft(stream, model, Body::Tag(tag, Content::None))
    }

    fn name(&self, stream: &impl Streamable) -> Result<StreamName, StreamNameError> {
        self.core.stream_name(stream)
    }

    #[track_caller]
    fn draft<'a, K>(
        &self,
        stream: Result<StreamName, StreamNameError>,
        model: Option<&'static str>,
        body: Body<'a>,
    ) -> Broadcast<'a, K> {
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
