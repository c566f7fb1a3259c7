//! Opening, appending, forgetting, closing.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fjall::{OwnedWriteBatch, PersistMode};
use forebay_log::{
    Class, Dropped, Entry, Epoch, Forgotten, Log, Message, Offset, Restoration, Retention,
    UnixMillis,
};

use crate::format;
use crate::open::{FORMAT, Open};
use crate::recover::{boot, recover};

/// Offsets are reserved in blocks before they are used, so that none is given twice: those of
/// ephemeral broadcasts are written nowhere else, and a lost tail may have been delivered.
const RESERVED: u64 = 1 << 16;

/// What a broadcast's acknowledgement promises.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
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
    /// Whose; everybody's without.
    pub identity: Option<Arc<str>>,
    /// To what; to everything without.
    pub stream: Option<Arc<str>>,
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
    /// The newest place of which a revocation is no longer remembered.
    pub revoked_floor: Offset,
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

/// Why the store can't be opened or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No room is left.
    #[error("the disk is full")]
    Full,
    /// Another process has it open.
    #[error("{0} is in use by another process")]
    InUse(PathBuf),
    /// Written by another version, or by something else.
    #[error("{0} has no log of this version")]
    Foreign(PathBuf),
    /// The disk, or what is on it, is broken.
    #[error("the log can't be read or written: {0}")]
    Broken(Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    pub(crate) fn of(path: &Path, error: fjall::Error) -> Self {
        match error {
            fjall::Error::Locked => Self::InUse(path.to_owned()),
            fjall::Error::InvalidVersion(_) => Self::Foreign(path.to_owned()),
            fjall::Error::Io(error) if is_full(&error) => Self::Full,
            error => Self::Broken(Box::new(error)),
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), FileTooLarge | QuotaExceeded | StorageFull)
}

/// A log on disk, open.
pub struct Store {
    path: PathBuf,
    fsync: Fsync,
    /// Gone after a failed write: the database takes nothing more until it is opened again.
    open: Option<Open>,
    /// Offsets up to here may be used.
    reserved: Offset,
    /// The floor that is on disk.
    floor: Forgotten,
    /// The disk says that the log ended well.
    is_closed: bool,
    /// What [`forget`](Self::forget) could not remove. It is no more than the log had when a write
    /// failed: nothing is appended before the store is open again.
    unforgotten: Vec<Dropped>,
    fails_for_tests: bool,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the log of this folder, or begins one with the epoch `fresh`.
    ///
    /// # Errors
    /// [`StoreError`] says what is wrong with the folder. What is in it is left as it is, but for a torn
    /// end of the database's journal, which the database cuts off.
    pub fn open(
        path: impl Into<PathBuf>,
        fsync: Fsync,
        fresh: Epoch,
    ) -> Result<(Self, Recovered), StoreError> {
        let path = path.into();
        let failed = |error| StoreError::of(&path, error);
        let open = Open::at(&path, fsync)?;
        if open.about.get("format").map_err(failed)?.is_none() {
            let mut batch = open.database.batch();
            batch.insert(&open.about, "format", FORMAT);
            batch.insert(&open.about, "epoch", fresh.0.to_be_bytes());
            batch.commit().map_err(failed)?;
        }
        let recovered = recover(&open, fresh).map_err(|error| error.at(&path))?;
        let mut batch = open.database.batch().durability(Some(PersistMode::SyncAll));
        batch.insert(&open.about, "format", FORMAT);
        // One that could not be read is not higher at each start.
        batch.insert(&open.about, "revoked_floor", format::key(recovered.revoked_floor));
        batch.insert(&open.about, "boot", boot().unwrap_or_default());
        batch.insert(&open.about, "clean", [u8::from(fsync == Fsync::Always)]);
        batch.commit().map_err(failed)?;
        let (reserved, floor) = (recovered.head, recovered.floor);
        let store = Self {
            path,
            fsync,
            open: Some(open),
            reserved,
            floor,
            is_closed: false,
            unforgotten: Vec::new(),
            fails_for_tests: false,
        };
        Ok((store, recovered))
    }

