//! SQLite: one writer at a time, so ids are in the order of the commits.
//!
//! Who relays is said by a lock on a file beside the database, which ends with its process. A database in
//! memory has one process.

use std::any::Any;
use std::fs::{File, TryLockError};
use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::sqlite::SqliteRow;
use sqlx::{Error, Pool, Row as _, Sqlite, SqliteConnection};

use crate::error::{OutboxError, WriteError};
use crate::outbox::sealed::{Opened, Stored};
use crate::row::{Columns, Draft, Reading, Row};
use crate::table::{
    BYTES_AT_ONCE, Leading, Numbered, Pending, REFUSED_MAX, ROWS_AT_ONCE, Table, Term, group, json,
};

/// The version of the tables that this code knows.
const VERSION: i64 = 1;

const FILE: &str = "migrations/sqlite/20261130000001_forebay_outbox.sql";
pub(crate) const MIGRATION: &str =
    include_str!("../migrations/sqlite/20261130000001_forebay_outbox.sql");

#[derive(Debug)]
struct SqliteTable {
    pool: Pool<Sqlite>,
    id: String,
    /// The file whose lock says who relays.
    lock: Option<PathBuf>,
}

#[derive(Debug)]
struct SqliteLead {
    pool: Pool<Sqlite>,
    term: Term,
    _lock: Option<File>,
}

impl Stored for Sqlite {
    fn migrate(pool: &Pool<Self>) -> Pending<'_, Result<(), OutboxError>> {
        Box::pin(async move {
            match about(pool).await {
                Err(OutboxError::Missing { .. }) => {}
                about => return about.map(drop),
            }
            let mut transaction = pool.begin_with("begin immediate").await?;
            sqlx::raw_sql(MIGRATION).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(())
        })
    }

    fn open(pool: &Pool<Self>) -> Pending<'_, Result<Opened, OutboxError>> {
        Box::pin(async move {
            let id = about(pool).await?;
            // Empty for a database in memory.
            let file = "select coalesce(file, '') from pragma_database_list where name = 'main'";
            let file: String = sqlx::query_scalar(file).fetch_one(pool).await?;
            let lock = (!file.is_empty()).then(|| lock_beside(Path::new(&file)));
            Ok(Opened(Arc::new(SqliteTable { pool: pool.clone(), id, lock })))
        })
    }
}

/// The outbox's id, if it is there and of this version.
async fn about(pool: &Pool<Sqlite>) -> Result<String, OutboxError> {
    let exists = "select count(*) from sqlite_master where name = 'forebay_about'";
    if sqlx::query_scalar::<_, i64>(exists).fetch_one(pool).await? == 0 {
        return Err(OutboxError::Missing { file: FILE });
    }
    let about = "select version, id from forebay_about";
    let (found, id): (i64, String) = sqlx::query_as(about).fetch_one(pool).await?;
    if found != VERSION {
        let mend = "take the newer Forebay, which made it";
        return Err(OutboxError::Version { found, known: VERSION, mend });
    }
    Ok(id)
}

/// All names of a file have one lock.
fn lock_beside(file: &Path) -> PathBuf {
    let mut lock = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned()).into_os_string();
    lock.push("-forebay");
    lock.into()
}

impl Table for SqliteTable {
    fn knows(&self, connection: &dyn Any) -> bool {
        connection.is::<SqliteConnection>()
    }

    fn write<'a>(
        &'a self,
        connection: &'a mut (dyn Any + Send),
        key: &'a str,
        drafts: &'a [Draft],
    ) -> Pending<'a, Result<(), WriteError>> {
        Box::pin(async move {
            let connection = connection.downcast_mut::<SqliteConnection>();
            let connection = connection.ok_or(WriteError::OtherDatabase)?;
            for draft in drafts {
                let Columns { kind, stream, message, extras } = draft.into();
                let insert = "insert into forebay_outbox (key, kind, stream, message, extras) \
                              select ?, ?, ?, ?, ? from forebay_about where id = ?";
                let insert = sqlx::query(insert).bind(key).bind(kind).bind(stream);
                let insert = insert.bind(message).bind(extras).bind(&self.id);
                if insert.execute(&mut *connection).await?.rows_affected() != 1 {
                    return Err(WriteError::OtherDatabase);
                }
            }
            Ok(())
        })
    }

    fn lead(&self) -> Pending<'_, Result<Option<Box<dyn Leading>>, OutboxError>> {
        Box::pin(async move {
            let lock = match &self.lock {
                None => None,
                Some(path) => match lock(path)? {
                    None => return Ok(None),
                    lock => lock,
                },
            };
            about(&self.pool).await?;
            let begin = "update forebay_about set life = life + 1 returning id, life";
            let (outbox_id, life) = sqlx::query_as(begin).fetch_one(&self.pool).await?;
            let term = Term { outbox_id, life, previous: life - 1 };
            let lead = SqliteLead { pool: self.pool.clone(), term, _lock: lock };
            Ok(Some(Box::new(lead) as Box<dyn Leading>))
        })
    }

    /// SQLite wakes nobody in another process.
    fn announce(&self) -> Pending<'_, Result<(), OutboxError>> {
        Box::pin(async { Ok(()) })
    }
}

