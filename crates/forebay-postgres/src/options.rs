//! Where Postgres is, and how much it keeps.

use std::fmt;
use std::str::FromStr as _;
use std::time::Duration;

use forebay_shared::{Settings, UrlError, UrlOption, UrlOptions};
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, Host, SslMode};

/// A log in a Postgres database.
#[derive(Clone)]
pub struct Postgres {
    pub(crate) config: Config,
    /// `None`: wherever another machine is spoken to.
    pub(crate) tls: Option<SslMode>,
    pub(crate) settings: Settings,
}

/// Without what is secret.
impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("at", &self.place())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Postgres {
    /// What a URL may say behind its `?`.
    pub const URL_OPTIONS: &[UrlOption] = &[
        UrlOption::NAME,
        UrlOption::KEEP,
        UrlOption::KEEP_BYTES,
        UrlOption::CA,
        UrlOption::CERTIFICATE,
        UrlOption::KEY,
        UrlOption::new(
            "sslmode",
            "`require`; `disable` for this machine itself",
            "`disable`, or `require` and `verify-full`, which are the same: certificates are always checked",
        ),
        UrlOption::new("sslrootcert", "", "libpq's name for `ca`"),
        UrlOption::new("sslcert", "", "libpq's name for `certificate`"),
        UrlOption::new("sslkey", "", "libpq's name for `key`"),
        UrlOption::new("application_name", "`forebay`", "as in libpq"),
        UrlOption::new("options", "", "as in libpq"),
        UrlOption::new("channel_binding", "`prefer`", "`prefer` or `require`, as in libpq"),
        UrlOption::new(
            "target_session_attrs",
            "`read-write`",
            "nothing else: of several hosts, the first that takes writes is used",
        ),
    ];

    /// Understands `postgres://user:password@host:5432,host2:5432/database`, with the options of
    /// [`URL_OPTIONS`](Self::URL_OPTIONS).
    ///
    /// # Errors
    /// [`UrlError`] names what it does not understand. It never has the password in it.
    pub fn from_url(url: &str) -> Result<Self, UrlError> {
        let refuse = |why: String| Err(UrlError(why));
        let (place, given) = UrlOptions::read(url, Self::URL_OPTIONS)?;
        if !place.starts_with("postgres://") && !place.starts_with("postgresql://") {
            return refuse("a Postgres URL begins with postgres://".to_owned());
        }
        let config = Config::from_str(place);
        let mut config =
            config.map_err(|error| UrlError(format!("the URL can't be read: {error}")))?;
        if config.get_hosts().is_empty() {
            config.host("localhost");
        }
        let mut settings = given.settings()?;
        if let Some(file) = given.get("sslrootcert") {
            settings.authority = Some(file.into());
        }
        match (given.get("sslcert"), given.get("sslkey")) {
            (Some(certificate), Some(key)) => {
                settings.certificate = Some((certificate.into(), key.into()));
            }
            (None, None) => {}
            _ => return refuse("sslcert and sslkey belong together".to_owned()),
        }
        let tls = match given.get("sslmode") {
            None => None,
            Some("disable") => Some(SslMode::Disable),
            Some("require" | "verify-full") => Some(SslMode::Require),
            Some(mode) => {
                return refuse(format!("sslmode={mode} is none of disable, require, verify-full"));
            }
        };
        if let Some(name) = given.get("application_name") {
            config.application_name(name);
        }
        if let Some(options) = given.get("options") {
            config.options(options);
        }
        match given.get("channel_binding") {
            None | Some("prefer") => {}
            Some("require") => drop(config.channel_binding(ChannelBinding::Require)),
            Some(other) => {
                return refuse(format!("channel_binding={other} is none of prefer, require"));
            }
        }
        match given.get("target_session_attrs") {
            None | Some("read-write") => {}
            Some(other) => {
                return refuse(format!("target_session_attrs={other}: it can be read-write"));
            }
        }
        Ok(Self { config, tls, settings })
    }

    /// The schema that the tables are in. Default `forebay`. Applications that share a database have different
    /// ones.
    ///
    /// # Errors
    /// It is not made of at most 40 lowercase letters, digits and `_`, with a letter first.
    pub fn named(mut self, name: &str) -> Result<Self, UrlError> {
        self.settings.rename(name)?;
        Ok(self)
    }

    /// How long a group is kept. Default ten minutes: twice what a hub keeps.
    pub fn keep(mut self, keep: Duration) -> Self {
        self.settings.keep = keep;
        self
    }

    /// How many bytes of groups are kept. Default 256 MiB: ten minutes at 400 KB a second.
    pub fn keep_bytes(mut self, bytes: u64) -> Self {
        self.settings.keep_bytes = bytes;
        self
    }

    /// A statement for this log's schema.
    pub(crate) fn sql(&self, statement: &str) -> String {
        let name = &self.settings.name;
        if name == "forebay" {
            return statement.to_owned();
        }
        let statement = statement.replace("forebay.", &format!("{name}."));
        let statement = statement.replace("('forebay')", &format!("('{name}')"));
        statement.replace("create schema forebay;", &format!("create schema {name};"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libpq_s_names_are_understood_as_well() {
        let read = |query: &str| Postgres::from_url(&format!("postgres://a/b?{query}")).unwrap();
        let ours = read("ca=/ca.pem&certificate=/c&key=/k").settings;
        assert_eq!(read("sslrootcert=/ca.pem&sslcert=/c&sslkey=/k").settings, ours);
        assert_eq!(ours.certificate, Some(("/c".into(), "/k".into())));
    }

    #[test]
    fn the_documentation_has_the_options() {
        let table = UrlOption::table(Postgres::URL_OPTIONS);
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/log-postgres.md");
        let page = std::fs::read_to_string(page).unwrap();
        assert!(page.contains(&table), "docs/log-postgres.md needs this table:\n{table}");
    }
}
