//! Who is present on a stream, for how long, and what AnyCable's clients may say of it.

use super::{DAY_MS, row};
use crate::options::kind::Kind::{Choice, Count, Duration, Route, Size, Streams, Switch, Url};
use crate::options::spec::Scope::Everywhere;
use crate::options::spec::{Id, Spec};

pub(super) const ROWS: &[Spec] = &[
    Spec {
        default: Some("15s"),
        anycable: &["presence_ttl"],
        ..row(
            Id::PresenceTtl,
            "presence_ttl",
            Duration(1_000, DAY_MS),
            Everywhere("presence.ttl"),
            "How long a member stays whose connection was lost or is silent. Longer than a few pings, and than a \
             ride in a lift. Members of a server that nothing is heard of leave after the same time",
        )
    },
    Spec {
        default: Some("5s"),
        ..row(
            Id::PresenceGrace,
            "presence_grace",
            Duration(0, DAY_MS),
            Everywhere("presence.grace"),
            "How long a member stays whose page was left or loaded again. The next page is there by then",
        )
    },
    Spec {
        default: Some("100"),
        ..row(
            Id::PresenceEachMax,
            "presence_each_max",
            Count(0, u32::MAX as u64),
            Everywhere("presence.each_max"),
            "Up to so many members of a stream, each change is told at once. Beyond, changes come many at a time",
        )
    },
    Spec {
        default: Some("10"),
        ..row(
            Id::PresenceBurstMax,
            "presence_burst_max",
            Count(0, u32::MAX as u64),
            Everywhere("presence.burst_max"),
            "Of so many members of a stream within presence_window, at the most. Nobody can follow more than ten \
             in a second. It is for each server",
        )
    },
    Spec {
        default: Some("1s"),
        ..row(
            Id::PresenceWindow,
            "presence_window",
            Duration(50, 60_000),
            Everywhere("presence.window"),
            "Beyond these two, the changes of this time are told together: a page gets one message from each \
             server, also when thousands come within a second",
        )
    },
    Spec {
        default: Some("1000"),
        ..row(
            Id::PresenceNamesMax,
            "presence_names_max",
            Count(0, u32::MAX as u64),
            Everywhere("presence.names_max"),
            "Beyond so many members of a stream, pages are told how many there are, and not who. A list of a \
             thousand is some 100 KB",
        )
    },
    Spec {
        default: Some("4KiB"),
        ..row(
            Id::PresenceInfoBytes,
            "presence_info_bytes",
            Size(16, 64 << 10),
            Everywhere("presence.info_bytes"),
            "What others are told of a member, at the most: a name, an avatar's address, a status",
        )
    },
    Spec {
        default: Some("100000"),
        ..row(
            Id::PresenceMembersEachMax,
            "presence_members_each_max",
            Count(1, u32::MAX as u64),
            Everywhere("presence.members_each_max"),
            "Members of one stream, at the most. At 300 bytes each they take 30 MB",
        )
    },
    Spec {
        default: Some("1000000"),
        ..row(
            Id::PresenceMembersMax,
            "presence_members_max",
            Count(1, u32::MAX as u64),
            Everywhere("presence.members_max"),
            "Members of all streams together, at the most. At 300 bytes each they take 300 MB",
        )
    },
    Spec {
        otherwise: "nobody is told",
        ..row(
            Id::PresenceWebhookUrl,
            "presence_webhook_url",
            Url(&["http://", "https://"]),
            Everywhere("presence.webhook_url"),
            "Where the application is told that the first member has come to a stream, or the last has left. See \
             docs/presence.md",
        )
    },
    Spec {
        otherwise: "none",
        anycable: &["streams_presence"],
        ..row(
            Id::PresenceStreams,
            "presence_streams",
            Streams,
            Everywhere("presence.streams"),
            "Streams on which AnyCable's clients are told who is present: names, or beginnings such \
             as chat/*, or true for all",
        )
    },
    Spec {
        default: Some("nothing"),
        ..row(
            Id::PresenceClientsChoose,
            "presence_clients_choose",
            Choice(&["nothing", "info", "id"]),
            Everywhere("presence.clients_choose"),
            "As whom AnyCable's clients are present there that ask for it. nothing: they can't be. \
             info: as their identity (identity_header), with an info of their own. id: as whom they \
             say, which is what AnyCable does: anybody can be present as anybody",
        )
    },
    Spec {
        default: Some("false"),
        ..row(
            Id::PresenceClientHtml,
            "presence_client_html",
            Switch,
            Everywhere("presence.client_html"),
            "html in the info of a client is passed on. AnyCable's turbo-cable-presence-source \
             puts it into the pages of all others: only where each visitor may change everybody's \
             page",
        )
    },
    Spec {
        default: Some("/_presence"),
        ..row(
            Id::PresencePath,
            "presence_path",
            Route,
            Everywhere("presence.path"),
            "Where a publisher asks who is present (GET ?stream=NAME), and says another info of a \
             member (POST). Same port, same key as broadcast_path",
        )
    },
    Spec {
        default: Some("/api"),
        anycable: &["api_path"],
        ..row(
            Id::ApiPath,
            "api_path",
            Route,
            Everywhere("api_path"),
            "AnyCable's REST API, of which there is GET /api/presence/STREAM/users. Same port as \
             broadcast_path; its key, or AnyCable's for its API",
        )
    },
];
