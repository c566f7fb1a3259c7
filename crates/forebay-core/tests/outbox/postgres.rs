//! The outbox on Postgres: rows from SQL alone, rows that can't be broadcast, and a server that is lost.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use forebay_core::outbox::{Outbox, OutboxError};
use forebay_core::{BuildError, Forebay};
use forebay_rig::{PgBouncer, Postgres as Rig, Server as _};
use sqlx::{AssertSqlSafe, Pool, Postgres};

use crate::{SECRET, all, open, until};

/// One server for all tests. It ends with this process.
pub(crate) fn server() -> &'static Rig {
    static SERVER: OnceLock<Rig> = OnceLock::new();
    SERVER.get_or_init(|| Rig::options().configure("fsync = off").start().unwrap())
}

/// A database of its own, as a URL.
pub(crate) fn database() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    server().sql(&format!("create database {name}")).unwrap();
    url(server(), &name)
}

fn url(server: &Rig, database: &str) -> String {
    let (server, _) =
        server.url().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    format!("{server}/{database}")
}

pub(crate) async fn pool(url: &str) -> Pool<Postgres> {
    // A server that is killed is asked for again for so long.
    let options = sqlx::pool::PoolOptions::new().acquire_timeout(Duration::from_secs(3));
    let pool = options.max_connections(20).connect(url).await.unwrap();
    sqlx::query("create table if not exists rows (n bigint generated always as identity)")
        .execute(&pool)
        .await
        .unwrap();
    Outbox::migrate(&pool).await.unwrap();
    pool
}

pub(crate) async fn run(pool: &Pool<Postgres>, statements: impl Into<String>) {
    sqlx::raw_sql(AssertSqlSafe(statements.into())).execute(pool).await.unwrap();
}

/// Everything that is committed is published.
async fn flush(forebay: &Forebay) {
    forebay.shut_down(Duration::ZERO).await;
}

#[tokio::test]
async fn what_is_committed_is_published_when_the_commit_returns() {
    let pool = pool(&database()).await;
    let forebay = open(&pool).await;
    let mut transaction = forebay.begin(&pool).await.unwrap();
    transaction.broadcast().json_to("rows", &1).await.unwrap();
    let inner = transaction.begin().await.unwrap();
    inner.broadcast().json_to("rows", &2).await.unwrap();
    inner.commit().await.unwrap();
    let gone = transaction.begin().await.unwrap();
    gone.broadcast().json_to("rows", &3).await.unwrap();
    gone.rollback().await.unwrap();
    transaction.broadcast().json_to("rows", &4).await.unwrap();
    assert_eq!(all(&forebay, "rows"), [""; 0]);
    transaction.commit().await.unwrap();
    assert_eq!(all(&forebay, "rows"), ["1", "2", "4"]);

    let second = Outbox::open(&pool).await.unwrap();
    let second = Forebay::builder().secret(SECRET).outbox(second).build();
    assert!(matches!(second, Err(BuildError::OutboxInUse)));
    flush(&forebay).await;
    let rows: i64 =
        sqlx::query_scalar("select count(*) from forebay.outbox").fetch_one(&pool).await.unwrap();
    assert_eq!(rows, 0);
}

/// The guide's SQL, as it stands there.
#[tokio::test]
async fn the_guide_s_trigger_broadcasts() {
    let pool = pool(&database()).await;
    let guide = include_str!("../../../../docs/outbox.md");
    let blocks: Vec<_> =
        guide.split("```sql\n").skip(1).filter_map(|b| b.split("```").next()).collect();
    assert_eq!(blocks.len(), 2, "the guide has the call and the trigger");
    run(
        &pool,
        "create table messages (id int generated always as identity, room_id int, body text)",
    )
    .await;
    for block in blocks {
        run(&pool, block).await;
    }
    let forebay = open(&pool).await;
    run(&pool, "insert into messages (room_id, body) values (1, 'a < b')").await;
    flush(&forebay).await;
    let sent = all(&forebay, ("rooms", 1)).join("");
    assert!(sent.contains("message_7") && sent.contains("a &lt; b"), "{sent}");
    let entries = forebay.replay(("rooms", 1), beginning(&forebay)).unwrap();
    assert!(entries[1].html().unwrap().contains("<p id=\"message_1\">a &lt; b</p>"));
}

fn beginning(forebay: &Forebay) -> forebay_core::Position {
    forebay_core::Position { offset: forebay_core::Offset(0), ..forebay.position() }
}

