//! Two-way channels in Rust: Action Cable's `Channel`, for pages that talk back.
//!
//! Turbo needs none of this: [`Turbo::stream_from`](crate::Turbo::stream_from) uses
//! `Turbo::StreamsChannel`, which is built in.
//!
//! ```
//! # use forebay_core as forebay;
//! use forebay::channel::{Channel, Context, Params, Rejection};
//! use serde_json::{Map, Value, json};
//!
//! struct Chat {
//!     room: u64,
//! }
//!
//! impl Channel for Chat {
//!     async fn subscribed(&mut self, cx: &mut Context) -> Result<(), Rejection> {
//!         if cx.identity().name().is_none() {
//!             return Err(Rejection);
//!         }
//!         cx.stream_from(("chat", self.room))?;
//!         Ok(())
//!     }
//!
//!     async fn received(&mut self, cx: &mut Context, action: &str, data: Map<String, Value>) {
//!         match action {
//!             "typing" => {
//!                 let typing = json!({ "typing": cx.identity().name() });
//!                 let _ = cx.broadcast().json_to(("chat", self.room), &typing).ephemeral().await;
//!             }
//!             _ => cx.transmit(&json!({ "error": "no such action", "data": data })),
//!         }
//!     }
//! }
//!
//! # fn build() -> Result<(), forebay::BuildError> {
//! let forebay = forebay::Forebay::builder()
//!     .secret("a long secret that is kept secret")
//!     .channel("ChatChannel", |params: &Params| {
//!         let room = params.get("room").and_then(Value::as_u64).ok_or(Rejection)?;
//!         Ok::<_, Rejection>(Chat { room })
//!     })
//!     .build()?;
//! # Ok(())
//! # }
//! ```

mod context;
mod custom;
mod rosters;
mod standard;

use std::pin::Pin;
use std::sync::Arc;

use forebay_transport::excerpt;
use http::request::Parts;
use serde_json::{Map, Value};

pub use self::context::Context;
pub(crate) use self::custom::{Factory, factory};
pub use self::rosters::ClientsChoose;
pub(crate) use self::rosters::Rosters;
pub(crate) use self::standard::{
    BUILT_IN, Registry, StandardChannels, StreamPattern, refusal, rejected, signed_for,
};
pub use forebay_transport::Identity;

/// The parameters of a subscription: its identifier without `channel`.
pub type Params = Map<String, Value>;

/// Why the connect hook does not let a client in. Errors of anything that the hook asks (`?`) become
/// [`Unavailable`](Self::Unavailable): a database that hiccups must not log everybody out for good.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// Who asks may not connect. The client is told `unauthorized`, and does not try again.
    Unauthorized,
    /// Whether who asks may connect can't be known now. The client comes back, later and later. The
    /// reason is logged; a text will do.
    Unavailable(Box<dyn std::error::Error + Send + Sync>),
}

pub use ConnectError::Unauthorized;

impl<E: std::error::Error + Send + Sync + 'static> From<E> for ConnectError {
    fn from(error: E) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

/// The subscription is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rejection;

impl From<forebay_turbo::StreamNameError> for Rejection {
    fn from(error: forebay_turbo::StreamNameError) -> Self {
        // That it is rejected is logged, with its parameters, by whoever rejects it.
        tracing::debug!(error = excerpt(&error.to_string()), "this stream has no name");
        Self
    }
}

/// One subscription's object: made when a client subscribes, dropped when it leaves.
///
/// Its methods are called one after the other; the client's later commands wait.
///
/// # When the client goes in the middle
///
/// | runs when the connection ends | what becomes of it |
/// |---|---|
/// | the connect hook ([`Builder::connect`](crate::Builder::connect)) | it is dropped at an `await` |
/// | [`subscribed`](Self::subscribed) | it is dropped at an `await`, with the object; `unsubscribed` is not called, since nobody was subscribed |
/// | [`received`](Self::received) | it runs to its end; then `unsubscribed` is called |
/// | [`unsubscribed`](Self::unsubscribed) | it runs to its end |
///
/// So what `subscribed` does elsewhere (a row, a counter) either comes after its last `await`, or is
/// undone by the object's `Drop`. A runtime that ends drops all of them; [`Drop`] is the only thing
/// that always runs.
///
/// # Over polls
///
/// A long poll has no connection that lasts: `subscribed` runs again with each poll, an action runs
/// on an object of its own, and `unsubscribed` follows each of them. Presence can't be counted so.
pub trait Channel: Send + 'static {
    /// Decides on the subscription, and names what it reads. Rejects by returning an error.
    ///
    /// Dropped at an `await` when the connection ends: see [above](Self#when-the-client-goes-in-the-middle).
    fn subscribed(
        &mut self,
        cx: &mut Context,
    ) -> impl Future<Output = Result<(), Rejection>> + Send;

    /// Handles an action of the client's: `perform("speak", {…})`. `data` is the client's,
    /// `action` included.
    fn received(
        &mut self,
        cx: &mut Context,
        action: &str,
        data: Map<String, Value>,
    ) -> impl Future<Output = ()> + Send {
        let (_, _) = (cx, data);
        tracing::debug!(action = excerpt(action), "the channel has no actions");
        async {}
    }

    /// The client has left, or its connection is gone. Called after a `subscribed` that came to its
    /// end with `Ok`, and for no other.
    ///
    /// It can broadcast: others learn who has left. There is nobody any more to
    /// [`transmit`](Context::transmit) to.
    fn unsubscribed(&mut self, cx: &mut Context) -> impl Future<Output = ()> + Send {
        let _ = cx;
        async {}
    }
}

/// What makes a channel's object: the object, or a `Result` where its parameters may be no good.
pub trait IntoChannel {
    /// The object.
    type Channel: Channel;

    /// The object, or why there is none.
    ///
    /// # Errors
    /// [`Rejection`]: the client is told that its subscription is rejected.
    fn into_channel(self) -> Result<Self::Channel, Rejection>;
}

impl<C: Channel> IntoChannel for C {
    type Channel = C;

    fn into_channel(self) -> Result<C, Rejection> {
        Ok(self)
    }
}

impl<C: Channel, E: Into<Rejection>> IntoChannel for Result<C, E> {
    type Channel = C;

    fn into_channel(self) -> Result<C, Rejection> {
        self.map_err(Into::into)
    }
}

/// What [`Builder::connect`](crate::Builder::connect) takes: an asynchronous function from a request's
/// head to who asks.
pub trait Hook<'a>: Fn(&'a Parts) -> Self::Asked + Send + Sync + 'static {
    /// The future that it gives.
    type Asked: Future<Output = Result<Identity, ConnectError>> + Send + 'a;
}

impl<'a, F, Asked> Hook<'a> for F
where
    F: Fn(&'a Parts) -> Asked + Send + Sync + 'static,
    Asked: Future<Output = Result<Identity, ConnectError>> + Send + 'a,
{
    type Asked = Asked;
}

/// What a hook answers, in its time.
pub(crate) type Asked<'a> =
    Pin<Box<dyn Future<Output = Result<Identity, ConnectError>> + Send + 'a>>;

/// The application's connect hook.
pub(crate) type Connect = Arc<dyn for<'a> Fn(&'a Parts) -> Asked<'a> + Send + Sync>;
