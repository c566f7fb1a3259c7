//! Rows between the table and the log: read, published, and to be deleted.

use std::collections::{BTreeSet, HashMap};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use forebay_hub::{Broadcast, Hub, PublishError};
use forebay_log::{Class, Commit, Message, Position};
use forebay_outbox::{Lead, Moment, OutboxError};
use tokio::time::Instant;

use super::line::Line;
use super::reading::Work;
use crate::broadcast::draft::Sent;
use crate::broadcast::publisher::Settings;
use crate::broadcast::refresh::{Refreshes, Tickets};
use crate::error::with_causes;

/// Rows that are published and not deleted. Those of a thousand transactions at the most: the log remembers
/// the names of the last 10 000.
const DONE_MAX: usize = 1_000;

/// Refreshes that wait for the end of their window. Past it they are sent before that.
const HELD_MAX: usize = 1_000;

/// How often the log may refuse a transaction that it would take after others: then its rows are set aside.
const TRIES_MAX: u32 = 3;

/// What says how far the database is goes to this stream. No page can have the name.
const MARKS: &str = "\0marks";

/// What a reading came to.
pub(super) struct Came {
    pub(super) is_empty: bool,
    pub(super) all_taken: bool,
}

pub(super) struct Rows {
    hub: Hub,
    refreshes: Refreshes,
    settings: Settings,
    /// Published, and to be deleted.
    done: Vec<i64>,
    deleted_at: Instant,
    /// Where the WAL ended when all was in the log that was visible then. 0 where nobody knows.
    settled: u64,
    /// The last place in the log that says how far the database is.
    marked: Option<Position>,
    /// Refreshes that wait for the end of their window.
    held: BTreeSet<i64>,
    tickets: Tickets,
    /// Transactions that the log did not take, by their first row.
    failed: HashMap<i64, Failed>,
}

#[derive(Clone, Copy, Default)]
struct Failed {
    /// How often others were taken that are behind it.
    overtaken: u32,
}

impl Rows {
    pub(super) fn new(hub: Hub, refreshes: Refreshes, settings: Settings) -> Self {
        Self {
            hub,
            refreshes,
            settings,
            done: Vec::new(),
            deleted_at: Instant::now(),
            settled: 0,
            marked: None,
            held: BTreeSet::new(),
            tickets: Tickets::default(),
            failed: HashMap::new(),
        }
    }

    pub(super) fn message_bytes_max(&self) -> usize {
        self.settings.message_bytes_max
    }

    /// No other process has this log.
    pub(super) fn is_private(&self) -> bool {
        !self.settings.is_shared
    }

    pub(super) async fn gap_everywhere(&self) {
        tracing::warn!("the outbox was out of sight: all pages are told to load themselves again");
        self.hub.gap_everywhere().await;
    }

    /// Reads what there is, and publishes it.
    pub(super) async fn publish_next(
        &mut self,
        lead: &mut Lead,
        line: &Line,
    ) -> Result<Came, OutboxError> {
        for id in self.tickets.take() {
            self.held.remove(&id);
            self.done.push(id);
        }
        let left_out: Vec<_> = self.done.iter().chain(&self.held).copied().collect();
        let read = lead.read(&left_out).await?;
        // What was visible before this is in the log, once all of it is published and no refresh waits.
        let is_whole = !read.ended_early && self.held.is_empty();
        if read.groups.is_empty() {
            self.settle(read.moment.filter(|_| is_whole));
            self.mark(read.moment).await;
            return Ok(Came { is_empty: true, all_taken: true });
        }
        let groups = read.groups;
        tracing::trace!(transactions = groups.len(), "read from the outbox");
        let max = self.settings.message_bytes_max;
        let commit = |transaction: Option<u64>| {
            let Moment { database, behind, .. } = read.moment?;
            Some(Commit { database, id: transaction?, wal: behind, settled: self.settled })
        };
        let works = groups.into_iter().map(|group| Work::of(commit(group.transaction), group, max));
        let works: Vec<_> = works.collect();
        for work in &works {
            for (id, stream, reason) in &work.bad {
                self.refuse(lead, *id, stream, reason).await?;
            }
        }
        let all_taken = self.publish(lead, line, &works).await?;
        tracing::trace!("published from the outbox");
        for work in works {
            self.tell_gaps(&work.gaps).await;
            self.refresh(work.refreshes).await;
        }
        self.settle(read.moment.filter(|_| is_whole && all_taken && self.held.is_empty()));
        Ok(Came { is_empty: false, all_taken })
    }

    fn settle(&mut self, moment: Option<Moment>) {
        if let Some(Moment { before, .. }) = moment {
            self.settled = before;
        }
    }

    /// Says how far the database is, if others have broadcast since that was said last. A page that is read from
    /// a replica stands at the last such place, and so is replayed about a second at the most of what is not from
    /// this database.
    async fn mark(&mut self, moment: Option<Moment>) {
        let Some(Moment { database, behind, .. }) = moment else { return };
        if self.marked.is_some_and(|marked| marked == self.hub.position()) {
            return;
        }
        let commit = Commit { database, id: 0, wal: behind, settled: self.settled };
        let (message, class) = (Message::json("null").committed_in(commit), Class::Ephemeral);
        // Where the log does not take it, the next one is as good.
        let marked = self.hub.publish(Broadcast { stream: MARKS, message, class }).await;
        self.marked = marked.ok().map(|published| published.position);
    }

