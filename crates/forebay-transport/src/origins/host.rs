//! A host as origins and `Host` headers name it.

use std::borrow::Cow;
use std::net::IpAddr;

/// A name has at most so many characters (RFC 1035).
const NAME_MAX: usize = 253;

/// A host. Two ways of writing one are equal.
#[derive(Clone, Debug)]
pub(crate) enum Host<'a> {
    Address(IpAddr),
    /// Browsers write names in other alphabets as ASCII, too.
    Name(Cow<'a, str>),
}

impl PartialEq for Host<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Address(one), Self::Address(other)) => one == other,
            (Self::Name(one), Self::Name(other)) => one.eq_ignore_ascii_case(other),
            _ => false,
        }
    }
}

impl Eq for Host<'_> {}

impl<'a> Host<'a> {
    /// `None` for what no host is called.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return Some(Self::Address(IpAddr::V6(address.parse().ok()?)));
        }
        if let Ok(address) = text.parse() {
            return Some(Self::Address(IpAddr::V4(address)));
        }
        // A dot at the end is a name's own, and part of the origin.
        let name = text.strip_suffix('.').unwrap_or(text);
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let is_label = |label: &str| !label.is_empty() && label.chars().all(plain);
        let valid = name.len() <= NAME_MAX && name.split('.').all(is_label) && !is_numeric(name);
        valid.then_some(Self::Name(Cow::Borrowed(text)))
    }

    /// No host at all.
    pub(crate) fn none() -> Self {
        Self::Name(Cow::Borrowed(""))
    }

    pub(crate) fn into_owned(self) -> Host<'static> {
        match self {
            Self::Address(address) => Host::Address(address),
            Self::Name(name) => Host::Name(Cow::Owned(name.into_owned())),
        }
    }

    /// An address has none.
    pub(crate) fn has_subdomains(&self) -> bool {
        matches!(self, Self::Name(_))
    }

    pub(crate) fn is_subdomain_of(&self, other: &Host<'_>) -> bool {
        let (Self::Name(name), Host::Name(other)) = (self, other) else { return false };
        let Some(at) = name.len().checked_sub(other.len()) else { return false };
        // It is ASCII: it was parsed.
        let (rest, end) = name.split_at(at);
        end.eq_ignore_ascii_case(other) && rest.len() > 1 && rest.ends_with('.')
    }

    /// Whether it is this machine, whoever asks: nobody's DNS decides that.
    pub(crate) fn is_literally_local(&self) -> bool {
        match self {
            Self::Address(_) => true,
            name @ Self::Name(_) => {
                let localhost = Host::Name(Cow::Borrowed("localhost"));
                *name == localhost || name.is_subdomain_of(&localhost)
            }
        }
    }
}

/// Names whose last part is a number are addresses to browsers, or nothing.
fn is_numeric(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    last.bytes().all(|byte| byte.is_ascii_digit())
}
