//! A database transaction whose broadcasts are sent when it has committed, and not otherwise.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use forebay_outbox::WriteError;
use sqlx::{Connection, Database, Pool};
use tokio::time::timeout;

use crate::app::Forebay;
use crate::broadcast::{
    BroadcastError, Broadcaster, OpenPending, OpenTransaction, Pending, Publisher, Relay,
};
use crate::page::Turbo;

/// How long a commit waits for its turn. One that waits for a row of ours while we wait for it
/// (a constraint that is checked at the commit) would else wait for ever, unseen by the database.
const IN_ORDER_MAX: Duration = Duration::from_secs(5);

/// How long a commit waits until what it has written is published: many times what the relay takes. Longer
/// than that a request should not wait for what will come all the same.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(1);

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
    /// The transaction is of another database than the outbox. Nothing is committed, and nothing is sent.
    #[error(
        "not committed: the outbox that Forebay was built with is in another database. For this one there is \
         `begin_without_outbox`"
    )]
    OtherDatabase,
}

impl From<WriteError> for CommitError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Database(error) => Self::Database(error),
            _ => Self::OtherDatabase,
        }
    }
}

/// A transaction of sqlx's whose broadcasts wait for its commit.
///
/// Broadcasts made through [`broadcast`](Self::broadcast) are rendered at once, with what the
/// transaction sees, and published in their order after the commit, with nothing in between.
/// Rolled back or dropped, they are gone. A process may die between the commit and the publishing: with an
/// outbox ([`Builder::outbox`](crate::Builder::outbox)) the next one publishes them, and without one nobody
/// does. The page's next load shows the change.
///
/// In a transaction with an outbox, broadcasts with `later` in their name are rendered at once, too.
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
    pending: OpenPending,
    broadcaster: Broadcaster,
    /// Said of its request, where broadcasts are recorded.
    open: Option<OpenTransaction>,
}

/// A transaction inside a [`Transaction`]. Its broadcasts wait for the outer one's commit.
#[must_use = "a savepoint that is dropped is rolled back"]
pub struct Savepoint<'c, DB: Database> {
    inner: sqlx::Transaction<'c, DB>,
    pending: OpenPending,
    outer: Pending,
    broadcaster: Broadcaster,
}

impl<DB: Database> Transaction<DB> {
    /// Broadcasts that wait for the commit.
    pub fn broadcast(&self) -> Broadcaster {
        self.broadcaster.clone().within(self.pending.clone())
    }

