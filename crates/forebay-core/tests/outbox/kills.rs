//! A process that is killed between any two statements: what is in the database is in the log, once and in
//! order, and nothing else is.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use forebay_core::outbox::{Database, Outbox};
use forebay_core::{Forebay, Fsync, Retention};
use sqlx::Pool;
use tracing::span;

use crate::{SECRET, all, postgres, sqlite};

/// Where the child has its database and its log, and before which event it is killed.
const FOLDER: &str = "FOREBAY_TEST_FOLDER";
const DATABASE: &str = "FOREBAY_TEST_DATABASE";
const KILLED_AT: &str = "FOREBAY_TEST_KILLED_AT";

/// Kills the process at an event. Each statement is one, and so is each step of a commit and of the relay.
struct Killer {
    at: usize,
    seen: AtomicUsize,
}

impl tracing::Subscriber for Killer {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        ["sqlx", "forebay_core"].iter().any(|of| metadata.target().starts_with(of))
    }

    fn event(&self, _: &tracing::Event<'_>) {
        if self.seen.fetch_add(1, Ordering::Relaxed) == self.at {
            let own = rustix::process::getpid();
            rustix::process::kill_process(own, rustix::process::Signal::KILL).unwrap();
        }
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

async fn open<DB: Database>(pool: &Pool<DB>, folder: &Path) -> Forebay {
    let outbox = Outbox::open(pool).await.unwrap();
    let retention = Retention::default().entries_max(100_000);
    let builder = Forebay::builder().secret(SECRET).retention(retention);
    builder.file_log(folder.join("log"), Fsync::Os).outbox(outbox).build().unwrap()
}

/// What the child does, and what is then looked at. sqlx has no one type for both databases.
macro_rules! on {
    ($pool:expr, $write:ident, $check:ident) => {
        async fn $write(folder: &Path, database: &str) {
            let pool = $pool(database).await;
            let forebay = open(&pool, folder).await;
            for _ in 0..3 {
                let mut transaction = forebay.begin(&pool).await.unwrap();
                for _ in 0..2 {
                    let insert = "insert into rows default values returning n";
                    let n: i64 =
                        sqlx::query_scalar(insert).fetch_one(&mut *transaction).await.unwrap();
                    transaction.broadcast().json_to("rows", &n).await.unwrap();
                }
                transaction.commit().await.unwrap();
            }
            forebay.shut_down(Duration::ZERO).await;
        }

        /// A process that starts sends what is there, and has all of it.
        async fn $check(folder: &Path, database: &str) {
            let pool = $pool(database).await;
            let forebay = open(&pool, folder).await;
            forebay.shut_down(Duration::ZERO).await;
            let rows = sqlx::query_scalar("select n from rows order by n").fetch_all(&pool);
            let rows: Vec<i64> = rows.await.unwrap();
            let rows: Vec<_> = rows.iter().map(i64::to_string).collect();
            assert_eq!(all(&forebay, "rows"), rows);
            pool.close().await;
        }
    };
}

on!(postgres::pool, write_postgres, check_postgres);
on!(sqlite::pool_at, write_sqlite, check_sqlite);

/// The child: it writes, until it is killed.
#[test]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let at = std::env::var(KILLED_AT).unwrap().parse().unwrap();
    let (folder, database) = (PathBuf::from(folder), std::env::var(DATABASE).unwrap());
    tracing::subscriber::set_global_default(Killer { at, seen: AtomicUsize::new(0) }).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if database.starts_with("postgres:") {
        runtime.block_on(write_postgres(&folder, &database));
    } else {
        runtime.block_on(write_sqlite(&folder, &database));
    }
}

/// Whether it came to its end.
fn run_child(folder: &Path, database: &str, killed_at: usize) -> bool {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kills::child", "--nocapture"])
        .env(FOLDER, folder)
        .env(DATABASE, database)
        .env(KILLED_AT, killed_at.to_string())
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() || child.status.signal() == Some(9), "{complaint}");
    child.status.success()
}

/// Kills children at one event after the other, until one comes to its end.
async fn kill_everywhere(folder: &Path, database: &str, check: impl AsyncFn(&Path, &str)) {
    let mut killed_at = 0;
    while !run_child(folder, database, killed_at) {
        // What some leave is found by another child, which is killed over it.
        if killed_at % 4 == 0 {
            check(folder, database).await;
        }
        killed_at += 1;
    }
    check(folder, database).await;
    assert!(killed_at > 30, "it was killed at {killed_at} places only");
}

#[tokio::test]
async fn nothing_is_lost_or_sent_twice_wherever_it_is_killed_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("rows").display().to_string();
    kill_everywhere(folder.path(), &database, check_sqlite).await;
}

#[tokio::test]
async fn nothing_is_lost_or_sent_twice_wherever_it_is_killed_on_postgres() {
    let folder = tempfile::tempdir().unwrap();
    kill_everywhere(folder.path(), &postgres::database(), check_postgres).await;
}
