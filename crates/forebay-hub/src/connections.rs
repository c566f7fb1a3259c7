//! Every connection of this process: for ticks, for shutting down, and for counting.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use slab::Slab;
use smallvec::SmallVec;
use tokio::sync::Notify;

use crate::wake::{Signals, Wake};

#[derive(Debug, Default)]
pub(crate) struct Connections {
    all: Mutex<Slab<Arc<Wake>>>,
    /// The places of those that have a name. Taken before `all`, where both are.
    named: Mutex<HashMap<Arc<str>, SmallVec<[usize; 2]>>>,
    closed: AtomicBool,
    /// The last one has left.
    emptied: Notify,
}

impl Connections {
    /// Gives one more connection a place. `None` while the process shuts down.
    pub(crate) fn add(&self, wake: &Arc<Wake>) -> Option<usize> {
        let mut all = self.all.lock();
        (!self.is_closed()).then(|| all.insert(Arc::clone(wake)))
    }

    pub(crate) fn identify(&self, key: usize, identity: &Arc<str>) {
        self.named.lock().entry(Arc::clone(identity)).or_default().push(key);
    }

    pub(crate) fn remove(&self, key: usize, identity: Option<&Arc<str>>) {
        if let Some(identity) = identity {
            let mut named = self.named.lock();
            if let Some(places) = named.get_mut(identity) {
                places.retain(|place| *place != key);
                if places.is_empty() {
                    named.remove(identity);
                }
            }
        }
        let mut all = self.all.lock();
        all.try_remove(key);
        if all.is_empty() {
            self.emptied.notify_waiters();
        }
    }

    /// Waits until the last connection has left.
    pub(crate) async fn all_left(&self) {
        let mut emptied = pin!(self.emptied.notified());
        loop {
            emptied.as_mut().enable();
            if self.len() == 0 {
                return;
            }
            emptied.as_mut().await;
            emptied.set(self.emptied.notified());
        }
    }

    /// All connections of this moment.
    pub(crate) fn all(&self) -> Vec<Arc<Wake>> {
        self.all.lock().iter().map(|(_, wake)| Arc::clone(wake)).collect()
    }

    /// Signals all connections of one name; gives their number.
    pub(crate) fn signal_identity(&self, identity: &str, signals: Signals) -> usize {
        // Held to the end: a place that is given away meanwhile would have a stranger disconnected.
        let named = self.named.lock();
        let all = self.all.lock();
        let places = named.get(identity).into_iter().flatten();
        let wakes = places.filter_map(|place| all.get(*place));
        wakes.map(|wake| wake.signal(signals)).count()
    }

    /// How many have this name.
    pub(crate) fn count(&self, identity: &str) -> usize {
        self.named.lock().get(identity).map_or(0, SmallVec::len)
    }

    /// How many names there are.
    pub(crate) fn names(&self) -> usize {
        self.named.lock().len()
    }

    pub(crate) fn len(&self) -> usize {
        self.all.lock().len()
    }

    /// Lets nobody in from now on. True if that was so already.
    pub(crate) fn close(&self) -> bool {
        let _all = self.all.lock();
        self.closed.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// How many parts after this one comes the next that has somebody, or the first of all.
    pub(crate) fn parts_until_next(&self, part: usize, parts: usize) -> usize {
        let all = self.all.lock();
        let has_somebody =
            |part: &usize| (*part..all.capacity()).step_by(parts).any(|key| all.contains(key));
        (part + 1..parts).find(has_somebody).unwrap_or(parts) - part
    }

    /// Signals one `part` of `parts`: those whose place is congruent to it. Places are dense, so
    /// the parts are about equal, and no connection needs a timer of its own.
    pub(crate) fn signal_part(&self, part: usize, parts: usize, signals: Signals) {
        let all = self.all.lock();
        // Keys go up to the largest that was ever in use at once.
        for key in (part..all.capacity()).step_by(parts) {
            if let Some(wake) = all.get(key) {
                wake.signal(signals);
            }
        }
    }
}
