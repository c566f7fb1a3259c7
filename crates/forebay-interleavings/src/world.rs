//! What scenarios are made of: a log that only counts, its readers, and who publishes.

use std::sync::{Arc, Weak};
use std::task::{Wake as TaskWake, Waker};

use forebay_log::{Epoch, Log, Retention, StreamId};

use crate::round::{Round, Seat};
use crate::rounds::{Rounds, Taker};
use crate::subscribers::{Registration, Subscribers};
use crate::sync::{AtomicBool, AtomicUsize, Mutex, Ordering};
use crate::wake::{Signals, Wake};

/// One stream, whose entries are numbers.
pub(crate) struct World {
    pub(crate) stream: StreamId,
    pub(crate) subscribers: Subscribers,
    pub(crate) rounds: Rounds,
    head: AtomicUsize,
}

impl World {
    pub(crate) fn new(takers: usize) -> Arc<Self> {
        let world = Self {
            stream: Log::new(Epoch(1), Retention::default()).open("room"),
            subscribers: Subscribers::default(),
            rounds: Rounds::default(),
            head: AtomicUsize::new(0),
        };
        (0..takers).for_each(|_| world.rounds.add_taker());
        Arc::new(world)
    }

    /// As a hub does it: first the entry can be read, then whoever reads the stream hears of it.
    pub(crate) fn publish(&self) {
        self.head.fetch_add(1, Ordering::SeqCst);
        self.rounds.tell(&self.subscribers, self.stream);
    }

    pub(crate) fn head(&self) -> usize {
        self.head.load(Ordering::SeqCst)
    }

    /// Takes rounds until none is due.
    pub(crate) fn take_rounds(&self) {
        let mut taker = Taker::default();
        while self.rounds.take(&mut taker).is_some() {}
    }
}

/// A connection: its task and rounds look at the log for it, one at a time.
pub(crate) struct Reader {
    world: Arc<World>,
    wake: Wake,
    /// The newest entry that it was given.
    seen: Mutex<usize>,
    /// Its task is to be polled.
    is_woken: AtomicBool,
    flaw: Flaw,
}

/// What a reader does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flaw {
    None,
    /// It takes its signals, and registers the task to wake afterwards.
    TakesFirst,
    /// It looks at the log, and registers for entries afterwards.
    LooksFirst,
    /// A round that finds its task at work is content with that.
    IsContentWhenBusy,
}

impl Reader {
    pub(crate) fn join(world: &Arc<World>, flaw: Flaw) -> (Arc<Self>, Registration) {
        let reader = Arc::new(Self {
            world: Arc::clone(world),
            wake: Wake::default(),
            seen: Mutex::new(0),
            is_woken: AtomicBool::new(false),
            flaw,
        });
        if flaw == Flaw::LooksFirst {
            reader.poll();
        }
        let seat: Weak<Self> = Arc::downgrade(&reader);
        let registration = world.subscribers.add(world.stream, seat, false);
        if flaw != Flaw::LooksFirst {
            reader.poll();
        }
        (reader, registration)
    }

    /// One turn of its task.
    pub(crate) fn poll(self: &Arc<Self>) {
        let waker = Waker::from(Arc::new(Task(Arc::downgrade(self))));
        let mut seen = self.seen.lock();
        if self.flaw == Flaw::TakesFirst {
            self.wake.take();
            self.wake.register(&waker);
        } else {
            self.wake.register(&waker);
            self.wake.take();
        }
        *seen = self.world.head();
    }

    /// Its runtime polls it as often as it was woken.
    pub(crate) fn run(self: &Arc<Self>) {
        while self.is_woken.swap(false, Ordering::SeqCst) {
            self.poll();
        }
    }

    pub(crate) fn signal(&self, signals: Signals) {
        self.wake.signal(signals);
    }

    /// It sleeps, and has not heard of a signal.
    pub(crate) fn is_forgotten(&self) -> bool {
        !self.is_woken.load(Ordering::SeqCst) && self.wake.take() != Signals::default()
    }

    pub(crate) fn has_seen(&self) -> usize {
        *self.seen.lock()
    }
}

impl Seat for Reader {
    fn deliver(&self, _: &mut Round) -> bool {
        let Some(mut seen) = self.seen.try_lock() else {
            return self.flaw == Flaw::IsContentWhenBusy;
        };
        *seen = self.world.head();
        true
    }

    fn wake(&self) -> &Wake {
        &self.wake
    }
}

struct Task(Weak<Reader>);

impl TaskWake for Task {
    fn wake(self: Arc<Self>) {
        if let Some(reader) = self.0.upgrade() {
            reader.is_woken.store(true, Ordering::SeqCst);
        }
    }
}
