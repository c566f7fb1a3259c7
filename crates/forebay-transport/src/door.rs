//! Which requests are let in, by their origin and host. This is decided before the application is asked who
//! the visitor is.

use std::net::{IpAddr, SocketAddr};

use forebay_hub::Refusal;
use http::header::{self, HeaderMap};
use http::uri::Authority;
use http::{StatusCode, request};
use ipnet::IpNet;
use smallvec::SmallVec;

use crate::origins::{Host, Hosts, Origin, Origins, parse_port, split_port};

/// What a proxy calls the host that its own visitor asked for.
const FORWARDED_HOST: &str = "x-forwarded-host";

/// The two ends of the TCP connection that a request came by. An HTTP server that knows them puts this
/// into the request's extensions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Ends {
    /// Who sent it: the visitor, or a proxy.
    pub peer: SocketAddr,
    /// Where it was received, if that is known.
    pub local: Option<SocketAddr>,
}

/// Who is let in by origin and host.
///
/// A page may connect if its origin is one of the [`Origins`], or if it is of the host that the request was
/// sent to. That host is what `Host` says; or `X-Forwarded-Host`, from a proxy that is trusted.
///
/// Somebody else's DNS can point a name of theirs at this machine. Their page is then of the same host (DNS
/// rebinding). Two things are against that. The server may know its hosts, and refuses others. If it knows
/// none, a browser that asks the loopback address directly must name it as nobody else's DNS can: by an
/// address, by `localhost`, or by a host whose pages are let in anyway. The port shows whether it was asked
/// directly, since a proxy on the same machine listens at another one.
#[derive(Clone, Debug, Default)]
pub struct Door {
    origins: Origins,
    hosts: Vec<KnownHost>,
    proxies: Vec<IpNet>,
}

/// A host that the server is known by.
#[derive(Clone, PartialEq, Eq, Debug)]
struct KnownHost {
    hosts: Hosts,
    /// `None` is any port.
    port: Option<u16>,
}

/// Why a host or a proxy can't be configured.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DoorError {
    /// This is not a host.
    #[error("{0:?} is not a host: expected example.com, example.com:8080 or *.example.com")]
    BadHost(String),
    /// This is not an address or a network of a proxy.
    #[error("{0:?} is not an address: expected 10.0.0.7 or 10.0.0.0/8")]
    BadProxy(String),
}

/// Why a request is not let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// There is more than one `Host`, and nobody knows which one counts.
    #[error("the request names more than one host")]
    TwoHosts,
    /// The server is not known by this host.
    #[error("this server is not known by this host; see hosts and allowed origins")]
    ForeignHost,
    /// The page's origin is not let in.
    #[error("this origin is not allowed to connect; see allowed origins")]
    ForeignOrigin,
}

impl Denied {
    /// The HTTP status to answer with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::TwoHosts => StatusCode::BAD_REQUEST,
            Self::ForeignHost | Self::ForeignOrigin => StatusCode::FORBIDDEN,
        }
    }

    pub(crate) const fn refusal(self) -> Refusal {
        match self {
            Self::TwoHosts | Self::ForeignHost => Refusal::Host,
            Self::ForeignOrigin => Refusal::Origin,
        }
    }
}

impl From<Origins> for Door {
    fn from(origins: Origins) -> Self {
        Self { origins, ..Self::default() }
    }
}

impl Door {
    /// Adds a host that the server is known by: `example.com`, `example.com:8080`, `*.example.com`. Once
    /// there is one, requests for other hosts are refused.
    ///
    /// # Errors
    /// [`DoorError::BadHost`].
    pub fn host(mut self, text: &str) -> Result<Self, DoorError> {
        let (host, port) = split_port(text);
        let (hosts, port) = (Hosts::parse(host), port.map(parse_port));
        match (hosts, port) {
            (Some(hosts), None | Some(Some(_))) => {
                self.hosts.push(KnownHost { hosts, port: port.flatten() });
                Ok(self)
            }
            _ => Err(DoorError::BadHost(text.to_owned())),
        }
    }

    /// Adds a proxy whose `X-Forwarded-Host` and `X-Forwarded-For` are believed: an address, or a network.
    ///
    /// # Errors
    /// [`DoorError::BadProxy`].
    pub fn proxy(mut self, text: &str) -> Result<Self, DoorError> {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        let proxy = address.or_else(|_| text.parse());
        self.proxies.push(proxy.map_err(|_| DoorError::BadProxy(text.to_owned()))?);
        Ok(self)
    }

