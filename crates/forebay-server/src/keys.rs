//! From the configured secrets to keys: which signs, and which are accepted.
//!
//! A Rails application has a `secret_key_base`, from which Turbo's key is *derived*; AnyCable has a
//! secret that is the key *as it is*. The same text gives different keys, so each is an option of
//! its own, and nothing is guessed.

use forebay_core::signing::{BEARER_API, BEARER_BROADCAST, Key, KeyDigest, derived_bearer};

use crate::options::{Id, Settings};

/// A key, and the option that it comes from.
pub(crate) struct NamedKey {
    pub(crate) key: Key,
    pub(crate) option: &'static str,
    /// Made from the option's value rather than the value itself.
    pub(crate) is_derived: bool,
}

impl NamedKey {
    fn raw(secret: &str, option: &'static str) -> Self {
        Self { key: Key::raw(secret), option, is_derived: false }
    }
}

/// The keys of Turbo's stream names. The first one signs.
///
/// `turbo_streams_secret` is for Turbo alone, and so is what comes of `secret_key_base`; `secret`
/// serves other purposes as well, so it signs only where there is neither.
pub(crate) fn turbo(settings: &Settings) -> Vec<NamedKey> {
    let own = settings
        .text(Id::TurboStreamsSecret)
        .map(|secret| NamedKey::raw(secret, "turbo_streams_secret"));
    let derived = settings.text(Id::SecretKeyBase).map(|secret| NamedKey {
        key: Key::derive_turbo(secret, digest(settings)),
        option: "secret_key_base",
        is_derived: true,
    });
    let shared = if own.is_none() { streams(settings) } else { None };
    own.into_iter().chain(derived).chain(shared).collect()
}

/// The keys of `$pubsub`'s stream names.
pub(crate) fn pubsub(settings: &Settings) -> Vec<NamedKey> {
    let rails = || Some(NamedKey::raw(settings.text(Id::SecretKeyBase)?, "secret_key_base"));
    streams(settings).or_else(rails).into_iter().collect()
}

/// What was a key of Turbo's names before.
pub(crate) fn previous_turbo(settings: &Settings) -> Vec<Key> {
    let raw = settings.list(Id::PreviousSecrets).iter().map(Key::raw);
    let bases = settings.list(Id::PreviousSecretKeyBases).iter();
    raw.chain(bases.map(|secret| Key::derive_turbo(secret, digest(settings)))).collect()
}

/// What was a key of `$pubsub`'s names before.
pub(crate) fn previous_pubsub(settings: &Settings) -> Vec<Key> {
    let secrets = settings.list(Id::PreviousSecrets).iter();
    secrets.chain(settings.list(Id::PreviousSecretKeyBases)).map(Key::raw).collect()
}

/// What a publisher shows, if it has to show anything: AnyCable's derivation.
pub(crate) fn bearer(settings: &Settings) -> Option<String> {
    let derived = |id| settings.text(id).map(|secret| derived_bearer(secret, BEARER_BROADCAST));
    let own = settings.text(Id::BroadcastKey).map(str::to_owned);
    own.or_else(|| derived(Id::Secret)).or_else(|| derived(Id::SecretKeyBase))
}

/// What a user of AnyCable's API shows: AnyCable's derivation, from the present and the previous secrets.
pub(crate) fn api_bearers(settings: &Settings) -> Vec<String> {
    let secrets = [Id::Secret, Id::SecretKeyBase].into_iter().filter_map(|id| settings.text(id));
    let previous = [Id::PreviousSecrets, Id::PreviousSecretKeyBases];
    let previous = previous.into_iter().flat_map(|id| settings.list(id)).map(String::as_str);
    secrets.chain(previous).map(|secret| derived_bearer(secret, BEARER_API)).collect()
}

/// What publishers showed before the secrets changed.
pub(crate) fn previous_bearers(settings: &Settings) -> Vec<String> {
    let secrets = settings.list(Id::PreviousSecrets).iter();
    let secrets = secrets.chain(settings.list(Id::PreviousSecretKeyBases));
    secrets.map(|secret| derived_bearer(secret, BEARER_BROADCAST)).collect()
}

fn streams(settings: &Settings) -> Option<NamedKey> {
    let own = settings.text(Id::StreamsSecret).map(|s| NamedKey::raw(s, "streams_secret"));
    own.or_else(|| Some(NamedKey::raw(settings.text(Id::Secret)?, "secret")))
}

fn digest(settings: &Settings) -> KeyDigest {
    match settings.text(Id::SecretKeyBaseDigest) {
        Some("sha1") => KeyDigest::Sha1,
        _ => KeyDigest::Sha256,
    }
}