#[tokio::test]
async fn sql_broadcasts_to_several_leaves_one_out_refreshes_and_is_silent_where_told() {
    let pool = pool(&database()).await;
    let forebay = open(&pool).await;
    run(&pool, "select forebay.broadcast(array['a', 'b'], '<p>é \"</p>')").await;
    run(&pool, "select forebay.broadcast_json('c', '{\"n\": 1}', except_session => 's1')").await;
    run(&pool, "select forebay.refresh('d', request_id => 'r1')").await;
    run(
        &pool,
        "begin; set local forebay.suppress = 'on'; select forebay.broadcast('a', 'no'); commit",
    )
    .await;
    run(&pool, "set forebay.notify = 'off'; select forebay.broadcast('e', 'unnotified')").await;
    flush(&forebay).await;
    for stream in ["a", "b"] {
        assert_eq!(all(&forebay, stream), [r#""<p>é \"</p>""#]);
    }
    assert_eq!(all(&forebay, "c"), [r#"{"n": 1}"#]);
    let expected = forebay_core::TurboStream::refresh().request_id("r1").to_string();
    assert_eq!(all(&forebay, "d"), [serde_json::to_string(&expected).unwrap()]);
    assert_eq!(all(&forebay, "e").len(), 1);
}

/// Nobody waits for the next poll: the relay is told.
#[tokio::test]
async fn rows_of_sql_alone_are_announced() {
    let pool = pool(&database()).await;
    let forebay = open(&pool).await;
    run(&pool, "select forebay.broadcast('a', '1')").await;
    until("it is published", || all(&forebay, "a").len() == 1).await;
}

#[tokio::test]
async fn sql_refuses_what_can_t_be_broadcast() {
    let pool = pool(&database()).await;
    let outbox = Outbox::open(&pool).await.unwrap();
    let forebay =
        Forebay::builder().secret(SECRET).message_bytes_max(100).outbox(outbox).build().unwrap();
    // Its limit is in the database once it leads.
    let transaction = forebay.begin(&pool).await.unwrap();
    transaction.broadcast().json_to("rows", &1).await.unwrap();
    transaction.commit().await.unwrap();
    let check = async |call: &str, expected: &str| {
        let call = AssertSqlSafe(format!("select {call}"));
        let error = sqlx::query(call).execute(&pool).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("forebay.broadcast(null, 'a')", "null is blank").await;
    check("forebay.broadcast(' ', 'a')", "blank").await;
    check("forebay.broadcast('rooms:', 'a')", "'rooms:' is blank, or has a blank part").await;
    check("forebay.broadcast(repeat('a', 1025), 'a')", "longer than 1024").await;
    check("forebay.broadcast('a', null)", "nothing to broadcast to 'a'").await;
    check("forebay.broadcast('a', repeat('x', 99))", "101 bytes, more than the 100").await;
    check("forebay.refresh('')", "forebay.refresh: ").await;
}

#[tokio::test]
async fn a_row_that_can_t_be_broadcast_is_set_aside() {
    let pool = pool(&database()).await;
    let forebay = open(&pool).await;
    let start = forebay.position();
    run(&pool, "insert into forebay.outbox (stream, message) values ('bad', '<p>'), (' ', '1')")
        .await;
    run(&pool, "select forebay.broadcast('good', '1')").await;
    flush(&forebay).await;
    assert_eq!(all(&forebay, "good"), ["\"1\""]);
    assert!(forebay.replay("bad", start).is_err(), "its pages are told");
    assert_eq!(forebay.stats().outbox_refused, 2);
}

/// What is missing is said, whoever has taken it away.
#[tokio::test]
async fn rows_that_somebody_deletes_are_gaps() {
    for (statement, others_too) in
        [("delete from forebay.outbox", false), ("truncate forebay.outbox", true)]
    {
        let pool = pool(&database()).await;
        run(&pool, "select forebay.broadcast('lost', '1')").await;
        run(&pool, statement).await;
        let forebay = open(&pool).await;
        let start = forebay.position();
        flush(&forebay).await;
        assert!(forebay.replay("lost", start).is_err(), "{statement}");
        assert_eq!(forebay.replay("other", start).is_err(), others_too, "{statement}");
    }
}

/// Its session ends, and so does its lock: another process relays, and later this one again.
#[tokio::test]
async fn another_process_takes_over_when_the_relay_s_connection_is_lost() {
    let pool = pool(&database()).await;
    let first = open(&pool).await;
    let second = Outbox::open(&pool).await.unwrap();
    assert!(!second.has_lead());
    run(
        &pool,
        "select pg_terminate_backend(pid) from pg_stat_activity \
         where application_name = 'forebay relay' and datname = current_database()",
    )
    .await;
    let mut lead = None;
    let begun = std::time::Instant::now();
    while lead.is_none() && begun.elapsed() < Duration::from_secs(30) {
        // Its own session has ended with the other one.
        lead = second.lead().await.unwrap_or_default();
    }
    let mut lead = lead.unwrap();
    run(&pool, "select forebay.broadcast('a', '1')").await;
    let read = lead.read(&[]).await.unwrap();
    assert_eq!(read.groups.len(), 1);
    assert!(all(&first, "a").is_empty());
    let start = first.position();
    drop(lead);
    until("the first relays again", || first.replay("a", start).is_err()).await;
    // Another one led: what it published has gone to another log.
    assert!(first.replay("other", start).is_err());
}

#[tokio::test]
async fn the_relay_survives_its_server() {
    let own = Rig::options().start().unwrap();
    let pool = pool(&own.url()).await;
    let forebay = open(&pool).await;
    let commit = async |n: u32| {
        let transaction = forebay.begin(&pool).await?;
        transaction.broadcast().json_to("rows", &n).await.unwrap();
        transaction.commit().await.map_err(sqlx::Error::decode)
    };
    commit(1).await.unwrap();
    own.kill().unwrap();
    assert!(commit(2).await.is_err());
    own.restart().unwrap();
    let mut attempts = 0;
    while commit(3).await.is_err() {
        attempts += 1;
        assert!(attempts < 100, "the pool connects again");
    }
    until("the relay is there again", || all(&forebay, "rows").len() >= 2).await;
    assert_eq!(all(&forebay, "rows"), ["1", "3"]);
}

#[tokio::test]
async fn a_pooler_in_transaction_mode_is_refused_with_its_mend() {
    let own = Rig::options().start().unwrap();
    let pooler = PgBouncer::start(&own).unwrap();
    // The pooler's sessions change, and prepared statements are a session's.
    let through: sqlx::postgres::PgConnectOptions = pooler.url().parse().unwrap();
    let through = Pool::connect_with(through.statement_cache_capacity(0).extra_float_digits(None))
        .await
        .unwrap();
    let direct = pool(&own.url()).await;
    let error = Outbox::open(&through).await.unwrap_err();
    assert!(matches!(error, OutboxError::Pooler), "{error}");
    let outbox = Outbox::open_over(&through, (*direct.connect_options()).clone()).await.unwrap();
    let forebay = Forebay::builder().secret(SECRET).outbox(outbox).build().unwrap();
    for n in 1..=3 {
        let transaction = forebay.begin(&through).await.unwrap();
        transaction.broadcast().json_to("rows", &n).await.unwrap();
        transaction.commit().await.unwrap();
    }
    assert_eq!(all(&forebay, "rows"), ["1", "2", "3"]);
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let own = Rig::options().start().unwrap();
    let empty = Pool::<Postgres>::connect(&own.url()).await.unwrap();
    let error = Outbox::open(&empty).await.unwrap_err();
    assert!(matches!(error, OutboxError::Missing { .. }), "{error}");

    // Two that start together create it once.
    let (one, other) = tokio::join!(Outbox::migrate(&empty), Outbox::migrate(&empty));
    assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
    let standby = own.standby(0).unwrap();
    let read_only = Pool::<Postgres>::connect(&standby.url()).await.unwrap();
    let error = Outbox::open(&read_only).await.unwrap_err();
    assert!(matches!(error, OutboxError::Standby), "{error}");

    run(&empty, "update forebay.about set version = 2").await;
    let error = Outbox::open(&empty).await.unwrap_err();
    assert!(matches!(error, OutboxError::Version { found: 2, known: 1, .. }), "{error}");
    own.sql("create database latin encoding 'LATIN1' locale 'C' template template0").unwrap();
    let latin = Pool::<Postgres>::connect(&url(&own, "latin")).await.unwrap();
    let error = Outbox::migrate(&latin).await.unwrap_err();
    assert!(matches!(error, OutboxError::Encoding(_)), "{error}");
}
