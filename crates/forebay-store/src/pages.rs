//! What pages have proven to have, on disk: a file of places that are overwritten in place.
//!
//! It is no part of the database. What a page has proven changes with each batch that it gets, and
//! only the newest counts: in the journal it would be megabytes a second, to be read at the next
//! start. Here it is 32 bytes, written again and again, and a full disk takes them.
//!
//! Nothing depends on it but that a page is not shown twice what it has. So whatever can't be read,
//! is of another epoch, or may be older than it should be (the machine has booted since, and it was
//! not closed), is not used.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use forebay_log::{Epoch, Offset, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::block::{self, BLOCK_BYTES};
use crate::error::StoreError;
use crate::recover::boot;

const FORMAT: u32 = 1;

/// Of one place: key, offset, seconds, flags, three bytes of nothing, checksum.
const PLACE_BYTES: usize = 32;
const LIVE: u8 = 1;
const SHARED: u8 = 2;

/// One page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeptPage {
    /// Its name, hashed with the file's [`keys`](Pages::keys).
    pub key: u64,
    /// What it has proven to have; 0 for nothing.
    pub proven: Offset,
    /// When it was left: seconds of the Unix epoch.
    pub left_at: u32,
    /// A session has it.
    pub is_live: bool,
    /// Two sessions had it at the same time.
    pub is_shared: bool,
}

/// Whose places these are.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct About {
    format: u32,
    epoch: u64,
    keys: [u64; 2],
    boot: String,
    /// Nothing was written since it was synced.
    is_closed: bool,
    /// A process had it open at this time.
    alive_at: u64,
}

/// The file, open.
#[derive(Debug)]
pub struct Pages {
    path: PathBuf,
    file: File,
    about: About,
}

impl Pages {
    /// Opens the file of a log's folder. Gives what is known of pages, by place; those that were live
    /// when their process ended were left when it was last seen alive. `fresh` are the keys of a file
    /// that begins anew.
    ///
    /// # Errors
    /// [`StoreError`]: the file can't be read or written.
    pub fn open(
        folder: &Path,
        epoch: Epoch,
        fresh: [u64; 2],
    ) -> Result<(Self, Vec<(u32, KeptPage)>), StoreError> {
        let path = folder.join("pages");
        Self::try_open(&path, epoch, fresh).map_err(|error| StoreError::io(&path, &error))
    }

    fn try_open(
        path: &Path,
        epoch: Epoch,
        fresh: [u64; 2],
    ) -> io::Result<(Self, Vec<(u32, KeptPage)>)> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let boot = boot().unwrap_or_default();
        let boot = String::from_utf8_lossy(&boot).trim().to_owned();
        let known = block::read::<About>(&bytes).filter(|about| {
            let is_whole = about.is_closed || about.boot == boot && !boot.is_empty();
            about.format == FORMAT && about.epoch == epoch.0 && is_whole
        });
        let places = bytes.get(BLOCK_BYTES..).unwrap_or_default();
        let pages = known.as_ref().map(|about| read(places, about.alive_at)).unwrap_or_default();
        if known.is_none() {
            file.set_len(0)?;
        }
        let (keys, alive_at) = known.map_or((fresh, 0), |about| (about.keys, about.alive_at));
        let about =
            About { format: FORMAT, epoch: epoch.0, keys, boot, is_closed: false, alive_at };
        block::write(&file, &about)?;
        Ok((Self { path: path.to_owned(), file, about }, pages))
    }

    /// What names of pages are hashed with.
    pub fn keys(&self) -> [u64; 2] {
        self.about.keys
    }

    /// Writes what has changed, and that the process is alive `now`.
    ///
    /// # Errors
    /// [`StoreError`]: some of it is as it was.
    pub fn write(
        &mut self,
        changed: &BTreeMap<u32, Option<KeptPage>>,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        self.about.is_closed = false;
        self.about.alive_at = now.0;
        self.try_write(changed).map_err(|error| StoreError::io(&self.path, &error))
    }

    fn try_write(&self, changed: &BTreeMap<u32, Option<KeptPage>>) -> io::Result<()> {
        block::write(&self.file, &self.about)?;
        // Places side by side are one write.
        let mut run = Vec::new();
        let mut first = 0;
        for (place, page) in changed {
            let run_ends = usize::try_from(place - first).unwrap_or(usize::MAX);
            if run.is_empty() || run_ends != run.len() / PLACE_BYTES {
                block::write_at(&self.file, &run, at(first))?;
                run.clear();
                first = *place;
            }
            run.extend_from_slice(&encode(page.as_ref()));
        }
        block::write_at(&self.file, &run, at(first))
    }

    /// Has it all on disk.
    ///
    /// # Errors
    /// [`StoreError`]: the next start uses it only if the machine has not booted by then.
    pub fn close(&mut self) -> Result<(), StoreError> {
        let failed = |error| StoreError::io(&self.path, &error);
        self.file.sync_data().map_err(failed)?;
        self.about.is_closed = true;
        block::write(&self.file, &self.about).map_err(failed)?;
        self.file.sync_data().map_err(failed)
    }
}

