//! What a connection asks of the application, and what it may answer.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use forebay_cable::{Identifier, RejectReason, Resync, SessionId};
use forebay_hub::Member;
use forebay_inspect::Rejection;
use forebay_log::{Message, Position, Seen};
use serde_json::{Map, Value};

/// Who is at the other end, as the application's connect hook says: Action Cable's
/// `identified_by`.
#[derive(Clone, Default)]
pub struct Identity {
    name: Option<Arc<str>>,
    data: Option<Arc<dyn Any + Send + Sync>>,
}

impl Identity {
    /// A visitor without a name.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// A visitor with this name, which is unique in the application, such as `user:42`.
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self { name: Some(name.into()), data: None }
    }

    /// Adds what channels need, such as the loaded user. It lives as long as the connection.
    pub fn with<T: Send + Sync + 'static>(mut self, data: T) -> Self {
        self.data = Some(Arc::new(data));
        self
    }

    /// The visitor's name, if there is one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(crate) fn shared_name(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }

    /// What [`with`](Self::with) has added, if it is of this type.
    pub fn data<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.data.as_deref()?.downcast_ref()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.name).finish()
    }
}

/// Why the application does not let a client in.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Denial {
    /// The client may not connect, and is told not to come back.
    Never,
    /// The application can't say now whether it may. The text says why, for the log. The client comes back.
    NotNow(String),
}

/// A client asks for a subscription.
#[derive(Debug)]
pub struct Request {
    /// Who asks.
    pub identity: Identity,
    /// The session that the subscription would belong to.
    pub session: SessionId,
    /// The channel and its parameters.
    pub identifier: Identifier,
}

/// Why a subscription is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejected {
    /// The reason that the client is told.
    pub reason: RejectReason,
    /// The reason in words, for the log.
    pub why: Cow<'static, str>,
    /// What is to be changed, for whoever asks why a page does not show something.
    pub kind: Rejection,
}

impl Rejected {
    /// A refusal with a text for the log.
    pub fn new(reason: RejectReason, why: impl Into<Cow<'static, str>>) -> Self {
        let kind = match reason {
            RejectReason::Expired => Rejection::Expired,
            RejectReason::Revoked => Rejection::Revoked,
            RejectReason::OtherViewer => Rejection::OtherViewer,
            RejectReason::Limit => Rejection::Limit,
            _ => Rejection::Authorizer,
        };
        Self { reason, why: why.into(), kind }
    }

    /// Says more exactly than the client is told what is to be changed.
    pub fn of_kind(self, kind: Rejection) -> Self {
        Self { kind, ..self }
    }
}

/// A stream to read, and from where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stream {
    /// The stream's name.
    pub name: Arc<str>,
    /// Where reading begins.
    pub begin: Begin,
    /// Whether anybody may read it, and its name needs no signature.
    pub is_public: bool,
    /// What the subscriber's page has seen already, of what comes after [`begin`](Self::begin). All streams of
    /// a subscription have the same.
    pub seen: Option<Box<Seen>>,
}

/// Where a subscriber's reading of a stream begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Begin {
    /// With what comes from now on.
    Now,
    /// After the page's cursor, if history reaches back to it. Otherwise as with `Lost`.
    After(Position),
    /// With what comes from now on, and the subscriber is told to heal itself.
    Lost,
}

/// A subscription that is granted.
pub struct Subscribed {
    /// The streams that it reads.
    pub streams: Vec<Stream>,
    /// Whether the identifier has a cursor. Then the same one, when it comes back, goes on where it was.
    pub goes_on: bool,
    /// How this channel's subscribers are told to heal themselves.
    pub resync: Resync,
    /// Messages for this subscriber alone, sent after the confirmation.
    pub transmissions: Vec<Bytes>,
    /// The stream that its whispers go to, if it may whisper. Never one that carries HTML.
    pub whispers: Option<Arc<str>>,
    /// Takes the subscription's actions, where the channel has any.
    pub handler: Option<Box<dyn Handler>>,
    /// Whom it makes present, for as long as it lasts. Where that is refused, so is the subscription.
    pub presence: Option<Box<Present>>,
    /// What clients of AnyCable's protocol are told of who is present, and as whom they may be. No others are.
    pub roster: Option<Box<Roster>>,
}

/// Whom a subscription makes present, and on which stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Present {
    /// The stream. The subscription itself reads its presence stream, if it shows who is there.
    pub stream: Arc<str>,
    /// As whom. The application has said so.
    pub member: Member,
}

/// A stream whose members are told to clients that ask for it in AnyCable's words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Roster {
    /// The stream.
    pub stream: Arc<str>,
    /// As whom the client may be present.
    pub whom: Whom,
    /// Whether others are told `html` in the info of a client. AnyCable's element puts it into their pages.
    pub passes_html: bool,
}

/// Where in a member's info the HTML is that the server puts into pages. The application has signed it; what a client
/// says of itself never has it.
pub const MEMBER_HTML: &str = "turbo";

/// As whom a client may be present that asks for it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Whom {
    /// As nobody.
    Nobody,
    /// As the member of this id, with an info of its own.
    Only(Arc<str>),
    /// As whom it says, with an info of its own.
    Anybody,
}

impl Subscribed {
    /// Whether its page goes on where it was. A channel with a handler may read other streams than it did
    /// before.
    pub(crate) fn resumes(&self) -> bool {
        self.goes_on && self.handler.is_none()
    }
}

impl fmt::Debug for Subscribed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribed").field("streams", &self.streams).finish_non_exhaustive()
    }
}

/// What a channel wants to be done after it has handled an action.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Op {
    /// Read one more stream.
    Follow(Stream),
    /// Stop reading a stream.
    Unfollow(Arc<str>),
    /// Stop reading all streams.
    UnfollowAll,
    /// Send a JSON value to this subscriber alone.
    Transmit(Bytes),
    /// End the subscription with a rejection.
    Reject,
}

/// A future that an answer may take.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// An answer that is known, or that takes time. The session's later commands wait for it.
pub enum Answer<T> {
    /// The answer. Nothing is allocated.
    Now(T),
    /// A future that gives the answer.
    Later(Later<T>),
}

/// The application's channels, as a connection sees them.
pub trait Channels: Send + Sync + 'static {
    /// Decides on a subscription.
    fn subscribe(&self, request: Request) -> Answer<Result<Subscribed, Rejected>>;

    /// Whether this message can be shown twice without harm. It is asked where nobody knows if a subscriber
    /// was shown it. If it can't, the subscriber is told to heal. Only the application knows what a message
    /// means, so by default it can't.
    fn is_repeatable(&self, _message: &Message) -> bool {
        false
    }

    /// The name of the stream that an identifier is about, for the log. Nobody has checked whether the
    /// client may say it.
    fn stream_of(&self, identifier: &Identifier) -> Option<String> {
        identifier.text("stream_name").map(str::to_owned)
    }
}

/// One subscription's channel object.
pub trait Handler: Send {
    /// Handles an action. Gives itself back, with what is to be done.
    fn perform(
        self: Box<Self>,
        action: String,
        data: Map<String, Value>,
    ) -> Later<(Box<dyn Handler>, Vec<Op>)>;

    /// Learns that the subscription is over.
    fn unsubscribed(self: Box<Self>) -> Later<()>;
}
