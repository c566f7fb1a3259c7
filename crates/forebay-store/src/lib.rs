//! Where a log is ordered and kept, so that nodes agree on it, and pages go on where they were after a
//! restart.
//!
//! - [`LogStore`] is what a store does, and [`Replica`] what a node that follows it does. `forebay-store-tests`
//!   holds every store to it.
//! - [`Folder`] is a log on disk, for one process.
//!
//! Nobody reads here: a hub reads its own replica, in memory.
//!
//! The folder's database is `fjall`, a log-structured tree whose journal takes a batch whole or not at all.
//! What it promises depends on [`Fsync`]. A process that dies loses nothing that was acknowledged. A
//! machine that loses power may lose the last moments, unless every write is synced. The next start notices
//! that (another boot, and no clean end) and begins a new epoch, so that every page is told to heal. Only
//! Linux names its boots. On other systems each end that was not clean counts as a loss of power. What
//! can't be read on disk counts as lost.

mod block;
mod changes;
mod error;
mod folder;
mod format;
mod log_store;
mod marker;
mod open;
mod pages;
mod record;
mod recover;
mod store;
mod taken;

pub use changes::ChangesGone;
pub use error::{AppendError, StoreError};
pub use folder::Folder;
pub use log_store::{Arrival, Batch, Handover, Handovers, LeftPage, LogStore, Pending, Replica};
pub use pages::{KeptPage, Pages};
pub use record::{Fsync, Left, Revoked, RevokedFloor, Row, Snapshot, Written};
pub use store::{Noted, Store};
pub use taken::{TAKEN_MAX, Taken};
