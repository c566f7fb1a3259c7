//! Which web pages may open a connection (cross-site WebSocket hijacking).

use http::uri::Authority;
use http::{HeaderMap, Uri, header};

/// The pages, by their `Origin`, that are let in. A request without an `Origin` comes from no
/// browser and passes: what a page may not do, a program on its own can do anyway.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Origins {
    any: bool,
    others: Vec<Pattern>,
}

/// An origin that can't be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an origin: expected https://host or https://host:port, where the host may begin with *."
)]
pub struct OriginsError(String);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    scheme: String,
    subdomains: bool,
    host: String,
    port: Option<String>,
}

impl Origins {
    /// Pages of the same host and port as the request. The default.
    pub fn same() -> Self {
        Self::default()
    }

    /// Pages of anywhere. Only where no cookie means anything to the application.
    pub fn any() -> Self {
        Self { any: true, others: Vec::new() }
    }

    pub(crate) fn is_any(&self) -> bool {
        self.any
    }

    /// Lets pages of one more origin in: `https://app.example.com`, `https://*.example.com`,
    /// `http://localhost:*`.
    ///
    /// # Errors
    /// [`OriginsError`] if it isn't an origin.
    pub fn and(mut self, origin: &str) -> Result<Self, OriginsError> {
        let pattern = Pattern::parse(origin).ok_or_else(|| OriginsError(origin.to_owned()))?;
        self.others.push(pattern);
        Ok(self)
    }

    /// Whether a request with these headers is let in.
    ///
    /// The request's own host is `Host` (in HTTP/2 the URI's authority), or `X-Forwarded-Host`
    /// behind a proxy: a page can set none of them. The scheme is not compared for the same host, since a proxy that ends TLS hides
    /// it.
    pub fn allow(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        if self.any {
            return true;
        }
        let Some(origin) = origin.to_str().ok().and_then(Origin::parse) else { return false };
        let hosts = [headers.get(header::HOST), headers.get("x-forwarded-host")];
        let hosts = hosts.into_iter().flatten().filter_map(|host| host.to_str().ok());
        let mut hosts = hosts.chain(uri.authority().map(Authority::as_str));
        hosts.any(|host| origin.is_of(host)) || self.others.iter().any(|other| other.fits(&origin))
    }
}

struct Origin<'a> {
    scheme: &'a str,
    host: &'a str,
    port: &'a str,
}

impl<'a> Origin<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let (host, port) = split_port(authority);
        let port = port.or(default_port(scheme))?;
        Some(Self { scheme, host, port })
    }

    fn is_of(&self, authority: &str) -> bool {
        let (host, port) = split_port(authority.trim());
        let port = port.unwrap_or_else(|| default_port(self.scheme).unwrap_or_default());
        host.eq_ignore_ascii_case(self.host) && port == self.port
    }
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let (host, port) = split_port(authority);
        let port = match port.or(default_port(scheme))? {
            "*" => None,
            port => Some(port.parse::<u16>().ok()?.to_string()),
        };
        let (subdomains, host) = match host.strip_prefix("*.") {
            Some(host) => (true, host),
            None => (false, host),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
        let valid = !host.is_empty() && host.chars().all(plain);
        let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
        valid.then_some(Self { scheme, subdomains, host, port })
    }

    fn fits(&self, origin: &Origin<'_>) -> bool {
        let host = origin.host.to_ascii_lowercase();
        let host_fits = match host.strip_suffix(&self.host) {
            Some("") => !self.subdomains,
            Some(rest) => self.subdomains && rest.ends_with('.') && rest.len() > 1,
            None => false,
        };
        host_fits
            && self.scheme.eq_ignore_ascii_case(origin.scheme)
            && self.port.as_ref().is_none_or(|port| port == origin.port)
    }
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn default_port(scheme: &str) -> Option<&'static str> {
    match scheme {
        "http" => Some("80"),
        "https" => Some("443"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(origins: &Origins, origin: &str, host: &str, expected: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        headers.insert(header::HOST, host.parse().unwrap());
        assert_eq!(origins.allow(&Uri::default(), &headers), expected, "{origin} at {host}");
    }

    #[test]
    fn the_same_host_and_port() {
        let same = Origins::same();
        check(&same, "http://localhost:3000", "localhost:3000", true);
        check(&same, "http://localhost:3001", "localhost:3000", false);
        check(&same, "https://example.com", "example.com", true);
        check(&same, "https://example.com", "example.com:443", true);
        check(&same, "https://EXAMPLE.com:443", "example.com", true);
        check(&same, "https://example.com.evil.org", "example.com", false);
        check(&same, "https://evil.org", "example.com", false);
        check(&same, "http://[::1]:3000", "[::1]:3000", true);
        check(&same, "http://[::1]", "[::1]", true);
        check(&same, "null", "example.com", false);
        check(&same, "file://", "", false);
        check(&Origins::any(), "https://evil.org", "example.com", true);
    }

    #[test]
    fn behind_a_proxy_and_without_a_browser() {
        let mut headers = HeaderMap::new();
        let allows = |headers: &HeaderMap| Origins::same().allow(&Uri::default(), headers);
        assert!(allows(&headers));
        headers.insert(header::ORIGIN, "https://example.com".parse().unwrap());
        let http2 = Uri::from_static("https://example.com/cable");
        assert!(!allows(&headers) && Origins::same().allow(&http2, &headers));
        headers.insert(header::HOST, "10.0.0.1:8080".parse().unwrap());
        assert!(!allows(&headers));
        headers.insert("x-forwarded-host", "example.com".parse().unwrap());
        assert!(allows(&headers));
    }

    #[test]
    fn others_by_name_subdomain_and_port() {
        let origins = Origins::same().and("https://app.example.com").unwrap();
        let origins = origins.and("https://*.example.org").unwrap();
        let origins = origins.and("http://localhost:*").unwrap();
        check(&origins, "https://app.example.com", "h", true);
        check(&origins, "http://app.example.com", "h", false);
        check(&origins, "https://a.b.example.org", "h", true);
        check(&origins, "https://example.org", "h", false);
        check(&origins, "https://evilexample.org", "h", false);
        check(&origins, "http://localhost:5173", "h", true);
        for bad in ["example.com", "https://", "https://*", "https://a/b", "https://a:x", ""] {
            assert!(Origins::same().and(bad).is_err(), "{bad}");
        }
    }
}
