//! Signed cursors: a position in the log that a page carries and presents later.
//!
//! The text is `<epoch>.<offset>.<page>.<mac>`: epoch and page id in lower-case hexadecimal, the
//! offset in decimal, the first 12 bytes of an HMAC-SHA256 in url-safe base64. It needs no escaping
//! in an attribute, a query or a header. Each cursor has exactly one text; any other spelling is
//! refused. A cursor grants no access: a signed stream name does that, the cursor only says where
//! to begin. Its signature keeps a client from asking for history that its page never covered.

use std::borrow::Borrow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use crate::Key;
use crate::mac::KeyedMac;

/// The longest text of a cursor: 16 hexadecimal digits, a point, 20 decimal digits, a point, 16
/// hexadecimal digits, a point, 16 characters of MAC.
pub const CURSOR_BYTES_MAX: usize = 16 + 1 + 20 + 1 + 16 + 1 + MAC_TEXT_BYTES;

/// 96 bits: a forgery by guessing takes 2^95 tries online, and the tag stays short.
const MAC_BYTES_KEPT: usize = 12;
const MAC_TEXT_BYTES: usize = MAC_BYTES_KEPT / 3 * 4;

/// Separates this use of the key from signed stream names: neither can pass for the other.
const KEY_LABEL: &[u8] = b"forebay/cursor/v1";

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

/// Why a cursor was refused. In each case the peer sent something that Forebay did not make with
/// these keys; the answer to all of them is a resync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CursorError {
    /// Longer than [`CURSOR_BYTES_MAX`].
    #[error("the cursor is longer than {CURSOR_BYTES_MAX} bytes")]
    TooLong,
    /// Not the one spelling that a cursor has.
    #[error("the cursor is malformed")]
    Malformed,
    /// Made with another key, or altered.
    #[error("the cursor's signature is wrong")]
    BadSignature,
}

/// Signs and checks cursors with a key of its own, derived from the one that signs stream names.
///
/// ```
/// use forebay_signing::{Cursor, CursorSigner, Key};
///
/// let signer = CursorSigner::new(&Key::raw("secret"));
/// let cursor = Cursor { epoch: 0xfeed, offset: 41, page: 7 };
/// let text = signer.sign(cursor);
/// assert!(text.starts_with("feed.41.7."));
/// assert_eq!(signer.verify(&text), Ok(cursor));
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

    /// The cursor's signed text.
    pub fn sign(&self, cursor: Cursor) -> String {
        let Cursor { epoch, offset, page } = cursor;
        let mut text = String::with_capacity(CURSOR_BYTES_MAX);
        // Writing to a String cannot fail.
        let _ = write!(text, "{epoch:x}.{offset}.{page:x}");
        let mac = mac_text(&self.current, text.as_bytes());
        text.push('.');
        text.extend(mac.iter().copied().map(char::from));
        text
    }

    /// The cursor that a text stands for, if one of the keys signed exactly this text.
    ///
    /// # Errors
    /// [`CursorError`] says what is wrong with the text.
    pub fn verify(&self, text: &str) -> Result<Cursor, CursorError> {
        if text.len() > CURSOR_BYTES_MAX {
            return Err(CursorError::TooLong);
        }
        let (position, mac) = text.rsplit_once('.').ok_or(CursorError::Malformed)?;
        if mac.len() != MAC_TEXT_BYTES {
            return Err(CursorError::Malformed);
        }
        let cursor = parse(position).ok_or(CursorError::Malformed)?;
        // 12 bytes fill 16 characters without a spare bit, so comparing text compares bytes.
        let signed_by = |key: &KeyedMac| -> bool {
            mac_text(key, position.as_bytes()).ct_eq(mac.as_bytes()).into()
        };
        if signed_by(&self.current) || self.older.iter().any(signed_by) {
            Ok(cursor)
        } else {
            Err(CursorError::BadSignature)
        }
    }
}

fn derive(key: &Key) -> KeyedMac {
    let derived = zeroize::Zeroizing::new(KeyedMac::new(key).of(KEY_LABEL));
    KeyedMac::from_bytes(&*derived)
}

fn mac_text(key: &KeyedMac, message: &[u8]) -> [u8; MAC_TEXT_BYTES] {
    let mac = key.of(message);
    let mut text = [0; MAC_TEXT_BYTES];
    let written = URL_SAFE_NO_PAD.encode_slice(&mac[..MAC_BYTES_KEPT], &mut text);
    debug_assert_eq!(written, Ok(MAC_TEXT_BYTES));
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
