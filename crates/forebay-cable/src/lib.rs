//! Action Cable as data: commands in, messages out, and a [`Session`] between them.
//!
//! The shape is quinn-proto's. Inputs are methods, and outputs are polled. What needs the world leaves as an
//! [`Effect`] and comes back as an answer: may this client subscribe, what does the channel do with this
//! action? So there are no callbacks, no futures and no locks here, no IO and no clock.
//!
//! - [`Session`] is one client. Its documentation says which methods there are, and in which order they are
//!   called.
//! - [`Command`] is what a client says, taken apart.
//! - [`Dialect`] is how a session says it in one protocol.
//! - [`Limits`] bounds what a client can make a session hold.
//!
//! Entries do not pass through a queue of the session. It has a [`Reader`] for each stream. The caller reads
//! the log from the reader's position, and advances it by what the socket took.
//!
//! Wire formats are [`Dialect`]s, a file for each: `actioncable-v1-json`, as Rails' Action Cable speaks it;
//! `actioncable-v1-ext-json`, as AnyCable specifies it and `@anycable/core` speaks it; our own
//! `forebay-v1-json`; and server-sent events (`docs/protocol.md`).

mod close;
mod command;
mod dialect;
mod ids;
mod limits;
mod session;
mod wire;

pub use close::{Close, CloseCode, DisconnectReason, RejectReason};
pub use command::{
    Claim, Command, CommandError, History, Identifier, IdentifierError, Joining, Report,
    ReportKind, Terms,
};
pub use dialect::{
    Around, Attending, Dialect, Lack, Manner, MemberRecord, Positions, PresenceAnswer, Protocol,
    Recipient, Restoring, Resync,
};
pub use ids::{SessionId, SubscriptionId};
pub use limits::Limits;
pub use session::{
    AsksMembers, Attachment, Effect, Hello, Kept, Mark, Progress, Reader, ReaderId, Session,
    Standing, Start,
};
pub use wire::{Envelope, Part, RECORD_END, Wrap};
