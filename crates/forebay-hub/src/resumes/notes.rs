//! Which pages have changed since they were written down, and where each has its place on disk.
//!
//! Writing is somebody else's, on a thread that may block (`hub/keeping.rs`). A page that changes a
//! thousand times meanwhile is written once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use forebay_store::KeptPage;
use tokio::sync::Notify;

use super::{PAGES_MAX, PageKey};

/// Pages of one write: looked up while nobody else can prove anything, at some 100 ns each.
const WRITE_PAGES: usize = 4_096;

/// When there is something to write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Due {
    /// Something has changed.
    pub(crate) soon: Arc<Notify>,
    /// A proof that is on disk is good no longer: a process that ended now would believe it.
    pub(crate) at_once: Arc<Notify>,
}

impl Due {
    /// There is something that has to be written at once.
    pub(crate) fn now(&self) {
        self.soon.notify_one();
        self.at_once.notify_one();
    }
}

#[derive(Debug, Default)]
pub(crate) struct Notes {
    places: HashMap<PageKey, u32>,
    free: Vec<u32>,
    /// Places from here on were never used. They are at most [`PAGES_MAX`], so the file has 6.4 MB.
    unused: u32,
    changed: HashSet<PageKey>,
    is_alive: bool,
    due: Due,
}

impl Notes {
    /// These pages have a place already.
    pub(super) fn new(places: HashMap<PageKey, u32>, due: Due) -> Self {
        let unused = places.values().max().map_or(0, |last| last + 1);
        let taken: HashSet<u32> = places.values().copied().collect();
        let free = (0..unused).filter(|place| !taken.contains(place)).collect();
        Self { places, free, unused, due, ..Self::default() }
    }

    /// Something has changed about a page. What `is_known` of it now is worth writing; where nothing is,
    /// its place is to be given up.
    pub(super) fn note(&mut self, key: PageKey, is_known: bool, takes_back: bool) {
        let is_on_disk = self.places.contains_key(&key);
        if !is_known && !is_on_disk {
            return;
        }
        self.changed.insert(key);
        self.due.soon.notify_one();
        if takes_back && is_on_disk {
            self.due.at_once.notify_one();
        }
    }

    /// Time has passed: pages that are live were live until now.
    pub(super) fn say_alive(&mut self) {
        if !self.places.is_empty() && !std::mem::replace(&mut self.is_alive, true) {
            self.due.soon.notify_one();
        }
    }

    /// What has changed, by places, and whether there is more. Of two that had one place the later
    /// counts.
    pub(super) fn take(
        &mut self,
        find: impl Fn(PageKey) -> Option<KeptPage>,
    ) -> (BTreeMap<u32, Option<KeptPage>>, bool) {
        let some: Vec<_> = self.changed.iter().take(WRITE_PAGES).copied().collect();
        let mut written = BTreeMap::new();
        for key in &some {
            self.changed.remove(key);
            if let Some(page) = find(*key) {
                if let Some(place) = self.place(*key) {
                    written.insert(place, Some(page));
                }
            } else if let Some(place) = self.places.remove(key) {
                self.free.push(place);
                written.insert(place, None);
            }
        }
        if self.changed.is_empty() {
            // The set has the room of the busiest half second.
            self.changed.shrink_to(WRITE_PAGES);
        }
        self.is_alive = false;
        (written, !self.changed.is_empty())
    }

    /// Its place, or one that is free.
    fn place(&mut self, key: PageKey) -> Option<u32> {
        if let Some(place) = self.places.get(&key) {
            return Some(*place);
        }
        let place = match self.free.pop() {
            Some(place) => place,
            None if (self.unused as usize) < PAGES_MAX => {
                self.unused += 1;
                self.unused - 1
            }
            None => return None,
        };
        self.places.insert(key, place);
        Some(place)
    }
}
