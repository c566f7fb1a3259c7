//! Where NATS is, and how the log is kept there.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use forebay_shared::{KEEP, KEEP_BYTES, UrlError};
use percent_encoding::percent_decode_str;

/// JetStream's own minimum is 100 ms. A publisher tries again for seconds, and the window can't be longer.
const KEEP_MIN: Duration = Duration::from_mins(2);

/// How NATS is reached, and what is kept there. [`Options::from_url`] understands
/// `nats://user:password@host:4222,host2:4222/NAME?replicas=3`.
#[derive(Clone)]
pub struct Options {
    pub(crate) servers: Vec<String>,
    pub(crate) is_tls: bool,
    pub(crate) login: Login,
    pub(crate) authority: Option<PathBuf>,
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
    pub(crate) name: String,
    pub(crate) replicas: usize,
    pub(crate) keep: Duration,
    pub(crate) keep_bytes: u64,
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
        let Self { servers, is_tls, name, replicas, keep, keep_bytes, .. } = self;
        f.debug_struct("Options")
            .field("servers", servers)
            .field("is_tls", is_tls)
            .field("name", name)
            .field("replicas", replicas)
            .field("keep", keep)
            .field("keep_bytes", keep_bytes)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// A server, as `host` or `host:port`. More of the same cluster come with [`Options::server`].
    pub fn new(server: impl Into<String>) -> Self {
        Self {
            servers: vec![server.into()],
            is_tls: false,
            login: Login::Nobody,
            authority: None,
            certificate: None,
            name: "forebay".to_owned(),
            replicas: 1,
            keep: KEEP,
            keep_bytes: KEEP_BYTES,
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

    /// With a credentials file, as `nsc` writes it. It is read at each connect. URL: `credentials=FILE`.
    pub fn credentials(mut self, file: impl Into<PathBuf>) -> Self {
        self.login = Login::Credentials(file.into());
        self
    }

    /// With the seed in this file. It is read at each connect. URL: `nkey=FILE`.
    pub fn nkey(mut self, file: impl Into<PathBuf>) -> Self {
        self.login = Login::Nkey(file.into());
        self
    }

    /// Only over TLS. URL: `tls://…`.
    pub fn tls(mut self) -> Self {
        self.is_tls = true;
        self
    }

    /// The certificate authority to trust, instead of the system's. URL: `ca=FILE`.
    pub fn authority(mut self, file: impl Into<PathBuf>) -> Self {
        self.authority = Some(file.into());
        self
    }

    /// A certificate and its key, for a server that asks clients for one. URL: `certificate=FILE&key=FILE`.
    pub fn certificate(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.certificate = Some((certificate.into(), key.into()));
        self
    }

    /// The log's name, for several logs in one account: letters, digits, `-` and `_`. Default `forebay`. URL: the
    /// path.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How many servers of a cluster have the log: 1, 3 or 5. Default 1. URL: `replicas=3`.
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// How long the log keeps a group, and knows it for taken. Default 10 minutes, at least 2. URL:
    /// `keep_secs=600`.
    pub fn keep(mut self, keep: Duration) -> Self {
        self.keep = keep;
        self
    }

    /// How many bytes the log keeps at most; what is older goes earlier. Default 256 MiB, which JetStream sets aside. URL:
    /// `keep_bytes=268435456`.
    pub fn keep_bytes(mut self, bytes: u64) -> Self {
        self.keep_bytes = bytes;
        self
    }

    /// Reads a URL.
    ///
    /// # Errors
    /// [`UrlError`] says which part of it can't be used. It does not repeat a password.
    pub fn from_url(url: &str) -> Result<Self, UrlError> {
        let fail = |what: String| Err(UrlError(what));
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        if !["nats", "tls"].contains(&scheme) {
            return fail("it begins with neither nats:// nor tls://".to_owned());
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (place, name) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, servers) = place.rsplit_once('@').unwrap_or(("", place));
        let mut servers = servers.split(',');
        let mut options = Self::new(servers.next().unwrap_or_default());
        options = servers.fold(options, Self::server);
        options.is_tls = scheme == "tls";
        if !login.is_empty() {
            let decode = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
            options.login = match login.split_once(':') {
                Some((user, password)) => Login::User(decode(user), decode(password)),
                None => Login::Token(decode(login)),
            };
        }
        if !name.is_empty() {
            options = options.name(name);
        }
        let (mut certificate, mut key) = (None, None);
        for (option, value) in form_urlencoded::parse(query.as_bytes()) {
            let number = || {
                let number = value.parse::<u64>();
                number.map_err(|_| UrlError(format!("{option}={value} is no whole number")))
            };
            match &*option {
                "replicas" => options.replicas = usize::try_from(number()?).unwrap_or(usize::MAX),
                "keep_secs" => options.keep = Duration::from_secs(number()?),
                "keep_bytes" => options.keep_bytes = number()?,
                "credentials" => options = options.credentials(&*value),
                "nkey" => options = options.nkey(&*value),
                "ca" => options = options.authority(&*value),
                "certificate" => certificate = Some(value),
                "key" => key = Some(value),
                _ => {
                    return fail(format!(
                        "it knows no option {option}: there are replicas, keep_secs, keep_bytes, credentials, nkey, ca, certificate and key"
                    ));
                }
            }
        }
        match (certificate, key) {
            (Some(certificate), Some(key)) => {
                options = options.certificate(&*certificate, &*key);
            }
            (None, None) => {}
            _ => return fail("certificate and key belong together".to_owned()),
        }
        options.check().map_err(UrlError)?;
        Ok(options)
    }

    /// What is wrong with them, in a sentence.
    pub(crate) fn check(&self) -> Result<(), String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(is_plain) {
            let what = "has to be 1 to 64 letters, digits, - or _";
            return Err(format!("the log's name {:?} {what}", self.name));
        }
        if self.servers.iter().any(String::is_empty) {
            return Err("a server has no name".to_owned());
        }
        if ![1, 3, 5].contains(&self.replicas) {
            return Err(format!("replicas={}: there can be 1, 3 or 5", self.replicas));
        }
        if self.keep < KEEP_MIN {
            return Err(format!("the log has to be kept for {KEEP_MIN:?} at least"));
        }
        let bytes_min = 16 << 20;
        if self.keep_bytes < bytes_min || i64::try_from(self.keep_bytes).is_err() {
            return Err(format!("the log has to keep {bytes_min} bytes at least"));
        }
        Ok(())
    }

    pub(crate) fn address(&self) -> String {
        let scheme = if self.is_tls { "tls" } else { "nats" };
        format!("{scheme}://{}/{}", self.servers.join(","), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_it_all() {
        let url = "tls://me:a%40b@one:4222,two/shop?replicas=3&keep_secs=900&keep_bytes=99999999&ca=/ca.pem&certificate=/c&key=/k";
        let options = Options::from_url(url).unwrap();
        assert_eq!(options.address(), "tls://one:4222,two/shop");
        assert!(matches!(&options.login, Login::User(name, word) if name == "me" && word == "a@b"));
        assert_eq!((options.replicas, options.keep_bytes), (3, 99_999_999));
        assert_eq!(options.keep, Duration::from_mins(15));
        assert_eq!(options.authority, Some("/ca.pem".into()));
        assert_eq!(options.certificate, Some(("/c".into(), "/k".into())));
        let options = Options::from_url("nats://s3cret@host?credentials=/me.creds").unwrap();
        assert!(matches!(&options.login, Login::Credentials(file) if file.ends_with("me.creds")));
        let options = Options::from_url("nats://s3cret@host").unwrap();
        assert!(matches!(&options.login, Login::Token(token) if token == "s3cret"));
        assert_eq!(options.address(), "nats://host/forebay");
        assert!(!format!("{options:?}").contains("s3cret"));
    }

    #[test]
    fn what_it_does_not_know_it_refuses() {
        let check = |url: &str, why: &str| {
            let error = Options::from_url(url).unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains("s3cret"), "{url}: {error}");
        };
        check("redis://host", "nats://");
        check("nats://me:s3cret@/shop", "no name");
        check("nats://me:s3cret@host/a.b", "letters");
        check("nats://me:s3cret@host?replica=3", "no option replica");
        check("nats://host?replicas=2", "1, 3 or 5");
        check("nats://host?replicas=many", "no whole number");
        check("nats://host?keep_secs=5", "kept");
        check("nats://host?keep_bytes=5", "bytes");
        check("nats://host?key=/k", "together");
    }
}
