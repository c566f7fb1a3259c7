//! Turbo (Hotwire) for axum apps: live pages that miss nothing.
//!
//! A broadcast reaches every page that shows its data, once and in order, from the moment at which
//! the page's request began. It also reaches a page that subscribes late, or that was without network.
//!
//! ```no_run
//! use axum::{Router, extract::State, response::IntoResponse, routing::get};
//! use forebay::{Error, Forebay, Html, Turbo, TurboStream};
//!
//! async fn show(turbo: Turbo) -> Result<impl IntoResponse, Error> {
//!     // The tag carries the page's cursor: where the log stood when this request began.
//!     let source = turbo.stream_from("clock")?;
//!     turbo.page(&Html::raw(format!("{source}<p id=\"now\"></p>")))
//! }
//!
//! async fn tick(turbo: Turbo) -> Result<impl IntoResponse, Error> {
//!     turbo.broadcast().stream_to("clock", TurboStream::update("now").text("tick")).await?;
//!     Ok("ticked")
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let forebay = Forebay::builder().secret(std::env::var("SECRET_KEY_BASE")?).build()?;
//! let app: Router = forebay.mount(Router::new().route("/", get(show)).route("/tick", get(tick)));
//! axum::serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?, app).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The page loads the stock client, `@hotwired/turbo-rails`. Nothing of ours runs in it.
//!
//! # Where to begin
//!
//! The manual is in [`guides`]. Begin with [five minutes with axum](guides::axum).
//!
//! - [`Forebay`] is one application's log, keys and channels. [`Builder`] makes it.
//! - [`Turbo`] is what a handler takes. It renders source tags, answers forms, and broadcasts.
//! - [`TurboStream`] is one change to a page. [`Html`] is text that needs no escaping.
//! - [`Streamable`], as a derive, gives a struct its element and its stream.
//! - [`Channel`] is for pages whose own JavaScript talks back.
//!
//! This crate is axum's face of [`forebay_core`], which knows no web framework. The server for apps
//! in other languages is the binary `forebay`, of the crate `forebay-server`.
//!
//! # The one rule
//!
//! Broadcast **after** the change is committed. With sqlx,
//! [`Forebay::begin`](forebay_core::Forebay::begin) does that. Then a change is either in the page's
//! data, because it was committed before the page's request began, or its broadcast comes after the
//! page's cursor, and is replayed. There is nothing in between.

mod error;
mod extract;
#[cfg(all(doc, not(doctest)))]
pub mod guides;
mod handle;
mod layer;
mod routes;

pub use error::Error;
pub use extract::{MissingLayer, Turbo};
#[cfg(any(feature = "redis", feature = "nats", feature = "postgres"))]
pub use forebay_core::stores;
#[doc(inline)]
pub use forebay_core::{
    Broadcast, BroadcastError, Broadcaster, BuildError, Channel, ConnectError, DoorError, Ends,
    Epoch, Fsync, Gap, Html, Identity, Limits, Members, Offset, Origins, OriginsError, Partial,
    Position, Presence, PresenceError, PresenceOptions, PublishError, Record, Render, RenderError,
    ReplayEntry, ReplayError, Retention, Revocation, SeenError, Sent, SessionId, StatsSnapshot,
    StoreError, StreamName, StreamNameError, Streamable, Target, TargetError, TurboStream,
    TurboStreams, Unauthorized, Viewer, channel, dom_id, dom_id_with, frame, inspect, kinds,
    new_dom_id, presence, signing, suppressing, suppressing_all, turbo,
};
#[cfg(feature = "sqlx")]
#[doc(inline)]
pub use forebay_core::{CommitError, Savepoint, Transaction, outbox};
#[cfg(feature = "metrics")]
#[doc(inline)]
pub use forebay_core::{METRICS_CONTENT_TYPE, MetricsNames};
pub use handle::Forebay;
pub use layer::{ForebayFuture, ForebayLayer, ForebayService};

/// Says how a [`Forebay`] is to be. Only the secret is required.
pub type Builder = forebay_core::Builder<Forebay>;

/// The README's code compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
