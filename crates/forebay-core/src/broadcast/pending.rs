//! Broadcasts that wait for a transaction.

use std::collections::VecDeque;
use std::sync::Arc;

use forebay_hub::Trace;
use forebay_inspect::Outcome;
use forebay_outbox::Draft;
use forebay_turbo::StreamName;
use parking_lot::Mutex;

use super::draft::BroadcastError;
use super::publisher::{Prepared, Publisher, Ready};

/// What a transaction has broadcast so far, in order. Bounded by what the transaction does.
#[derive(Clone, Default)]
pub(crate) struct Pending(Arc<Mutex<Contents>>);

/// Those of a transaction that is not over: dropped, what waits in it is gone.
#[derive(Debug, Default)]
pub(crate) struct OpenPending(Pending);

#[derive(Default)]
struct Contents {
    waiting: Vec<Prepared>,
    /// They are written into the outbox, in the transaction.
    are_stored: bool,
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
    Outer(Pending),
    /// It was rolled back: there is nothing to tell.
    RolledBack,
}

/// What is to be done with a broadcast.
pub(super) enum Verdict {
    Waits,
    GoesOut(Prepared),
    IsGone,
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pending").field(&self.0.lock().waiting.len()).finish()
    }
}

impl std::ops::Deref for OpenPending {
    type Target = Pending;

    fn deref(&self) -> &Pending {
        &self.0
    }
}

impl Drop for OpenPending {
    fn drop(&mut self) {
        let mut contents = self.0.0.lock();
        if matches!(contents.fate, Fate::Open) {
            for gone in contents.waiting.drain(..) {
                trace(&gone).ends(|| Outcome::RolledBack);
            }
            contents.fate = Fate::RolledBack;
        }
    }
}

impl OpenPending {
    /// Those of a transaction that writes them into the outbox before it commits, or does not.
    pub(crate) fn new(are_stored: bool) -> Self {
        let contents = Contents { are_stored, ..Contents::default() };
        Self(Pending(Arc::new(Mutex::new(contents))))
    }
}

impl Pending {
    pub(crate) fn is_stored(&self) -> bool {
        self.0.lock().are_stored
    }

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

    /// Takes what is to be written into the outbox, and what is recorded of it.
    pub(crate) fn take_drafts(&self) -> (Vec<Draft>, Stored) {
        let mut contents = self.0.lock();
        let mut drafts = Vec::with_capacity(contents.waiting.len());
        let traces = contents.waiting.iter().map(trace).collect();
        for broadcast in std::mem::take(&mut contents.waiting) {
            match broadcast {
                Prepared::Publish(ready) => drafts.push(ready.into_draft()),
                Prepared::Refresh(stream, refresh) => {
                    let (stream, says) = (stream.as_str().to_owned(), refresh.into_saying());
                    drafts.push(Draft { stream, says });
                }
                // Nobody makes one of these for the outbox.
                later @ Prepared::Later(_) => contents.waiting.push(later),
            }
        }
        (drafts, Stored { traces, is_committed: false })
    }

    /// The streams of what waits.
    pub(crate) fn streams(&self) -> Vec<StreamName> {
        self.0.lock().waiting.iter().filter_map(stream).cloned().collect()
    }

    /// The transaction was committed: sends all that waits. What is not taken is a gap for its pages.
    ///
    /// # Errors
    /// The first that was not taken.
    pub(crate) async fn send(&self, publisher: &Publisher) -> Result<(), BroadcastError> {
        let waiting = {
            let mut contents = self.0.lock();
            contents.fate = Fate::Committed;
            std::mem::take(&mut contents.waiting)
        };
        let mut unsent = Unsent { publisher, ready: Vec::new(), waiting: waiting.into() };
        let mut failed = Ok(());
        while let Some(broadcast) = unsent.waiting.pop_front() {
            if let Prepared::Publish(next) = broadcast {
                unsent.ready.push(next);
                continue;
            }
            let before = unsent.publish().await;
            let stream = stream(&broadcast).cloned();
            let trace = trace(&broadcast);
            let sent = match broadcast {
                Prepared::Publish(_) => Ok(()),
                Prepared::Refresh(stream, refresh) => {
                    publisher.refresh(&stream, refresh).await.map(drop)
                }
                Prepared::Later(job) => publisher.later(job).await.map(drop),
            };
            if let Err(error) = &sent {
                trace.ends(|| Outcome::Gap { why: error.to_string() });
                publisher.gap(stream.as_slice()).await;
            }
            failed = failed.and(before).and(sent);
        }
        failed.and(unsent.publish().await)
    }
}

/// What is recorded of broadcasts that are rows of a transaction. Dropped before that is committed, they are
/// rolled back; the relay publishes the others, perhaps of another process.
pub(crate) struct Stored {
    traces: Vec<Trace>,
    is_committed: bool,
}

impl Stored {
    pub(crate) fn committed(mut self) {
        self.is_committed = true;
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        for trace in self.traces.iter().filter(|_| !self.is_committed) {
            trace.ends(|| Outcome::RolledBack);
        }
    }
}

fn trace(waiting: &Prepared) -> Trace {
    match waiting {
        Prepared::Publish(ready) => ready.trace().clone(),
        Prepared::Refresh(_, refresh) => refresh.trace().clone(),
        Prepared::Later(job) => job.trace(),
    }
}

fn stream(waiting: &Prepared) -> Option<&StreamName> {
    match waiting {
        Prepared::Publish(ready) => Some(ready.stream()),
        Prepared::Refresh(stream, _) => Some(stream),
        Prepared::Later(job) => job.stream(),
    }
}

/// Broadcasts of a commit that are not sent yet. What is still here when it is dropped (a panic, a
/// runtime that ends) will never be.
struct Unsent<'a> {
    publisher: &'a Publisher,
    ready: Vec<Ready>,
    waiting: VecDeque<Prepared>,
}

impl Unsent<'_> {
    /// Publishes what is ready.
    async fn publish(&mut self) -> Result<(), BroadcastError> {
        let published = self.publisher.publish_all(&self.ready).await;
        let ready = std::mem::take(&mut self.ready);
        if let Err(error) = &published {
            for ready in &ready {
                ready.trace().ends(|| Outcome::Gap { why: error.to_string() });
            }
            let streams: Vec<_> = ready.iter().map(|ready| ready.stream().clone()).collect();
            self.publisher.gap(&streams).await;
        }
        published
    }
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        let ready = self.ready.iter().map(Ready::stream);
        let streams: Vec<_> =
            ready.chain(self.waiting.iter().filter_map(stream)).cloned().collect();
        if !streams.is_empty() {
            self.publisher.gap_soon(&streams);
        }
    }
}
