//! The log on disk: opening, appending, forgetting, closing.

mod beside;
mod forgetting;

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use fjall::{OwnedWriteBatch, PersistMode};
use forebay_log::{Class, Epoch, Offset, Presence};
use parking_lot::Mutex;

use crate::changes::ChangesGone;
use crate::error::StoreError;
use crate::format;
use crate::marker::Marker;
use crate::open::{FORMAT, Open, PRESENCE_FLOOR};
use crate::record::{Fsync, Left, Revoked, Row, Snapshot};
use crate::recover::{self, boot};

/// Offsets are reserved in blocks before they are used, so that none is given twice: those of
/// ephemeral broadcasts are written nowhere else, and a lost tail may have been delivered.
const RESERVED: u64 = 1 << 16;

/// A log on disk, open.
pub struct Store {
    path: PathBuf,
    fsync: Fsync,
    /// Gone after a failed write: the database takes nothing more until it is opened again.
    open: Option<Open>,
    marker: Marker,
    /// Offsets up to here may be used.
    reserved: Offset,
    /// Nothing has this offset yet, nor a later one.
    free: Offset,
    /// The floors that are on disk.
    forgotten: Left,
    /// The disk says that the log ended well.
    is_closed: bool,
    /// What [`forget`](Self::forget) could not remove. It is no more than the log had when a write
    /// failed: nothing is appended before the store is open again.
    unforgotten: Left,
    hooks: Arc<Hooks>,
}

/// What is to be remembered beside entries and revocations.
#[derive(Clone, Debug, Default)]
pub struct Noted {
    /// Names of batches, by the offsets where they end.
    pub taken: Vec<(Offset, Arc<str>)>,
    /// Of names that are remembered no longer.
    pub gone: Vec<Offset>,
    /// Who is present, by the offsets of the records.
    pub signs: Vec<(Offset, Arc<Presence>)>,
    /// Of streams whose members have changed before others.
    pub changes_gone: ChangesGone,
}

