//! Signed cursors: a position in the log that a page carries and presents later, once for each stream
//! that it shows.
//!
//! A *cursor* is `<epoch>.<offset>.<page>.<mac>`: epoch and page id in lower-case hexadecimal, the
//! offset in decimal, a MAC of 12 bytes in url-safe base64. It needs no escaping in an attribute, a
//! query or a header. Each cursor has exactly one text; any other spelling is refused. It is good
//! for one [`Subject`] only, so that nobody can put an old page's signed stream name and a new page's
//! cursor together and pass for a new page.
//!
//! An *exact cursor* is `<epoch>.<offset>.<page>.<seen>.<mac>`. It says in addition what the database
//! transaction had seen in which the page's data was read, in lower-case hexadecimal, `_` and
//! at least one `-`. What that
//! means is not this crate's.
//!
//! A *page cursor* is `<epoch>.<offset>.<page>.<secret>`. It is taken when the page's request begins,
//! stays with the application, and makes the cursors of the page's tags without the key:
//!
//! ```text
//! secret = base64url(HMAC-SHA256(key, "<epoch>.<offset>.<page>"))
//! mac    = base64url(HMAC-SHA256(secret, "signed_stream_name=<name>")[..12])
//! mac    = base64url(HMAC-SHA256(secret, "seen=<seen>&signed_stream_name=<name>")[..12])  // if exact
//! ```
//!
//! A cursor grants no access: a signed stream name does that, the cursor only says where to begin, and
//! how old the page is. Its signature keeps a client from asking for history that its page never
//! covered.

use std::borrow::Borrow;
use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Key;
use crate::mac::{KeyedMac, MAC_BYTES};

/// The longest text of a cursor that is not exact: 16 hexadecimal digits, a point, 20 decimal digits, a point, 16
/// hexadecimal digits, a point, 16 characters of MAC.
pub const CURSOR_BYTES_MAX: usize = POSITION_BYTES_MAX + 1 + MAC_TEXT_BYTES;

/// The longest text of what a transaction has seen. Before it in an exact cursor there is one more point.
pub const SEEN_BYTES_MAX: usize = 400;

const POSITION_BYTES_MAX: usize = 16 + 1 + 20 + 1 + 16;

/// 96 bits: a forgery by guessing takes 2^95 tries online, and the tag stays short.
const MAC_BYTES_KEPT: usize = 12;
const MAC_TEXT_BYTES: usize = MAC_BYTES_KEPT / 3 * 4;

/// All of a MAC, without padding.
const SECRET_BYTES: usize = (MAC_BYTES * 4).div_ceil(3);

/// Separates this use of the key from signed stream names: neither can pass for the other.
const KEY_LABEL: &[u8] = b"forebay/cursor/v2";

/// A position in a log, and the page that it was handed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// Which life of the log the offset belongs to.
    pub epoch: u64,
    /// The newest entry that the page already shows.
    pub offset: u64,
    /// The random id of the rendered page.
    pub page: u64,
}

/// What a subscription's identifier names its stream by, and so what its cursor was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject<'a> {
    /// `signed_stream_name`, as it is rendered.
    Signed(&'a str),
    /// `stream_name`, of a public stream.
    Public(&'a str),
    /// Neither: the channel itself decides what is read.
    Channel,
}

/// Why a cursor was refused. In each case the peer sent something that Forebay did not make with
/// these keys; the answer to all of them is a resync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CursorError {
    /// Longer than [`CURSOR_BYTES_MAX`], or where it is exact, than [`SEEN_BYTES_MAX`] and a point more.
    #[error("the cursor is longer than {CURSOR_BYTES_MAX} bytes")]
    TooLong,
    /// Not the one spelling that a cursor has.
    #[error("the cursor is malformed")]
    Malformed,
    /// Made with another key or for another subject, or altered.
    #[error("the cursor's signature is wrong: another key's, or another stream's")]
    BadSignature,
}

/// A rendered page's position, and what makes the cursors of its tags. Whoever has it can make one for
/// any subject, so it must not be rendered itself.
#[derive(Clone)]
pub struct PageCursor {
    text: Zeroizing<String>,
    secret: usize,
    /// What the tags' cursors say that was seen.
    seen: Option<Box<str>>,
}

