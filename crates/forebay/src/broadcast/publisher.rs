//! Encoding and publishing; the queue of later broadcasts.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use forebay_hub::{Broadcast as Publication, Hub, Published};
use forebay_log::{Class, Message};
use forebay_turbo::StreamName;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::body::{Body, Envelope, Tag};
use super::draft::{BroadcastError, Sent};
use super::refresh::Refreshes;

/// Later broadcasts that wait. Past it, awaiting one waits for room: a handler that broadcasts
/// faster than it can be rendered is slowed down, and nothing is dropped.
const LATER_MAX: usize = 1024;

/// The application's settings for broadcasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) refresh_window: Duration,
    pub(crate) message_bytes_max: usize,
}

pub(crate) struct Publisher {
    hub: Hub,
    settings: Settings,
    refreshes: Refreshes,
    later: Mutex<Option<mpsc::Sender<Job>>>,
    #[cfg(feature = "sqlx")]
    pub(crate) commits: super::commits::Commits,
}

/// A broadcast that is encoded.
#[derive(Debug)]
pub(crate) struct Ready {
    stream: StreamName,
    message: Message,
    class: Class,
}

/// A broadcast of which nothing can fail any more, but for a later one's rendering.
pub(super) enum Prepared {
    Publish(Ready),
    Refresh(StreamName, Tag),
    Later(Job),
}

/// A broadcast to be rendered later, or a mark in their queue.
pub(super) enum Job {
    Broadcast(Envelope, Body<'static>),
    Flush(oneshot::Sender<()>),
}

impl Job {
    pub(super) fn new(envelope: Envelope, body: Body<'static>) -> Self {
        Self::Broadcast(envelope, body)
    }

    #[cfg(feature = "sqlx")]
    pub(super) fn stream(&self) -> Option<&StreamName> {
        match self {
            Self::Broadcast(envelope, _) => Some(&envelope.stream),
            Self::Flush(_) => None,
        }
    }
}

impl Publisher {
    pub(crate) fn new(hub: Hub, settings: Settings) -> Self {
        let refreshes = Refreshes::new(hub.clone(), settings.refresh_window);
        Self {
            hub,
            settings,
            refreshes,
            later: Mutex::default(),
            #[cfg(feature = "sqlx")]
            commits: super::commits::Commits::default(),
        }
    }

    pub(crate) fn message_bytes_max(&self) -> usize {
        self.settings.message_bytes_max
    }

    pub(super) fn encode(
        &self,
        envelope: Envelope,
        body: Body<'_>,
    ) -> Result<Ready, BroadcastError> {
        encode(envelope, body, self.settings.message_bytes_max)
    }

    pub(super) async fn send(&self, broadcast: Prepared) -> Result<Sent, BroadcastError> {
        match broadcast {
            Prepared::Publish(ready) => self.publish(&ready),
            Prepared::Refresh(stream, tag) => self.refresh(&stream, tag),
            Prepared::Later(job) => self.later(job).await,
        }
    }

    fn publish(&self, ready: &Ready) -> Result<Sent, BroadcastError> {
        let Published { position, subscribers } = self.hub.publish(ready.publication())?;
        tracing::debug!(stream = %ready.stream, %position, subscribers, "broadcast");
        Ok(Sent::Published { position, subscribers })
    }

    /// Publishes all, with nothing of anybody else's between them. Their transaction is committed:
    /// what a full disk does not take is in the hub's log and counters.
    #[cfg(feature = "sqlx")]
    pub(crate) fn publish_all(&self, ready: &[Ready]) {
        let _ = self.hub.publish_all(ready.iter().map(Ready::publication));
    }

    pub(super) fn refresh(&self, stream: &StreamName, tag: Tag) -> Result<Sent, BroadcastError> {
        self.refreshes.refresh(stream, tag)
    }

    pub(super) async fn later(&self, job: Job) -> Result<Sent, BroadcastError> {
        self.queue().send(job).await.map_err(|_| BroadcastError::Closed)?;
        Ok(Sent::Later)
    }

    /// The queue, with a worker in this runtime if the one that had it is gone.
    fn queue(&self) -> mpsc::Sender<Job> {
        let mut queue = self.later.lock();
        if let Some(queue) = queue.as_ref().filter(|queue| !queue.is_closed()) {
            return queue.clone();
        }
        let (sender, receiver) = mpsc::channel(LATER_MAX);
        let (hub, max) = (self.hub.clone(), self.settings.message_bytes_max);
        tokio::spawn(work_off(hub, max, receiver));
        queue.insert(sender).clone()
    }

    /// Sends everything that still waits: later broadcasts, then debounced refreshes.
    pub(crate) async fn flush(&self) {
        let has_queue = self.later.lock().is_some();
        if has_queue {
            let (done, wait) = oneshot::channel();
            if self.later(Job::Flush(done)).await.is_ok() {
                let _ = wait.await;
            }
        }
        self.refreshes.flush();
    }
}

impl Ready {
    #[cfg(feature = "sqlx")]
    pub(super) fn stream(&self) -> &StreamName {
        &self.stream
    }

    fn publication(&self) -> Publication<'_> {
        Publication {
            stream: self.stream.as_str(),
            message: self.message.clone(),
            class: self.class.clone(),
        }
    }
}

/// One after the other, so that they are published in the order in which they were called.
async fn work_off(hub: Hub, max: usize, mut jobs: mpsc::Receiver<Job>) {
    while let Some(job) = jobs.recv().await {
        match job {
            Job::Flush(done) => {
                let _ = done.send(());
            }
            Job::Broadcast(envelope, body) => {
                let stream = envelope.stream.clone();
                // A template that panics loses its own broadcast, not those behind it.
                match catch_unwind(AssertUnwindSafe(|| encode(envelope, body, max))) {
                    Ok(Ok(ready)) => {
                        // The hub says so if the disk does not take it.
                        let _ = hub.publish(ready.publication());
                    }
                    Ok(Err(error)) => tracing::error!(%stream, %error, "later broadcast failed"),
                    Err(_) => tracing::error!(%stream, "later broadcast panicked"),
                }
            }
        }
    }
}

fn encode(envelope: Envelope, body: Body<'_>, max: usize) -> Result<Ready, BroadcastError> {
    let class = envelope.class(&body);
    let json = body.encode()?;
    if json.len() > max {
        return Err(BroadcastError::TooBig { bytes: json.len(), max });
    }
    let message = Message::json(json);
    let message = match envelope.except {
        Some(session) => message.except(session.to_string()),
        None => message,
    };
    Ok(Ready { stream: envelope.stream, message, class })
}