/// What tests have a disk do.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    /// So many writes reach the disk, and fail.
    pub(crate) fails: AtomicU32,
    /// Held while the disk is to stall.
    pub(crate) stall: Mutex<()>,
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
    ) -> Result<(Self, Snapshot), StoreError> {
        let path = path.into();
        // The database panics on some bytes that were changed.
        unpanicked(&path, || Self::try_open(&path, fsync, fresh))
    }

    /// As [`open`](Self::open). A damaged log is moved aside, into the folder `damaged-1` (or -2, …) in
    /// this one, and a new one begins.
    ///
    /// # Errors
    /// [`StoreError`] if the folder can't be used even so.
    pub fn open_or_discard(
        path: impl Into<PathBuf>,
        fsync: Fsync,
        fresh: Epoch,
    ) -> Result<(Self, Snapshot), StoreError> {
        let path = path.into();
        let error = match Self::open(&path, fsync, fresh) {
            Err(error @ StoreError::Damaged { .. }) => error,
            opened => return opened,
        };
        // Offsets go on behind those of the damaged one.
        let reserved = Marker::open(&path)?.1.map_or(0, |known| known.reserved);
        let aside = move_aside(&path).map_err(|error| StoreError::io(&path, &error))?;
        tracing::error!(
            %error, aside = %aside.display(),
            "the damaged log is moved aside and a new one begins: open pages are told to load \
             themselves again, and access that was taken back has to be taken back again"
        );
        Marker::open(&path)?.0.write(|mark| mark.reserved = reserved);
        Self::open(&path, fsync, fresh)
    }

    fn try_open(path: &Path, fsync: Fsync, fresh: Epoch) -> Result<(Self, Snapshot), StoreError> {
        let failed = |error| StoreError::of(path, error);
        let open = Open::at(path, fsync)?;
        let (mut marker, known) = Marker::open(path)?;
        let recovered = recover::recover(&open, &marker, known.as_ref(), path, fresh)?;
        let folder = recover::number(&open, "folder").map_err(failed)?.unwrap_or(fresh.0);
        let counted = recover::number(&open, "writes").map_err(failed)?;
        let writes = counted.unwrap_or(0).max(marker.mark.writes);
        if known.is_none() {
            // Before the database: one without a marker is taken for one that has lost it.
            marker.write(|mark| mark.folder = folder);
        }
        let mut batch = open.database.batch().durability(Some(PersistMode::SyncAll));
        batch.insert(&open.about, "format", FORMAT);
        batch.insert(&open.about, "folder", folder.to_be_bytes());
        batch.insert(&open.about, "writes", (writes + 1).to_be_bytes());
        batch.insert(&open.about, "reserved", recovered.head.0.to_be_bytes());
        // One that could not be read is not higher at each start.
        beside::insert_floor(&open, &mut batch, recovered.revoked_floor);
        if recovered.presence_floor.is_none() {
            // From here on it is known.
            batch.insert(&open.about, PRESENCE_FLOOR, format::key(recovered.head));
        }
        batch.insert(&open.about, "boot", boot().unwrap_or_default());
        batch.insert(&open.about, "clean", [u8::from(fsync == Fsync::Always)]);
        batch.commit().map_err(failed)?;
        marker.write(|mark| {
            mark.folder = folder;
            mark.writes = writes + 1;
            mark.reserved = recovered.head.0;
            mark.refused = None;
            mark.lacks_gap = false;
        });
        marker.sync()?;
        let reserved = recovered.head;
        let floors = Left {
            floor: recovered.floor,
            revoked_floor: recovered.revoked_floor,
            ..Left::default()
        };
        let store = Self {
            path: path.to_owned(),
            fsync,
            open: Some(open),
            marker,
            reserved,
            free: reserved.next(),
            unforgotten: floors.clone(),
            forgotten: floors,
            is_closed: false,
            hooks: Arc::default(),
        };
        Ok((store, recovered))
    }

    /// Writes broadcasts, what access was taken back or given again, and what is noted beside, all of it or
    /// nothing. They use the offsets from `first` to `through`.
    ///
    /// Whatever the [`Fsync`], the disk has it when access is concerned: who has none must not get it
    /// by a loss of power. After [`close`](Self::close) the first of them waits for the disk, whatever the [`Fsync`]: the
    /// next start must not take the log's end for a clean one.
    ///
    /// # Errors
    /// [`StoreError`]: none of the offsets is used. What may have reached the disk all the same is
    /// removed at once or, where the disk does not take that either, before the next append, or at the
    /// next start.
    pub fn append<'a>(
        &mut self,
        rows: impl Iterator<Item = Row<'a>>,
        revoked: &[Revoked],
        noted: &Noted,
        first: Offset,
        through: Offset,
    ) -> Result<(), StoreError> {
        let entries = rows
            .filter(|row| *row.class != Class::Ephemeral)
            .map(|row| Ok((format::key(row.offset), format::encode(&row)?)))
            .collect::<Result<Vec<_>, serde_json::Error>>()
            .map_err(|error| StoreError::damaged(&self.path, &error.to_string()))?;
        self.free = first;
        self.reopen()?;
        match self.try_append(&entries, revoked, noted, through) {
            // The database was closed by a failure that it met by itself. Opened again, it says what it
            // lacks, or lacks nothing any more.
            Err(StoreError::Closed(_)) => {
                self.refused();
                self.reopen()?;
                self.try_append(&entries, revoked, noted, through)
            }
            appended => appended,
        }
        .inspect_err(|_| {
            self.refused();
            if let Err(error) = self.reopen() {
                tracing::error!(%error, "what was refused is still on disk, and is not served");
            }
        })
    }

    fn try_append(
        &mut self,
        entries: &[([u8; 8], Vec<u8>)],
        revoked: &[Revoked],
        noted: &Noted,
        through: Offset,
    ) -> Result<(), StoreError> {
        let needs_more = through > self.reserved;
        let reserved = if needs_more { Offset(through.0 + RESERVED) } else { self.reserved };
        let reopens = self.is_closed && self.fsync != Fsync::Always;
        let is_sure = reopens || !revoked.is_empty();
        let mode = if is_sure { PersistMode::SyncData } else { self.mode() };
        let is_nothing = entries.is_empty() && revoked.is_empty() && noted.signs.is_empty();
        if is_nothing && !needs_more && !reopens {
            // Nothing of it is kept.
            self.free = through.next();
            return Ok(());
        }
        self.write(reserved, |open, batch| {
            for (key, value) in entries {
                batch.insert(&open.entries, key, value.as_slice());
            }
            for revoked in revoked {
                let key = format::key(revoked.at);
                batch.insert(&open.revoked, key, format::encode_revoked(revoked));
            }
            for (end, name) in &noted.taken {
                batch.insert(&open.taken, format::key(*end), name.as_bytes());
            }
            for end in &noted.gone {
                batch.remove(&open.taken, format::key(*end));
            }
            for (at, sign) in &noted.signs {
                beside::insert_sign(open, batch, *at, sign);
            }
            beside::forget_changes(open, batch, &noted.changes_gone);
            if needs_more {
                batch.insert(&open.about, "reserved", reserved.0.to_be_bytes());
            }
            if reopens {
                batch.insert(&open.about, "clean", [0]);
            }
            mode
        })?;
        self.is_closed = false;
        self.free = through.next();
        Ok(())
    }

    /// Of a write that failed nobody can say what has reached the disk. That it must not be served is
    /// written beside the database, which a full disk takes.
    fn refused(&mut self) {
        let from = self.free.0;
        self.marker.write(|mark| mark.refused = Some(mark.refused.map_or(from, |at| at.min(from))));
    }

    /// Ends well: all of it is on disk, and the next start may rely on that. What is appended all the
    /// same is kept; closing again has it on disk, too.
    ///
    /// # Errors
    /// [`StoreError`] if the disk does not take it.
    pub fn close(&mut self) -> Result<(), StoreError> {
        self.reopen()?;
        self.forget(self.unforgotten_floors())?;
        self.write(self.reserved, |open, batch| {
            batch.insert(&open.about, "clean", [1]);
            PersistMode::SyncAll
        })?;
        self.marker.sync()?;
        self.is_closed = true;
        Ok(())
    }

    /// Nothing more than what is to be forgotten already.
    fn unforgotten_floors(&self) -> Left {
        let Left { floor, revoked_floor, .. } = self.unforgotten;
        Left { floor, revoked_floor, ..Left::default() }
    }

    pub(crate) fn hooks(&self) -> Arc<Hooks> {
        Arc::clone(&self.hooks)
    }

    /// Behaves as after a write that failed.
    #[doc(hidden)]
    pub fn fail_for_tests(&mut self) {
        self.open = None;
    }

    /// The next writes reach the disk, and fail.
    #[doc(hidden)]
    pub fn fail_next_for_tests(&mut self, writes: u32) {
        self.hooks.fails.store(writes, Ordering::Relaxed);
    }

    /// Says each time that the thread of [`Fsync::Every`] has synced.
    #[doc(hidden)]
    pub fn syncs_for_tests(&self) -> std::sync::mpsc::Receiver<()> {
        self.open.as_ref().expect("it is open").syncs()
    }

    fn mode(&self) -> PersistMode {
        if self.fsync == Fsync::Always { PersistMode::SyncData } else { PersistMode::Buffer }
    }

    fn write(
        &mut self,
        reserved: Offset,
        fill: impl FnOnce(&Open, &mut OwnedWriteBatch) -> PersistMode,
    ) -> Result<(), StoreError> {
        let Some(open) = &self.open else {
            return Err(StoreError::Closed(self.path.clone()));
        };
        let writes = self.marker.mark.writes + 1;
        let mut batch = open.database.batch();
        let mode = fill(open, &mut batch);
        batch.insert(&open.about, "writes", writes.to_be_bytes());
        let commit = || batch.durability(Some(mode)).commit();
        let mut written =
            unpanicked(&self.path, || commit().map_err(|error| StoreError::of(&self.path, error)));
        drop(self.hooks.stall.lock());
        let fails = &self.hooks.fails;
        if fails.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
            written = written.and(Err(StoreError::Full(self.path.clone())));
        }
        if written.is_err() {
            // The database takes nothing more, so that no good write follows a bad one.
            self.open = None;
            return written;
        }
        self.reserved = reserved;
        self.marker.write(|mark| {
            mark.writes = writes;
            mark.reserved = reserved.0;
        });
        Ok(())
    }

    /// After a failed write: opens it again, as a new start would. What was refused is not there,
    /// or is taken away.
    fn reopen(&mut self) -> Result<(), StoreError> {
        if self.open.is_some() {
            return Ok(());
        }
        let path = self.path.clone();
        let open = unpanicked(&path, || Open::at(&path, self.fsync))?;
        let counted = recover::number(&open, "writes").map_err(|e| StoreError::of(&path, e))?;
        let (counted, expected) = (counted.unwrap_or(0), self.marker.mark.writes);
        if counted < expected {
            return Err(StoreError::damaged(&path, "it lacks what was written to it"));
        }
        self.marker.write(|mark| mark.writes = counted);
        let from = Offset(self.marker.mark.refused.unwrap_or(u64::MAX)).min(self.free);
        let refused = open.entries.range(format::key(from)..).map(fjall::Guard::key);
        let refused = refused.collect::<Result<Vec<_>, _>>();
        let refused = refused.map_err(|error| StoreError::of(&path, error))?;
        self.open = Some(open);
        let mode = self.mode();
        self.write(self.reserved, |open, batch| {
            for key in refused {
                batch.remove(&open.entries, key);
            }
            mode
        })?;
        self.marker.write(|mark| mark.refused = None);
        tracing::warn!(path = %path.display(), "the log is open again after a failed write");
        Ok(())
    }
}

/// Does it, and takes a panic of the database's for damage: it panics on some bytes that were changed.
fn unpanicked<T>(
    path: &Path,
    act: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(act))
        .unwrap_or_else(|_| Err(StoreError::damaged(path, "the database can't make sense of it")))
}

/// Moves all that is in the folder into a new one in it: the folder itself may be where a disk is mounted.
fn move_aside(folder: &Path) -> io::Result<PathBuf> {
    let asides = (1..).map(|n| folder.join(format!("damaged-{n}")));
    let aside = asides.into_iter().find(|aside| !aside.exists()).expect("there is a free name");
    std::fs::create_dir(&aside)?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with("damaged-") {
            std::fs::rename(entry.path(), aside.join(entry.file_name()))?;
        }
    }
    Ok(aside)
}
