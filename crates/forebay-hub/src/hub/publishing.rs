//! Publishing: places in the order, and telling a stream's readers; and saying that a stream lacks what
//! could not be published.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use forebay_log::{
    Content, Control, Lacking, Log, Offset, Position, Record, UnixMillis, is_reserved,
};
use forebay_store::{Batch, LogStore, StoreError};
use tokio::runtime::Handle;

use super::{Broadcast, Hub, PublishError, Published, Shared};

/// Streams that are remembered to lack something while it can't be told, 100 bytes each. Past it all
/// streams are told.
const GAPS_MAX: usize = 10_000;

/// Which streams lack something that could not be told yet.
#[derive(Debug, Default)]
pub(super) enum Gaps {
    #[default]
    None,
    Of(BTreeSet<Arc<str>>),
    Everywhere,
}

impl Hub {
    /// Publishes one broadcast: it has its place in the order, here and wherever the log is, when this
    /// returns. A log in memory gives it at once.
    ///
    /// # Errors
    /// [`PublishError`] where the log has a store, and that does not take it.
    pub async fn publish(&self, broadcast: Broadcast<'_>) -> Result<Published, PublishError> {
        self.ensure_ticking();
        check_name(&broadcast)?;
        match &self.0.store {
            None => Ok(self.0.publish_here(broadcast)),
            Some(store) => Ok(self.0.order(&**store, [broadcast]).await?[0]),
        }
    }

    /// Publishes several in this order, with nothing of anybody else's between them.
    ///
    /// # Errors
    /// [`PublishError`] where the log has a store, and that does not take them: none is published.
    pub async fn publish_all<'a>(
        &self,
        broadcasts: impl IntoIterator<Item = Broadcast<'a>>,
    ) -> Result<Vec<Published>, PublishError> {
        self.ensure_ticking();
        // What makes them is the caller's: it has run before a lock is held.
        let broadcasts: Vec<_> = broadcasts.into_iter().collect();
        broadcasts.iter().try_for_each(check_name)?;
        match &self.0.store {
            None => Ok(self.0.publish_all_here(broadcasts)),
            Some(store) => self.0.order(&**store, broadcasts).await,
        }
    }

    /// The same for broadcasts that may be asked for again, by this process or another, because whoever asked
    /// was killed before it had noted the answer. Those of one name are published once. Gives the end's
    /// position.
    ///
    /// At least the last 10 000 names are remembered: where the log is kept, over a restart.
    ///
    /// # Errors
    /// As there.
    pub async fn publish_once(
        &self,
        name: &str,
        broadcasts: Vec<Broadcast<'_>>,
    ) -> Result<Position, PublishError> {
        self.ensure_ticking();
        broadcasts.iter().try_for_each(check_name)?;
        let Some(store) = &self.0.store else {
            return Ok(self.0.publish_once_here(name, broadcasts));
        };
        let contents = broadcasts.into_iter().map(|broadcast| content(broadcast).1).collect();
        let now = self.0.clock.now();
        self.0.append(&**store, Batch { at: now, contents, name: Some(name.into()) }).await
    }

    /// The same for whoever can't wait, because its runtime ends: the store is asked, and nobody hears what
    /// it says. Where that may have been nothing, the stream's pages are told that they may lack something.
    pub fn post(&self, broadcast: Broadcast<'_>) {
        let stream = broadcast.stream;
        let publishing = pin!(self.publish(broadcast));
        let published = publishing.poll(&mut Context::from_waker(Waker::noop()));
        if !matches!(published, Poll::Ready(Ok(_))) {
            self.gap_soon([stream]);
        }
    }

    /// Gives a control its place. Gives it, and how many connections here are told to end.
    pub(super) async fn control(
        &self,
        control: Control,
    ) -> Result<(Position, usize), PublishError> {
        self.ensure_ticking();
        let Some(store) = &self.0.store else {
            return Ok(self.0.append_here(vec![Content::Control(control)]));
        };
        let count = match &control {
            Control::Disconnect { identity, .. } => self.0.connections.count(identity),
            _ => 0,
        };
        Ok((
            self.0
                .append(&**store, Batch::new(self.0.clock.now(), vec![Content::Control(control)]))
                .await?,
            count,
        ))
    }

    /// Says that these streams lack something which should have been published and was not: their
    /// readers are told to heal themselves, now or when they come back. For whoever can't refuse any
    /// more what the log does not take: its change is committed.
    ///
    /// This holds over a restart. Where the store does not take it now, it is told again and again.
    pub async fn gap<'a>(&self, streams: impl IntoIterator<Item = &'a str>) {
        self.0.gaps.lock().add(streams);
        self.tell_gaps().await;
    }

    /// The same for all streams, where nobody knows any more which lack something.
    pub async fn gap_everywhere(&self) {
        *self.0.gaps.lock() = Gaps::Everywhere;
        self.tell_gaps().await;
    }

    /// The same for whoever can't wait: it is told soon. Without a store that is at once.
    pub fn gap_soon<'a>(&self, streams: impl IntoIterator<Item = &'a str>) {
        self.ensure_ticking();
        self.0.gaps.lock().add(streams);
        if self.0.store.is_none() {
            self.0.tell_gaps_here();
        } else if let Ok(runtime) = Handle::try_current() {
            let hub = self.clone();
            runtime.spawn(async move { hub.tell_gaps().await });
        }
    }

    /// Tells what could not be told before. What is not taken now is left for the next tick.
    pub(super) async fn tell_gaps(&self) {
        self.ensure_ticking();
        let Some(store) = &self.0.store else {
            self.0.tell_gaps_here();
            return;
        };
        let gaps = std::mem::take(&mut *self.0.gaps.lock());
        let batch = gaps.batch();
        if batch.is_empty() {
            return;
        }
        let epoch = self.position().epoch;
        match store.append(Batch::new(self.0.clock.now(), batch)).await {
            Ok(offset) => self.0.reached(Position { epoch, offset }).await,
            Err(error) => {
                tracing::error!(%error, "that broadcasts are missing could not be told yet");
                self.0.gaps.lock().put_back(gaps);
            }
        }
    }
}

