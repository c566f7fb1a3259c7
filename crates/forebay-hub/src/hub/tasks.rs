//! The hub's tasks: one that ticks, and those that take rounds. They end with the hub, or with their
//! runtime; then another's take over.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;

use super::{Hub, Inner, TICK_PARTS, TICKS_PER_INTERVAL};
use crate::rounds::Taker;

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
fn claim(is_done: &AtomicBool) -> Option<Handle> {
    if is_done.load(Ordering::Relaxed) {
        return None;
    }
    let runtime = Handle::try_current().ok()?;
    (!is_done.swap(true, Ordering::Relaxed)).then_some(runtime)
}

/// Lets another runtime take over the tick when this one ends.
struct Ticking(Weak<Inner>);

impl Drop for Ticking {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade() {
            inner.is_ticking.store(false, Ordering::Relaxed);
        }
    }
}

/// Has readers signalled when nobody takes rounds any more, and lets another runtime begin with it.
struct Taking(Weak<Inner>);

impl Drop for Taking {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade()
            && inner.rounds.remove_taker()
        {
            inner.takes_rounds.store(false, Ordering::Relaxed);
        }
    }
}

async fn take_rounds(hub: Weak<Inner>, _taking: Taking) {
    let Some(planned) = hub.upgrade().map(|inner| Arc::clone(&inner.rounds.planned)) else {
        return;
    };
    let mut taker = Taker::default();
    loop {
        let mut waiting = pin!(planned.notified());
        waiting.as_mut().enable();
        loop {
            let Some(inner) = hub.upgrade() else { return };
            if !inner.round(&mut taker) {
                break;
            }
            drop(inner);
            tokio::task::yield_now().await;
        }
        waiting.await;
    }
}

async fn tick(hub: Weak<Inner>, _ticking: Ticking) {
    let Some(interval) = hub.upgrade().map(|inner| inner.limits.ping_interval_ms) else { return };
    let pause = interval / TICKS_PER_INTERVAL / TICK_PARTS as u64;
    let mut ticks = tokio::time::interval(Duration::from_millis(pause.max(1)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for part in (0..TICK_PARTS).cycle() {
        ticks.tick().await;
        let Some(inner) = hub.upgrade() else { return };
        inner.tick(part);
    }
}
