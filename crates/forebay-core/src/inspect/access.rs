//! Who may see what is recorded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forebay_signing::tokens_match;
use forebay_transport::Ends;
use http::request::Parts;
use http::uri::Authority;
use http::{StatusCode, header};

use super::Inspect;

/// Why somebody may not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Denied {
    #[error("show the inspector's key: Authorization: Bearer KEY, or as the password")]
    NoKey,
    #[error("this is not the inspector's key")]
    WrongKey,
    #[error(
        "without a key only this machine may inspect, by the name localhost or its address; set one with Inspect::with_key"
    )]
    NotLocal,
    #[error("pages report to a server without a key only, or where Inspect::reports says so")]
    NoReports,
}

impl Denied {
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::NoKey | Self::WrongKey => StatusCode::UNAUTHORIZED,
            Self::NotLocal | Self::NoReports => StatusCode::FORBIDDEN,
        }
    }
}

/// What a proxy adds: behind one, whoever asks is not known to be this machine.
const RELAYS: [&str; 5] = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

impl Inspect {
    pub(crate) fn takes_reports(&self) -> bool {
        self.takes_reports
    }

    pub(super) fn may_read(&self, request: &Parts) -> Result<(), Denied> {
        match &self.key {
            Some(key) => shows(key, request),
            None if is_local(request) => Ok(()),
            None => Err(Denied::NotLocal),
        }
    }

    /// That they are of a page that may connect is checked as well.
    pub(super) fn may_report(&self, request: &Parts) -> Result<(), Denied> {
        match self.key {
            _ if !self.takes_reports => Err(Denied::NoReports),
            None if !is_local(request) => Err(Denied::NotLocal),
            _ => Ok(()),
        }
    }
}

fn shows(key: &str, request: &Parts) -> Result<(), Denied> {
    let shown = request.headers.get(header::AUTHORIZATION).ok_or(Denied::NoKey)?;
    let shown = shown.to_str().map_err(|_| Denied::WrongKey)?;
    let (scheme, shown) = shown.split_once(' ').ok_or(Denied::WrongKey)?;
    let fits = if scheme.eq_ignore_ascii_case("basic") {
        let decoded = STANDARD.decode(shown.trim()).map_err(|_| Denied::WrongKey)?;
        let password = decoded.iter().position(|byte| *byte == b':').map(|at| &decoded[at + 1..]);
        password.is_some_and(|password| tokens_match(key, password))
    } else {
        scheme.eq_ignore_ascii_case("bearer") && tokens_match(key, shown)
    };
    if fits { Ok(()) } else { Err(Denied::WrongKey) }
}

/// Whether a request is of this machine, by a name that nobody's DNS can point here.
fn is_local(request: &Parts) -> bool {
    let ends = request.extensions.get::<Ends>();
    let is_of_this_machine = ends.is_none_or(|ends| ends.peer.ip().to_canonical().is_loopback());
    let is_relayed = RELAYS.iter().any(|name| request.headers.contains_key(*name));
    let host = request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri.authority().map(Authority::as_str));
    is_of_this_machine && !is_relayed && host.is_some_and(is_loopback_name)
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_localhost =
        name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost");
    is_localhost || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)], peer: Option<&str>) -> Parts {
        let mut request = http::Request::get("/forebay/inspect/why");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(peer) = peer {
            request = request.extension(Ends::new(peer.parse().unwrap(), None));
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn without_a_key_only_this_machine_may_by_its_own_name() {
        let inspect = Inspect::development();
        let check = |headers: &[(&str, &str)], peer, expected| {
            let request = request(headers, peer);
            assert_eq!(inspect.may_read(&request).is_ok(), expected, "{headers:?} {peer:?}");
            assert_eq!(inspect.may_report(&request).is_ok(), expected, "{headers:?} {peer:?}");
        };
        check(&[("host", "localhost:3000")], Some("127.0.0.1:9"), true);
        check(&[("host", "app.localhost")], None, true);
        check(&[("host", "[::1]:3000")], Some("[::1]:9"), true);
        check(&[("host", "127.0.0.1")], Some("[::ffff:127.0.0.1]:9"), true);
        check(&[("host", "localhost")], Some("10.0.0.7:9"), false);
        check(&[("host", "evil.example")], Some("127.0.0.1:9"), false);
        check(&[("host", "localhost.evil.example")], Some("127.0.0.1:9"), false);
        check(&[("host", "localhost"), ("x-forwarded-for", "1.2.3.4")], None, false);
        check(&[], None, false);
    }

    #[test]
    fn with_a_key_only_the_key_counts_and_pages_do_not_report() {
        let inspect = Inspect::with_key("s3cret");
        let check = |authorization: Option<&str>, expected| {
            let mut headers = vec![("host", "localhost")];
            headers.extend(authorization.map(|value| ("authorization", value)));
            assert_eq!(inspect.may_read(&request(&headers, None)), expected, "{authorization:?}");
        };
        check(Some("Bearer s3cret"), Ok(()));
        check(Some(&format!("Basic {}", STANDARD.encode("me:s3cret"))), Ok(()));
        check(None, Err(Denied::NoKey));
        for wrong in ["Bearer other", "Bearer ", "s3cret", "Basic s3cret", "Digest s3cret"] {
            check(Some(wrong), Err(Denied::WrongKey));
        }
        let local = request(&[("host", "localhost")], None);
        assert_eq!(inspect.may_report(&local), Err(Denied::NoReports));
        assert_eq!(inspect.reports(true).may_report(&local), Ok(()));
        assert_eq!(Inspect::with_key("").may_read(&local), Err(Denied::NoKey));
    }
}