    /// Begins a transaction inside this one.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn begin(&mut self) -> Result<Savepoint<'_, DB>, sqlx::Error> {
        Ok(Savepoint {
            inner: (*self.inner).begin().await?,
            pending: OpenPending::new(self.pending.is_stored()),
            outer: self.pending.clone(),
            broadcaster: self.broadcaster.clone(),
        })
    }

    /// Commits, and has the broadcasts published.
    ///
    /// **With an outbox** ([`Builder::outbox`](crate::Builder::outbox)) they are written in the same
    /// transaction. Committed, they will be broadcast, whatever happens to this process; not committed, they
    /// never are. When this returns, they have been published as well, unless the log or the relay takes more
    /// than a second, or another process relays: then they follow by themselves. Transactions don't wait for
    /// each other; the module [`outbox`](crate::outbox) says in which order pages see them.
    ///
    /// **Without one** they are published right after the commit. Transactions that broadcast to the same
    /// stream commit one after the other, so that pages see their changes in the order of the database.
    ///
    /// This runs to its end in a task of its own. A handler is dropped when its client hangs up,
    /// and a change that is in the database must not lack its broadcast because of that.
    ///
    /// # Errors
    /// [`CommitError`] says whether it is committed.
    pub async fn commit(self) -> Result<(), CommitError> {
        let Self { inner, pending, broadcaster, open } = self;
        let commit = tokio::spawn(async move {
            let _open = open;
            let publisher = broadcaster.publisher();
            match publisher.relay().filter(|_| pending.is_stored()) {
                Some(relay) => commit_stored(inner, &pending, publisher, relay).await,
                None => commit_and_publish(inner, &pending, publisher).await,
            }
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

/// The broadcasts are rows before it commits. The relay publishes them.
async fn commit_stored<DB: Database>(
    mut inner: sqlx::Transaction<'static, DB>,
    pending: &OpenPending,
    publisher: &Publisher,
    relay: &Relay,
) -> Result<(), CommitError> {
    let (drafts, stored) = pending.take_drafts();
    let mut expected = None;
    if !drafts.is_empty() {
        let key = new_key();
        let connection: &mut DB::Connection = &mut inner;
        relay.outbox().write(connection, &key, &drafts).await?;
        tracing::trace!("written into the outbox");
        expected = relay.expect(&key);
    }
    inner.commit().await?;
    stored.committed();
    tracing::trace!("committed");
    if !drafts.is_empty() {
        relay.wake();
    }
    // What was broadcast beside the commit, by whoever has the transaction's broadcaster still.
    pending.send(publisher).await.map_err(CommitError::NotBroadcast)?;
    if let Some(expected) = expected {
        expected.within(PUBLISHED_WITHIN).await;
    }
    Ok(())
}

async fn commit_and_publish<DB: Database>(
    inner: sqlx::Transaction<'static, DB>,
    pending: &OpenPending,
    publisher: &Publisher,
) -> Result<(), CommitError> {
    let streams = pending.streams();
    let in_order = timeout(IN_ORDER_MAX, publisher.commits.lock(&streams)).await;
    if in_order.is_err() {
        tracing::warn!("committed without its turn: another commit takes too long");
    }
    inner.commit().await?;
    pending.send(publisher).await.map_err(CommitError::NotBroadcast)
}

/// What a transaction's rows are published once by.
fn new_key() -> String {
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the operating system gives random numbers");
    format!("{:032x}", u128::from_be_bytes(random))
}

impl<DB: Database> Savepoint<'_, DB> {
    /// Broadcasts that wait for the outer transaction's commit.
    pub fn broadcast(&self) -> Broadcaster {
        self.broadcaster.clone().within(self.pending.clone())
    }

    /// Begins a transaction inside this one.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn begin(&mut self) -> Result<Savepoint<'_, DB>, sqlx::Error> {
        Ok(Savepoint {
            inner: (*self.inner).begin().await?,
            pending: OpenPending::new(self.pending.is_stored()),
            outer: self.pending.clone(),
            broadcaster: self.broadcaster.clone(),
        })
    }

    /// Releases the savepoint. Its broadcasts wait for the outer transaction's commit.
    ///
    /// # Errors
    /// What the database answers. Its broadcasts are gone then.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.inner.commit().await?;
        self.pending.hand_over(&self.outer);
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
        f.debug_struct("Transaction").field("pending", &self.pending).finish_non_exhaustive()
    }
}

impl<DB: Database> std::fmt::Debug for Savepoint<'_, DB> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Savepoint").field("pending", &self.pending).finish_non_exhaustive()
    }
}

impl Forebay {
    /// Begins a transaction whose broadcasts are published if it commits. With an outbox the pool has to be
    /// of its database.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn begin<DB: Database>(
        &self,
        pool: &Pool<DB>,
    ) -> Result<Transaction<DB>, sqlx::Error> {
        begin(self.broadcast(), pool, true).await
    }

    /// Begins a transaction of another database than the outbox's. A process that is killed between its
    /// commit and its broadcasts has published nothing.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn begin_without_outbox<DB: Database>(
        &self,
        pool: &Pool<DB>,
    ) -> Result<Transaction<DB>, sqlx::Error> {
        begin(self.broadcast(), pool, false).await
    }
}

impl Turbo {
    /// Begins a transaction whose broadcasts are published if it commits. With an outbox the pool has to be
    /// of its database.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn begin<DB: Database>(
        &self,
        pool: &Pool<DB>,
    ) -> Result<Transaction<DB>, sqlx::Error> {
        begin(self.broadcast(), pool, true).await
    }

    /// Begins a transaction of another database than the outbox's. A process that is killed between its
    /// commit and its broadcasts has published nothing.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn begin_without_outbox<DB: Database>(
        &self,
        pool: &Pool<DB>,
    ) -> Result<Transaction<DB>, sqlx::Error> {
        begin(self.broadcast(), pool, false).await
    }
}

async fn begin<DB: Database>(
    broadcaster: Broadcaster,
    pool: &Pool<DB>,
    stores: bool,
) -> Result<Transaction<DB>, sqlx::Error> {
    let mut inner = pool.begin().await?;
    let relay = broadcaster.publisher().relay().filter(|_| stores);
    if let Some(relay) = relay {
        let connection: &mut DB::Connection = &mut inner;
        if !relay.outbox().knows(connection) {
            return Err(sqlx::Error::Configuration(Box::new(CommitError::OtherDatabase)));
        }
    }
    let pending = OpenPending::new(relay.is_some());
    let open = broadcaster.begins();
    Ok(Transaction { inner, pending, broadcaster, open })
}
