//! The order that is documented for Postgres, and that nobody waits for anybody.

use std::time::Duration;

use sqlx::{Pool, Postgres, Row as _};

use crate::postgres::{database, pool, run};
use crate::{all, open};

/// What others do: rows after the last one that was seen.
#[derive(Default)]
struct AfterTheLast {
    last: i64,
    seen: Vec<String>,
}

impl AfterTheLast {
    async fn poll(&mut self, pool: &Pool<Postgres>) {
        let select = "select id, message from copies where id > $1 order by id";
        for row in sqlx::query(select).bind(self.last).fetch_all(pool).await.unwrap() {
            self.last = row.get("id");
            self.seen.push(row.get("message"));
        }
    }
}

/// Transactions that commit in another order than they have drawn their ids in. Whoever reads after the
/// last id loses those that come late; and each one is published while the others are open.
#[tokio::test]
async fn no_row_is_skipped_and_nobody_waits() {
    const WRITERS: usize = 8;
    let pool = pool(&database()).await;
    // A copy of each row, for the poller that is known to be bad: the relay deletes its own.
    run(
        &pool,
        "create table copies (id bigint, message text); \
         create function copy() returns trigger language plpgsql as $$ begin \
           insert into copies values (new.id, new.message); return null; end $$; \
         create trigger copy after insert on forebay.outbox for each row execute function copy()",
    )
    .await;
    let forebay = open(&pool).await;
    let mut bad = AfterTheLast::default();
    let mut open = Vec::new();
    for n in 0..WRITERS {
        let mut transaction = forebay.begin(&pool).await.unwrap();
        // As a trigger does, in the middle of the transaction.
        let call = "select forebay.broadcast_json('rows', to_json($1::bigint))";
        let n = i64::try_from(n).unwrap();
        sqlx::query(call).bind(n).execute(&mut *transaction).await.unwrap();
        transaction.broadcast().json_to("rows", &(n + 100)).await.unwrap();
        open.push(transaction);
    }
    let mut expected = Vec::new();
    for n in (0..WRITERS).rev() {
        tokio::time::timeout(Duration::from_secs(30), open.pop().unwrap().commit())
            .await
            .expect("nobody waits for those that are open")
            .unwrap();
        bad.poll(&pool).await;
        expected.extend([n.to_string(), (n + 100).to_string()]);
        assert_eq!(all(&forebay, "rows"), expected, "a transaction's rows are together");
    }
    assert!(
        bad.seen.len() < expected.len(),
        "a poller after the last id loses rows: {:?}",
        bad.seen
    );
}

/// Of two that are read together, the one that saw the other comes later, though it has drawn an id before.
#[tokio::test]
async fn who_saw_the_other_comes_later() {
    let pool = pool(&database()).await;
    let mut seer = pool.begin().await.unwrap();
    let broadcast = "select forebay.broadcast_json('rows', to_json($1::text))";
    sqlx::query(broadcast).bind("seer 1").execute(&mut *seer).await.unwrap();
    run(
        &pool,
        "insert into rows default values; select forebay.broadcast_json('rows', '\"seen\"')",
    )
    .await;
    let rows: i64 =
        sqlx::query_scalar("select count(*) from rows").fetch_one(&mut *seer).await.unwrap();
    assert_eq!(rows, 1);
    sqlx::query(broadcast).bind("seer 2").execute(&mut *seer).await.unwrap();
    seer.commit().await.unwrap();
    let forebay = open(&pool).await;
    forebay.shut_down(Duration::ZERO).await;
    assert_eq!(all(&forebay, "rows"), ["\"seen\"", "\"seer 1\"", "\"seer 2\""]);
}

/// Each sees the counter that the one before has left.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_depends_on_each_other_stays_in_order() {
    let pool = pool(&database()).await;
    run(&pool, "create table counter as select 0 as n").await;
    let forebay = open(&pool).await;
    let writers = (0..8).map(|_| {
        let (forebay, pool) = (forebay.clone(), pool.clone());
        tokio::spawn(async move {
            for _ in 0..25 {
                let mut transaction = forebay.begin(&pool).await.unwrap();
                let next = "update counter set n = n + 1 returning n";
                let n: i32 = sqlx::query_scalar(next).fetch_one(&mut *transaction).await.unwrap();
                transaction.broadcast().json_to("counter", &n).await.unwrap();
                transaction.commit().await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    forebay.shut_down(Duration::ZERO).await;
    let expected: Vec<_> = (1..=200).map(|n: u32| n.to_string()).collect();
    assert_eq!(all(&forebay, "counter"), expected);
}
