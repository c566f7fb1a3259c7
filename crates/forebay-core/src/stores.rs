//! Logs that several nodes share, by the URL of the server that keeps them.
//!
//! | URL | feature | server |
//! |---|---|---|
//! | `redis://…`, `rediss://…`, `redis+sentinel://…` | `redis` | Redis 7, Valkey |
//! | `nats://…`, `tls://…` | `nats` | NATS JetStream 2.9 |
//! | `postgres://…`, `postgresql://…` | `postgres` | Postgres 14 |
//!
//! Each crate's `Options::from_url` says what else a URL may say.
//!
//! ```no_run
//! # use forebay_core::{Forebay, stores};
//! # async fn build() -> Result<(), Box<dyn std::error::Error>> {
//! let store = stores::open("redis://localhost/0").await?;
//! let forebay: Forebay = Forebay::builder().secret("...").follow(store).await?;
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;

use forebay_shared::{Backend, Options, SharedLog};

pub use forebay_hub::LogStore;
pub use forebay_shared::UrlError;

/// Why a log can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL is none of a log's.
    #[error("the log's URL is wrong: {0}")]
    Url(#[from] UrlError),
    /// No server of this kind is known, or its feature is not in this build.
    #[error("a log at {0}:// is not known here; known are {known}", known = KNOWN.concat())]
    Scheme(String),
    /// The server can't be used, or not be reached for a minute.
    #[error(transparent)]
    Store(#[from] forebay_hub::StoreError),
}

/// The schemes of this build.
const KNOWN: &[&str] = &[
    #[cfg(feature = "redis")]
    "redis, rediss, redis+sentinel, rediss+sentinel; ",
    #[cfg(feature = "nats")]
    "nats, tls; ",
    #[cfg(feature = "postgres")]
    "postgres, postgresql; ",
];

/// Whether this is the URL of a log that a server keeps, as far as that can be said without asking the server.
///
/// # Errors
/// [`OpenError`] says what is wrong.
pub fn check(url: &str) -> Result<(), OpenError> {
    read(url).map(drop)
}

/// Connects to the server of this URL. It works in the runtime that it is called in.
///
/// # Errors
/// [`OpenError`] says what is wrong. A server that can't be reached is tried again for a minute.
pub async fn open(url: &str) -> Result<Arc<dyn LogStore>, OpenError> {
    Ok(match read(url)? {
        #[cfg(feature = "redis")]
        Server::Redis(options) => shared(forebay_redis::Redis::new(options)).await?,
        #[cfg(feature = "nats")]
        Server::Nats(options) => shared(forebay_nats::Nats::new(options)).await?,
        #[cfg(feature = "postgres")]
        Server::Postgres(postgres) => shared(postgres).await?,
    })
}

/// What a URL names.
enum Server {
    #[cfg(feature = "redis")]
    Redis(forebay_redis::Options),
    #[cfg(feature = "nats")]
    Nats(forebay_nats::Options),
    #[cfg(feature = "postgres")]
    Postgres(forebay_postgres::Postgres),
}

fn read(url: &str) -> Result<Server, OpenError> {
    let (scheme, _) = url.split_once("://").unwrap_or_default();
    match scheme {
        #[cfg(feature = "redis")]
        "redis" | "rediss" | "redis+sentinel" | "rediss+sentinel" => {
            Ok(Server::Redis(forebay_redis::Options::from_url(url)?))
        }
        #[cfg(feature = "nats")]
        "nats" | "tls" => Ok(Server::Nats(forebay_nats::Options::from_url(url)?)),
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => {
            Ok(Server::Postgres(forebay_postgres::Postgres::from_url(url)?))
        }
        _ => Err(OpenError::Scheme(scheme.to_owned())),
    }
}

async fn shared(backend: impl Backend) -> Result<Arc<dyn LogStore>, OpenError> {
    Ok(Arc::new(SharedLog::open(backend, Options::default()).await?))
}
