//! One broadcast before it is sent, with everything that can still be changed about it.

use std::future::IntoFuture;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;

use forebay_cable::SessionId;
use forebay_hub::{PublishError, Trace};
use forebay_log::Position;
use forebay_turbo::{
    Action, AttributeValue, Html, Render, RenderError, StreamName, StreamNameError, Target,
    TargetError,
};

use super::body::{Body, Content, Envelope, Keep, Tag};
use super::kinds::{
    HasAttributes, HasContent, HasTarget, IsEntry, LaterRefresh, LeavesOut, Morphs, Refresh,
    Supersedes,
};
#[cfg(feature = "sqlx")]
use super::pending::Verdict;
use super::publisher::{Job, Prepared};
use super::refresh::Encoded;
use super::tracing::{self as recording, Asked};
use super::{Broadcaster, Inferred};
use crate::suppress;

/// Why a broadcast was not sent. Nobody has got any of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BroadcastError {
    /// What was given does not name a stream.
    #[error(transparent)]
    StreamName(#[from] StreamNameError),
    /// Its content could not be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Its target can't find an element.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Its record has no key yet, so no element shows it. Broadcast it when it is saved, or name a target.
    #[error("the {model} has no key yet, so no element shows it: save it first, or name a target")]
    Unsaved {
        /// The record's model.
        model: &'static str,
    },
    /// A method was called that its action ignores.
    #[error("{modifier} does nothing for the action `{action}`")]
    Ineffective {
        /// The method that was called.
        modifier: &'static str,
        /// The name of the action.
        action: String,
    },
    /// Its value could not be encoded.
    #[error("the value can't be written as JSON")]
    Json(#[from] serde_json::Error),
    /// It is larger than [`Builder::message_bytes_max`](crate::Builder::message_bytes_max).
    #[error("the message has {bytes} bytes, more than the {max} that are allowed")]
    TooBig {
        /// The size of the encoded message.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The log is kept on disk, and the disk did not take it.
    #[error(transparent)]
    NotTaken(#[from] PublishError),
    /// The queue of later broadcasts has ended with its runtime.
    #[error("later broadcasts are no longer taken: the runtime has ended")]
    Closed,
    /// A broadcast that is sent later needs a task, and there is no tokio runtime for it.
    #[error("a broadcast that is sent later needs a tokio runtime: await it inside of one")]
    NoRuntime,
    /// Its transaction was rolled back.
    #[error("the transaction of this broadcast was rolled back")]
    RolledBack,
}

/// What became of a broadcast.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Sent {
    /// It is in the log, and on its way to its subscribers.
    Published {
        /// Where it stands in the log.
        position: Position,
        /// How many subscriptions of this process it woke.
        subscribers: usize,
    },
    /// It will be rendered and published, after the later broadcasts that were made before it.
    Later,
    /// It is sent at the end of the refresh window, with others.
    Debounced,
    /// It waits for its transaction to commit.
    AfterCommit,
    /// It is not sent: it ran inside of [`suppressing`](crate::suppressing).
    Suppressed,
    /// Nobody gets it: it came after [`Forebay::shut_down`](crate::Forebay::shut_down), and the log is
    /// in memory. Nobody misses it either, since pages render themselves again where they come back.
    ShutDown,
}

/// A broadcast that is sent when it is awaited. What can be said about it depends on its
/// [kind](crate::kinds).
///
/// One that is dropped instead is not sent, and the log says so, with the line that made it.
#[must_use = "nothing is sent until it is awaited: add `.await?` (with `let _ =` it is dropped, and nothing is sent)"]
pub struct Broadcast<'a, Kind> {
    broadcaster: Broadcaster,
    stream: Result<StreamName, StreamNameError>,
    model: Option<&'static str>,
    body: Body<'a>,
    /// Why its target finds nothing, if it does. Naming another target clears it.
    aim: Result<(), BroadcastError>,
    /// The first method that was called in vain, if one was.
    misuse: Result<(), BroadcastError>,
    keep: Keep,
    except: Option<SessionId>,
    when: When,
    unsent: Unsent,
    kind: PhantomData<fn() -> Kind>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Now,
    Later,
    Debounced,
}

/// Names the line that made a broadcast which was never awaited.
struct Unsent {
    made_at: &'static Location<'static>,
    is_awaited: bool,
}

impl Drop for Unsent {
    fn drop(&mut self) {
        if !self.is_awaited && !std::thread::panicking() {
            let made_at = self.made_at;
            tracing::error!(%made_at, "a broadcast was dropped without being awaited: nothing was sent");
        }
    }
}

impl<'a, Kind> Broadcast<'a, Kind> {
    #[track_caller]
    pub(super) fn new(
        broadcaster: Broadcaster,
        stream: Result<StreamName, StreamNameError>,
        model: Option<&'static str>,
        body: Body<'a>,
    ) -> Self {
        let misuse = match &body {
            Body::Streams(tags) => tags.check().map_err(BroadcastError::from),
            _ => Ok(()),
        };
        Self {
            broadcaster,
            stream,
            model,
            body,
            aim: Ok(()),
            misuse,
            keep: Keep::Log,
            except: None,
            when: When::Now,
            unsent: Unsent { made_at: Location::caller(), is_awaited: false },
            kind: PhantomData,
        }
    }

    /// Acts on this element instead of the record's: an id, or a record whose element it is.
    pub fn target(self, target: impl Into<Target>) -> Self
    where
        Kind: HasTarget,
    {
        self.needs(".target()", |action| *action != Action::Refresh).aim(Ok(target.into()))
    }

    /// Acts on all elements that this CSS selector finds.
    pub fn targets(self, selector: impl Into<String>) -> Self
    where
        Kind: HasTarget,
    {
        self.target(Target::selector(selector))
    }

    /// Sets an attribute of the tag. `action`, `target` and `targets` are the tag's own.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<AttributeValue>) -> Self
    where
        Kind: HasAttributes,
    {
        let name = name.into();
        match name.as_str() {
            "action" => self.misused(".attribute(\"action\", …)"),
            "target" | "targets" => self.misused(".attribute(\"target\", …)"),
            _ => {}
        }
        self.tag(|tag| {
            tag.attributes.set(name, value);
        })
    }

    /// Changes only what differs, so that focus and state of unchanged elements survive.
    pub fn morph(self) -> Self
    where
        Kind: Morphs,
    {
        let morphs = |action: &Action| {
            let morphs = [Action::Replace, Action::Update, Action::Refresh];
            morphs.contains(action) || matches!(action, Action::Custom(_))
        };
        self.needs(".morph()", morphs).tag(|tag| {
            tag.attributes.set("method", "morph");
        })
    }

    /// Says that the answer to this request shows the same already. The page that made the request leaves
    /// this broadcast out, if it runs `forebay.js` and the answer has arrived. All others show it. Without
    /// a request of Turbo's there is no page to leave out.
    ///
    /// For broadcasts of one action. Ready-made tags ([`Broadcaster::stream_to`]) carry what
    /// [`TurboStream::request_id`](crate::TurboStream::request_id) gives them.
    pub fn reflected(self) -> Self
    where
        Kind: HasTarget,
    {
        let id = self.broadcaster.request_id.clone();
        self.tag(|tag| tag.request_id = id)
    }

    /// For a refresh: reaches all pages, including the one whose request this is.
    pub fn to_everybody(self) -> Self
    where
        Kind: LeavesOut,
    {
        self.tag(|tag| tag.request_id = None)
    }

    /// For a refresh: leaves out the page that made the request with this id.
    pub fn request_id(self, id: &str) -> Self
    where
        Kind: LeavesOut,
    {
        self.tag(|tag| tag.request_id = Some(id.into()))
    }

    /// Sends this HTML instead of the record's partial.
    pub fn html(self, html: Html) -> Self
    where
        Kind: HasContent,
    {
        self.content(".html()", Content::Html(html))
    }

    /// Sends this text instead of the record's partial. It is escaped.
    pub fn text(self, text: &str) -> Self
    where
        Kind: HasContent,
    {
        self.content(".text()", Content::Html(Html::text(text)))
    }

    /// Sends this partial instead of the record's.
    pub fn partial<E>(self, partial: &'a (impl Render<E> + Sync)) -> Self
    where
        Kind: HasContent,
    {
        self.content(".partial()", Content::borrowed(partial))
    }

    /// Sends no content, and renders nothing.
    pub fn without_content(mut self) -> Self
    where
        Kind: HasContent,
    {
        if let Body::Tag(_, content) = &mut self.body {
            *content = Content::None;
        }
        self
    }

    /// History keeps only the newest of these: a later `replace`, `update`, `remove` or `refresh`
    /// of the same target supersedes this one. Other actions add to what is there, so history has
    /// to keep them all.
    ///
    /// For values that change often (progress, counters, prices). A replacement must keep the
    /// element's id.
    ///
    /// This is about pages that were away: they are replayed the newest value instead of all. **A
    /// page that is rendered later is sent nothing of it**, as with every broadcast: it must read
    /// the value from where the application keeps it, and render it itself.
    pub fn state(self) -> Self
    where
        Kind: Supersedes,
    {
        let supersedes = |action: &Action| {
            [Action::Replace, Action::Update, Action::Remove, Action::Refresh].contains(action)
        };
        Self { keep: Keep::State, ..self.needs(".state()", supersedes) }
    }

    /// History keeps nothing of it. A page that is not subscribed at this moment never gets it.
    pub fn ephemeral(self) -> Self
    where
        Kind: IsEntry,
    {
        Self { keep: Keep::Ephemeral, ..self }
    }

    /// Leaves one session out, such as the one whose action a channel handles.
    pub fn except(self, session: SessionId) -> Self
    where
        Kind: IsEntry,
    {
        Self { except: Some(session), ..self }
    }

    /// The target, given or inferred; the last one counts.
    pub(super) fn aim(mut self, target: Inferred) -> Self {
        self.aim = match target {
            Ok(target) => {
                let checked = target.check().map_err(BroadcastError::from);
                self = self.tag(|tag| tag.target = Some(target));
                checked
            }
            Err(error) => Err(error),
        };
        self
    }

    pub(super) fn later(self) -> Self {
        Self { when: When::Later, ..self }
    }

    fn tag(mut self, change: impl FnOnce(&mut Tag)) -> Self {
        if let Body::Tag(tag, _) = &mut self.body {
            change(tag);
        }
        self
    }

    fn content(self, modifier: &'static str, new: Content<'a>) -> Self {
        let mut draft = self.needs(modifier, Action::has_template);
        if let Body::Tag(_, content) = &mut draft.body {
            *content = new;
        }
        draft
    }

    /// The modifiers that only some actions heed. The types know about all others.
    fn needs(mut self, modifier: &'static str, heeds: impl FnOnce(&Action) -> bool) -> Self {
        if let Body::Tag(tag, _) = &self.body
            && !heeds(&tag.action)
        {
            self.misused(modifier);
        }
        self
    }

    fn misused(&mut self, modifier: &'static str) {
        if let Body::Tag(tag, _) = &self.body {
            let action = tag.action.to_string();
            self.misuse = Err(BroadcastError::Ineffective { modifier, action });
        }
    }

    async fn send(self) -> Result<Sent, BroadcastError> {
        let trace = self.record();
        let sent = self.try_send(trace.clone()).await;
        recording::note(&trace, &sent);
        sent
    }

    fn record(&self) -> Trace {
        #[cfg(feature = "sqlx")]
        let is_within = self.broadcaster.pending.is_some();
        #[cfg(not(feature = "sqlx"))]
        let is_within = false;
        let asked = Asked {
            made_at: self.unsent.made_at,
            asker: self.broadcaster.asker.as_ref(),
            stream: &self.stream,
            body: &self.body,
            keep: self.keep,
            except: self.except.map(|session| session.to_string()),
            is_within,
        };
        asked.record(&self.broadcaster.core)
    }

    async fn try_send(self, trace: Trace) -> Result<Sent, BroadcastError> {
        if suppress::is_suppressed(self.model) {
            return Ok(Sent::Suppressed);
        }
        let stream = self.stream?;
        self.aim?;
        self.misuse?;
        let publisher = &self.broadcaster.core.publisher;
        let broadcast = match (self.when, self.body) {
            (When::Debounced, Body::Tag(tag, _)) => {
                Prepared::Refresh(stream, Encoded::of(tag).traced(trace))
            }
            (when, body) => {
                let Self { keep, except, .. } = self;
                let envelope = Envelope { stream, keep, except, trace };
                match when {
                    When::Later if !self.broadcaster.is_stored() => {
                        Prepared::Later(Job::new(envelope, body.into_owned()?))
                    }
                    _ => Prepared::Publish(publisher.encode(envelope, body)?),
                }
            }
        };
        #[cfg(feature = "sqlx")]
        let broadcast = match &self.broadcaster.pending {
            None => broadcast,
            Some(pending) => match pending.put(broadcast) {
                Verdict::GoesOut(broadcast) => broadcast,
                Verdict::Waits => return Ok(Sent::AfterCommit),
                Verdict::IsGone => return Err(BroadcastError::RolledBack),
            },
        };
        publisher.send(broadcast).await
    }
}

impl Broadcast<'static, Refresh> {
    /// Collected into one refresh a window: nothing but its attributes and request id counts.
    pub(super) fn debounced(self) -> Broadcast<'static, LaterRefresh> {
        let Self { broadcaster, stream, model, body, aim, misuse, keep, except, unsent, .. } = self;
        let (when, kind) = (When::Debounced, PhantomData);
        Broadcast {
            broadcaster,
            stream,
            model,
            body,
            aim,
            misuse,
            keep,
            except,
            when,
            unsent,
            kind,
        }
    }
}

impl<'a, Kind: 'a> IntoFuture for Broadcast<'a, Kind> {
    type Output = Result<Sent, BroadcastError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(mut self) -> Self::IntoFuture {
        self.unsent.is_awaited = true;
        Box::pin(self.send())
    }
}
