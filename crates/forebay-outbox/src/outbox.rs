//! The handle of an outbox.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Pool;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use crate::error::{OutboxError, WriteError};
use crate::row::Draft;
use crate::table::{Lead, Pending, Table};

/// How long a process that starts waits for the one before to end: a database notices within milliseconds
/// that a process on the same machine was killed.
const PREDECESSOR_MAX: Duration = Duration::from_secs(2);
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// How long the database has to answer who may lead.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(5);

/// A table in the application's database in which broadcasts wait for their commit. Clones are handles to
/// the same.
///
/// ```no_run
/// # #[cfg(feature = "sqlite")]
/// # async fn open(pool: sqlx::Pool<sqlx::Sqlite>) -> Result<(), forebay_outbox::OutboxError> {
/// use forebay_outbox::Outbox;
///
/// Outbox::migrate(&pool).await?; // or copy the migrations into your own
/// let outbox = Outbox::open(&pool).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Outbox {
    table: Arc<dyn Table>,
    lead: Arc<Mutex<Option<Lead>>>,
    relays: bool,
}

/// A database that can have an outbox: SQLite and Postgres, each with its feature.
pub trait Database: sqlx::Database + sealed::Stored {}

impl<DB: sealed::Stored> Database for DB {}

pub(crate) mod sealed {
    use std::sync::Arc;

    use sqlx::Pool;

    use crate::error::OutboxError;
    use crate::table::{Pending, Table};

    #[expect(unnameable_types, reason = "nobody else opens one")]
    #[derive(Debug)]
    pub struct Opened(pub(crate) Arc<dyn Table>);

    #[expect(unnameable_types, reason = "nobody else implements it")]
    pub trait Stored: sqlx::Database {
        #[doc(hidden)]
        fn migrate(pool: &Pool<Self>) -> Pending<'_, Result<(), OutboxError>>;
        #[doc(hidden)]
        fn open(pool: &Pool<Self>) -> Pending<'_, Result<Opened, OutboxError>>;
    }
}

impl Outbox {
    /// Creates the outbox in a database, or brings it to this version. Where it is there it does nothing.
    ///
    /// The same is in files, for those who run all migrations themselves: `migrations/sqlite` and
    /// `migrations/postgres` of the crate forebay-outbox.
    ///
    /// # Errors
    /// The database's; and where the outbox is of a later version.
    pub async fn migrate<DB: Database>(pool: &Pool<DB>) -> Result<(), OutboxError> {
        DB::migrate(pool).await
    }

    /// Opens the outbox of a database, and becomes its relay if nobody else is.
    ///
    /// # Errors
    /// [`OutboxError`] says what is missing, or wrong.
    pub async fn open<DB: Database>(pool: &Pool<DB>) -> Result<Self, OutboxError> {
        Self::open_to_write(pool).await?.relaying().await
    }

    /// The same where the pool goes through a pooler, PgBouncer for one: the relay reaches the server with
    /// these options, past it.
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "postgres")]
    pub async fn open_over(
        pool: &Pool<sqlx::Postgres>,
        direct: sqlx::postgres::PgConnectOptions,
    ) -> Result<Self, OutboxError> {
        Self::of(crate::postgres::open_over(pool, direct)).await?.relaying().await
    }

    async fn relaying(self) -> Result<Self, OutboxError> {
        let deadline = Instant::now() + PREDECESSOR_MAX;
        let lead = loop {
            let lead = self.lead().await?;
            if lead.is_some() || Instant::now() >= deadline {
                break lead;
            }
            sleep(ASK_AGAIN).await;
        };
        *self.lead.lock().await = lead;
        Ok(Self { relays: true, ..self })
    }

    /// Opens the outbox of a database for a process that writes only: a worker beside the server, say, to
    /// which no page is connected. What it broadcasts is published by the process that relays.
    ///
    /// # Errors
    /// [`OutboxError`] says what is missing, or wrong.
    pub async fn open_to_write<DB: Database>(pool: &Pool<DB>) -> Result<Self, OutboxError> {
        Self::of(DB::open(pool)).await
    }

    async fn of(
        opened: Pending<'_, Result<sealed::Opened, OutboxError>>,
    ) -> Result<Self, OutboxError> {
        let opened = timeout(ANSWER_MAX, opened).await;
        let sealed::Opened(table) = opened.map_err(|_| OutboxError::Silent)??;
        Ok(Self { table, lead: Arc::default(), relays: false })
    }

    /// Whether this process publishes what is in it, where nobody else does.
    pub fn relays(&self) -> bool {
        self.relays
    }

    /// Whether this process is the one that relays, and has not begun to.
    pub fn has_lead(&self) -> bool {
        self.lead.try_lock().is_ok_and(|lead| lead.is_some())
    }

    /// Whether a connection is of such a database.
    pub fn knows(&self, connection: &dyn Any) -> bool {
        self.table.knows(connection)
    }

    /// Writes broadcasts in the transaction that is open on this connection, which is one of sqlx's. They
    /// have the key in common: a text that is like no other.
    ///
    /// # Errors
    /// [`WriteError`]. The transaction can't be committed then.
    pub async fn write(
        &self,
        connection: &mut (dyn Any + Send),
        key: &str,
        drafts: &[Draft],
    ) -> Result<(), WriteError> {
        self.table.write(connection, key, drafts).await
    }

    /// Becomes the one that relays. Gives nothing where somebody else is.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub async fn lead(&self) -> Result<Option<Lead>, OutboxError> {
        if let Some(lead) = self.lead.lock().await.take() {
            return Ok(Some(lead));
        }
        let lead: Pending<'_, _> = self.table.lead();
        let lead = timeout(ANSWER_MAX, lead).await.map_err(|_| OutboxError::Silent)??;
        Ok(lead.map(Lead))
    }

    /// Tells whoever leads, in another process, that there are rows.
    ///
    /// # Errors
    /// The database's. The rows are found all the same, somewhat later.
    pub async fn announce(&self) -> Result<(), OutboxError> {
        timeout(ANSWER_MAX, self.table.announce()).await.map_err(|_| OutboxError::Silent)?
    }
}