    /// Another relay may have led, and what it has left behind is not read yet.
    pub(super) fn begin(&mut self) {
        self.settled = 0;
        self.marked = None;
    }

    /// Has the log take transactions in order, without waiting for one before the next is asked for.
    async fn publish(
        &mut self,
        lead: &mut Lead,
        line: &Line,
        works: &[Work],
    ) -> Result<bool, OutboxError> {
        let asked: Vec<Publishing<'_>> =
            works.iter().map(|work| ask(self.hub.clone(), work)).collect();
        let answers = in_order(asked).await;
        let last_taken = answers.iter().rposition(Result::is_ok);
        let mut before = std::mem::take(&mut self.failed);
        for (place, (work, answer)) in works.iter().zip(answers).enumerate() {
            let first = work.ids.first().copied().unwrap_or_default();
            let mut failed = before.remove(&first).unwrap_or_default();
            let error = match answer {
                Ok(None) => None,
                Ok(Some(position)) => {
                    self.marked = Some(position);
                    None
                }
                Err(error) => Some(error),
            };
            let Some(error) = error else {
                self.done.extend(&work.ids);
                if failed.overtaken > 0 {
                    // They stand behind what came later: its pages may show an older state.
                    self.hub.gap(work.streams()).await;
                }
                work.keys.iter().for_each(|key| line.published(key));
                continue;
            };
            // Where the log takes nothing at all, the rows are as good as others.
            if last_taken.is_some_and(|last| last > place) {
                failed.overtaken += 1;
            }
            if failed.overtaken >= TRIES_MAX {
                let reason = with_causes(&error);
                for (id, (stream, ..)) in work.ids.iter().zip(&work.messages) {
                    self.refuse(lead, *id, stream, &reason).await?;
                }
            } else {
                self.failed.insert(first, failed);
            }
        }
        Ok(self.failed.is_empty())
    }

    /// A row that can't be published is set aside, and its pages are told that they lack it.
    async fn refuse(
        &mut self,
        lead: &mut Lead,
        id: i64,
        stream: &str,
        reason: &str,
    ) -> Result<(), OutboxError> {
        self.hub.stats().outbox_refused.add(1);
        tracing::error!(id, stream, reason, "a row of the outbox can't be broadcast: set aside");
        // No page has a stream without a name.
        if !stream.trim().is_empty() {
            self.hub.gap([stream]).await;
        }
        lead.refuse(id, reason).await
    }

    async fn tell_gaps(&mut self, gaps: &[(i64, String)]) {
        for (id, stream) in gaps {
            if stream.is_empty() {
                self.hub.gap_everywhere().await;
            } else {
                self.hub.gap([stream.as_str()]).await;
            }
            self.done.push(*id);
        }
    }

    async fn refresh(
        &mut self,
        refreshes: Vec<(i64, forebay_turbo::StreamName, crate::broadcast::refresh::Encoded)>,
    ) {
        for (id, stream, refresh) in refreshes {
            let ticket = self.tickets.give(id);
            match self.refreshes.refresh(&stream, refresh, Some(ticket)).await {
                Ok(Sent::Debounced) => {
                    self.held.insert(id);
                }
                Ok(_) => self.done.push(id),
                Err(error) => {
                    tracing::debug!(error = with_causes(&error), "a refresh is sent later");
                }
            }
        }
        if self.held.len() > HELD_MAX {
            self.refreshes.flush().await;
        }
    }

    /// When rows are to be deleted, if there are any.
    pub(super) fn delete_due_in(&self, every: Duration) -> Option<Duration> {
        (!self.done.is_empty()).then(|| every.saturating_sub(self.deleted_at.elapsed()))
    }

    pub(super) async fn delete_if_due(
        &mut self,
        lead: &mut Lead,
        every: Duration,
    ) -> Result<(), OutboxError> {
        if self.done.len() >= DONE_MAX || self.delete_due_in(every) == Some(Duration::ZERO) {
            return self.delete(lead).await;
        }
        Ok(())
    }

    pub(super) async fn delete(&mut self, lead: &mut Lead) -> Result<(), OutboxError> {
        lead.delete(&self.done).await?;
        tracing::trace!(rows = self.done.len(), "deleted from the outbox");
        self.done.clear();
        self.deleted_at = Instant::now();
        Ok(())
    }
}

type Publishing<'a> =
    Pin<Box<dyn Future<Output = Result<Option<Position>, PublishError>> + Send + 'a>>;

fn ask(hub: Hub, work: &Work) -> Publishing<'_> {
    Box::pin(async move {
        if work.messages.is_empty() {
            return Ok(None);
        }
        hub.publish_once(&work.name, work.broadcasts()).await.map(Some)
    })
}

/// Runs all together. The log takes them in the order in which they are polled first.
async fn in_order<T>(mut running: Vec<Pin<Box<dyn Future<Output = T> + Send + '_>>>) -> Vec<T> {
    let mut answers: Vec<Option<T>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        let mut waits = false;
        for (future, answer) in running.iter_mut().zip(&mut answers) {
            if answer.is_none() {
                match future.as_mut().poll(cx) {
                    Poll::Ready(ready) => *answer = Some(ready),
                    Poll::Pending => waits = true,
                }
            }
        }
        if waits { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    answers.into_iter().flatten().collect()
}
