//! What the outbox costs, on a real Postgres and on SQLite in a file, both with their syncs.
//!
//! `cargo run --release --package forebay-core --all-features --example outbox_cost`
//!
//! Latency: from `commit` until the log has the broadcast, and so its readers are woken. Writers: 64 of them with
//! transactions of 100 ms, from the last statement to the commit's end, beside the same with a plain insert.

use std::time::{Duration, Instant};

use forebay::Forebay;
use forebay::outbox::Outbox;
use forebay_core as forebay;
use forebay_rig::{Postgres as Rig, Server as _};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{Pool, Postgres};
use tokio::time::sleep;

const COMMITS: usize = 500;
const WRITERS: usize = 64;
const TRANSACTIONS: usize = 40;
const ROUNDS: usize = 3;
const LONG: Duration = Duration::from_millis(100);

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// One commit after the other, each with a row: without the outbox, and with it, by turns. sqlx has no one type for
/// both databases.
macro_rules! latencies {
    ($pool:expr) => {{
        let pool = $pool;
        Outbox::migrate(pool).await?;
        sqlx::raw_sql("create table rows (n integer)").execute(pool).await?;
        let forebay = open(Outbox::open(pool).await?)?;
        let (mut direct, mut outbox) = (Vec::new(), Vec::new());
        for n in 0..COMMITS {
            for (is_direct, times) in [(true, &mut direct), (false, &mut outbox)] {
                let mut transaction = if is_direct {
                    forebay.begin_without_outbox(pool).await?
                } else {
                    forebay.begin(pool).await?
                };
                let insert = sqlx::query("insert into rows values (1)");
                insert.execute(&mut *transaction).await?;
                transaction.broadcast().json_to("rows", &n).await?;
                let begun = Instant::now();
                transaction.commit().await?;
                times.push(begun.elapsed());
            }
        }
        forebay.shut_down(Duration::ZERO).await;
        [direct, outbox]
    }};
}

#[tokio::main]
async fn main() -> Result<()> {
    let server = Rig::options().start()?;
    let options = sqlx::pool::PoolOptions::<Postgres>::new().max_connections(100);
    let postgres = options.min_connections(70).connect(&server.url()).await?;
    let folder = tempfile::tempdir()?;
    let file = SqliteConnectOptions::new().filename(folder.path().join("rows"));
    let file = file.create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
    let sqlite = Pool::<sqlx::Sqlite>::connect_with(file).await?;
    for (name, [direct, outbox]) in
        [("Postgres", latencies!(&postgres)), ("SQLite", latencies!(&sqlite))]
    {
        say(&format!("{name}, commit to log"), "direct", direct);
        say(&format!("{name}, commit to log"), "outbox", outbox);
    }
    sqlx::raw_sql("create table plain (key text, stream text, message text)")
        .execute(&postgres)
        .await?;
    for _ in 0..ROUNDS {
        say("64 writers, commit", "plain insert", writers(&postgres, None).await?);
        let relay = open(Outbox::open(&postgres).await?)?;
        let writer = open(Outbox::open_to_write(&postgres).await?)?;
        say("64 writers, commit", "outbox", writers(&postgres, Some(&writer)).await?);
        relay.shut_down(Duration::ZERO).await;
    }
    Ok(())
}

fn open(outbox: Outbox) -> Result<Forebay> {
    Ok(Forebay::builder().secret("a secret for this measurement").outbox(outbox).build()?)
}

/// How long it takes each to insert its last row and to commit.
async fn writers(pool: &Pool<Postgres>, forebay: Option<&Forebay>) -> Result<Vec<Duration>> {
    let tasks: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (pool, forebay) = (pool.clone(), forebay.cloned());
            tokio::spawn(async move {
                let mut times = Vec::new();
                for _ in 0..TRANSACTIONS {
                    times.push(write(&pool, forebay.as_ref()).await?);
                }
                Result::Ok(times)
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await??);
    }
    Ok(all)
}

async fn write(pool: &Pool<Postgres>, forebay: Option<&Forebay>) -> Result<Duration> {
    const INSERT: &str =
        "insert into plain values ('0123456789abcdef0123456789abcdef', 'rows', $1)";
    let message = "x".repeat(300);
    if let Some(forebay) = forebay {
        let mut transaction = forebay.begin(pool).await?;
        sqlx::query(INSERT).bind(&message).execute(&mut *transaction).await?;
        sleep(LONG).await;
        transaction.broadcast().json_to("rows", &message).await?;
        let begun = Instant::now();
        transaction.commit().await?;
        return Ok(begun.elapsed());
    }
    let mut transaction = pool.begin().await?;
    sqlx::query(INSERT).bind(&message).execute(&mut *transaction).await?;
    sleep(LONG).await;
    let begun = Instant::now();
    sqlx::query(INSERT).bind(&message).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(begun.elapsed())
}

#[expect(clippy::print_stdout, reason = "what it is for")]
fn say(what: &str, how: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_micros();
    println!("{what:28} {how:12} p50 {:6} µs   p95 {:6} µs   p99 {:6} µs", at(50), at(95), at(99));
}
