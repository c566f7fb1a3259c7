//! A replica of the log, and everybody who reads it here.
//!
//! A broadcast gets its place in the log, here in memory or by a store that orders for all nodes. Then it
//! is applied, and a pass over the stream's readers is planned. Nothing is copied into queues: each
//! reader reads on from its own position. So a slow reader owns nothing but its position, and all readers
//! see one order over all their streams.
//!
//! These are the types to begin with:
//!
//! - [`Hub`]: the replica, and all who read it. Publishing, revocations and shutting down begin here.
//! - [`Client`]: one connection's place in the hub. It attaches to streams and reads from them.
//! - [`Round`] and [`Seat`]: writing for many connections from one task.
//! - [`Stats`]: the counters.
//!
//! Sockets and protocols are forebay-transport's and forebay-cable's. Signatures, and who may subscribe
//! to what, are the application's.

mod census;
mod client;
mod clock;
mod connections;
mod doze;
mod heals;
mod hub;
mod inspection;
mod notices;
mod prefetch;
mod presence;
mod read;
mod reidentified;
mod replays;
mod resumes;
mod revocations;
mod round;
mod rounds;
mod sessions;
mod stats;
mod subscribers;
mod sync;
mod timings;
mod traces;
mod wake;

pub use census::{Means, Transport};
pub use client::{Client, Refused};
pub use forebay_log::Revocation;
pub use forebay_presence::{Change, Member};
pub use forebay_store::{AppendError, Fsync, LogStore, StoreError};
pub use hub::{Answers, Broadcast, Hub, Incoming, Options, PublishError, Published};
pub use inspection::{InspectOptions, Inspection, LOOK_MAX, Trace, class, targets};
pub use notices::Refusal;
pub use prefetch::prefetch;
pub use presence::{
    Attendance, Ending, JoinRefused, Members, OnPresence, PresenceHooks, PresenceOptions,
};
pub use read::{Batch, Delivery};
pub use revocations::Asked;
pub use round::{Round, Scratch, Seat};
pub use stats::{Counter, Described, Stats, StatsSnapshot};
pub use timings::{Distribution, TimingsSnapshot};
pub use wake::{Signals, Wake};
