//! Why an outbox can't be used, and why a transaction could not write into it.

use std::path::PathBuf;

/// Why a database's outbox can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxError {
    /// The database has none.
    #[error(
        "the database has no outbox: call `Outbox::migrate`, or run forebay-outbox's migration {file} with \
         your own"
    )]
    Missing {
        /// The file of the migration.
        file: &'static str,
    },
    /// Another version of Forebay made it.
    #[error(
        "the database's outbox is of version {found}, and this Forebay knows version {known}: {mend}"
    )]
    Version {
        /// The version in the database.
        found: i64,
        /// The version that this process knows.
        known: i64,
        /// What is to be done.
        mend: &'static str,
    },
    /// The server is too old.
    #[error("the outbox needs Postgres 14 or later; this server is {0}")]
    OldServer(String),
    /// The server keeps texts that may be no text.
    #[error("the outbox needs a database in UTF8; this one is in {0}")]
    Encoding(String),
    /// It takes no writes.
    #[error("the outbox needs the primary server; this one is a standby, which takes no writes")]
    Standby,
    /// A pooler hands sessions around.
    #[error(
        "the outbox's relay reaches Postgres through a pooler that changes its session (PgBouncer in \
         transaction mode): LISTEN and advisory locks don't hold there. Name the server itself: \
         `Outbox::open_over`"
    )]
    Pooler,
    /// The file that says who relays can't be locked.
    #[error("{} can't be locked: {cause}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The database does not answer within five seconds.
    #[error("the outbox's database does not answer")]
    Silent,
    /// The database's answer.
    #[error("the outbox's database refuses: {0}")]
    Database(#[from] sqlx::Error),
}

/// Why a transaction could not write its broadcasts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Its database is not the one whose outbox this is.
    #[error(
        "the transaction is of another database than the outbox that Forebay was built with: \
         `begin_without_outbox` is for such a database"
    )]
    OtherDatabase,
    /// The database's answer.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}
