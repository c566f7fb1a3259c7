//! What a hub does as a replica: it applies records in order, and tells whom they concern.

use std::pin::pin;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use forebay_log::{
    Applied, Content, Control, Forgotten, Lacking, Log, Offset, Position, Record, Revocation,
    presence_stream,
};
use forebay_store::{Left, Replica, Revoked, Snapshot};

use super::keeping::random_keys;
use super::{Hub, Inner};
use crate::presence::Known;
use crate::resumes::Resumes;
use crate::revocations::Revocations;
use crate::sessions::Sessions;
use crate::wake::Signals;

/// How long a page waits for its position. Past it the node is not just a little behind.
const BEHIND_MAX: Duration = Duration::from_secs(5);

/// What has been applied, and not been told yet.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Streams with something new.
    streams: Vec<Applied>,
    /// What connections have to do, by the places of the records.
    controls: Vec<(Offset, Control)>,
}

impl Replica for Inner {
    fn restore(&self, mut snapshot: Snapshot) {
        let now = self.clock.now();
        let revoked = std::mem::take(&mut snapshot.revoked);
        let revocations = Revocations::restored(now, revoked, snapshot.revoked_floor);
        let mut order = self.presence.order.lock();
        *order = if snapshot.lacks_presence { Known::Unasked } else { Known::Whole };
        {
            let mut sets = self.presence.sets.write();
            sets.clear();
            self.presence.is_whole.store(*order == Known::Whole, Ordering::Relaxed);
            for (at, sign) in snapshot.present.drain(..) {
                sets.apply(at, &sign);
            }
            let mut log = self.log.write();
            let empty = Log::new(snapshot.epoch, self.retention.clone());
            *log = snapshot.log_over(std::mem::replace(&mut *log, empty), now);
            // History may have become shorter.
            log.expire(now);
            if !self.presence.is_shared {
                let floor = snapshot.presence_floor.unwrap_or(log.head().offset);
                let changed = snapshot.presence_changed.iter().map(|(at, name)| (*at, &**name));
                log.restore_presence(now, floor, changed);
            }
            self.revocations.write().replace(revocations);
            // Before the epoch is seen: what they have proven is of the one before (`Client::leave_page`).
            self.call_all();
            if let Some(inspection) = &self.inspection {
                inspection.reached_begins(log.head().offset);
            }
            // In this order: see `position`.
            self.head.store(log.head().offset.0, Ordering::Release);
            self.epoch.store(log.head().epoch.0, Ordering::Release);
            // Before anybody can read it: who was here reads another log, and has to begin anew.
            self.call_all();
        }
        self.presence.leases.lock().begin_anew(now.0);
        self.presence.nodes.lock().begin_anew();
        drop(order);
        self.presence.call();
        // What was proven before is of another log: its offsets come again, for other entries.
        let (resumes, sessions) = match snapshot.page_keys {
            Some(keys) if self.shares => (Resumes::new(keys), Sessions::default()),
            Some(keys) => (
                Resumes::restored(now, keys, snapshot.pages, self.due.clone()),
                Sessions::restored(now, snapshot.sessions, self.due.clone()),
            ),
            None => (Resumes::new(random_keys()), Sessions::default()),
        };
        *self.resumes.lock() = resumes;
        *self.sessions.lock() = sessions;
        self.say_advanced();
    }

    fn apply(&self, records: &[Record]) {
        if records.iter().any(|record| record.presence().is_some()) {
            self.apply_with_presence(records);
        } else {
            let news = self.apply_to(&mut self.log.write(), records);
            self.tell(&news);
        }
        self.say_advanced();
    }

    fn forgotten(&self, stream: &str) -> Forgotten {
        self.log.read().forgotten(stream)
    }

    fn take_left(&self) -> Left {
        let (dropped, floor) = self.log.write().take_dropped();
        let revocations = std::mem::take(&mut *self.revocations_left.lock());
        let revoked_floor = self.revocations.read().floor();
        Left { dropped, floor, revocations, revoked_floor }
    }
}

impl Inner {
    fn call_all(&self) {
        self.connections.all().iter().for_each(|wake| wake.signal(Signals::DISCONNECT));
    }

    /// Applies records that are ordered, and moves the head. What they say is to be told when the log is
    /// free again.
    pub(super) fn apply_to(&self, log: &mut Log, records: &[Record]) -> News {
        let mut news = News::default();
        let mut broadcasts = 0;
        for record in records {
            if record.offset <= log.head().offset {
                continue;
            }
            match &record.content {
                Content::Entry { stream, .. } => {
                    broadcasts += 1;
                    self.traces.publish(record.offset, stream);
                }
                Content::Control(control) => {
                    // Remembered before the head moves, so that whoever looks finds it.
                    self.remember(record, control);
                    news.controls.push((record.offset, control.clone()));
                }
            }
            news.streams.extend(log.apply(record));
        }
        if self.timings.get().is_some() {
            self.time_apply(records);
        }
        self.head.store(log.head().offset.0, Ordering::Release);
        self.stats.broadcasts.add(broadcasts);
        news
    }

    fn remember(&self, record: &Record, control: &Control) {
        let (revocation, is_readmitted) = match control {
            Control::Revoke(revocation) => (revocation, false),
            Control::Readmit(revocation) => (revocation, true),
            _ => return,
        };
        let (at, made_at, revocation) = (record.offset, record.at, revocation.clone());
        let gone =
            self.revocations.write().add(&Revoked { at, made_at, revocation, is_readmitted });
        self.leave_revocations(gone);
    }

    pub(super) fn leave_revocations(&self, gone: Vec<Offset>) {
        // Without a store nobody takes them.
        if self.is_stored {
            self.revocations_left.lock().extend(gone);
        }
    }

