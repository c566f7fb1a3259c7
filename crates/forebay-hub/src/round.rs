//! One round: up to 32 connections that one task writes for, one after the other.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use forebay_cable::{ReaderId, Session};
use forebay_log::{Log, Offset, StreamId};

use crate::read::{self, Batch};
use crate::sync::RwLock;
use crate::wake::{Signals, Wake};

/// A connection that a round may write for.
pub trait Seat: Send + Sync {
    /// Writes what is new to the connection. False if its own task has to do that, which is then
    /// signalled. If this panics, the connection has [failed](Wake::fail).
    fn deliver(&self, round: &mut Round) -> bool;

    /// What signals its task.
    fn wake(&self) -> &Wake;

    /// Shows its session to whoever asks where that stands. Nothing is shown where the connection does not come to
    /// rest for a moment.
    fn look(&self, _: &mut dyn FnMut(&Session)) {}
}

/// A connection that only its own task can write for has its mailbox as its seat.
impl Seat for Wake {
    fn deliver(&self, _: &mut Round) -> bool {
        false
    }

    fn wake(&self) -> &Wake {
        self
    }
}

/// What seats make of a batch and keep for the next seat, such as frames.
pub trait Scratch: Any + Send + fmt::Debug {
    /// The batch is gone, and so is what was made of it. The memory may be kept.
    fn forget(&mut self);
}

/// What a round has read, kept from one connection to the next: most of them stand at the same place.
#[derive(Debug, Default)]
pub struct Round {
    batch: Batch,
    /// The batch also serves a session with one reader, if that is called this, and reads this stream from
    /// this position.
    serves: Option<(ReaderId, StreamId, Offset)>,
    scratch: Option<Box<dyn Scratch>>,
    deliveries: u64,
    /// Somebody wants to know of which entries.
    is_observed: bool,
    /// Then: the oldest entry of the last look at the log, unless it was a replay.
    oldest: Offset,
}

impl Round {
    /// Takes what is new for the session: from the log, or from what was read for an earlier one.
    pub(crate) fn read(
        &mut self,
        log: &RwLock<Log>,
        session: &Session,
        may_replay: impl Fn() -> bool,
    ) {
        let sole = session.sole_reader();
        // Past the head at which it joined, a reader gets what any other gets, unless its page has seen some of it.
        let place = sole
            .filter(|reader| reader.attached <= reader.position && !session.is_exact())
            .map(|reader| (reader.id, reader.stream, reader.position));
        if place.is_some() && place == self.serves {
            return;
        }
        self.forget();
        read::read(&log.read(), session, may_replay, &mut self.batch);
        self.serves = place.filter(|_| self.batch.is_for_all());
        if self.is_observed {
            self.note_oldest();
        }
    }

    /// What was read for the session.
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// The same, with what has been made of it for sessions before. All seats of a hub have the same kind of
    /// scratch; where one has another, it begins with none.
    pub fn batch_and_scratch<S: Scratch + Default>(&mut self) -> (&Batch, &mut S) {
        let Self { batch, scratch, .. } = self;
        let is_it = scratch.as_deref().is_some_and(|scratch| (scratch as &dyn Any).is::<S>());
        if !is_it {
            *scratch = None;
        }
        let scratch = scratch.get_or_insert_with(|| Box::new(S::default()));
        let scratch = (&mut **scratch as &mut dyn Any).downcast_mut();
        (batch, scratch.expect("it is of this kind"))
    }

    /// Whether the batch is for others as well.
    pub fn is_shared(&self) -> bool {
        self.serves.is_some()
    }

    /// Forgets what was read, and what was made of it.
    pub fn clear(&mut self) {
        self.batch.clear();
        self.serves = None;
        self.forget();
    }

    /// Counts entries that a socket has taken.
    pub fn count(&mut self, deliveries: usize) {
        self.deliveries += deliveries as u64;
    }

    fn forget(&mut self) {
        if let Some(scratch) = &mut self.scratch {
            scratch.forget();
        }
    }

    /// Delivers to one seat after the other. In a panic `rest` begins with the one that it came from.
    pub(crate) fn deliver(&mut self, rest: &mut &[Arc<dyn Seat>]) {
        while let [seat, others @ ..] = *rest {
            if !seat.deliver(self) {
                seat.wake().signal(Signals::ENTRIES);
            }
            *rest = others;
        }
    }

    /// Gives the number of entries that sockets have taken. The capacity is kept, the messages are not.
    pub(crate) fn end(&mut self) -> u64 {
        self.clear();
        std::mem::take(&mut self.deliveries)
    }

    /// Notes from here on how old entries are, and gives the oldest that was noted since this was asked.
    pub(crate) fn observe(&mut self) -> Offset {
        self.is_observed = true;
        std::mem::take(&mut self.oldest)
    }

    #[cold]
    fn note_oldest(&mut self) {
        if let Some(oldest) = self.batch.oldest() {
            self.oldest = oldest;
        }
    }
}
