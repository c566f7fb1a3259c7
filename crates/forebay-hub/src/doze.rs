//! The sleep of the task that ticks, while there is nothing to tick for.

use tokio::sync::Notify;

use crate::sync::{AtomicBool, Ordering};

#[derive(Debug, Default)]
pub(crate) struct Doze {
    sleeps: AtomicBool,
    woken: Notify,
}

impl Doze {
    /// Falls asleep if `idle` says for how long. Gives that, and a future that ends the sleep earlier.
    ///
    /// The sleep is announced before `idle` is asked. `idle` looks behind locks, and so does whoever
    /// brings something to do. So either `idle` sees it, or its bringer sees the sleep and ends it.
    pub(crate) fn begin<T>(
        &self,
        idle: impl FnOnce() -> Option<T>,
    ) -> Option<(T, impl Future<Output = ()>)> {
        self.sleeps.store(true, Ordering::Relaxed);
        let Some(idle) = idle() else {
            self.sleeps.store(false, Ordering::Relaxed);
            return None;
        };
        let awake = Awake(&self.sleeps);
        let woken = async move {
            self.woken.notified().await;
            drop(awake);
        };
        Some((idle, woken))
    }

    /// There is something to tick for. Call it after that can be seen.
    pub(crate) fn end(&self) {
        if self.sleeps.load(Ordering::Relaxed) {
            self.woken.notify_one();
        }
    }
}

/// Nobody sleeps any more when this goes.
struct Awake<'a>(&'a AtomicBool);

impl Drop for Awake<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
