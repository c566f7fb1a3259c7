//! A log that several nodes share, in Postgres 14 or later.
//!
//! [`Postgres`] is the [`Backend`](forebay_shared::Backend) for a [`SharedLog`](forebay_shared::SharedLog). The
//! tables `forebay.log_…` keep groups and cells; `migrations/` has them as files, and they are made at the first
//! connection where the role may do so.
//!
//! It is `tokio-postgres` and not sqlx: requests go out before others are answered, a connection's end is seen
//! while it listens, and a URL may name several hosts.

mod connect;
mod failure;
mod options;
mod session;
mod tls;

pub use options::Postgres;
pub use session::Connection;

/// The statements that make the tables and functions, for whoever may not have them made at connect.
pub const MIGRATIONS: [&str; 1] = [include_str!("../migrations/0001_log.sql")];
