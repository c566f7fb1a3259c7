//! Who may broadcast, and ask for cursors.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use forebay_core::Ends;
use forebay_core::raw::excerpt;
use forebay_core::signing::tokens_match;

use super::answer::answer;

/// Who may broadcast.
#[derive(Clone)]
pub(super) enum Access {
    /// Requests that show one of these tokens.
    Bearer(Vec<String>),
    /// Programs of this machine.
    Loopback,
    /// Everybody who can reach the listener. This is what `broadcast_host` means without a key.
    Anybody,
}

/// Why a request may not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Denied {
    #[error("show the broadcast key: Authorization: Bearer KEY")]
    NoToken,
    #[error("this is not the broadcast key")]
    WrongToken,
    #[error("without a broadcast key only programs of this machine may broadcast")]
    NotLocal,
    #[error("without a broadcast key, name this machine as localhost or by its address")]
    ForeignHost,
    #[error("without a broadcast key no web page and no proxy may broadcast")]
    Relayed,
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        match self {
            Self::NoToken | Self::WrongToken => {
                let mut answer = answer(StatusCode::UNAUTHORIZED, self);
                let bearer = HeaderValue::from_static("Bearer");
                answer.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
                answer
            }
            Self::NotLocal | Self::ForeignHost | Self::Relayed => {
                answer(StatusCode::FORBIDDEN, self)
            }
        }
    }
}

/// A web page can post to this machine, and a proxy's requests come from it. Both show themselves:
/// browsers send `Origin` with every such request.
const RELAYS: [&str; 6] =
    ["origin", "forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

impl Access {
    /// Those, and whoever shows one of these.
    pub(super) fn with(self, more: Vec<String>) -> Self {
        match self {
            Self::Bearer(tokens) => Self::Bearer([tokens, more].concat()),
            other => other,
        }
    }

    /// Whether this request's sender may.
    pub(super) fn check_request(&self, request: &Request) -> Result<(), Denied> {
        let ends = request.extensions().get::<Ends>().copied();
        // Every request has a peer; one without would be nobody that could be let in.
        let allowed =
            ends.map_or(Err(Denied::NotLocal), |ends| self.check(request.headers(), ends));
        allowed.inspect_err(|denied| {
            let peer = ends.map(|ends| tracing::field::display(ends.peer));
            let path = excerpt(request.uri().path());
            tracing::warn!(peer, path, %denied, "publisher refused");
        })
    }

    fn check(&self, headers: &HeaderMap, ends: Ends) -> Result<(), Denied> {
        let tokens = match self {
            Self::Bearer(tokens) => tokens,
            Self::Loopback if !ends.peer.ip().to_canonical().is_loopback() => {
                return Err(Denied::NotLocal);
            }
            // A page's GET has no Origin where the page is of the same host.
            Self::Loopback if ends.are_rebound(headers) => return Err(Denied::ForeignHost),
            Self::Loopback | Self::Anybody => {
                let is_relayed = RELAYS.iter().any(|name| headers.contains_key(*name));
                return if is_relayed { Err(Denied::Relayed) } else { Ok(()) };
            }
        };
        let shown = headers.get(header::AUTHORIZATION).ok_or(Denied::NoToken)?.as_bytes();
        let (scheme, shown) = shown.split_at_checked(7).ok_or(Denied::WrongToken)?;
        // All are compared, so that the time does not tell which one was near.
        let fits = tokens.iter().fold(false, |fits, token| fits | tokens_match(token, shown));
        let is_bearer = scheme.eq_ignore_ascii_case(b"bearer ");
        if is_bearer && fits { Ok(()) } else { Err(Denied::WrongToken) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(access: &Access, peer: &str, header: (&str, &str), expected: Result<(), Denied>) {
        let mut headers = HeaderMap::new();
        let name: http::HeaderName = header.0.parse().unwrap();
        headers.insert(name, header.1.parse().unwrap());
        let local = "127.0.0.1:8090".parse().ok();
        let ends = Ends::new(peer.parse().unwrap(), local);
        assert_eq!(access.check(&headers, ends), expected);
    }

    const LOCAL: &str = "127.0.0.1:5000";
    const REMOTE: &str = "10.0.0.7:5000";
    const NOTHING: (&str, &str) = ("accept", "*/*");

    #[test]
    fn with_a_key_only_the_key_counts() {
        let access = Access::Bearer(vec!["new".into(), "old".into()]);
        check(&access, REMOTE, ("authorization", "Bearer new"), Ok(()));
        check(&access, REMOTE, ("authorization", "bearer old"), Ok(()));
        check(&access, LOCAL, NOTHING, Err(Denied::NoToken));
        for wrong in ["new", "Basic new", "Bearer ", "Bearer", "Bearer newer", "Bearer  new"] {
            check(&access, LOCAL, ("authorization", wrong), Err(Denied::WrongToken));
        }
    }

    #[test]
    fn without_a_key_only_programs_of_this_machine() {
        let access = Access::Loopback;
        check(&access, LOCAL, NOTHING, Ok(()));
        check(&access, "[::1]:5000", NOTHING, Ok(()));
        check(&access, "[::ffff:127.0.0.1]:5000", NOTHING, Ok(()));
        check(&access, REMOTE, NOTHING, Err(Denied::NotLocal));
        check(&access, LOCAL, ("origin", "http://evil.example"), Err(Denied::Relayed));
        check(&access, LOCAL, ("x-forwarded-for", "1.2.3.4"), Err(Denied::Relayed));
        check(&access, LOCAL, ("host", "evil.example:8090"), Err(Denied::ForeignHost));
        check(&access, LOCAL, ("host", "localhost:8090"), Ok(()));
        check(&Access::Anybody, REMOTE, NOTHING, Ok(()));
        check(&Access::Anybody, REMOTE, ("origin", "null"), Err(Denied::Relayed));
    }
}
