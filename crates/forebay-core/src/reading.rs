//! A page's data, read in a transaction of Postgres whose snapshot its tags know.

use sqlx::{PgConnection, Pool, Postgres, Transaction};

use crate::page::{SeenError, Turbo};

/// Nothing on a replica, which has to be asked before the snapshot is taken.
const SEEN_HERE: &str = "select case when not pg_is_in_recovery() then forebay.seen() end";

const SEEN: &str = "select forebay.seen()";

impl Turbo {
    /// Begins a transaction that reads this page's data, and has the page's tags say what it sees: the page is
    /// replayed what it does not show, and nothing else. **Read all of the page's data in it**, and render the
    /// tags afterwards.
    ///
    /// It needs the [outbox](crate::outbox) in this database; the page's broadcasts have to come through that.
    /// The pool may be a replica's, however late: what the replica had not seen is replayed. It is one query
    /// more for a page.
    ///
    /// ```no_run
    /// # use forebay_core as forebay;
    /// # use forebay::Turbo;
    /// # use sqlx::{Pool, Postgres};
    /// # async fn show(turbo: Turbo, pool: &Pool<Postgres>) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut reading = turbo.begin_reading(pool).await?;
    /// let rows: Vec<(i64, String)> =
    ///     sqlx::query_as("select id, body from messages").fetch_all(&mut *reading).await?;
    /// reading.commit().await?;
    /// let tag = turbo.stream_from("messages")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SeenError`]: the database's, or that a tag was rendered before.
    pub async fn begin_reading(
        &self,
        pool: &Pool<Postgres>,
    ) -> Result<Transaction<'static, Postgres>, SeenError> {
        let begin = "begin isolation level repeatable read, read only";
        let mut transaction = pool.begin_with(begin).await?;
        let seen: Option<String> =
            sqlx::query_scalar(SEEN_HERE).fetch_one(&mut *transaction).await?;
        if let Some(seen) = seen {
            self.has_seen(&seen)?;
            return Ok(transaction);
        }
        transaction.rollback().await?;
        // Each statement of this one has a snapshot that is later than what is asked first.
        let begin = "begin isolation level read committed, read only";
        let mut transaction = pool.begin_with(begin).await?;
        self.snapshot(&mut transaction).await?;
        Ok(transaction)
    }

    /// The same for a transaction that is begun already. **Before any of the page's data is read**: in `read
    /// committed`, what an earlier statement has read is older than what this says, and the page would miss
    /// updates. What the transaction itself writes is replayed to the page.
    ///
    /// # Errors
    /// [`SeenError`]: the database's, or that a tag was rendered before. A replica refuses in `repeatable read`.
    pub async fn snapshot(&self, connection: &mut PgConnection) -> Result<(), SeenError> {
        let seen: String = sqlx::query_scalar(SEEN).fetch_one(connection).await?;
        self.has_seen(&seen)
    }
}
