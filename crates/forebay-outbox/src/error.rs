//! Why an outbox can't be used, and why a transaction could not write into it.

use std::path::PathBuf;

/// Why a URL names no outbox's database. It never has the password in it.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxUrlError {
    /// Nobody knows such a database here.
    #[error(
        "its scheme is {0:?}: expected postgres or sqlite, as in postgres://user:password@host/database"
    )]
    Scheme(String),
    /// It is no URL.
    #[error("it can't be read: {0}")]
    Unreadable(String),
    /// Something behind the `?` has no meaning.
    #[error("there is no option {name}: there are {known}")]
    Option {
        /// What stands there.
        name: String,
        /// What could stand there.
        known: String,
    },
    /// No other process would see it.
    #[error("a database in memory is one process's: name its file")]
    Memory,
}

#[cfg(any(feature = "postgres", feature = "sqlite"))]
impl OutboxUrlError {
    pub(crate) fn unreadable(error: sqlx::Error) -> Self {
        Self::Unreadable(match error {
            sqlx::Error::Configuration(cause) => cause.to_string(),
            other => other.to_string(),
        })
    }
}

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
    /// The role may not do what a relay does.
    #[error(
        "the outbox's role lacks rights ({0}): grant usage on schema forebay, and select, insert, update, delete \
         on forebay.about and forebay.outbox"
    )]
    Rights(String),
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

impl OutboxError {
    /// Whether it may go away by itself: the database can't be reached, or not now.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Silent
            | Self::Standby
            | Self::Database(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut) => true,
            // Connections, resources, and what an operator does. A file that is locked for longer than SQLite waits.
            Self::Database(sqlx::Error::Database(said)) => {
                said.code().is_some_and(|code| match (&*code, code.get(..2)) {
                    ("08P01", _) => false,
                    (_, Some("08" | "53" | "57")) => code.len() == 5,
                    (code, _) => code == "5",
                })
            }
            _ => false,
        }
    }
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
