//! What the URLs of all stores have in common: the options behind the `?`, with one name and one meaning each.
//!
//! Where a server is, and who asks it, is before the `?`, as that server's own clients write it.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// How long a backend keeps groups, unless it is told otherwise: twice the five minutes that a hub keeps by
/// default, so that a node that was away for so long goes on where it was.
pub const KEEP: Duration = Duration::from_mins(10);

/// How many bytes of groups: ten minutes at 400 KB a second.
pub const KEEP_BYTES: u64 = 256 << 20;

/// A publisher tries a group again for seconds, and a node is away for a minute; the log is no archive.
const KEEP_SECONDS: RangeInclusive<u64> = 120..=30 * 24 * 3_600;

/// 32 of the largest groups; what no server of today holds.
const KEEP_BYTES_BOUNDS: RangeInclusive<u64> = (16 << 20)..=(1 << 40);

/// A schema, a subject and a prefix of keys: what is a name in each of them. Postgres has 63 bytes, and uses some.
const NAME_BYTES_MAX: usize = 40;

/// Why a URL is no place of a log. It never has the password in it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct UrlError(pub String);

/// An option of a store's URL, as its page of the documentation has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UrlOption {
    /// Before the `=`.
    pub name: &'static str,
    /// What holds where it is not said.
    pub default: &'static str,
    /// What it says.
    pub meaning: &'static str,
}

/// The options that each store has.
impl UrlOption {
    /// The log's name.
    pub const NAME: Self = Self::new(
        "name",
        "`forebay`",
        "the log's name: two applications on one server have two. At most 40 lowercase letters, digits and `_`, a letter first",
    );
    /// How long groups are kept.
    pub const KEEP: Self = Self::new(
        "keep",
        "600",
        "seconds that a group is kept, 120 to 2592000. The default is twice what a hub keeps",
    );
    /// How many bytes of groups are kept.
    pub const KEEP_BYTES: Self = Self::new(
        "keep_bytes",
        "268435456",
        "bytes of groups that are kept at most, from 16777216 on; what is older goes earlier. The default is ten minutes at 400 KB a second",
    );
    /// Whom to trust.
    pub const CA: Self = Self::new(
        "ca",
        "what the machine trusts",
        "a file with the authority that has signed the server's certificate",
    );
    /// Who this is.
    pub const CERTIFICATE: Self = Self::new(
        "certificate",
        "",
        "a file with a certificate, for a server that asks its clients for one",
    );
    /// The key of the certificate.
    pub const KEY: Self = Self::new("key", "", "a file with the key of that certificate");

    /// One of a store's own.
    #[must_use]
    pub const fn new(name: &'static str, default: &'static str, meaning: &'static str) -> Self {
        Self { name, default, meaning }
    }

    /// The table of the documentation. A test of each store compares.
    #[must_use]
    pub fn table(options: &[Self]) -> String {
        let row = |Self { name, default, meaning }: &Self| {
            format!("| `{name}` | {default} | {meaning} |\n").replace("|  |", "| |")
        };
        let rows: String = options.iter().map(row).collect();
        format!("| option | default | |\n|---|---|---|\n{rows}")
    }
}

/// What a URL says behind its `?`: options that are known, each once. There is no `Debug`: passwords may be among
/// them.
pub struct UrlOptions(Vec<(String, String)>);