impl Shared {
    /// Has the store give broadcasts their places.
    async fn order<'a>(
        &self,
        store: &dyn LogStore,
        broadcasts: impl IntoIterator<Item = Broadcast<'a>>,
    ) -> Result<Vec<Published>, PublishError> {
        let (streams, batch): (Vec<_>, Vec<_>) = broadcasts.into_iter().map(content).unzip();
        let last = self.append(store, Batch::new(self.clock.now(), batch)).await?;
        let first = last.offset.0 + 1 - streams.len() as u64;
        let published = (first..).zip(&streams).map(|(offset, stream)| Published {
            position: Position { offset: Offset(offset), ..last },
            subscribers: self.readers(stream),
        });
        Ok(published.collect())
    }

    /// Has the store append a batch, and waits until it is applied here. Gives the last one's position.
    async fn append(&self, store: &dyn LogStore, batch: Batch) -> Result<Position, PublishError> {
        if batch.contents.is_empty() {
            return Ok(self.position());
        }
        let is_kept = batch.contents.iter().any(|content| !content.is_ephemeral());
        // Where another epoch begins meanwhile, nobody can say in which of the two it was taken. A page that goes on
        // from the older one is told.
        let epoch = self.position().epoch;
        let last = store.append(batch).await.map_err(|error| {
            self.stats.publish_errors.add(1);
            *self.trouble.lock() = Some(error.to_string());
            tracing::error!(%error, "a broadcast was not taken");
            PublishError(error)
        })?;
        if is_kept {
            // That of what nobody keeps says nothing of the disk.
            *self.trouble.lock() = None;
        }
        let position = Position { epoch, offset: last };
        self.reached(position).await;
        Ok(position)
    }

    /// Has a log in memory give a broadcast its place, and tells the stream's readers.
    fn publish_here(&self, Broadcast { stream, message, class }: Broadcast<'_>) -> Published {
        let applied = self.place(1, |log, now| log.append(now, stream, message, class));
        self.traces.publish(applied.offset, stream);
        self.published(applied)
    }

    fn publish_all_here(&self, broadcasts: Vec<Broadcast<'_>>) -> Vec<Published> {
        let applied: Vec<_> = self.place(broadcasts.len(), |log, now| {
            let append = |Broadcast { stream, message, class }: Broadcast<'_>| {
                let applied = log.append(now, stream, message, class);
                self.traces.publish(applied.offset, stream);
                applied
            };
            broadcasts.into_iter().map(append).collect()
        });
        applied.into_iter().map(|applied| self.published(applied)).collect()
    }

    fn publish_once_here(&self, name: &str, broadcasts: Vec<Broadcast<'_>>) -> Position {
        // Held until they have their places: the same name at the same time waits.
        let mut taken = self.taken.lock();
        let end = taken.end(name).unwrap_or_else(|| {
            let published = self.publish_all_here(broadcasts);
            let end = published.last().map_or(self.position().offset, |last| last.position.offset);
            taken.insert(name.into(), end);
            end
        });
        Position { offset: end, ..self.position() }
    }

    /// Has a log in memory take so many broadcasts, and moves the head.
    fn place<T>(&self, count: usize, append: impl FnOnce(&mut Log, UnixMillis) -> T) -> T {
        let now = self.clock.now();
        let mut log = self.log.write();
        let applied = append(&mut log, now);
        if self.timings.get().is_some() {
            self.time_publish(count, log.head().offset);
        }
        self.head.store(log.head().offset.0, Ordering::Release);
        drop(log);
        self.doze.end();
        self.stats.broadcasts.add(count as u64);
        applied
    }

    fn published(&self, applied: forebay_log::Applied) -> Published {
        Published {
            position: Position { offset: applied.offset, ..self.position() },
            subscribers: self.rounds.tell(&self.subscribers, applied.stream),
        }
    }

    /// Gives contents their places in a log in memory. Gives the last one's, and how many connections are
    /// told to end.
    fn append_here(&self, batch: Vec<Content>) -> (Position, usize) {
        let at = self.clock.now();
        let mut log = self.log.write();
        let records = Record::sequence(log.head().offset, at, batch);
        let news = self.apply_to(&mut log, &records);
        let position = log.head();
        drop(log);
        (position, self.tell(&news))
    }

    fn tell_gaps_here(&self) {
        let gaps = std::mem::take(&mut *self.gaps.lock());
        self.append_here(gaps.batch());
    }

    /// How many read this stream.
    fn readers(&self, stream: &str) -> usize {
        let id = self.log.read().find(stream);
        id.map_or(0, |id| self.subscribers.count(id))
    }
}

