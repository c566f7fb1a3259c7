//! One stream's history: a ring in offset order, what it has forgotten, and reading from it.
//!
//! The ring does not know the other streams or the total budget; [`Log`](crate::Log) does.

use std::collections::{VecDeque, vec_deque};
use std::iter::Peekable;
use std::sync::Arc;

use crate::message::{Class, Message, StateKey};
use crate::position::{Offset, UnixMillis};
use crate::retention::{
    ENTRY_OVERHEAD_BYTES, EPHEMERAL_BYTES_MAX, EPHEMERAL_ENTRIES_MAX, SUPERSEDED_AMONG_MAX,
};

/// One element of the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place in the order of everything.
    pub offset: Offset,
    /// When it was appended.
    pub appended_at: UnixMillis,
    /// What subscribers get.
    pub message: Arc<Message>,
    /// How long it is worth keeping.
    pub class: Class,
}

impl Entry {
    pub(crate) fn cost_bytes(&self) -> usize {
        self.message.cost_bytes() + ENTRY_OVERHEAD_BYTES
    }
}

/// Why a cursor can't be served. The reader must be resynced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Gap {
    /// The cursor is of another life of the log.
    #[error("the cursor belongs to another epoch of the log")]
    OtherEpoch,
    /// Entries after the cursor have left history; the last of them is named.
    #[error("history begins after offset {0}")]
    Forgotten(Offset),
    /// The cursor is ahead of the log, whose head is named.
    #[error("the cursor is ahead of the log, which ends at offset {0}")]
    Future(Offset),
}

/// What a replay can no longer give: of one stream, or of all that have no record of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Forgotten {
    /// The largest such offset.
    pub offset: Offset,
    /// The date of that, or of a later one.
    pub at: UnixMillis,
}

impl Forgotten {
    /// All that either says.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { offset: self.offset.max(other.offset), at: self.at.max(other.at) }
    }
}

/// What one stream remembers.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) name: Arc<str>,
    /// How many streams had its index in the log before.
    pub(crate) generation: u32,
    pub(crate) pins: u32,
    pub(crate) queued_as_idle: bool,
    /// Whether a copy of the log has a record of what the stream has forgotten.
    pub(crate) is_noted: bool,
    kept: VecDeque<Entry>,
    ephemeral: VecDeque<Entry>,
    bytes: usize,
    forgotten: Forgotten,
}

impl Stream {
    pub(crate) fn new(name: Arc<str>, forgotten: Forgotten) -> Self {
        Self {
            name,
            generation: 0,
            pins: 0,
            queued_as_idle: false,
            is_noted: false,
            kept: VecDeque::new(),
            ephemeral: VecDeque::new(),
            bytes: 0,
            forgotten,
        }
    }

    /// Has no entries and has forgotten nothing.
    pub(crate) fn clear(&mut self) {
        let (generation, pins) = (self.generation, self.pins);
        *self =
            Self { generation, pins, ..Self::new(Arc::clone(&self.name), Forgotten::default()) };
    }

    /// Adds an entry that is newer than all others; gives the bytes that superseded ones freed.
    pub(crate) fn push(&mut self, entry: Entry, superseded: &mut impl FnMut(Offset)) -> usize {
        let mut freed = 0;
        match &entry.class {
            Class::Ephemeral => {
                self.ephemeral.push_back(entry);
                while self.ephemeral.len() > EPHEMERAL_ENTRIES_MAX
                    || (self.ephemeral.len() > 1 && self.ephemeral_bytes() > EPHEMERAL_BYTES_MAX)
                {
                    self.ephemeral.pop_front();
                }
                return 0;
            }
            Class::State(key) => {
                freed = self.drop_superseded(key, superseded);
            }
            Class::Log => {}
        }
        self.bytes = self.bytes + entry.cost_bytes() - freed;
        self.kept.push_back(entry);
        freed
    }

    /// Linear on purpose: superseded entries leave, so there are about as many as targets. An older one
    /// past [`SUPERSEDED_AMONG_MAX`] stays: a replay that has both leads to the same page.
    fn drop_superseded(&mut self, key: &StateKey, superseded: &mut impl FnMut(Offset)) -> usize {
        let mut freed = 0;
        let mut index = self.kept.len().saturating_sub(SUPERSEDED_AMONG_MAX);
        while let Some(old) = self.kept.get(index) {
            if matches!(&old.class, Class::State(old) if key.supersedes(old)) {
                freed += old.cost_bytes();
                superseded(old.offset);
                self.kept.remove(index);
            } else {
                index += 1;
            }
        }
        freed
    }

