//! Putting a log back that an earlier life of the process had: what it had forgotten, its entries, and
//! where it ended.
//!
//! It says of each stream what the earlier life said, no more and no less. The copy may be older by
//! what had left the log last: that is back, and leaves it again.
//!
//! A log that is in use can become another in this way: a replica that has to begin anew.

use std::collections::HashSet;

use super::{Log, StreamId};
use crate::position::{Epoch, Offset};
use crate::retention::Retention;
use crate::stream::{Entry, Forgotten, Stream};

/// A log that is being put back.
#[derive(Debug)]
pub struct Restoration {
    log: Log,
    /// All streams. They stay open until the end, so that no record goes whose entries are still to
    /// come: these would not know what had been forgotten before them.
    open: Vec<StreamId>,
    /// Streams that somebody reads, of which nothing has been said yet.
    unsaid: HashSet<StreamId>,
}

impl Restoration {
    /// Begins with what was forgotten of streams without a record. From now on what leaves the log is
    /// noted, and has to be taken again and again ([`Log::take_dropped`]).
    pub fn new(epoch: Epoch, retention: Retention, floor: Forgotten) -> Self {
        Self::over(Log::new(epoch, retention), epoch, floor)
    }

    /// The same in the place of a log that is in use. Its streams stay open, and it has nothing else of
    /// what it had: whoever reads it has to begin anew, too.
    pub fn over(mut log: Log, epoch: Epoch, floor: Forgotten) -> Self {
        log.clear();
        let unsaid = log.names.values().copied().collect();
        (log.epoch, log.floor, log.noted_floor) = (epoch, floor, floor);
        log.dropped = Some(Vec::new());
        Self { log, open: Vec::new(), unsaid }
    }

    /// Says again what was forgotten of a stream.
    pub fn forget(&mut self, stream: &str, forgotten: Forgotten) {
        let id = self.open(stream, forgotten);
        self.log.stream_mut(id).is_noted = true;
    }

    /// Puts an entry back, in order of offsets. `forgotten` is what its stream lacked when it was
    /// appended ([`Log::forgotten`]).
    pub fn keep(&mut self, stream: &str, entry: Entry, forgotten: Forgotten) {
        let id = self.open(stream, forgotten);
        self.log.head = self.log.head.max(entry.offset);
        if let Some(commit) = entry.message.commit() {
            self.log.milestones.note(entry.offset, entry.appended_at, *commit);
        }
        self.log.keep(id, entry);
    }

    /// The log. Its next entry comes after `head`, even if the last that was put back is older: those
    /// in between were given to somebody.
    ///
    /// Streams that were not idle in the earlier life (somebody read them, or they had ephemeral
    /// entries) may be idle now: what could be served then is not dropped for that.
    pub fn finish(mut self, head: Offset) -> Log {
        self.log.head = self.log.head.max(head);
        for id in std::mem::take(&mut self.unsaid) {
            let floor = self.log.floor;
            self.log.stream_mut(id).forget(floor);
        }
        // Those that were idle first go first, and so the floor rises as little as before.
        self.open.sort_by_key(|id| self.log.stream(*id).forgotten().offset);
        for id in self.open {
            self.log.stream_mut(id).pins -= 1;
            self.log.queue_if_idle(id);
        }
        self.log
    }

    fn open(&mut self, name: &str, forgotten: Forgotten) -> StreamId {
        if let Some(id) = self.log.find(name) {
            self.unsaid.remove(&id);
            self.log.stream_mut(id).forget(forgotten);
            return id;
        }
        let id = self.log.add(Stream::new(name.into(), forgotten));
        self.log.stream_mut(id).pins += 1;
        self.open.push(id);
        id
    }
}
