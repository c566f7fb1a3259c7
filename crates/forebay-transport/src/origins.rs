//! Which web pages may connect (cross-site WebSocket hijacking): patterns of the `Origin` header.
//!
//! An origin is a scheme, a host and a port (RFC 6454, HTML's "serialization of an origin"). Where the
//! scheme has no usual port, as in `capacitor://localhost`, there is none to compare. `null` is the
//! origin of sandboxed frames and of pages that have none to show.

mod host;

pub(crate) use self::host::Host;

/// The pages that may connect, by their `Origin`, beside those of the server's own host.
///
/// A request without an `Origin` passes. It comes from no page of another host, and a program can send
/// any `Origin` that it likes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Origins {
    any: bool,
    others: Vec<Pattern>,
}

/// An origin that can't be understood, or that no page has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an origin: expected https://host or https://host:port, where the host may begin \
     with *. and the port may be *; another scheme, as in capacitor://localhost or \
     moz-extension://*; or null"
)]
pub struct OriginsError(String);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    /// `null`: pages that have no origin to show.
    Null,
    Tuple {
        scheme: String,
        hosts: Hosts,
        port: Port,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hosts {
    Any,
    One(Host<'static>),
    SubdomainsOf(Host<'static>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Port {
    Any,
    /// `None` where the scheme has no usual one and none is said.
    One(Option<u16>),
}

/// What a request's `Origin` says.
#[derive(Debug)]
pub(crate) enum Origin<'a> {
    Null,
    Tuple { scheme: &'a str, host: Host<'a>, port: Option<u16> },
}

impl Origins {
    /// Pages of the same host and port as the request. The default.
    pub fn same() -> Self {
        Self::default()
    }

    /// All pages. Only for applications that give cookies no meaning.
    pub fn any() -> Self {
        Self { any: true, others: Vec::new() }
    }

    /// Lets pages of one more origin in: `https://app.example.com`, `https://*.example.com`,
    /// `http://localhost:*`; apps and browser extensions, `capacitor://localhost`,
    /// `chrome-extension://their-id`, `moz-extension://*`.
    ///
    /// `null` lets pages in that have no origin to show. Anybody can make such a page, by putting it into a
    /// sandboxed frame. As with [`any`](Self::any), give cookies no meaning then.
    ///
    /// # Errors
    /// [`OriginsError`] if it isn't an origin, or if no page has it.
    pub fn and(mut self, origin: &str) -> Result<Self, OriginsError> {
        let pattern = Pattern::parse(origin).ok_or_else(|| OriginsError(origin.to_owned()))?;
        self.others.push(pattern);
        Ok(self)
    }

    pub(crate) fn is_any(&self) -> bool {
        self.any
    }

    /// Whether pages of this origin are let in, wherever they connect to.
    pub(crate) fn allow(&self, origin: &Origin<'_>) -> bool {
        self.any || self.others.iter().any(|pattern| pattern.fits(origin))
    }

    /// Whether pages of this host are, if it is the server's own name.
    pub(crate) fn allow_host(&self, host: &Host<'_>, port: Option<u16>) -> bool {
        let allow = |scheme| {
            let port = port.or_else(|| usual_port(scheme));
            self.allow(&Origin::Tuple { scheme, host: host.clone(), port })
        };
        allow("http") || allow("https")
    }
}

impl<'a> Origin<'a> {
    /// `None` if this is not how an origin is written.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        if text == "null" {
            return Some(Self::Null);
        }
        let (scheme, authority) = split_scheme(text)?;
        let (host, port) = split_port(authority);
        // Chromium says `file://` where others say `null`; no other origin lacks a host.
        let is_file = scheme.eq_ignore_ascii_case("file") && host.is_empty();
        let host = if is_file { Host::none() } else { Host::parse(host)? };
        let port = match port {
            None => usual_port(scheme),
            Some(port) => Some(parse_port(port)?),
        };
        Some(Self::Tuple { scheme, host, port })
    }

    /// Whether pages with this origin are of this host. The scheme is not compared, since a proxy that
    /// ends TLS hides it. It only says which port is meant where none is named.
    pub(crate) fn is_of(&self, other: &Host<'_>, other_port: Option<u16>) -> bool {
        let Self::Tuple { scheme, host, port } = self else { return false };
        let usual = usual_port(scheme);
        usual.is_some() && host == other && *port == other_port.or(usual)
    }
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        if text == "null" {
            return Some(Self::Null);
        }
        let (scheme, authority) = split_scheme(text)?;
        let scheme = scheme.to_ascii_lowercase();
        // Pages have these schemes' origins nowhere: whoever writes them means http and https.
        if matches!(&*scheme, "ws" | "wss") {
            return None;
        }
        let (host, port) = split_port(authority);
        let hosts = match host {
            // What an extension of Firefox is called differs from browser to browser.
            "*" if usual_port(&scheme).is_none() => Hosts::Any,
            "" if scheme == "file" => Hosts::One(Host::none()),
            host => Hosts::parse(host)?,
        };
        let port = match port {
            Some("*") => Port::Any,
            Some(port) => Port::One(Some(parse_port(port)?)),
            None => Port::One(usual_port(&scheme)),
        };
        Some(Self::Tuple { scheme, hosts, port })
    }

    fn fits(&self, origin: &Origin<'_>) -> bool {
        let (Self::Tuple { scheme, hosts, port }, Origin::Tuple { scheme: s, host: h, port: p }) =
            (self, origin)
        else {
            return matches!((self, origin), (Self::Null, Origin::Null));
        };
        let port_fits = match port {
            Port::Any => p.is_some(),
            Port::One(port) => p == port,
        };
        scheme.eq_ignore_ascii_case(s) && hosts.fit(h) && port_fits
    }
}

impl Hosts {
    /// One host, or `*.` and the host whose subdomains are meant.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("*.") {
            None => Some(Self::One(Host::parse(text)?.into_owned())),
            Some(host) => {
                let host = Host::parse(host).filter(Host::has_subdomains)?;
                Some(Self::SubdomainsOf(host.into_owned()))
            }
        }
    }

    pub(crate) fn fit(&self, host: &Host<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::One(one) => host == one,
            Self::SubdomainsOf(one) => host.is_subdomain_of(one),
        }
    }
}

/// A scheme, and what is behind it.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(plain);
    valid.then_some((scheme, rest))
}

/// Splits a host's port off, if there is one.
pub(crate) fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// As browsers write it: digits, from 1 to 65535.
pub(crate) fn parse_port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

fn usual_port(scheme: &str) -> Option<u16> {
    let is = |other| scheme.eq_ignore_ascii_case(other);
    if is("https") { Some(443) } else { is("http").then_some(80) }
}

#[cfg(test)]
mod tests;
