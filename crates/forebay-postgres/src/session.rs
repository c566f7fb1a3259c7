//! What is asked over a connection.

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use forebay_log::{Epoch, Offset};
use forebay_shared::{Bounds, Cell, Expected, Failure, Group, Session, Space, Stored};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, timeout};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use crate::Postgres;
use crate::connect::Driver;
use crate::failure::failure;

/// How long an answer takes at most. The server gives a statement up a second earlier.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// How long a reader waits for a group before it looks by itself: a notification may be lost.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// How often a node trims. At 4096 groups each, it keeps up with more groups than one lock lets in.
const TRIM: Duration = Duration::from_secs(1);
const TRIM_GROUPS: i32 = 4_096;

/// Nodes and names whose groups are trimmed that are still known: as many as any store remembers. A node is one
/// life of a process, and tries a group again for seconds.
const TAKEN_MAX: i32 = 10_000;

/// How often cells that have expired are deleted. They count as empty before.
const EXPIRE: Duration = Duration::from_mins(1);

/// Read at once: 256 KiB, and the group that goes past it, of half a MiB at most.
const READ: &str = "select s.floor, g.ended, g.node, g.number, g.epoch, g.offsets, g.body \
    from forebay.log_state s left join lateral ( \
      select * from ( \
        select n.*, sum(octet_length(n.body)) over (order by n.ended) - octet_length(n.body) as before \
        from (select * from forebay.log_groups where ended > $1 order by ended limit 256) n \
      ) b where b.before < 262144 \
    ) g on true order by g.ended";

const BOUNDS: &str = "select s.floor, coalesce( \
      (select g.ended from forebay.log_groups g order by g.ended desc limit 1), s.floor) \
    from forebay.log_state s";

/// The server's own number, its timeline, which changes when a standby takes over, and the table's file, which is
/// another where a table was restored or emptied. Without fsync nobody knows after a start what is left.
const HISTORY: &str = "select (select system_identifier from pg_control_system()) || ' ' || \
      left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) || ' ' || \
      'forebay.log_groups'::regclass::oid || ' ' || pg_relation_filenode('forebay.log_groups') || \
      case current_setting('fsync') when 'off' then ' ' || pg_postmaster_start_time()::text else '' end";

const GET: &str = "select key, value, version from forebay.log_cells where space = $1 and key = $2 \
    and (space <> 2 or set_at >= now() - interval '10 minutes')";

/// A connection to Postgres.
pub struct Connection {
    client: Client,
    _driver: Driver,
    notifications: Mutex<watch::Receiver<()>>,
    is_listening: AtomicBool,
    /// When it has trimmed, and when it has deleted what has expired.
    tidied: parking_lot::Mutex<[Instant; 2]>,
    channel: String,
    keep_secs: f64,
    keep_bytes: i64,
    statements: Statements,
}

