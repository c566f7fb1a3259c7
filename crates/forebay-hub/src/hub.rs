//! The replica of a log, and everybody who reads it: how it begins and ends, the head, and what a tick
//! does.

mod access;
mod inquiring;
mod keeping;
mod presence;
mod publishing;
mod replica;
mod sharing;
mod silence;
mod tasks;
mod timing;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use forebay_cable::Limits;
use forebay_log::{
    Class, Entry, Epoch, Gap, Log, Message, Offset, Position, Retention, Seen, Sweep, UnixMillis,
};
use forebay_presence::Node;
use forebay_store::{AppendError, Folder, Fsync, Handovers, LogStore, Replica, StoreError, Taken};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

pub use self::inquiring::Answers;
use self::inquiring::Kept;
use self::publishing::Gaps;
use self::sharing::Departures;
pub use self::sharing::Incoming;
use crate::census::Census;
use crate::client::{Client, Refused};
use crate::clock::Clock;
use crate::connections::Connections;
use crate::doze::Doze;
use crate::heals::Heals;
use crate::inspection::{Inquiries, InspectOptions, Inspection};
use crate::notices::{Notices, Refusal};
use crate::presence::{Presence, PresenceOptions};
use crate::reidentified::Reidentified;
use crate::replays::Replays;
use crate::resumes::{Due, Resumes};
use crate::revocations::Revocations;
use crate::rounds::{Rounds, Taker};
use crate::sessions::Sessions;
use crate::stats::Stats;
use crate::subscribers::Subscribers;
use crate::timings::Timings;
use crate::traces::Traces;
use crate::wake::Signals;

/// Into how many parts the connections are cut, so that not all are ticked at once.
const TICK_PARTS: usize = 30;

/// How often a connection is ticked within a ping interval. With Rails' three seconds: every
/// 50 ms a thirtieth of the connections, and a ping is at most one and a half seconds late.
const TICKS_PER_INTERVAL: u64 = 2;

/// How long one that was told to leave is waited for. Its last Pongs and its close frame take as long as a
/// message to it and back; whoever starts the next process wants it soon.
const LEAVE_MAX: Duration = Duration::from_secs(1);

/// How often a hub that begins to follow its store asks where that stands.
const FOLLOW_LOOKS: Duration = Duration::from_secs(1);

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
    /// Who is present, and for how long.
    pub presence: PresenceOptions,
    /// Records what happens to broadcasts and pages, for whoever asks why one does not show the other.
    /// Without it nothing is recorded.
    pub inspect: Option<InspectOptions>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            retention: Retention::default(),
            limits: Limits::default(),
            revocation_lifetime: None,
            discards_damaged: false,
            heals_per_second: 200,
            presence: PresenceOptions::default(),
            inspect: None,
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
    presence: PresenceOptions,
    inspect: Option<InspectOptions>,
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

/// A broadcast was not taken: it has no place in the log, and nobody gets it. Where the store was lost in the
/// middle it [may have](Self::is_outcome_known) one all the same.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct PublishError(#[from] AppendError);

impl PublishError {
    /// Whether it is certain that nobody gets it.
    pub fn is_outcome_known(&self) -> bool {
        matches!(self.0, AppendError::Refused(_))
    }

    /// Whether it is because the disk, or the log's server, is full.
    pub fn is_full(&self) -> bool {
        matches!(&self.0, AppendError::Refused(error) if error.is_full())
    }
}

/// A replica of one ordered log, and everybody who reads it here. Clones are handles to the same hub.
#[derive(Clone, Debug)]
pub struct Hub(pub(crate) Arc<Shared>);

/// What all handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Where the log is ordered and kept; without one it is ordered here, and kept in memory. It ends with
    /// the last handle, whoever else has the replica just then; and before the replica does, for which it
    /// may still have something.
    store: Option<Arc<dyn LogStore>>,
    /// The same, if it is a folder.
    folder: Option<Arc<Folder>>,
    kept_answers: Kept,
    inner: Arc<Inner>,
}

