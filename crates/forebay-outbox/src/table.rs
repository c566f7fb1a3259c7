//! What a database's outbox has to do.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use sqlx::Error;
use tokio::time::timeout;

use crate::error::{OutboxError, WriteError};
use crate::row::{Draft, Reading};

/// An answer of a database.
pub(crate) type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How long the database has to answer whoever leads.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Rows that are read at once, unless [`BYTES_AT_ONCE`] is reached before. A transaction that has more is
/// published in parts.
pub(crate) const ROWS_AT_ONCE: i64 = 1_000;

/// Bytes of messages that are read at once: 16 of the largest size that is allowed by default.
pub(crate) const BYTES_AT_ONCE: i64 = 16 << 20;

/// Rows that were refused and are kept to be looked at.
pub(crate) const REFUSED_MAX: i64 = 1_000;

/// One database's outbox.
pub(crate) trait Table: fmt::Debug + Send + Sync {
    /// Whether this is a connection of such a database.
    fn knows(&self, connection: &dyn Any) -> bool;

    /// Writes rows in the transaction that is open on this connection. They have the key in common.
    fn write<'a>(
        &'a self,
        connection: &'a mut (dyn Any + Send),
        key: &'a str,
        drafts: &'a [Draft],
    ) -> Pending<'a, Result<(), WriteError>>;

    /// Becomes the one that relays. `None` if another one is.
    fn lead(&self) -> Pending<'_, Result<Option<Box<dyn Leading>>, OutboxError>>;

    /// Tells whoever leads, in another process, that there are rows.
    fn announce(&self) -> Pending<'_, Result<(), OutboxError>>;
}

/// The right to relay, for as long as it lives and the database can be reached.
pub(crate) trait Leading: fmt::Debug + Send {
    fn term(&self) -> &Term;
    fn set_message_bytes_max(&mut self, max: usize) -> Pending<'_, Result<(), Error>>;
    fn read<'a>(&'a mut self, except: &'a [i64]) -> Pending<'a, Result<Reading, Error>>;
    fn delete<'a>(&'a mut self, ids: &'a [i64]) -> Pending<'a, Result<(), Error>>;
    fn refuse<'a>(&'a mut self, id: i64, reason: &'a str) -> Pending<'a, Result<(), Error>>;
    fn told(&mut self) -> Pending<'_, ()>;
}

/// One lead, among those of the same outbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Term {
    /// The random name of this database's outbox.
    pub outbox_id: String,
    /// This lead's number: larger than that of each lead before it.
    pub life: i64,
    /// The number of the lead before it.
    pub previous: i64,
}

/// The right to relay: one process has it at a time. It ends when it is dropped, and with the process.
/// After an error it may be somebody else's: drop it, and [ask](crate::Outbox::lead) again.
#[derive(Debug)]
pub struct Lead(pub(crate) Box<dyn Leading>);

impl Lead {
    /// Which lead it is.
    pub fn term(&self) -> &Term {
        self.0.term()
    }

    /// Says how large a message may be, to those who write in SQL.
    ///
    /// # Errors
    /// The database's.
    pub async fn set_message_bytes_max(&mut self, max: usize) -> Result<(), OutboxError> {
        in_time(self.0.set_message_bytes_max(max)).await
    }

    /// Reads committed rows that nobody has published, oldest transaction first, but for those with these
    /// ids. At most 1000 rows, or 16 MiB of messages. It never cuts a transaction that is smaller.
    ///
    /// # Errors
    /// The database's.
    pub async fn read(&mut self, except: &[i64]) -> Result<Reading, OutboxError> {
        in_time(self.0.read(except)).await
    }

    /// Deletes rows that are published.
    ///
    /// # Errors
    /// The database's.
    pub async fn delete(&mut self, ids: &[i64]) -> Result<(), OutboxError> {
        in_time(self.0.delete(ids)).await
    }

    /// Sets a row aside that can't be published. The newest 1000 of them are kept.
    ///
    /// # Errors
    /// The database's.
    pub async fn refuse(&mut self, id: i64, reason: &str) -> Result<(), OutboxError> {
        in_time(self.0.refuse(id, reason)).await
    }

    /// Waits until somebody announces rows. It may be told in vain, and it may miss it.
    pub async fn told(&mut self) {
        self.0.told().await;
    }
}

async fn in_time<T>(answer: Pending<'_, Result<T, Error>>) -> Result<T, OutboxError> {
    Ok(timeout(ANSWER_MAX, answer).await.map_err(|_| OutboxError::Silent)??)
}

/// One row as it is read, with what tells its transaction from others.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) struct Numbered {
    pub(crate) transaction: Option<u64>,
    pub(crate) row: crate::row::Row,
}

/// Puts rows that follow each other into groups. Where reading ended early, the last group may lack rows:
/// unless it is the only one, it is left for the next time.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) fn group(rows: Vec<Numbered>, ended_early: bool) -> Vec<crate::row::Group> {
    use crate::row::Group;

    let mut groups: Vec<Group> = Vec::new();
    for Numbered { transaction, row } in rows {
        let belongs = |group: &&mut Group| {
            let same_key = || group.rows.first().is_some_and(|first| first.key == row.key);
            group.transaction == transaction && (transaction.is_some() || same_key())
        };
        match groups.last_mut().filter(belongs) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group { transaction, rows: vec![row] }),
        }
    }
    if ended_early && groups.len() > 1 {
        groups.pop();
    }
    groups
}

/// Ids as a JSON array, which SQLite takes as one parameter.
#[cfg(feature = "sqlite")]
pub(crate) fn json(ids: &[i64]) -> String {
    serde_json::to_string(ids).unwrap_or_default()
}
