//! What is kept of what was broadcast, and where.

use super::{DAY_MS, row};
use crate::options::kind::Kind::{Choice, Count, Duration, Secret, Size, Switch, Text};
use crate::options::spec::Scope::Everywhere;
use crate::options::spec::{Id, Spec};

pub(super) const ROWS: &[Spec] = &[
    Spec {
        default: Some("1000"),
        anycable: &["history_limit"],
        ..row(
            Id::HistoryLimit,
            "history_limit",
            Count(1, u32::MAX as u64),
            Everywhere("history.limit"),
            "How many messages are kept of each stream",
        )
    },
    Spec {
        default: Some("10m"),
        anycable: &["history_ttl"],
        ..row(
            Id::HistoryTtl,
            "history_ttl",
            Duration(1_000, 30 * DAY_MS),
            Everywhere("history.ttl"),
            "How long they are kept",
        )
    },
    Spec {
        default: Some("4MiB"),
        ..row(
            Id::HistoryBytes,
            "history_bytes",
            Size(1 << 10, u64::MAX),
            Everywhere("history.bytes"),
            "Memory for each stream's messages",
        )
    },
    Spec {
        default: Some("256MiB"),
        ..row(
            Id::HistoryTotalBytes,
            "history_total_bytes",
            Size(1 << 10, u64::MAX),
            Everywhere("history.total_bytes"),
            "Memory for the messages of all streams",
        )
    },
    Spec {
        default: Some("200"),
        ..row(
            Id::HealsPerSecond,
            "heals_per_second",
            Count(0, u32::MAX as u64),
            Everywhere("history.heals_per_second"),
            "How many pages are told in a second to render themselves again, if many lack \
             something at once. An app that renders a page in 10 ms on two cores answers 200. 0 \
             tells all at once",
        )
    },
    Spec {
        otherwise: "this server's own",
        ..row(
            Id::Log,
            "log",
            Secret,
            Everywhere("history.log"),
            "The log that several servers share: redis://, rediss://, redis+sentinel://, nats://, \
             tls:// or postgres://, with user and password. Or folder:PATH, which is history_folder. See \
             docs/several-servers.md",
        )
    },
    Spec {
        otherwise: "in memory: after a restart pages render themselves again",
        ..row(
            Id::HistoryFolder,
            "history_folder",
            Text,
            Everywhere("history.folder"),
            "Keep history in this folder as well, so that a restart loses nothing. One server has \
             the folder at a time",
        )
    },
    Spec {
        default: Some("30s"),
        ..row(
            Id::HistoryFolderWait,
            "history_folder_wait",
            Duration(0, DAY_MS),
            Everywhere("history.folder_wait"),
            "How long to wait at the start while another process has the folder open or relays the \
             outbox, such as a predecessor that is about to end",
        )
    },
    Spec {
        default: Some("os"),
        ..row(
            Id::HistoryFsync,
            "history_fsync",
            Choice(&["os", "second", "always"]),
            Everywhere("history.fsync"),
            "What an answered broadcast survives. os: the end of this process, at the price of one \
             write. second: a loss of power, but for the last second. always: a loss of power; \
             each request waits for the disk",
        )
    },
    Spec {
        default: Some("false"),
        ..row(
            Id::HistoryDiscardDamaged,
            "history_discard_damaged",
            Switch,
            Everywhere("history.discard_damaged"),
            "If the log in history.folder is damaged, move it into a folder damaged-1 there, and \
             begin a new log. Without this switch the server does not start then",
        )
    },
];
