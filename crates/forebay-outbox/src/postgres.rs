//! Postgres: transactions run beside each other, and whoever leads puts their rows in order.
//!
//! Sequence numbers are not the order of commits: a row with a smaller id may commit later. So all rows that
//! are there are read, in one snapshot. If it shows a transaction, it also shows every transaction that this
//! one saw, and those have drawn their last id before: sorted by their last ids they come first.
//!
//! Who relays is said by an advisory lock on a connection of its own, which ends with the connection. Writers
//! take no lock. `NOTIFY` takes one at the commit, so writers in Rust don't say it: their process does, after
//! the commit, where another one relays.

use std::any::Any;
use std::sync::Arc;

use forebay_log::Database;
use sqlx::postgres::{PgConnectOptions, PgListener, PgRow};
use sqlx::{Connection as _, Error, PgConnection, Pool, Postgres, Row as _};
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;

use crate::error::{OutboxError, WriteError};
use crate::outbox::sealed::{Opened, Stored};
use crate::row::{Columns, Draft, Moment, Reading, Row};
use crate::table::{
    BYTES_AT_ONCE, Leading, Numbered, Pending, REFUSED_MAX, ROWS_AT_ONCE, Table, Term, group,
};

/// The version of the schema that this code knows.
const VERSION: i32 = 1;

/// The oldest server: 14 is the first with `create or replace trigger`.
const SERVER_MIN: i32 = 14_00_00;

const FILE: &str = "migrations/postgres/20261130000001_forebay_outbox.sql";
pub(crate) const MIGRATION: &str =
    include_str!("../migrations/postgres/20261130000001_forebay_outbox.sql");

/// The advisory lock's number: "forebay" in ASCII.
const LOCK: i64 = 0x66_6f72_6562_6179;

const CHANNEL: &str = "forebay_outbox";

const WAL_END: &str = "select (pg_current_wal_insert_lsn() - '0/0')::bigint";

/// Transactions that are read at once.
const TRANSACTIONS_AT_ONCE: i64 = 256;

/// The server ends a session that is not heard of for about 15 seconds, so that another one can relay.
const SESSION: &str = "set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 2; \
     set tcp_keepalives_count = 5; set tcp_user_timeout = 15000; set synchronous_commit = on; \
     set forebay.relay = 'on'; \
     set application_name = 'forebay relay'";

struct PgTable {
    pool: Pool<Postgres>,
    /// How the relay reaches the server, past any pooler.
    direct: PgConnectOptions,
    /// The pool reaches it through a pooler, where a prepared statement may be another client's.
    is_pooled: bool,
    id: String,
    /// Asks whether it may lead, while another process does.
    standby: Mutex<Option<PgConnection>>,
}

struct PgLead {
    connection: PgConnection,
    term: Term,
    database: Database,
    /// Hears of rows that others have announced.
    told: Arc<Notify>,
    listens: JoinHandle<()>,
}

impl std::fmt::Debug for PgTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PgTable").field("id", &self.id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for PgLead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PgLead").field("term", &self.term).finish_non_exhaustive()
    }
}

impl Drop for PgLead {
    fn drop(&mut self) {
        self.listens.abort();
    }
}

impl Stored for Postgres {
    fn migrate(pool: &Pool<Self>) -> Pending<'_, Result<(), OutboxError>> {
        Box::pin(async move {
            let mut connection = pool.acquire().await?;
            match about(&mut connection).await {
                Err(OutboxError::Missing { .. }) => {}
                about => return about.map(drop),
            }
            let mut transaction = connection.begin().await?;
            // Two processes that start together create it once.
            sqlx::query("select pg_advisory_xact_lock($1)")
                .bind(LOCK + 1)
                .execute(&mut *transaction)
                .await?;
            sqlx::raw_sql(MIGRATION).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(())
        })
    }

    fn open(pool: &Pool<Self>) -> Pending<'_, Result<Opened, OutboxError>> {
        Box::pin(open(pool, (*pool.connect_options()).clone(), false))
    }
}

/// With a relay that reaches the server past any pooler.
pub(crate) fn open_over(
    pool: &Pool<Postgres>,
    direct: PgConnectOptions,
) -> Pending<'_, Result<Opened, OutboxError>> {
    Box::pin(open(pool, direct, true))
}

