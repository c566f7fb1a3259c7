//! How many rows pages lack, and how many they show twice, with each kind of cursor.
//!
//! Writers commit rows that have no ids to a page: what comes twice is shown twice. Pages read the rows in the
//! meantime, at the primary and at a replica, and subscribe. In the end each page is held against the table. The
//! servers, the hub, the outbox and the sessions are real; a page is a poll instead of a browser.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use forebay_core::outbox::Outbox;
use forebay_core::signing::{PageCursor, Subject};
use forebay_core::{Address, Forebay, Reply, Retention, Turbo};
use forebay_rig::{Postgres as Rig, Server as _};
use http_body::Body as _;
use serde_json::{Value, json};
use sqlx::pool::PoolOptions;
use sqlx::{Pool, Postgres};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Readers beside each other.
const READERS: usize = 4;

/// What is measured.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Pages from the primary, and as many from the replica.
    pub(crate) pages: usize,
    /// So many are read while the writers write, and looked at when these have ended.
    pub(crate) pages_each: usize,
    /// How late the replica is, in milliseconds.
    pub(crate) late_ms: u32,
    /// Writers beside each other.
    pub(crate) writers: usize,
}

/// What a kind of cursor came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) pages: usize,
    /// Rows that pages should have shown.
    pub(crate) rows: usize,
    /// Rows that were missing on a page that was not told so.
    pub(crate) lost: usize,
    /// Rows that a page showed twice.
    pub(crate) doubled: usize,
    /// Pages that were told to render themselves again. Their rows are not counted.
    pub(crate) healed: usize,
}

/// From where a page's data is read, and what its cursor is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    PrimaryExact,
    PrimaryPlain,
    ReplicaExact,
    ReplicaPlain,
    /// As if a replica's snapshot listed what runs. Its cursor is old enough for all that it lacks.
    ReplicaNaive,
}

const NAIVE: &str = "select to_hex(system_identifier) || '-' || to_hex(life) || '-0-' || \
    to_hex(pg_snapshot_xmin(seen)::text::bigint) || '-' || \
    to_hex(pg_snapshot_xmax(seen)::text::bigint - pg_snapshot_xmin(seen)::text::bigint) \
    from pg_control_system(), forebay.about, pg_current_snapshot() as seen";

/// Runs it.
pub(crate) async fn run(plan: Plan) -> Result<BTreeMap<Kind, Outcome>, Failure> {
    let primary = Rig::options().configure("fsync = off").start()?;
    let write = pool(&primary).await?;
    sqlx::raw_sql("create table rows (id bigint generated always as identity primary key)")
        .execute(&write)
        .await?;
    Outbox::migrate(&write).await?;
    let standby = primary.standby(plan.late_ms)?;
    let read = pool(&standby).await?;
    let retention = Retention::default().entries_max(100_000).bytes_max(64 << 20);
    let outbox = Outbox::open(&write).await?;
    let builder = Forebay::builder().secret("a secret for this").retention(retention);
    let forebay = builder.outbox(outbox).build()?;
    let bench = Bench { forebay, write, read, plan };
    bench.warm_up().await?;
    let mut outcomes = BTreeMap::new();
    let mut left = plan.pages;
    while left > 0 {
        let pages = left.min(plan.pages_each);
        bench.wave(pages, &mut outcomes).await?;
        left -= pages;
    }
    Ok(outcomes)
}

async fn pool(server: &Rig) -> Result<Pool<Postgres>, Failure> {
    Ok(PoolOptions::new().max_connections(60).connect(&server.url()).await?)
}

struct Bench {
    forebay: Forebay,
    write: Pool<Postgres>,
    read: Pool<Postgres>,
    plan: Plan,
}

/// A page, and what it shows.
struct Page {
    kind: Kind,
    identifier: String,
    /// Where its client says that it stands.
    after: Option<String>,
    /// How often it shows each row.
    shows: HashMap<i64, usize>,
    heals: bool,
}

