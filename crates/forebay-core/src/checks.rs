//! Mistakes in how an application is put together, which the compiler can't see. Each is said once, in
//! development builds, with its mend.

use std::sync::atomic::{AtomicBool, Ordering};

/// A mistake, and whether it has been said.
#[derive(Debug, Default)]
pub(crate) struct Mistake(AtomicBool);

impl Mistake {
    pub(crate) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Whether it is to be said now: it is made, and for the first time.
    pub(crate) fn is_news(&self, is_made: impl FnOnce() -> bool) -> bool {
        cfg!(debug_assertions)
            && !self.0.load(Ordering::Relaxed)
            && is_made()
            && !self.0.swap(true, Ordering::Relaxed)
    }
}
