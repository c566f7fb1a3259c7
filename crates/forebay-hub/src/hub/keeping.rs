//! Handing over what pages have proven and what sessions have come to, where a store keeps that: at most
//! half a second late, and in pieces.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use forebay_store::Handover;

use super::tasks::claim;
use super::{Hub, Shared};
use crate::resumes::Due;

/// What a process that is killed forgets of its pages, at the most, together with the time of one
/// write.
const PAUSE: Duration = Duration::from_millis(500);

/// Nobody can guess them.
pub(super) fn random_keys() -> [u64; 2] {
    std::array::from_fn(|_| getrandom::u64().expect("the operating system gives random numbers"))
}

impl Hub {
    /// Starts the task that hands over, in the runtime that connections come from.
    pub(super) fn ensure_keeping(&self) {
        if !self.0.keeps && !self.0.shares {
            return;
        }
        if let Some(runtime) = claim(&self.0.is_keeping) {
            let hub = || Arc::downgrade(&self.0);
            runtime.spawn(keep(hub(), self.0.due.clone(), Running(hub())));
        }
    }

    /// Hands over what has changed of pages and sessions; simulations call it, all others have a task that
    /// does.
    pub async fn keep(&self) {
        if self.0.keeps {
            self.hand_over_pages().await;
            self.hand_over_sessions().await;
        } else if self.0.shares {
            self.hand_over_departures().await;
        }
    }

    async fn hand_over_pages(&self) {
        let inner = &*self.0;
        let Some(store) = &inner.store else { return };
        loop {
            let (pages, is_more) = inner.resumes.lock().take_notes();
            let count = pages.len();
            let handover = Handover { at: inner.clock.now(), pages, ..Handover::default() };
            if let Err(error) = store.hand_over(handover).await {
                inner.stats.proofs_dropped.add(count as u64);
                tracing::error!(%error, "what pages have proven is not on disk");
            }
            if !is_more {
                return;
            }
        }
    }

    async fn hand_over_sessions(&self) {
        let inner = &*self.0;
        let Some(store) = &inner.store else { return };
        loop {
            let sessions = inner.sessions.lock().take_changed();
            if sessions.is_empty() {
                return;
            }
            let at = inner.clock.now();
            let handover = Handover { at, sessions: sessions.clone(), ..Handover::default() };
            if let Err(error) = store.hand_over(handover).await {
                tracing::warn!(%error, "sessions are not on disk yet");
                inner.sessions.lock().put_back(sessions);
                return;
            }
        }
    }
}

/// Lets another runtime take over when this one ends.
struct Running(Weak<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.is_keeping.store(false, Ordering::Relaxed);
        }
    }
}

async fn keep(hub: Weak<Shared>, due: Due, _running: Running) {
    loop {
        due.soon.notified().await;
        // Whether it was called or the time is over, it writes.
        let _ = tokio::time::timeout(PAUSE, due.at_once.notified()).await;
        let Some(shared) = hub.upgrade() else { return };
        Hub(shared).keep().await;
    }
}
