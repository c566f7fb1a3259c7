//! The SQLite database: opened, and filled if it is empty.

use std::path::Path;

use anyhow::Context as _;
use forebay::outbox::Outbox;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

/// Opens this file, or else a database in memory.
pub(crate) async fn open(file: Option<&Path>) -> anyhow::Result<SqlitePool> {
    let pool = if let Some(file) = file {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let pool = SqlitePool::connect_with(options).await;
        pool.with_context(|| format!("cannot open the database {}", file.display()))?
    } else {
        // It belongs to its connection, so there is one, for ever.
        let options = SqlitePoolOptions::new().max_connections(1);
        options.idle_timeout(None).max_lifetime(None).connect("sqlite::memory:").await?
    };
    sqlx::raw_sql(include_str!("../schema.sql")).execute(&pool).await?;
    // Beside the tables: where broadcasts wait for their commit.
    Outbox::migrate(&pool).await?;
    let rooms: i64 = sqlx::query_scalar("select count(*) from rooms").fetch_one(&pool).await?;
    if rooms == 0 {
        sqlx::raw_sql(include_str!("../seed.sql")).execute(&pool).await?;
    }
    Ok(pool)
}
