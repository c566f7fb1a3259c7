//! The sequencer: how it begins and ends, the head, and what a tick does.

mod access;
mod keeping;
mod publishing;
mod tasks;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use forebay_cable::Limits;
use forebay_log::{
    Class, Entry, Epoch, Gap, Log, Message, Offset, Position, Retention, Sweep, UnixMillis,
};
use forebay_store::{Fsync, Recovered, Store, StoreError};
use parking_lot::{Mutex, RwLock};

use self::keeping::Keeping;
use crate::client::{Client, Refused};
use crate::clock::Clock;
use crate::connections::Connections;
use crate::doze::Doze;
use crate::heals::Heals;
use crate::notices::{Notices, Refusal};
use crate::reidentified::Reidentified;
use crate::replays::Replays;
use crate::resumes::Resumes;
use crate::revocations::Revocations;
use crate::rounds::{Rounds, Taker};
use crate::sessions::Sessions;
use crate::stats::Stats;
use crate::subscribers::Subscribers;
use crate::wake::Signals;

/// Into how many parts the connections are cut, so that not all are ticked at once.
const TICK_PARTS: usize = 30;

/// How often a connection is ticked within a ping interval. With Rails' three seconds: every
/// 50 ms a thirtieth of the connections, and a ping is at most one and a half seconds late.
const TICKS_PER_INTERVAL: u64 = 2;

/// How long one that was told to leave is waited for. Its last Pongs and its close frame take as long as a
/// message to it and back; whoever starts the next process wants it soon.
const LEAVE_MAX: Duration = Duration::from_secs(1);

/// How a hub is made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// What history keeps.
    pub retention: Retention,
    /// What one session may hold.
    pub limits: Limits,
    /// No page is open for longer, and no signed name is good for longer. Older revocations are given up:
    /// pages with an older cursor are refused, whoever's they are. Without it they are all remembered.
    pub revocation_lifetime: Option<Duration>,
    /// A log on disk that is damaged is moved aside, and a new one begins.
    pub discards_damaged: bool,
    /// Pages that are told in a second to render themselves again, where many lack something at once, as
    /// after a restart without history. Default 200: an application that renders a page in 10 ms on two
    /// cores answers as many, and 10 000 pages are whole again after 50 seconds. 0 tells all at once.
    pub heals_per_second: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            retention: Retention::default(),
            limits: Limits::default(),
            revocation_lifetime: None,
            discards_damaged: false,
            heals_per_second: 200,
        }
    }
}

forebay_log::setters! {
    Options:
    retention: Retention,
    limits: Limits,
    revocation_lifetime: Option<Duration>,
    discards_damaged: bool,
    heals_per_second: u32,
}

/// Something to publish.
#[derive(Clone, Debug)]
pub struct Broadcast<'a> {
    /// The stream's name.
    pub stream: &'a str,
    /// What subscribers get.
    pub message: Message,
    /// How long it is worth keeping.
    pub class: Class,
}

/// What publishing did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Published {
    /// The position of the entry.
    pub position: Position,
    /// Subscriptions of this process that it is for.
    pub subscribers: usize,
}

/// A broadcast was not taken: it has no place in the log, and nobody gets it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct PublishError(#[from] pub StoreError);