    /// Whether the request is let in.
    pub(crate) fn check(&self, request: &request::Parts) -> Result<(), Denied> {
        let headers = &request.headers;
        let ends = request.extensions.get::<Ends>();
        if headers.get_all(header::HOST).iter().nth(1).is_some() {
            return Err(Denied::TwoHosts);
        }
        let asked = self.asked_hosts(request, ends);
        if !self.is_known(&asked, headers, ends) {
            return Err(Denied::ForeignHost);
        }
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let (Some(origin), None) = (origins.next(), origins.next()) else {
            return if headers.contains_key(header::ORIGIN) {
                Err(Denied::ForeignOrigin)
            } else {
                Ok(())
            };
        };
        let origin = origin.to_str().ok().and_then(Origin::parse);
        let is_allowed = |origin: Origin<'_>| {
            asked.iter().any(|(host, port)| origin.is_of(host, *port))
                || self.origins.allow(&origin)
        };
        if self.origins.is_any() || origin.is_some_and(is_allowed) {
            Ok(())
        } else {
            Err(Denied::ForeignOrigin)
        }
    }

    /// Who asks, for the log: the peer, or whom a trusted proxy names.
    pub(crate) fn client(&self, request: &request::Parts) -> Option<IpAddr> {
        let peer = request.extensions.get::<Ends>()?.peer.ip().to_canonical();
        let named = || {
            let value = request.headers.get_all("x-forwarded-for").iter().next_back()?;
            value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
        };
        let named = if self.trusts(peer) { named() } else { None };
        Some(named.unwrap_or(peer))
    }

    fn trusts(&self, peer: IpAddr) -> bool {
        self.proxies.iter().any(|proxy| proxy.contains(&peer.to_canonical()))
    }

    /// The host that was asked. Proxies in a row may say several.
    fn asked_hosts<'a>(
        &self,
        request: &'a request::Parts,
        ends: Option<&Ends>,
    ) -> SmallVec<[(Host<'a>, Option<u16>); 1]> {
        let forwarded = request.headers.get_all(FORWARDED_HOST).iter();
        if ends.is_some_and(|ends| self.trusts(ends.peer.ip())) {
            let texts = forwarded.filter_map(|value| value.to_str().ok());
            let hosts: SmallVec<_> =
                texts.flat_map(|text| text.split(',')).filter_map(parse).collect();
            if !hosts.is_empty() {
                return hosts;
            }
        }
        let authority = request.uri.authority().map(Authority::as_str);
        let host = || request.headers.get(header::HOST)?.to_str().ok();
        authority.or_else(host).and_then(parse).into_iter().collect()
    }

    fn is_known(
        &self,
        asked: &[(Host<'_>, Option<u16>)],
        headers: &HeaderMap,
        ends: Option<&Ends>,
    ) -> bool {
        if !self.hosts.is_empty() {
            return asked.iter().any(|(host, port)| self.hosts.iter().any(|k| k.fits(host, *port)));
        }
        let is_rebound = ends.is_some_and(|ends| ends.are_rebound(headers));
        !is_rebound || asked.iter().any(|(host, port)| self.origins.allow_host(host, *port))
    }
}

impl KnownHost {
    fn fits(&self, host: &Host<'_>, port: Option<u16>) -> bool {
        self.hosts.fit(host) && (self.port.is_none() || self.port == port)
    }
}

impl Ends {
    /// The sender's end, and ours if it is known.
    pub fn new(peer: SocketAddr, local: Option<SocketAddr>) -> Self {
        Self { peer, local }
    }

    /// Whether a request came directly to the loopback address, by a name that anybody's DNS may point
    /// there.
    pub fn are_rebound(&self, headers: &HeaderMap) -> bool {
        let Some(local) = self.local.filter(|local| local.ip().to_canonical().is_loopback()) else {
            return false;
        };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let Some((host, port)) = host.and_then(parse) else { return false };
        // A browser says the port that it has connected to, unless that is 80.
        port.unwrap_or(80) == local.port() && !host.is_literally_local()
    }
}

fn parse(text: &str) -> Option<(Host<'_>, Option<u16>)> {
    let (host, port) = split_port(text.trim());
    let port = match port {
        None | Some("") => None,
        Some(port) => Some(parse_port(port)?),
    };
    Some((Host::parse(host)?, port))
}

#[cfg(test)]
mod tests;
