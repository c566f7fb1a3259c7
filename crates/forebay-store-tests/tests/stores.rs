//! The stores of forebay-store.
#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::sync::Arc;
use std::time::Duration;

use forebay_log::{Epoch, Offset};
use forebay_store::{Folder, Fsync, LogStore};
use forebay_store_tests::{Fault, Memory, World};
use tempfile::TempDir;

struct Shared {
    log: Memory,
    epoch: u64,
}

impl World for Shared {
    fn node(&mut self) -> Option<Arc<dyn LogStore>> {
        Some(Arc::new(self.log.clone()))
    }

    fn advance(&mut self) {}

    fn end(&mut self) {}

    fn fault(&mut self, fault: Fault) -> bool {
        match fault {
            Fault::Trim => self.log.trim(1),
            Fault::Loss => {
                let last = self.log.position().offset;
                self.epoch += 1;
                self.log.lose_after(Offset(last.0 - 1), Epoch(self.epoch));
            }
            _ => return false,
        }
        true
    }
}

#[test]
fn memory_keeps_the_contract() {
    forebay_store_tests::check(|| Shared { log: Memory::new(Epoch(1), 1_000), epoch: 1 });
}

/// A folder, which one process has at a time.
struct Disk {
    folder: TempDir,
    fsync: Fsync,
    is_taken: bool,
}

impl World for Disk {
    fn node(&mut self) -> Option<Arc<dyn LogStore>> {
        if std::mem::replace(&mut self.is_taken, true) {
            return None;
        }
        let opened = Folder::open(self.folder.path(), self.fsync, Epoch(1), [1, 2], false);
        Some(Arc::new(opened.unwrap()))
    }

    fn advance(&mut self) {
        std::thread::park_timeout(Duration::from_millis(1));
    }

    fn end(&mut self) {
        self.is_taken = false;
    }

    fn fault(&mut self, _: Fault) -> bool {
        false
    }
}

#[test]
fn a_folder_keeps_the_contract() {
    for fsync in [Fsync::Os, Fsync::Always] {
        forebay_store_tests::check(|| Disk {
            folder: TempDir::new().unwrap(),
            fsync,
            is_taken: false,
        });
    }
}
