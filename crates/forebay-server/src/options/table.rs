//! The options, one file for each group. To add one: an [`Id`], a row in its group's file,
//! `forebay options > docs/options.md`.

mod broadcasting;
mod client;
mod configuration;
mod doctor;
mod history;
mod inspecting;
mod keys;
mod listening;
mod logs;
mod metrics;
mod presence;
mod shutdown;
mod streams;

use super::kind::Kind;
use super::spec::Command::{self, Doctor, Listen, Serve, Sign};
use super::spec::{Id, Scope, Spec};

/// Options that stand under one heading.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) heading: &'static str,
    pub(crate) rows: &'static [Spec],
}

/// Every group, in the order of the documentation.
pub(crate) const GROUPS: [Group; 13] = [
    Group { heading: "Listening", rows: listening::ROWS },
    Group { heading: "Keys", rows: keys::ROWS },
    Group { heading: "Streams without a signature", rows: streams::ROWS },
    Group { heading: "Broadcasting", rows: broadcasting::ROWS },
    Group { heading: "History", rows: history::ROWS },
    Group { heading: "Presence", rows: presence::ROWS },
    Group { heading: "Shutting down", rows: shutdown::ROWS },
    Group { heading: "Logs", rows: logs::ROWS },
    Group { heading: "Metrics", rows: metrics::ROWS },
    Group { heading: "Inspecting", rows: inspecting::ROWS },
    Group { heading: "Configuration", rows: configuration::ROWS },
    Group { heading: "This call", rows: client::ROWS },
    Group { heading: "Checking a set-up", rows: doctor::ROWS },
];

/// Every option, in the same order.
pub(crate) fn all() -> impl Iterator<Item = &'static Spec> + Clone {
    GROUPS.iter().flat_map(|group| group.rows)
}

const ALL: &[Command] = &Command::ALL;
const KEY_USERS: &[Command] = &[Serve, Listen, Sign, Doctor];

const DAY_MS: u64 = 86_400_000;

/// A row; what it does not say is nothing.
const fn row(id: Id, name: &'static str, kind: Kind, scope: Scope, help: &'static str) -> Spec {
    Spec {
        id,
        name,
        flag: None,
        short_flags: &[],
        kind,
        default: None,
        otherwise: "",
        scope,
        anycable: &[],
        env: &[],
        commands: &[Serve],
        help,
    }
}
