//! What publishers and applications use: their paths, their key, their bounds.

use super::{DAY_MS, row};
use crate::options::kind::Kind::{Duration, Port, Route, Secret, Size, Text};
use crate::options::spec::Command::{Doctor, Outbox, Publish, Serve};
use crate::options::spec::Scope::Everywhere;
use crate::options::spec::{Id, Spec};

pub(super) const ROWS: &[Spec] = &[
    Spec {
        otherwise: "broadcasts are only posted",
        commands: &[Serve, Outbox],
        ..row(
            Id::Outbox,
            "outbox",
            Secret,
            Everywhere("broadcast.outbox"),
            "The application's database, whose transactions broadcast: postgres://user:password@host/database, \
             or sqlite:FILE. What is committed in its outbox is published here, once. See docs/outbox.md",
        )
    },
    Spec {
        otherwise: "derived from secret, or else from secret_key_base; see docs/serve.md",
        short_flags: &["key"],
        anycable: &["broadcast_key", "http_broadcast_secret"],
        commands: &[Serve, Publish, Doctor],
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
        commands: &[Serve, Doctor],
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
             Without a key, everybody who can reach it can write to every page",
        )
    },
    Spec {
        default: Some("/_cursor"),
        ..row(
            Id::CursorPath,
            "cursor_path",
            Route,
            Everywhere("broadcast.cursor_path"),
            "Where an application asks, before it renders a page, for what the cursors of that \
             page are made from. The answer itself is not to be rendered. Same port, same key",
        )
    },
    Spec {
        default: Some("/_revoke"),
        ..row(
            Id::RevokePath,
            "revoke_path",
            Route,
            Everywhere("broadcast.revoke_path"),
            "Where access is taken back: {\"identity\": …, \"stream\": …}, either or both. Same \
             port, same key",
        )
    },
    Spec {
        default: Some("/_readmit"),
        ..row(
            Id::ReadmitPath,
            "readmit_path",
            Route,
            Everywhere("broadcast.readmit_path"),
            "Where access is given again, with the same body. Same port, same key",
        )
    },
    Spec {
        otherwise: "for ever",
        ..row(
            Id::RevocationTtl,
            "revocation_ttl",
            Duration(60_000, 36_500 * DAY_MS),
            Everywhere("broadcast.revocation_ttl"),
            "How long it is remembered that access was taken back. Make it as long as a page can \
             be open, and a signed name be good",
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
            "Where a publisher names the streams that it could not broadcast to: {\"streams\": \
             […]}. Their pages load themselves again. Same port, same key",
        )
    },
    Spec {
        default: Some("8MiB"),
        ..row(
            Id::BroadcastMaxSize,
            "broadcast_max_size",
            Size(1 << 10, 1 << 30),
            Everywhere("broadcast.max_size"),
            "The largest body of one request. A larger one is answered with 413",
        )
    },
    Spec {
        default: Some("1MiB"),
        ..row(
            Id::BroadcastMaxMessageSize,
            "broadcast_max_message_size",
            Size(1 << 10, 1 << 30),
            Everywhere("broadcast.max_message_size"),
            "The largest message, as pages get it. With a larger one, the whole request is \
             answered with 413",
        )
    },
];