/// A cursor that was made with one of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedCursor<'a> {
    /// The position.
    pub cursor: Cursor,
    /// What was seen, if it is exact.
    pub seen: Option<&'a str>,
}

impl PageCursor {
    /// Reads the text that another process got from [`as_str`](Self::as_str). `None` if it is none. Only
    /// verifying one of its cursors shows whether it was made with the right key.
    pub fn parse(text: &str) -> Option<Self> {
        let (position, secret) = text.rsplit_once('.')?;
        parse(position).filter(|_| secret.len() == SECRET_BYTES)?;
        let text = Zeroizing::new(text.to_owned());
        Some(Self { text, secret: position.len() + 1, seen: None })
    }

    /// Makes exact cursors from here on. `None` if this text can't be a part of one. It is no part of
    /// [`as_str`](Self::as_str).
    pub fn with_seen(self, seen: &str) -> Option<Self> {
        is_seen(seen).then(|| Self { seen: Some(seen.into()), ..self })
    }

    /// The text, for another process of the application.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The cursor for a subscription.
    pub fn cursor_for(&self, subject: Subject<'_>) -> String {
        let (position, secret) = self.text.split_at(self.secret);
        let seen = self.seen.as_deref();
        let more = seen.map_or(0, |seen| seen.len() + 1);
        let mut text = String::with_capacity(position.len() + more + MAC_TEXT_BYTES);
        text.push_str(position);
        if let Some(seen) = seen {
            text.push_str(seen);
            text.push('.');
        }
        text.extend(mac_text(secret.as_bytes(), seen, subject).map(char::from));
        text
    }
}

impl fmt::Debug for PageCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PageCursor").field(&&self.text[..self.secret - 1]).finish()
    }
}

/// Makes page cursors and checks cursors, with a key of its own, derived from the one that signs
/// stream names.
///
/// ```
/// use forebay_signing::{Cursor, CursorError, CursorSigner, Key, Subject};
///
/// let signer = CursorSigner::new(&Key::raw("secret"));
/// let cursor = Cursor { epoch: 0xfeed, offset: 41, page: 7 };
/// let text = signer.page(cursor).cursor_for(Subject::Signed("InJvb20i--5e1f"));
/// assert!(text.starts_with("feed.41.7."));
/// assert_eq!(signer.verify(&text, Subject::Signed("InJvb20i--5e1f")), Ok(cursor));
/// let other = signer.verify(&text, Subject::Signed("ImhhbGwi--6017"));
/// assert_eq!(other, Err(CursorError::BadSignature));
/// ```
#[derive(Clone)]
pub struct CursorSigner {
    current: KeyedMac,
    older: Vec<KeyedMac>,
}

impl CursorSigner {
    /// Signs with a key derived from `key`.
    pub fn new(key: impl Borrow<Key>) -> Self {
        Self { current: derive(key.borrow()), older: Vec::new() }
    }

    /// Also accepts cursors signed with an older key. Keys are tried in the order they were added.
    pub fn rotate(mut self, older: impl Borrow<Key>) -> Self {
        self.older.push(derive(older.borrow()));
        self
    }

    /// What makes the cursors of a page.
    pub fn page(&self, cursor: Cursor) -> PageCursor {
        let Cursor { epoch, offset, page } = cursor;
        let mut text = String::with_capacity(POSITION_BYTES_MAX + 1 + SECRET_BYTES);
        // Writing to a String cannot fail.
        let _ = write!(text, "{epoch:x}.{offset}.{page:x}");
        let secret = secret(&self.current, &text);
        text.push('.');
        let begin = text.len();
        text.extend(secret.iter().copied().map(char::from));
        PageCursor { text: Zeroizing::new(text), secret: begin, seen: None }
    }

    /// The cursor that a text stands for, if it was made with one of the keys, and for exactly this
    /// subject.
    ///
    /// # Errors
    /// [`CursorError`] says what is wrong with the text.
    pub fn verify(&self, text: &str, subject: Subject<'_>) -> Result<Cursor, CursorError> {
        self.verify_exact(text, subject).map(|verified| verified.cursor)
    }

