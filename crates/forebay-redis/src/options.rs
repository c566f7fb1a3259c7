//! Where the server is, and what it keeps.

use std::fmt;
use std::time::Duration;

use forebay_shared::{Settings, UrlError, UrlOption, UrlOptions};
use redis::{ConnectionAddr, IntoConnectionInfo as _, RedisConnectionInfo};
use url::Url;

/// Where the server is, and what it keeps. [`from_url`](Self::from_url) reads it.
#[derive(Clone)]
pub struct Options {
    pub(crate) server: Server,
    pub(crate) has_tls: bool,
    pub(crate) settings: Settings,
}

#[derive(Clone)]
pub(crate) enum Server {
    At(Url),
    /// Whom Sentinels name.
    Sentinels(Sentinels),
}

#[derive(Clone)]
pub(crate) struct Sentinels {
    pub(crate) at: Vec<ConnectionAddr>,
    /// For the Sentinels themselves.
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) have_tls: bool,
    pub(crate) service: String,
    /// User, password and database of the server.
    pub(crate) node: RedisConnectionInfo,
}

/// Without the password.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Redis").field(&self.address()).finish()
    }
}

impl Options {
    /// What a URL may say behind its `?`.
    pub const URL_OPTIONS: &[UrlOption] = &[
        UrlOption::NAME,
        UrlOption::KEEP,
        UrlOption::KEEP_BYTES,
        UrlOption::CA,
        UrlOption::CERTIFICATE,
        UrlOption::KEY,
        UrlOption::new("sentinel_user", "", "the user that Sentinels know, if they know users"),
        UrlOption::new("sentinel_password", "", "the password that Sentinels ask for"),
        UrlOption::new(
            "sentinel_tls",
            "as the server",
            "`yes` or `no`: whether Sentinels are spoken to with TLS",
        ),
    ];

    /// Reads one of
    ///
    /// - `redis://user:password@host:6379/0`, or `rediss://…` for TLS;
    /// - `redis+sentinel://user:password@host:26379,host2:26379/service/0`, or `rediss+sentinel://…`. User and
    ///   password are the server's; Sentinels may have their own.
    ///
    /// with the options of [`URL_OPTIONS`](Self::URL_OPTIONS).
    ///
    /// # Errors
    /// [`UrlError`] says what is wrong.
    pub fn from_url(text: &str) -> Result<Self, UrlError> {
        let (place, given) = UrlOptions::read(text, Self::URL_OPTIONS)?;
        let settings = given.settings()?;
        let Some((scheme, rest)) = place.split_once("://") else {
            return fail("it has no scheme");
        };
        let has_tls = scheme.starts_with("rediss");
        let server = match scheme {
            "redis" | "rediss" => at(place)?,
            "redis+sentinel" | "rediss+sentinel" => sentinels(rest, has_tls, &given)?,
            _ => return fail(&format!("its scheme is {scheme:?}: expected redis or rediss")),
        };
        let sentinels_only = Self::URL_OPTIONS.iter().map(|option| option.name);
        let mut sentinels_only = sentinels_only.filter(|name| name.starts_with("sentinel_"));
        let is_said = sentinels_only.find(|name| given.get(name).is_some());
        if let (Server::At(_), Some(name)) = (&server, is_said) {
            return fail(&format!("{name} is for redis+sentinel:// and rediss+sentinel://"));
        }
        let speaks_tls = match &server {
            Server::At(_) => has_tls,
            Server::Sentinels(sentinels) => has_tls || sentinels.have_tls,
        };
        if !speaks_tls && (settings.authority.is_some() || settings.certificate.is_some()) {
            return fail("ca, certificate and key are for TLS: expected rediss://");
        }
        Ok(Self { server, has_tls, settings })
    }

    /// How long groups are kept at the least. Default 10 minutes: a node that begins has then all that pages of the
    /// last minutes may ask for.
    pub fn keep(mut self, keep: Duration) -> Self {
        self.settings.keep = keep;
        self
    }

    /// Bytes of groups that are kept. Default 256 MiB, as much as a node keeps in its memory. Past it the oldest
    /// go, however new they are.
    pub fn keep_bytes(mut self, bytes: u64) -> Self {
        self.settings.keep_bytes = bytes;
        self
    }

    /// Where it is, without a password.
    pub(crate) fn address(&self) -> String {
        match &self.server {
            Server::At(url) => {
                let (host, port) =
                    (url.host_str().unwrap_or_default(), url.port().unwrap_or(6_379));
                format!("{}://{host}:{port}{}", url.scheme(), url.path())
            }
            Server::Sentinels(Sentinels { at, service, .. }) => {
                let scheme = if self.has_tls { "rediss" } else { "redis" };
                let all: Vec<_> = at.iter().map(ToString::to_string).collect();
                format!("{scheme}+sentinel://{}/{service}", all.join(","))
            }
        }
    }
}

fn fail<T>(what: &str) -> Result<T, UrlError> {
    Err(UrlError(what.to_owned()))
}