    /// Forgets the oldest entry for good; gives the bytes that this freed.
    pub(crate) fn forget_oldest(&mut self) -> usize {
        let Some(entry) = self.kept.pop_front() else {
            return 0;
        };
        self.forget(Forgotten { offset: entry.offset, at: entry.appended_at });
        let freed = entry.cost_bytes();
        self.bytes -= freed;
        if self.kept.is_empty() {
            self.kept = VecDeque::new();
        }
        freed
    }

    /// Drops ephemeral entries appended before `limit`. Nobody is owed them.
    pub(crate) fn drop_ephemeral_before(&mut self, limit: UnixMillis) {
        while self.ephemeral.front().is_some_and(|entry| entry.appended_at < limit) {
            self.ephemeral.pop_front();
        }
        if self.ephemeral.is_empty() {
            self.ephemeral = VecDeque::new();
        }
    }

    fn ephemeral_bytes(&self) -> usize {
        self.ephemeral.iter().map(Entry::cost_bytes).sum()
    }

    pub(crate) fn oldest(&self) -> Option<&Entry> {
        self.kept.front()
    }

    pub(crate) fn oldest_ephemeral(&self) -> Option<&Entry> {
        self.ephemeral.front()
    }

    pub(crate) fn holds(&self, offset: Offset) -> bool {
        self.kept.binary_search_by_key(&offset, |entry| entry.offset).is_ok()
    }

    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn forgotten(&self) -> Forgotten {
        self.forgotten
    }

    pub(crate) fn forget(&mut self, more: Forgotten) {
        self.forgotten = self.forgotten.max(more);
    }

    /// The last entry that was appended before `at`, if nothing since then is forgotten.
    pub(crate) fn before(&self, at: UnixMillis) -> Result<Offset, Gap> {
        if at <= self.forgotten.at {
            return Err(Gap::Forgotten(self.forgotten.offset));
        }
        let newer = self.kept.iter().position(|entry| entry.appended_at >= at);
        let older = newer.unwrap_or(self.kept.len()).checked_sub(1);
        Ok(older.map_or(self.forgotten.offset, |index| self.kept[index].offset))
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.pins == 0 && self.kept.is_empty() && self.ephemeral.is_empty()
    }

    pub(crate) fn has_ephemeral(&self) -> bool {
        !self.ephemeral.is_empty()
    }

    pub(crate) fn last(&self) -> Offset {
        let newest = |ring: &VecDeque<Entry>| ring.back().map_or(Offset::ZERO, |e| e.offset);
        newest(&self.kept).max(newest(&self.ephemeral)).max(self.forgotten.offset)
    }

    pub(crate) fn read(&self, after: Offset, attached: Offset) -> Result<Entries<'_>, Gap> {
        if after < self.forgotten.offset {
            return Err(Gap::Forgotten(self.forgotten.offset));
        }
        Ok(Entries {
            kept: tail(&self.kept, after).peekable(),
            ephemeral: tail(&self.ephemeral, after.max(attached)).peekable(),
        })
    }
}

fn tail(ring: &VecDeque<Entry>, after: Offset) -> vec_deque::Iter<'_, Entry> {
    // Most readers are at most one entry behind: look at the end before searching.
    let is_before = |place: usize| ring.get(place).is_none_or(|entry| entry.offset <= after);
    let len = ring.len();
    let start = match (is_before(len.wrapping_sub(1)), is_before(len.wrapping_sub(2))) {
        (true, _) => len,
        (false, true) => len - 1,
        (false, false) => ring.partition_point(|entry| entry.offset <= after),
    };
    ring.range(start..)
}

/// The entries of one stream after a position, in offset order.
#[derive(Debug)]
pub struct Entries<'a> {
    kept: Peekable<vec_deque::Iter<'a, Entry>>,
    ephemeral: Peekable<vec_deque::Iter<'a, Entry>>,
}

impl<'a> Iterator for Entries<'a> {
    type Item = &'a Entry;

    fn next(&mut self) -> Option<&'a Entry> {
        match (self.kept.peek(), self.ephemeral.peek()) {
            (Some(kept), Some(ephemeral)) if ephemeral.offset < kept.offset => {
                self.ephemeral.next()
            }
            (None, _) => self.ephemeral.next(),
            _ => self.kept.next(),
        }
    }
}
