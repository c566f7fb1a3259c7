//! The outbox: a table in the application's own database. What a transaction broadcasts is written there
//! in the same transaction, so it is broadcast if and only if that commits.
//!
//! ```
//! # use forebay_core as forebay;
//! # async fn build(pool: sqlx::Pool<sqlx::Sqlite>) -> Result<(), Box<dyn std::error::Error>> {
//! use forebay::Forebay;
//! use forebay::outbox::Outbox;
//!
//! Outbox::migrate(&pool).await?; // or copy the migration into your own
//! let forebay = Forebay::builder()
//!     .secret("a long secret that is kept secret")
//!     .outbox(Outbox::open(&pool).await?)
//!     .build()?;
//! # Ok(())
//! # }
//! ```
//!
//! From here on every transaction of [`Turbo::begin`](crate::Turbo::begin) uses it. After the commit the
//! **relay**, a task of this process, publishes the rows and deletes them.
//!
//! # What it promises
//!
//! - **Committed, it will be broadcast.** A process may be killed between any two statements. What it has
//!   committed and not published is published at the next start, or by another node.
//! - **Once.** A row that was published and not deleted is not published again: the log knows its name. It
//!   knows the last 10 000 names, and no more than 1000 rows are published and not yet deleted.
//!   A debounced refresh may come twice after a kill.
//! - **When [`commit`](crate::Transaction::commit) returns it is published here, too**, so a page that is
//!   rendered then has a cursor behind it. There are two exceptions. If the log or the relay takes longer
//!   than a second, or if another node relays, `commit` returns before that.
//! - **Nothing is left out silently.** Rows that somebody deletes by hand, a table that is truncated, a row
//!   that can't be broadcast: the pages of their streams load themselves again.
//! - **Nobody waits for anybody.** A transaction that broadcasts takes no lock for it.
//!
//! # Order
//!
//! On SQLite it is the order of the commits. On Postgres transactions run beside each other, and their rows
//! have no order of commits that could be asked for. There it is this: the rows of one transaction stay
//! together, in their order. Of two transactions, the one that saw what the other had committed comes later,
//! if it broadcast after its change. [`Transaction`](crate::Transaction) writes all its rows at its end, so
//! only those who broadcast in SQL have to look at that. Two transactions that know nothing of each other
//! may come in any order.
//!
//! # Which processes
//!
//! One process relays at a time, and a lock says which: on a file beside the SQLite database, or Postgres'
//! advisory lock on a connection of its own. It ends with the process. A log in memory or in a folder is one
//! process's, so there a second process that would relay the same outbox is refused at the start. A process
//! to which no page is connected can write all the same: [`Outbox::open_to_write`].

pub use forebay_outbox::{Database, Outbox, OutboxError};
#[cfg(any(feature = "outbox-postgres", feature = "outbox-sqlite"))]
pub use forebay_outbox::{OutboxUrl, OutboxUrlError};
