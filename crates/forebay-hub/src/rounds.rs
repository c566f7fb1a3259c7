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
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;

use forebay_log::{Offset, StreamId};
use tokio::sync::Notify;

use crate::round::{Round, Seat};
use crate::subscribers::{Readers, Subscribers};
use crate::sync::{AtomicUsize, Mutex, Ordering};
use crate::wake::Signals;

/// Connections of one round. At some 4 µs for each `send`, other tasks wait an eighth of a millisecond.
const SEATS: usize = 32;

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

impl Taker {
    /// The oldest entry of the last round, if somebody has asked before it.
    pub(crate) fn observe(&mut self) -> Offset {
        self.round.observe()
    }
}

impl fmt::Debug for Taker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taker").field("round", &self.round).finish_non_exhaustive()
    }
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

    /// Tells everybody who reads the stream of a new entry: a pass over them is planned, or they are
    /// signalled, if nobody takes rounds. Gives their number.
    pub(crate) fn tell(&self, subscribers: &Subscribers, stream: StreamId) -> usize {
        if !self.are_taken() {
            return subscribers.signal(stream, Signals::ENTRIES);
        }
        let (count, due) = subscribers.plan(stream);
        if let Some(readers) = due {
            self.plan_new(readers);
        }
        count
    }

    /// A stream is due that was not. Two are told: the one who was told last runs on the publisher's
    /// own thread, when that has nothing else to do, and the other wherever there is room.
    fn plan_new(&self, readers: Arc<Readers>) {
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