/// One ordered log and everybody who reads it. Clones are handles to the same hub.
#[derive(Clone, Debug)]
pub struct Hub(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) log: RwLock<Log>,
    /// The log's copy on disk. Whoever publishes has it to themselves meanwhile; readers don't wait
    /// for the disk.
    store: Option<Mutex<Store>>,
    /// Why the last broadcast was not written down, if it was not.
    trouble: Mutex<Option<String>>,
    epoch: Epoch,
    /// The log's head, readable without its lock: this is what rendering a page costs.
    head: AtomicU64,
    pub(crate) subscribers: Subscribers,
    rounds: Rounds,
    /// Where rounds are taken by hand: what tasks have of their own.
    by_hand: Mutex<Taker>,
    pub(crate) connections: Connections,
    pub(crate) resumes: Mutex<Resumes>,
    pub(crate) sessions: Mutex<Sessions>,
    pub(crate) replays: Mutex<Replays>,
    pub(crate) heals: Heals,
    pub(crate) reidentified: Mutex<Reidentified>,
    pub(crate) revocations: RwLock<Revocations>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) stats: Stats,
    notices: Notices,
    /// What is kept beside the log, where that is on disk.
    pub(crate) keeping: Option<Keeping>,
    /// Somebody writes it.
    is_keeping: AtomicBool,
    /// Somebody ticks.
    is_ticking: AtomicBool,
    pub(crate) doze: Arc<Doze>,
    /// Somebody takes rounds, or is about to.
    takes_rounds: AtomicBool,
    clock: Clock,
}

impl Hub {
    /// A hub with an empty log and an epoch of its own.
    ///
    /// # Panics
    /// If the operating system has no randomness to give.
    pub fn new(options: Options) -> Self {
        let clock = Clock::start();
        let mut log = Log::new(new_epoch(), options.retention);
        log.begins_at(clock.now());
        let mut hub = Self::with(log, None, clock, options.limits, options.heals_per_second);
        hub.revocations.get_mut().set_lifetime(options.revocation_lifetime);
        Self(Arc::new(hub))
    }

    /// A hub whose log is kept in this folder, and goes on where it ended.
    ///
    /// # Errors
    /// [`StoreError`] says what is wrong with the folder.
    ///
    /// # Panics
    /// If the operating system has no randomness to give.
    pub fn open(
        options: Options,
        folder: impl Into<PathBuf>,
        fsync: Fsync,
    ) -> Result<Self, StoreError> {
        Self::open_with(options, &folder.into(), fsync, new_epoch(), Clock::start())
    }

    fn open_with(
        options: Options,
        folder: &Path,
        fsync: Fsync,
        fresh: Epoch,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        let open = if options.discards_damaged { Store::open_or_discard } else { Store::open };
        let (mut store, mut recovered) = open(folder.to_owned(), fsync, fresh)?;
        let mut log = recovered.log(options.retention, clock.now());
        // History may have become shorter.
        log.expire(clock.now());
        let (dropped, floor) = log.take_dropped();
        store.forget(&dropped, floor)?;
        let Recovered { revoked, revoked_floor, sessions, .. } = recovered;
        let mut hub = Self::with(log, Some(store), clock, options.limits, options.heals_per_second);
        let mut revocations = Revocations::restored(hub.clock.now(), revoked, revoked_floor);
        revocations.set_lifetime(options.revocation_lifetime);
        *hub.revocations.get_mut() = revocations;
        Keeping::open(folder, &mut hub, sessions)?;
        Ok(Self(Arc::new(hub)))
    }

    /// A hub in a simulated world: its clock is moved by hand, and so are its ticks
    /// ([`tick`](Self::tick)) and rounds ([`round`](Self::round)).
    pub fn simulated(options: Options, epoch: Epoch, now: Arc<AtomicU64>) -> Self {
        let clock = Clock::Simulated(now);
        let mut log = Log::new(epoch, options.retention);
        log.begins_at(clock.now());
        let hub =
            Self(Arc::new(Self::with(log, None, clock, options.limits, options.heals_per_second)));
        hub.drive_by_hand();
        hub
    }

    fn drive_by_hand(&self) {
        self.0.is_ticking.store(true, Ordering::Relaxed);
        self.0.takes_rounds.store(true, Ordering::Relaxed);
        self.0.is_keeping.store(true, Ordering::Relaxed);
        self.0.rounds.add_taker();
    }

    /// The next round of deliveries, if one is due; simulations call it, all others have tasks that
    /// do. False if none was.
    pub fn round(&self) -> bool {
        self.0.round(&mut self.0.by_hand.lock())
    }

