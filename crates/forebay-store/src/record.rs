//! What is written of a log, and what is read back.

use std::sync::Arc;
use std::time::Duration;

use forebay_log::{
    Class, Entry, Epoch, Forgotten, Log, Message, Offset, Restoration, Retention, UnixMillis,
};

/// What a broadcast's acknowledgement promises.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Fsync {
    /// The kernel has it: it survives this process, not a loss of power. The default; a broadcast
    /// costs one `write`.
    #[default]
    Os,
    /// As `Os`, and the disk has it so much later at the most.
    Every(Duration),
    /// The disk has it. Each broadcast, or batch of them, waits for the disk.
    Always,
}

/// What is written of one broadcast.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its offset.
    pub offset: Offset,
    /// When.
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
#[derive(Debug)]
pub struct Written {
    /// Its stream.
    pub stream: String,
    /// The entry.
    pub entry: Entry,
    /// What its stream lacked before it was appended.
    pub forgotten: Forgotten,
}

/// Access that was taken back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revoked {
    /// Its place in the order.
    pub at: Offset,
    /// When. An older format doesn't say: then it is the largest.
    pub made_at: UnixMillis,
    /// Whose; everybody's without.
    pub identity: Option<Arc<str>>,
    /// To what; to everything without.
    pub stream: Option<Arc<str>>,
}

/// Up to where revocations are no longer remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RevokedFloor {
    /// There was no room for them.
    pub all: Offset,
    /// They were so old that only pages with a cursor can be older.
    pub with_cursor: Offset,
}

/// What an earlier life of the log left.
#[derive(Debug)]
pub struct Recovered {
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
    /// What was kept of sessions, by name. None outlives the epoch.
    pub sessions: Vec<(String, Vec<u8>)>,
}

impl Recovered {
    /// The log as it was. One that has never noted what it lacks begins `now`.
    pub fn log(&mut self, retention: Retention, now: UnixMillis) -> Log {
        if self.floor.at == UnixMillis(0) {
            self.floor.at = now;
        }
        let mut log = Restoration::new(self.epoch, retention, self.floor);
        for Written { stream, entry, forgotten } in self.entries.drain(..) {
            log.keep(&stream, entry, forgotten);
        }
        for (stream, forgotten) in self.forgotten.drain(..) {
            log.forget(&stream, forgotten);
        }
        log.finish(self.head)
    }
}
