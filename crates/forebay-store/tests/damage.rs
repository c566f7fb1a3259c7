//! A folder that was damaged, or is an older copy: never fewer entries in the same epoch, never an
//! offset twice, never a panic.
#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::fs;
use std::path::{Path, PathBuf};

use forebay_log::{Class, Epoch, Forgotten, Message, Offset, Revocation, UnixMillis};
use forebay_store::{Fsync, Noted, Revoked, Row, Store, StoreError};
use tempfile::TempDir;

const OLD: Epoch = Epoch(1);
const NEW: Epoch = Epoch(2);
const BLOCK: usize = 4_096;

fn append(store: &mut Store, offsets: std::ops::RangeInclusive<u64>) {
    for offset in offsets {
        let message = Message::json(format!("\"{offset} {}\"", "x".repeat(100)));
        let row = Row {
            offset: Offset(offset),
            at: UnixMillis(offset),
            stream: "room",
            message: &message,
            class: &Class::Log,
            forgotten: Forgotten::default(),
        };
        store
            .append([row].into_iter(), &[], &Noted::default(), Offset(offset), Offset(offset))
            .unwrap();
    }
}

/// A folder, and what was in it when its process was killed.
struct Folder {
    at: TempDir,
    whole: TempDir,
    entries: u64,
}

impl Folder {
    fn with(entries: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let (mut store, _) = Store::open(folder.path(), Fsync::Os, OLD).unwrap();
        append(&mut store, 1..=entries);
        drop(store);
        // At a start the journal is cut off where it ends: 64 MB less to copy.
        drop(Store::open(folder.path(), Fsync::Os, NEW).unwrap());
        let whole = TempDir::new().unwrap();
        copy(folder.path(), whole.path());
        Self { at: folder, whole, entries }
    }

    /// As it was, in the same files.
    fn put_back(&self) -> &Path {
        remove_others(self.at.path(), self.whole.path());
        copy(self.whole.path(), self.at.path());
        self.at.path()
    }

    /// What a start makes of it. Whatever that is, it must be as good or another epoch.
    fn start(&self, damage: &str) -> Found {
        let (mut store, recovered) = match Store::open(self.at.path(), Fsync::Os, NEW) {
            Ok(opened) => opened,
            Err(error @ StoreError::Damaged { .. }) => {
                let said = error.to_string();
                let path = self.at.path().display().to_string();
                assert!(
                    said.contains(&path) && said.contains("--history-discard-damaged"),
                    "{said}"
                );
                return Found::Error;
            }
            Err(error) => panic!("{damage}: {error}"),
        };
        assert!(recovered.head.0 >= self.entries, "{damage}: an offset would be given twice");
        if recovered.epoch == OLD {
            let offsets = recovered.entries.iter().map(|written| written.entry.offset.0);
            assert!(offsets.eq(1..=self.entries), "{damage}: fewer entries, and no page is told");
            return Found::Whole;
        }
        assert_eq!(recovered.epoch, NEW, "{damage}");
        assert_eq!(recovered.entries.len(), 0, "{damage}");
        let next = recovered.head.0 + 1;
        append(&mut store, next..=next);
        drop(store);
        let (_, again) = Store::open(self.at.path(), Fsync::Os, Epoch(3)).unwrap();
        assert_eq!((again.epoch, again.entries.len()), (NEW, 1), "{damage}: it is found once");
        Found::NewEpoch
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    Whole,
    NewEpoch,
    Error,
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn remove_others(folder: &Path, whole: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let other = whole.join(entry.file_name());
        match (entry.file_type().unwrap().is_dir(), other.exists()) {
            (true, true) => remove_others(&entry.path(), &other),
            (true, false) => fs::remove_dir_all(entry.path()).unwrap(),
            (false, true) => {}
            (false, false) => fs::remove_file(entry.path()).unwrap(),
        }
    }
}

fn journal(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|e| e == "jnl")).max().unwrap()
}

