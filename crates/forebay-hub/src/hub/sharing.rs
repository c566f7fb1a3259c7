//! Handing over those who leave, where several nodes have one log: a page comes back to another node, and goes on
//! there where it was.
//!
//! The store knows which session has a page. So a page that two sessions have at the same time is noticed
//! whichever nodes they are at, and what either has proven is not believed, as on one node.

use std::time::Duration;

use forebay_cable::{Envelope, SessionId};
use forebay_log::Position;
use forebay_store::{Arrival, Handover, LeftPage, StoreError};

use super::{Hub, Inner};
use crate::resumes::PageKey;

/// How long a page waits for what the store knows of it. Without that it is replayed from its cursor.
const ARRIVAL_MAX: Duration = Duration::from_secs(1);

/// Pages and sessions that wait to be handed over, each: two seconds of a node whose clients all leave. Past it
/// they are not, and counted: pages are replayed from their cursors, and clients subscribe anew.
const DEPARTURES_MAX: usize = 20_000;

/// Of one request to the store.
const HANDOVER_MAX: usize = 1_000;

/// Who has left, and is not handed over yet.
#[derive(Debug, Default)]
pub(super) struct Departures {
    pages: Vec<LeftPage>,
    sessions: Vec<(String, Option<Vec<u8>>)>,
}

/// A page that comes to this node. The store is to be asked for what is known of it.
#[derive(Debug)]
pub struct Incoming {
    hub: Hub,
    key: PageKey,
    session: SessionId,
}

impl Hub {
    /// A session is about to have the page of this envelope. `None` where nobody has to be asked.
    pub fn incoming(&self, envelope: &Envelope, session: SessionId) -> Option<Incoming> {
        self.0.shares.then(|| {
            let key = self.0.resumes.lock().key(envelope);
            Incoming { hub: self.clone(), key, session }
        })
    }

    /// Fetches what another node has kept of a session whose client comes back here. `None` where nobody has
    /// to be asked.
    pub fn fetch_session(&self, sid: &str) -> Option<impl Future<Output = ()> + Send + use<>> {
        let is_elsewhere = self.0.shares && !self.0.sessions.lock().has(sid);
        let (hub, sid) = is_elsewhere.then(|| (self.clone(), sid.to_owned()))?;
        Some(async move {
            let Some(store) = &hub.0.store else { return };
            if let Some(Some(written)) = in_time(store.take_session(&sid)).await {
                hub.0.sessions.lock().import(hub.now(), sid, &written);
            }
        })
    }

    pub(super) async fn hand_over_departures(&self) {
        let inner = &*self.0;
        let Some(store) = &inner.store else { return };
        loop {
            let handover = {
                let mut departures = inner.departures.lock();
                let pages = departures.pages.len().min(HANDOVER_MAX);
                let sessions = departures.sessions.len().min(HANDOVER_MAX);
                Handover {
                    at: inner.clock.now(),
                    left: departures.pages.drain(..pages).collect(),
                    sessions: departures.sessions.drain(..sessions).collect(),
                    ..Handover::default()
                }
            };
            let count = handover.left.len() + handover.sessions.len();
            if count == 0 {
                return;
            }
            if let Err(error) = store.hand_over(handover).await {
                inner.stats.proofs_dropped.add(count as u64);
                tracing::warn!(%error, count, "who has left is not handed over");
            }
        }
    }
}

impl Incoming {
    /// Asks, and notes what is known. A store that does not answer in time knows nothing.
    pub async fn noted(self) {
        let Self { hub, key, session } = self;
        let Some(store) = &hub.0.store else { return };
        let arrival = in_time(store.enter_page(key.0, session.0)).await.unwrap_or_default();
        if let Some((proven, _)) = arrival.proven
            && let Some(caught_up) = hub.catches_up_with(proven)
        {
            caught_up.await;
        }
        // Offsets of another epoch come again, for other entries. And where this node did not come so far, its page
        // is replayed from its cursor.
        let here = hub.position();
        let is_known =
            |proven: Position| proven.epoch == here.epoch && proven.offset <= here.offset;
        let proven = arrival.proven.filter(|(proven, _)| is_known(*proven));
        hub.0.resumes.lock().arrive(hub.now(), key, Arrival { proven, ..arrival });
    }
}

/// What the store says, if it says it in time.
async fn in_time<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
    match tokio::time::timeout(ARRIVAL_MAX, asked).await {
        Ok(Ok(known)) => Some(known),
        Ok(Err(error)) => {
            tracing::warn!(%error, "what is known of a client can't be asked for");
            None
        }
        Err(_) => {
            tracing::warn!("what is known of a client is not told in time");
            None
        }
    }
}

impl Inner {
    /// A session has left a page.
    pub(crate) fn page_left(&self, page: PageKey, session: SessionId, proven: Option<Position>) {
        let left = LeftPage { page: page.0, session: session.0, proven };
        self.depart(|departures| &mut departures.pages, left);
    }

    /// A session is kept, or has been taken again.
    pub(crate) fn session_left(&self, sid: String, written: Option<Vec<u8>>) {
        self.depart(|departures| &mut departures.sessions, (sid, written));
    }

    fn depart<T>(&self, of: impl FnOnce(&mut Departures) -> &mut Vec<T>, left: T) {
        if !self.shares {
            return;
        }
        let mut departures = self.departures.lock();
        let waiting = of(&mut departures);
        if waiting.len() < DEPARTURES_MAX {
            waiting.push(left);
        } else {
            self.stats.proofs_dropped.add(1);
        }
        drop(departures);
        self.due.now();
    }
}
