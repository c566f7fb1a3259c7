//! What the database must not be behind of, kept beside it: how many writes it has taken, and which
//! offsets were reserved.
//!
//! The database's journal ends where its checksums end: cut short, or with one block of it garbled, it
//! is a shorter journal, and what is missing is not missed. So each write counts itself, in the
//! database and then here. A database that has fewer has lost some; it may be an older copy, too. Who
//! copies the whole folder copies this file, which then has another inode: nobody can say whether a
//! copy is older than what pages have seen.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::block;
use crate::error::StoreError;

const FORMAT: u32 = 1;

/// What is in the file.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Mark {
    format: u32,
    /// Names the log. The database has it, too.
    pub(crate) folder: u64,
    /// Writes that the database has taken.
    pub(crate) writes: u64,
    /// Offsets up to here may have been given to somebody.
    pub(crate) reserved: u64,
    /// From here on entries were refused, and may be in the database all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<u64>,
    /// Pages were told what the database does not know: a gap.
    #[serde(default)]
    pub(crate) lacks_gap: bool,
    /// This file's own; 0 where the system has none.
    inode: u64,
}

/// The file, open.
#[derive(Debug)]
pub(crate) struct Marker {
    path: PathBuf,
    file: File,
    pub(crate) mark: Mark,
}

/// Why database and marker do not belong together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Disagreement {
    /// The database is gone, and this is a new one.
    NoDatabase,
    /// There is no marker, or it can't be read.
    NoMarker,
    /// The files were copied, or one of them is another log's.
    Copied,
    /// The database has lost what it had taken.
    Behind,
    /// The marker is of an earlier time than the database.
    MarkerBehind,
    /// It ended before it could write down a gap that pages were told of.
    Gap,
}

impl Disagreement {
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::NoDatabase => "the log is gone from its folder",
            Self::NoMarker => "the log's marker is gone or garbled",
            Self::Copied => "the log is a copy, or a part of it is another log's",
            Self::Behind => {
                "the log lacks what was written to it: it was cut short, or is an older copy"
            }
            Self::MarkerBehind => "the log's marker is older than the log",
            Self::Gap => "the disk did not take that pages lack something",
        }
    }
}

impl Marker {
    /// Opens the folder's marker, or begins one. Gives what an earlier life has written.
    pub(crate) fn open(folder: &Path) -> Result<(Self, Option<Mark>), StoreError> {
        let path = folder.join("marker");
        let opened = Self::try_open(&path);
        let (file, known, inode) = opened.map_err(|error| StoreError::io(&path, &error))?;
        let mark = Mark { format: FORMAT, inode, ..known.clone().unwrap_or_default() };
        let known = known.filter(|known| known.format == FORMAT);
        Ok((Self { path, file, mark }, known))
    }

    fn try_open(path: &Path) -> io::Result<(File, Option<Mark>, u64)> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let inode = inode(&file)?;
        Ok((file, block::read(&bytes), inode))
    }

    /// Compares what an earlier life has written with what the database says: the log's name, and its
    /// writes. `None` for a database that was never opened with a marker.
    pub(crate) fn compare(
        &self,
        known: Option<&Mark>,
        database: Option<(u64, u64)>,
        is_same_boot: bool,
    ) -> Option<Disagreement> {
        let Some(known) = known else {
            // One that is to be written first comes before the database.
            return database.map(|_| Disagreement::NoMarker);
        };
        let Some((folder, writes)) = database else {
            return (known.writes > 0).then_some(Disagreement::NoDatabase);
        };
        if folder != known.folder || known.inode != self.mark.inode {
            return Some(Disagreement::Copied);
        }
        if writes < known.writes {
            return Some(Disagreement::Behind);
        }
        // A process may end between the two. The marker is not synced with each write, the database
        // may be.
        if writes > known.writes + 1 && is_same_boot {
            return Some(Disagreement::MarkerBehind);
        }
        known.lacks_gap.then_some(Disagreement::Gap)
    }

    /// Writes it down. Where that fails the next start finds the marker behind, and begins a new epoch.
    pub(crate) fn write(&mut self, change: impl FnOnce(&mut Mark)) {
        change(&mut self.mark);
        if let Err(error) = block::write(&self.file, &self.mark) {
            let path = self.path.display();
            tracing::error!(%path, %error, "the log's marker can't be written");
        }
    }

    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(|error| StoreError::io(&self.path, &error))
    }
}

#[cfg(unix)]
fn inode(file: &File) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    Ok(file.metadata()?.ino())
}

#[cfg(not(unix))]
fn inode(_: &File) -> io::Result<u64> {
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_belong_together_is_told_apart() {
        let folder = tempfile::TempDir::new().unwrap();
        let (mut marker, known) = Marker::open(folder.path()).unwrap();
        assert_eq!(marker.compare(known.as_ref(), None, true), None, "a new folder");
        assert_eq!(
            marker.compare(known.as_ref(), Some((7, 3)), true),
            Some(Disagreement::NoMarker)
        );
        marker.write(|mark| {
            mark.folder = 7;
            mark.writes = 5;
        });
        drop(marker);
        let (marker, known) = Marker::open(folder.path()).unwrap();
        let check = |database, is_same_boot, expected| {
            let found = marker.compare(known.as_ref(), database, is_same_boot);
            assert_eq!(found, expected, "{database:?} {is_same_boot}");
        };
        check(Some((7, 5)), true, None);
        check(Some((7, 6)), true, None);
        check(Some((7, 7)), true, Some(Disagreement::MarkerBehind));
        check(Some((7, 7)), false, None);
        check(Some((7, 4)), false, Some(Disagreement::Behind));
        check(Some((8, 5)), true, Some(Disagreement::Copied));
        check(None, true, Some(Disagreement::NoDatabase));
    }
}
