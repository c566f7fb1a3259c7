//! An outbox by the URL of its database, for a process that has no pool of its own: a server beside an application.

use std::fmt;
use std::str::FromStr as _;

#[cfg(feature = "postgres")]
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
#[cfg(feature = "sqlite")]
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePoolOptions};
use sqlx::{Connection as _, Pool};
use tokio::time::timeout;

use crate::error::{OutboxError, OutboxUrlError};
use crate::outbox::{ANSWER_MAX, Outbox};

/// One to look whether there is an outbox, and one to announce. The relay has connections of its own.
const CONNECTIONS_MAX: u32 = 2;

/// What libpq and sqlx have behind the `?`. sqlx leaves out what it does not know, and says so to nobody who looks.
#[cfg(feature = "postgres")]
const POSTGRES_OPTIONS: [&str; 14] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "statement-cache-capacity",
    "target_session_attrs",
];

/// The database of an outbox: `postgres://user:password@host/database`, or `sqlite:FILE`. It shows itself without the
/// password.
#[derive(Clone)]
pub struct OutboxUrl {
    database: Database,
    shown: String,
}

#[derive(Clone)]
enum Database {
    #[cfg(feature = "postgres")]
    Postgres(Box<PgConnectOptions>),
    #[cfg(feature = "sqlite")]
    Sqlite(Box<SqliteConnectOptions>),
}

impl fmt::Debug for OutboxUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OutboxUrl").field(&self.shown).finish()
    }
}

impl fmt::Display for OutboxUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl OutboxUrl {
    /// Reads a URL. Nothing is asked yet.
    ///
    /// # Errors
    /// [`OutboxUrlError`] says what is wrong with it, without the password.
    pub fn from_url(url: &str) -> Result<Self, OutboxUrlError> {
        let (scheme, rest) = url.split_once(':').unwrap_or_default();
        match scheme {
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => postgres(url, rest),
            #[cfg(feature = "sqlite")]
            "sqlite" => sqlite(url, rest),
            _ => Err(OutboxUrlError::Scheme(scheme.to_owned())),
        }
    }

    /// Opens the outbox, and becomes its relay if nobody else is: see [`Outbox::open`].
    ///
    /// # Errors
    /// [`OutboxError`] says what is missing, or wrong.
    pub async fn open(&self) -> Result<Outbox, OutboxError> {
        match &self.database {
            #[cfg(feature = "postgres")]
            Database::Postgres(options) => Outbox::open(&postgres_pool(options).await?).await,
            #[cfg(feature = "sqlite")]
            Database::Sqlite(options) => Outbox::open(&sqlite_pool(options).await?).await,
        }
    }

    /// Creates the outbox, or brings it to this version: see [`Outbox::migrate`].
    ///
    /// # Errors
    /// As there.
    pub async fn migrate(&self) -> Result<(), OutboxError> {
        match &self.database {
            #[cfg(feature = "postgres")]
            Database::Postgres(options) => Outbox::migrate(&postgres_pool(options).await?).await,
            #[cfg(feature = "sqlite")]
            Database::Sqlite(options) => Outbox::migrate(&sqlite_pool(options).await?).await,
        }
    }

    /// What [`migrate`](Self::migrate) runs, for those who run all migrations themselves.
    #[must_use]
    pub fn migration(&self) -> &'static str {
        match &self.database {
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => crate::postgres::MIGRATION,
            #[cfg(feature = "sqlite")]
            Database::Sqlite(_) => crate::sqlite::MIGRATION,
        }
    }
}

