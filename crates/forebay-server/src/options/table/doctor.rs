//! What only one call of `doctor` says.

use super::row;
use crate::options::kind::Kind::{Duration, Switch, Text, Url};
use crate::options::spec::Command::Doctor;
use crate::options::spec::Scope::FlagOnly;
use crate::options::spec::{Id, Spec};

pub(super) const ROWS: &[Spec] = &[
    Spec {
        otherwise: "that of URL",
        commands: &[Doctor],
        ..row(
            Id::Origin,
            "origin",
            Url(&["http://", "https://"]),
            FlagOnly,
            "The origin of the app's pages, where it is another than the cable's: https://example.com",
        )
    },
    Spec {
        otherwise: "no page is looked at",
        commands: &[Doctor],
        ..row(
            Id::Page,
            "page",
            Url(&["http://", "https://"]),
            FlagOnly,
            "A page of the app: where it says that the cable is, and whether its tag is accepted",
        )
    },
    Spec {
        otherwise: "broadcast_path at URL",
        commands: &[Doctor],
        ..row(
            Id::BroadcastUrl,
            "broadcast_url",
            Url(&["http://", "https://"]),
            FlagOnly,
            "Where broadcasts are posted, if that is another address or port",
        )
    },
    Spec {
        default: Some("30s"),
        commands: &[Doctor],
        ..row(
            Id::Hold,
            "hold",
            Duration(1_000, 300_000),
            FlagOnly,
            "How long quiet connections are held, to see whether something cuts them. The whole check takes \
             about as long",
        )
    },
    Spec {
        otherwise: "no app is looked at",
        commands: &[Doctor],
        ..row(
            Id::Rails,
            "rails",
            Text,
            FlagOnly,
            "The folder of a Rails app, whose config/cable.yml is looked at",
        )
    },
    Spec {
        default: Some("production"),
        commands: &[Doctor],
        ..row(Id::RailsEnv, "rails_env", Text, FlagOnly, "The environment in it that is looked at")
    },
    Spec {
        default: Some("false"),
        commands: &[Doctor],
        ..row(Id::Json, "json", Switch, FlagOnly, "Print one object of JSON, for programs")
    },
];
