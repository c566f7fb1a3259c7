//! The outbox: a table in the application's own database in which broadcasts wait, so that they are published
//! if and only if their transaction commits.
//!
//! Whoever broadcasts writes rows in its transaction ([`Outbox::write`]). Whoever [leads](Outbox::lead), one
//! process at a time, reads the rows that are committed, publishes them and deletes them. This crate has the
//! table, its migrations, and who leads. What publishes is the relay, in forebay-core.
//!
//! A database is one file: `sqlite.rs`, `postgres.rs`. Each implements the trait of `table.rs`.

mod error;
mod outbox;
#[cfg(feature = "postgres")]
mod postgres;
mod row;
#[cfg(feature = "sqlite")]
mod sqlite;
mod table;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod url;

#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use error::OutboxUrlError;
pub use error::{OutboxError, WriteError};
pub use outbox::{Database, Outbox};
pub use row::{Draft, Group, Moment, Reading, Request, Row, Saying};
pub use table::{Lead, Term};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use url::OutboxUrl;
