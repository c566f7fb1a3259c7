//! What a connection asks of the application, and what it may answer.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use forebay_cable::{Identifier, RejectReason, Resync, SessionId};
use forebay_log::{Message, Position};
use serde_json::{Map, Value};

/// Who is at the other end, as the application's connect hook says: Action Cable's
/// `identified_by`.
#[derive(Clone, Default)]
pub struct Identity {
    name: Option<Arc<str>>,
    data: Option<Arc<dyn Any + Send + Sync>>,
}

impl Identity {
    /// Nobody in particular.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// Somebody with this name, unique in the application: `user:42`, say.
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self { name: Some(name.into()), data: None }
    }

    /// Adds what channels want to know: the loaded user, say.
    pub fn with<T: Send + Sync + 'static>(mut self, data: T) -> Self {
        self.data = Some(Arc::new(data));
        self
    }

    /// The name.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(crate) fn shared_name(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }

    /// What [`with`](Self::with) added, if it is of this type.
    pub fn data<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.data.as_deref()?.downcast_ref()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.name).finish()
    }
}

/// The application does not let a client in.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Denial {
    /// It may not connect, and is not to come back.
    Never,
    /// Whether it may can't be known now, and why, for the log. It comes back.
    NotNow(String),
}

/// Someone asks for a subscription.
#[derive(Debug)]
pub struct Request {
    /// Who.
    pub identity: Identity,
    /// In which session.
    pub session: SessionId,
    /// To what.
    pub identifier: Identifier,
}

/// The subscription is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejected {
    /// What the client is told.
    pub reason: RejectReason,
    /// What the log says.
    pub why: Cow<'static, str>,
}

impl Rejected {
    /// With a text for the log.
    pub fn new(reason: RejectReason, why: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, why: why.into() }
    }
}

/// A stream to read, and from where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stream {
    /// The stream's name.
    pub name: Arc<str>,
    /// Where to begin.
    pub begin: Begin,
    /// Anybody may have it: its name needs no signature.
    pub is_public: bool,
}

/// Where a subscriber's reading of a stream begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Begin {
    /// With what comes from now on.
    Now,
    /// After the page's cursor, if history reaches that far; else as with `Lost`.
    After(Position),
    /// With what comes from now on, and the subscriber is told to heal itself.
    Lost,
}

/// A subscription that is granted.
pub struct Subscribed {
    /// What it reads.
    pub streams: Vec<Stream>,
    /// The identifier carries a cursor, so that the same one goes on where it left.
    pub goes_on: bool,
    /// How this channel's subscribers are told to heal themselves.
    pub resync: Resync,
    /// Messages for this subscriber alone, sent after the confirmation.
    pub transmissions: Vec<Bytes>,
    /// The stream that its whispers go to, if it may whisper. Never one that carries HTML.
    pub whispers: Option<Arc<str>>,
    /// Takes the subscription's actions, where the channel has any.
    pub handler: Option<Box<dyn Handler>>,
}

impl fmt::Debug for Subscribed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribed").field("streams", &self.streams).finish_non_exhaustive()
    }
}

/// Something that a channel wants done after it has handled an action.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Op {
    /// Read one more stream.
    Follow(Stream),
    /// Stop reading one.
    Unfollow(Arc<str>),
    /// Stop reading all.
    UnfollowAll,
    /// Send a JSON value to this subscriber alone.
    Transmit(Bytes),
    /// End the subscription with a rejection.
    Reject,
}

/// A future that an answer may take.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// An answer that is there, or that takes its time. The session's later commands wait for it.
pub enum Answer<T> {
    /// Known at once: nothing is allocated.
    Now(T),
    /// To be awaited.
    Later(Later<T>),
}

/// The application's channels, as a connection sees them.
pub trait Channels: Send + Sync + 'static {
    /// Decides on a subscription.
    fn subscribe(&self, request: Request) -> Answer<Result<Subscribed, Rejected>>;

    /// Whether a subscriber that may have been shown this message already can be shown it again without
    /// harm. Where it can't, the subscriber is told to heal itself. What a message means is the
    /// application's: by default it can't.
    fn is_repeatable(&self, _message: &Message) -> bool {
        false
    }

    /// What an identifier is about, in clear, for the log. Nobody has checked that it is true.
    fn stream_of(&self, identifier: &Identifier) -> Option<String> {
        identifier.text("stream_name").map(str::to_owned)
    }
}

/// One subscription's channel object.
pub trait Handler: Send {
    /// Handles an action; gives itself back with what is to be done.
    fn perform(
        self: Box<Self>,
        action: String,
        data: Map<String, Value>,
    ) -> Later<(Box<dyn Handler>, Vec<Op>)>;

    /// The subscription is over.
    fn unsubscribed(self: Box<Self>) -> Later<()>;
}
