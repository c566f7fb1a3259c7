//! One connection's place in the hub: what it is registered for, and how it is woken.

use std::sync::Arc;
use std::task::Waker;

use forebay_cable::{Attachment, Session, SessionId, Start, SubscriptionId};
use forebay_log::{Gap, Offset, Position, StreamId};
use smallvec::SmallVec;

use crate::hub::Hub;
use crate::read::{self, Batch};
use crate::resumes::PageKey;
use crate::subscribers::Registration;
use crate::wake::{Signals, Wake};

/// The hub is shutting down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused;

/// A connection's handle to the hub. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Client {
    hub: Hub,
    wake: Arc<Wake>,
    place: usize,
    id: SessionId,
    registrations: SmallVec<[Registration; 1]>,
    /// The pages whose subscriptions this connection has.
    pages: SmallVec<[(SubscriptionId, PageKey); 1]>,
}

impl Client {
    pub(crate) fn new(hub: Hub) -> Result<Self, Refused> {
        let wake = Arc::new(Wake::default());
        let place = hub.0.connections.add(&wake).ok_or(Refused)?;
        hub.0.stats.connections.add(1);
        let id = SessionId(getrandom::u64().unwrap_or(place as u64));
        Ok(Self { hub, wake, place, id, registrations: SmallVec::new(), pages: SmallVec::new() })
    }

    /// The hub.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// A name for the session on the wire, random and so not to be guessed.
    pub fn session_id(&self) -> SessionId {
        self.id
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
        self.registrations.push(inner.subscribers.add(id, &self.wake));
        let log = inner.log.read();
        let head = log.head().offset;
        let start = match cursor.map(|cursor| (cursor.offset, log.servable(stream, cursor))) {
            None => Start::Live,
            Some((offset, Ok(()))) => Start::After(offset),
            Some((_, Err(gap))) => {
                match gap {
                    Gap::OtherEpoch => inner.stats.resyncs_other_epoch.add(1),
                    Gap::Future(_) => inner.stats.resyncs_future.add(1),
                    _ => inner.stats.resyncs_forgotten.add(1),
                }
                Start::Lost
            }
        };
        Attachment { stream: id, start, head }
    }

    /// This connection has the subscription of a page with a cursor, named by its envelope.
    /// Gives the offset up to which that page is known to have everything, if it is.
    pub fn enter_page(&mut self, id: SubscriptionId, envelope: &[u8]) -> Option<Offset> {
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
    pub fn read(&self, session: &Session, batch: &mut Batch) {
        read::read(&self.hub.0.log.read(), session, batch);
    }

    /// Registers the task to wake, then takes the signals that have come.
    pub fn poll_signals(&self, waker: &Waker) -> Signals {
        self.wake.register(waker);
        self.wake.take()
    }

    /// The socket takes nothing: until signals are taken again, news of entries wakes nobody
    /// here and costs its publishers one atomic. The log keeps the entries.
    pub fn mute_entries(&self) {
        self.wake.mute(Signals::ENTRIES);
    }

    fn release(&self, registration: Registration) {
        // The other way round than in `attach`: the stream must outlive its registration.
        self.hub.0.subscribers.remove(registration);
        self.hub.0.log.write().close(registration.stream);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        for registration in std::mem::take(&mut self.registrations) {
            self.release(registration);
        }
        while let Some((id, _)) = self.pages.last() {
            let id = *id;
            self.leave_page(id, None);
        }
        self.hub.0.connections.remove(self.place);
    }
}
