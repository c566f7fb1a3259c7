//! A log that several nodes share, whatever server keeps it. A [`Backend`] reaches the server.
//!
//! The server orders **groups**: what a node appends in one step. Each group has its node, a number by which it
//! is taken once, and an epoch. Beside the log there are **cells**: small values that are compared and set.

mod backend;
mod codec;

pub use backend::{Backend, Bounds, Cell, Expected, Failure, Group, Session, Space, Stored};

/// The cell that says which epoch counts, in [`Space::Lasting`].
pub const EPOCH: &str = "epoch";

/// Offsets that a group takes at most: one more does not fit below the sequence numbers of a server that numbers
/// groups and not records.
pub const RECORDS_MAX: u32 = 4_095;
