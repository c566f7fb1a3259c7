//! What is written of a log, and what is read back.

use std::sync::Arc;
use std::time::Duration;

use forebay_log::{
    Class, Dropped, Entry, Epoch, Forgotten, Log, Message, Offset, Position, Presence, Restoration,
    Retention, Revocation, UnixMillis,
};

use crate::pages::KeptPage;

/// What an acknowledged broadcast survives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Fsync {
    /// The end of the process, but not a loss of power: the kernel has it. A broadcast costs one `write`.
    /// This is the default.
    #[default]
    Os,
    /// A loss of power as well, but for what was broadcast within this time.
    Every(Duration),
    /// A loss of power. Each broadcast, or batch of them, waits for the disk. Those that wait share a sync.
    Always,
}

/// What is written of one broadcast.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Its offset.
    pub offset: Offset,
    /// When it was published.
    pub at: UnixMillis,
    /// Its stream.
    pub stream: &'a str,
    /// What subscribers get.
    pub message: &'a Message,
    /// How long it is worth keeping. Ephemeral ones are not written.
    pub class: &'a Class,
    /// What its stream lacks before it is appended ([`Log::forgotten`]).
    pub forgotten: Forgotten,
}

/// What was written of one broadcast.
#[derive(Clone, Debug)]
pub struct Written {
    /// Its stream.
    pub stream: String,
    /// The entry.
    pub entry: Entry,
    /// What its stream lacked before it was appended.
    pub forgotten: Forgotten,
}

/// Access that was taken back, or given again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revoked {
    /// Its place in the order.
    pub at: Offset,
    /// When. An older format doesn't say: then it is the largest.
    pub made_at: UnixMillis,
    /// Whose access, and to what.
    pub revocation: Revocation,
    /// Whether it is given again.
    pub is_readmitted: bool,
}

/// Up to where revocations are no longer remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RevokedFloor {
    /// There was no room for them.
    pub all: Offset,
    /// They were so old that only pages with a cursor can be older.
    pub with_cursor: Offset,
}

/// What has left a replica's memory: whoever keeps a copy of that no longer needs it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Left {
    /// Entries, and what is forgotten with them.
    pub dropped: Vec<Dropped>,
    /// What is forgotten of streams without a record.
    pub floor: Forgotten,
    /// Places of revocations that are no longer remembered.
    pub revocations: Vec<Offset>,
    /// Up to where they are not.
    pub revoked_floor: RevokedFloor,
}

impl Left {
    /// Nothing has left. The floors don't say so.
    pub(crate) fn is_empty(&self) -> bool {
        self.dropped.is_empty() && self.revocations.is_empty()
    }

    /// More has.
    pub(crate) fn add(&mut self, more: Self) {
        self.dropped.extend(more.dropped);
        self.revocations.extend(more.revocations);
        (self.floor, self.revoked_floor) = (more.floor, more.revoked_floor);
    }
}

/// What a replica begins with: what an earlier life of the log left, or nothing.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Its epoch; a new one where something may have been lost.
    pub epoch: Epoch,
    /// Offsets up to here may have been given to somebody.
    pub head: Offset,
    /// What is forgotten of streams without a record.
    pub floor: Forgotten,
    /// What is forgotten of the others.
    pub forgotten: Vec<(Arc<str>, Forgotten)>,
    /// The entries with their streams, in order.
    pub entries: Vec<Written>,
    /// Access that was taken back, in order. It outlives the epoch.
    pub revoked: Vec<Revoked>,
    /// Up to where they are no longer remembered.
    pub revoked_floor: RevokedFloor,
    /// Names of batches that were taken, and where they ended, in order.
    pub taken: Vec<(Offset, Arc<str>)>,
    /// What was kept of sessions, by name. None outlives the epoch.
    pub sessions: Vec<(String, Vec<u8>)>,
    /// What was kept of pages, by places. None outlives the epoch.
    pub pages: Vec<(u32, KeptPage)>,
    /// What pages' names are hashed with, where they are kept.
    pub page_keys: Option<[u64; 2]>,
    /// Whom nodes hold, as records in the log's order. None outlives the epoch.
    pub present: Vec<(Offset, Presence)>,
    /// Nodes may hold others, too, whose records are gone.
    pub lacks_presence: bool,
    /// Where who is present on a stream changed last, of streams where that was lately.
    pub presence_changed: Vec<(Offset, Arc<str>)>,
    /// On other streams nothing has changed since. `None` where nobody knows.
    pub presence_floor: Option<Offset>,
}

impl Snapshot {
    /// Nothing but where the log begins: all that was before is forgotten.
    pub fn beginning(at: Position) -> Self {
        let floor = Forgotten { offset: at.offset, at: UnixMillis(0) };
        Self { epoch: at.epoch, head: at.offset, floor, ..Self::default() }
    }

    /// The log as it was. One that has never noted what it lacks begins `now`.
    pub fn log(&mut self, retention: Retention, now: UnixMillis) -> Log {
        self.log_over(Log::new(self.epoch, retention), now)
    }

    /// The same in the place of a log that is in use.
    pub fn log_over(&mut self, log: Log, now: UnixMillis) -> Log {
        if self.floor.at == UnixMillis(0) {
            self.floor.at = now;
        }
        let mut log = Restoration::over(log, self.epoch, self.floor);
        for Written { stream, entry, forgotten } in self.entries.drain(..) {
            log.keep(&stream, entry, forgotten);
        }
        for (stream, forgotten) in self.forgotten.drain(..) {
            log.forget(&stream, forgotten);
        }
        log.finish(self.head)
    }
}
