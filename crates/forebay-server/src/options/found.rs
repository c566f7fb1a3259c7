//! What the sources hold: values that are not checked yet, and where each came from.

use std::fmt;

use super::kind::Raw;
use super::problem::Problem;
use super::spec::Id;

/// Where a value came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    Default,
    File { name: String, line: usize },
    Variable(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// A value that was found for an option, not checked yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Found {
    pub(super) id: Id,
    pub(super) origin: Origin,
    pub(super) raw: Raw,
}

/// What one source holds.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Findings {
    pub(super) found: Vec<Found>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
}

impl Findings {
    pub(super) fn append(&mut self, mut other: Self) {
        self.found.append(&mut other.found);
        self.problems.append(&mut other.problems);
        self.warnings.append(&mut other.warnings);
    }

    pub(super) fn text_of(&self, id: Id) -> Option<(&str, &Origin)> {
        let found = self.found.iter().rfind(|found| found.id == id)?;
        match &found.raw {
            Raw::Text(text) => Some((text, &found.origin)),
            _ => None,
        }
    }
}
