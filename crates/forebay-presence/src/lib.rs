//! Who is present on a stream: the set that the log's records make, and what a node says of its own.
//!
//! A member is present on a stream while at least one node *holds* it, and a node holds it while it has a
//! session with a *lease* there, or had one a moment ago. So there are two halves:
//!
//! - [`Sets`] are what all nodes agree on. They are made from [`Presence`] records, in the order of the log.
//!   What others see of a record is its [`Change`]; a second tab, a reload and a reconnect have none.
//! - [`Leases`] are what one node knows of its own sessions, summed over each member. They say which records
//!   are to be written, and when.
//!
//! A node has a lease as well: [`Nodes`] tell which others are gone, and have to be ended.
//!
//! How the others use it, all by way of forebay-hub:
//!
//! - **Whoever speaks a protocol** has `Client::join`, `update`, `leave` (with an `Ending`), one member for each
//!   subscription; `Client::lives` when something has come from the client; `end_presence` when it is known
//!   how the connection ends. A dropped `Client` was lost. `Hub::members` gives the set and its position.
//!   Whoever attaches [`presence_stream`] with that position as its cursor gets every later change, and none
//!   twice: [`Message::change`](forebay_log::Message::change) of each entry. To ask again in the middle of
//!   reading, take the set, and leave out changes up to its position.
//! - **Whoever renders pages** puts `Hub::members` into the page. Its position is the cursor of the tag that
//!   subscribes to the presence stream. An `OnPresence` in the hub's `PresenceOptions` renders each change
//!   once on each node; the entry's text is then that HTML. Without it
//!   [`is_textless`](forebay_log::Message::is_textless) is true, and `Session::wrap` passes the entry over
//!   unless the reader takes changes.
//!
//! This crate does no IO and reads no clock. Time is an argument, in milliseconds. forebay-hub writes the
//! records, and makes entries of the changes.
//!
//! ```
//! use forebay_presence::{Grace, Leases, Member, Node, Offset, Options, Sets};
//!
//! let (mut sets, mut leases) = (Sets::new(1_000), Leases::new(Node(1), Options::default()));
//! let ann = Member::new("ann", "{\"name\":\"Ann\"}");
//! leases.join(0, "a tab", "room", &ann, 0)?;
//! leases.join(0, "another tab", "room", &ann, 0)?;
//! let records = leases.take(0, |stream| sets.total(stream));
//! let change = sets.apply(Offset(1), &records[0]);
//! assert_eq!(change.map(|change| change.joined), Some(vec![ann.clone()]));
//!
//! // A tab is closed, and the other is loaded again.
//! leases.leave(1_000, &"another tab", Grace::None, |_| 0);
//! leases.leave(2_000, &"a tab", Grace::Short, |_| 0);
//! leases.join(2_500, "the tab again", "room", &ann, 59_000)?;
//! leases.expire(60_000, |lived_at| *lived_at);
//! assert!(leases.take(60_000, |stream| sets.total(stream)).is_empty());
//! # Ok::<(), forebay_presence::AnotherMember>(())
//! ```

mod leases;
mod nodes;
mod sets;

pub use forebay_log::{Change, Held, Member, Node, Offset, Presence, presence_of, presence_stream};
pub use leases::{AnotherMember, Grace, Leases, Options};
pub use nodes::Nodes;
pub use sets::Sets;