async fn open(
    pool: &Pool<Postgres>,
    direct: PgConnectOptions,
    is_pooled: bool,
) -> Result<Opened, OutboxError> {
    let id = about(&mut *pool.acquire().await?).await?;
    Ok(Opened(Arc::new(PgTable {
        pool: pool.clone(),
        direct,
        is_pooled,
        id,
        standby: Mutex::default(),
    })))
}

/// The outbox's id, if it is there and of this version, on a server that it can be on.
async fn about(connection: &mut PgConnection) -> Result<String, OutboxError> {
    let server = "select current_setting('server_version_num')::int, current_setting('server_version'), \
                  current_setting('server_encoding'), pg_is_in_recovery(), \
                  to_regclass('forebay.about') is not null";
    // In the simple protocol: a pooler may give each message of the other one to another session.
    let row = sqlx::raw_sql(server).fetch_one(&mut *connection).await.map_err(rights)?;
    let (number, version): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
    let (encoding, is_standby): (String, bool) = (row.try_get(2)?, row.try_get(3)?);
    let exists: bool = row.try_get(4)?;
    if number < SERVER_MIN {
        return Err(OutboxError::OldServer(version));
    }
    if encoding != "UTF8" {
        return Err(OutboxError::Encoding(encoding));
    }
    if is_standby {
        return Err(OutboxError::Standby);
    }
    if !exists {
        return Err(OutboxError::Missing { file: FILE });
    }
    let about = "select version, id from forebay.about";
    let row = sqlx::raw_sql(about).fetch_one(connection).await.map_err(rights)?;
    let (found, id): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
    if found != VERSION {
        let mend = "take the newer Forebay, which made it";
        let (found, known) = (found.into(), VERSION.into());
        return Err(OutboxError::Version { found, known, mend });
    }
    Ok(id)
}

impl Table for PgTable {
    fn knows(&self, connection: &dyn Any) -> bool {
        connection.is::<PgConnection>()
    }

    fn write<'a>(
        &'a self,
        connection: &'a mut (dyn Any + Send),
        key: &'a str,
        drafts: &'a [Draft],
    ) -> Pending<'a, Result<(), WriteError>> {
        Box::pin(async move {
            let connection = connection.downcast_mut::<PgConnection>();
            let connection = connection.ok_or(WriteError::OtherDatabase)?;
            let columns = drafts.iter().map(Columns::from);
            let mut parts = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            for Columns { kind, stream, message, extras } in columns {
                parts.0.push(kind);
                parts.1.push(stream);
                parts.2.push(message);
                parts.3.push(extras);
            }
            // One statement for all; `for key share` would lock, so the id is only compared.
            let insert = "insert into forebay.outbox (key, kind, stream, message, extras) \
                          select $1, kind, stream, message, extras \
                          from unnest($2::text[], $3::text[], $4::text[], $5::text[]) with ordinality \
                          as drafts (kind, stream, message, extras, place) \
                          where $6 = (select id from forebay.about) order by place";
            let insert = sqlx::query(insert).bind(key).bind(&parts.0).bind(&parts.1);
            let insert = insert.bind(&parts.2).bind(&parts.3).bind(&self.id);
            let insert = insert.persistent(!self.is_pooled);
            let written = insert.execute(connection).await?.rows_affected();
            let all = u64::try_from(drafts.len()).unwrap_or(u64::MAX);
            if written == all { Ok(()) } else { Err(WriteError::OtherDatabase) }
        })
    }

    fn lead(&self) -> Pending<'_, Result<Option<Box<dyn Leading>>, OutboxError>> {
        Box::pin(async move {
            let mut standby = self.standby.lock().await;
            let mut connection = match standby.take() {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            let lock = sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(LOCK);
            if !lock.fetch_one(&mut connection).await? {
                *standby = Some(connection);
                return Ok(None);
            }
            about(&mut connection).await?;
            let (term, database) = begin_life(&mut connection).await?;
            let listener = self.listen().await?;
            let told = Arc::new(Notify::new());
            let listens = tokio::spawn(pass_on(listener, Arc::clone(&told)));
            Ok(Some(
                Box::new(PgLead { connection, term, database, told, listens }) as Box<dyn Leading>
            ))
        })
    }

    fn announce(&self) -> Pending<'_, Result<(), OutboxError>> {
        Box::pin(async move {
            sqlx::raw_sql("notify forebay_outbox").execute(&self.pool).await?;
            Ok(())
        })
    }
}

