//! Where NATS is, and how the log is kept there.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use forebay_shared::{Settings, UrlError, UrlOption, UrlOptions};
use percent_encoding::percent_decode_str;

/// JetStream's own minimum is 100 ms. A publisher tries again for seconds, and the window can't be longer.
const KEEP_MIN: Duration = Duration::from_mins(2);

/// How NATS is reached, and what is kept there. [`Options::from_url`] understands
/// `nats://user:password@host:4222,host2:4222?name=shop&replicas=3`.
#[derive(Clone)]
pub struct Options {
    pub(crate) servers: Vec<String>,
    pub(crate) is_tls: bool,
    pub(crate) login: Login,
    pub(crate) replicas: usize,
    pub(crate) settings: Settings,
}

#[derive(Clone, Default)]
pub(crate) enum Login {
    #[default]
    Nobody,
    Token(String),
    User(String, String),
    /// A file with a JWT and a seed, as `nsc` writes it.
    Credentials(PathBuf),
    /// A file with a seed.
    Nkey(PathBuf),
}

/// Without what is secret.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { servers, is_tls, login: _, replicas, settings } = self;
        f.debug_struct("Options")
            .field("servers", servers)
            .field("is_tls", is_tls)
            .field("replicas", replicas)
            .field("settings", settings)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// What a URL may say behind its `?`.
    pub const URL_OPTIONS: &[UrlOption] = &[
        UrlOption::NAME,
        UrlOption::KEEP,
        UrlOption::KEEP_BYTES,
        UrlOption::new("replicas", "1", "how many servers of a cluster have the log: 1, 3 or 5"),
        UrlOption::new("credentials", "", "a file of `nsc`, with a JWT and a seed"),
        UrlOption::new("nkey", "", "a file with a seed"),
        UrlOption::CA,
        UrlOption::CERTIFICATE,
        UrlOption::KEY,
    ];

    /// A server, as `host` or `host:port`. More of the same cluster come with [`Options::server`].
    pub fn new(server: impl Into<String>) -> Self {
        Self {
            servers: vec![server.into()],
            is_tls: false,
            login: Login::Nobody,
            replicas: 1,
            settings: Settings::default(),
        }
    }

    /// One more server of the cluster.
    pub fn server(mut self, server: impl Into<String>) -> Self {
        self.servers.push(server.into());
        self
    }

    /// With a user's name and password.
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.login = Login::User(name.into(), password.into());
        self
    }

    /// With a token.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.login = Login::Token(token.into());
        self
    }

    /// With a credentials file, as `nsc` writes it. It is read at each connect.
    pub fn credentials(mut self, file: impl Into<PathBuf>) -> Self {
        self.login = Login::Credentials(file.into());
        self
    }

    /// With the seed in this file. It is read at each connect.
    pub fn nkey(mut self, file: impl Into<PathBuf>) -> Self {
        self.login = Login::Nkey(file.into());
        self
    }

    /// Only over TLS. URL: `tls://…`.
    pub fn tls(mut self) -> Self {
        self.is_tls = true;
        self
    }

    /// The certificate authority to trust, instead of the system's.
    pub fn authority(mut self, file: impl Into<PathBuf>) -> Self {
        self.settings.authority = Some(file.into());
        self
    }

    /// A certificate and its key, for a server that asks clients for one.
    pub fn certificate(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.settings.certificate = Some((certificate.into(), key.into()));
        self
    }

    /// The log's name, for several logs in one account: at most 40 lowercase letters, digits and `_`, a letter
    /// first. Default `forebay`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// How many servers of a cluster have the log: 1, 3 or 5. Default 1.
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// How long the log keeps a group, and knows it for taken. Default 10 minutes, at least 2.
    pub fn keep(mut self, keep: Duration) -> Self {
        self.settings.keep = keep;
        self
    }

    /// How many bytes the log keeps at most; what is older goes earlier. Default 256 MiB, which JetStream sets
    /// aside.
    pub fn keep_bytes(mut self, bytes: u64) -> Self {
        self.settings.keep_bytes = bytes;
        self
    }

    /// Reads a URL, with the options of [`URL_OPTIONS`](Self::URL_OPTIONS).
    ///
    /// # Errors
    /// [`UrlError`] says which part of it can't be used. It does not repeat a password.
    pub fn from_url(url: &str) -> Result<Self, UrlError> {
        let fail = |what: String| Err(UrlError(what));
        let (place, given) = UrlOptions::read(url, Self::URL_OPTIONS)?;
        let (scheme, place) = place.split_once("://").unwrap_or(("", place));
        if !["nats", "tls"].contains(&scheme) {
            return fail("it begins with neither nats:// nor tls://".to_owned());
        }
        let (place, path) = place.split_once('/').unwrap_or((place, ""));
        if !path.is_empty() {
            return fail(format!("it has a path: the log's name is said by ?name={path}"));
        }
        let (login, servers) = place.rsplit_once('@').unwrap_or(("", place));
        let mut servers = servers.split(',');
        let mut options = Self::new(servers.next().unwrap_or_default());
        options = servers.fold(options, Self::server);
        options.is_tls = scheme == "tls";
        options.settings = given.settings()?;
        if !login.is_empty() {
            let decode = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
            options.login = match login.split_once(':') {
                Some((user, password)) => Login::User(decode(user), decode(password)),
                None => Login::Token(decode(login)),
            };
        }
        options = given.get("credentials").into_iter().fold(options, Self::credentials);
        options = given.get("nkey").into_iter().fold(options, Self::nkey);
        if let Some(replicas) = given.number("replicas", 0..=u64::MAX)? {
            options.replicas = usize::try_from(replicas).unwrap_or(usize::MAX);
        }
        options.check().map_err(UrlError)?;
        Ok(options)
    }

    /// What is wrong with them, in a sentence.
    pub(crate) fn check(&self) -> Result<(), String> {
        Settings::default().rename(&self.settings.name).map_err(|error| error.to_string())?;
        if self.servers.iter().any(String::is_empty) {
            return Err("a server has no name".to_owned());
        }
        if ![1, 3, 5].contains(&self.replicas) {
            return Err(format!("replicas={}: there can be 1, 3 or 5", self.replicas));
        }
        if self.settings.keep < KEEP_MIN {
            return Err(format!("the log has to be kept for {KEEP_MIN:?} at least"));
        }
        let bytes_min = 16 << 20;
        let bytes = self.settings.keep_bytes;
        if bytes < bytes_min || i64::try_from(bytes).is_err() {
            return Err(format!("the log has to keep {bytes_min} bytes at least"));
        }
        Ok(())
    }

    pub(crate) fn address(&self) -> String {
        let scheme = if self.is_tls { "tls" } else { "nats" };
        format!("{scheme}://{}?name={}", self.servers.join(","), self.settings.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_it_all() {
        let url = "tls://me:a%40b@one:4222,two?name=shop&replicas=3&keep=900&keep_bytes=99999999&ca=/ca.pem&certificate=/c&key=/k";
        let options = Options::from_url(url).unwrap();
        assert_eq!(options.address(), "tls://one:4222,two?name=shop");
        assert!(matches!(&options.login, Login::User(name, word) if name == "me" && word == "a@b"));
        let settings = &options.settings;
        assert_eq!((options.replicas, settings.keep_bytes), (3, 99_999_999));
        assert_eq!(settings.keep, Duration::from_mins(15));
        assert_eq!(settings.authority, Some("/ca.pem".into()));
        assert_eq!(settings.certificate, Some(("/c".into(), "/k".into())));
        let options = Options::from_url("nats://s3cret@host?credentials=/me.creds").unwrap();
        assert!(matches!(&options.login, Login::Credentials(file) if file.ends_with("me.creds")));
        let options = Options::from_url("nats://s3cret@host").unwrap();
        assert!(matches!(&options.login, Login::Token(token) if token == "s3cret"));
        assert_eq!(options.address(), "nats://host?name=forebay");
        assert!(!format!("{options:?}").contains("s3cret"));
    }

    #[test]
    fn what_it_does_not_know_it_refuses() {
        let check = |url: &str, why: &str| {
            let error = Options::from_url(url).unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains("s3cret"), "{url}: {error}");
        };
        check("redis://host", "nats://");
        check("nats://me:s3cret@?name=shop", "no name");
        check("nats://me:s3cret@host?name=a.b", "letters");
        check("nats://me:s3cret@host/shop", "?name=shop");
        check("nats://me:s3cret@host?replica=3", "no option replica");
        check("nats://host?replicas=2", "1, 3 or 5");
        check("nats://host?replicas=many", "no whole number");
        check("nats://host?keep=5", "keep");
        check("nats://host?keep_bytes=5", "bytes");
        check("nats://host?key=/k", "together");
    }

    #[test]
    fn the_documentation_has_the_options() {
        let table = UrlOption::table(Options::URL_OPTIONS);
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/log-nats.md");
        let page = std::fs::read_to_string(page).unwrap();
        assert!(page.contains(&table), "docs/log-nats.md needs this table:\n{table}");
    }
}
