//! Writing what the leases ask for, and ending what has come to its end; a task does it, or a simulation.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use forebay_log::{Content, Control};
use forebay_presence::Presence as Sign;
use forebay_store::{Batch, LogStore};
use tokio::sync::Notify;

use super::super::tasks::claim;
use super::super::{Hub, Inner, Shared};

/// Records that are appended together.
const BATCH_RECORDS_MAX: usize = 256;

/// Bytes of ids and infos in them: well within what a server of a log takes at once.
const BATCH_BYTES_MAX: usize = 256 << 10;

impl Hub {
    /// Has it written what the leases ask for: at once where that is possible, else soon.
    pub(crate) fn write_presence(&self) {
        if self.0.store.is_none() {
            self.0.write_presence_here();
        }
        self.ensure_attended();
        self.0.presence.call();
    }

    /// Starts the task that attends to presence, in the runtime that sessions come from. A hub that nobody is
    /// present at has none.
    fn ensure_attended(&self) {
        if let Some(runtime) = claim(&self.0.presence.is_attended) {
            let called = Arc::clone(&self.0.presence.called);
            let hub = || Arc::downgrade(&self.0);
            runtime.spawn(attend(hub(), called, Attending(hub())));
        }
    }

    /// Ends what has come to its end by now, and writes what the leases ask for; simulations call it, all others
    /// have a task that does.
    pub async fn attend_presence(&self) {
        self.0.expire_leases();
        match &self.0.store {
            None => self.0.write_presence_here(),
            Some(store) => self.0.flush_presence(&**store).await,
        }
        self.0.plan_presence();
    }
}

/// Lets another runtime take over when this one ends.
struct Attending(Weak<Shared>);

impl Drop for Attending {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.presence.is_attended.store(false, Ordering::Relaxed);
        }
    }
}

async fn attend(hub: Weak<Shared>, called: Arc<Notify>, _attending: Attending) {
    loop {
        let Some(shared) = hub.upgrade() else { return };
        Hub(Arc::clone(&shared)).attend_presence().await;
        let due = shared.presence.due.load(Ordering::Acquire);
        let pause = Duration::from_millis(due.saturating_sub(shared.now().0));
        drop(shared);
        // Whether it was called or the time is over, it looks.
        let _ = tokio::time::timeout(pause, called.notified()).await;
    }
}

impl Inner {
    pub(in crate::hub) fn expire_leases(&self) {
        let now = self.now();
        self.presence.leases.lock().expire(now.0, |wake| wake.lived_at(now.0));
    }

    /// Gives what the leases ask for its place in a log in memory.
    pub(in crate::hub) fn write_presence_here(&self) {
        let _order = self.presence.order.lock();
        loop {
            let signs = self.take_signs();
            if signs.is_empty() {
                return;
            }
            for sign in signs {
                self.place_sign(self.now(), None, &sign);
            }
        }
    }

    fn take_signs(&self) -> Vec<Sign> {
        let now = self.now().0;
        let mut leases = self.presence.leases.lock();
        let sets = self.presence.sets.read();
        leases.take(now, |stream| sets.total(stream))
    }

    /// Says when there is something to do again.
    fn plan_presence(&self) {
        let leases = self.presence.leases.lock();
        let sets = self.presence.sets.read();
        let due = leases.next_due(|stream| sets.total(stream)).unwrap_or(u64::MAX);
        // Under the lock: whoever has changed something since calls after it.
        self.presence.due.store(due, Ordering::Release);
    }
}

impl Shared {
    /// For simulations, which have no task for it: with a log in memory it is a matter of this moment.
    pub(in crate::hub) fn tick_presence(&self) {
        if self.store.is_none() && self.presence.due.load(Ordering::Acquire) <= self.now().0 {
            self.expire_leases();
            self.write_presence_here();
            self.plan_presence();
        }
    }

    /// Appends what the leases ask for. One at a time does: what they say last stands last.
    async fn flush_presence(&self, store: &dyn LogStore) {
        loop {
            if self.presence.is_flushing.swap(true, Ordering::AcqRel) {
                // That one looks again behind its last batch.
                return;
            }
            let flushing = Flushing { shared: self, untaken: Vec::new() };
            let is_taken = flushing.run(store).await;
            if !is_taken || !self.has_signs() {
                return;
            }
        }
    }

    fn has_signs(&self) -> bool {
        let leases = self.presence.leases.lock();
        let sets = self.presence.sets.read();
        leases.has_news(self.now().0, |stream| sets.total(stream))
    }
}

/// Whoever appends. What it has not come to, or does not know to be taken, is put back.
struct Flushing<'a> {
    shared: &'a Shared,
    untaken: Vec<Sign>,
}

impl Flushing<'_> {
    /// False where something was not taken.
    async fn run(mut self, store: &dyn LogStore) -> bool {
        loop {
            self.untaken = self.shared.take_signs();
            if self.untaken.is_empty() {
                return true;
            }
            while !self.untaken.is_empty() {
                let count = batch_len(&self.untaken);
                let content =
                    |sign: &Sign| Content::Control(Control::Presence(Arc::new(sign.clone())));
                let contents = self.untaken[..count].iter().map(content).collect();
                let batch = Batch::new(self.shared.now(), contents);
                match store.append(batch).await {
                    Ok(last) => {
                        self.untaken.drain(..count);
                        self.shared.reached(last).await;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "who is present could not be said yet");
                        return false;
                    }
                }
            }
        }
    }
}

impl Drop for Flushing<'_> {
    fn drop(&mut self) {
        let now = self.shared.now().0;
        let mut leases = self.shared.presence.leases.lock();
        self.untaken.drain(..).for_each(|sign| leases.put_back(now, sign));
        drop(leases);
        self.shared.presence.is_flushing.store(false, Ordering::Release);
    }
}

/// How many of these go together.
fn batch_len(signs: &[Sign]) -> usize {
    let mut bytes = 0;
    let fits = |sign: &&Sign| {
        let is_first = bytes == 0;
        bytes += sign.bytes();
        is_first || bytes <= BATCH_BYTES_MAX
    };
    signs.iter().take(BATCH_RECORDS_MAX).take_while(fits).count()
}
