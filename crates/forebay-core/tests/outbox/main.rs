//! Broadcasts that are written into the application's database, with the database itself.

#![cfg(all(feature = "outbox-sqlite", feature = "outbox-postgres"))]
#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

mod guide;
mod kills;
mod nodes;
mod order;
mod postgres;
mod sqlite;

use std::time::{Duration, Instant};

use forebay_core::outbox::{Database, Outbox};
use forebay_core::{Forebay, Offset, Position, Retention, Streamable};
use sqlx::Pool;

const SECRET: &str = "a secret for tests";

/// What a log has of a stream, from its beginning: JSON texts.
fn all(forebay: &Forebay, stream: impl Streamable) -> Vec<String> {
    let beginning = Position { offset: Offset(0), ..forebay.position() };
    let entries = forebay.replay(stream, beginning).unwrap();
    entries.iter().map(|entry| entry.json().to_owned()).collect()
}

async fn open<DB: Database>(pool: &Pool<DB>) -> Forebay {
    let outbox = Outbox::open(pool).await.unwrap();
    let retention = Retention::default().entries_max(10_000);
    Forebay::builder().secret(SECRET).retention(retention).outbox(outbox).build().unwrap()
}

/// For what other processes do, and this one is not told when.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never comes to this: {what}");
        tokio::task::yield_now().await;
    }
}