#[cfg(feature = "postgres")]
fn postgres(url: &str, rest: &str) -> Result<OutboxUrl, OutboxUrlError> {
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let names = query.split('&').filter(|pair| !pair.is_empty());
    for name in names.map(|pair| pair.split('=').next().unwrap_or_default()) {
        if !POSTGRES_OPTIONS.contains(&name) && !name.starts_with("options[") {
            let known = POSTGRES_OPTIONS.join(", ");
            return Err(OutboxUrlError::Option { name: name.to_owned(), known });
        }
    }
    let options = PgConnectOptions::from_str(url).map_err(OutboxUrlError::unreadable)?;
    // A pooler refuses it, and would not be named.
    let options = options.extra_float_digits(None);
    // The login ends at the last @ before the path, as in any URL.
    let place = place.strip_prefix("//").unwrap_or(place);
    let (host, path) = place.split_once('/').unwrap_or((place, ""));
    let host = host.rsplit('@').next().unwrap_or_default();
    let shown = format!("postgres://{host}/{path}");
    Ok(OutboxUrl { database: Database::Postgres(Box::new(options)), shown })
}

#[cfg(feature = "sqlite")]
fn sqlite(url: &str, rest: &str) -> Result<OutboxUrl, OutboxUrlError> {
    let options = SqliteConnectOptions::from_str(url).map_err(OutboxUrlError::unreadable)?;
    let file = rest.trim_start_matches("//").split('?').next().unwrap_or_default();
    if file.is_empty() || file == ":memory:" {
        return Err(OutboxUrlError::Memory);
    }
    Ok(OutboxUrl { shown: format!("sqlite:{file}"), database: Database::Sqlite(Box::new(options)) })
}

/// A pool says only that time is up where a server can't be reached. So a connection is tried first.
#[cfg(feature = "postgres")]
async fn postgres_pool(options: &PgConnectOptions) -> Result<Pool<sqlx::Postgres>, OutboxError> {
    let connection = timeout(ANSWER_MAX, PgConnection::connect_with(options)).await;
    let connection = connection.map_err(|_| OutboxError::Silent)??;
    // It was to be tried only: how it ends is nobody's concern.
    drop(timeout(ANSWER_MAX, connection.close()).await);
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS_MAX).acquire_timeout(ANSWER_MAX);
    Ok(pool.connect_lazy_with(options.clone()))
}

#[cfg(feature = "sqlite")]
async fn sqlite_pool(options: &SqliteConnectOptions) -> Result<Pool<sqlx::Sqlite>, OutboxError> {
    let connection = timeout(ANSWER_MAX, SqliteConnection::connect_with(options)).await;
    let connection = connection.map_err(|_| OutboxError::Silent)??;
    drop(timeout(ANSWER_MAX, connection.close()).await);
    let pool =
        SqlitePoolOptions::new().max_connections(CONNECTIONS_MAX).acquire_timeout(ANSWER_MAX);
    Ok(pool.connect_lazy_with(options.clone()))
}

#[cfg(all(test, feature = "postgres", feature = "sqlite"))]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_database() {
        let check = |url: &str, shown: &str| {
            let place = OutboxUrl::from_url(url).unwrap();
            assert_eq!(place.to_string(), shown);
            assert!(!format!("{place:?}").contains("hunter2"), "{place:?}");
        };
        check("postgres://me:hunter2@db:5433/app?sslmode=require", "postgres://db:5433/app");
        check("postgresql:///app?host=/run/postgresql&user=me&password=hunter2", "postgres:///app");
        check("sqlite:///srv/app.sqlite3", "sqlite:/srv/app.sqlite3");
        check("sqlite:db/app.sqlite3?mode=rw", "sqlite:db/app.sqlite3");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |url: &str, part: &str| {
            let said = OutboxUrl::from_url(url).unwrap_err().to_string();
            assert!(said.contains(part) && !said.contains("hunter2"), "{url}: {said}");
        };
        check("mysql://me:hunter2@host/app", "\"mysql\"");
        check("app.sqlite3", "expected postgres");
        check("postgres://me:hunter2@host:many/app", "port");
        check("postgres://me:hunter2@host/app?pool=5", "no option pool");
        check("sqlite::memory:", "in memory");
    }
}
