//! Between those who commit and the relay's task.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use forebay_outbox::Outbox;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout};

pub(super) struct Line {
    pub(super) outbox: Outbox,
    /// There may be rows.
    pub(super) wake: Notify,
    /// Who waits until its rows are published, by their key. One for each commit that is under way.
    expected: Mutex<HashMap<String, oneshot::Sender<()>>>,
    /// Who waits until a reading that begins later finds nothing. Each is told by being dropped.
    flushes: Mutex<Vec<oneshot::Sender<()>>>,
    /// When nothing was left to be published, as far as this process has read.
    empty_at: Mutex<Instant>,
    leads: AtomicBool,
    has_ended: AtomicBool,
}

/// Hears that a transaction's rows are published.
pub(crate) struct Expected {
    line: Arc<Line>,
    key: String,
    published: oneshot::Receiver<()>,
}

impl Expected {
    /// Waits until they are, or for this long.
    pub(crate) async fn within(mut self, max: Duration) {
        if timeout(max, &mut self.published).await.is_err() {
            tracing::debug!("committed; its broadcasts are published later");
        }
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.line.expected.lock().remove(&self.key);
    }
}

impl Line {
    pub(super) fn new(outbox: Outbox) -> Self {
        Self {
            leads: AtomicBool::new(outbox.has_lead()),
            outbox,
            wake: Notify::new(),
            expected: Mutex::default(),
            flushes: Mutex::default(),
            empty_at: Mutex::new(Instant::now()),
            has_ended: AtomicBool::new(false),
        }
    }

    pub(super) fn expect(self: &Arc<Self>, key: &str) -> Option<Expected> {
        if !self.leads.load(Ordering::Acquire) || self.has_ended() {
            return None;
        }
        let (sender, published) = oneshot::channel();
        self.expected.lock().insert(key.to_owned(), sender);
        Some(Expected { line: Arc::clone(self), key: key.to_owned(), published })
    }

    /// Rows with this key are published.
    pub(super) fn published(&self, key: &str) {
        self.expected.lock().remove(key);
    }

    pub(super) fn set_leads(&self, leads: bool) {
        self.note_empty();
        self.leads.store(leads, Ordering::Release);
        if !leads {
            // Nobody here knows when they are.
            self.expected.lock().clear();
        }
    }

    /// Is told when all is published that is committed by now. Nothing where another process does that.
    pub(super) fn flush(&self) -> Option<oneshot::Receiver<()>> {
        if !self.leads.load(Ordering::Acquire) || self.has_ended() {
            return None;
        }
        let (sender, flushed) = oneshot::channel();
        self.flushes.lock().push(sender);
        Some(flushed)
    }

    /// All that is committed is published.
    pub(super) fn note_empty(&self) {
        *self.empty_at.lock() = Instant::now();
    }

    /// For how long something has waited here; nothing where another process publishes it.
    #[cfg(feature = "metrics")]
    pub(super) fn lag(&self) -> Option<Duration> {
        let leads = self.leads.load(Ordering::Acquire);
        leads.then(|| self.empty_at.lock().elapsed())
    }

    pub(super) fn take_flushes(&self) -> Vec<oneshot::Sender<()>> {
        std::mem::take(&mut self.flushes.lock())
    }

    pub(super) fn put_back(&self, flushes: Vec<oneshot::Sender<()>>) {
        self.flushes.lock().extend(flushes);
    }

    pub(super) fn flushed(&self) {
        self.flushes.lock().clear();
    }

    pub(super) fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }
}
