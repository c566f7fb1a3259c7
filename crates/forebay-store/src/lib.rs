//! The durable log: what is broadcast is written down before anybody is told of it, and read back
//! at the next start, so that pages go on where they were.
//!
//! The store is `fjall`, a log-structured tree whose journal takes a batch whole or not at all.
//! Reading never comes here: the log in memory is what is read, and this is its copy.
//!
//! What is promised depends on [`Fsync`]. A process that dies loses nothing that was acknowledged. A
//! machine that loses power may lose the last moments, unless every write is synced; then the
//! next start finds that out (another boot, no clean end) and begins a new epoch, so that every page
//! is told to heal itself. Where the system does not name its boots, which only Linux does, each end
//! that was not clean is taken for a loss of power. What can't be read on disk is taken for lost, too.

mod block;
mod error;
mod folder;
mod format;
mod log_store;
mod marker;
mod memory;
mod open;
mod pages;
mod record;
mod recover;
mod store;

pub use error::{AppendError, StoreError};
pub use folder::Folder;
pub use log_store::{Handover, LogStore, Pending, Replica};
pub use memory::Memory;
pub use pages::{KeptPage, Pages};
pub use record::{Fsync, Left, Revoked, RevokedFloor, Row, Snapshot, Written};
pub use store::Store;
