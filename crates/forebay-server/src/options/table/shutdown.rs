//! How the process ends.

use super::{DAY_MS, row};
use crate::options::kind::Kind::Duration;
use crate::options::spec::Scope::Everywhere;
use crate::options::spec::{Id, Spec};

pub(super) const ROWS: &[Spec] = &[
    Spec {
        default: Some("30s"),
        anycable: &["shutdown_timeout"],
        ..row(
            Id::ShutdownTimeout,
            "shutdown_timeout",
            Duration(0, DAY_MS),
            Everywhere("shutdown.timeout"),
            "How long the process may take to end after SIGTERM or Ctrl-C. A second signal ends it \
             at once. If systemd keeps the socket, or a successor takes over, it takes two seconds \
             at the most, without delay and spread",
        )
    },
    Spec {
        otherwise: "10s, or a third of shutdown_timeout if that is less",
        ..row(
            Id::ShutdownSpread,
            "shutdown_spread",
            Duration(0, DAY_MS),
            Everywhere("shutdown.spread"),
            "Over how long pages are told to reconnect, so that they don't all do it at once. With \
             few pages it takes less: 100 ms for each. Visitors who come meanwhile are served, and \
             told at the end",
        )
    },
    Spec {
        default: Some("0"),
        anycable: &["shutdown_delay"],
        ..row(
            Id::ShutdownDelay,
            "shutdown_delay",
            Duration(0, DAY_MS),
            Everywhere("shutdown.delay"),
            "How long to go on as before after the signal, with 503 at ready_path, so that load \
             balancers notice",
        )
    },
];
