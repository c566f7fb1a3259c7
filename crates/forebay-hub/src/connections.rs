//! Every connection of this process: for ticks, for shutting down, and for counting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use slab::Slab;

use crate::wake::{Signals, Wake};

#[derive(Debug, Default)]
pub(crate) struct Connections {
    all: Mutex<Slab<Arc<Wake>>>,
    closed: AtomicBool,
}

impl Connections {
    /// A place for one more, unless the process is shutting down.
    pub(crate) fn add(&self, wake: &Arc<Wake>) -> Option<usize> {
        let mut all = self.all.lock();
        (!self.is_closed()).then(|| all.insert(Arc::clone(wake)))
    }

    pub(crate) fn remove(&self, key: usize) {
        self.all.lock().try_remove(key);
    }

    pub(crate) fn len(&self) -> usize {
        self.all.lock().len()
    }

    /// From now on nobody is let in.
    pub(crate) fn close(&self) {
        let _all = self.all.lock();
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
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
