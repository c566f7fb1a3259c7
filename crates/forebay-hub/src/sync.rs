//! Where threads meet that wake each other.
//!
//! One file, so that forebay-interleavings can put primitives in its place that try every order in which
//! threads may come: it compiles `wake`, `subscribers`, `rounds` and `doze` as they are, with its own `sync`.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering};

pub(crate) use atomic_waker::AtomicWaker;
pub(crate) use parking_lot::{Mutex, RwLock};
