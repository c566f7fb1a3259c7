//! What the hub measures once somebody has asked, and who is connected how.

use forebay_log::{Log, Offset, Position, Record};

use super::{Hub, Inner};
use crate::census::Means;
use crate::read::Batch;
use crate::rounds::Taker;
use crate::timings::TimingsSnapshot;

impl Hub {
    /// What was measured since this was asked for the first time. Until then nothing is, and it costs nothing.
    pub fn timings(&self) -> TimingsSnapshot {
        self.0.timings.get_or_init(Box::default).snapshot()
    }

    /// How many are connected, by transport and protocol: all combinations that there can be.
    pub fn connected(&self) -> Vec<(Means, usize)> {
        self.0.census.counts().collect()
    }

    /// How many visitors are connected that have a name; each counts once.
    pub fn identities(&self) -> usize {
        self.0.connections.names()
    }

    /// One more is connected by these means.
    pub fn enter(&self, means: Means) {
        self.0.census.enter(means);
    }

    /// Ends one [`enter`](Self::enter).
    pub fn leave(&self, means: Means) {
        self.0.census.leave(means);
    }

    /// Counts entries that a connection's own task has handed to its socket, the first of this batch.
    #[inline]
    pub fn delivered(&self, batch: &Batch, count: usize) {
        self.0.stats.deliveries.add(count as u64);
        if self.0.timings.get().is_some() {
            self.time_batch(batch, count);
        }
    }

    #[cold]
    fn time_batch(&self, batch: &Batch, count: usize) {
        self.0.time_delivery(batch.oldest().unwrap_or_default(), count as u64);
    }

    /// How long nothing was heard of the log's store. Nothing of a log without one.
    pub fn silence(&self) -> std::time::Duration {
        self.0.silence()
    }

    /// Entries in history, and streams that have some or are read.
    pub fn held(&self) -> (usize, usize) {
        let log = self.0.log.read();
        (log.entries(), log.streams())
    }
}

impl Inner {
    /// Whether somebody wants to know of deliveries.
    #[inline]
    pub(super) fn is_observed(&self) -> bool {
        self.timings.get().is_some() || self.traces.is_wanted()
    }

    /// Takes the next round, and looks at how old its entries are.
    #[cold]
    pub(super) fn observed_round(&self, taker: &mut Taker) -> bool {
        taker.observe();
        let Some(deliveries) = self.rounds.take(taker) else { return false };
        self.stats.deliveries.add(deliveries);
        let oldest = taker.observe();
        self.time_delivery(oldest, deliveries);
        self.traces.deliver(oldest, deliveries);
        true
    }

    fn time_delivery(&self, oldest: Offset, deliveries: u64) {
        if let Some(timings) = self.timings.get()
            && deliveries > 0
        {
            timings.deliver(oldest, deliveries, self.clock.micros());
        }
    }

    /// A log in memory has taken so many, up to its head.
    #[cold]
    pub(super) fn time_publish(&self, count: usize, head: Offset) {
        if let Some(timings) = self.timings.get() {
            let now = self.clock.micros();
            for offset in (head.0 + 1).saturating_sub(count as u64)..=head.0 {
                timings.publish(Offset(offset), now);
            }
        }
    }

    /// Records that a store has ordered are applied here: they were published earlier, by whose clock it may be.
    #[cold]
    pub(super) fn time_apply(&self, records: &[Record]) {
        let Some(timings) = self.timings.get() else { return };
        let now = self.clock.micros();
        for record in records {
            let published = record.at.0.saturating_mul(1_000).min(now);
            timings.publish(record.offset, published);
        }
        if let Some(last) = records.last().filter(|_| self.is_stored) {
            timings.apply(now.saturating_sub(last.at.0.saturating_mul(1_000)));
        }
    }

    /// A subscription goes on behind this cursor.
    #[cold]
    pub(crate) fn time_replay(&self, log: &Log, stream: &str, cursor: Position) {
        let Some(timings) = self.timings.get() else { return };
        let Ok(mut entries) = log.replay(stream, cursor) else { return };
        let Some(first) = entries.next() else { return timings.replay(0, None) };
        let age = self.clock.now().0.saturating_sub(first.appended_at.0);
        timings.replay(1 + entries.count() as u64, Some(age.saturating_mul(1_000)));
    }
}
