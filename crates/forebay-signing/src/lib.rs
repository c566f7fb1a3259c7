//! Everything in Forebay that touches a key: signed stream names as Rails' `MessageVerifier` makes
//! them, signed cursors, and the tokens that AnyCable derives from one secret.
//!
//! Pure: no clock, no randomness, no environment, no IO. The current time is an argument.
//! Formats: Rails 7.1+ `ActiveSupport::MessageVerifier` with `digest: "SHA256", serializer: JSON`,
//! which is what turbo-rails configures, and AnyCable 1.6's derived keys.
//!
//! ```
//! use forebay_signing::{Key, KeyDigest, Verifier};
//!
//! let key = Key::derive_turbo("0123456789abcdef0123456789abcdef", KeyDigest::Sha256);
//! let verifier = Verifier::new(&key);
//!
//! let signed = verifier.sign("messages");
//! assert_eq!(verifier.verify(&signed, 0)?, "messages");
//! # Ok::<(), forebay_signing::VerifyError>(())
//! ```

mod bearer;
mod cursor;
mod json;
mod key;
mod mac;
mod verifier;

pub use bearer::{BEARER_API, BEARER_BROADCAST, BEARER_RPC, derived_bearer, tokens_match};
pub use cursor::{CURSOR_BYTES_MAX, Cursor, CursorError, CursorSigner, PageCursor, Subject};
pub use key::{Key, KeyDigest, TURBO_KEY_ITERATIONS, TURBO_KEY_LENGTH, TURBO_KEY_SALT};
pub use verifier::{SIGNED_BYTES_MAX, Verifier, VerifyError, claimed_name};
