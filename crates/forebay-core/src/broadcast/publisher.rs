//! Encoding and publishing; the queue of later broadcasts.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use forebay_hub::{Broadcast as Publication, Hub, Published, Trace};
use forebay_inspect::Outcome;
use forebay_log::{Class, Message};
use forebay_turbo::{StreamName, has_source};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tracing::Instrument as _;
use tracing::field::Empty;

use super::body::{Body, Envelope};
use super::draft::{BroadcastError, Sent};
use super::refresh::{Encoded, Refreshes};
#[cfg(feature = "sqlx")]
use super::relay::Relay;
use crate::checks::Mistake;
use crate::error::with_causes;

/// Later broadcasts that wait. Past it, awaiting one waits for room: a handler that broadcasts
/// faster than it can be rendered is slowed down, and nothing is dropped.
const LATER_MAX: usize = 1024;

/// A tag says what *this page* may read, and from where on.
static SOURCE_IN_BROADCAST: Mistake = Mistake::new();

/// The application's settings for broadcasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) refresh_window: Duration,
    pub(crate) message_bytes_max: usize,
    /// Whether what is published after the end is there for the next process.
    pub(crate) outlives_process: bool,
    /// Whether other processes have the same log.
    #[cfg(feature = "sqlx")]
    pub(crate) is_shared: bool,
}

pub(crate) struct Publisher {
    hub: Hub,
    settings: Settings,
    refreshes: Refreshes,
    later: Mutex<Option<mpsc::Sender<Job>>>,
    /// Nobody gets what is sent from here on.
    has_ended: AtomicBool,
    #[cfg(feature = "sqlx")]
    pub(crate) commits: super::commits::Commits,
    /// Where transactions write what they broadcast.
    #[cfg(feature = "sqlx")]
    relay: Option<Relay>,
}

/// A broadcast that is encoded.
#[derive(Debug)]
pub(crate) struct Ready {
    stream: StreamName,
    message: Message,
    class: Class,
    trace: Trace,
}

/// A broadcast of which nothing can fail any more, but for a later one's rendering.
pub(super) enum Prepared {
    Publish(Ready),
    Refresh(StreamName, Encoded),
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

    #[cfg(feature = "sqlx")]
    pub(super) fn trace(&self) -> Trace {
        match self {
            Self::Broadcast(envelope, _) => envelope.trace.clone(),
            Self::Flush(_) => Trace::default(),
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
            has_ended: AtomicBool::new(false),
            #[cfg(feature = "sqlx")]
            commits: super::commits::Commits::default(),
            #[cfg(feature = "sqlx")]
            relay: None,
        }
    }

    /// With this outbox.
    #[cfg(feature = "sqlx")]
    pub(crate) fn outbox(mut self, outbox: forebay_outbox::Outbox) -> Self {
        let (hub, refreshes) = (self.hub.clone(), self.refreshes.clone());
        self.relay = Some(Relay::new(outbox, hub, refreshes, self.settings));
        self
    }

    /// Where transactions write what they broadcast.
    #[cfg(feature = "sqlx")]
    pub(crate) fn relay(&self) -> Option<&Relay> {
        self.relay.as_ref()
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
        if self.has_ended.load(Ordering::Relaxed) {
            tracing::warn!("broadcast after shutting down: nobody gets it");
            return Ok(Sent::ShutDown);
        }
        match broadcast {
            Prepared::Publish(ready) => self.publish(&ready).await,
            Prepared::Refresh(stream, refresh) => self.refresh(&stream, refresh).await,
            Prepared::Later(job) => self.later(job).await,
        }
    }

    async fn publish(&self, ready: &Ready) -> Result<Sent, BroadcastError> {
        // A request's span is around it, where the application has one.
        let span = tracing::debug_span!(
            target: "forebay::broadcasts", "broadcast", stream = %ready.stream, offset = Empty
        );
        let publishing = self.hub.publish(ready.publication()).instrument(span.clone());
        let published = publishing.await?;
        ready.trace.published(published);
        let Published { position, subscribers } = published;
        span.record("offset", position.offset.0);
        tracing::debug!(stream = %ready.stream, %position, subscribers, "broadcast");
        Ok(Sent::Published { position, subscribers })
    }

    /// Publishes all, with nothing of anybody else's between them.
    #[cfg(feature = "sqlx")]
    pub(super) async fn publish_all(&self, ready: &[Ready]) -> Result<(), BroadcastError> {
        let published = self.hub.publish_all(ready.iter().map(Ready::publication)).await?;
        for (ready, published) in ready.iter().zip(published) {
            ready.trace.published(published);
        }
        Ok(())
    }

    /// These streams lack a broadcast that nobody can make any more: their pages are told.
    #[cfg(feature = "sqlx")]
    pub(super) async fn gap(&self, streams: &[StreamName]) {
        self.hub.gap(streams.iter().map(StreamName::as_str)).await;
    }

    /// The same for whoever can't wait.
    #[cfg(feature = "sqlx")]
    pub(super) fn gap_soon(&self, streams: &[StreamName]) {
        self.hub.gap_soon(streams.iter().map(StreamName::as_str));
    }

    pub(super) async fn refresh(
        &self,
        stream: &StreamName,
        refresh: Encoded,
    ) -> Result<Sent, BroadcastError> {
        self.refreshes.refresh(stream, refresh, None).await
    }

