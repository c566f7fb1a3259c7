//! The server's beginnings: in memory, where each is a new life of the log, or from its log on disk.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use forebay_hub::Hub;
use forebay_log::{Class, Epoch, Gap, Offset, Position};
use pollster::FutureExt as _;
use tempfile::TempDir;

use super::{Broken, STREAMS, UNREAD, World, options};
use crate::model::Violation;
use crate::published::Published;
use crate::rooms::name_of;
use crate::variant::Variant;

/// Steps from one copy of the folder to the next, where it goes back to the copy.
const COPIES: u64 = 500;

/// A log's folder, and what it was some time before, in the variant that goes back to that.
#[derive(Debug)]
pub(super) struct Disk {
    folder: TempDir,
    before: Option<TempDir>,
}

/// What a log says of one stream: what it has forgotten, and the entries that it has, with their dates.
type History = (u64, Vec<(u64, u64)>);

impl Disk {
    pub(super) fn new() -> Self {
        Self { folder: folder(), before: None }
    }

    /// The hub of this folder's log, or of a new one.
    pub(super) fn start(&self, epoch: Epoch, clock: &Arc<AtomicU64>, variant: Variant) -> Hub {
        Hub::simulated_in(options(true, variant), self.folder.path(), epoch, Arc::clone(clock))
            .expect("the folder is good")
    }
}

fn folder() -> TempDir {
    TempDir::with_prefix("forebay-sim-").expect("there is room for a folder")
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// Makes a folder what another is, and leaves the files that both have.
fn put_back(before: &Path, folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kept = before.join(entry.file_name());
        match (entry.file_type()?.is_dir(), kept.exists()) {
            (true, true) => put_back(&kept, &entry.path())?,
            (true, false) => fs::remove_dir_all(entry.path())?,
            (false, true) => {}
            (false, false) => fs::remove_file(entry.path())?,
        }
    }
    copy(before, folder)
}

impl World {
    /// The server ends, well or not, and begins again.
    pub(super) fn restart(&mut self, amount: u64) -> Result<(), Broken> {
        self.tally.restarts += 1;
        self.note_stats();
        // A disk is lost now and then.
        let goes_on = self.disk.is_some() && !(amount >> 8).is_multiple_of(6);
        let is_well = amount & 4 == 0;
        let before = goes_on.then(|| (self.hub.position(), self.histories()));
        for connection in &mut self.connections {
            connection.task = None;
            connection.line().cut();
        }
        if is_well {
            self.hub.close_store().block_on();
        }
        // The folder is free when its last handle is gone.
        self.set_hub(Hub::simulated(
            options(false, self.variant),
            Epoch(amount),
            Arc::clone(&self.clock),
        ));
        if let Some(disk) = &mut self.disk {
            if !goes_on {
                *disk = Disk::new();
            } else if let Some(before) = disk.before.take() {
                // In the same files: a folder that was copied is not gone on with.
                put_back(before.path(), disk.folder.path()).expect("it can be put back");
            }
            let hub = disk.start(Epoch(amount), &self.clock, self.variant);
            self.set_hub(hub);
        }
        self.starts += 1;
        self.tell(|| format!("the server restarts; it has its log: {goes_on}"));
        let is_new = self.hub.position().epoch == Epoch(amount);
        let may_be_new = std::mem::take(&mut self.doubt_until) >= self.now();
        if let Some((at, histories)) = before
            && !(is_new && may_be_new)
        {
            self.tally.disk_restarts += 1;
            self.room_begins(true);
            return self.check_goes_on(at, &histories);
        }
        self.published = Published::new(STREAMS, UNREAD);
        self.log += 1;
        self.room_begins(false);
        Ok(())
    }

    /// In the variant whose disk goes back in time: what it goes back to.
    pub(super) fn copy_disk(&mut self) {
        if self.variant == Variant::LostTail
            && self.steps.is_multiple_of(COPIES)
            && let Some(disk) = &mut self.disk
        {
            let before = folder();
            copy(disk.folder.path(), before.path()).expect("it can be copied");
            disk.before = Some(before);
        }
    }

    fn set_hub(&mut self, hub: Hub) {
        *self.channels.hub.lock().expect("one thread") = hub.clone();
        self.hub = hub;
    }

    /// By stream; the last is one that nobody has ever heard of.
    fn histories(&self) -> Vec<History> {
        let history = |stream| {
            let name = name_of(stream);
            let all = |offset| self.hub.replay(&name, Position { offset, ..self.hub.position() });
            let (forgotten, entries) = match all(Offset::ZERO) {
                Ok(entries) => (Offset::ZERO, entries),
                Err(Gap::Forgotten(offset)) => (offset, all(offset).unwrap_or_default()),
                Err(_) => Default::default(),
            };
            let kept = entries.iter().filter(|entry| entry.class != Class::Ephemeral);
            (forgotten.0, kept.map(|entry| (entry.offset.0, entry.appended_at.0)).collect())
        };
        (0..=STREAMS + UNREAD).map(history).collect()
    }

