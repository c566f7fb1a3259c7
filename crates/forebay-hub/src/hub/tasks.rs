//! The hub's tasks: one that ticks, and those that take rounds. They end with the hub, or with their
//! runtime; then another's take over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::{Hub, Inner, Shared, TICK_PARTS, TICKS_PER_INTERVAL};
use crate::rounds::{self, Taker};

/// How long it is relied on that whoever has something to do says so.
const DOZE_MAX: Duration = Duration::from_hours(1);

impl Hub {
    /// Starts the tick in the runtime that uses the hub.
    pub(super) fn ensure_ticking(&self) {
        if let Some(runtime) = claim(&self.0.is_ticking) {
            let hub = || Arc::downgrade(&self.0);
            runtime.spawn(tick(hub(), Ticking(hub())));
        }
    }

    /// Starts the tasks that take rounds, in the runtime that connections come from, which so has an
    /// interest in them; publishers may be elsewhere.
    pub(super) fn ensure_rounds(&self) {
        let Some(runtime) = claim(&self.0.takes_rounds) else { return };
        for _ in 0..runtime.metrics().num_workers() {
            self.0.rounds.add_taker();
            let hub = || Arc::downgrade(&self.0);
            runtime.spawn(take_rounds(hub(), Taking(hub())));
        }
    }
}

/// The runtime that is to do something which nobody does yet, if this is one.
pub(super) fn claim(is_done: &AtomicBool) -> Option<Handle> {
    if is_done.load(Ordering::Relaxed) {
        return None;
    }
    let runtime = Handle::try_current().ok()?;
    (!is_done.swap(true, Ordering::Relaxed)).then_some(runtime)
}

/// Lets another runtime take over the tick when this one ends.
struct Ticking(Weak<Shared>);

impl Drop for Ticking {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade() {
            inner.is_ticking.store(false, Ordering::Relaxed);
        }
    }
}

/// Has readers signalled when nobody takes rounds any more, and lets another runtime begin with it.
struct Taking(Weak<Shared>);

impl Drop for Taking {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade()
            && inner.rounds.remove_taker()
        {
            inner.takes_rounds.store(false, Ordering::Relaxed);
        }
    }
}

async fn take_rounds(hub: Weak<Shared>, _taking: Taking) {
    let Some(planned) = hub.upgrade().map(|inner| Arc::clone(&inner.rounds.planned)) else {
        return;
    };
    let mut taker = Taker::default();
    rounds::take_rounds(&planned, || Some(hub.upgrade()?.round(&mut taker))).await;
}

/// Goes from part to part, past those that nobody is in. So a few connections cost a few wake-ups, and a
/// hub that nobody uses costs none.
async fn tick(hub: Weak<Shared>, _ticking: Ticking) {
    let Some(interval) = hub.upgrade().map(|inner| inner.limits.ping_interval_ms) else { return };
    let pause = interval / TICKS_PER_INTERVAL / TICK_PARTS as u64;
    let pause = Duration::from_millis(pause.max(1));
    let (mut part, mut at) = (0, Instant::now());
    loop {
        if part == 0 && doze(&hub).await {
            at = Instant::now();
        }
        let Some(inner) = hub.upgrade() else { return };
        inner.tick(part);
        if part == 0 && !inner.gaps.lock().is_empty() {
            let hub = Hub(Arc::clone(&inner));
            tokio::spawn(async move { hub.tell_gaps().await });
        }
        let parts = inner.connections.parts_until_next(part, TICK_PARTS);
        drop(inner);
        part = (part + parts) % TICK_PARTS;
        // Parts that were missed are not made up for.
        at = Instant::now().max(at + pause * u32::try_from(parts).unwrap_or(u32::MAX));
        tokio::time::sleep_until(at).await;
    }
}

/// Sleeps as long as there is nothing to do for whoever ticks. True if it slept at all.
async fn doze(hub: &Weak<Shared>) -> bool {
    let Some(doze) = hub.upgrade().map(|inner| Arc::clone(&inner.doze)) else { return false };
    let Some((idle, woken)) = doze.begin(|| hub.upgrade()?.is_idle_for()) else { return false };
    // Whether it is over in time, or somebody has come: it looks again.
    let _ = tokio::time::timeout(idle, woken).await;
    true
}

impl Inner {
    /// How long there is nothing to do; `None` if there is now.
    fn is_idle_for(&self) -> Option<Duration> {
        if self.connections.len() > 0
            || !self.resumes.lock().is_empty()
            || !self.sessions.lock().is_empty()
            || !self.gaps.lock().is_empty()
        {
            return None;
        }
        let due = self.log.read().expires_at();
        let left = due.map(|due| Duration::from_millis(due.0.saturating_sub(self.clock.now().0)));
        left.map_or(Some(DOZE_MAX), |left| (!left.is_zero()).then_some(left.min(DOZE_MAX)))
    }
}