impl PgTable {
    /// A session that is nobody else's.
    async fn connect(&self) -> Result<PgConnection, OutboxError> {
        let mut connection = PgConnection::connect_with(&self.direct).await?;
        // Before anything is locked: a pooler's session would keep the lock.
        check_sessions(&mut connection, &mut self.listen().await?).await?;
        check_rights(&mut connection).await?;
        sqlx::raw_sql(SESSION).execute(&mut connection).await?;
        Ok(connection)
    }

    /// Listens on a connection of its own.
    async fn listen(&self) -> Result<PgListener, Error> {
        let one = sqlx::pool::PoolOptions::<Postgres>::new().max_connections(1);
        let pool = one.connect_lazy_with(self.direct.clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(listener)
    }
}

/// Whose transaction ids and places in the WAL these are from now on. Numbers of two relays are not compared:
/// the server may have crashed in between, or be another one.
async fn begin_life(connection: &mut PgConnection) -> Result<(Term, Database), Error> {
    let previous = sqlx::query_scalar("select life from forebay.about");
    let previous: i64 = previous.fetch_one(&mut *connection).await?;
    let begin = "update forebay.about set life = \
                 greatest(life + 1, (extract(epoch from clock_timestamp()) * 1000000)::bigint) \
                 returning (select system_identifier from pg_control_system()), id, life";
    let (system, outbox_id, life): (i64, String, i64) =
        sqlx::query_as(begin).fetch_one(connection).await?;
    let database = Database { system: system.cast_unsigned(), life: life.cast_unsigned() };
    Ok((Term { outbox_id, life, previous }, database))
}

/// Whether the role may relay. What it may not is named before it is needed.
async fn check_rights(connection: &mut PgConnection) -> Result<(), OutboxError> {
    let missing = "select coalesce(string_agg(rights || ' on ' || t, ' and '), '') from (values \
                   ('forebay.about', 'select, update'), ('forebay.outbox', 'select, update, delete')) needed (t, rights) \
                   where exists (select from unnest(string_to_array(rights, ', ')) r where not has_table_privilege(t, r))";
    let missing: String = sqlx::raw_sql(missing).fetch_one(connection).await?.try_get(0)?;
    if missing.is_empty() { Ok(()) } else { Err(OutboxError::Rights(missing)) }
}

/// The role may not even look.
fn rights(error: Error) -> OutboxError {
    match &error {
        Error::Database(said) if said.code().is_some_and(|code| code == "42501") => {
            OutboxError::Rights(said.message().to_owned())
        }
        _ => error.into(),
    }
}

/// Two connections that both live have two sessions, unless a pooler gives one session to whoever has
/// something to say. Then the lock is nobody's, and notifications come to anybody.
async fn check_sessions(
    connection: &mut PgConnection,
    listener: &mut PgListener,
) -> Result<(), OutboxError> {
    const ASKED: usize = 5;
    let pid = "select pg_backend_pid()";
    let mut pids = Vec::new();
    for _ in 0..ASKED {
        let mine: i32 = sqlx::raw_sql(pid).fetch_one(&mut *connection).await?.try_get(0)?;
        let other: i32 = sqlx::raw_sql(pid).fetch_one(&mut *listener).await?.try_get(0)?;
        pids.push((mine, other));
    }
    let is_steady = pids.iter().all(|pair| *pair == pids[0] && pair.0 != pair.1);
    if is_steady { Ok(()) } else { Err(OutboxError::Pooler) }
}

/// A listener connects again by itself. What it has missed meanwhile is found by looking.
async fn pass_on(mut listener: PgListener, told: Arc<Notify>) {
    loop {
        match listener.try_recv().await {
            Ok(_) => told.notify_one(),
            Err(_) => tokio::time::sleep(RELISTEN).await,
        }
    }
}

/// How long after a failure it listens again. Whoever leads looks by itself as often.
const RELISTEN: std::time::Duration = std::time::Duration::from_secs(1);

impl Leading for PgLead {
    fn term(&self) -> &Term {
        &self.term
    }

