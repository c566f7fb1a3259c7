//! Where the configuration itself is read from.

use super::{ALL, row};
use crate::options::kind::Kind::{File, Switch};
use crate::options::spec::Command::Serve;
use crate::options::spec::Scope::{FlagOnly, NotInFile};
use crate::options::spec::{Id, Spec};

pub(super) const ROWS: &[Spec] = &[
    Spec {
        otherwise: "forebay.toml, if there is one",
        anycable: &["config_path"],
        commands: ALL,
        ..row(Id::Config, "config", File, NotInFile, "The file to read options from")
    },
    Spec {
        default: Some("false"),
        anycable: &["print_config"],
        commands: &[Serve],
        ..row(
            Id::PrintConfig,
            "print_config",
            Switch,
            FlagOnly,
            "Print every value and where it comes from, as a forebay.toml, and end",
        )
    },
];