    pub(super) async fn later(&self, job: Job) -> Result<Sent, BroadcastError> {
        self.queue()?.send(job).await.map_err(|_| BroadcastError::Closed)?;
        Ok(Sent::Later)
    }

    /// The queue, with a worker in this runtime if the one that had it is gone.
    fn queue(&self) -> Result<mpsc::Sender<Job>, BroadcastError> {
        let mut queue = self.later.lock();
        if let Some(queue) = queue.as_ref().filter(|queue| !queue.is_closed()) {
            return Ok(queue.clone());
        }
        let runtime = Handle::try_current().map_err(|_| BroadcastError::NoRuntime)?;
        let (sender, receiver) = mpsc::channel(LATER_MAX);
        let (hub, max) = (self.hub.clone(), self.settings.message_bytes_max);
        runtime.spawn(work_off(Worker { hub, max, jobs: receiver }));
        Ok(queue.insert(sender).clone())
    }

    /// Everybody has been told to leave, and nobody is let in any more.
    pub(crate) async fn end(&self) {
        // What was debounced while they left.
        self.flush().await;
        #[cfg(feature = "sqlx")]
        if let Some(relay) = &self.relay {
            relay.end().await;
        }
        self.has_ended.store(!self.settings.outlives_process, Ordering::Relaxed);
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
        #[cfg(feature = "sqlx")]
        if let Some(relay) = &self.relay {
            relay.flush().await;
        }
        self.refreshes.flush().await;
    }
}

impl Ready {
    #[cfg(feature = "sqlx")]
    pub(super) fn stream(&self) -> &StreamName {
        &self.stream
    }

    #[cfg(feature = "sqlx")]
    pub(super) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// To be stored.
    #[cfg(feature = "sqlx")]
    pub(super) fn into_draft(self) -> forebay_outbox::Draft {
        let says = forebay_outbox::Saying::Message(self.message, self.class);
        forebay_outbox::Draft { stream: self.stream.as_str().to_owned(), says }
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
async fn work_off(mut worker: Worker) {
    while let Some(job) = worker.jobs.recv().await {
        worker.work_off(job).await;
    }
}

/// A runtime that ends ends its worker: what waits is sent then.
struct Worker {
    hub: Hub,
    max: usize,
    jobs: mpsc::Receiver<Job>,
}

impl Worker {
    /// Whoever called it has gone on: what can't be sent is a gap for its pages.
    async fn work_off(&self, job: Job) {
        let (stream, ready) = match self.ready(job) {
            Ok(ready) => ready,
            Err(None) => return,
            Err(Some(stream)) => return self.hub.gap([stream.as_str()]).await,
        };
        match self.hub.publish(ready.publication()).await {
            Ok(published) => ready.trace.published(published),
            Err(error) => {
                let why = with_causes(&error);
                tracing::error!(%stream, error = why, "later broadcast failed");
                ready.trace.ends(|| Outcome::Gap { why });
                self.hub.gap([stream.as_str()]).await;
            }
        }
    }

    /// Renders it. Fails with the stream that lacks it then, and without one where it was a mark.
    fn ready(&self, job: Job) -> Result<(StreamName, Ready), Option<StreamName>> {
        let (envelope, body) = match job {
            Job::Broadcast(envelope, body) => (envelope, body),
            Job::Flush(done) => {
                let _ = done.send(());
                return Err(None);
            }
        };
        let (stream, trace) = (envelope.stream.clone(), envelope.trace.clone());
        // A template that panics loses its own broadcast, not those behind it.
        let encoded = catch_unwind(AssertUnwindSafe(|| encode(envelope, body, self.max)));
        let error = match encoded {
            Ok(Ok(ready)) => return Ok((stream, ready)),
            Ok(Err(error)) => with_causes(&error),
            Err(_) => "its template panicked".to_owned(),
        };
        tracing::error!(%stream, error, "later broadcast failed");
        trace.ends(|| Outcome::FailedToRender { why: error });
        Err(Some(stream))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs.close();
        while let Ok(job) = self.jobs.try_recv() {
            match self.ready(job) {
                Ok((_, ready)) => self.hub.post(ready.publication()),
                Err(Some(stream)) => self.hub.gap_soon([stream.as_str()]),
                Err(None) => {}
            }
        }
    }
}

fn encode(envelope: Envelope, body: Body<'_>, max: usize) -> Result<Ready, BroadcastError> {
    let (class, action) = (envelope.class(&body), body.action());
    let json = body.encode()?;
    if SOURCE_IN_BROADCAST.is_news(|| has_source(&json)) {
        tracing::warn!(
            stream = %envelope.stream,
            "a broadcast has a stream source tag in it: every page that gets it would subscribe with \
             the cursor, and with the rights, of whoever broadcast; write the tag into the pages \
             instead, or broadcast a refresh"
        );
    }
    if json.len() > max {
        return Err(BroadcastError::TooBig { bytes: json.len(), max });
    }
    envelope.trace.says(&json);
    let mut message = Message::json(json);
    if let Some(action) = action {
        message = message.does(action);
    }
    if let Some(session) = envelope.except {
        message = message.except(session.to_string());
    }
    Ok(Ready { stream: envelope.stream, message, class, trace: envelope.trace })
}