/// Locks the file, if nobody else has. Its lock ends with the file's last handle, and with the process.
fn lock(path: &Path) -> Result<Option<File>, OutboxError> {
    let failed = |cause| OutboxError::Lock { path: path.to_owned(), cause };
    let file = File::options().create(true).append(true).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(cause)) => Err(failed(cause)),
    }
}

impl Leading for SqliteLead {
    fn term(&self) -> &Term {
        &self.term
    }

    /// Nobody writes in SQL alone here.
    fn set_message_bytes_max(&mut self, _: usize) -> Pending<'_, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }

    fn read<'a>(&'a mut self, except: &'a [i64]) -> Pending<'a, Result<Reading, Error>> {
        Box::pin(async move {
            let select = "select * from (\
                  select id, key, kind, stream, message, extras, row_number() over w as place, \
                    sum(octet_length(coalesce(message, ''))) over w as bytes \
                  from (\
                    select * from forebay_outbox where state = 'waiting' \
                    and id not in (select value from json_each(?)) order by id limit ?) \
                  window w as (order by id)) \
                order by place";
            let select = sqlx::query(select).bind(json(except)).bind(ROWS_AT_ONCE + 1);
            let mut rows = select.fetch_all(&self.pool).await?;
            let fits = |row: &SqliteRow| {
                let (place, bytes): (i64, i64) = (row.get("place"), row.get("bytes"));
                place == 1 || (place <= ROWS_AT_ONCE && bytes <= BYTES_AT_ONCE)
            };
            let fitting = rows.iter().take_while(|row| fits(row)).count();
            let ended_early = fitting < rows.len();
            rows.truncate(fitting);
            let rows =
                rows.into_iter().map(|row| Ok(Numbered { transaction: None, row: read(&row)? }));
            let groups = group(rows.collect::<Result<_, Error>>()?, ended_early);
            Ok(Reading { groups, ended_early, moment: None })
        })
    }

    fn delete<'a>(&'a mut self, ids: &'a [i64]) -> Pending<'a, Result<(), Error>> {
        Box::pin(async move {
            let ids = json(ids);
            let mut transaction = self.pool.begin_with("begin immediate").await?;
            for statement in [
                "update forebay_outbox set state = 'taken' where id in (select value from json_each(?))",
                "delete from forebay_outbox where id in (select value from json_each(?))",
            ] {
                sqlx::query(statement).bind(&ids).execute(&mut *transaction).await?;
            }
            transaction.commit().await
        })
    }

    fn refuse<'a>(&'a mut self, id: i64, reason: &'a str) -> Pending<'a, Result<(), Error>> {
        Box::pin(async move {
            let refuse = "update forebay_outbox set state = 'refused', reason = ? where id = ?";
            sqlx::query(refuse).bind(reason).bind(id).execute(&self.pool).await?;
            let prune = "delete from forebay_outbox where id in (select id from forebay_outbox \
                         where state = 'refused' order by id desc limit -1 offset ?)";
            sqlx::query(prune).bind(REFUSED_MAX).execute(&self.pool).await?;
            Ok(())
        })
    }

    fn told(&mut self) -> Pending<'_, ()> {
        Box::pin(pending())
    }
}

/// A column may hold what is no text, if somebody has written it by hand.
fn read(row: &SqliteRow) -> Result<Row, Error> {
    let stream = row.try_get::<String, _>("stream");
    let columns = || {
        Ok::<_, Error>(Columns {
            kind: row.try_get("kind")?,
            stream: row.try_get("stream")?,
            message: row.try_get("message")?,
            extras: row.try_get("extras")?,
        })
    };
    let says = columns().map_err(|error| error.to_string()).and_then(Columns::read);
    let key = row.try_get("key").unwrap_or_default();
    Ok(Row { id: row.try_get("id")?, key, stream: stream.unwrap_or_default(), says })
}