    /// As [`simulated`](Self::simulated), with its log in this folder. `fresh` is the epoch of a log
    /// that begins there.
    ///
    /// # Errors
    /// [`StoreError`] says what is wrong with the folder.
    pub fn simulated_in(
        options: Options,
        folder: impl Into<PathBuf>,
        fresh: Epoch,
        now: Arc<AtomicU64>,
    ) -> Result<Self, StoreError> {
        let clock = Clock::Simulated(now);
        let hub = Self::open_with(options, &folder.into(), Fsync::Os, fresh, clock)?;
        hub.drive_by_hand();
        Ok(hub)
    }

    /// One of the ticks of a ping interval's half; simulations call it, all others have a task that
    /// does.
    pub fn tick(&self, part: usize) {
        self.0.tick(part % TICK_PARTS);
        if part.is_multiple_of(TICK_PARTS / 3) {
            self.0.write_kept();
        }
    }

    fn with(
        log: Log,
        store: Option<Store>,
        clock: Clock,
        limits: Limits,
        heals_per_second: u32,
    ) -> Inner {
        let position = log.head();
        Inner {
            log: RwLock::new(log),
            store: store.map(Mutex::new),
            epoch: position.epoch,
            head: AtomicU64::new(position.offset.0),
            subscribers: Subscribers::default(),
            trouble: Mutex::default(),
            rounds: Rounds::default(),
            by_hand: Mutex::default(),
            connections: Connections::default(),
            resumes: Mutex::new(Resumes::new(keeping::random_keys())),
            sessions: Mutex::default(),
            replays: Mutex::default(),
            heals: Heals::new(heals_per_second),
            reidentified: Mutex::default(),
            revocations: RwLock::default(),
            limits: Arc::new(limits),
            stats: Stats::default(),
            notices: Notices::default(),
            keeping: None,
            is_keeping: AtomicBool::new(false),
            is_ticking: AtomicBool::new(false),
            doze: Arc::default(),
            takes_rounds: AtomicBool::new(false),
            clock,
        }
    }

    /// Where the log stands: a page that is about to read its data takes this as its cursor.
    /// One atomic load.
    pub fn position(&self) -> Position {
        Position { epoch: self.0.epoch, offset: Offset(self.0.head.load(Ordering::Acquire)) }
    }

    /// What a subscriber with this cursor would be replayed of a stream.
    ///
    /// # Errors
    /// The [`Gap`] that would make it a resync.
    pub fn replay(&self, stream: &str, cursor: Position) -> Result<Vec<Entry>, Gap> {
        Ok(self.0.log.read().replay(stream, cursor)?.cloned().collect())
    }

    /// Lets one more connection in.
    ///
    /// # Errors
    /// [`Refused`] while the hub is shutting down.
    pub fn connect(&self) -> Result<Client, Refused> {
        self.ensure_ticking();
        self.ensure_rounds();
        self.ensure_keeping();
        let client = Client::new(self.clone());
        self.0.doze.end();
        client
    }

    /// Connections at this moment.
    pub fn connections(&self) -> usize {
        self.0.connections.len()
    }

    /// Why the last broadcast was not taken by the disk, if it was not.
    pub fn trouble(&self) -> Option<String> {
        self.0.trouble.lock().clone()
    }

    /// Bytes of history, overhead included.
    pub fn history_bytes(&self) -> usize {
        self.0.log.read().bytes()
    }

    /// The counters.
    pub fn stats(&self) -> &Stats {
        &self.0.stats
    }

    /// Counts that somebody was turned away. If that is to be logged, gives how many of its kind were
    /// not since the last line: strangers cause as many as they like.
    pub fn refused(&self, refusal: Refusal) -> Option<u64> {
        self.0.notices.note(refusal, &self.0.stats, self.now())
    }

    /// The bounds of a session.
    pub fn limits(&self) -> &Arc<Limits> {
        &self.0.limits
    }

