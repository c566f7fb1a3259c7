//! The tokens that AnyCable derives from its one secret, and comparing tokens in constant time.
//!
//! A derived token is `hex(HMAC-SHA256(secret, label))`. It is a password for one endpoint, so that
//! whoever may publish does not thereby hold the secret that signs stream names.

use subtle::ConstantTimeEq;

use crate::mac::{KeyedMac, MAC_HEX_BYTES, push_hex};

/// The label of the HTTP broadcast endpoint's token.
pub const BEARER_BROADCAST: &str = "broadcast-cable";
/// The label of the HTTP RPC token.
pub const BEARER_RPC: &str = "rpc-cable";
/// The label of the REST API's token.
pub const BEARER_API: &str = "api-cable";

/// The token that AnyCable derives from `secret` for `label`, in lower-case hexadecimal.
///
/// ```
/// use forebay_signing::{BEARER_API, derived_bearer};
///
/// let token = derived_bearer("qwerty", BEARER_API);
/// assert_eq!(token, "bdd0244b3664404d03b7d0c2f1b946dc4fc6c13fdcbfa2be62a4a28deb04d096");
/// ```
pub fn derived_bearer(secret: impl AsRef<[u8]>, label: &str) -> String {
    let mut token = String::with_capacity(MAC_HEX_BYTES);
    push_hex(&mut token, &KeyedMac::from_bytes(secret.as_ref()).hex(label.as_bytes()));
    token
}

/// Whether a presented token is the expected one, without telling by its timing where they differ.
///
/// The length is not hidden. An empty expected token matches nothing: a missing configuration must
/// not open a door.
///
/// ```
/// use forebay_signing::tokens_match;
///
/// assert!(tokens_match("s3cr3t", "s3cr3t"));
/// assert!(!tokens_match("s3cr3t", "s3cr3T"));
/// assert!(!tokens_match("", ""));
/// ```
pub fn tokens_match(expected: impl AsRef<[u8]>, presented: impl AsRef<[u8]>) -> bool {
    let expected = expected.as_ref();
    !expected.is_empty() && bool::from(expected.ct_eq(presented.as_ref()))
}