impl Bench {
    /// Until the replica shows what was committed, and so knows a place in the log.
    async fn warm_up(&self) -> Result<(), Failure> {
        self.write_one(Duration::ZERO).await?;
        loop {
            let shown: i64 =
                sqlx::query_scalar("select count(*) from rows").fetch_one(&self.read).await?;
            if shown > 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn write_one(&self, open: Duration) -> Result<(), Failure> {
        let mut transaction = self.forebay.begin(&self.write).await?;
        let insert = "insert into rows default values returning id";
        let id: i64 = sqlx::query_scalar(insert).fetch_one(&mut *transaction).await?;
        transaction.broadcast().json_to("rows", &id).await?;
        if !open.is_zero() {
            tokio::time::sleep(open).await;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Pages that are read while writers write, and what they show when these have ended.
    async fn wave(
        &self,
        pages: usize,
        outcomes: &mut BTreeMap<Kind, Outcome>,
    ) -> Result<(), Failure> {
        // Older rows are no part of the pages: the replica has them all when the wave begins.
        let floor: i64 = sqlx::query_scalar("select coalesce(max(id), 0) from rows")
            .fetch_one(&self.write)
            .await?;
        self.replica_has(floor).await?;
        let ends = Arc::new(AtomicBool::new(false));
        let writers = async {
            let writers = (0..self.plan.writers).map(|writer| self.writer(writer, &ends));
            all(writers.collect()).await
        };
        let reading = async {
            let read = self.read_pages(floor, pages).await;
            ends.store(true, Ordering::Relaxed);
            read
        };
        let (written, read) = tokio::join!(writers, reading);
        written?;
        let mut read = read?;
        // A commit is over when its broadcasts are in the log.
        let all: Vec<i64> = sqlx::query_scalar("select id from rows where id > $1")
            .bind(floor)
            .fetch_all(&self.write)
            .await?;
        for page in &mut read {
            self.catch_up(page).await?;
            let outcome = outcomes.entry(page.kind).or_default();
            outcome.pages += 1;
            if page.heals {
                outcome.healed += 1;
                continue;
            }
            outcome.rows += all.len();
            outcome.lost += all.iter().filter(|id| !page.shows.contains_key(id)).count();
            outcome.doubled += page.shows.values().filter(|times| **times > 1).count();
        }
        Ok(())
    }

    async fn replica_has(&self, id: i64) -> Result<(), Failure> {
        loop {
            let shown: i64 = sqlx::query_scalar("select coalesce(max(id), 0) from rows")
                .fetch_one(&self.read)
                .await?;
            if shown >= id {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Its transactions are open for 0 to 60 ms, each another time; one writer's for half a second.
    async fn writer(&self, writer: usize, ends: &AtomicBool) -> Result<(), Failure> {
        let mut step = writer as u64;
        while !ends.load(Ordering::Relaxed) {
            step = step
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let open = if writer == 0 { 500 } else { (step >> 33) % 60 };
            self.write_one(Duration::from_millis(open)).await?;
        }
        Ok(())
    }

    /// By some readers beside each other, each a page after the other with a moment between them, so that the
    /// writers get somewhere. Half of them are read later than the replica is late.
    async fn read_pages(&self, floor: i64, pages: usize) -> Result<Vec<Page>, Failure> {
        let early = self.begin();
        let read = Mutex::new(Vec::new());
        let each = pages.div_ceil(READERS);
        let apart = Duration::from_millis(u64::from(self.plan.late_ms) * 2) / u32::try_from(each)?;
        let readers = (0..READERS).map(async |reader| {
            for _ in (reader * each)..pages.min((reader + 1) * each) {
                tokio::time::sleep(apart).await;
                let mut pages = Vec::new();
                self.read_at(None, floor, &mut pages).await?;
                self.read_at(Some(early.page_cursor()), floor, &mut pages).await?;
                read.lock().unwrap_or_else(PoisonError::into_inner).append(&mut pages);
            }
            Ok(())
        });
        all(readers.collect()).await?;
        Ok(read.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn begin(&self) -> Turbo {
        self.forebay.begin_request(&http::HeaderMap::new(), None)
    }

    /// One reading, and a page for each kind of cursor. From the replica with a cursor that is early enough for
    /// all that this lacks.
    async fn read_at(
        &self,
        replica: Option<&PageCursor>,
        floor: i64,
        pages: &mut Vec<Page>,
    ) -> Result<(), Failure> {
        let [exact, plain] = [self.begin(), self.begin()];
        let pool = if replica.is_some() { &self.read } else { &self.write };
        let mut reading = exact.begin_reading(pool).await?;
        let naive: Option<String> = match replica {
            None => None,
            Some(_) => Some(sqlx::query_scalar(NAIVE).fetch_one(&mut *reading).await?),
        };
        // While it renders, others commit.
        tokio::time::sleep(Duration::from_millis(2)).await;
        let rows: Vec<i64> = sqlx::query_scalar("select id from rows where id > $1")
            .bind(floor)
            .fetch_all(&mut *reading)
            .await?;
        reading.commit().await?;
        let name = name(&plain)?;
        let (of_exact, of_plain) = match replica {
            None => (Kind::PrimaryExact, Kind::PrimaryPlain),
            Some(_) => (Kind::ReplicaExact, Kind::ReplicaPlain),
        };
        let mut kinds =
            vec![(of_exact, exact.page_cursor().clone()), (of_plain, plain.page_cursor().clone())];
        if let (Some(early), Some(naive)) = (replica, naive) {
            let cursor = early.clone().with_seen(&naive).ok_or("it is no snapshot")?;
            kinds.push((Kind::ReplicaNaive, cursor));
        }
        for (kind, cursor) in kinds {
            let mut page = Page::new(kind, &name, &cursor, &rows);
            // It subscribes while there is more to come.
            self.poll(&mut page).await?;
            pages.push(page);
        }
        Ok(())
    }

    async fn catch_up(&self, page: &mut Page) -> Result<(), Failure> {
        while !page.heals && self.poll(page).await? {}
        Ok(())
    }

    /// One poll. False if there was nothing.
    async fn poll(&self, page: &mut Page) -> Result<bool, Failure> {
        let mut subscribe = json!({ "command": "subscribe", "identifier": page.identifier });
        if let Some(after) = &page.after {
            (subscribe["after"], subscribe["quiet"]) = (json!(after), json!(true));
        }
        let request =
            http::Request::post("/forebay/poll?wait=0").header("content-type", "application/json");
        let (request, ()) = request.body(())?.into_parts();
        let body = forebay_core::Body::from(json!([subscribe]).to_string());
        let Reply::Answer(answer) = self.forebay.admit(Address::Poll, &request, body).await else {
            return Err("a poll has an answer".into());
        };
        let mut body = answer.into_body();
        let mut bytes = Vec::new();
        while let Some(frame) =
            std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await
        {
            bytes.extend_from_slice(frame?.data_ref().map_or(&[][..], |data| data));
        }
        let messages: Vec<Value> = serde_json::from_slice(&bytes)?;
        let mut came = false;
        for message in &messages {
            page.take(message)?;
            came |= message.get("o").is_some();
        }
        Ok(came)
    }
}

impl Page {
    fn new(kind: Kind, name: &str, cursor: &PageCursor, rows: &[i64]) -> Self {
        let name = format!("{name}.{}", cursor.cursor_for(Subject::Signed(name)));
        let identifier = json!({ "channel": "Turbo::StreamsChannel", "signed_stream_name": name });
        let shows = rows.iter().map(|id| (*id, 1)).collect();
        Self { kind, identifier: identifier.to_string(), after: None, shows, heals: false }
    }

    fn take(&mut self, message: &Value) -> Result<(), Failure> {
        if message["type"] == "reject_subscription" {
            return Err(format!("refused: {message}").into());
        }
        self.heals |= message["resync"] == true || message["type"] == "resync";
        if let Some(at) = message["at"].as_str() {
            self.after = Some(at.to_owned());
        }
        if let (Some(offset), Some(after)) = (message["o"].as_u64(), &self.after) {
            let epoch = after.split('.').next().unwrap_or_default();
            self.after = Some(format!("{epoch}.{offset}"));
        }
        if let Some(id) = message["m"].as_i64() {
            *self.shows.entry(id).or_default() += 1;
        }
        Ok(())
    }
}

/// The stream's signed name, as a tag has it in front of its cursor.
fn name(turbo: &Turbo) -> Result<String, Failure> {
    let tag = turbo.stream_from("rows")?.to_string();
    let name =
        tag.split("signed-stream-name=\"").nth(1).and_then(|rest| rest.split(['.', '"']).next());
    Ok(name.ok_or("a tag has a name")?.to_owned())
}

async fn all<F: Future<Output = Result<(), Failure>>>(futures: Vec<F>) -> Result<(), Failure> {
    let mut running: Vec<_> = futures.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|cx| {
        let mut failed = None;
        running.retain_mut(|future| match future.as_mut().poll(cx) {
            std::task::Poll::Pending => true,
            std::task::Poll::Ready(Ok(())) => false,
            std::task::Poll::Ready(Err(error)) => {
                failed = Some(error);
                false
            }
        });
        match failed {
            Some(error) => std::task::Poll::Ready(Err(error)),
            None if running.is_empty() => std::task::Poll::Ready(Ok(())),
            None => std::task::Poll::Pending,
        }
    })
    .await
}
