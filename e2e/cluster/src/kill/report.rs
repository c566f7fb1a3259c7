//! What the loop did and found, as a table.

use std::collections::BTreeMap;
use std::fmt;

use super::cluster::Reasons;
use super::fault::Fault;
use super::pages::Shown;

#[derive(Default)]
pub(super) struct Report {
    kills: BTreeMap<Fault, u32>,
    rows: usize,
    /// At the last look, which is the first bad one if there is one.
    shown: Vec<Shown>,
    reasons: Reasons,
}

impl Report {
    pub(super) fn add(&mut self, fault: Fault, rows: usize, shown: &[Shown], reasons: Reasons) {
        *self.kills.entry(fault).or_default() += 1;
        self.rows = rows;
        self.shown = shown.to_vec();
        self.reasons = reasons;
    }

    /// All pages are right, and were told to load themselves again as often as they did.
    pub(super) fn is_clean(&self) -> bool {
        self.shown.iter().all(Shown::is_right) && self.visits() <= self.told()
    }

    /// The counts so far, in one line.
    pub(super) fn last(&self) -> String {
        let right = self.shown.iter().filter(|shown| shown.is_right()).count();
        let (pages, visits, told) = (self.shown.len(), self.visits(), self.told());
        format!("{right}/{pages} right, {visits} refreshes of {told} counted")
    }

    fn visits(&self) -> u64 {
        self.shown.iter().map(|shown| shown.visits).sum()
    }

    fn told(&self) -> u64 {
        self.reasons.values().sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n| what was ended | how often |\n|---|---|")?;
        for (fault, count) in &self.kills {
            writeln!(f, "| {fault} | {count} |")?;
        }
        writeln!(
            f,
            "\n| pages | rows | lost | doubled | misordered | unknown | refreshes | reloads | rows that came again |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|")?;
        for client in ["stock", "forebay"] {
            let pages: Vec<_> = self.shown.iter().filter(|shown| shown.client == client).collect();
            let sum =
                |count: fn(&Shown) -> u64| pages.iter().map(|shown| count(shown)).sum::<u64>();
            let most =
                |count: fn(&Shown) -> usize| pages.iter().map(|shown| count(shown)).sum::<usize>();
            writeln!(
                f,
                "| {} {client} | {} | {} | {} | {} | {} | {} | {} | {} |",
                pages.len(),
                self.rows,
                most(|shown| shown.lost),
                most(|shown| shown.doubled),
                most(|shown| shown.misordered),
                most(|shown| shown.unknown),
                sum(|shown| shown.visits),
                sum(|shown| shown.reloads),
                sum(|shown| shown.again),
            )?;
        }
        writeln!(
            f,
            "\n| why pages were told to load themselves again | subscriptions |\n|---|---|"
        )?;
        for (reason, count) in self.reasons.iter().filter(|(_, count)| **count > 0) {
            writeln!(
                f,
                "| {} | {count} |",
                reason.trim_start_matches("resyncs_").replace('_', " ")
            )?;
        }
        for wrong in self.shown.iter().filter(|shown| !shown.is_right()) {
            writeln!(f, "{wrong:?}")?;
        }
        Ok(())
    }
}
