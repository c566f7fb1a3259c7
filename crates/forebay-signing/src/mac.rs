//! HMAC-SHA256 with a key that is set up once and cloned for each use.
//!
//! Keying an HMAC costs two compressions of SHA-256; a signature of a short name costs two more.
//! Cloning the keyed state therefore halves the price of a signed tag.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::Key;

/// Bytes of a MAC.
pub(crate) const MAC_BYTES: usize = 32;
/// Characters of a MAC in hexadecimal.
pub(crate) const MAC_HEX_BYTES: usize = 2 * MAC_BYTES;

/// A keyed HMAC-SHA256.
#[derive(Clone)]
pub(crate) struct KeyedMac(Hmac<Sha256>);

impl KeyedMac {
    pub(crate) fn new(key: &Key) -> Self {
        Self::from_bytes(key.bytes())
    }

    pub(crate) fn from_bytes(key: &[u8]) -> Self {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length, RFC 2104")]
        Self(Hmac::new_from_slice(key).expect("HMAC keys have no length limit"))
    }

    pub(crate) fn of(&self, message: &[u8]) -> [u8; MAC_BYTES] {
        self.of_parts([message])
    }

    /// Of all of them, one behind the other.
    pub(crate) fn of_parts<const N: usize>(&self, parts: [&[u8]; N]) -> [u8; MAC_BYTES] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    pub(crate) fn hex(&self, message: &[u8]) -> [u8; MAC_HEX_BYTES] {
        let mut hex = [0; MAC_HEX_BYTES];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.of(message)) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        hex
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

pub(crate) fn push_hex_byte(out: &mut String, byte: u8) {
    out.push(char::from(HEX[usize::from(byte >> 4)]));
    out.push(char::from(HEX[usize::from(byte & 15)]));
}

pub(crate) fn push_hex(out: &mut String, hex: &[u8; MAC_HEX_BYTES]) {
    out.extend(hex.iter().copied().map(char::from));
}