#[test]
fn a_damaged_journal_is_a_new_epoch_or_an_error_and_never_fewer_entries() {
    let folder = Folder::with(2_000);
    let bytes = fs::read(journal(folder.put_back())).unwrap();
    // The journal may be larger than what is in it.
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    assert_eq!(folder.start("none"), Found::Whole);
    let mut found = Vec::new();
    let mut damage = |what: &str, damaged: Vec<u8>| {
        let path = journal(folder.put_back());
        fs::write(path, damaged).unwrap();
        found.push(folder.start(what));
    };
    for part in 0..8 {
        let at = used * part / 8 + 1;
        damage(&format!("cut at {at}"), bytes[..at].to_vec());
        let block = at / BLOCK * BLOCK;
        let mut zeroed = bytes.clone();
        zeroed[block..block + BLOCK].fill(0);
        damage(&format!("block {block} zeroed"), zeroed);
        let mut swapped = bytes.clone();
        let (first, second) = swapped.split_at_mut(block + BLOCK);
        first[block..].swap_with_slice(&mut second[..BLOCK]);
        damage(&format!("block {block} swapped with the next"), swapped);
        for flip in 0..4 {
            let mut flipped = bytes.clone();
            let at = at + flip * 37;
            flipped[at] ^= 0x10;
            damage(&format!("byte {at} flipped"), flipped);
        }
    }
    damage("cut to nothing", Vec::new());
    damage("its last byte cut off", bytes[..used - 1].to_vec());
    assert!(found.contains(&Found::NewEpoch) && found.contains(&Found::Error), "{found:?}");
    assert!(!found.contains(&Found::Whole), "each of them lacks something: {found:?}");
}

#[test]
fn a_damaged_file_of_the_database_is_a_new_epoch_or_an_error() {
    let folder = Folder::with(200);
    let mut files = vec![folder.whole.path().to_owned()];
    let mut damaged = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let name = path.strip_prefix(folder.whole.path()).unwrap().to_owned();
        let bytes = fs::read(&path).unwrap();
        let is_ours = ["lock", "pages"].iter().any(|free| name.ends_with(free));
        if bytes.is_empty() || is_ours || name.extension().is_some_and(|e| e == "jnl") {
            continue;
        }
        for what in ["empty", "half", "flipped"] {
            let mut bytes = bytes.clone();
            let half = bytes.len() / 2;
            match what {
                "empty" => bytes.clear(),
                "half" => bytes.truncate(half),
                _ => bytes[half] ^= 0x10,
            }
            let target = folder.put_back().join(&name);
            fs::write(target, bytes).unwrap();
            // Another version's is not touched, and says so.
            if name.ends_with("version") {
                let error = Store::open(folder.at.path(), Fsync::Os, NEW).unwrap_err();
                assert!(matches!(error, StoreError::Foreign(_) | StoreError::Damaged { .. }));
            } else {
                folder.start(&format!("{} {what}", name.display()));
            }
            damaged += 1;
        }
    }
    assert!(damaged >= 12, "{damaged}");
}

#[test]
fn an_older_copy_is_a_new_epoch() {
    let folder = Folder::with(200);
    let older = TempDir::new().unwrap();
    copy(folder.put_back(), older.path());
    let (mut store, recovered) = Store::open(folder.at.path(), Fsync::Os, NEW).unwrap();
    assert_eq!(recovered.epoch, OLD);
    let head = recovered.head.0;
    append(&mut store, head + 1..=head + 50);
    drop(store);
    let newer = TempDir::new().unwrap();
    copy(folder.at.path(), newer.path());
    let marker =
        |from: &TempDir| fs::copy(from.path().join("marker"), folder.at.path().join("marker"));
    let restore = |from: &TempDir| {
        remove_others(folder.at.path(), from.path());
        copy(from.path(), folder.at.path());
    };
    let epoch = || Store::open(folder.at.path(), Fsync::Os, NEW).unwrap().1.epoch;
    // The database alone, then the marker alone.
    restore(&older);
    marker(&newer).unwrap();
    assert_eq!(epoch(), NEW);
    restore(&newer);
    marker(&older).unwrap();
    assert_eq!(epoch(), NEW);
    restore(&newer);
    assert_eq!(epoch(), OLD, "the same, in the same files");
    // All of it, as who restores a backup does it.
    restore(&older);
    fs::remove_file(folder.at.path().join("marker")).unwrap();
    fs::write(folder.at.path().join("another"), "takes the place on the disk").unwrap();
    marker(&older).unwrap();
    assert_eq!(epoch(), NEW);
    restore(&newer);
    fs::remove_file(folder.at.path().join("marker")).unwrap();
    assert_eq!(epoch(), NEW, "without its marker");
}

