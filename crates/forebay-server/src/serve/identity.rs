//! Who a visitor is, as the proxy in front says in a header (`identity_header`).
//!
//! A header that is there twice is the proxy's and the visitor's own, and nobody can say which is which:
//! such a request is refused before anything else happens.

use std::net::SocketAddr;

use axum::http::{HeaderMap, HeaderName};
use forebay_core::Identity;

/// The header's name.
#[derive(Clone, Debug)]
pub(super) struct IdentityHeader(HeaderName);

/// Why a request does not say who its visitor is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Unclear {
    #[error("the header with the visitor's name is there more than once")]
    Twice,
    #[error("the header with the visitor's name has characters that are not ASCII")]
    NotText,
}

impl IdentityHeader {
    /// `None` if no header can be called so.
    pub(super) fn new(name: &str) -> Option<Self> {
        name.parse().ok().map(Self)
    }

    /// Without the header, or with an empty one, the visitor is nobody in particular.
    pub(super) fn read(&self, headers: &HeaderMap) -> Result<Identity, Unclear> {
        let mut values = headers.get_all(&self.0).iter();
        let Some(value) = values.next() else { return Ok(Identity::anonymous()) };
        if values.next().is_some() {
            return Err(Unclear::Twice);
        }
        match value.to_str() {
            Ok("") => Ok(Identity::anonymous()),
            Ok(name) => Ok(Identity::named(name)),
            Err(_) => Err(Unclear::NotText),
        }
    }

    /// Reads the header, and logs a request that is to be refused because of it.
    pub(super) fn check(
        &self,
        headers: &HeaderMap,
        peer: Option<SocketAddr>,
    ) -> Result<(), Unclear> {
        let identity = self.read(headers).map(drop);
        identity.inspect_err(|error| {
            let (peer, header) = (peer.map(tracing::field::display), self.0.as_str());
            tracing::warn!(peer, header, %error, "request refused: the proxy must take this header away from visitors");
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_header_says_who_it_is_and_two_say_nothing() {
        let header = IdentityHeader::new("X-Forebay-User").unwrap();
        let check = |values: &[&[u8]], expected: Result<Option<&str>, Unclear>| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-forebay-user", value.to_vec().try_into().unwrap());
            }
            let identity = header.read(&headers);
            assert_eq!(identity.as_ref().map(Identity::name), expected.as_ref().copied());
        };
        check(&[], Ok(None));
        check(&[b""], Ok(None));
        check(&[b"user:7"], Ok(Some("user:7")));
        check(&[b"user:7", b"user:8"], Err(Unclear::Twice));
        check(&[b"user:7", b"user:7"], Err(Unclear::Twice));
        check(&[b"", b"user:7"], Err(Unclear::Twice));
        check(&["Zoë".as_bytes()], Err(Unclear::NotText));
        assert!(IdentityHeader::new("x forebay user").is_none());
    }
}