impl std::ops::Deref for Shared {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) log: RwLock<Log>,
    /// Why the last broadcast was not taken, if it was not.
    trouble: Mutex<Option<String>>,
    /// The log's. It changes before the head of another log can be seen.
    epoch: AtomicU64,
    /// The log's head, readable without its lock: this is what rendering a page costs.
    head: AtomicU64,
    /// Called when the head moves, for [`awaiting`](Self::awaiting) who wait.
    advanced: Notify,
    awaiting: AtomicUsize,
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
    /// Places of those that are no longer remembered, for a store that keeps them.
    revocations_left: Mutex<Vec<Offset>>,
    /// Streams that lack something which could not be told yet.
    gaps: Mutex<Gaps>,
    pub(crate) presence: Presence,
    pub(crate) inspection: Option<Arc<Inspection>>,
    inquiries: Inquiries,
    /// Names of what was published once, where no store remembers them.
    taken: Mutex<Taken>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) stats: Stats,
    pub(crate) census: Census,
    /// Nothing is measured where nobody has asked.
    pub(crate) timings: OnceLock<Box<Timings>>,
    traces: Traces,
    notices: Notices,
    retention: Retention,
    /// The log has a store.
    is_stored: bool,
    /// What pages have proven, and sessions, is kept in the store for the next process.
    pub(crate) keeps: bool,
    /// The same of those who have left, for other nodes.
    pub(crate) shares: bool,
    departures: Mutex<Departures>,
    /// The log says that pages are sent elsewhere.
    sends_away: AtomicBool,
    due: Due,
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
    /// A hub with an empty log in memory, and an epoch of its own.
    ///
    /// # Panics
    /// If the operating system has no randomness to give.
    pub fn new(options: Options) -> Self {
        Self::with(options, new_epoch(), Clock::start(), None)
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

    /// A hub that is a replica of this store's log, once it has come as far as the store was when it was
    /// asked.
    ///
    /// # Errors
    /// [`StoreError`] says why the store can't be followed.
    ///
    /// # Panics
    /// If the operating system has no randomness to give.
    pub async fn follow(options: Options, store: Arc<dyn LogStore>) -> Result<Self, StoreError> {
        let hub = Self::with(options, new_epoch(), Clock::start(), Some(Arc::clone(&store)));
        hub.begin_to_follow()?;
        hub.ensure_attended();
        loop {
            let head = store.head().await?;
            let is_there = hub.0.until(|at| at.epoch == head.epoch && at.offset >= head.offset);
            // Meanwhile another epoch may have begun.
            if tokio::time::timeout(FOLLOW_LOOKS, is_there).await.is_ok() {
                hub.begin_to_answer();
                return Ok(hub);
            }
        }
    }

    fn begin_to_follow(&self) -> Result<(), StoreError> {
        let replica: Weak<Inner> = Arc::downgrade(&self.0.inner);
        self.0.store.as_ref().map_or(Ok(()), |store| store.tail(None, replica))
    }

    fn open_with(
        options: Options,
        folder: &Path,
        fsync: Fsync,
        fresh: Epoch,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        let keys = keeping::random_keys();
        let discards = options.discards_damaged;
        let folder = Arc::new(Folder::open(folder, fsync, fresh, keys, discards)?);
        let store: Arc<dyn LogStore> = Arc::clone(&folder) as _;
        let mut hub = Self::with(options, fresh, clock, Some(store));
        Arc::get_mut(&mut hub.0).expect("it is new").folder = Some(folder);
        hub.begin_to_follow()?;
        Ok(hub)
    }

    /// A hub in a simulated world: its clock is moved by hand, and so are its ticks
    /// ([`tick`](Self::tick)) and rounds ([`round`](Self::round)).
    pub fn simulated(options: Options, epoch: Epoch, now: Arc<AtomicU64>) -> Self {
        let hub = Self::with(options, epoch, Clock::Simulated(now), None);
        hub.drive_by_hand();
        hub
    }

    /// As [`simulated`](Self::simulated), following a store that is simulated, too: it has come as far
    /// as the store by the time that the world has moved on.
    ///
    /// # Errors
    /// [`StoreError`] says why the store can't be followed.
    pub fn simulated_with(
        options: Options,
        store: Arc<dyn LogStore>,
        now: Arc<AtomicU64>,
    ) -> Result<Self, StoreError> {
        let hub = Self::with(options, Epoch(0), Clock::Simulated(now), Some(store));
        hub.drive_by_hand();
        hub.begin_to_follow()?;
        Ok(hub)
    }

    fn drive_by_hand(&self) {
        self.0.is_ticking.store(true, Ordering::Relaxed);
        self.0.takes_rounds.store(true, Ordering::Relaxed);
        self.0.is_keeping.store(true, Ordering::Relaxed);
        self.0.presence.is_attended.store(true, Ordering::Relaxed);
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
    /// does. Where it is due, they [write](Self::keep) as well, and where the log has a store
    /// [attend to presence](Self::attend_presence).
    pub fn tick(&self, part: usize) {
        self.0.tick(part % TICK_PARTS);
    }

    fn with(
        options: Options,
        epoch: Epoch,
        clock: Clock,
        store: Option<Arc<dyn LogStore>>,
    ) -> Self {
        let mut log = Log::new(epoch, options.retention.clone());
        log.begins_at(clock.now());
        let mut revocations = Revocations::default();
        revocations.set_lifetime(options.revocation_lifetime);
        let position = log.head();
        let is_shared = store.as_ref().is_some_and(|store| store.is_shared());
        let handovers = store.as_ref().map(|store| store.handovers()).unwrap_or_default();
        let node = random();
        let name = options.inspect.as_ref().and_then(|inspect| inspect.node_name.clone());
        let is_asked = is_shared || options.inspect.is_some();
        let name = name.unwrap_or_else(|| if is_asked { node_name(node) } else { String::new() });
        let inquiries = Inquiries::new(Node(node), name.as_str().into());
        let inspection = options.inspect.map(|inspect| Inspection::new(inspect, name));
        let inner = Inner {
            log: RwLock::new(log),
            epoch: AtomicU64::new(position.epoch.0),
            head: AtomicU64::new(position.offset.0),
            advanced: Notify::new(),
            awaiting: AtomicUsize::new(0),
            subscribers: Subscribers::default(),
            trouble: Mutex::default(),
            rounds: Rounds::default(),
            by_hand: Mutex::default(),
            connections: Connections::default(),
            resumes: Mutex::new(Resumes::new(keeping::random_keys())),
            sessions: Mutex::default(),
            replays: Mutex::default(),
            heals: Heals::new(options.heals_per_second),
            reidentified: Mutex::default(),
            revocations: RwLock::new(revocations),
            revocations_left: Mutex::default(),
            gaps: Mutex::default(),
            presence: Presence::new(options.presence, Node(node), is_shared),
            inspection,
            inquiries,
            taken: Mutex::default(),
            limits: Arc::new(options.limits),
            stats: Stats::default(),
            census: Census::default(),
            timings: OnceLock::new(),
            traces: Traces::default(),
            notices: Notices::default(),
            retention: options.retention,
            is_stored: store.is_some(),
            shares: handovers == Handovers::Shared,
            departures: Mutex::default(),
            sends_away: AtomicBool::new(false),
            keeps: handovers == Handovers::Next,
            due: Due::default(),
            is_keeping: AtomicBool::new(false),
            is_ticking: AtomicBool::new(false),
            doze: Arc::default(),
            takes_rounds: AtomicBool::new(false),
            clock,
        };
        let (inner, kept_answers) = (Arc::new(inner), Kept::default());
        Self(Arc::new(Shared { store, folder: None, kept_answers, inner }))
    }

    /// Where the log stands: a page that is about to read its data takes this as its cursor.
    /// Two atomic loads.
    pub fn position(&self) -> Position {
        self.0.position()
    }

    /// Up to where a page lacks nothing of a database that was read from this replica of it. `None` where nobody
    /// can tell.
    pub fn reached(&self, seen: &Seen) -> Option<Position> {
        self.0.log.read().reached(seen)
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
    /// [`Refused`] while the hub is shutting down, or has lost its log's store.
    pub fn connect(&self) -> Result<Client, Refused> {
        if self.0.is_lost() {
            return Err(Refused::Behind);
        }
        self.ensure_ticking();
        self.ensure_rounds();
        self.ensure_keeping();
        if self.0.is_stored {
            self.ensure_attended();
        }
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
        // Whoever leaves from here on goes on elsewhere.
        self.0.presence.is_leaving.store(true, Ordering::Relaxed);
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
        self.0.presence.nodes.lock().end();
        self.close_store().await;
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
        if let Some(folder) = &self.0.folder {
            folder.fail_next_for_tests(writes);
        }
    }

    /// As long as this is held, the disk takes nothing and gives no answer.
    #[doc(hidden)]
    pub fn stall_for_tests(&self) -> Option<impl Drop + '_> {
        self.0.folder.as_ref().map(|folder| folder.stall_for_tests())
    }

    /// Has everything on disk, where the log is kept on one. [`shut_down`](Self::shut_down) does it.
    /// What is published afterwards is kept as before, and takes another call to be on disk.
    pub async fn close_store(&self) {
        self.tell_gaps().await;
        self.keep().await;
        self.attend_presence().await;
        self.say_farewell().await;
        if let Some(store) = &self.0.store
            && let Err(error) = store.close().await
        {
            tracing::error!(%error, "the log could not be closed well");
        }
    }
}

fn new_epoch() -> Epoch {
    Epoch(random())
}

/// Its host's name, and enough of its number to tell nodes of one host apart.
fn node_name(node: u64) -> String {
    let host = rustix::system::uname();
    format!("{}-{:06x}", host.nodename().to_string_lossy(), node >> 40)
}

fn random() -> u64 {
    getrandom::u64().expect("the operating system gives random numbers")
}

impl Shared {
    fn tick(&self, part: usize) {
        self.inner.tick(part);
        self.send_away(part);
        self.tick_presence();
        if part == 0
            && let Some(store) = &self.store
            && !store.tidy()
        {
            // Nobody wants to know it.
            drop(self.inner.take_left());
        }
    }
}

impl Inner {
    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// Where another log takes the place of this one, its head is not seen with this one's epoch: whoever
    /// sees this epoch first is told to begin anew.
    fn position(&self) -> Position {
        let epoch = Epoch(self.epoch.load(Ordering::Acquire));
        Position { epoch, offset: Offset(self.head.load(Ordering::Acquire)) }
    }

    fn round(&self, taker: &mut Taker) -> bool {
        if self.is_observed() {
            return self.observed_round(taker);
        }
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

    /// Forgets what is too old.
    fn expire(&self, now: UnixMillis) {
        let mut sweep = Sweep::default();
        // In pieces: who publishes or subscribes does not wait for all of it.
        while self.log.write().expire_some(now, &mut sweep) {}
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
        self.presence.called.notify_one();
        self.inquiries.called.notify_one();
        self.doze.end();
    }
}

#[cfg(test)]
mod tests;
