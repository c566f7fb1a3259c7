//! One totally ordered log of broadcasts, its bounded history, and the gap rule.
//!
//! Every broadcast of a hub gets the next [`Offset`]. History is kept per stream and bounded by
//! count, bytes and age, and in all by bytes ([`Retention`]). The log always knows what it has
//! forgotten, so it answers "give me stream S after cursor c" either completely or with a
//! [`Gap`]; it never answers with a hole.
//!
//! This crate reads no clock and makes no random numbers: time and the epoch are arguments.
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

mod log;
mod message;
mod position;
mod record;
mod retention;
mod stream;

pub use log::{Applied, Dropped, Log, Restoration, StreamId, Sweep};
pub use message::{Action, Class, Extent, Message, StateKey, Targets};
pub use position::{BadPosition, Epoch, Offset, Position, UnixMillis};
pub use record::{Content, Control, Lacking, Record, Revocation};
pub use retention::Retention;
pub use stream::{Entries, Entry, Forgotten, Gap};
