//! Writing for many connections from one task, instead of waking a task for each.
//!
//! A publish plans a *pass* over the readers of its stream. A pass goes in *rounds* of up to
//! [`SEATS`] connections; between two rounds of one stream every other stream that is due has one, so
//! a broadcast to a hundred thousand keeps nobody else waiting. In a round each connection that is at
//! rest is written for at its [`Seat`]. Any other, and whoever has no seat, is signalled and reads on in
//! its own task.
//!
//! Rounds are taken by tasks, as many as the runtime has threads. Where there is no runtime, and so
//! nobody to take them, publishing signals all readers itself.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use forebay_cable::{ReaderId, Session};
use forebay_log::{Log, Offset, StreamId};
use tokio::sync::Notify;

use crate::read::{self, Batch};
use crate::subscribers::Readers;
use crate::sync::{AtomicUsize, Mutex, Ordering, RwLock};
use crate::wake::{Signals, Wake};

/// Connections of one round. At some 4 µs for each `send`, other tasks wait an eighth of a millisecond.
const SEATS: usize = 32;

/// A connection that a round may write for.
pub trait Seat: Send + Sync {
    /// Writes what is new to the connection. False where its own task has to look after it: then it
    /// is signalled. If it panics, the connection has [failed](Wake::fail).
    fn deliver(&self, round: &mut Round) -> bool;

    /// What signals its task.
    fn wake(&self) -> &Wake;
}

/// Where nobody but its task can write for a connection, its mailbox is its seat.
impl Seat for Wake {
    fn deliver(&self, _: &mut Round) -> bool {
        false
    }

    fn wake(&self) -> &Wake {
        self
    }
}

/// What a round has read, kept from one connection to the next: most of them stand at the same place.
#[derive(Debug, Default)]
pub struct Round {
    batch: Batch,
    /// Who else can have the batch: who has one reader only, called this, of this stream, at this
    /// position.
    serves: Option<(ReaderId, StreamId, Offset)>,
    id: BatchId,
    deliveries: u64,
}

/// Names one batch of one round. Never the same for two.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BatchId {
    round: u64,
    batch: u64,
}

impl Round {
    /// What is new for the session: read now, or what was read for an earlier one.
    pub(crate) fn read(
        &mut self,
        log: &RwLock<Log>,
        session: &Session,
        may_replay: impl Fn() -> bool,
    ) {
        let sole = session.sole_reader();
        // Past the head at which it joined, a reader gets what any other gets.
        let place = sole
            .filter(|reader| reader.attached <= reader.position)
            .map(|reader| (reader.id, reader.stream, reader.position));
        if place.is_some() && place == self.serves {
            return;
        }
        self.id.batch += 1;
        read::read(&log.read(), session, may_replay, &mut self.batch);
        self.serves = place.filter(|_| self.batch.is_for_all());
    }

    /// What was read for the session.
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// Names the batch, if it is for others as well.
    pub fn shared(&self) -> Option<BatchId> {
        self.serves.map(|_| self.id)
    }

    /// Forgets what was read.
    pub fn clear(&mut self) {
        self.batch.clear();
        self.serves = None;
    }

    /// Counts entries that a socket has taken.
    pub fn count(&mut self, deliveries: usize) {
        self.deliveries += deliveries as u64;
    }

    /// Delivers to one seat after the other. In a panic `rest` begins with the one that it came from.
    fn deliver(&mut self, rest: &mut &[Arc<dyn Seat>]) {
        while let [seat, others @ ..] = *rest {
            if !seat.deliver(self) {
                seat.wake().signal(Signals::ENTRIES);
            }
            *rest = others;
        }
    }

    fn begin(&mut self) {
        /// Of the whole process, because what a thread makes of a batch may outlive a hub.
        static ROUNDS: AtomicU64 = AtomicU64::new(1);
        self.id = BatchId { round: ROUNDS.fetch_add(1, Ordering::Relaxed), batch: 0 };
    }

    /// Gives the number of entries that sockets have taken. The capacity is kept, the messages are not.
    fn end(&mut self) -> u64 {
        self.clear();
        std::mem::take(&mut self.deliveries)
    }
}

/// Which streams are due.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    /// Those with a pass under way, each once.
    due: Mutex<VecDeque<Arc<Readers>>>,
    /// How many take rounds.
    takers: AtomicUsize,
    pub(crate) planned: Arc<Notify>,
}

/// Takes `round` after `round`, as long as one is due, and then waits until others are planned. Ends when
/// `round` gives `None`: there is nobody left to take them for.
pub(crate) async fn take_rounds(planned: &Notify, mut round: impl FnMut() -> Option<bool>) {
    loop {
        let mut waiting = pin!(planned.notified());
        // What is planned from here on is heard of, whatever the last round did not find.
        waiting.as_mut().enable();
        loop {
            match round() {
                Some(true) => tokio::task::yield_now().await,
                Some(false) => break,
                None => return,
            }
        }
        waiting.await;
    }
}

/// Memory for one who takes rounds.
#[derive(Default)]
pub(crate) struct Taker {
    round: Round,
    seats: Vec<Arc<dyn Seat>>,
}

impl Rounds {
    pub(crate) fn are_taken(&self) -> bool {
        self.takers.load(Ordering::Acquire) > 0
    }

    pub(crate) fn add_taker(&self) {
        self.takers.fetch_add(1, Ordering::AcqRel);
    }

    /// True if it was the last.
    pub(crate) fn remove_taker(&self) -> bool {
        let was_last = self.takers.fetch_sub(1, Ordering::AcqRel) == 1;
        self.abandon_if_not_taken();
        was_last
    }

    /// A stream is due that was not. Two are told: the one who was told last runs on the publisher's
    /// own thread, when that has nothing else to do, and the other wherever there is room.
    pub(crate) fn plan_new(&self, readers: Arc<Readers>) {
        if self.takers.load(Ordering::Relaxed) > 1 {
            self.planned.notify_one();
        }
        self.plan(readers);
    }

    /// A stream is due.
    fn plan(&self, readers: Arc<Readers>) {
        self.due.lock().push_back(readers);
        self.planned.notify_one();
        // The last who took rounds may have gone since somebody looked.
        self.abandon_if_not_taken();
    }

    /// What is planned and nobody takes any more is signalled.
    fn abandon_if_not_taken(&self) {
        while !self.are_taken()
            && let Some(readers) = self.next()
        {
            readers.abandon();
        }
    }

    /// Takes the next round. Gives the entries that were taken by sockets, or `None` if nothing is due.
    pub(crate) fn take(&self, taker: &mut Taker) -> Option<u64> {
        let Taker { round, seats } = taker;
        let readers = self.next()?;
        if readers.take(SEATS, seats) {
            // Another thread may go on with it meanwhile.
            self.plan(readers);
        }
        round.begin();
        let mut rest = &seats[..];
        while catch_unwind(AssertUnwindSafe(|| round.deliver(&mut rest))).is_err() {
            // What was being read or framed may be half of it.
            round.clear();
            if let [failed, others @ ..] = rest {
                failed.wake().fail();
                rest = others;
            }
        }
        seats.clear();
        Some(round.end())
    }

    fn next(&self) -> Option<Arc<Readers>> {
        self.due.lock().pop_front()
    }
}
