//! The outbox on SQLite.

use std::path::Path;
use std::time::Duration;

use forebay_core::outbox::{Outbox, OutboxError};
use forebay_core::{BuildError, CommitError, Forebay, Sent, TurboStream};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{Pool, Sqlite};

use crate::{SECRET, all, open};

pub(crate) async fn pool(file: &Path) -> Pool<Sqlite> {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal);
    let pool = Pool::connect_with(options).await.unwrap();
    sqlx::query("create table if not exists rows (n integer primary key autoincrement)")
        .execute(&pool)
        .await
        .unwrap();
    Outbox::migrate(&pool).await.unwrap();
    pool
}

/// The same, where its name is a text.
pub(crate) async fn pool_at(file: &str) -> Pool<Sqlite> {
    pool(Path::new(file)).await
}

struct App {
    forebay: Forebay,
    pool: Pool<Sqlite>,
    folder: tempfile::TempDir,
}

impl App {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pool = pool(&folder.path().join("rows")).await;
        let forebay = open(&pool).await;
        Self { forebay, pool, folder }
    }

    async fn count(&self, table: &'static str) -> i64 {
        let count = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
        sqlx::query_scalar(count).fetch_one(&self.pool).await.unwrap()
    }

    /// Broadcasts numbers in a transaction of their own.
    async fn commit(&self, numbers: &[u32]) {
        let transaction = self.forebay.begin(&self.pool).await.unwrap();
        for n in numbers {
            let sent = transaction.broadcast().json_to("rows", n).await.unwrap();
            assert_eq!(sent, Sent::AfterCommit);
        }
        transaction.commit().await.unwrap();
    }
}

const LEFTOVER: &str = "insert into forebay_outbox (stream, message) values ('rows', '7')";

#[tokio::test]
async fn what_is_committed_is_published_when_the_commit_returns() {
    let app = App::start().await;
    let start = app.forebay.position();
    let mut transaction = app.forebay.begin(&app.pool).await.unwrap();
    transaction.broadcast().json_to("rows", &1).await.unwrap();
    let kept = transaction.begin().await.unwrap();
    kept.broadcast().json_to("rows", &2).await.unwrap();
    kept.commit().await.unwrap();
    let gone = transaction.begin().await.unwrap();
    gone.broadcast().json_to("rows", &3).await.unwrap();
    gone.rollback().await.unwrap();
    transaction.broadcast().json_to("rows", &4).await.unwrap();
    assert_eq!(app.forebay.position(), start);
    transaction.commit().await.unwrap();
    assert_eq!(all(&app.forebay, "rows"), ["1", "2", "4"]);
    app.forebay.shut_down(Duration::ZERO).await;
    assert_eq!(app.count("forebay_outbox").await, 0, "published rows are deleted");
}

#[tokio::test]
async fn what_is_rolled_back_is_gone() {
    let app = App::start().await;
    let transaction = app.forebay.begin(&app.pool).await.unwrap();
    transaction.broadcast().json_to("rows", &1).await.unwrap();
    transaction.rollback().await.unwrap();
    app.commit(&[2]).await;
    assert_eq!(all(&app.forebay, "rows"), ["2"]);
}

/// The first refresh of a window is sent at once, the others with its end, and each row is there until then.
#[tokio::test]
async fn refreshes_are_debounced_and_their_rows_stay_until_they_are_sent() {
    let app = App::start().await;
    for id in ["a", "b"] {
        let transaction = app.forebay.begin(&app.pool).await.unwrap();
        let refresh = transaction.broadcast().refresh_later_to("board").morph().request_id(id);
        refresh.await.unwrap();
        transaction.commit().await.unwrap();
    }
    let refreshes = || all(&app.forebay, "board");
    let refresh = |html: TurboStream| serde_json::to_string(&html.to_string()).unwrap();
    assert_eq!(refreshes(), [refresh(TurboStream::refresh().morph().request_id("a"))]);
    assert_eq!(app.count("forebay_outbox where kind = 'refresh'").await.min(1), 1);
    app.forebay.shut_down(Duration::ZERO).await;
    assert_eq!(refreshes()[1..], [refresh(TurboStream::refresh().morph().request_id("b"))]);
    assert_eq!(app.count("forebay_outbox").await, 0);
}

/// Whoever was killed has left it; or another program has written it.
#[tokio::test]
async fn what_is_left_over_is_published_at_the_next_start() {
    let app = App::start().await;
    app.forebay.shut_down(Duration::ZERO).await;
    sqlx::query(LEFTOVER).execute(&app.pool).await.unwrap();
    let next = open(&app.pool).await;
    next.shut_down(Duration::ZERO).await;
    assert_eq!(all(&next, "rows"), ["7"]);
}

