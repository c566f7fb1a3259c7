//! Where the server is, and what it keeps.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use forebay_shared::{KEEP, KEEP_BYTES, UrlError};
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{
    Client, IntoConnectionInfo as _, RedisConnectionInfo, RedisError, TlsCertificates, TlsMode,
};
use url::Url;

/// Where the server is, and what it keeps. [`from_url`](Self::from_url) reads it.
#[derive(Clone)]
pub struct Options {
    server: Server,
    /// What is before the `:` of all keys.
    pub(crate) name: String,
    pub(crate) keep: Duration,
    pub(crate) keep_bytes: u64,
    authority: Option<PathBuf>,
}

#[derive(Clone)]
enum Server {
    At(Url),
    /// Whom Sentinels name.
    Sentinels {
        at: Vec<Url>,
        service: String,
        node: RedisConnectionInfo,
        has_tls: bool,
    },
}

/// Without the password.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Redis").field(&self.address()).finish()
    }
}

impl Options {
    /// Reads one of
    ///
    /// - `redis://user:password@host:6379/0`, or `rediss://…` for TLS;
    /// - `redis+sentinel://user:password@host:26379,host2:26379/service/0`, or `rediss+sentinel://…`. The user is
    ///   the server's. Sentinels have none.
    ///
    /// with `?name=forebay` (keys begin with it, and a `:`), `&keep=600` (seconds), `&keep_bytes=268435456`, and
    /// `&ca=/path/to/ca.pem`, the authority of a server's certificate. Without it the system's are taken.
    ///
    /// # Errors
    /// [`UrlError`] says what is wrong.
    pub fn from_url(text: &str) -> Result<Self, UrlError> {
        let fail = |what: String| UrlError(what);
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| fail("it has no scheme".to_owned()))?;
        let has_tls = scheme.starts_with("rediss");
        let (plain, is_watched) = match scheme {
            "redis" | "rediss" => (text.to_owned(), false),
            "redis+sentinel" | "rediss+sentinel" => (format!("redis://{rest}"), true),
            _ => return Err(fail(format!("its scheme is {scheme:?}: expected redis or rediss"))),
        };
        // One host stands for all of them: the list is read beside it.
        let hosts = plain[8..].split(['/', '?']).next().unwrap_or_default();
        let hosts: Vec<_> = hosts.rsplit('@').next().unwrap_or_default().split(',').collect();
        let single = match hosts.as_slice() {
            [_] => plain.clone(),
            [first, ..] if is_watched => plain.replacen(&hosts.join(","), first, 1),
            _ => {
                return Err(fail(
                    "it names several servers: only Sentinels are several".to_owned(),
                ));
            }
        };
        let mut url = Url::parse(&single).map_err(|error| fail(error.to_string()))?;
        let mut options = Self {
            server: Server::At(url.clone()),
            name: "forebay".to_owned(),
            keep: KEEP,
            keep_bytes: KEEP_BYTES,
            authority: None,
        };
        for (key, value) in url.clone().query_pairs() {
            let number = || {
                value
                    .parse::<u64>()
                    .map_err(|_| fail(format!("{key} is {value:?}: expected a number")))
            };
            match &*key {
                "name" if is_name(&value) => options.name = value.into_owned(),
                "name" => return Err(fail(format!("name is {value:?}: letters, digits, - and _"))),
                "keep" => options.keep = Duration::from_secs(number()?),
                "keep_bytes" => options.keep_bytes = number()?,
                "ca" => options.authority = Some(PathBuf::from(value.into_owned())),
                _ => {
                    return Err(fail(format!(
                        "{key:?} is no option: name, keep, keep_bytes, ca are"
                    )));
                }
            }
        }
        url.set_query(None);
        if !is_watched {
            options.server = Server::At(url);
            return Ok(options);
        }
        let path = url.path().trim_start_matches('/').to_owned();
        let (service, database) = path.split_once('/').unwrap_or((&path, "0"));
        if service.is_empty() {
            return Err(fail(
                "it names no service: redis+sentinel://host:26379/service".to_owned(),
            ));
        }
        url.set_path(database);
        let node = url.as_str().into_connection_info().map_err(|error| fail(error.to_string()))?;
        let at = hosts.iter().map(|host| {
            let host =
                if host.contains(':') { (*host).to_owned() } else { format!("{host}:26379") };
            Url::parse(&format!("redis://{host}")).map_err(|error| fail(error.to_string()))
        });
        options.server = Server::Sentinels {
            at: at.collect::<Result<_, _>>()?,
            service: service.to_owned(),
            node: node.redis_settings().clone(),
            has_tls,
        };
        Ok(options)
    }

    /// How long groups are kept at the least. Default 10 minutes: a node that begins has then all that pages of the
    /// last minutes may ask for.
    pub fn keep(mut self, keep: Duration) -> Self {
        self.keep = keep;
        self
    }

    /// Bytes of groups that are kept. Default 256 MiB, as much as a node keeps in its memory. Past it the oldest
    /// go, however new they are.
    pub fn keep_bytes(mut self, bytes: u64) -> Self {
        self.keep_bytes = bytes;
        self
    }

    /// Where it is, without a password.
    pub(crate) fn address(&self) -> String {
        let place = |url: &Url| {
            format!("{}:{}", url.host_str().unwrap_or_default(), url.port().unwrap_or(6_379))
        };
        match &self.server {
            Server::At(url) => format!("{}://{}{}", url.scheme(), place(url), url.path()),
            Server::Sentinels { at, service, .. } => {
                let all: Vec<_> = at.iter().map(place).collect();
                format!("redis+sentinel://{}/{service}", all.join(","))
            }
        }
    }

    /// The server that is to be asked now.
    pub(crate) async fn client(&self) -> Result<Client, RedisError> {
        // An application may have two libraries for TLS, and have chosen none.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        match &self.server {
            Server::At(url) => {
                let root_cert = self.authority.as_ref().map(std::fs::read).transpose()?;
                if root_cert.is_none() {
                    return Client::open(url.as_str());
                }
                let tls = TlsCertificates { client_tls: None, root_cert };
                Client::build_with_tls(url.as_str(), tls)
            }
            Server::Sentinels { at, service, node, has_tls } => {
                let info = SentinelNodeConnectionInfo::default();
                let info = info.set_redis_connection_info(node.clone());
                let info = if *has_tls { info.set_tls_mode(TlsMode::Secure) } else { info };
                let at = at.iter().map(Url::as_str).collect();
                let master = SentinelServerType::Master;
                SentinelClient::build(at, service, Some(info), master)?.async_get_client().await
            }
        }
    }
}

fn is_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_where_it_is_and_passwords_are_not_told() {
        let check = |url: &str, address: &str| {
            let options = Options::from_url(url).unwrap();
            assert_eq!(options.address(), address, "{url}");
            assert!(!format!("{options:?}").contains("secret"), "{options:?}");
        };
        check("redis://localhost", "redis://localhost:6379");
        check("rediss://me:secret@a.example:7000/3?keep=60", "rediss://a.example:7000/3");
        let sentinels = "redis+sentinel://me:secret@a:1,b:26379/main/2?name=chat";
        check(sentinels, "redis+sentinel://a:1,b:26379/main");
        assert_eq!(Options::from_url(sentinels).unwrap().name, "chat");
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said() {
        let check = |url: &str, part: &str| {
            let error = Options::from_url(url).unwrap_err().to_string();
            assert!(error.contains(part), "{url}: {error}");
        };
        check("localhost", "scheme");
        check("http://localhost", "http");
        check("redis://a,b", "several");
        check("redis://localhost?keep=soon", "a number");
        check("redis://localhost?kept=1", "no option");
        check("redis://localhost?name=a:b", "letters");
        check("redis+sentinel://localhost", "service");
    }
}
