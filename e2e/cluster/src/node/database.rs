//! Where the rows are: `SQLite`, or Postgres.

use std::time::Duration;

use anyhow::{Context as _, Result};
use forebay::outbox::{Outbox, OutboxError};
use forebay::{Forebay, Transaction};
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{Executor, SqlitePool};

use super::{Row, STREAM};

/// So few, that three nodes and a writer fit into any server; a page that finds none waits.
const CONNECTIONS_MAX: u32 = 8;

/// A database that is gone is an error after so long, and not a page that waits for half a minute.
const ACQUIRE_MAX: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(crate) enum Database {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Database {
    /// Opens it, and makes the table.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        if let Some(file) = url.strip_prefix("sqlite:") {
            let options = SqliteConnectOptions::new()
                .filename(file)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal);
            let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS_MAX);
            let pool = pool.connect_with(options).await.context("the rows' database")?;
            let create = "create table if not exists rows (id integer primary key autoincrement)";
            pool.execute(create).await?;
            Outbox::migrate(&pool).await?;
            return Ok(Self::Sqlite(pool));
        }
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS_MAX);
        let pool = pool.acquire_timeout(ACQUIRE_MAX).connect(url).await;
        let pool = pool.context("the rows' database")?;
        pool.execute("create table if not exists rows (id bigserial primary key)").await?;
        Outbox::migrate(&pool).await?;
        Ok(Self::Postgres(pool))
    }

    /// All rows, the oldest first.
    pub(crate) async fn rows(&self) -> sqlx::Result<Vec<i64>> {
        let select = "select id from rows order by id";
        match self {
            Self::Sqlite(pool) => sqlx::query_scalar(select).fetch_all(pool).await,
            Self::Postgres(pool) => sqlx::query_scalar(select).fetch_all(pool).await,
        }
    }

    /// The outbox, which one of the nodes relays.
    pub(crate) async fn outbox(&self) -> Result<Outbox, OutboxError> {
        match self {
            Self::Sqlite(pool) => Outbox::open(pool).await,
            Self::Postgres(pool) => Outbox::open(pool).await,
        }
    }

    /// The same, for who does not relay.
    pub(crate) async fn outbox_to_write(&self) -> Result<Outbox, OutboxError> {
        match self {
            Self::Sqlite(pool) => Outbox::open_to_write(pool).await,
            Self::Postgres(pool) => Outbox::open_to_write(pool).await,
        }
    }

    /// Two rows in one transaction. Says the number of each step that is done, from 0 on; the last is the commit.
    pub(crate) async fn write(&self, forebay: &Forebay, done: impl Fn(u32)) -> Result<()> {
        match self {
            Self::Sqlite(pool) => write(forebay.begin(pool).await?, done).await,
            Self::Postgres(pool) => write(forebay.begin(pool).await?, done).await,
        }
    }
}

/// The last step of a [`Database::write`]: it has committed.
pub(crate) const COMMIT: u32 = 5;

async fn write<DB: sqlx::Database>(
    mut transaction: Transaction<DB>,
    done: impl Fn(u32),
) -> Result<()>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'q> DB::Arguments: sqlx::IntoArguments<DB>,
    for<'r> i64: sqlx::Decode<'r, DB> + sqlx::Type<DB>,
    usize: sqlx::ColumnIndex<DB::Row>,
{
    let insert = "insert into rows default values returning id";
    done(0);
    for row in 0..2 {
        let id = sqlx::query_scalar(insert).fetch_one(&mut *transaction).await?;
        done(2 * row + 1);
        transaction.broadcast().append_to(STREAM, &Row { id }).await?;
        done(2 * row + 2);
    }
    transaction.commit().await?;
    done(COMMIT);
    Ok(())
}