#[tokio::test]
async fn one_process_relays() {
    let app = App::start().await;
    let second = Outbox::open(&app.pool).await.unwrap();
    let build = |outbox| Forebay::builder().secret(SECRET).outbox(outbox).build();
    assert!(matches!(build(second), Err(BuildError::OutboxInUse)));

    // A worker beside it writes, and the one that relays finds it.
    let writer = build(Outbox::open_to_write(&app.pool).await.unwrap()).unwrap();
    let transaction = writer.begin(&app.pool).await.unwrap();
    transaction.broadcast().json_to("rows", &1).await.unwrap();
    transaction.commit().await.unwrap();
    app.commit(&[2]).await;
    assert_eq!(all(&app.forebay, "rows"), ["1", "2"]);
    assert_eq!(all(&writer, "rows"), [""; 0]);

    // Its end lets another one in.
    app.forebay.shut_down(Duration::ZERO).await;
    assert!(Outbox::open(&app.pool).await.unwrap().has_lead());
}

#[tokio::test]
async fn a_transaction_of_another_database_is_refused() {
    let app = App::start().await;
    let other = pool(&app.folder.path().join("other")).await;
    let transaction = app.forebay.begin(&other).await.unwrap();
    transaction.broadcast().json_to("rows", &1).await.unwrap();
    let error = transaction.commit().await.unwrap_err();
    assert!(matches!(error, CommitError::OtherDatabase), "{error}");

    let transaction = app.forebay.begin_without_outbox(&other).await.unwrap();
    transaction.broadcast().json_to("rows", &2).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(all(&app.forebay, "rows"), ["2"]);
}

#[tokio::test]
async fn a_database_without_an_outbox_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new().filename(folder.path().join("rows"));
    let pool = Pool::<Sqlite>::connect_with(options.create_if_missing(true)).await.unwrap();
    let error = Outbox::open(&pool).await.unwrap_err();
    assert!(matches!(error, OutboxError::Missing { .. }), "{error}");
    Outbox::migrate(&pool).await.unwrap();
    Outbox::migrate(&pool).await.unwrap();
    sqlx::query("update forebay_about set version = 2").execute(&pool).await.unwrap();
    for error in [Outbox::open(&pool).await.unwrap_err(), Outbox::migrate(&pool).await.unwrap_err()]
    {
        assert!(matches!(error, OutboxError::Version { found: 2, known: 1, .. }), "{error}");
    }
}

/// Nothing that is behind it waits, and its pages are told.
#[tokio::test]
async fn a_row_that_can_t_be_broadcast_is_set_aside() {
    let app = App::start().await;
    let start = app.forebay.position();
    for bad in [
        "insert into forebay_outbox (stream, message) values ('bad', '<p>')",
        "insert into forebay_outbox (stream, message) values ('bad', x'ff')",
        "insert into forebay_outbox (stream, message, extras) values ('bad', '1', '[')",
        "insert into forebay_outbox (stream) values ('bad')",
    ] {
        sqlx::query(bad).execute(&app.pool).await.unwrap();
    }
    app.commit(&[1]).await;
    assert_eq!(all(&app.forebay, "rows"), ["1"]);
    assert!(app.forebay.replay("bad", start).is_err(), "its pages are told");
    assert_eq!(app.forebay.stats().outbox_refused, 4);
    let kept = "forebay_outbox where state = 'refused' and reason <> ''";
    assert_eq!(app.count(kept).await, 4);
}

/// Somebody empties the table by hand: what was in it is missing, and pages are told.
#[tokio::test]
async fn rows_that_somebody_deletes_are_gaps() {
    let app = App::start().await;
    app.forebay.shut_down(Duration::ZERO).await;
    sqlx::query(LEFTOVER).execute(&app.pool).await.unwrap();
    sqlx::query("delete from forebay_outbox").execute(&app.pool).await.unwrap();
    let next = open(&app.pool).await;
    let start = next.position();
    next.shut_down(Duration::ZERO).await;
    assert!(next.replay("rows", start).is_err());
    assert_eq!(next.replay("other", start).unwrap().len(), 0);
}

/// More than is read at once, and a transaction that is as large by itself.
#[tokio::test]
async fn many_rows_keep_their_order() {
    let app = App::start().await;
    let many: Vec<u32> = (0..2_500).collect();
    app.commit(&many[..700]).await;
    app.commit(&many[700..]).await;
    app.forebay.shut_down(Duration::ZERO).await;
    let expected: Vec<_> = many.iter().map(u32::to_string).collect();
    assert_eq!(all(&app.forebay, "rows"), expected);
}
