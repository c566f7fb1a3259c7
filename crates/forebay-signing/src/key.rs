//! Key material: how it is made, and nothing that would let it out by accident.
//!
//! A [`Key`] has no `Debug`, `Display` or serde implementation and is wiped when it is dropped.
//! Derivation follows `ActiveSupport::KeyGenerator` (PBKDF2-HMAC, the secret's bytes as they are:
//! a hexadecimal `secret_key_base` is *not* decoded first).

use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The salt with which turbo-rails derives its signing key from `secret_key_base`.
pub const TURBO_KEY_SALT: &str = "turbo/signed_stream_verifier_key";
/// The iterations that `Rails.application.key_generator` uses.
pub const TURBO_KEY_ITERATIONS: u32 = 1000;
/// The bytes of the derived key: `ActiveSupport::KeyGenerator`'s default.
pub const TURBO_KEY_LENGTH: usize = 64;

/// The hash under PBKDF2.
///
/// This is about deriving the key only; signatures are always HMAC-SHA256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyDigest {
    /// What a Rails application uses from `load_defaults 7.0` on.
    #[default]
    Sha256,
    /// What applications with older defaults use.
    Sha1,
}

/// Secret bytes, wiped when dropped.
///
/// It deliberately implements neither `Debug` nor `Display`:
///
/// ```compile_fail
/// let key = forebay_signing::Key::raw("secret");
/// println!("{key:?}");
/// ```
#[derive(Clone)]
pub struct Key(Zeroizing<Vec<u8>>);

impl Key {
    /// The key that turbo-rails derives from an application's `secret_key_base`.
    ///
    /// ```
    /// use forebay_signing::{Key, KeyDigest};
    ///
    /// let key = Key::derive_turbo("s3cr3t", KeyDigest::Sha256);
    /// assert!(key.expose_hex().starts_with("9309ec3d96df1025b415d2b8b22f0299"));
    /// ```
    pub fn derive_turbo(secret_key_base: impl AsRef<[u8]>, digest: KeyDigest) -> Self {
        Self::derive(
            secret_key_base,
            TURBO_KEY_SALT,
            TURBO_KEY_ITERATIONS,
            digest,
            TURBO_KEY_LENGTH,
        )
    }

    /// The key that turbo-rails derives where this one is the application's `secret_key_base`.
    pub fn turbo_of(&self, digest: KeyDigest) -> Self {
        Self::derive_turbo(&self.0[..], digest)
    }

    /// PBKDF2-HMAC of `secret` with a salt; `length` is in bytes. Zero iterations count as one.
    pub fn derive(
        secret: impl AsRef<[u8]>,
        salt: impl AsRef<[u8]>,
        iterations: u32,
        digest: KeyDigest,
        length: usize,
    ) -> Self {
        let (secret, salt, iterations) = (secret.as_ref(), salt.as_ref(), iterations.max(1));
        let mut bytes = Zeroizing::new(vec![0; length]);
        match digest {
            KeyDigest::Sha256 => {
                pbkdf2::pbkdf2_hmac::<Sha256>(secret, salt, iterations, &mut bytes);
            }
            KeyDigest::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(secret, salt, iterations, &mut bytes),
        }
        Self(bytes)
    }

    /// These bytes as they are: `config.turbo.signed_stream_verifier_key`, or an AnyCable secret.
    ///
    /// An empty key signs what anyone can forge; whoever reads the configuration must refuse it
    /// (see [`Key::is_empty`]).
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self(Zeroizing::new(bytes.as_ref().to_vec()))
    }

    /// Whether there are no bytes at all. That is never a secret.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The secret in lower-case hexadecimal, for comparing with another system's key.
    ///
    /// Named so that it stands out in a review: never log the result.
    pub fn expose_hex(&self) -> String {
        self.0.iter().fold(String::with_capacity(self.0.len() * 2), |mut hex, byte| {
            crate::mac::push_hex_byte(&mut hex, *byte);
            hex
        })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, KeyDigest};

    /// Two keys that stock Rails made from the same secret.
    #[test]
    fn both_digests_give_rails_keys() {
        let secret = "0123456789abcdef".repeat(8);
        let hex = |digest| Key::derive_turbo(&secret, digest).expose_hex();
        assert_eq!(
            hex(KeyDigest::Sha256),
            "7abcd5758752313f1d691ad878b93c5c7e9bf71bd853e9b10c3d2861233525e8\
             98d0a04aae89abc8b5da1e1ccbd749cccb3a93a9900de3d53189b40191b5a460"
        );
        assert_eq!(
            hex(KeyDigest::Sha1),
            "f2162065152bf45163868492b2f081295f938a68f7a18b6d40bc9d15e94b8ea0\
             819b3011cf2f3c1b9228b8e722f706453e0257e9da2530eee8d59875740244a1"
        );
    }

    #[test]
    fn zero_iterations_count_as_one() {
        let derive = |n| Key::derive("s", "salt", n, KeyDigest::Sha256, 8).expose_hex();
        assert_eq!(derive(0), derive(1));
    }
}
