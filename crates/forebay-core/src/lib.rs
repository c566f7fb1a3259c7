//! Turbo for Rust web apps, whatever their framework: all of Forebay that is not axum's.
//!
//! An application with axum uses the crate `forebay`, which is this one with a router, a layer and an
//! extractor. For another framework this is the crate to stand on: name it `forebay` in the
//! application's manifest, so that `#[derive(Streamable)]` finds it.
//!
//! ```toml
//! [dependencies]
//! forebay = { package = "forebay-core", version = "0.1" }
//! ```
//!
//! What joins it to a framework is small:
//!
//! - For every request, before anything else happens, [`Forebay::begin_request`] notes where the log stands.
//!   Handlers have the [`Turbo`] that it gives, for their tags, broadcasts and answers.
//! - Requests for one of [`Forebay::addresses`] go to [`Forebay::admit`]. It gives an answer, or the answer
//!   to a WebSocket's handshake with an [`Admission`] to run over what was the HTTP connection.
//!
//! `examples/actix` in the repository is such an edge.
//!
//! It knows HTTP as the crate `http` has it: heads of requests, and answers. It has no server, no router
//! and no middleware.

mod addresses;
mod app;
mod bodies;
mod broadcast;
mod builder;
pub mod channel;
mod checks;
mod clock;
mod error;
pub mod inspect;
mod inspector;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "sqlx")]
pub mod outbox;
mod page;
pub mod presence;
pub mod raw;
#[cfg(feature = "outbox-postgres")]
mod reading;
mod replay;
#[cfg(any(feature = "redis", feature = "nats", feature = "postgres"))]
pub mod stores;
mod suppress;
#[cfg(feature = "sqlx")]
mod transaction;

pub use addresses::{Address, Body, Reply};
pub use app::Forebay;
pub use broadcast::{Broadcast, BroadcastError, Broadcaster, Partial, Sent, kinds};
pub use builder::{BuildError, Builder};
pub use channel::{Channel, ConnectError, Identity, Unauthorized};
pub use forebay_derive::Streamable;
pub use forebay_hub::{
    Fsync, JoinRefused, PresenceHooks, PresenceOptions, PublishError, Revocation, StatsSnapshot,
    StoreError,
};
pub use forebay_log::{Epoch, Gap, Offset, Position, Retention};
#[doc(inline)]
pub use forebay_signing as signing;
pub use forebay_transport::{
    Admission, DoorError, Ends, ExtendedConnect, Origins, OriginsError, prepare,
};
#[doc(inline)]
pub use forebay_turbo as turbo;
pub use forebay_turbo::{
    Html, Record, Render, RenderError, StreamName, StreamNameError, Streamable, Target,
    TargetError, TurboStream, TurboStreams, Viewer, dom_id, dom_id_with, frame, new_dom_id,
};
#[cfg(feature = "metrics")]
pub use metrics::{METRICS_CONTENT_TYPE, MetricsNames};
pub use page::{SeenError, Turbo};
pub use presence::{Members, Presence, PresenceError};
pub use replay::{ReplayEntry, ReplayError};
pub use suppress::{suppressing, suppressing_all};
#[cfg(feature = "sqlx")]
pub use transaction::{CommitError, Savepoint, Transaction};

pub use forebay_cable::SessionId;

/// The bounds of a session: what one client can make the server hold.
pub use forebay_cable::Limits;
