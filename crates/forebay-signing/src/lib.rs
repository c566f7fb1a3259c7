//! Signatures: stream names as Rails signs them, and cursors.
//!
//! No other crate of Forebay touches a key. These are the types to begin with:
//!
//! - [`Key`]: a secret, derived as Rails does it or used as it is.
//! - [`Verifier`]: signs and verifies stream names.
//! - [`CursorSigner`]: makes and verifies cursors.
//! - [`derived_bearer`]: the token by which publishers are known, as AnyCable derives it.
//!
//! The formats are those of `ActiveSupport::MessageVerifier` in Rails 7.1 and later with
//! `digest: "SHA256", serializer: JSON`, as turbo-rails configures it, and of AnyCable 1.6.
//!
//! This crate does no IO, and reads no clock, no randomness and no environment. The current time is
//! an argument.
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
pub use cursor::{
    CURSOR_BYTES_MAX, Cursor, CursorError, CursorSigner, PageCursor, SEEN_BYTES_MAX, Subject,
    VerifiedCursor,
};
pub use key::{Key, KeyDigest, TURBO_KEY_ITERATIONS, TURBO_KEY_LENGTH, TURBO_KEY_SALT};
pub use verifier::{SIGNED_BYTES_MAX, Verifier, VerifyError, claimed_name};
