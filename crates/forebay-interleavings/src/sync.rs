//! What stands in for forebay-hub's `sync`: the same names, but shuttle decides at each use which thread
//! goes on.

use std::fmt;
use std::task::Waker;

pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering};
use shuttle::sync::{self, MutexGuard, RwLockReadGuard, RwLockWriteGuard};

/// The real one. Another thread may come before each of its steps, and not within one.
#[derive(Debug, Default)]
pub(crate) struct AtomicWaker {
    real: atomic_waker::AtomicWaker,
    steps: AtomicUsize,
}

impl AtomicWaker {
    pub(crate) fn register(&self, waker: &Waker) {
        self.steps.fetch_add(1, Ordering::SeqCst);
        self.real.register(waker);
    }

    pub(crate) fn wake(&self) {
        self.steps.fetch_add(1, Ordering::SeqCst);
        self.real.wake();
    }
}

/// As `parking_lot`'s: without poisoning.
#[derive(Default)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("nobody panics with it")
    }

    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex").finish_non_exhaustive()
    }
}

/// The same.
#[derive(Default)]
pub(crate) struct RwLock<T>(sync::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().expect("nobody panics with it")
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().expect("nobody panics with it")
    }
}

impl<T> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RwLock").finish_non_exhaustive()
    }
}
