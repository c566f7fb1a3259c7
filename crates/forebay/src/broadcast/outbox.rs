//! Broadcasts that wait for a transaction.

use std::sync::Arc;

use forebay_turbo::StreamName;
use parking_lot::Mutex;

use super::publisher::{Prepared, Publisher};

/// What a transaction has broadcast so far, in order. Bounded by what the transaction does.
#[derive(Clone, Default)]
pub(crate) struct Outbox(Arc<Mutex<Contents>>);

/// The outbox of a transaction that is not over: dropped, what waits in it is gone.
#[derive(Debug, Default)]
pub(crate) struct OpenOutbox(Outbox);

#[derive(Default)]
struct Contents {
    waiting: Vec<Prepared>,
    fate: Fate,
}

/// What became of the transaction, for broadcasters that outlive it.
#[derive(Clone, Default)]
enum Fate {
    #[default]
    Open,
    /// It was committed: nothing has to wait any more.
    Committed,
    /// It was a savepoint, and what it did is the outer transaction's now.
    Outer(Outbox),
    /// It was rolled back: there is nothing to tell.
    RolledBack,
}

/// What is to be done with a broadcast.
pub(super) enum Verdict {
    Waits,
    GoesOut(Prepared),
    IsGone,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Outbox").field(&self.0.lock().waiting.len()).finish()
    }
}

impl std::ops::Deref for OpenOutbox {
    type Target = Outbox;

    fn deref(&self) -> &Outbox {
        &self.0
    }
}

impl Drop for OpenOutbox {
    fn drop(&mut self) {
        let mut contents = self.0.0.lock();
        if matches!(contents.fate, Fate::Open) {
            contents.waiting.clear();
            contents.fate = Fate::RolledBack;
        }
    }
}

impl Outbox {
    pub(super) fn put(&self, broadcast: Prepared) -> Verdict {
        let mut contents = self.0.lock();
        match contents.fate.clone() {
            Fate::Open => {
                contents.waiting.push(broadcast);
                Verdict::Waits
            }
            Fate::Committed => Verdict::GoesOut(broadcast),
            Fate::Outer(outer) => {
                drop(contents);
                outer.put(broadcast)
            }
            Fate::RolledBack => Verdict::IsGone,
        }
    }

    /// A savepoint was released: what it broadcast waits for the transaction around it.
    pub(crate) fn hand_over(&self, outer: &Self) {
        let mut contents = self.0.lock();
        contents.fate = Fate::Outer(outer.clone());
        for broadcast in std::mem::take(&mut contents.waiting) {
            outer.put(broadcast);
        }
    }

    /// The streams of what waits.
    pub(crate) fn streams(&self) -> Vec<StreamName> {
        let stream = |waiting: &Prepared| match waiting {
            Prepared::Publish(ready) => Some(ready.stream().clone()),
            Prepared::Refresh(stream, _) => Some(stream.clone()),
            Prepared::Later(job) => job.stream().cloned(),
        };
        self.0.lock().waiting.iter().filter_map(stream).collect()
    }

    /// The transaction was committed.
    pub(crate) async fn send(&self, publisher: &Publisher) {
        let waiting = {
            let mut contents = self.0.lock();
            contents.fate = Fate::Committed;
            std::mem::take(&mut contents.waiting)
        };
        let mut ready = Vec::new();
        for broadcast in waiting {
            match broadcast {
                Prepared::Publish(next) => ready.push(next),
                Prepared::Refresh(stream, tag) => {
                    publisher.publish_all(&std::mem::take(&mut ready));
                    let _ = publisher.refresh(&stream, tag);
                }
                Prepared::Later(job) => {
                    publisher.publish_all(&std::mem::take(&mut ready));
                    if let Err(error) = publisher.later(job).await {
                        tracing::error!(%error, "broadcast after commit was not sent");
                    }
                }
            }
        }
        publisher.publish_all(&ready);
    }
}
