//! Publishing: places in the log, on disk and in memory, and telling a stream's readers; and saying
//! that a stream lacks what could not be published.

use std::sync::atomic::Ordering;

use forebay_log::{Appended, Offset, Position, UnixMillis};
use forebay_store::{Record, Store};
use parking_lot::Mutex;
use smallvec::SmallVec;

use super::{Broadcast, Hub, Inner, PublishError, Published};

impl Hub {
    /// Publishes one broadcast: it has its place in the order when this returns.
    ///
    /// # Errors
    /// [`PublishError`] where the log is kept on disk, and the disk does not take it.
    pub fn publish(&self, broadcast: Broadcast<'_>) -> Result<Published, PublishError> {
        let appended = self.take([broadcast])?;
        Ok(self.tell(appended[0]))
    }

    /// Publishes several in this order, with nothing of anybody else's between them.
    ///
    /// # Errors
    /// [`PublishError`] where the log is kept on disk, and the disk does not take them: none is
    /// published.
    pub fn publish_all<'a>(
        &self,
        broadcasts: impl IntoIterator<Item = Broadcast<'a>>,
    ) -> Result<Vec<Published>, PublishError> {
        let appended = self.take(broadcasts)?;
        Ok(appended.into_iter().map(|appended| self.tell(appended)).collect())
    }

    /// Gives broadcasts their places. What makes them is the caller's: it has run before a lock is held.
    fn take<'a>(
        &self,
        broadcasts: impl IntoIterator<Item = Broadcast<'a>>,
    ) -> Result<SmallVec<[Appended; 1]>, PublishError> {
        self.ensure_ticking();
        let inner = &*self.0;
        let broadcasts: SmallVec<[_; 1]> = broadcasts.into_iter().collect();
        let now = inner.clock.now();
        let store = inner.store.as_ref().map(Mutex::lock);
        if let Some(mut store) = store {
            inner.write_down(&mut store, now, &broadcasts)?;
            // The store's lock keeps others from taking these offsets.
            return Ok(inner.append(now, broadcasts));
        }
        Ok(inner.append(now, broadcasts))
    }

    /// Tells a stream's readers.
    fn tell(&self, appended: Appended) -> Published {
        let inner = &*self.0;
        Published {
            position: Position { epoch: inner.epoch, offset: appended.offset },
            subscribers: inner.rounds.tell(&inner.subscribers, appended.stream),
        }
    }

    /// Says that these streams lack something which should have been published and was not: their
    /// readers are told to heal themselves, now or when they come back. For whoever can't refuse any
    /// more what the log does not take: its change is committed.
    ///
    /// This holds over a restart. Where the disk does not take it either, the next start begins a new
    /// epoch.
    pub fn gap<'a>(&self, streams: impl IntoIterator<Item = &'a str>) {
        self.ensure_ticking();
        let inner = &*self.0;
        let mut streams: Vec<_> = streams.into_iter().collect();
        streams.sort_unstable();
        streams.dedup();
        let now = inner.clock.now();
        let mut store = inner.store.as_ref().map(Mutex::lock);
        let mut log = inner.log.write();
        let lacking: Vec<_> = streams.iter().map(|stream| log.lack(now, stream)).collect();
        let through = log.head().offset;
        inner.head.store(through.0, Ordering::Release);
        if let Some(store) = &mut store {
            let (dropped, floor) = log.take_dropped();
            // Readers don't wait for the disk.
            drop(log);
            store.gap(&dropped, floor, through);
        } else {
            drop(log);
        }
        drop(store);
        inner.stats.gaps.add(lacking.len() as u64);
        for (stream, lacking) in streams.iter().zip(lacking) {
            let subscribers = self.tell(lacking).subscribers;
            tracing::warn!(
                stream,
                subscribers,
                "a broadcast is missing: its pages load themselves again"
            );
        }
    }

    /// The next writes of the log on disk fail; simulations call it.
    #[doc(hidden)]
    pub fn fail_writes_for_tests(&self, writes: u32) {
        if let Some(store) = &self.0.store {
            store.lock().fail_next_for_tests(writes);
        }
    }
}

impl Inner {
    fn append(
        &self,
        now: UnixMillis,
        broadcasts: SmallVec<[Broadcast<'_>; 1]>,
    ) -> SmallVec<[Appended; 1]> {
        let mut log = self.log.write();
        let appended: SmallVec<[_; 1]> = broadcasts
            .into_iter()
            .map(|broadcast| log.append(now, broadcast.stream, broadcast.message, broadcast.class))
            .collect();
        self.head.store(log.head().offset.0, Ordering::Release);
        drop(log);
        self.doze.end();
        self.stats.broadcasts.add(appended.len() as u64);
        appended
    }

    fn write_down(
        &self,
        store: &mut Store,
        at: UnixMillis,
        broadcasts: &[Broadcast<'_>],
    ) -> Result<(), PublishError> {
        let head = self.head.load(Ordering::Acquire);
        let through = Offset(head + broadcasts.len() as u64);
        let log = self.log.read();
        let forgotten: Vec<_> = broadcasts.iter().map(|b| log.forgotten(b.stream)).collect();
        // Who wants the log does not wait for the disk.
        drop(log);
        let broadcasts = broadcasts.iter().zip(forgotten);
        let records = broadcasts.zip(head + 1..).map(|((broadcast, forgotten), offset)| Record {
            offset: Offset(offset),
            at,
            stream: broadcast.stream,
            message: &broadcast.message,
            class: &broadcast.class,
            forgotten,
        });
        let written = store.append(records, Offset(head + 1), through);
        *self.trouble.lock() = written.as_ref().err().map(ToString::to_string);
        written.map_err(|error| {
            self.stats.publish_errors.add(1);
            tracing::error!(%error, "a broadcast was not taken");
            PublishError(error)
        })
    }
}
