//! Several nodes with one log and one database: one relays for all.

use std::sync::Arc;
use std::time::Duration;

use forebay_core::outbox::Outbox;
use forebay_core::{Epoch, Forebay};
use forebay_store_tests::Memory;
use sqlx::{Pool, Postgres};

use crate::postgres::{database, pool};
use crate::{SECRET, all, until};

async fn node(log: &Memory, pool: &Pool<Postgres>) -> Forebay {
    let outbox = Outbox::open(pool).await.unwrap();
    let builder = Forebay::builder().secret(SECRET).outbox(outbox);
    builder.follow(Arc::new(log.clone())).await.unwrap()
}

async fn commit(node: &Forebay, pool: &Pool<Postgres>, n: u32) {
    let transaction = node.begin(pool).await.unwrap();
    transaction.broadcast().json_to("rows", &n).await.unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn one_node_relays_what_all_commit_and_another_takes_over() {
    let pool = pool(&database()).await;
    let log = Memory::new(Epoch(1), 1_000);
    let leader = node(&log, &pool).await;
    let other = node(&log, &pool).await;
    commit(&leader, &pool, 1).await;
    assert_eq!(all(&other, "rows"), ["1"]);

    // Committed here, and published there, as soon as it is announced.
    commit(&other, &pool, 2).await;
    until("the leader relays it", || all(&other, "rows").len() == 2).await;

    leader.shut_down(Duration::ZERO).await;
    commit(&other, &pool, 3).await;
    until("the other one has taken over", || all(&other, "rows").len() == 3).await;
    // From here on its commits wait until they are published.
    commit(&other, &pool, 4).await;
    assert_eq!(all(&other, "rows"), ["1", "2", "3", "4"]);
    assert_eq!(all(&leader, "rows"), ["1", "2", "3", "4"]);
}
