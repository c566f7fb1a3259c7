//! Broadcasts that wait for a transaction.
#![cfg(feature = "sqlx")]

use std::sync::Arc;

use forebay_turbo::StreamName;
use parking_lot::Mutex;

use super::body::Tag;
use super::publisher::{Job, Publisher, Ready};

/// What a transaction has broadcast so far, in order. Bounded by what the transaction does.
#[derive(Clone, Default)]
pub(crate) struct Outbox(Arc<Mutex<Vec<Waiting>>>);

enum Waiting {
    Publish(Ready),
    Refresh(StreamName, Tag),
    Later(Job),
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Outbox").field(&self.0.lock().len()).finish()
    }
}

impl Outbox {
    pub(super) fn publish(&self, ready: Ready) {
        self.0.lock().push(Waiting::Publish(ready));
    }

    pub(super) fn refresh(&self, stream: StreamName, tag: Tag) {
        self.0.lock().push(Waiting::Refresh(stream, tag));
    }

    pub(super) fn later(&self, job: Job) {
        self.0.lock().push(Waiting::Later(job));
    }

    /// A savepoint was released: what it broadcast waits for the transaction around it.
    pub(crate) fn hand_over(&self, outer: &Self) {
        let inner = std::mem::take(&mut *self.0.lock());
        outer.0.lock().extend(inner);
    }

    /// The streams of what waits.
    pub(crate) fn streams(&self) -> Vec<StreamName> {
        let stream = |waiting: &Waiting| match waiting {
            Waiting::Publish(ready) => Some(ready.stream().clone()),
            Waiting::Refresh(stream, _) => Some(stream.clone()),
            Waiting::Later(job) => job.stream().cloned(),
        };
        self.0.lock().iter().filter_map(stream).collect()
    }

    /// The transaction was committed.
    pub(crate) async fn send(&self, publisher: &Publisher) {
        let waiting = std::mem::take(&mut *self.0.lock());
        let mut ready = Vec::new();
        for item in waiting {
            match item {
                Waiting::Publish(item) => ready.push(item),
                other => {
                    publisher.publish_all(&std::mem::take(&mut ready));
                    match other {
                        Waiting::Refresh(stream, tag) => {
                            publisher.refresh(&stream, tag);
                        }
                        Waiting::Later(job) => {
                            if let Err(error) = publisher.later(job).await {
                                tracing::error!(%error, "broadcast after commit was not sent");
                            }
                        }
                        Waiting::Publish(_) => {}
                    }
                }
            }
        }
        publisher.publish_all(&ready);
    }
}
