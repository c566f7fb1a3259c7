//! What only one call of `publish`, `listen`, `sign` or `why` says.

use super::{DAY_MS, row};
use crate::options::kind::Kind::{Choice, Count, Duration, Switch, Text, Url};
use crate::options::spec::Command::{Listen, Publish, Sign, Why};
use crate::options::spec::Scope::{Everywhere, FlagOnly};
use crate::options::spec::{Id, Spec};

pub(super) const ROWS: &[Spec] = &[
    Spec {
        flag: Some("url"),
        otherwise: "http://localhost:8080/_broadcast with a key, port 8090 without",
        anycable: &["http_broadcast_url"],
        commands: &[Publish],
        ..row(
            Id::PublishUrl,
            "publish_url",
            Url(&["http://", "https://"]),
            Everywhere("publish.url"),
            "The server's address for broadcasts",
        )
    },
    Spec {
        flag: Some("url"),
        default: Some("ws://localhost:8080/cable"),
        anycable: &["websocket_url"],
        commands: &[Listen],
        ..row(
            Id::ListenUrl,
            "listen_url",
            Url(&["ws://", "wss://"]),
            Everywhere("listen.url"),
            "The server's address for pages",
        )
    },
    Spec {
        flag: Some("url"),
        default: Some("http://localhost:8080/forebay/inspect"),
        commands: &[Why],
        ..row(
            Id::InspectUrl,
            "inspect_url",
            Url(&["http://", "https://"]),
            Everywhere("why.url"),
            "The server's address for the inspector",
        )
    },
    Spec {
        flag: Some("page"),
        otherwise: "the newest page of this machine",
        commands: &[Why],
        ..row(
            Id::WhyPage,
            "why_page",
            Text,
            FlagOnly,
            "The page: its connection's id, the cursor of one of its tags, or its visitor's name or address",
        )
    },
    Spec {
        otherwise: "it has to be named",
        commands: &[Why],
        ..row(
            Id::Stream,
            "stream",
            Text,
            FlagOnly,
            "The stream: its name in clear, with its records readable, or signed as the page's tag has it",
        )
    },
    Spec {
        otherwise: "the last broadcast",
        commands: &[Why],
        ..row(
            Id::Offset,
            "offset",
            Count(1, u64::MAX),
            FlagOnly,
            "The broadcast's place in the log",
        )
    },
    Spec {
        default: Some("turbo"),
        commands: &[Listen],
        ..row(
            Id::Channel,
            "channel",
            Choice(&["turbo", "pubsub"]),
            FlagOnly,
            "The channel: turbo for Turbo::StreamsChannel, pubsub for $pubsub",
        )
    },
    Spec {
        otherwise: "signed with the configured key",
        commands: &[Listen],
        ..row(Id::Signed, "signed", Text, FlagOnly, "A signed name instead of STREAM")
    },
    Spec {
        flag: Some("public"),
        default: Some("false"),
        commands: &[Listen],
        ..row(
            Id::Unsigned,
            "unsigned",
            Switch,
            FlagOnly,
            "The stream is public, and STREAM its plain name",
        )
    },
    Spec {
        otherwise: "from now on",
        commands: &[Listen],
        ..row(
            Id::Cursor,
            "cursor",
            Text,
            FlagOnly,
            "Begin after this cursor, and go on after a reconnect where it was. Takes a tag's \
             cursor, or the answer of cursor_path",
        )
    },
    Spec {
        otherwise: "until Ctrl-C",
        commands: &[Listen],
        ..row(Id::Count, "count", Count(1, u64::MAX), FlagOnly, "End after so many messages")
    },
    Spec {
        default: Some("false"),
        commands: &[Listen],
        ..row(Id::Raw, "raw", Switch, FlagOnly, "Print the message only, and a text without quotes")
    },
    Spec {
        default: Some("false"),
        commands: &[Sign],
        ..row(Id::Pubsub, "pubsub", Switch, FlagOnly, "Sign for $pubsub instead of Turbo's channel")
    },
    Spec {
        otherwise: "never",
        commands: &[Sign],
        ..row(
            Id::ExpiresIn,
            "expires_in",
            Duration(1_000, 36_500 * DAY_MS),
            FlagOnly,
            "For how long the name is good",
        )
    },
    Spec {
        default: Some("false"),
        commands: &[Sign],
        ..row(Id::Tag, "tag", Switch, FlagOnly, "Print the whole turbo-cable-stream-source tag")
    },
    Spec {
        otherwise: "sign",
        commands: &[Sign],
        ..row(
            Id::Verify,
            "verify",
            Text,
            FlagOnly,
            "Verify this signed name, and print what it says",
        )
    },
];