    /// Writes broadcasts, all of them or none. They use the offsets from `first` to `through`.
    ///
    /// After [`close`](Self::close) the first of them waits for the disk, whatever the [`Fsync`]: the
    /// next start must not take the log's end for a clean one.
    ///
    /// # Errors
    /// [`StoreError`]: none of the offsets is used. What may have reached the disk all the same is
    /// removed at once or, where the disk does not take that either, before the next append. A process
    /// that ends in between leaves it there, and the next start serves it.
    pub fn append<'a>(
        &mut self,
        records: impl Iterator<Item = Record<'a>>,
        first: Offset,
        through: Offset,
    ) -> Result<(), StoreError> {
        self.reopen(first)?;
        self.try_append(records, through).inspect_err(|_| {
            if let Err(error) = self.reopen(first) {
                tracing::error!(%error, "what was refused may still be on disk");
            }
        })
    }

    fn try_append<'a>(
        &mut self,
        records: impl Iterator<Item = Record<'a>>,
        through: Offset,
    ) -> Result<(), StoreError> {
        let entries = records
            .filter(|record| *record.class != Class::Ephemeral)
            .map(|record| Ok((format::key(record.offset), format::encode(&record)?)))
            .collect::<Result<Vec<_>, serde_json::Error>>()
            .map_err(|error| StoreError::Broken(error.into()))?;
        let reserves = through > self.reserved;
        let reopens = self.is_closed && self.fsync != Fsync::Always;
        let mode = if reopens { PersistMode::SyncData } else { self.mode() };
        self.write(|open, batch| {
            for (key, value) in entries {
                batch.insert(&open.entries, key, value);
            }
            if reserves {
                batch.insert(&open.about, "reserved", (through.0 + RESERVED).to_be_bytes());
            }
            if reopens {
                batch.insert(&open.about, "clean", [0]);
            }
            mode
        })?;
        self.is_closed = false;
        if reserves {
            self.reserved = Offset(through.0 + RESERVED);
        }
        Ok(())
    }

    /// Removes what has left the log in memory, and notes what is forgotten by that. After a write
    /// that failed it waits for the first call after the next append.
    ///
    /// # Errors
    /// [`StoreError`]: it is all still there, and is forgotten at a later call or the next start.
    pub fn forget(&mut self, dropped: &[Dropped], floor: Forgotten) -> Result<(), StoreError> {
        self.unforgotten.extend_from_slice(dropped);
        if self.open.is_none() || self.unforgotten.is_empty() && floor == self.floor {
            return Ok(());
        }
        let dropped = std::mem::take(&mut self.unforgotten);
        let forgotten = self.try_forget(&dropped, floor);
        if forgotten.is_err() {
            self.unforgotten = dropped;
        }
        forgotten
    }

    fn try_forget(&mut self, dropped: &[Dropped], floor: Forgotten) -> Result<(), StoreError> {
        // The last of a stream says all that the stream lacks; nothing, if the floor does.
        let mut streams: BTreeMap<&str, Option<Forgotten>> = BTreeMap::new();
        self.write(|open, batch| {
            for dropped in dropped {
                match dropped {
                    Dropped::Superseded(offset) => {
                        batch.remove(&open.entries, format::key(*offset));
                    }
                    Dropped::Forgotten(stream, forgotten) => {
                        batch.remove(&open.entries, format::key(forgotten.offset));
                        streams.insert(stream, Some(*forgotten));
                    }
                    Dropped::Covered(stream) => {
                        streams.insert(stream, None);
                    }
                }
            }
            for (stream, forgotten) in streams {
                match forgotten {
                    Some(forgotten) => {
                        batch.insert(&open.forgotten, stream, format::pair(forgotten));
                    }
                    None => batch.remove(&open.forgotten, stream),
                }
            }
            batch.insert(&open.about, "floor", format::pair(floor));
            PersistMode::Buffer
        })?;
        self.floor = floor;
        Ok(())
    }

    /// Keeps what was taken back, and no longer what it stands for. Whatever the [`Fsync`], the disk
    /// has it when this returns: who has no access must not get it by a loss of power.
    ///
    /// # Errors
    /// [`StoreError`]: it is not known at the next start.
    pub fn revoke(
        &mut self,
        revoked: &Revoked,
        gone: &[Offset],
        floor: Offset,
    ) -> Result<(), StoreError> {
        self.write(|open, batch| {
            for gone in gone {
                batch.remove(&open.revoked, format::key(*gone));
            }
            batch.insert(&open.revoked, format::key(revoked.at), format::encode_revoked(revoked));
            batch.insert(&open.about, "revoked_floor", floor.0.to_be_bytes());
            PersistMode::SyncData
        })
    }

    /// No longer keeps what was taken back at these places.
    ///
    /// # Errors
    /// [`StoreError`]: it is known again at the next start.
    pub fn readmit(&mut self, gone: &[Offset]) -> Result<(), StoreError> {
        self.write(|open, batch| {
            for gone in gone {
                batch.remove(&open.revoked, format::key(*gone));
            }
            PersistMode::SyncData
        })
    }

    /// Ends well: all of it is on disk, and the next start may rely on that. What is appended all the
    /// same is kept; closing again has it on disk, too.
    ///
    /// # Errors
    /// [`StoreError`] if the disk does not take it.
    pub fn close(&mut self) -> Result<(), StoreError> {
        if self.open.is_none() {
            return Ok(());
        }
        self.write(|open, batch| {
            batch.insert(&open.about, "clean", [1]);
            PersistMode::SyncAll
        })?;
        self.is_closed = true;
        Ok(())
    }

    /// As after a write that failed.
    #[doc(hidden)]
    pub fn fail_for_tests(&mut self) {
        self.open = None;
    }

    /// The next write reaches the disk, and fails.
    #[doc(hidden)]
    pub fn fail_next_for_tests(&mut self) {
        self.fails_for_tests = true;
    }

    fn mode(&self) -> PersistMode {
        if self.fsync == Fsync::Always { PersistMode::SyncData } else { PersistMode::Buffer }
    }

    fn write(
        &mut self,
        fill: impl FnOnce(&Open, &mut OwnedWriteBatch) -> PersistMode,
    ) -> Result<(), StoreError> {
        let Some(open) = &self.open else {
            return Err(StoreError::Broken("it is closed".into()));
        };
        let mut batch = open.database.batch();
        let mode = fill(open, &mut batch);
        let mut written = batch.durability(Some(mode)).commit();
        if std::mem::take(&mut self.fails_for_tests) {
            written = written.and(Err(fjall::Error::Poisoned));
        }
        let Err(error) = written else { return Ok(()) };
        // The database takes nothing more, so that no good write follows a bad one.
        self.open = None;
        Err(StoreError::of(&self.path, error))
    }

    /// After a failed write: opens it again, as a new start would. What was refused is not there,
    /// or is taken away.
    fn reopen(&mut self, first_free: Offset) -> Result<(), StoreError> {
        if self.open.is_some() {
            return Ok(());
        }
        let failed = |error| StoreError::of(&self.path, error);
        let open = Open::at(&self.path, self.fsync)?;
        let mut batch = open.database.batch().durability(Some(self.mode()));
        for item in open.entries.range(format::key(first_free)..) {
            batch.remove(&open.entries, item.key().map_err(failed)?);
        }
        batch.commit().map_err(failed)?;
        self.open = Some(open);
        tracing::warn!(path = %self.path.display(), "the log is open again after a failed write");
        Ok(())
    }
}