/// Its process was killed in the middle of a write: nobody was told that it was taken.
#[test]
fn a_torn_end_costs_what_was_torn_and_nothing_before_it() {
    let folder = TempDir::new().unwrap();
    let (mut store, _) = Store::open(folder.path(), Fsync::Os, OLD).unwrap();
    append(&mut store, 1..=3);
    let marker = fs::read(folder.path().join("marker")).unwrap();
    let bytes = fs::read(journal(folder.path())).unwrap();
    let before = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    append(&mut store, 4..=4);
    drop(store);
    let whole = TempDir::new().unwrap();
    copy(folder.path(), whole.path());
    let bytes = fs::read(journal(folder.path())).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for cut in (before + 8..used).step_by(7) {
        remove_others(folder.path(), whole.path());
        copy(whole.path(), folder.path());
        fs::write(folder.path().join("marker"), &marker).unwrap();
        fs::write(journal(folder.path()), &bytes[..cut]).unwrap();
        let (_, recovered) = Store::open(folder.path(), Fsync::Os, NEW).unwrap();
        let offsets = recovered.entries.iter().map(|written| written.entry.offset.0);
        assert!(offsets.eq(1..=3), "cut at {cut} of {used}");
        assert_eq!(recovered.epoch, OLD);
        assert!(recovered.head.0 >= 4, "what may have been delivered is not given again");
    }
}

#[test]
fn a_lost_revocation_is_noticed() {
    let folder = Folder::with(0);
    let (mut store, _) = Store::open(folder.at.path(), Fsync::Os, NEW).unwrap();
    let before = fs::read(journal(folder.at.path())).unwrap();
    let (at, made_at) = (Offset(1), UnixMillis(1));
    let revocation = Revocation::of_identity("user:1");
    let revoked = Revoked { at, made_at, revocation, is_readmitted: false };
    store.append(std::iter::empty(), &[revoked], &Noted::default(), at, at).unwrap();
    drop(store);
    fs::write(journal(folder.at.path()), before).unwrap();
    let (_, recovered) = Store::open(folder.at.path(), Fsync::Os, NEW).unwrap();
    assert_eq!(recovered.epoch, NEW);
}

#[test]
fn a_damaged_log_is_moved_aside_if_that_is_wanted() {
    let folder = Folder::with(20);
    let path = journal(folder.put_back());
    let mut bytes = fs::read(&path).unwrap();
    bytes[3_000] ^= 0x10;
    fs::write(&path, &bytes).unwrap();
    assert_eq!(folder.start("a byte flipped"), Found::Error);
    let (mut store, recovered) = Store::open_or_discard(folder.at.path(), Fsync::Os, NEW).unwrap();
    assert_eq!((recovered.epoch, recovered.entries.len()), (NEW, 0));
    assert!(recovered.head.0 >= 20, "no offset is given twice");
    let next = recovered.head.0 + 1;
    append(&mut store, next..=next);
    drop(store);
    let aside = folder.at.path().join("damaged-1");
    assert_eq!(fs::read(journal(&aside)).unwrap(), bytes, "nothing of it is lost");
    // What is good is not moved.
    let (_, again) = Store::open_or_discard(folder.at.path(), Fsync::Os, Epoch(3)).unwrap();
    assert_eq!((again.epoch, again.entries.len()), (NEW, 1));
    assert!(!folder.at.path().join("damaged-2").exists());
}
