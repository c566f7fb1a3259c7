//! What pages have reported: the last of it, and not more than anybody can look at.

use std::collections::{BTreeSet, VecDeque};

use forebay_inspect::Report;

/// Reports that are taken in a second, of all pages: a page that is sent a hundred broadcasts a second
/// reports them in time, and a stranger fills memory no faster than this.
const PER_SECOND: u64 = 1_000;

#[derive(Debug, Default)]
pub(super) struct PageReports {
    all: VecDeque<(Box<str>, Report)>,
    second: u64,
    taken: u64,
    left_out: u64,
}

impl PageReports {
    pub(super) fn add(&mut self, now: u64, page: &str, report: Report, max: usize) -> bool {
        if now / 1_000 != self.second {
            (self.second, self.taken) = (now / 1_000, 0);
        }
        if self.taken >= PER_SECOND {
            self.left_out += 1;
            return false;
        }
        self.taken += 1;
        if self.all.len() >= max {
            self.all.pop_front();
        }
        self.all.push_back((page.into(), report));
        true
    }

    /// Those of a page, the oldest first.
    pub(super) fn of(&self, page: &str) -> Vec<Report> {
        let of_page = self.all.iter().filter(|(of, _)| **of == *page);
        of_page.map(|(_, report)| report.clone()).collect()
    }

    /// What pages call themselves that have reported.
    pub(super) fn names(&self) -> BTreeSet<Box<str>> {
        self.all.iter().map(|(of, _)| of.clone()).collect()
    }

    /// The last ones of pages that pass the test, each with what its page calls itself, the oldest first.
    pub(super) fn last(&self, max: usize, test: impl Fn(&str) -> bool) -> Vec<(String, Report)> {
        let found = self.all.iter().rev().filter(|(of, _)| test(of)).take(max);
        let mut found: Vec<_> =
            found.map(|(of, report)| (String::from(&**of), report.clone())).collect();
        found.reverse();
        found
    }

    pub(super) fn leave_out(&mut self, count: u64) {
        self.left_out = self.left_out.saturating_add(count);
    }

    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }
}