fn at(place: u32) -> u64 {
    BLOCK_BYTES as u64 + u64::from(place) * PLACE_BYTES as u64
}

fn encode(page: Option<&KeptPage>) -> [u8; PLACE_BYTES] {
    let mut bytes = [0; PLACE_BYTES];
    let Some(page) = page else { return bytes };
    bytes[..8].copy_from_slice(&page.key.to_be_bytes());
    bytes[8..16].copy_from_slice(&page.proven.0.to_be_bytes());
    bytes[16..20].copy_from_slice(&page.left_at.to_be_bytes());
    bytes[20] = if page.is_live { LIVE } else { 0 } | if page.is_shared { SHARED } else { 0 };
    let sum = block::checksum(&bytes[..24]);
    bytes[24..].copy_from_slice(&sum);
    bytes
}

fn read(places: &[u8], alive_at: u64) -> Vec<(u32, KeptPage)> {
    let page = |place: &[u8]| {
        let (content, sum) = place.split_at_checked(24)?;
        if block::checksum(content) != sum {
            return None;
        }
        let is_live = content[20] & LIVE != 0;
        let seconds = u32::from_be_bytes(content[16..20].try_into().ok()?);
        let alive_at = u32::try_from(alive_at / 1_000).unwrap_or(u32::MAX);
        Some(KeptPage {
            key: u64::from_be_bytes(content[..8].try_into().ok()?),
            proven: Offset(u64::from_be_bytes(content[8..16].try_into().ok()?)),
            left_at: if is_live { alive_at } else { seconds },
            is_live: false,
            is_shared: content[20] & SHARED != 0,
        })
    };
    let places = (0..).zip(places.chunks_exact(PLACE_BYTES));
    places.filter_map(|(place, bytes)| Some((place, page(bytes)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: [u64; 2] = [1, 2];
    const NOW: UnixMillis = UnixMillis(70_000);

    fn page(key: u64, is_live: bool) -> KeptPage {
        KeptPage { key, proven: Offset(key * 10), left_at: 7, is_live, is_shared: key == 3 }
    }

    fn open(folder: &Path, epoch: u64) -> (Pages, Vec<(u32, KeptPage)>) {
        Pages::open(folder, Epoch(epoch), FRESH).unwrap()
    }

    #[test]
    fn places_are_read_as_they_were_written_last() {
        let folder = tempfile::TempDir::new().unwrap();
        let (mut pages, known) = open(folder.path(), 5);
        assert_eq!(known, []);
        let all = [(0, Some(page(1, false))), (1, Some(page(2, true))), (9, Some(page(3, false)))];
        pages.write(&all.into(), UnixMillis(1_000)).unwrap();
        pages.write(&[(0, None), (5, Some(page(4, false)))].into(), NOW).unwrap();
        drop(pages);
        let (pages, known) = Pages::open(folder.path(), Epoch(5), [8, 9]).unwrap();
        assert_eq!(pages.keys(), FRESH);
        let left = KeptPage { left_at: 70, is_live: false, ..page(2, false) };
        assert_eq!(known, [(1, left), (5, page(4, false)), (9, page(3, false))]);
    }

    #[test]
    fn nothing_of_another_epoch_is_used() {
        let folder = tempfile::TempDir::new().unwrap();
        let (mut pages, _) = open(folder.path(), 5);
        pages.write(&[(0, Some(page(1, false)))].into(), NOW).unwrap();
        drop(pages);
        assert_eq!(open(folder.path(), 6).1, []);
        assert_eq!(open(folder.path(), 5).1, [], "it began anew");
    }

    #[test]
    fn after_another_boot_only_what_was_closed_is_used() {
        for (closes, writes_on) in [(false, false), (true, false), (true, true)] {
            let folder = tempfile::TempDir::new().unwrap();
            let (mut pages, _) = open(folder.path(), 5);
            let one = [(0, Some(page(1, false)))].into();
            pages.about.boot = "another".to_owned();
            pages.write(&one, NOW).unwrap();
            if closes {
                pages.close().unwrap();
            }
            if writes_on {
                pages.write(&one, NOW).unwrap();
            }
            drop(pages);
            assert_eq!(open(folder.path(), 5).1.len(), usize::from(closes && !writes_on));
        }
    }

    #[test]
    fn a_damaged_place_is_nobodys_and_a_damaged_head_is_a_new_file() {
        let folder = tempfile::TempDir::new().unwrap();
        let (mut pages, _) = open(folder.path(), 5);
        let all = [(0, Some(page(1, false))), (1, Some(page(2, false)))].into();
        pages.write(&all, NOW).unwrap();
        block::write_at(&pages.file, b"x", at(0) + 9).unwrap();
        drop(pages);
        let (pages, known) = open(folder.path(), 5);
        assert_eq!(known, [(1, page(2, false))]);
        block::write_at(&pages.file, b"x", 3).unwrap();
        drop(pages);
        assert_eq!(open(folder.path(), 5).1, []);
    }
}
