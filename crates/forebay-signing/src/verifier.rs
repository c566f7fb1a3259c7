//! Signed stream names, byte for byte as turbo-rails signs them.
//!
//! `signed = payload "--" hex(HMAC-SHA256(key, payload))`, `payload = base64(JSON(name))`; the MAC
//! covers the base64 text. Rails' metadata envelopes are read too (see [`envelope`]), so tokens may
//! expire. What a stock Rails refuses is refused here.

mod envelope;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use subtle::ConstantTimeEq;

use crate::mac::{KeyedMac, MAC_HEX_BYTES, push_hex};
use crate::{Key, json};

/// The longest signed name that is looked at, in bytes.
///
/// It fits a name of 1 KiB however it must be escaped: 6 bytes of JSON for each of 1024 control
/// characters, 2 quotes and 55 bytes of envelope make 6201; base64 makes 8268 of that; separator
/// and MAC add 66: 8334.
pub const SIGNED_BYTES_MAX: usize = 9 * 1024;

const SEPARATOR: &str = "--";

/// Rails tries the standard alphabet and then the url-safe one, padded or not; after the two
/// differing characters are translated, one lenient decoder does both.
const PADDING_OPTIONAL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a signed stream name was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The peer's: longer than [`SIGNED_BYTES_MAX`].
    #[error("the signed stream name is longer than {SIGNED_BYTES_MAX} bytes")]
    TooLong,
    /// The peer's: there is no payload or no signature of the right length.
    #[error("the signed stream name is malformed")]
    Malformed,
    /// The peer's: forged, altered, or signed with a key that this server does not have.
    #[error("the signature is wrong")]
    BadSignature,
    /// Nobody's: the token was good and its time is over. The page has to be loaded again.
    #[error("the signed stream name has expired")]
    Expired,
    /// The signing application's: the token was made for something other than a stream.
    #[error("the token was signed for another purpose")]
    WrongPurpose,
    /// The signing application's: correctly signed, but what was signed is not a stream name.
    #[error("what was signed is not a stream name")]
    NotAName,
    /// The signing application's: it signed an empty name (in Rails, blank streamables), a stream
    /// that every such mistake of every page would share.
    #[error("the signed stream name is empty")]
    EmptyName,
}

/// Signs and verifies stream names.
///
/// ```
/// use forebay_signing::{Key, Verifier};
///
/// let verifier = Verifier::new(&Key::raw("s3Krit"));
/// let signed = verifier.sign("chat:2021");
/// assert_eq!(
///     signed,
///     "ImNoYXQ6MjAyMSI=--f9ee45dbccb1da04d8ceb99cc820207804370ba0d06b46fc3b8b373af1315628"
/// );
/// assert_eq!(verifier.verify(&signed, 0)?, "chat:2021");
/// # Ok::<(), forebay_signing::VerifyError>(())
/// ```
#[derive(Clone)]
pub struct Verifier {
    current: KeyedMac,
    older: Vec<KeyedMac>,
}

impl Verifier {
    /// Signs and verifies with `key`.
    pub fn new(key: impl Borrow<Key>) -> Self {
        Self { current: KeyedMac::new(key.borrow()), older: Vec::new() }
    }

    /// Also verifies names signed with an older key. Keys are tried in the order they were added.
    pub fn rotate(mut self, older: impl Borrow<Key>) -> Self {
        self.older.push(KeyedMac::new(older.borrow()));
        self
    }

    /// The signed name, the same bytes that turbo-rails' `signed_stream_name` gives.
    pub fn sign(&self, name: &str) -> String {
        let mut payload = String::with_capacity(name.len() + 2);
        json::push_string(&mut payload, name);
        self.seal(&payload)
    }

    /// A signed name that is refused from `expires_at_ms` (Unix milliseconds) on.
    ///
    /// Stock Rails 7.1 and later accepts it until then as well. Times beyond the year 9999 count
    /// as its end.
    ///
    /// ```
    /// use forebay_signing::{Key, Verifier, VerifyError};
    ///
    /// let verifier = Verifier::new(&Key::raw("secret"));
    /// let signed = verifier.sign_expiring("messages", 60_000);
    /// assert_eq!(verifier.verify(&signed, 59_999).as_deref(), Ok("messages"));
    /// assert_eq!(verifier.verify(&signed, 60_000), Err(VerifyError::Expired));
    /// ```
    pub fn sign_expiring(&self, name: &str, expires_at_ms: u64) -> String {
        self.seal(&envelope::write(name, Some(expires_at_ms), None))
    }

    /// The stream name that was signed. `now_ms` is the current time in Unix milliseconds, used
    /// only where the token carries an expiry.
    ///
    /// # Errors
    /// [`VerifyError`] says why the name was refused, and whose doing it is.
    pub fn verify(&self, signed: &str, now_ms: u64) -> Result<String, VerifyError> {
        self.verify_for(signed, "", now_ms)
    }

