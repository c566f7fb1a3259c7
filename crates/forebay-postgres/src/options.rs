//! Where Postgres is, and how much it keeps.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use forebay_shared::{KEEP, KEEP_BYTES, UrlError};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// A log in a Postgres database.
#[derive(Clone)]
pub struct Postgres {
    pub(crate) config: Config,
    pub(crate) authority: Option<PathBuf>,
    /// `None`: wherever another machine is spoken to.
    pub(crate) tls: Option<SslMode>,
    pub(crate) name: String,
    pub(crate) keep: Duration,
    pub(crate) keep_bytes: u64,
}

/// Without what is secret.
impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, keep, keep_bytes, .. } = self;
        f.debug_struct("Postgres")
            .field("at", &self.place())
            .field("name", name)
            .field("keep", keep)
            .field("keep_bytes", keep_bytes)
            .finish_non_exhaustive()
    }
}

impl Postgres {
    /// Understands `postgres://user:password@host:5432,host2:5432/database?…` with these parameters:
    ///
    /// - `sslmode`: `disable`, or `require` and `verify-full`, which are the same here: certificates are always
    ///   checked. Default: `require`, but for this machine itself, where it is `disable`.
    /// - `sslrootcert`: a file with the authority that has signed the server's certificate. Default: those that
    ///   this machine trusts.
    /// - `name`, `keep` (seconds) and `keep_bytes`: see the setters.
    /// - `application_name`, `options`, `channel_binding`: as in libpq. `target_session_attrs` can only be
    ///   `read-write`: of several hosts, the first that takes writes is used.
    ///
    /// # Errors
    /// [`UrlError`] names what it does not understand. It never has the password in it.
    pub fn from_url(url: &str) -> Result<Self, UrlError> {
        let refuse = |why: String| Err(UrlError(why));
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        if !place.starts_with("postgres://") && !place.starts_with("postgresql://") {
            return refuse("a Postgres URL begins with postgres://".to_owned());
        }
        let config = Config::from_str(place);
        let mut config =
            config.map_err(|error| UrlError(format!("the URL can't be read: {error}")))?;
        if config.get_hosts().is_empty() {
            config.host("localhost");
        }
        let mut this = Self {
            config,
            authority: None,
            tls: None,
            name: "forebay".to_owned(),
            keep: KEEP,
            keep_bytes: KEEP_BYTES,
        };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let number = || {
                let number = value.parse::<u64>().ok().filter(|number| *number > 0);
                number.ok_or_else(|| UrlError(format!("{key}={value} is no positive number")))
            };
            match &*key {
                "sslmode" => {
                    this.tls = Some(match &*value {
                        "disable" => SslMode::Disable,
                        "require" | "verify-full" => SslMode::Require,
                        _ => {
                            return refuse(format!(
                                "sslmode={value} is none of disable, require, verify-full"
                            ));
                        }
                    });
                }
                "sslrootcert" => this.authority = Some(value.into_owned().into()),
                "name" => this = this.named(&value)?,
                "keep" => this.keep = Duration::from_secs(number()?),
                "keep_bytes" => this.keep_bytes = number()?,
                "application_name" => drop(this.config.application_name(&*value)),
                "options" => drop(this.config.options(&*value)),
                "channel_binding" | "target_session_attrs"
                    if value == "prefer" || value == "read-write" => {}
                "channel_binding" if value == "require" => {
                    this.config.channel_binding(tokio_postgres::config::ChannelBinding::Require);
                }
                _ => return refuse(format!("{key}={value} is no parameter of a log in Postgres")),
            }
        }
        Ok(this)
    }

    /// The schema that the tables are in. Default `forebay`. Applications that share a database have different
    /// ones.
    ///
    /// # Errors
    /// It is not made of at most 40 lowercase letters, digits and `_`, with a letter first.
    pub fn named(mut self, name: &str) -> Result<Self, UrlError> {
        let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
        let begins = name.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
        if !begins || name.len() > 40 || !name.bytes().all(is_plain) {
            return Err(UrlError(format!(
                "name={name} is not made of at most 40 lowercase letters, digits and _"
            )));
        }
        name.clone_into(&mut self.name);
        Ok(self)
    }

    /// How long a group is kept. Default ten minutes: twice what a hub keeps.
    pub fn keep(mut self, keep: Duration) -> Self {
        self.keep = keep;
        self
    }

    /// How many bytes of groups are kept. Default 256 MiB: ten minutes at 400 KB a second.
    pub fn keep_bytes(mut self, bytes: u64) -> Self {
        self.keep_bytes = bytes;
        self
    }

    /// A statement for this log's schema.
    pub(crate) fn sql(&self, statement: &str) -> String {
        if self.name == "forebay" {
            return statement.to_owned();
        }
        let statement = statement.replace("forebay.", &format!("{}.", self.name));
        let statement = statement.replace("('forebay')", &format!("('{}')", self.name));
        statement.replace("create schema forebay;", &format!("create schema {};", self.name))
    }

    /// The hosts, each with its port.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = (&Host, u16)> {
        let ports = self.config.get_ports();
        let port = |n: usize| ports.get(n).or(ports.first()).copied().unwrap_or(5432);
        self.config.get_hosts().iter().enumerate().map(move |(n, host)| (host, port(n)))
    }

    pub(crate) fn place(&self) -> String {
        let host = |(host, port): (&Host, u16)| match host {
            Host::Tcp(host) => format!("{host}:{port}"),
            Host::Unix(path) => format!("{}:{port}", path.display()),
        };
        let hosts: Vec<_> = self.hosts().map(host).collect();
        let database = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        format!("postgres://{}/{database}", hosts.join(","))
    }
}
