//! One connection's place in the hub: what it is registered for, and how it is woken.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::Waker;

use forebay_cable::{
    Attachment, Envelope, Hello, Kept, Positions, Protocol, ReaderId, Session, SessionId, Start,
    SubscriptionId,
};
use forebay_log::{Gap, Log, Message, Offset, Position, StreamId, UnixMillis};
use smallvec::SmallVec;

use crate::hub::{Hub, Inner};
use crate::notices::Refusal;
use crate::presence::Ending;
use crate::read::{self, Batch};
use crate::replays::AddressKey;
use crate::resumes::PageKey;
use crate::round::{Round, Seat};
use crate::sessions::written;
use crate::subscribers::Registration;
use crate::wake::{Signals, Wake};

/// Entries that are looked at one by one: as many as history keeps of a stream by default, so that a tag that
/// leaves in the middle of a replay gets the rest. At about a microsecond each.
const LOOKED_AT_MAX: usize = 1_000;

/// Why nobody is let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// The hub is shutting down.
    ShuttingDown,
    /// It has heard nothing of its log's store for so long that its pages are better served elsewhere.
    Behind,
}

/// A connection's handle to the hub. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Client {
    hub: Hub,
    wake: Arc<Wake>,
    seat: Weak<dyn Seat>,
    place: u32,
    address: AddressKey,
    id: SessionId,
    identity: Option<Arc<str>>,
    registrations: SmallVec<[Registration; 1]>,
    /// The pages whose subscriptions this connection has.
    pages: SmallVec<[(SubscriptionId, PageKey); 1]>,
}

impl Client {
    pub(crate) fn new(hub: Hub) -> Result<Self, Refused> {
        let wake = Arc::new(Wake::default());
        let seat = Arc::downgrade(&wake);
        // Whoever knows it gets what is kept of the session: there is no guessable one instead.
        let id = getrandom::u64().expect("the operating system gives random numbers");
        let id = SessionId(id);
        let place = hub.0.connections.add(&wake).ok_or(Refused::ShuttingDown)?;
        let place = u32::try_from(place).expect("fewer than 2^32 connections fit in memory");
        hub.0.stats.connections.add(1);
        let (registrations, pages) = (SmallVec::new(), SmallVec::new());
        let (address, identity) = (AddressKey::NONE, None);
        Ok(Self { hub, wake, seat, place, address, id, identity, registrations, pages })
    }

    /// The hub that it belongs to.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// How a session of this connection begins. Its name is random and so not to be guessed.
    pub fn hello(&self, protocol: Protocol) -> Hello {
        Hello { id: self.id, protocol, epoch: self.hub.position().epoch }
    }

    /// Names the visitor at the other end, so that they can be disconnected by name.
    pub fn identify(&mut self, identity: &Arc<str>) {
        self.hub.0.connections.identify(self.place as usize, identity);
        self.identity = Some(Arc::clone(identity));
    }

    /// Says from which address it comes, if that is known. How much is replayed to all connections of an
    /// address has a bound.
    pub fn is_at(&mut self, ip: IpAddr) {
        let mut replays = self.hub.0.replays.lock();
        replays.leave(self.place, self.address);
        self.address = replays.enter(ip);
    }

