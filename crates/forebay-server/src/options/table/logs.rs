//! What is logged.

use super::row;
use crate::options::kind::Kind::{Choice, Switch};
use crate::options::spec::Scope::Everywhere;
use crate::options::spec::{Id, Spec};

pub(super) const ROWS: &[Spec] = &[
    Spec {
        default: Some("info"),
        anycable: &["log_level"],
        ..row(
            Id::LogLevel,
            "log_level",
            Choice(&["off", "error", "warn", "info", "debug", "trace"]),
            Everywhere("log.level"),
            "How much is logged. The log goes to standard error",
        )
    },
    Spec {
        default: Some("text"),
        anycable: &["log_format"],
        ..row(
            Id::LogFormat,
            "log_format",
            Choice(&["text", "json"]),
            Everywhere("log.format"),
            "How the log is written",
        )
    },
    Spec {
        default: Some("false"),
        anycable: &["debug"],
        ..row(Id::Debug, "debug", Switch, Everywhere("log.debug"), "The same as log_level = debug")
    },
];
