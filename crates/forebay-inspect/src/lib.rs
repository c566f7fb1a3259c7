//! Why a page does not show a change.
//!
//! - [`Broadcast`] is what is known of one broadcast: where it was asked for, and what became of it.
//! - [`Page`] is what is known of one page's connection and its subscriptions.
//! - [`Report`] is what only the page knows: what the broadcast did to its elements.
//! - [`why`] walks over these [`Facts`] in the order of a broadcast's way, and names the first [`Broken`] hop,
//!   in one sentence that says what to change. [`nearest`] finds what would have worked.
//! - [`Question`] is what nodes with one log ask each other, [`Told`] what each of them answers, and
//!   [`Facts::merge`] and [`Rows`] make one answer of all.
//!
//! The facts come from `forebay-core`, which records them, or from a test. The names of fields and variants
//! are the JSON of the inspector's addresses. This crate does no IO and reads no clock; times are milliseconds
//! since 1970.
//!
//! ```
//! use forebay_inspect::{Broadcast, Broken, Facts, Page, Subscription, why};
//!
//! let facts = Facts {
//!     stream: "chats:1".into(),
//!     page: Some(Page { subscriptions: vec![Subscription::live("chat:1")], ..Page::default() }),
//!     broadcast: Some(Broadcast::published("chats:1", "c0ffee", 7)),
//!     ..Facts::default()
//! };
//! let answer = why(&facts);
//! assert!(matches!(answer.broken, Broken::NotSubscribed { .. }));
//! assert_eq!(
//!     answer.sentence,
//!     "published to `chats:1`, but this page reads `chat:1`: give the page's tag and the broadcast the same parts"
//! );
//! ```

mod broadcast;
mod broken;
mod nearest;
mod nodes;
mod page;
mod report;
mod said;
mod why;

pub use broadcast::{Broadcast, Class, Outcome, Place, Reach, Source, Targets};
pub use broken::{Broken, Hop};
pub use nearest::{How, Near, nearest, nearest_names, readable};
pub use nodes::{
    About, Known, PageRows, Question, Reached, RowKey, Rows, Said, StreamRow, StreamRows, Told,
    choose_page,
};
pub use page::{
    Connection, Event, Page, Refusal, Rejection, Resync, State, Subscription, Transport,
};
pub use report::{Report, Reports, Seen};
pub use said::action_of;
pub use why::{Answer, Facts, Log, why};