    /// The name of the visitor at the other end, if there is one.
    pub fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }

    /// Keeps what the client's next session has to know.
    pub fn keep_session(&self, kept: Kept) {
        let (inner, now) = (&*self.hub.0, self.hub.now());
        if inner.shares {
            let written = written(self.identity.as_ref(), Some(now), &kept);
            inner.session_left(self.id.to_string(), Some(written));
        }
        inner.sessions.lock().keep(now, (self.id, self.identity.clone()), kept);
    }

    /// A page has proven more. Where the log is kept on disk, that is noted, and nowhere else.
    pub fn note_proof(&self, session: &Session) {
        let inner = &*self.hub.0;
        if !inner.keeps || self.pages.is_empty() {
            return;
        }
        let mut resumes = inner.resumes.lock();
        for (id, acknowledged) in session.acknowledged() {
            if let Some((_, key)) = self.pages.iter().find(|(other, _)| *other == id) {
                resumes.prove(inner.now(), *key, acknowledged);
            }
        }
    }

    /// A session has other subscriptions. Where the log is kept on disk, they are noted, so that its
    /// client's next session can go on for it after a restart.
    pub fn note_session(&self, session: &Session) {
        let inner = &*self.hub.0;
        if inner.keeps && session.positions() == Positions::ByStream {
            let kept = session.kept();
            inner.sessions.lock().note((self.id, self.identity.clone()), kept.as_ref());
        }
    }

    /// Takes what was kept of the session that a client of this name comes back for. Only whoever
    /// it was then gets it, and only once.
    pub fn take_session(&self, sid: &str) -> Option<Kept> {
        let inner = &*self.hub.0;
        let kept = inner.sessions.lock().take(self.hub.now(), sid, self.identity.as_ref())?;
        inner.session_left(sid.to_owned(), None);
        Some(kept)
    }

    /// Whether this connection reads something that was taken back since it began to.
    pub fn is_revoked(&self, session: &Session) -> bool {
        let log = self.hub.0.log.read();
        let revocations = self.hub.0.revocations.read();
        session.streams().any(|(stream, attached)| {
            let stream = log.name(stream);
            // What is no longer remembered has ended those whom it concerned when it was made.
            revocations.concerns(self.identity.as_deref(), stream, Some(attached))
        })
    }

    /// Where a page stands that is known to have everything up to `offset`, whatever its cursor
    /// says: in this hub's own epoch, because that is where it was proven.
    pub fn position_at(&self, offset: Offset) -> Position {
        Position { offset, ..self.hub.position() }
    }

    /// Opens a stream for this connection and finds out where to begin.
    ///
    /// The order makes attaching atomic: first it is registered, so that whatever is appended
    /// from here on wakes it; then, and only then, it looks at what there is. `cursor` is
    /// `None` for "from now on".
    pub fn attach(&mut self, stream: &str, cursor: Option<Position>) -> Attachment {
        let inner = &*self.hub.0;
        let id = inner.log.write().open(stream);
        let seat = Weak::clone(&self.seat);
        self.registrations.push(inner.subscribers.add(id, seat, self.is_muted()));
        let log = inner.log.read();
        let start = cursor.map_or(Start::Live, |cursor| inner.start(&log, stream, cursor));
        if let Some(cursor) = cursor
            && inner.timings.get().is_some()
        {
            inner.time_replay(&log, stream, cursor);
        }
        let (name, head) = (Arc::clone(log.name(id)), log.head().offset);
        Attachment { stream: id, name, start, head, seen: None, is_presence: false }
    }

    /// Where a client that has everything up to `position` goes on with a stream.
    pub fn start(&self, stream: &str, position: Position) -> Start {
        let inner = &*self.hub.0;
        inner.start(&inner.log.read(), stream, position)
    }

    /// Whether a page's first paint says that whoever rendered it did not know who is there. Nothing that it was
    /// given since makes up for that.
    pub fn is_of_the_unknowing(&self, stream: &str, rendered: Position) -> bool {
        self.hub.0.is_of_the_unknowing(stream, rendered)
    }

    /// The position before everything of a stream that was broadcast at `at` or later.
    ///
    /// # Errors
    /// Where some of that is forgotten, or was before this log began: the position before everything
    /// that is left of the stream.
    pub fn since(&self, stream: &str, at: UnixMillis) -> Result<Position, Position> {
        let log = self.hub.0.log.read();
        let oldest = || Position { offset: log.forgotten(stream).offset, ..log.head() };
        log.since(stream, at).map_err(|_| oldest())
    }

    /// A tag is another visitor's than this connection's. True if the connection is to be ended, so that
    /// whoever comes back is identified anew. False if that was done for this tag before, or if the
    /// visitor was identified with this very request.
    pub fn reidentifies(&self, envelope: &Envelope) -> bool {
        let is_lasting = self.wake.is_lasting.load(Ordering::Relaxed);
        let is_first =
            is_lasting && self.hub.0.reidentified.lock().is_first(self.hub.now(), envelope);
        self.hub.0.stats.reidentified.add(is_first.into());
        is_first
    }

    /// The page of the subscription that waits for an answer lacks something: it is to be told when it is
    /// its turn, once for all of its tags.
    pub fn plan_healing(&self, session: &mut Session) {
        if !session.is_healing() {
            self.take_turn(session);
        }
    }

    /// The session's socket took nothing until history had moved past this reader.
    pub fn resync(&self, session: &mut Session, reader: ReaderId, head: Offset) {
        if session.resync_presence(reader, head) {
            return;
        }
        self.hub.0.stats.resyncs_behind.add(1);
        if !session.is_reader_healing(reader) {
            self.take_turn(session);
        }
        session.resync(reader, head);
    }

    fn take_turn(&self, session: &mut Session) {
        let now = self.hub.now();
        session.plan_healing(now, self.hub.0.heals.turn(now));
        if session.is_healing_planned() {
            self.hub.0.stats.heals_delayed.add(1);
        }
    }

    /// Whether all entries of a stream after one offset and up to another are there, few enough to be
    /// looked at, and pass the test.
    pub fn all_between(
        &self,
        stream: &str,
        after: Offset,
        through: Offset,
        test: impl Fn(&Message) -> bool,
    ) -> bool {
        let log = self.hub.0.log.read();
        let Ok(entries) = log.replay(stream, self.position_at(after)) else { return false };
        let mut entries = entries.take_while(|entry| entry.offset <= through);
        let looked_at: Vec<_> =
            entries.by_ref().take(LOOKED_AT_MAX).map(|entry| Arc::clone(&entry.message)).collect();
        let is_all = entries.next().is_none();
        // Whoever publishes does not wait for the test.
        drop(entries);
        drop(log);
        is_all && looked_at.iter().all(|message| test(message))
    }

    /// The name of a stream that this connection has open.
    pub fn stream_name(&self, stream: StreamId) -> Option<Arc<str>> {
        let open = self.registrations.iter().any(|other| other.stream == stream);
        open.then(|| Arc::clone(self.hub.0.log.read().name(stream)))
    }

    /// This connection has the subscription of a page with a cursor, named by its envelope.
    /// Gives the offset up to which that page is known to have everything, if it is.
    pub fn enter_page(&mut self, id: SubscriptionId, envelope: &Envelope) -> Option<Offset> {
        let mut resumes = self.hub.0.resumes.lock();
        let key = resumes.key(envelope);
        self.pages.push((id, key));
        let acknowledged = resumes.enter(self.hub.now(), key);
        self.hub.0.stats.resumes.add(u64::from(acknowledged.is_some()));
        acknowledged
    }

    /// Ends one [`enter_page`](Self::enter_page). `acknowledged` is what the page has proven to
    /// have, if the page is thought to live on.
    pub fn leave_page(&mut self, id: SubscriptionId, acknowledged: Option<Offset>) {
        if let Some(index) = self.pages.iter().position(|(other, _)| *other == id) {
            let (_, key) = self.pages.swap_remove(index);
            self.hub.0.resumes.lock().leave(self.hub.now(), key, acknowledged);
            if self.hub.0.shares {
                // In this order: where another log begins, clients are called before its epoch is seen.
                let epoch = self.hub.position().epoch;
                let proven = acknowledged.filter(|_| !self.wake.is_called());
                let proven = proven.map(|offset| Position { epoch, offset });
                self.hub.0.page_left(key, self.id, proven);
            }
        }
    }

    /// The open stream of this name, if this connection has it.
    pub fn stream(&self, name: &str) -> Option<StreamId> {
        let log = self.hub.0.log.read();
        let mut streams = self.registrations.iter().map(|registration| registration.stream);
        streams.find(|stream| &**log.name(*stream) == name)
    }

    /// Ends one [`attach`](Self::attach).
    pub fn detach(&mut self, stream: StreamId) {
        let index = self.registrations.iter().position(|other| other.stream == stream);
        if let Some(index) = index {
            let registration = self.registrations.swap_remove(index);
            self.release(registration);
        }
    }

    /// Everything that the session has not been given yet, in the order of the log, as much as
    /// one [`Batch`] takes.
    ///
    /// False, and nothing is read, where the connection has been signalled to end, or that access was
    /// taken back, since it last took its signals: it has to see to that first.
    #[must_use]
    pub fn read(&self, session: &Session, batch: &mut Batch) -> bool {
        read::read(&self.hub.0.log.read(), session, || self.may_replay(), batch);
        // Looked at behind the log: what was published after the signal is not given any more.
        let is_called = self.wake.is_called();
        if is_called {
            batch.clear();
        }
        !is_called
    }

    /// The same in a round, which may have read it for another session already.
    #[must_use]
    pub fn read_in(&self, round: &mut Round, session: &Session) -> bool {
        round.read(&self.hub.0.log, session, || self.may_replay());
        let is_called = self.wake.is_called();
        if is_called {
            round.clear();
        }
        !is_called
    }

    fn may_replay(&self) -> bool {
        let inner = &*self.hub.0;
        inner.replays.lock().allow(self.hub.now(), self.place, self.address, &inner.limits)
    }

    /// So many bytes have gone out that are older than their subscription.
    pub fn note_replay(&self, bytes: usize) {
        let inner = &*self.hub.0;
        let (now, bytes) = (self.hub.now(), bytes as u64);
        inner.replays.lock().owe(now, self.place, self.address, bytes, &inner.limits);
    }

    /// A replay has to wait: a tick goes on with it. That is counted and logged once in a while.
    pub fn note_delay(&self) {
        let inner = &*self.hub.0;
        let mut replays = inner.replays.lock();
        let (is_new, address) = (replays.note_wait(self.place), replays.ip(self.address));
        drop(replays);
        if is_new && let Some(more) = self.hub.refused(Refusal::Replay) {
            tracing::warn!(
                address = address.map(tracing::field::display),
                session = %self.id,
                identity = self.identity(),
                more_before = Some(more).filter(|more| *more > 0),
                "a client is replayed too much: the rest waits"
            );
        }
    }

    /// How often this connection reads a stream.
    pub fn readers_of(&self, stream: StreamId) -> usize {
        self.registrations.iter().filter(|registration| registration.stream == stream).count()
    }

    /// The shared part of an envelope, kept once for all who have the same of a stream.
    pub fn share_envelope(&self, stream: StreamId, envelope: &Envelope) -> Option<Arc<[u8]>> {
        self.hub.0.subscribers.share(stream, envelope.shared())
    }

    /// Rounds may write for this connection, whatever it attaches from now on.
    pub fn sit(&mut self, seat: Weak<dyn Seat>) {
        if let Some(inspection) = self.hub.inspection() {
            inspection.sits(&self.id.to_string(), Weak::clone(&seat));
        }
        self.seat = seat;
        self.wake.is_lasting.store(true, Ordering::Relaxed);
    }

    pub(crate) fn wake_ref(&self) -> &Wake {
        &self.wake
    }

    pub(crate) fn session_id(&self) -> SessionId {
        self.id
    }

    /// What signals its task.
    pub fn wake(&self) -> Arc<Wake> {
        Arc::clone(&self.wake)
    }

    /// Whether something panicked in the middle of its work, and it was not told yet.
    pub fn has_failed(&self) -> bool {
        self.wake.has_failed()
    }

    /// Registers the task to wake, then takes the signals that have come.
    pub fn poll_signals(&self, waker: &Waker) -> Signals {
        self.wake.register(waker);
        self.wake.take()
    }

    /// Mutes the connection: its socket takes nothing, so it is not told of entries any more. Publishing then
    /// costs next to nothing for it, however many are as slow. The log keeps the entries.
    pub fn mute_entries(&self) {
        self.set_muted(true);
    }

    /// Whether it is muted.
    pub fn is_muted(&self) -> bool {
        self.wake.is_muted.load(Ordering::Relaxed)
    }

    /// Ends the muting: its socket takes something again. True if it may not have been told of entries, and
    /// has to look at the log.
    #[must_use]
    pub fn unmute_entries(&self) -> bool {
        self.set_muted(false)
    }

    /// Mutes it, or ends that. Gives whether it was muted before.
    fn set_muted(&self, is_muted: bool) -> bool {
        let was_muted = self.is_muted();
        if was_muted != is_muted {
            self.wake.is_muted.store(is_muted, Ordering::Relaxed);
            for registration in &self.registrations {
                self.hub.0.subscribers.mute(*registration, is_muted);
            }
        }
        was_muted
    }

    fn release(&self, registration: Registration) {
        // In the reverse order of `attach`: the stream must outlive its registration.
        self.hub.0.subscribers.remove(registration);
        self.hub.0.log.write().close(registration.stream);
    }
}

impl Inner {
    fn start(&self, log: &Log, stream: &str, position: Position) -> Start {
        let unknown = self.is_of_the_unknowing(stream, position);
        if unknown && !self.presence.is_whole.load(Ordering::Relaxed) {
            // It is told when this node knows it: now it would only be rendered by one that does not.
            return Start::After(log.head().offset);
        }
        match log.servable(stream, position) {
            Ok(()) if !unknown => return Start::After(position.offset),
            Err(Gap::OtherEpoch) => self.stats.resyncs_other_epoch.add(1),
            Err(Gap::Future(_)) => self.stats.resyncs_future.add(1),
            Ok(()) | Err(_) => self.stats.resyncs_forgotten.add(1),
        }
        Start::Lost
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.note_gone();
        self.end_presence(Ending::Lost);
        for registration in std::mem::take(&mut self.registrations) {
            self.release(registration);
        }
        while let Some((id, _)) = self.pages.last() {
            let id = *id;
            self.leave_page(id, None);
        }
        if self.hub.0.keeps {
            self.hub.0.sessions.lock().end(self.id);
        }
        self.hub.0.replays.lock().leave(self.place, self.address);
        self.hub.0.connections.remove(self.place as usize, self.identity.as_ref());
    }
}
