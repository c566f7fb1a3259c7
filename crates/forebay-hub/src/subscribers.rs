//! Who reads which stream.

use std::sync::{Arc, Weak};

use forebay_log::StreamId;
use slab::Slab;
use smallvec::SmallVec;

use crate::prefetch::prefetch;
use crate::round::Seat;
use crate::sync::{Mutex, RwLock};
use crate::wake::Signals;

/// Envelopes of one stream that are kept for whoever has the same. Pages have theirs from one tag, of
/// one template; a stream with more kinds of them than this keeps the others once for each page.
const ENVELOPES_MAX: usize = 4;

/// Places that a round looks at for each connection that it takes, at most: others wait for the list.
const PLACES_EACH: usize = 64;

/// One list per open stream, at the stream's index. Lists are never removed, only emptied: a
/// stream's index is reused, and an empty list is 100 bytes.
#[derive(Debug, Default)]
pub(crate) struct Subscribers(RwLock<Vec<Arc<Readers>>>);

/// A place in a stream's list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registration {
    pub(crate) stream: StreamId,
    key: usize,
}

/// The readers of one stream, and how far a pass over them has come.
#[derive(Debug, Default)]
pub(crate) struct Readers(Mutex<List>);

#[derive(Debug)]
struct Reader {
    seat: Weak<dyn Seat>,
    /// News of entries is not for it: passes go by without a look at its memory.
    is_muted: bool,
}

#[derive(Debug, Default)]
struct List {
    readers: Slab<Reader>,
    /// Places up to which there may be readers.
    end: usize,
    /// Where the pass goes on.
    next: usize,
    /// Places that it has still to see.
    left: usize,
    /// It is among those that are due.
    is_due: bool,
    envelopes: SmallVec<[Weak<[u8]>; 1]>,
}

impl Subscribers {
    pub(crate) fn add(
        &self,
        stream: StreamId,
        seat: Weak<dyn Seat>,
        is_muted: bool,
    ) -> Registration {
        let key = self.readers_or_new(stream).0.lock().add(Reader { seat, is_muted });
        Registration { stream, key }
    }

    /// Whether the reader is left out where entries are concerned. Where it is not any more, it has to
    /// look at the log once.
    pub(crate) fn mute(&self, registration: Registration, is_muted: bool) {
        if let Some(readers) = self.readers(registration.stream)
            && let Some(reader) = readers.0.lock().readers.get_mut(registration.key)
        {
            reader.is_muted = is_muted;
        }
    }

    pub(crate) fn remove(&self, registration: Registration) {
        if let Some(readers) = self.readers(registration.stream) {
            readers.0.lock().remove(registration.key);
        }
    }

    /// An envelope like this one that a reader of the stream has already, or else this one.
    pub(crate) fn share(&self, stream: StreamId, envelope: &Arc<[u8]>) -> Option<Arc<[u8]>> {
        Some(self.readers(stream)?.0.lock().share(envelope))
    }

    /// Plans a pass over everybody who reads the stream. Gives their number, and the list where it was not
    /// due before: rounds are to be taken of it.
    pub(crate) fn plan(&self, stream: StreamId) -> (usize, Option<Arc<Readers>>) {
        let Some(readers) = self.readers(stream) else {
            return (0, None);
        };
        let (count, is_new) = readers.0.lock().plan();
        (count, is_new.then_some(readers))
    }

    /// How many read the stream.
    pub(crate) fn count(&self, stream: StreamId) -> usize {
        self.readers(stream).map_or(0, |readers| readers.0.lock().readers.len())
    }

    pub(crate) fn signal(&self, stream: StreamId, signals: Signals) -> usize {
        self.readers(stream).map_or(0, |readers| readers.signal(signals))
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

impl Readers {
    /// Puts the next readers of the pass into `seats`, up to `max`. True if there are more.
    pub(crate) fn take(&self, max: usize, seats: &mut Vec<Arc<dyn Seat>>) -> bool {
        let mut list = self.0.lock();
        let next = list.next..list.end.min(list.next + max);
        prefetch(next.filter_map(|place| list.awake(place)).map(Weak::strong_count).sum::<usize>());
        let left = list.left.saturating_sub(max * PLACES_EACH);
        while list.left > left && seats.len() < max {
            if list.next >= list.end {
                list.next = 0;
            }
            seats.extend(list.awake(list.next).and_then(Weak::upgrade));
            list.next += 1;
            list.left -= 1;
        }
        list.is_due = list.left > 0;
        list.is_due
    }

    /// The pass ends here: whoever it has not seen is signalled, with all others.
    pub(crate) fn abandon(&self) {
        {
            let mut list = self.0.lock();
            (list.left, list.is_due) = (0, false);
        }
        self.signal(Signals::ENTRIES);
    }

    fn signal(&self, signals: Signals) -> usize {
        let (count, seats): (_, Vec<_>) = {
            let list = self.0.lock();
            let all = list.readers.iter().map(|(_, reader)| reader);
            let meant = all.filter(|reader| signals != Signals::ENTRIES || !reader.is_muted);
            (list.readers.len(), meant.filter_map(|reader| reader.seat.upgrade()).collect())
        };
        // Not under the lock: whose task has ended meanwhile goes here, and leaves the list.
        for seat in &seats {
            seat.wake().signal(signals);
        }
        count
    }
}

impl List {
    /// Whoever is to be told of entries, at this place.
    fn awake(&self, place: usize) -> Option<&Weak<dyn Seat>> {
        self.readers.get(place).filter(|reader| !reader.is_muted).map(|reader| &reader.seat)
    }

    fn add(&mut self, reader: Reader) -> usize {
        let key = self.readers.insert(reader);
        if key >= self.end {
            if self.left > 0 {
                // What a pass has still to see behind the end begins that much later.
                self.left += key + 1 - self.end;
            }
            self.end = key + 1;
        }
        key
    }

    fn remove(&mut self, key: usize) {
        self.readers.try_remove(key);
        if self.readers.is_empty() {
            self.readers = Slab::new();
            self.envelopes = SmallVec::new();
            self.end = 0;
        }
        // A pass sees no places behind the last reader.
        while self.end > 0 && !self.readers.contains(self.end - 1) {
            self.end -= 1;
        }
        self.left = self.left.min(self.end);
    }

    /// The number of readers, and whether a pass begins with this.
    fn plan(&mut self) -> (usize, bool) {
        // A pass that is under way sees those again that it has seen before this entry.
        self.left = self.end;
        let is_new = self.left > 0 && !std::mem::replace(&mut self.is_due, true);
        (self.readers.len(), is_new)
    }

    fn share(&mut self, envelope: &Arc<[u8]>) -> Arc<[u8]> {
        self.envelopes.retain(|kept| kept.strong_count() > 0);
        let mut kept = self.envelopes.iter().filter_map(Weak::upgrade);
        if let Some(kept) = kept.find(|kept| kept == envelope) {
            return kept;
        }
        if self.envelopes.len() < ENVELOPES_MAX {
            self.envelopes.push(Arc::downgrade(envelope));
        }
        Arc::clone(envelope)
    }
}

#[cfg(test)]
#[path = "subscribers/tests.rs"]
mod tests;