    /// Tells whom it concerns. Gives the number of connections that are told to end.
    pub(super) fn tell(&self, news: &News) -> usize {
        self.doze.end();
        let told = news
            .streams
            .iter()
            .map(|applied| (applied.offset, self.rounds.tell(&self.subscribers, applied.stream)));
        let told: Vec<_> = told.collect();
        if self.presence.is_shared
            && let Some(inspection) = &self.inspection
        {
            for (offset, readers) in &told {
                inspection.reaches(*offset, *readers);
            }
        }
        let told_at = |at| told.iter().filter(|(offset, _)| *offset == at).map(|(_, n)| n).sum();
        let controls = news.controls.iter();
        controls.map(|(at, control)| self.obey(control, || told_at(*at))).sum()
    }

    /// Does what a control says; `subscribers` are those of the streams that it names.
    fn obey(&self, control: &Control, subscribers: impl FnOnce() -> usize) -> usize {
        match control {
            Control::Disconnect { identity, reconnects } => {
                let signal = if *reconnects { Signals::DISCONNECT } else { Signals::DISMISS };
                self.connections.signal_identity(identity, signal)
            }
            Control::Revoke(revocation) => self.end_revoked(revocation),
            Control::Readmit(revocation) => {
                let (identity, stream) = names(revocation);
                tracing::info!(identity, stream, "access given again");
                0
            }
            Control::Inquiry(inquiry) => {
                let (asks, left_out) = (self.inspection.is_some(), &self.stats.inquiries_left_out);
                self.inquiries.take(self.now().0, inquiry, asks, left_out);
                0
            }
            Control::Gap(lacking) => {
                self.stats.gaps.add(1);
                let stream = match lacking {
                    Lacking::Stream(stream) => stream.to_string(),
                    Lacking::Prefix(prefix) => format!("{prefix}*"),
                    Lacking::All => "*".to_owned(),
                };
                let subscribers = subscribers();
                tracing::warn!(
                    stream,
                    subscribers,
                    "a broadcast is missing: its pages load themselves again"
                );
                0
            }
            _ => 0,
        }
    }

    /// Ends the connections that have what was taken back.
    pub(super) fn end_revoked(&self, revocation: &Revocation) -> usize {
        self.stats.revocations.add(1);
        let (identity, stream) = names(revocation);
        tracing::info!(identity, stream, "access taken back");
        match (identity, stream) {
            (Some(identity), Some(_)) => {
                self.connections.signal_identity(identity, Signals::REVOKED)
            }
            // With everything taken back, a connection that reads nothing ends, too.
            (Some(identity), None) => {
                self.connections.signal_identity(identity, Signals::DISCONNECT)
            }
            (None, Some(stream)) => {
                // Who may read it may see who is present there, and nobody else.
                let names = [stream.to_owned(), presence_stream(stream)];
                let find = |name: &String| self.log.read().find(name);
                let ids = names.iter().filter_map(find);
                ids.map(|id| self.subscribers.signal(id, Signals::REVOKED)).sum()
            }
            (None, None) => 0,
        }
    }

    /// Waits until the log has come to this position here, or another log is in its place.
    pub(super) async fn reached(&self, position: Position) {
        let Position { epoch, offset } = position;
        self.until(|at| at.offset >= offset || at.epoch != epoch).await;
    }

    /// Waits until the log stands where this holds.
    pub(super) async fn until(&self, holds: impl Fn(Position) -> bool) {
        if holds(self.position()) {
            return;
        }
        self.awaiting.fetch_add(1, Ordering::Relaxed);
        let _awaiting = Awaiting(self);
        // Either the head is seen here, or who moves it sees that somebody waits.
        fence(Ordering::SeqCst);
        let mut advanced = pin!(self.advanced.notified());
        loop {
            advanced.as_mut().enable();
            if holds(self.position()) {
                return;
            }
            advanced.as_mut().await;
            advanced.set(self.advanced.notified());
        }
    }

    fn say_advanced(&self) {
        fence(Ordering::SeqCst);
        if self.awaiting.load(Ordering::Relaxed) > 0 {
            self.advanced.notify_waiters();
        }
    }
}

impl Hub {
    /// Whether its log has a store, and may be behind another node's.
    pub fn is_stored(&self) -> bool {
        self.0.is_stored
    }

    /// Whether other nodes may have its log.
    pub(crate) fn has_other_nodes(&self) -> bool {
        self.0.store.as_ref().is_some_and(|store| store.is_shared())
    }

    /// Whether several nodes have its log, and hand over their clients.
    pub fn is_shared(&self) -> bool {
        self.0.shares
    }

    /// Waits for a position of this log that is further than it has come here: a page's, say, that another
    /// node has rendered. That is a matter of milliseconds; after five seconds whoever waits goes on
    /// without. `None` where there is nothing to wait for.
    pub fn catches_up_with(
        &self,
        position: Position,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let here = self.position();
        let is_behind =
            self.0.is_stored && position.epoch == here.epoch && position.offset > here.offset;
        let hub = is_behind.then(|| self.clone())?;
        Some(async move {
            let _ = tokio::time::timeout(BEHIND_MAX, hub.0.reached(position)).await;
        })
    }
}

/// Counts one who waits, for as long as they do.
struct Awaiting<'a>(&'a Inner);

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        self.0.awaiting.fetch_sub(1, Ordering::Relaxed);
    }
}

fn names(revocation: &Revocation) -> (Option<&str>, Option<&str>) {
    let (identity, stream) = (revocation.identity(), revocation.stream());
    (identity.map(|identity| &**identity), stream.map(|stream| &**stream))
}
