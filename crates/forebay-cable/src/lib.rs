//! Action Cable as data: commands in, messages out, and a [`Session`] between them.
//!
//! The shape is quinn-proto's. Inputs are methods ([`Session::handle_text`],
//! [`Session::handle_timeout`], and the answers [`Session::confirm`], [`Session::reject`],
//! [`Session::done`]); outputs are polled ([`Session::poll_transmit`], [`Session::poll_effect`],
//! [`Session::poll_timeout`], [`Session::poll_close`]). What needs the world (may this client
//! subscribe? what does the channel do with this action?) leaves as an [`Effect`] and comes back
//! as an answer, so there are no callbacks, no futures and no locks here.
//!
//! Entries do not pass through a queue of the session: it has a [`Reader`] per stream, whose
//! position the caller reads from the log and advances by what the socket took.
//!
//! Wire formats ([`Protocol`]): `actioncable-v1-json`, as Rails' Action Cable speaks it
//! (rails/rails, `actioncable/lib/action_cable/connection` and `actioncable/app/javascript`);
//! `actioncable-v1-ext-json`, as AnyCable specifies it
//! (`docs.anycable.io/misc/action_cable_protocol`) and `@anycable/core` speaks it; and our own
//! `forebay-v1-json` (`docs/protocol.md`).

mod close;
mod command;
mod limits;
mod session;
mod wire;

pub use close::{Close, CloseCode, DisconnectReason, RejectReason};
pub use command::{
    Claim, Command, CommandError, History, Identifier, IdentifierError, Report, ReportKind, Terms,
};
pub use limits::Limits;
pub use session::{
    Around, Attachment, Effect, Hello, Kept, Mark, Progress, Reader, ReaderId, Resync, Session,
    SessionId, Start, SubscriptionId,
};
pub use wire::{Envelope, Part, Protocol, Wrap};
