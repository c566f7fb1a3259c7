//! Connects, makes what is missing, and checks what it finds.

use std::future::poll_fn;
use std::time::Duration;

use forebay_shared::{Backend, Failure};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{AsyncMessage, Client, Config};

use crate::failure::{failure, pooler};
use crate::tls::tls;
use crate::{Connection, MIGRATIONS, Postgres};

/// How long a host has to answer. One that is paused takes connections, and says nothing.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// The version of the tables that this crate knows.
const VERSION: i32 = 1;

/// The tables that the role has to be able to change.
const TABLES: &str = "log_state,log_groups,log_nodes,log_names,log_cells";

/// Settings of our sessions. Plans don't depend on statistics, which are wrong for a table that fills and empties:
/// there is an index for each question, and it is used. What hangs ends before its client gives up.
/// `forebay.session` is there to be found again: a pooler refuses or drops it.
const SETTINGS: &str = "-c statement_timeout=4000 -c lock_timeout=4000 -c synchronous_commit=on \
    -c default_transaction_isolation=read\\ committed -c default_transaction_read_only=off \
    -c enable_seqscan=off -c enable_bitmapscan=off -c jit=off -c forebay.session=on";

impl Backend for Postgres {
    type Session = Connection;

    fn address(&self) -> String {
        self.place()
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let mut worst = None;
        for (host, port) in self.hosts() {
            let connecting = timeout(CONNECT_MAX, self.connect_to(host, port));
            match connecting.await {
                Ok(Ok(connection)) => return Ok(connection),
                // If one of them may come back, it is tried again.
                Ok(Err(failure)) => {
                    if !matches!(worst, Some(Failure::Lost(_))) {
                        worst = Some(failure);
                    }
                }
                Err(_) => worst = Some(Failure::Lost("it does not answer".to_owned())),
            }
        }
        Err(worst.unwrap_or_else(|| Failure::Refused("the URL names no host".to_owned())))
    }
}

impl Postgres {
    async fn connect_to(&self, host: &Host, port: u16) -> Result<Connection, Failure> {
        let config = self.config_of(host, port);
        let connected = config.connect(tls(&self.settings)?).await;
        let (client, mut connection) = connected.map_err(|error| failure(&error))?;
        let (told, notifications) = watch::channel(());
        let driver = tokio::spawn(async move {
            loop {
                match poll_fn(|cx| connection.poll_message(cx)).await {
                    Some(Ok(AsyncMessage::Notification(_))) => drop(told.send(())),
                    Some(Ok(_)) => {}
                    // Whoever waits sees the channel's end, and asks no more.
                    Some(Err(_)) | None => return,
                }
            }
        });
        let driver = Driver(driver);
        self.check_server(&client).await?;
        self.check_schema(&client).await?;
        Connection::new(self, client, driver, notifications).await
    }

    fn config_of(&self, host: &Host, port: u16) -> Config {
        let mut config = Config::new();
        let (from, is_here) = (&self.config, is_here(host));
        match host {
            Host::Tcp(host) => config.host(host),
            Host::Unix(path) => config.host_path(path),
        };
        config.port(port).channel_binding(from.get_channel_binding());
        config.application_name(from.get_application_name().unwrap_or("forebay"));
        config.options(format!("{} {SETTINGS}", from.get_options().unwrap_or_default()));
        let default = if is_here { SslMode::Disable } else { SslMode::Require };
        config.ssl_mode(self.tls.unwrap_or(default));
        if let Some(user) = from.get_user() {
            config.user(user);
        }
        if let Some(password) = from.get_password() {
            config.password(password);
        }
        if let Some(database) = from.get_dbname() {
            config.dbname(database);
        }
        config
    }

    async fn check_server(&self, client: &Client) -> Result<(), Failure> {
        let row = client
            .query_one(
                "select current_setting('server_version_num')::int, current_setting('server_version'), \
                 pg_is_in_recovery(), current_setting('forebay.session', true), \
                 current_setting('fsync'), current_setting('server_encoding')",
                &[],
            )
            .await
            .map_err(|error| failure(&error))?;
        let version: String = row.get(1);
        let session: Option<String> = row.get(3);
        let (fsync, encoding): (String, String) = (row.get(4), row.get(5));
        if row.get::<_, i32>(0) < 140_000 {
            return Err(Failure::Refused(format!(
                "it is Postgres {version}, and has to be 14 or later"
            )));
        }
        if session.as_deref() != Some("on") {
            return Err(pooler());
        }
        if row.get(2) {
            return Err(Failure::Lost("it is a standby, which takes no writes".to_owned()));
        }
        if encoding != "UTF8" {
            return Err(Failure::Refused(format!(
                "the database's encoding is {encoding}, and has to be UTF8"
            )));
        }
        if fsync == "off" {
            tracing::warn!(
                server = self.place(),
                "fsync is off: a power failure may destroy the whole database; each start of the server begins a new epoch"
            );
        }
        Ok(())
    }

    /// The tables are there, of this version, and may be used. Those that are missing are made.
    async fn check_schema(&self, client: &Client) -> Result<(), Failure> {
        if !self.is_made(client).await? {
            self.make(client).await?;
        }
        let missing = format!(
            "select coalesce(string_agg(t, ', '), '') from unnest(string_to_array('{TABLES}', ',')) t \
             where not has_table_privilege('{0}.' || t, 'select') or not has_table_privilege('{0}.' || t, 'insert') \
             or not has_table_privilege('{0}.' || t, 'update') or not has_table_privilege('{0}.' || t, 'delete')",
            self.settings.name
        );
        let row = client.query_one(&missing, &[]).await.map_err(|error| failure(&error))?;
        let missing: String = row.get(0);
        if !missing.is_empty() {
            let name = &self.settings.name;
            return Err(Failure::Refused(format!(
                "the role lacks rights: grant select, insert, update, delete on these tables in schema {name}: {missing}"
            )));
        }
        let version = self.sql("select version from forebay.log_state");
        let row = client.query_one(&version, &[]).await.map_err(|error| failure(&error))?;
        match row.get::<_, i32>(0) {
            VERSION => Ok(()),
            other => Err(Failure::Refused(format!(
                "the log's tables are of version {other}, and this program knows version {VERSION}: update the older of them"
            ))),
        }
    }

    async fn is_made(&self, client: &Client) -> Result<bool, Failure> {
        let there = "select to_regclass($1) is not null";
        let state = format!("{}.log_state", self.settings.name);
        let row = client.query_one(there, &[&state]).await.map_err(|error| failure(&error))?;
        Ok(row.get(0))
    }

    /// In one transaction, by one node.
    async fn make(&self, client: &Client) -> Result<(), Failure> {
        let begin = "begin; select pg_advisory_xact_lock(hashtext('forebay.log'))";
        client.batch_execute(begin).await.map_err(|error| failure(&error))?;
        if self.is_made(client).await? {
            return client.batch_execute("rollback").await.map_err(|error| failure(&error));
        }
        let migrations = format!("{}; commit", self.sql(MIGRATIONS[0]));
        client.batch_execute(&migrations).await.map_err(|error| match failure(&error) {
            Failure::Refused(why) => Failure::Refused(format!(
                "its tables are missing, and can't be made: {why}. The owner of the database runs \
                 crates/forebay-postgres/migrations/0001_log.sql, which says what to grant"
            )),
            // Somebody else has made the schema at the same time.
            other => other,
        })
    }
}

/// A host that is reached without a network.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(host) => {
            host == "localhost"
                || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

/// Moves a connection's bytes. It ends with the session, also where the server does not answer.
#[derive(Debug)]
pub(crate) struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}
