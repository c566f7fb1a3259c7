//! What is known of one broadcast.

use serde::{Deserialize, Serialize};

/// One broadcast, from the line that asked for it to what became of it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Broadcast {
    /// Its number on the node that it was asked for at. It only grows.
    pub id: u64,
    /// The node that it was asked for at.
    pub node: String,
    /// When it was asked for.
    pub at: u64,
    /// Who asked for it.
    pub source: Source,
    /// The stream's name in clear. Empty where none could be made.
    pub stream: String,
    /// What it does: `append`, say. `None` where it is not known without a look at its HTML.
    pub action: Option<String>,
    /// What it acts on, where that is known.
    pub targets: Option<Targets>,
    /// How long it is worth keeping.
    pub class: Class,
    /// The session that is left out.
    pub except: Option<String>,
    /// Its request had a transaction open, and it was not asked for through that.
    pub beside_transaction: bool,
    /// What became of it.
    pub outcome: Outcome,
    /// How many subscriptions it was for, on each node that said so.
    pub reach: Vec<Reach>,
    /// The message, where bodies are shown.
    pub body: Option<String>,
}

/// Who asked for a broadcast.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Source {
    /// The line of code: `src/messages.rs:42`.
    pub place: Option<String>,
    /// The request that it was made in.
    pub request: Option<String>,
    /// The address that it was posted from.
    pub sender: Option<String>,
}

/// What a broadcast acts on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Targets {
    /// The whole page.
    Page,
    /// The element of this id.
    Id(String),
    /// All that this CSS selector finds.
    Selector(String),
}

/// How long a broadcast is worth keeping.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// As long as history keeps it.
    #[default]
    Log,
    /// Until another one overwrites what it set.
    State,
    /// Not at all: for those who are there.
    Ephemeral,
}

/// A place in the log.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Place {
    /// The log's life, in hexadecimal.
    pub epoch: String,
    /// The place in it.
    pub offset: u64,
}

/// How many subscriptions of a node a broadcast was for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Reach {
    /// The node.
    pub node: String,
    /// Its subscriptions to the stream.
    pub subscriptions: u64,
}

/// What became of a broadcast.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It waits: for its transaction, its turn, or the end of a refresh window.
    #[default]
    Pending,
    /// It has its place in the log.
    Published(Place),
    /// It had its place, and history keeps a later one instead that overwrites what it set.
    Superseded(Place),
    /// Another refresh of the same window went instead.
    Debounced,
    /// It was left out, by `suppressing`.
    Suppressed,
    /// Its transaction was rolled back, or dropped.
    RolledBack,
    /// Its template failed.
    FailedToRender {
        /// What the template says.
        why: String,
    },
    /// It could not be made: no stream name, an unsaved record, too large.
    Invalid {
        /// What is wrong with it.
        why: String,
    },
    /// The log's store did not take it.
    Refused {
        /// What the store says.
        why: String,
    },
    /// It was lost after its commit; its stream has a gap in its place.
    Gap {
        /// What was in its way.
        why: String,
    },
}

impl Outcome {
    /// Its place in the log, if it ever had one.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Published(place) | Self::Superseded(place) => Some(place),
            _ => None,
        }
    }
}

impl Broadcast {
    /// One that has this place in the log.
    pub fn published(stream: &str, epoch: &str, offset: u64) -> Self {
        let place = Place { epoch: epoch.to_owned(), offset };
        Self { outcome: Outcome::Published(place), ..Self::of(stream, Outcome::Pending) }
    }

    /// One of which this became.
    pub fn of(stream: &str, outcome: Outcome) -> Self {
        Self { stream: stream.to_owned(), outcome, ..Self::default() }
    }

    /// All subscriptions that it is known to have been for.
    pub fn subscriptions(&self) -> u64 {
        self.reach.iter().map(|reach| reach.subscriptions).sum()
    }
}
