//! Action Cable as data: commands in, messages out, and a [`Session`] between them.
//!
//! The shape is quinn-proto's: inputs are methods, outputs are polled, and what needs the world (may this
//! client subscribe? what does the channel do with this action?) leaves as an [`Effect`] and comes back as an
//! answer. So there are no callbacks, no futures and no locks here. [`Session`] says which methods there are,
//! and in which order they are called.
//!
//! Entries do not pass through a queue of the session: it has a [`Reader`] per stream, whose
//! position the caller reads from the log and advances by what the socket took.
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
    Claim, Command, CommandError, History, Identifier, IdentifierError, Report, ReportKind, Terms,
};
pub use dialect::{
    Around, Dialect, Lack, Manner, Positions, Protocol, Recipient, Restoring, Resync,
};
pub use ids::{SessionId, SubscriptionId};
pub use limits::Limits;
pub use session::{
    Attachment, Effect, Hello, Kept, Mark, Progress, Reader, ReaderId, Session, Start,
};
pub use wire::{Envelope, Part, Wrap};