    /// Now, as the hub's entries are dated.
    pub fn now(&self) -> UnixMillis {
        self.0.clock.now()
    }

    /// Tells everybody to come back, spread over `window` so that they do not all arrive elsewhere at
    /// once. Meanwhile the doors are open: who comes is served, and told at the end. Then nobody is
    /// let in any more, and once all are gone the log is closed on disk.
    ///
    /// Without connections it takes no time, and a second time hardly any. One that does not leave when it is told is waited for a
    /// second, and ended as it is: what its page has proven to have is kept.
    pub async fn shut_down(&self, window: Duration) {
        let connections = &self.0.connections;
        if !connections.is_closed() {
            self.tell_pages(window).await;
        }
        let was_closed = connections.close();
        let signals = [Signals::SHUTDOWN, Signals::ENDS].into_iter();
        // Another time nobody is new, and nobody is waited for.
        for signals in signals.skip(usize::from(was_closed)) {
            connections.all().iter().for_each(|wake| wake.signal(signals));
            let _ = tokio::time::timeout(LEAVE_MAX, connections.all_left()).await;
        }
        self.close_store();
    }

    /// Tells those who are here now. Ends with `window`, or when nobody is left.
    async fn tell_pages(&self, window: Duration) {
        let connections = &self.0.connections;
        let here = connections.all();
        let parts = here.chunks(here.len().div_ceil(TICK_PARTS).max(1));
        let pause = window / u32::try_from(parts.len().max(1)).unwrap_or(u32::MAX);
        for part in parts {
            for wake in part {
                wake.signal(Signals::SHUTDOWN);
            }
            if tokio::time::timeout(pause, connections.all_left()).await.is_ok() {
                return;
            }
        }
    }

    /// The disk takes this many writes, and says that it did not.
    #[doc(hidden)]
    pub fn fail_next_for_tests(&self, writes: u32) {
        if let Some(store) = &self.0.store {
            store.lock().fail_next_for_tests(writes);
        }
    }

    /// Has everything on disk, where the log is kept on one. [`shut_down`](Self::shut_down) does it.
    /// What is published afterwards is kept as before, and takes another call to be on disk.
    pub fn close_store(&self) {
        self.0.close_kept();
        if let Some(store) = &self.0.store
            && let Err(error) = store.lock().close()
        {
            tracing::error!(%error, "the log could not be closed well");
        }
    }
}

fn new_epoch() -> Epoch {
    Epoch(getrandom::u64().expect("the operating system gives random numbers"))
}

impl Inner {
    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    fn round(&self, taker: &mut Taker) -> bool {
        let deliveries = self.rounds.take(taker);
        self.stats.deliveries.add(deliveries.unwrap_or_default());
        deliveries.is_some()
    }

    fn tick(&self, part: usize) {
        self.connections.signal_part(part, TICK_PARTS, Signals::TICK);
        if part == 0 {
            self.expire(self.clock.now());
        }
    }

    /// Forgets what is too old, in memory and then on disk.
    fn expire(&self, now: UnixMillis) {
        let mut sweep = Sweep::default();
        // In pieces: who publishes or subscribes does not wait for all of it.
        while self.log.write().expire_some(now, &mut sweep) {}
        if let Some(store) = &self.store {
            // In this order, so that what is forgotten later is also written later.
            let mut store = store.lock();
            let (dropped, floor) = self.log.write().take_dropped();
            if let Err(error) = store.forget(&dropped, floor) {
                tracing::error!(%error, "the log on disk could not be shortened");
            }
        }
        self.expire_revocations(now);
        self.resumes.lock().expire(now);
        self.sessions.lock().expire(now);
        self.replays.lock().expire(now, &self.limits);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Who takes rounds, or dozes, looks whether there is a hub.
        self.rounds.planned.notify_waiters();
        self.doze.end();
    }
}

#[cfg(test)]
mod tests;
