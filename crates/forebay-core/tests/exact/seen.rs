//! What `forebay.seen()` says, against what Postgres says itself.

use std::time::{Duration, Instant};

use forebay_core::Forebay;
use forebay_core::outbox::Outbox;
use forebay_core::signing::Subject;
use forebay_log::{Commit, Database, Seen};
use forebay_rig::{Postgres as Rig, Server as _};
use http::HeaderMap;
use sqlx::pool::PoolOptions;
use sqlx::{Pool, Postgres, Transaction};

async fn pool(server: &Rig) -> Pool<Postgres> {
    PoolOptions::new().max_connections(100).connect(&server.url()).await.unwrap()
}

async fn server() -> (Rig, Pool<Postgres>) {
    let server = Rig::options().configure("fsync = off").start().unwrap();
    let pool = pool(&server).await;
    Outbox::migrate(&pool).await.unwrap();
    (server, pool)
}

async fn begin(pool: &Pool<Postgres>) -> (Transaction<'static, Postgres>, u64) {
    let mut transaction = pool.begin().await.unwrap();
    let id = "select pg_current_xact_id()::text::bigint";
    let id: i64 = sqlx::query_scalar(id).fetch_one(&mut *transaction).await.unwrap();
    (transaction, id.cast_unsigned())
}

/// What it says of each id, and what Postgres says.
async fn compare(reading: &mut Transaction<'static, Postgres>, ids: &[u64]) -> Vec<(bool, bool)> {
    let (text, life): (String, i64) =
        sqlx::query_as("select forebay.seen(), life from forebay.about")
            .fetch_one(&mut **reading)
            .await
            .unwrap();
    let seen = Seen::parse(&text).unwrap();
    let system = u64::from_str_radix(text.split('-').next().unwrap(), 16).unwrap();
    let database = Database { system, life: life.cast_unsigned() };
    let mut both = Vec::new();
    for id in ids {
        let visible = "select pg_visible_in_snapshot($1::text::xid8, pg_current_snapshot())";
        let visible = sqlx::query_scalar(visible).bind(id.to_string());
        let visible: bool = visible.fetch_one(&mut **reading).await.unwrap();
        both.push((seen.has(&Commit { database, id: *id, wal: 0, settled: 0 }), visible));
    }
    both
}

async fn repeatable(pool: &Pool<Postgres>) -> Transaction<'static, Postgres> {
    pool.begin_with("begin isolation level repeatable read").await.unwrap()
}

#[tokio::test]
async fn it_is_what_postgres_says() {
    let (_server, pool) = server().await;
    let mut open = Vec::new();
    let mut ids = Vec::new();
    for place in 0..60 {
        let (mut transaction, id) = begin(&pool).await;
        ids.push(id);
        if place % 5 == 0 {
            // A savepoint has an id of its own, which is nobody's in the log.
            let savepoint = "savepoint one; create temporary table t (n int) on commit drop";
            sqlx::raw_sql(savepoint).execute(&mut *transaction).await.unwrap();
        }
        match place % 3 {
            0 => transaction.commit().await.unwrap(),
            1 => transaction.rollback().await.unwrap(),
            _ => open.push(transaction),
        }
    }
    ids.push(ids.last().unwrap() + 1_000);
    let mut reading = repeatable(&pool).await;
    let before = compare(&mut reading, &ids).await;
    assert!(before.iter().all(|(ours, theirs)| ours == theirs), "{before:?}");
    for transaction in open.drain(..) {
        transaction.commit().await.unwrap();
    }
    // The snapshot stays as it was; a new one has it all.
    assert_eq!(compare(&mut reading, &ids).await, before);
    let after = compare(&mut repeatable(&pool).await, &ids).await;
    assert!(after[..60].iter().all(|both| *both == (true, true)), "{after:?}");
}

/// What a transaction writes itself may come behind what its page has read.
#[tokio::test]
async fn what_the_page_writes_itself_counts_as_unseen() {
    let (_server, pool) = server().await;
    let (mut own, id) = begin(&pool).await;
    let (later, _) = begin(&pool).await;
    later.commit().await.unwrap();
    assert_eq!(compare(&mut own, &[id]).await, [(false, true)]);
}