impl UrlOptions {
    /// Cuts a URL in two, and reads what is behind the `?`.
    ///
    /// # Errors
    /// An option is not among those that are known, or is said twice.
    pub fn read<'a>(url: &'a str, known: &[UrlOption]) -> Result<(&'a str, Self), UrlError> {
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let mut read = Self(Vec::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if known.iter().all(|option| option.name != name) {
                let known: Vec<_> = known.iter().map(|option| option.name).collect();
                let known = known.join(", ");
                return Err(UrlError(format!("there is no option {name}: there are {known}")));
            }
            if read.get(&name).is_some() {
                return Err(UrlError(format!("the option {name} is said twice")));
            }
            read.0.push((name.into_owned(), value.into_owned()));
        }
        Ok((place, read))
    }

    /// What is said of an option.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(is, _)| is == name).map(|(_, value)| value.as_str())
    }

    /// The number that is said.
    ///
    /// # Errors
    /// It is no number, or out of bounds.
    pub fn number(&self, name: &str, bounds: RangeInclusive<u64>) -> Result<Option<u64>, UrlError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.parse::<u64>();
        let number = number.map_err(|_| UrlError(format!("{name}={value} is no whole number")))?;
        if bounds.contains(&number) {
            return Ok(Some(number));
        }
        let (min, max) = bounds.into_inner();
        Err(UrlError(format!("{name}={value} is out of bounds: it can be {min} to {max}")))
    }

    /// What each store can be told.
    ///
    /// # Errors
    /// [`UrlError`] names what can't be.
    pub fn settings(&self) -> Result<Settings, UrlError> {
        let mut settings = Settings::default();
        if let Some(name) = self.get("name") {
            settings.rename(name)?;
        }
        if let Some(seconds) = self.number("keep", KEEP_SECONDS)? {
            settings.keep = Duration::from_secs(seconds);
        }
        if let Some(bytes) = self.number("keep_bytes", KEEP_BYTES_BOUNDS)? {
            settings.keep_bytes = bytes;
        }
        settings.authority = self.get("ca").map(PathBuf::from);
        settings.certificate = match (self.get("certificate"), self.get("key")) {
            (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
            (None, None) => None,
            _ => return Err(UrlError("certificate and key belong together".to_owned())),
        };
        Ok(settings)
    }
}

/// What each store can be told, whatever its server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// What keeps its log from another application's.
    pub name: String,
    /// How long groups are kept at the least, as long as there is room.
    pub keep: Duration,
    /// How many bytes of groups are kept at the most.
    pub keep_bytes: u64,
    /// A file with the authority that is trusted, in place of those of the machine.
    pub authority: Option<PathBuf>,
    /// The files of a certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

impl Default for Settings {
    fn default() -> Self {
        let name = "forebay".to_owned();
        Self { name, keep: KEEP, keep_bytes: KEEP_BYTES, authority: None, certificate: None }
    }
}

impl Settings {
    /// Gives the log a name.
    ///
    /// # Errors
    /// It is not made of at most 40 lowercase letters, digits and `_`, with a letter first.
    pub fn rename(&mut self, name: &str) -> Result<(), UrlError> {
        checked(name)?.clone_into(&mut self.name);
        Ok(())
    }
}

fn checked(name: &str) -> Result<&str, UrlError> {
    let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    let begins = name.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    if begins && name.len() <= NAME_BYTES_MAX && name.bytes().all(is_plain) {
        return Ok(name);
    }
    let what = "it has to be at most 40 lowercase letters, digits and _, a letter first";
    Err(UrlError(format!("name={name}: {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[UrlOption] = &[
        UrlOption::NAME,
        UrlOption::KEEP,
        UrlOption::KEEP_BYTES,
        UrlOption::CA,
        UrlOption::CERTIFICATE,
        UrlOption::KEY,
    ];

    #[test]
    fn a_url_says_what_all_stores_can_be_told() {
        let url = "redis://me:hunter2@host?name=chat_2&keep=900&keep_bytes=99999999&ca=%2Fca.pem&certificate=/c&key=/k";
        let (place, options) = UrlOptions::read(url, KNOWN).unwrap();
        assert_eq!(place, "redis://me:hunter2@host");
        let expected = Settings {
            name: "chat_2".to_owned(),
            keep: Duration::from_mins(15),
            keep_bytes: 99_999_999,
            authority: Some("/ca.pem".into()),
            certificate: Some(("/c".into(), "/k".into())),
        };
        assert_eq!(options.settings(), Ok(expected));
        let (_, none) = UrlOptions::read("redis://host", KNOWN).unwrap();
        assert_eq!(none.settings(), Ok(Settings::default()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |query: &str, part: &str| {
            let url = format!("redis://me:hunter2@host?{query}");
            let read = UrlOptions::read(&url, KNOWN).and_then(|(_, options)| options.settings());
            let said = read.unwrap_err().to_string();
            assert!(said.contains(part) && !said.contains("hunter2"), "{query}: {said}");
        };
        check("keep_secs=600", "no option keep_secs: there are name, keep,");
        check("keep=600&keep=700", "said twice");
        check("keep=soon", "keep=soon is no whole number");
        check("keep=119", "120 to 2592000");
        check("keep_bytes=16000000", "16777216 to");
        check("name=Chat", "lowercase");
        check("name=2", "a letter first");
        check(&format!("name={}", "a".repeat(41)), "at most 40");
        check("certificate=/c", "belong together");
    }
}
