//! Writing down what pages have proven and what sessions have come to, where the log is kept on disk:
//! at most half a second late, in pieces, and never on a thread that connections need.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use forebay_store::{Pages, StoreError};
use parking_lot::Mutex;

use super::tasks::claim;
use super::{Hub, Inner};
use crate::resumes::{Due, Resumes};
use crate::sessions::Sessions;

/// What a process that is killed forgets of its pages, at the most, together with the time of one
/// write.
const PAUSE: Duration = Duration::from_millis(500);

/// What is kept beside the log.
#[derive(Debug)]
pub(crate) struct Keeping {
    pages: Mutex<Pages>,
    due: Due,
}

impl Keeping {
    /// Goes on with what is in the folder.
    pub(super) fn open(
        folder: &Path,
        hub: &mut Inner,
        sessions: Vec<(String, Vec<u8>)>,
    ) -> Result<(), StoreError> {
        let now = hub.clock.now();
        let (pages, known) = Pages::open(folder, hub.epoch, random_keys())?;
        let resumes = Resumes::restored(now, pages.keys(), known);
        let due = resumes.due().unwrap_or_default();
        hub.sessions = Mutex::new(Sessions::restored(now, sessions, due.clone()));
        hub.resumes = Mutex::new(resumes);
        hub.keeping = Some(Self { pages: Mutex::new(pages), due });
        Ok(())
    }
}

/// Nobody can guess them.
pub(super) fn random_keys() -> [u64; 2] {
    std::array::from_fn(|_| getrandom::u64().expect("the operating system gives random numbers"))
}

impl Hub {
    /// Starts the task that writes, in the runtime that connections come from.
    pub(super) fn ensure_keeping(&self) {
        let Some(keeping) = &self.0.keeping else { return };
        if let Some(runtime) = claim(&self.0.is_keeping) {
            let hub = || Arc::downgrade(&self.0);
            runtime.spawn(keep(hub(), keeping.due.clone(), Running(hub())));
        }
    }
}

/// Lets another runtime take over when this one ends.
struct Running(Weak<Inner>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade() {
            inner.is_keeping.store(false, Ordering::Relaxed);
        }
    }
}

async fn keep(hub: Weak<Inner>, due: Due, _running: Running) {
    loop {
        due.soon.notified().await;
        // Whether it was called or the time is over, it writes.
        let _ = tokio::time::timeout(PAUSE, due.at_once.notified()).await;
        let Some(inner) = hub.upgrade() else { return };
        // A panic in there has been reported; what was not written is written with what changes next.
        let _ = tokio::task::spawn_blocking(move || inner.write_kept()).await;
    }
}

impl Inner {
    /// Writes what has changed of pages and sessions.
    pub(super) fn write_kept(&self) {
        let Some(keeping) = &self.keeping else { return };
        self.write_pages(&mut keeping.pages.lock());
        self.write_sessions();
    }

    fn write_pages(&self, pages: &mut Pages) {
        loop {
            let (changed, is_more) = self.resumes.lock().take_notes();
            if let Err(error) = pages.write(&changed, self.clock.now()) {
                self.stats.proofs_dropped.add(changed.len() as u64);
                tracing::error!(%error, "what pages have proven is not on disk");
            }
            if !is_more {
                return;
            }
        }
    }

    fn write_sessions(&self) {
        let Some(store) = &self.store else { return };
        loop {
            let changed = self.sessions.lock().take_changed();
            if changed.is_empty() {
                return;
            }
            if let Err(error) = store.lock().keep_sessions(&changed) {
                tracing::warn!(%error, "sessions are not on disk yet");
                self.sessions.lock().put_back(changed);
                return;
            }
        }
    }

    /// Has it all on disk: what comes later is written, too, but takes another call.
    pub(super) fn close_kept(&self) {
        self.write_kept();
        if let Some(keeping) = &self.keeping
            && let Err(error) = keeping.pages.lock().close()
        {
            tracing::error!(%error, "what pages have proven could not be closed well");
        }
    }
}