/// Nobody else publishes to our own streams: what stands there is what replicas make of records.
fn check_name(broadcast: &Broadcast<'_>) -> Result<(), PublishError> {
    if !is_reserved(broadcast.stream) {
        return Ok(());
    }
    let what =
        "a stream's name begins with the control character U+0001, which is for Forebay's own";
    Err(PublishError(StoreError::Unfit(what.to_owned()).into()))
}

fn content(Broadcast { stream, message, class }: Broadcast<'_>) -> (Arc<str>, Content) {
    let stream = Arc::<str>::from(stream);
    (Arc::clone(&stream), Content::Entry { stream, message, class })
}

impl Gaps {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    fn add<'a>(&mut self, streams: impl IntoIterator<Item = &'a str>) {
        for stream in streams {
            match self {
                Self::None => *self = Self::Of([stream.into()].into()),
                Self::Of(streams) if streams.len() < GAPS_MAX => {
                    streams.insert(stream.into());
                }
                Self::Of(_) => *self = Self::Everywhere,
                Self::Everywhere => return,
            }
        }
    }

    fn put_back(&mut self, gaps: Self) {
        match gaps {
            Self::None => {}
            Self::Of(streams) => self.add(streams.iter().map(|stream| &**stream)),
            Self::Everywhere => *self = Self::Everywhere,
        }
    }

    fn batch(&self) -> Vec<Content> {
        let gap = |lacking| Content::Control(Control::Gap(lacking));
        match self {
            Self::None => Vec::new(),
            Self::Of(streams) => {
                streams.iter().map(|stream| gap(Lacking::Stream(Arc::clone(stream)))).collect()
            }
            Self::Everywhere => vec![gap(Lacking::All)],
        }
    }
}
