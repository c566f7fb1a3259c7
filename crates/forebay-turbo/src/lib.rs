//! Turbo's HTML, as turbo-rails writes it, for Rust: the only crate of Forebay that writes HTML.
//!
//! Stream tags ([`TurboStream`]), frames ([`frame`]), stream sources ([`StreamSource`]), Drive's
//! meta tags ([`drive`]), and the names that tie them to data: [`Record`], dom ids, global ids and
//! [`StreamName`]. Byte for byte what turbo-rails 8 on Rails 7.2 gives, so that pages, caches and
//! signed names can be shared with a Rails application.
//!
//! Text is escaped unless its type says that it is HTML already: see [`Html`].
//!
//! Pure: no clock, no randomness, no IO, no keys.
//!
//! ```
//! use forebay_turbo::{Html, TurboStream};
//!
//! let stream = TurboStream::append("messages").html(Html::raw("<p>Hi</p>"));
//! assert_eq!(
//!     stream.to_string(),
//!     r#"<turbo-stream action="append" target="messages"><template><p>Hi</p></template></turbo-stream>"#
//! );
//! ```

mod action;
mod attributes;
mod dom_id;
pub mod drive;
mod frame;
mod html;
pub mod http;
mod idempotent;
mod naming;
mod record;
mod render;
mod source;
mod stream;
mod stream_name;
mod streamable;
mod streams;
mod tag;
mod target;

pub use action::Action;
pub use attributes::{AttributeValue, Attributes};
pub use dom_id::{DomId, dom_class, dom_id, dom_id_with, new_dom_id};
pub use frame::{Frame, frame};
pub use html::Html;
pub use idempotent::is_idempotent;
pub use naming::ModelName;
pub use record::{Record, RecordKey};
#[cfg(feature = "minijinja")]
pub use render::MinijinjaPartial;
pub use render::{Render, RenderError, engine};
pub use source::{EventStreamSource, StreamSource};
pub use stream::TurboStream;
pub use stream_name::{STREAM_NAME_BYTES_MAX, StreamName, StreamNameBuilder, StreamNameError};
pub use streamable::Streamable;
pub use streams::TurboStreams;
pub use target::{Target, TargetError};
