//! Turbo for Rust web apps: frames, streams, and broadcasts that reach every page that shows the
//! data, once and in order, from the moment that page was rendered.
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
//! let app: Router = Router::new()
//!     .route("/", get(show))
//!     .route("/tick", get(tick))
//!     .merge(forebay.routes())
//!     .layer(forebay.layer());
//! axum::serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?, app).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The page loads the stock client, `@hotwired/turbo-rails`; nothing of ours runs in it.
//!
//! The manual is in [`guides`]: begin with [five minutes with axum](guides::axum).
//!
//! # The one rule
//!
//! Broadcast **after** the change is committed ([`Forebay::begin`] does it for sqlx). Then a
//! change is either in the page's data, because it was committed before the page's request began,
//! or its broadcast comes after the page's cursor, and is replayed. There is nothing in between.

mod app;
mod bodies;
mod broadcast;
mod builder;
mod cable;
pub mod channel;
mod clock;
mod error;
#[cfg(all(doc, not(doctest)))]
pub mod guides;
mod layer;
mod page;
mod raw;
mod replay;
mod suppress;
#[cfg(feature = "sqlx")]
mod transaction;

pub use app::Forebay;
pub use broadcast::{Broadcast, BroadcastError, Broadcaster, Partial, Sent, kinds};
pub use builder::{BuildError, Builder};
pub use channel::{Channel, ConnectError, Identity, Unauthorized};
pub use error::Error;
pub use forebay_derive::Streamable;
pub use forebay_hub::{Fsync, PublishError, Revocation, StatsSnapshot, StoreError};
pub use forebay_log::{Gap, Position, Retention};
pub use forebay_signing as signing;
/// For `forebay serve`.
#[doc(hidden)]
pub use forebay_transport::{Door, excerpt};
pub use forebay_transport::{DoorError, Ends, Handover, Origins, OriginsError};
#[doc(inline)]
pub use forebay_turbo as turbo;
pub use forebay_turbo::{
    Html, Record, Render, RenderError, StreamName, StreamNameError, Streamable, Target,
    TargetError, TurboStream, TurboStreams, dom_id, dom_id_with, frame, new_dom_id,
};
pub use layer::{ForebayLayer, ForebayService};
pub use page::{MissingLayer, Turbo};
pub use raw::RawBroadcast;
pub use replay::{ReplayEntry, ReplayError};
pub use suppress::{suppressing, suppressing_all};
#[cfg(feature = "sqlx")]
pub use transaction::{CommitError, Savepoint, Transaction};

/// The bounds of a session: what one client can make the server hold.
pub use forebay_cable::Limits;

/// The README's code compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