    fn check_goes_on(&self, at: Position, before: &[History]) -> Result<(), Broken> {
        let found = self.hub.position();
        if found.epoch != at.epoch || found.offset < at.offset {
            return Err((Violation::NotAsBefore, format!("it is at {found}, and was at {at}")));
        }
        if self.variant == Variant::LostTail {
            // What comes of it is for the pages to find out.
            return Ok(());
        }
        let age_max = options(true, self.variant).retention.age_max.as_millis();
        let limit = self.now().saturating_sub(u64::try_from(age_max).unwrap_or(u64::MAX));
        let found = self.histories();
        check_put_back(before, &found, limit)
            .and_then(|()| check_nothing_silent(&found, |stream| self.published.owed(stream)))
            .map_err(|said| (Violation::NotAsBefore, said))
    }
}

/// A log that was put back has what it had, but for what has become too old since it was last looked
/// at, and says the same of what it has not. Of streams without an entry it may know no more than
/// the floor.
fn check_put_back(before: &[History], found: &[History], limit: u64) -> Result<(), String> {
    let expected = before.iter().map(|(forgotten, entries)| {
        let gone = entries.iter().take_while(|(_, at)| *at < limit).count();
        let newest = entries[..gone].last().map_or(*forgotten, |(offset, _)| *offset);
        (newest, entries[gone..].to_vec())
    });
    let expected: Vec<History> = expected.collect();
    // The floor is what is known of the last, and has risen at the most to what a stream without an
    // entry had forgotten.
    let empty = expected.iter().filter(|(_, entries)| entries.is_empty());
    let floor = empty.map(|(forgotten, _)| *forgotten).max().unwrap_or(0);
    for (stream, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let is_floor = found.1.is_empty() && expected.1.is_empty() && found.0 <= floor;
        if found != expected && !is_floor {
            return Err(format!("stream {stream}: {found:?} instead of {expected:?}"));
        }
    }
    Ok(())
}

/// Whatever was published to a stream it has, or says that it lacks it. What was known before does not
/// show that: a stream without an entry may know less than it did.
fn check_nothing_silent(
    found: &[History],
    published: impl Fn(usize) -> Vec<u64>,
) -> Result<(), String> {
    for (stream, (forgotten, entries)) in found.iter().enumerate() {
        let has = |offset: &u64| entries.iter().any(|(kept, _)| kept == offset);
        let silent = |offset: &u64| offset > forgotten && !has(offset);
        if let Some(lost) = published(stream).into_iter().find(silent) {
            return Err(format!("stream {stream}: it lacks {lost}, and knows of {forgotten}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_was_put_back_is_as_it_was() {
        let before = [(3, vec![(4, 100), (6, 200)]), (5, Vec::new()), (0, Vec::new())];
        let is_good = |loud: (u64, &[(u64, u64)]), quiet: u64, limit| {
            let found = [(loud.0, loud.1.to_vec()), (quiet, Vec::new()), (quiet, Vec::new())];
            check_put_back(&before, &found, limit).is_ok()
        };
        let all: &[_] = &[(4, 100), (6, 200)];
        assert!(is_good((3, all), 5, 100));
        assert!(!is_good((5, all), 5, 100), "it has forgotten what it had not");
        assert!(!is_good((0, all), 5, 100), "it does not know what it has forgotten");
        assert!(!is_good((3, &all[..1]), 5, 100), "it lacks what is not too old");
        assert!(is_good((4, &all[1..]), 4, 101));
        assert!(!is_good((3, &all[1..]), 4, 101), "it does not say what is missing");
        assert!(!is_good((3, all), 6, 100), "nothing of that was forgotten anywhere");
    }

    #[test]
    fn what_a_log_lacks_it_says() {
        let is_good = |forgotten, kept: &[u64]| {
            let found = [(forgotten, kept.iter().map(|offset| (*offset, 100)).collect())];
            check_nothing_silent(&found, |_| vec![2, 4, 6]).is_ok()
        };
        assert!(is_good(0, &[2, 4, 6]));
        assert!(is_good(4, &[6]));
        assert!(is_good(6, &[]));
        assert!(is_good(9, &[]));
        assert!(!is_good(4, &[]), "it does not know what a stream without entries lacks");
        assert!(!is_good(2, &[6]));
    }
}
