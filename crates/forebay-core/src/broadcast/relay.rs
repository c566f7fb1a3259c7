//! The relay: publishes what is committed in the outbox, in order, and deletes it.
//!
//! It reads all rows that are there, never "those after the last one": where transactions run beside each
//! other, a row with a smaller id may commit later. What it was killed over is read again by the next relay,
//! and published once, by its name.

mod line;
mod reading;
mod round;

use std::time::Duration;

use forebay_hub::Hub;
use forebay_outbox::{Lead, Outbox, OutboxError, Term};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

pub(crate) use self::line::Expected;
use self::line::Line;
use self::round::Rows;
use super::publisher::Settings;
use super::refresh::Refreshes;
use crate::error::with_causes;

/// How often it looks without being told: what was written by another process on SQLite, or whose
/// notification was lost.
const POLL: Duration = Duration::from_secs(1);

/// How soon it asks again where the database or the log fails.
const RETRY: Duration = Duration::from_millis(500);

/// How often a failure that goes on is said.
const SAY_AGAIN: Duration = Duration::from_secs(30);

/// How long rows that are published stay, so that one deletion is for many: a deletion for each commit would
/// be a second one on SQLite, where there is one writer at a time.
const DELETE_EVERY: Duration = Duration::from_millis(50);

/// How long an end waits for what is committed.
const FLUSH_MAX: Duration = Duration::from_secs(5);

/// The relay of a process.
pub(crate) struct Relay {
    line: Arc<Line>,
    hub: Hub,
    refreshes: Refreshes,
    settings: Settings,
    work: Mutex<Option<JoinHandle<()>>>,
}

impl Relay {
    pub(crate) fn new(outbox: Outbox, hub: Hub, refreshes: Refreshes, settings: Settings) -> Self {
        let line = Arc::new(Line::new(outbox));
        let relay = Self { line, hub, refreshes, settings, work: Mutex::default() };
        relay.ensure_working();
        relay
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.line.outbox
    }

    /// For a transaction that is about to commit: how to hear that its rows are published. Nothing where
    /// another process publishes them.
    pub(crate) fn expect(&self, key: &str) -> Option<Expected> {
        self.line.expect(key)
    }

    /// For how long committed rows have waited, if this process publishes them. While nothing is written that is
    /// as long as between two looks, a second.
    #[cfg(feature = "metrics")]
    pub(crate) fn lag(&self) -> Option<Duration> {
        self.line.lag()
    }

    /// There are rows.
    pub(crate) fn wake(&self) {
        self.ensure_working();
        self.line.wake.notify_one();
    }

    /// Publishes what is committed by now.
    pub(super) async fn flush(&self) {
        let Some(flushed) = self.line.flush() else { return };
        self.wake();
        if timeout(FLUSH_MAX, flushed).await.is_err() {
            tracing::warn!("the outbox is not empty yet: the next process publishes what is there");
        }
    }

    /// Ends, and lets another process relay.
    pub(super) async fn end(&self) {
        self.line.end();
        let work = self.work.lock().take();
        if let Some(mut work) = work
            && timeout(FLUSH_MAX, &mut work).await.is_err()
        {
            work.abort();
        }
    }

    /// Works in this runtime, if the one in which it worked is gone.
    fn ensure_working(&self) {
        let mut work = self.work.lock();
        if self.line.has_ended() || work.as_ref().is_some_and(|work| !work.is_finished()) {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            let (hub, refreshes) = (self.hub.clone(), self.refreshes.clone());
            let rows = Rows::new(hub, refreshes, self.settings);
            let worker = Worker { line: Arc::clone(&self.line), rows, said: None, led: None };
            *work = Some(runtime.spawn(worker.work()));
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.line.end();
        if let Some(work) = self.work.lock().take() {
            work.abort();
        }
    }
}

/// The task.
struct Worker {
    line: Arc<Line>,
    rows: Rows,
    /// When a failure was said last.
    said: Option<Instant>,
    /// When it led last.
    led: Option<Term>,
}

impl Worker {
    async fn work(mut self) {
        while !self.line.has_ended() {
            if !self.line.outbox.relays() {
                self.announce_when_told().await;
                continue;
            }
            match self.line.outbox.lead().await {
                Ok(Some(lead)) => {
                    if let Err(error) = self.lead(lead).await {
                        self.failed(&error);
                        sleep(RETRY).await;
                    }
                    self.line.set_leads(false);
                }
                Ok(None) => self.stand_by().await,
                Err(error) => {
                    self.failed(&error);
                    sleep(RETRY).await;
                }
            }
        }
    }

    /// Another process relays: it is told what is committed here.
    async fn stand_by(&mut self) {
        self.line.set_leads(false);
        self.line.flushed();
        if timeout(POLL, self.line.wake.notified()).await.is_ok() {
            self.announce().await;
        }
    }

    async fn announce_when_told(&mut self) {
        self.line.flushed();
        self.line.wake.notified().await;
        self.announce().await;
    }

    async fn announce(&mut self) {
        if let Err(error) = self.line.outbox.announce().await {
            self.failed(&error);
        }
    }

    async fn lead(&mut self, mut lead: Lead) -> Result<(), OutboxError> {
        self.rows.begin();
        let term = lead.term().clone();
        if let Some(led) = self.led.replace(term.clone()) {
            let another_led = term.previous != led.life && self.rows.is_private();
            if term.outbox_id != led.outbox_id || another_led {
                // Rows may have gone with the table, or to a log that is not this one.
                self.rows.gap_everywhere().await;
            }
        }
        lead.set_message_bytes_max(self.rows.message_bytes_max()).await?;
        self.line.set_leads(true);
        tracing::debug!("relays the outbox");
        self.relay(&mut lead).await
    }

    /// Publishes what there is, until it is told to end.
    async fn relay(&mut self, lead: &mut Lead) -> Result<(), OutboxError> {
        loop {
            // Whoever asks from here on asks for the next reading.
            let flushes = self.line.take_flushes();
            let has_ended = self.line.has_ended();
            let reading = self.rows.publish_next(lead, &self.line).await?;
            self.said = None;
            if !reading.is_empty {
                self.line.put_back(flushes);
                self.rows.delete_if_due(lead, DELETE_EVERY).await?;
                if !reading.all_taken {
                    sleep(RETRY).await;
                }
                continue;
            }
            drop(flushes);
            self.line.note_empty();
            if has_ended {
                return self.rows.delete(lead).await;
            }
            let delete_in = self.rows.delete_due_in(DELETE_EVERY);
            tokio::select! {
                () = self.line.wake.notified() => {}
                () = lead.told() => {}
                () = sleep(delete_in.unwrap_or(POLL)) => {
                    self.rows.delete_if_due(lead, DELETE_EVERY).await?;
                }
            }
        }
    }

    fn failed(&mut self, error: &OutboxError) {
        if self.said.is_none_or(|said| said.elapsed() >= SAY_AGAIN) {
            self.said = Some(Instant::now());
            let error = with_causes(error);
            tracing::error!(
                error,
                "the outbox can't be read: what is committed is broadcast later"
            );
        }
    }
}