/// Whoever knows the rules of URLs is asked. It does not repeat what it has read.
fn unreadable(error: impl fmt::Display) -> UrlError {
    UrlError(error.to_string())
}

fn at(place: &str) -> Result<Server, UrlError> {
    let url = Url::parse(place).map_err(unreadable)?;
    if url.host_str().is_some_and(|host| host.contains(',')) {
        return fail("it names several servers: only Sentinels are several");
    }
    url.as_str().into_connection_info().map_err(unreadable)?;
    Ok(Server::At(url))
}

/// One host stands for all of them: `user:password@host,host2/service/0` is no URL.
fn sentinels(rest: &str, has_tls: bool, given: &UrlOptions) -> Result<Server, UrlError> {
    let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, hosts) =
        place.rsplit_once('@').map_or(("", place), |(login, hosts)| (login, hosts));
    let (service, database) = path.split_once('/').unwrap_or((path, "0"));
    if service.is_empty() {
        return fail("it names no service: redis+sentinel://host:26379/service");
    }
    let node = format!("redis://{login}@sentinel/{database}").into_connection_info();
    let node = node.map_err(unreadable)?.redis_settings().clone();
    let (user, password) = (given.get("sentinel_user"), given.get("sentinel_password"));
    if user.is_some() && password.is_none() {
        return fail("sentinel_user needs a sentinel_password");
    }
    let have_tls = match given.get("sentinel_tls") {
        None => has_tls,
        Some("yes") => true,
        Some("no") => false,
        Some(_) => return fail("sentinel_tls can be yes or no"),
    };
    let scheme = if have_tls { "rediss" } else { "redis" };
    let at = hosts.split(',').map(|host| {
        let is_whole = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let port = if is_whole { "" } else { ":26379" };
        let info = format!("{scheme}://{host}{port}").into_connection_info();
        info.map(|info| info.addr().clone()).map_err(unreadable)
    });
    Ok(Server::Sentinels(Sentinels {
        at: at.collect::<Result<_, _>>()?,
        user: user.map(str::to_owned),
        password: password.map(str::to_owned),
        have_tls,
        service: service.to_owned(),
        node,
    }))
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
        check("rediss://me:secret@a.example:7000/3?keep=600", "rediss://a.example:7000/3");
        let sentinels =
            "redis+sentinel://me:secret@a:1,b/main/2?name=chat&sentinel_password=secret";
        check(sentinels, "redis+sentinel://a:1,b:26379/main");
        assert_eq!(Options::from_url(sentinels).unwrap().settings.name, "chat");
    }

    #[test]
    fn sentinels_have_a_login_and_tls_of_their_own() {
        let read = |url: &str| match Options::from_url(url).unwrap().server {
            Server::Sentinels(sentinels) => sentinels,
            Server::At(url) => panic!("{url}"),
        };
        let url =
            "rediss+sentinel://me:a%40b@a,[::1]:7/main/2?sentinel_user=you&sentinel_password=c%26d";
        let all = read(url);
        assert_eq!((all.node.username(), all.node.password()), (Some("me"), Some("a@b")));
        assert_eq!((all.user.as_deref(), all.password.as_deref()), (Some("you"), Some("c&d")));
        assert_eq!((all.node.db(), all.at.len(), all.have_tls), (2, 2, true));
        assert!(
            matches!(&all.at[0], ConnectionAddr::TcpTls { host, port: 26_379, .. } if host == "a")
        );
        assert!(
            matches!(&all.at[1], ConnectionAddr::TcpTls { host, port: 7, .. } if host == "::1")
        );
        assert!(!read(&format!("{url}&sentinel_tls=no")).have_tls);
        let plain = read("redis+sentinel://a/main");
        assert_eq!((plain.node.username(), plain.user, plain.have_tls), (None, None, false));
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said() {
        let check = |url: &str, part: &str| {
            let error = Options::from_url(url).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("hunter2"), "{url}: {error}");
        };
        check("localhost", "scheme");
        check("http://localhost", "http");
        check("redis://a,b", "several");
        check("redis://localhost?keep=soon", "no whole number");
        check("redis://localhost?kept=1", "no option");
        check("redis://localhost?name=a:b", "letters");
        check("redis://me:hunter2@localhost/x", "atabase");
        check("redis+sentinel://localhost", "service");
        check("redis+sentinel://a/s?sentinel_user=me", "sentinel_password");
        check("redis+sentinel://a/s?sentinel_password=hunter2&sentinel_tls=maybe", "yes or no");
        check("redis://a?sentinel_password=hunter2", "redis+sentinel://");
        check("redis://a?ca=/ca.pem", "rediss://");
    }

    #[test]
    fn the_documentation_has_the_options() {
        let table = UrlOption::table(Options::URL_OPTIONS);
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/log-redis.md");
        let page = std::fs::read_to_string(page).unwrap();
        assert!(page.contains(&table), "docs/log-redis.md needs this table:\n{table}");
    }
}