    /// The same, with what was seen.
    ///
    /// # Errors
    /// [`CursorError`] says what is wrong with the text.
    pub fn verify_exact<'a>(
        &self,
        text: &'a str,
        subject: Subject<'_>,
    ) -> Result<VerifiedCursor<'a>, CursorError> {
        if text.len() > CURSOR_BYTES_MAX + 1 + SEEN_BYTES_MAX {
            return Err(CursorError::TooLong);
        }
        let (rest, mac) = text.rsplit_once('.').ok_or(CursorError::Malformed)?;
        let (position, seen) = match rest.rsplit_once('.') {
            Some((position, seen)) if position.bytes().filter(|b| *b == b'.').count() == 2 => {
                (position, Some(seen))
            }
            _ if text.len() > CURSOR_BYTES_MAX => return Err(CursorError::TooLong),
            _ => (rest, None),
        };
        if mac.len() != MAC_TEXT_BYTES || !seen.is_none_or(is_seen) {
            return Err(CursorError::Malformed);
        }
        let cursor = parse(position).ok_or(CursorError::Malformed)?;
        // 12 bytes fill 16 characters without a spare bit, so comparing text compares bytes.
        let signed_by = |key: &KeyedMac| -> bool {
            mac_text(&*secret(key, position), seen, subject).ct_eq(mac.as_bytes()).into()
        };
        if signed_by(&self.current) || self.older.iter().any(signed_by) {
            Ok(VerifiedCursor { cursor, seen })
        } else {
            Err(CursorError::BadSignature)
        }
    }
}

/// Whether a text has only what needs no escaping, and can't be taken for a number.
fn is_seen(text: &str) -> bool {
    let is_fine = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-' | b'_');
    (1..=SEEN_BYTES_MAX).contains(&text.len()) && text.contains('-') && text.bytes().all(is_fine)
}

fn derive(key: &Key) -> KeyedMac {
    let derived = Zeroizing::new(KeyedMac::new(key).of(KEY_LABEL));
    KeyedMac::from_bytes(&*derived)
}

fn secret(key: &KeyedMac, position: &str) -> Zeroizing<[u8; SECRET_BYTES]> {
    let mac = Zeroizing::new(key.of(position.as_bytes()));
    Zeroizing::new(encoded(&*mac))
}

fn mac_text(secret: &[u8], seen: Option<&str>, subject: Subject<'_>) -> [u8; MAC_TEXT_BYTES] {
    let (kind, name) = match subject {
        Subject::Signed(name) => ("signed_stream_name=", name),
        Subject::Public(name) => ("stream_name=", name),
        Subject::Channel => ("", ""),
    };
    let secret = KeyedMac::from_bytes(secret);
    let mac = match seen {
        None => secret.of_parts([kind.as_bytes(), name.as_bytes()]),
        Some(seen) => {
            let parts = ["seen=", seen, "&", kind, name];
            secret.of_parts(parts.map(str::as_bytes))
        }
    };
    encoded(&mac[..MAC_BYTES_KEPT])
}

/// Of as many bytes as make exactly so many characters.
fn encoded<const CHARACTERS: usize>(bytes: &[u8]) -> [u8; CHARACTERS] {
    let mut text = [0; CHARACTERS];
    let written = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
    debug_assert_eq!(written, Ok(CHARACTERS));
    text
}

fn parse(position: &str) -> Option<Cursor> {
    let mut parts = position.split('.');
    let cursor = Cursor {
        epoch: parse_number(parts.next()?, 16)?,
        offset: parse_number(parts.next()?, 10)?,
        page: parse_number(parts.next()?, 16)?,
    };
    parts.next().is_none().then_some(cursor)
}

/// A number in its only accepted spelling; `from_str_radix` alone would take `+1`, `01` and `FF`.
fn parse_number(text: &str, radix: u32) -> Option<u64> {
    let canonical = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && (text == "0" || !text.starts_with('0'));
    if canonical { u64::from_str_radix(text, radix).ok() } else { None }
}

#[cfg(test)]
mod tests;