    fn set_message_bytes_max(&mut self, max: usize) -> Pending<'_, Result<(), Error>> {
        Box::pin(async move {
            let max = i32::try_from(max).unwrap_or(i32::MAX);
            let set =
                "update forebay.about set message_bytes_max = $1 where message_bytes_max <> $1";
            sqlx::query(set).bind(max).execute(&mut self.connection).await?;
            Ok(())
        })
    }

    fn read<'a>(&'a mut self, except: &'a [i64]) -> Pending<'a, Result<Reading, Error>> {
        Box::pin(async move {
            let before: i64 = sqlx::query_scalar(WAL_END).fetch_one(&mut self.connection).await?;
            let select = "with waiting as (\
                  select * from forebay.outbox where state = 'waiting' and id <> all($1)), \
                transactions as (\
                  select xid as transaction, max(id) as last from waiting \
                  group by xid order by last limit $2), \
                placed as (\
                  select waiting.*, row_number() over w as place, \
                    sum(octet_length(coalesce(message, ''))) over w as bytes, (select count(*) from waiting) as rows \
                  from waiting join transactions on xid = transaction \
                  window w as (order by last, id)) \
                select id, key, xid::text as xid, kind, stream, message, extras, rows, \
                (select (pg_current_wal_insert_lsn() - '0/0')::bigint) as behind from placed \
                where place = 1 or (place <= $3 and bytes <= $4) order by place";
            let select = sqlx::query(select).bind(except).bind(TRANSACTIONS_AT_ONCE);
            let select = select.bind(ROWS_AT_ONCE).bind(BYTES_AT_ONCE);
            let rows = select.fetch_all(&mut self.connection).await?;
            let first = |column| rows.first().map(|row| row.try_get::<i64, _>(column)).transpose();
            let all = first("rows")?.unwrap_or(0);
            let behind = first("behind")?.unwrap_or(before).cast_unsigned();
            let ended_early = i64::try_from(rows.len()).is_ok_and(|read| read < all);
            let rows = rows.iter().map(read).collect::<Result<_, Error>>()?;
            let (database, before) = (self.database, before.cast_unsigned());
            let moment = Some(Moment { database, before, behind });
            Ok(Reading { groups: group(rows, ended_early), ended_early, moment })
        })
    }

    fn delete<'a>(&'a mut self, ids: &'a [i64]) -> Pending<'a, Result<(), Error>> {
        Box::pin(async move {
            let delete = "delete from forebay.outbox where id = any($1)";
            sqlx::query(delete).bind(ids).execute(&mut self.connection).await?;
            Ok(())
        })
    }

    fn refuse<'a>(&'a mut self, id: i64, reason: &'a str) -> Pending<'a, Result<(), Error>> {
        Box::pin(async move {
            let refuse = "update forebay.outbox set state = 'refused', reason = $1 where id = $2";
            sqlx::query(refuse).bind(reason).bind(id).execute(&mut self.connection).await?;
            let prune = "delete from forebay.outbox where id in (select id from forebay.outbox \
                         where state = 'refused' order by id desc offset $1)";
            sqlx::query(prune).bind(REFUSED_MAX).execute(&mut self.connection).await?;
            Ok(())
        })
    }

    fn told(&mut self) -> Pending<'_, ()> {
        Box::pin(self.told.notified())
    }
}

fn read(row: &PgRow) -> Result<Numbered, Error> {
    let (stream, xid): (String, String) = (row.try_get("stream")?, row.try_get("xid")?);
    let columns = Columns {
        kind: row.try_get("kind")?,
        stream: stream.clone(),
        message: row.try_get("message")?,
        extras: row.try_get("extras")?,
    };
    let row =
        Row { id: row.try_get("id")?, key: row.try_get("key")?, stream, says: columns.read() };
    Ok(Numbered { transaction: xid.parse().ok(), row })
}
