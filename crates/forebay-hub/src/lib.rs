//! Order and fan-out: a broadcast gets its offset here, and whoever reads its stream is woken.
//!
//! Publishing copies nothing into queues. It appends to the log in one short critical section
//! and then plans a pass over the stream's subscribers, in rounds ([`Seat`]); each of them reads on
//! from its own position ([`Client::read`]). So a slow subscriber owns nothing but its position, and
//! all subscribers see one order over all their streams.
//!
//! Not here: sockets and protocols' bytes (forebay-transport), signatures and who may subscribe
//! to what (the application).

mod client;
mod clock;
mod connections;
mod doze;
mod heals;
mod hub;
mod notices;
mod prefetch;
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
mod wake;

pub use client::{Client, Refused};
pub use forebay_store::{Fsync, StoreError};
pub use hub::{Broadcast, Hub, Options, PublishError, Published};
pub use notices::Refusal;
pub use prefetch::prefetch;
pub use read::{Batch, Delivery};
pub use revocations::{Asked, Revocation};
pub use round::{Round, Scratch, Seat};
pub use stats::{Stats, StatsSnapshot};
pub use wake::{Signals, Wake};
