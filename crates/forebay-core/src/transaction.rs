//! A database transaction whose broadcasts are sent when it has committed, and not otherwise.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::{Connection, Database, Pool};
use tokio::time::timeout;

use crate::app::Forebay;
use crate::broadcast::{BroadcastError, Broadcaster, OpenOutbox, Outbox};
use crate::page::Turbo;

/// How long a commit waits for its turn. One that waits for a row of ours while we wait for it
/// (a constraint that is checked at the commit) would else wait for ever, unseen by the database.
const IN_ORDER_MAX: Duration = Duration::from_secs(5);

/// Why a commit did not do all that it should. Whose fault it is decides what is to be done: a
/// transaction that is committed must not be tried again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The database's. Nothing is committed that the database does not say is, and nothing is sent.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// It is committed, but the log did not take its broadcasts. Pages that should have got them are told
    /// to load themselves again.
    #[error("committed, but not broadcast; its pages load themselves again")]
    NotBroadcast(#[source] BroadcastError),
}

/// A transaction of sqlx's with an outbox.
///
/// Broadcasts made through [`broadcast`](Self::broadcast) are rendered at once, with what the
/// transaction sees, and sent in their order right after the commit, with nothing in between.
/// Rolled back or dropped, they are gone. A process that dies between the commit and the sending
/// has sent nothing; the page's next load shows the change.
///
/// ```
/// # use forebay_core as forebay;
/// # use forebay::{Partial, Turbo};
/// # use sqlx::{Pool, Sqlite};
/// # async fn create<M: Partial + Sync>(
/// #     turbo: Turbo, pool: &Pool<Sqlite>, message: M,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let mut transaction = turbo.begin(pool).await?;
/// sqlx::query("insert into messages (body) values ('hi')").execute(&mut *transaction).await?;
/// transaction.broadcast().append_to("messages", &message).await?;
/// transaction.commit().await?; // the message is broadcast here
/// # Ok(())
/// # }
/// ```
#[must_use = "a transaction that is dropped is rolled back"]
pub struct Transaction<DB: Database> {
    inner: sqlx::Transaction<'static, DB>,
    outbox: OpenOutbox,
    broadcaster: Broadcaster,
}

/// A transaction inside a [`Transaction`]. Its broadcasts wait for the outer one's commit.
#[must_use = "a savepoint that is dropped is rolled back"]
pub struct Savepoint<'c, DB: Database> {
    inner: sqlx::Transaction<'c, DB>,
    outbox: OpenOutbox,
    outer: Outbox,
    broadcaster: Broadcaster,
}

impl<DB: Database> Transaction<DB> {
    /// Broadcasts that wait for the commit.
    pub fn broadcast(&self) -> Broadcaster {
        self.broadcaster.clone().into_outbox(self.outbox.clone())
    }

    /// Begins a transaction inside this one.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn begin(&mut self) -> Result<Savepoint<'_, DB>, sqlx::Error> {
        Ok(Savepoint {
            inner: (*self.inner).begin().await?,
            outbox: OpenOutbox::default(),
            outer: self.outbox.clone(),
            broadcaster: self.broadcaster.clone(),
        })
    }

    /// Commits, then sends the broadcasts. Transactions that broadcast to the same stream commit
    /// one after the other, so that pages see their changes in the order of the database.
    ///
    /// This runs to its end in a task of its own. A handler is dropped when its client hangs up,
    /// and a change that is in the database must not lack its broadcast because of that.
    ///
    /// # Errors
    /// [`CommitError`] says whether it is committed.
    pub async fn commit(self) -> Result<(), CommitError> {
        let Self { inner, outbox, broadcaster } = self;
        let commit = tokio::spawn(async move {
            let publisher = broadcaster.publisher();
            let streams = outbox.streams();
            let in_order = timeout(IN_ORDER_MAX, publisher.commits.lock(&streams)).await;
            if in_order.is_err() {
                tracing::warn!("committed without its turn: another commit takes too long");
            }
            inner.commit().await?;
            outbox.send(publisher).await.map_err(CommitError::NotBroadcast)
        });
        commit.await.map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))?
    }

    /// Rolls back. The broadcasts are gone.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        self.inner.rollback().await
    }
}

impl<DB: Database> Savepoint<'_, DB> {
    /// Broadcasts that wait for the outer transaction's commit.
    pub fn broadcast(&self) -> Broadcaster {
        self.broadcaster.clone().into_outbox(self.outbox.clone())
    }

    /// Begins a transaction inside this one.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn begin(&mut self) -> Result<Savepoint<'_, DB>, sqlx::Error> {
        Ok(Savepoint {
            inner: (*self.inner).begin().await?,
            outbox: OpenOutbox::default(),
            outer: self.outbox.clone(),
            broadcaster: self.broadcaster.clone(),
        })
    }

    /// Releases the savepoint. Its broadcasts wait for the outer transaction's commit.
    ///
    /// # Errors
    /// What the database answers. Its broadcasts are gone then.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.inner.commit().await?;
        self.outbox.hand_over(&self.outer);
        Ok(())
    }

    /// Rolls back to the savepoint. Its broadcasts are gone.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        self.inner.rollback().await
    }
}

impl<DB: Database> Deref for Transaction<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl<DB: Database> DerefMut for Transaction<DB> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}

impl<DB: Database> Deref for Savepoint<'_, DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl<DB: Database> DerefMut for Savepoint<'_, DB> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}

impl<DB: Database> std::fmt::Debug for Transaction<DB> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("outbox", &self.outbox).finish_non_exhaustive()
    }
}

impl<DB: Database> std::fmt::Debug for Savepoint<'_, DB> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Savepoint").field("outbox", &self.outbox).finish_non_exhaustive()
    }
}

impl Forebay {
    /// Begins a transaction whose broadcasts are sent when it commits.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn begin<DB: Database>(
        &self,
        pool: &Pool<DB>,
    ) -> Result<Transaction<DB>, sqlx::Error> {
        begin(self.broadcast(), pool).await
    }
}

impl Turbo {
    /// Begins a transaction whose broadcasts are sent when it commits.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn begin<DB: Database>(
        &self,
        pool: &Pool<DB>,
    ) -> Result<Transaction<DB>, sqlx::Error> {
        begin(self.broadcast(), pool).await
    }
}

async fn begin<DB: Database>(
    broadcaster: Broadcaster,
    pool: &Pool<DB>,
) -> Result<Transaction<DB>, sqlx::Error> {
    Ok(Transaction { inner: pool.begin().await?, outbox: OpenOutbox::default(), broadcaster })
}
