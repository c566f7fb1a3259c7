//! Writing what the leases ask for, and ending what has come to its end; a task does it, or a simulation.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use forebay_log::{Applied, Content, Control, Position};
use forebay_presence::Presence as Sign;
use forebay_store::{Batch, LogStore};
use tokio::sync::Notify;

use super::super::tasks::claim;
use super::super::{Hub, Inner, Shared};
use crate::presence::Known;

/// Records that are appended together.
const BATCH_RECORDS_MAX: usize = 256;

/// Members of a node that is gone whom one record of each stream ends, before it is looked again.
const ENDED_MAX: usize = 1_000;

/// After so long it is tried again what was not taken.
const RETRY_MS: u64 = 500;

/// What could not be done just now is not tried again at once.
const PAUSE_MIN: Duration = Duration::from_millis(10);

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

    /// Starts the task that attends to presence, in the runtime that sessions come from. A hub in memory that
    /// nobody was present at has none.
    pub(in crate::hub) fn ensure_attended(&self) {
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
        self.0.become_whole();
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
        let pause = Duration::from_millis(due.saturating_sub(shared.now().0)).max(PAUSE_MIN);
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
        let mut order = self.presence.order.lock();
        loop {
            let signs = self.take_signs();
            if signs.is_empty() {
                return;
            }
            for sign in signs {
                self.place_sign(&mut order, self.now(), None, &sign);
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
        let now = self.now().0;
        let known = match *self.presence.order.lock() {
            Known::Whole => None,
            Known::Unasked => Some(now + RETRY_MS),
            Known::Asked(until) => Some(until),
        };
        let leases = self.presence.leases.lock();
        let sets = self.presence.sets.read();
        let again = leases.has_more_again().then_some(now + RETRY_MS);
        let nodes = sets.nodes().map(|(node, _)| node);
        let watched = self.presence.nodes.lock().next_due(now, nodes);
        let due = leases.next_due(|stream| sets.total(stream));
        let due = known.into_iter().chain(again).chain(watched).chain(due).min();
        // Under the locks: whoever has changed something since calls after it.
        self.presence.due.store(due.unwrap_or(u64::MAX), Ordering::Release);
    }

    /// A node that has asked who is there knows it by now. Whoever was shown less begins anew.
    fn become_whole(&self) {
        let now = self.now();
        let mut known = self.presence.order.lock();
        let is_due = matches!(*known, Known::Asked(until) if until <= now.0);
        if !is_due {
            return;
        }
        *known = Known::Whole;
        let sets = self.presence.sets.write();
        let applied = self.log.write().forget_presence(now);
        self.presence.is_whole.store(true, Ordering::Relaxed);
        drop(sets);
        for Applied { stream, .. } in applied {
            self.rounds.tell(&self.subscribers, stream);
        }
    }

    /// What this node has to say that is not of its own sessions: that it lives, that it has just begun, whom
    /// others have left behind, and once more what somebody asks for.
    fn take_node_signs(&self, signs: &mut Vec<Sign>) {
        let (now, own) = (self.now().0, self.presence.node);
        if *self.presence.order.lock() == Known::Unasked {
            signs.push(Sign::Asks { node: own });
        }
        let mut leases = self.presence.leases.lock();
        let sets = self.presence.sets.read();
        let known = |stream: &str, id: &str| {
            sets.info(stream, id).map(|(info, since)| (Arc::clone(info), since))
        };
        signs.extend(leases.take_again(BATCH_BYTES_MAX, known));
        let mut nodes = self.presence.nodes.lock();
        if nodes.is_sign_due(now, !sets.is_empty()) {
            nodes.sign_written(now);
            signs.push(Sign::Alive { node: own });
        }
        if nodes.takes_leave() && sets.nodes().any(|(node, _)| node == own) {
            signs.push(Sign::Leaves { node: own });
        }
        for (node, seen) in nodes.gone(now, sets.nodes()) {
            let held = sets.held_by(node, ENDED_MAX);
            let members = held.iter().map(|(_, members)| members.len()).sum::<usize>();
            tracing::warn!(%node, members, "nothing is heard of a node: its members leave");
            let ended = |(stream, members)| Sign::Ended { node, by: own, seen, stream, members };
            signs.extend(held.into_iter().map(ended));
        }
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
        leases.has_more_again() || leases.has_news(self.now().0, |stream| sets.total(stream))
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
            self.shared.take_node_signs(&mut self.untaken);
            if self.untaken.is_empty() {
                return true;
            }
            while !self.untaken.is_empty() {
                let count = batch_len(&self.untaken);
                let content =
                    |sign: &Sign| Content::Control(Control::Presence(Arc::new(sign.clone())));
                let contents = self.untaken[..count].iter().map(content).collect();
                let batch = Batch::new(self.shared.now(), contents);
                let epoch = self.shared.position().epoch;
                match store.append(batch).await {
                    Ok(offset) => {
                        self.untaken.drain(..count);
                        self.shared.reached(Position { epoch, offset }).await;
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
