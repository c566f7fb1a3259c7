//! The keys that stream names are signed with.

use super::{ALL, KEY_USERS, row};
use crate::options::kind::Kind::{Choice, Secret, Secrets};
use crate::options::spec::Command::{Serve, Sign};
use crate::options::spec::Scope::Everywhere;
use crate::options::spec::{Id, Spec};

pub(super) const ROWS: &[Spec] = &[
    Spec {
        otherwise: "not accepted",
        env: &["SECRET_KEY_BASE"],
        commands: ALL,
        ..row(
            Id::SecretKeyBase,
            "secret_key_base",
            Secret,
            Everywhere("secret_key_base"),
            "A Rails application's secret_key_base. The key of Turbo's stream names is derived \
             from it, as Rails does it. For an application that does not set \
             config.turbo.signed_stream_verifier_key",
        )
    },
    Spec {
        default: Some("sha256"),
        short_flags: &["digest"],
        commands: KEY_USERS,
        ..row(
            Id::SecretKeyBaseDigest,
            "secret_key_base_digest",
            Choice(&["sha256", "sha1"]),
            Everywhere("secret_key_base_digest"),
            "The hash for deriving that key: sha1 for an application without \
             load_defaults 7.0 or later",
        )
    },
    Spec {
        otherwise: "not accepted",
        anycable: &["secret"],
        commands: ALL,
        ..row(
            Id::Secret,
            "secret",
            Secret,
            Everywhere("secret"),
            "AnyCable's secret. It is used as it is, as the key of Turbo's and $pubsub's stream \
             names. The broadcast key is derived from it. For an application with \
             config.turbo.signed_stream_verifier_key = this secret",
        )
    },
    Spec {
        otherwise: "streams_secret, or else secret",
        anycable: &["turbo_streams_secret", "turbo_rails_key"],
        commands: KEY_USERS,
        ..row(
            Id::TurboStreamsSecret,
            "turbo_streams_secret",
            Secret,
            Everywhere("turbo_streams_secret"),
            "The key of Turbo's stream names alone, used as it is",
        )
    },
    Spec {
        otherwise: "secret",
        anycable: &["streams_secret"],
        commands: KEY_USERS,
        ..row(
            Id::StreamsSecret,
            "streams_secret",
            Secret,
            Everywhere("streams_secret"),
            "The key of stream names, used as it is, if it differs from secret",
        )
    },
    Spec {
        otherwise: "none",
        commands: &[Serve, Sign],
        ..row(
            Id::PreviousSecrets,
            "previous_secrets",
            Secrets,
            Everywhere("previous_secrets"),
            "Older values of secret, which are still accepted from pages and publishers. For \
             rotation",
        )
    },
    Spec {
        otherwise: "none",
        commands: &[Serve, Sign],
        ..row(
            Id::PreviousSecretKeyBases,
            "previous_secret_key_bases",
            Secrets,
            Everywhere("previous_secret_key_bases"),
            "Older values of secret_key_base, which are still accepted from pages and publishers. \
             For rotation",
        )
    },
];
