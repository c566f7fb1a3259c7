//! A process that is killed between any two statements: what is in the database is in the log, once and in
//! order, and nothing else is.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use forebay_core::outbox::Outbox;
use forebay_core::{Forebay, Fsync, Retention};
use sqlx::{Pool, Sqlite};
use tracing::span;

use crate::{SECRET, all, sqlite};

/// Where the child has its database and its log, and before which event it is killed.
const FOLDER: &str = "FOREBAY_TEST_FOLDER";
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

async fn open(pool: &Pool<Sqlite>, folder: &Path) -> Forebay {
    let outbox = Outbox::open(pool).await.unwrap();
    let retention = Retention::default().entries_max(100_000);
    let builder = Forebay::builder().secret(SECRET).retention(retention);
    builder.file_log(folder.join("log"), Fsync::Os).outbox(outbox).build().unwrap()
}

/// The child: it writes, until it is killed.
#[test]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let at = std::env::var(KILLED_AT).unwrap().parse().unwrap();
    let folder = PathBuf::from(folder);
    tracing::subscriber::set_global_default(Killer { at, seen: AtomicUsize::new(0) }).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pool = sqlite::pool(&folder.join("rows")).await;
        let forebay = open(&pool, &folder).await;
        for _ in 0..3 {
            let mut transaction = forebay.begin(&pool).await.unwrap();
            for _ in 0..2 {
                let insert = "insert into rows (n) values (null) returning n";
                let n: i64 = sqlx::query_scalar(insert).fetch_one(&mut *transaction).await.unwrap();
                transaction.broadcast().json_to("rows", &n).await.unwrap();
            }
            transaction.commit().await.unwrap();
        }
        forebay.shut_down(Duration::ZERO).await;
    });
}

fn run_child(folder: &Path, killed_at: usize) -> ExitStatus {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kills::child", "--nocapture"])
        .env(FOLDER, folder)
        .env(KILLED_AT, killed_at.to_string())
        .output()
        .unwrap();
    assert!(
        child.status.success()
            || std::os::unix::process::ExitStatusExt::signal(&child.status) == Some(9),
        "{}",
        String::from_utf8_lossy(&child.stderr)
    );
    child.status
}

/// A process that starts sends what is there, and has all of it.
async fn check(folder: &Path) {
    let pool = sqlite::pool(&folder.join("rows")).await;
    let forebay = open(&pool, folder).await;
    forebay.shut_down(Duration::ZERO).await;
    let rows: Vec<i64> =
        sqlx::query_scalar("select n from rows order by n").fetch_all(&pool).await.unwrap();
    let rows: Vec<_> = rows.iter().map(i64::to_string).collect();
    assert_eq!(all(&forebay, "rows"), rows);
    pool.close().await;
}

#[tokio::test]
async fn nothing_is_lost_or_sent_twice_wherever_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut killed_at = 0;
    while !run_child(folder.path(), killed_at).success() {
        // What some leave is found by another child, which is killed over it.
        if killed_at % 4 == 0 {
            check(folder.path()).await;
        }
        killed_at += 1;
    }
    check(folder.path()).await;
    assert!(killed_at > 30, "it was killed at {killed_at} places only");
}
