//! A log that several nodes share, whatever server keeps it: a [`Backend`] reaches the server, and a
//! [`SharedLog`] is the [`LogStore`](forebay_store::LogStore) that a hub follows.
//!
//! The server orders **groups**: what a node appends in one step. Each group has its node, a number by which it
//! is taken once, and an epoch. Beside the log there are **cells**: small values that are compared and set.
//!
//! # What holds
//! - **Once.** A group is sent until it is answered, with the same number each time, and the server takes each
//!   number once. A batch with a name is taken once whoever asks for it.
//! - **One history.** The cell [`EPOCH`] names the epoch and the server's history. Each connection asks for the
//!   history first. If it is another one, the server may have lost what it had acknowledged, and a new
//!   epoch begins: all pages load themselves again. Groups of another epoch do not count, for any node.
//! - **No silence.** A node that can't read on is told what is gone, begins anew, and so do its pages. A
//!   publisher waits at most [`Options::append_max`], and is told whether the outcome is known.

mod append;
mod backend;
mod cells;
mod codec;
mod epoch;
mod line;
mod log;
mod revoked;
mod tail;
mod url;

pub use backend::{Backend, Bounds, Cell, Expected, Failure, Group, Session, Space, Stored};
pub use forebay_store::TAKEN_MAX;
pub use log::{Options, SharedLog};
pub use url::{KEEP, KEEP_BYTES, Settings, UrlError, UrlOption, UrlOptions};

/// The cell that says which epoch counts, in [`Space::Lasting`]: `{"epoch":"<decimal>", …}`.
pub const EPOCH: &str = "epoch";

/// Offsets that a group takes at most: one more does not fit below the sequence numbers of a server that numbers
/// groups and not records.
pub const RECORDS_MAX: u32 = 4_095;
