//! What is wrong, and what was looked at.

use std::fmt::Write as _;

use serde::Serialize;

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Fault {
    /// Which of those in `docs/doctor.md`.
    #[serde(rename = "finding")]
    pub(super) name: &'static str,
    /// What is the case.
    pub(super) what: String,
    /// Why it matters.
    pub(super) why: String,
    /// The line to change.
    pub(super) change: String,
}

/// What could not be looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Skipped {
    check: &'static str,
    why: String,
}

/// All that was found out.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    /// What is wrong.
    #[serde(rename = "findings")]
    pub(super) faults: Vec<Fault>,
    checked: Vec<&'static str>,
    skipped: Vec<Skipped>,
}

impl Report {
    /// A check was made.
    pub(super) fn checked(&mut self, check: &'static str) {
        if !self.checked.contains(&check) {
            self.checked.push(check);
        }
    }

    /// A check was made, and found something.
    pub(super) fn add(&mut self, check: &'static str, fault: Fault) {
        self.checked(check);
        self.faults.push(fault);
    }

    /// A check was made; perhaps it found something.
    pub(super) fn note(&mut self, check: &'static str, fault: Option<Fault>) {
        self.checked(check);
        self.faults.extend(fault);
    }

    pub(super) fn skipped(&mut self, check: &'static str, why: impl Into<String>) {
        self.skipped.push(Skipped { check, why: why.into() });
    }

    /// For people.
    pub(super) fn text(&self, address: &str) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        for Fault { name, what, why, change } in &self.faults {
            let _ = writeln!(text, "{name}: {what}");
            let _ = writeln!(text, "  why it matters: {why}");
            let _ = writeln!(text, "  to change: {change}\n");
        }
        let _ = writeln!(text, "checked: {}", self.checked.join(", "));
        for Skipped { check, why } in &self.skipped {
            let _ = writeln!(text, "not checked: {check} ({why})");
        }
        let _ = match self.faults.len() {
            0 => write!(text, "{address}: nothing is wrong, as far as was checked"),
            1 => write!(text, "{address}: 1 finding"),
            count => write!(text, "{address}: {count} findings"),
        };
        text
    }
}
