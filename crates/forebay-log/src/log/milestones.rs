//! How far a database's WAL had got at places in the log.
//!
//! A page that was read from a replica of the database may lack entries that are older than its request. Its
//! cursor is at the last milestone that the replica had passed.

use std::collections::VecDeque;

use crate::commit::{Commit, Seen};
use crate::position::{Offset, UnixMillis};

/// One in a second at the most: ten minutes, twice what history keeps by default. 64 bytes each.
const MILESTONES_MAX: usize = 600;
const APART_MS: u64 = 1_000;

/// Databases that are told apart. With one more, the one is forgotten that has been silent longest.
const DATABASES_MAX: usize = 4;

/// For each database, places in the order of the log.
#[derive(Debug, Default)]
pub(super) struct Milestones(Vec<VecDeque<Milestone>>);

/// No entry of its database up to this offset was committed later than this.
#[derive(Clone, Copy, Debug)]
struct Milestone {
    offset: Offset,
    at: UnixMillis,
    latest: Commit,
}

impl Milestones {
    pub(super) fn note(&mut self, offset: Offset, at: UnixMillis, commit: Commit) {
        let milestones = self.of(commit.database.system);
        let place = |commit: &Commit| (commit.database.life, commit.wal);
        let latest = match milestones.back() {
            Some(last) if place(&last.latest) > place(&commit) => last.latest,
            _ => commit,
        };
        // The last one moves on until the one before it is old enough.
        let before = milestones.len().checked_sub(2).and_then(|index| milestones.get(index));
        if before.is_some_and(|before| at.0.saturating_sub(before.at.0) < APART_MS) {
            milestones.pop_back();
        }
        milestones.push_back(Milestone { offset, at, latest });
        if milestones.len() > MILESTONES_MAX {
            milestones.pop_front();
        }
    }

    /// The last place up to which a page has all, if its data was read from this replica.
    pub(super) fn reached(&self, seen: &Seen) -> Option<Offset> {
        let milestones = self.0.iter().find(|of| system(of).is_some_and(|it| seen.is_of(it)))?;
        // Lives, and places in the WAL of each, ascend with the offsets.
        let reached = milestones.partition_point(|milestone| seen.has(&milestone.latest));
        Some(milestones.get(reached.checked_sub(1)?)?.offset)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn of(&mut self, database: u64) -> &mut VecDeque<Milestone> {
        let index = self.0.iter().position(|of| system(of) == Some(database));
        let index = index.unwrap_or_else(|| {
            if self.0.len() == DATABASES_MAX {
                let last = |of: &VecDeque<Milestone>| of.back().map(|last| last.offset);
                let silent = self.0.iter().enumerate().min_by_key(|(_, of)| last(of));
                let silent = silent.map_or(0, |(index, _)| index);
                self.0.swap_remove(silent);
            }
            self.0.push(VecDeque::new());
            self.0.len() - 1
        });
        &mut self.0[index]
    }
}

fn system(milestones: &VecDeque<Milestone>) -> Option<u64> {
    milestones.back().map(|last| last.latest.database.system)
}