#[tokio::test]
async fn of_very_many_that_run_it_says_less_and_never_too_much() {
    let (_server, pool) = server().await;
    let (mut open, mut ids) = (Vec::new(), Vec::new());
    for place in 0..160 {
        let (transaction, id) = begin(&pool).await;
        ids.push(id);
        if place % 2 == 0 {
            open.push(transaction);
        } else {
            transaction.commit().await.unwrap();
        }
    }
    let both = compare(&mut repeatable(&pool).await, &ids).await;
    assert!(both.iter().all(|(ours, theirs)| !ours || *theirs), "{both:?}");
    let told_apart = both.iter().filter(|(ours, _)| *ours).count();
    assert_eq!(told_apart, 64, "of 80 that were committed: {both:?}");
    drop(open);
}

#[tokio::test]
async fn a_replica_says_where_it_is_before_the_snapshot_and_not_after() {
    let (server, pool) = server().await;
    drop(pool);
    let standby = server.standby(0).unwrap();
    let replica = self::pool(&standby).await;
    let error = sqlx::query_scalar::<_, String>("select forebay.seen()")
        .fetch_one(&mut *repeatable(&replica).await)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("before the data is read"), "{error}");
    let text: String =
        sqlx::query_scalar("select forebay.seen()").fetch_one(&replica).await.unwrap();
    assert!(Seen::parse(&text).unwrap().is_of_replica(), "{text}");
}

/// What does not come through the outbox has a place beside it, too: a page from a replica begins there, and
/// not where the outbox was last used.
#[tokio::test]
async fn a_replicas_place_in_the_log_moves_on_without_the_outbox() {
    let (server, pool) = server().await;
    let standby = server.standby(0).unwrap();
    let replica = self::pool(&standby).await;
    let outbox = Outbox::open(&pool).await.unwrap();
    let forebay = Forebay::builder().secret("a secret for tests").outbox(outbox).build().unwrap();
    let begun = Instant::now();
    for round in 0..3 {
        forebay.broadcast().json_to("others", &round).await.unwrap();
        let published = forebay.position().offset.0;
        loop {
            let turbo = forebay.begin_request(&HeaderMap::new(), None);
            turbo.begin_reading(&replica).await.unwrap().commit().await.unwrap();
            let cursor = turbo.page_cursor().cursor_for(Subject::Channel);
            let offset: u64 = cursor.split('.').nth(1).unwrap().parse().unwrap();
            if offset >= published {
                break;
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "it stays at {offset}");
            tokio::task::yield_now().await;
        }
    }
}

/// Else pages would forget too early what they have seen.
#[tokio::test]
async fn a_reading_of_a_part_says_so() {
    let (_server, pool) = server().await;
    let outbox = Outbox::open(&pool).await.unwrap();
    let mut lead = outbox.lead().await.unwrap().unwrap();
    let broadcast = "select forebay.broadcast('rooms:1', '<p>')";
    for _ in 0..300 {
        sqlx::query(broadcast).execute(&pool).await.unwrap();
    }
    let part = lead.read(&[]).await.unwrap();
    assert!(part.ended_early && part.groups.len() < 300, "{}", part.groups.len());
    let ids = part.groups.iter().flat_map(|group| group.rows.iter().map(|row| row.id));
    let rest = lead.read(&ids.collect::<Vec<_>>()).await.unwrap();
    assert!(!rest.ended_early);
}

#[tokio::test]
async fn a_role_that_only_reads_may_ask() {
    let (_server, pool) = server().await;
    let grants = "create role reader; grant usage on schema forebay to reader; \
                  grant select on forebay.about to reader";
    sqlx::raw_sql(grants).execute(&pool).await.unwrap();
    let mut reading = repeatable(&pool).await;
    sqlx::raw_sql("set local role reader").execute(&mut *reading).await.unwrap();
    let text: String =
        sqlx::query_scalar("select forebay.seen()").fetch_one(&mut *reading).await.unwrap();
    assert!(Seen::parse(&text).is_ok(), "{text}");
}
