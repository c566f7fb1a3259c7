//! What is recorded of broadcasts and pages, and who may see it.

use super::row;
use crate::options::kind::Kind::{Secret, Switch};
use crate::options::spec::Command::{Serve, Why};
use crate::options::spec::Scope::Everywhere;
use crate::options::spec::{Id, Spec};

pub(super) const ROWS: &[Spec] = &[
    Spec {
        default: Some("false"),
        ..row(
            Id::Inspect,
            "inspect",
            Switch,
            Everywhere("inspect.inspect"),
            "Record what happens to broadcasts and pages, and answer below PREFIX/inspect, and `forebay why`. \
             Without a key only this machine is answered",
        )
    },
    Spec {
        otherwise: "only this machine may inspect",
        short_flags: &["key"],
        commands: &[Serve, Why],
        ..row(
            Id::InspectKey,
            "inspect_key",
            Secret,
            Everywhere("inspect.key"),
            "What whoever inspects shows: Authorization: Bearer KEY, or the password in a browser. With it nothing \
             can be changed, and pages don't report",
        )
    },
    Spec {
        default: Some("false"),
        ..row(
            Id::InspectBodies,
            "inspect_bodies",
            Switch,
            Everywhere("inspect.bodies"),
            "Record the messages of broadcasts, too. They are what visitors see",
        )
    },
];
