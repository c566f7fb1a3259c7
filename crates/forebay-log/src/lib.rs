//! One totally ordered log of broadcasts, its bounded history, and the gap rule.
//!
//! Every broadcast has an [`Offset`], in one order over all streams. The log knows what it has forgotten. So
//! it answers *give me stream S after cursor c* either completely or with a [`Gap`], and never with a hole.
//!
//! - [`Log`] is the log in memory. It orders broadcasts itself, or applies another's [`Record`]s.
//! - [`Message`] and [`Class`] are what is broadcast, and how long that is worth keeping.
//! - [`Retention`] bounds history by count, bytes and age.
//! - [`Position`] is an [`Epoch`] and an [`Offset`].
//!
//! This crate does no IO and reads no clock and no randomness. Time and the epoch are arguments. Keeping a
//! log is forebay-store's, and telling its readers is forebay-hub's.
//!
//! ```
//! use forebay_log::{Class, Epoch, Log, Message, Retention, UnixMillis};
//!
//! let mut log = Log::new(Epoch(7), Retention::default());
//! let rendered_at = log.head();
//! let room = log.open("room:1");
//! log.append(UnixMillis(0), "room:1", Message::json("\"hello\""), Class::Log);
//!
//! let replay: Vec<_> = log.read(room, rendered_at.offset, rendered_at.offset)?.collect();
//! assert_eq!(replay[0].message.as_json(), "\"hello\"");
//! # Ok::<(), forebay_log::Gap>(())
//! ```

mod commit;
mod inquiry;
mod log;
mod message;
mod position;
mod presence;
mod record;
mod retention;
mod stream;

pub use commit::{BadSeen, Commit, Database, Running, SEEN_BYTES_MAX, Seen};
pub use inquiry::{Inquiry, InquiryKind};
pub use log::{Applied, Dropped, Log, Restoration, StreamId, Sweep};
pub use message::{Action, Class, Extent, Message, StateKey, Targets};
pub use position::{BadPosition, Epoch, Offset, Position, UnixMillis};
pub use presence::{
    Change, Held, Member, Node, Presence, is_reserved, presence_of, presence_stream,
};
pub use record::{Content, Control, Lacking, Record, Revocation};
pub use retention::Retention;
pub use stream::{Entries, Entry, Forgotten, Gap};
