//! What publishers and applications use: their paths, their key, their bounds.

use super::{DAY_MS, row};
use crate::options::kind::Kind::{Duration, Port, Route, Secret, Size, Text};
use crate::options::spec::Command::{Publish, Serve};
use crate::options::spec::Scope::Everywhere;
use crate::options::spec::{Id, Spec};

pub(super) const ROWS: &[Spec] = &[
    Spec {
        otherwise: "derived from secret, or else from secret_key_base; see docs/serve.md",
        short_flags: &["key"],
        anycable: &["broadcast_key", "http_broadcast_secret"],
        commands: &[Serve, Publish],
        ..row(
            Id::BroadcastKey,
            "broadcast_key",
            Secret,
            Everywhere("broadcast.key"),
            "What publishers show: Authorization: Bearer KEY",
        )
    },
    Spec {
        default: Some("/_broadcast"),
        anycable: &["http_broadcast_path"],
        ..row(
            Id::BroadcastPath,
            "broadcast_path",
            Route,
            Everywhere("broadcast.path"),
            "Where broadcasts are posted",
        )
    },
    Spec {
        otherwise: "port; 8090 where there is no key",
        anycable: &["http_broadcast_port"],
        ..row(
            Id::BroadcastPort,
            "broadcast_port",
            Port,
            Everywhere("broadcast.port"),
            "The port that broadcasts are posted to",
        )
    },
    Spec {
        otherwise: "host; localhost where there is no key",
        ..row(
            Id::BroadcastHost,
            "broadcast_host",
            Text,
            Everywhere("broadcast.host"),
            "The name or address to listen at for broadcasts, if they have a port of their own. \
             Without a key, whoever reaches it can write to every page",
        )
    },
    Spec {
        default: Some("/_cursor"),
        ..row(
            Id::CursorPath,
            "cursor_path",
            Route,
            Everywhere("broadcast.cursor_path"),
            "Where an application gets what makes the cursors of a page that it is about to render, and is not rendered itself. Same \
             port, same key",
        )
    },
    Spec {
        default: Some("/_revoke"),
        ..row(
            Id::RevokePath,
            "revoke_path",
            Route,
            Everywhere("broadcast.revoke_path"),
            "Where access is taken back: {\"identity\": …, \"stream\": …}, either or both. \
             Same port, same key",
        )
    },
    Spec {
        default: Some("/_readmit"),
        ..row(
            Id::ReadmitPath,
            "readmit_path",
            Route,
            Everywhere("broadcast.readmit_path"),
            "Where it is given again: the same body as it was taken back with. Same port, same key",
        )
    },
    Spec {
        otherwise: "for ever",
        ..row(
            Id::RevocationTtl,
            "revocation_ttl",
            Duration(60_000, 36_500 * DAY_MS),
            Everywhere("broadcast.revocation_ttl"),
            "How long it is remembered that access was taken back. No page may be open, and no signed name be good, for longer",
        )
    },
    Spec {
        default: Some("/_disconnect"),
        ..row(
            Id::DisconnectPath,
            "disconnect_path",
            Route,
            Everywhere("broadcast.disconnect_path"),
            "Where a visitor's connections are ended: {\"identity\": …}. Same port, same key",
        )
    },
    Spec {
        default: Some("/_gap"),
        ..row(
            Id::GapPath,
            "gap_path",
            Route,
            Everywhere("broadcast.gap_path"),
            "Where a publisher says what it could not broadcast: {\"streams\": […]}. Their pages load \
             themselves again. Same port, same key",
        )
    },
    Spec {
        default: Some("8MiB"),
        ..row(
            Id::BroadcastMaxSize,
            "broadcast_max_size",
            Size(1 << 10, 1 << 30),
            Everywhere("broadcast.max_size"),
            "The largest body of one request, batch or not; past it: 413",
        )
    },
    Spec {
        default: Some("1MiB"),
        ..row(
            Id::BroadcastMaxMessageSize,
            "broadcast_max_message_size",
            Size(1 << 10, 1 << 30),
            Everywhere("broadcast.max_message_size"),
            "The largest single message, as pages get it; past it: 413 for the whole request",
        )
    },
];
