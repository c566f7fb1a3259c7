//! Who is to be woken for which stream.

use std::sync::Arc;

use forebay_log::StreamId;
use parking_lot::{Mutex, RwLock};
use slab::Slab;

use crate::wake::{Signals, Wake};

type Readers = Mutex<Slab<Arc<Wake>>>;

/// One list per open stream, at the stream's index. Lists are never removed, only emptied: a
/// stream's id is reused, and an empty list is 40 bytes.
#[derive(Debug, Default)]
pub(crate) struct Subscribers(RwLock<Vec<Arc<Readers>>>);

/// A place in a stream's list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registration {
    pub(crate) stream: StreamId,
    key: usize,
}

impl Subscribers {
    pub(crate) fn add(&self, stream: StreamId, wake: &Arc<Wake>) -> Registration {
        let key = self.readers_or_new(stream).lock().insert(Arc::clone(wake));
        Registration { stream, key }
    }

    pub(crate) fn remove(&self, registration: Registration) {
        let Some(readers) = self.readers(registration.stream) else {
            return;
        };
        let mut readers = readers.lock();
        readers.try_remove(registration.key);
        if readers.is_empty() {
            *readers = Slab::new();
        }
    }

    /// Marks everybody who reads the stream; gives their number.
    pub(crate) fn wake(&self, stream: StreamId) -> usize {
        self.signal(stream, Signals::ENTRIES)
    }

    pub(crate) fn signal(&self, stream: StreamId, signals: Signals) -> usize {
        let Some(readers) = self.readers(stream) else {
            return 0;
        };
        let readers = readers.lock();
        for (_, wake) in readers.iter() {
            wake.signal(signals);
        }
        readers.len()
    }

    fn readers(&self, stream: StreamId) -> Option<Arc<Readers>> {
        self.0.read().get(stream.index()).cloned()
    }

    fn readers_or_new(&self, stream: StreamId) -> Arc<Readers> {
        if let Some(readers) = self.readers(stream) {
            return readers;
        }
        let mut lists = self.0.write();
        if lists.len() <= stream.index() {
            lists.resize_with(stream.index() + 1, Arc::default);
        }
        Arc::clone(&lists[stream.index()])
    }
}