    /// A name that is good for one purpose only, such as one channel: nothing that verifies
    /// without a purpose accepts it, stock Rails included.
    ///
    /// ```
    /// use forebay_signing::{Key, Verifier, VerifyError};
    ///
    /// let verifier = Verifier::new(&Key::raw("secret"));
    /// let signed = verifier.sign_for("board", "BoardChannel");
    /// assert_eq!(verifier.verify_for(&signed, "BoardChannel", 0).as_deref(), Ok("board"));
    /// assert_eq!(verifier.verify_for(&signed, "Other", 0), Err(VerifyError::WrongPurpose));
    /// assert_eq!(verifier.verify(&signed, 0), Err(VerifyError::WrongPurpose));
    /// ```
    pub fn sign_for(&self, name: &str, purpose: &str) -> String {
        self.seal(&envelope::write(name, None, Some(purpose)))
    }

    /// A name that is good for one purpose only, until `expires_at_ms` (Unix milliseconds).
    ///
    /// ```
    /// use forebay_signing::{Key, Verifier, VerifyError};
    ///
    /// let verifier = Verifier::new(&Key::raw("secret"));
    /// let signed = verifier.sign_expiring_for("inbox", "viewer:7", 60_000);
    /// assert_eq!(verifier.verify_for(&signed, "viewer:7", 59_999).as_deref(), Ok("inbox"));
    /// assert_eq!(verifier.verify_for(&signed, "viewer:7", 60_000), Err(VerifyError::Expired));
    /// assert_eq!(verifier.verify_for(&signed, "viewer:8", 0), Err(VerifyError::WrongPurpose));
    /// ```
    pub fn sign_expiring_for(&self, name: &str, purpose: &str, expires_at_ms: u64) -> String {
        self.seal(&envelope::write(name, Some(expires_at_ms), Some(purpose)))
    }

    /// The stream name that was signed for this purpose.
    ///
    /// # Errors
    /// [`VerifyError`] says why the name was refused, and whose doing it is.
    pub fn verify_for(
        &self,
        signed: &str,
        purpose: &str,
        now_ms: u64,
    ) -> Result<String, VerifyError> {
        let payload = self.unseal(signed)?;
        let json = decode_base64(payload).ok_or(VerifyError::NotAName)?;
        let name = envelope::read(&json, purpose, now_ms)?;
        if name.is_empty() { Err(VerifyError::EmptyName) } else { Ok(name) }
    }

    /// The purpose that a name was signed for, expired or not. It serves to say why a name is refused.
    /// `None` if it has no purpose, or was signed with none of the keys.
    ///
    /// ```
    /// use forebay_signing::{Key, Verifier};
    ///
    /// let verifier = Verifier::new(&Key::raw("secret"));
    /// let signed = verifier.sign_for("inbox", "viewer:7");
    /// assert_eq!(verifier.purpose(&signed).as_deref(), Some("viewer:7"));
    /// assert_eq!(verifier.purpose(&verifier.sign("inbox")), None);
    /// ```
    pub fn purpose(&self, signed: &str) -> Option<String> {
        envelope::purpose(&decode_base64(self.unseal(signed).ok()?)?)
    }

    fn seal(&self, json: &str) -> String {
        let payload_bytes = json.len().div_ceil(3) * 4;
        let mut signed = String::with_capacity(payload_bytes + SEPARATOR.len() + MAC_HEX_BYTES);
        STANDARD.encode_string(json, &mut signed);
        let mac = self.current.hex(signed.as_bytes());
        signed.push_str(SEPARATOR);
        push_hex(&mut signed, &mac);
        signed
    }

    /// The payload, once one of the keys is known to have signed it.
    ///
    /// The separator is at a fixed distance from the end: url-safe base64 may itself contain `--`.
    /// The MAC is compared as text, so that only Rails' lower-case spelling passes.
    fn unseal<'a>(&self, signed: &'a str) -> Result<&'a str, VerifyError> {
        if signed.len() > SIGNED_BYTES_MAX {
            return Err(VerifyError::TooLong);
        }
        let (payload, mac) = signed
            .len()
            .checked_sub(MAC_HEX_BYTES)
            .and_then(|at| signed.split_at_checked(at))
            .ok_or(VerifyError::Malformed)?;
        let payload = payload.strip_suffix(SEPARATOR).ok_or(VerifyError::Malformed)?;
        if payload.is_empty() {
            return Err(VerifyError::Malformed);
        }
        let signed_by =
            |key: &KeyedMac| -> bool { key.hex(payload.as_bytes()).ct_eq(mac.as_bytes()).into() };
        if signed_by(&self.current) || self.older.iter().any(signed_by) {
            Ok(payload)
        } else {
            Err(VerifyError::BadSignature)
        }
    }
}

/// The stream name in a signed text, whoever has signed it. For a log, and for nothing else.
///
/// ```
/// let signed = "Im1lc3NhZ2VzIg==--0b6cf3a8c2e6f3a0c0a7a1c5d0b2c9a84e7e5f60718293a4b5c6d7e8f9012345";
/// assert_eq!(forebay_signing::claimed_name(signed).as_deref(), Some("messages"));
/// assert_eq!(forebay_signing::claimed_name("messages"), None);
/// ```
pub fn claimed_name(signed: &str) -> Option<String> {
    let (payload, _) = signed.get(..signed.len().min(SIGNED_BYTES_MAX))?.split_once(SEPARATOR)?;
    envelope::claimed(&decode_base64(payload)?)
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let standard: Vec<u8> = text
        .bytes()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        })
        .collect();
    PADDING_OPTIONAL.decode(standard).ok()
}