struct Statements {
    history: Statement,
    bounds: Statement,
    append: Statement,
    notify: Statement,
    read: Statement,
    get: Statement,
    list: Statement,
    set: Statement,
    trim: Statement,
    expire: Statement,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl Connection {
    pub(crate) async fn new(
        options: &Postgres,
        client: Client,
        driver: Driver,
        notifications: watch::Receiver<()>,
    ) -> Result<Self, Failure> {
        let channel = format!("{}_log", options.settings.name);
        let prepare = async |statement: &str| {
            client.prepare(&options.sql(statement)).await.map_err(|error| failure(&error))
        };
        let statements = Statements {
            history: prepare(HISTORY).await?,
            bounds: prepare(BOUNDS).await?,
            append: prepare("select forebay.log_append($1, $2, $3, $4, $5, $6, $7, $8)").await?,
            notify: prepare("select pg_notify($1, '')").await?,
            read: prepare(READ).await?,
            get: prepare(GET).await?,
            list: prepare("select key, value, version from forebay.log_cells where space = $1").await?,
            set: prepare("select forebay.log_set($1, $2, $3, $4)").await?,
            trim: prepare("select forebay.log_trim(make_interval(secs => $1), $2, $3, $4)").await?,
            expire: prepare(
                "delete from forebay.log_cells where space = 2 and set_at < now() - interval '10 minutes'",
            )
            .await?,
        };
        Ok(Self {
            client,
            _driver: driver,
            notifications: Mutex::new(notifications),
            is_listening: AtomicBool::new(false),
            tidied: parking_lot::Mutex::new([Instant::now(); 2]),
            channel,
            keep_secs: options.settings.keep.as_secs_f64(),
            keep_bytes: i64::try_from(options.settings.keep_bytes).unwrap_or(i64::MAX),
            statements,
        })
    }

    async fn query(
        &self,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        let answer = timeout(ANSWER_MAX, self.client.query(statement, parameters)).await;
        let answer = answer.map_err(|_| Failure::Lost("it does not answer".to_owned()))?;
        answer.map_err(|error| failure(&error))
    }

    /// The first row. Each of our functions and questions gives one.
    async fn one(
        &self,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, Failure> {
        let row = self.query(statement, parameters).await?.into_iter().next();
        row.ok_or_else(|| {
            Failure::Refused("the row of log_state is gone: is it Forebay's?".to_owned())
        })
    }

    /// Any node trims, when its time has come. That it can't is no reason not to read.
    async fn tidy(&self) {
        if self.is_due(0, TRIM) {
            let trim = &self.statements.trim;
            let parameters: [&(dyn ToSql + Sync); 4] =
                [&self.keep_secs, &self.keep_bytes, &TRIM_GROUPS, &TAKEN_MAX];
            self.tell(self.query(trim, &parameters).await);
        }
        if self.is_due(1, EXPIRE) {
            self.tell(self.query(&self.statements.expire, &[]).await);
        }
    }

    /// Whether it is time for the nth of both, which begins anew then.
    fn is_due(&self, n: usize, after: Duration) -> bool {
        let mut tidied = self.tidied.lock();
        let is_due = tidied[n].elapsed() >= after;
        if is_due {
            tidied[n] = Instant::now();
        }
        is_due
    }

    fn tell(&self, tidied: Result<Vec<Row>, Failure>) {
        if let Err(failure) = tidied {
            tracing::warn!(log = self.channel, %failure, "the log can't be trimmed now");
        }
    }

    async fn listen(&self) -> Result<(), Failure> {
        let listen = self.client.batch_execute(&format!("listen {}", self.channel)).await;
        listen.map_err(|error| failure(&error))?;
        self.is_listening.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn read_now(&self, after: Offset) -> Result<Vec<Stored>, Failure> {
        let after = signed(after.0);
        let rows = self.query(&self.statements.read, &[&after]).await?;
        if rows.first().is_none_or(|row| row.get::<_, i64>(0) > after) {
            return Err(Failure::Trimmed);
        }
        Ok(rows.iter().filter_map(stored).collect())
    }
}

impl Session for Connection {
    async fn history(&self) -> Result<String, Failure> {
        Ok(self.one(&self.statements.history, &[]).await?.get(0))
    }

    async fn bounds(&self) -> Result<Bounds, Failure> {
        let row = self.one(&self.statements.bounds, &[]).await?;
        self.tidy().await;
        let offset = |n| Offset(row.get::<_, i64>(n).cast_unsigned());
        Ok(Bounds { trimmed: offset(0), head: offset(1) })
    }

    async fn append(&self, group: &Group) -> Result<Offset, Failure> {
        let begins = format!("{{\"epoch\":\"{}\"", group.epoch.0).into_bytes();
        let offsets = i32::try_from(group.offsets).unwrap_or(i32::MAX);
        let (node, number) = (signed(group.node), signed(group.number));
        let epoch = signed(group.epoch.0);
        let (name, body) = (group.name.as_deref(), &*group.body);
        let parameters: [&(dyn ToSql + Sync); 8] =
            [&node, &number, &epoch, &begins, &name, &group.is_mark, &offsets, &body];
        // Notifying is a transaction of its own, which waits for no disk: Postgres lets one notifying
        // transaction commit at a time, those of the application, too. Lost, it is healed by the next look.
        let channel: [&(dyn ToSql + Sync); 1] = [&self.channel];
        let mut append = pin!(self.one(&self.statements.append, &parameters));
        let notify = self.query(&self.statements.notify, &channel);
        // Both are sent at once, in this order. What counts is the first one's commit: nobody waits for the second.
        let appended = tokio::select! {
            biased;
            appended = &mut append => appended,
            _ = notify => append.await,
        };
        let ended: Option<i64> = appended?.get(0);
        ended.map(|ended| Offset(ended.cast_unsigned())).ok_or(Failure::OtherEpoch)
    }

    async fn read(&self, after: Offset) -> Result<Vec<Stored>, Failure> {
        if !self.is_listening.load(Ordering::Relaxed) {
            let listening = timeout(ANSWER_MAX, self.listen()).await;
            listening.map_err(|_| Failure::Lost("it does not answer".to_owned()))??;
        }
        let mut notifications = self.notifications.lock().await;
        // What comes from here on wakes.
        notifications.borrow_and_update();
        let groups = self.read_now(after).await?;
        if !groups.is_empty() {
            return Ok(groups);
        }
        match timeout(WAIT_MAX, notifications.changed()).await {
            Ok(Err(_)) => Err(Failure::Lost("the connection has ended".to_owned())),
            Ok(Ok(())) | Err(_) => self.read_now(after).await,
        }
    }

    async fn get(&self, space: Space, key: &str) -> Result<Option<Cell>, Failure> {
        let rows = self.query(&self.statements.get, &[&number(space), &key]).await?;
        Ok(rows.first().map(|row| cell(row).1))
    }

    async fn set(
        &self,
        space: Space,
        key: &str,
        value: Option<Vec<u8>>,
        expected: Expected,
    ) -> Result<bool, Failure> {
        let expected = match expected {
            Expected::Any => None,
            Expected::Nothing => Some(0),
            Expected::Version(version) => Some(signed(version)),
        };
        let row =
            self.one(&self.statements.set, &[&number(space), &key, &value, &expected]).await?;
        Ok(row.get(0))
    }

    async fn list(&self, space: Space) -> Result<Vec<(String, Cell)>, Failure> {
        let rows = self.query(&self.statements.list, &[&number(space)]).await?;
        Ok(rows.iter().map(cell).collect())
    }
}

/// `None` for the row that only says where the log begins.
fn stored(row: &Row) -> Option<Stored> {
    let unsigned = |n: usize| row.get::<_, i64>(n).cast_unsigned();
    let ended: i64 = row.get::<_, Option<i64>>(1)?;
    Some(Stored {
        end: Offset(ended.cast_unsigned()),
        node: unsigned(2),
        number: unsigned(3),
        epoch: Epoch(unsigned(4)),
        offsets: row.get::<_, i32>(5).cast_unsigned(),
        body: Bytes::copy_from_slice(row.get(6)),
    })
}

fn cell(row: &Row) -> (String, Cell) {
    let version = row.get::<_, i64>(2).cast_unsigned();
    (row.get(0), Cell { value: row.get(1), version })
}

fn number(space: Space) -> i16 {
    match space {
        Space::Lasting => 0,
        Space::Revoked => 1,
        Space::Passing => 2,
    }
}

/// Postgres has no unsigned numbers. Of random ones half come as negative; offsets and versions don't.
fn signed(number: u64) -> i64 {
    number.cast_signed()
}
