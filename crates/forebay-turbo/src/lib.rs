//! Turbo's HTML for Rust, byte for byte as turbo-rails 8 on Rails 7.2 writes it.
//!
//! Pages, caches and signed names can therefore be shared with a Rails application. These are the
//! types to begin with:
//!
//! - [`TurboStream`]: one change to a page, `<turbo-stream>`.
//! - [`frame`]: a part of a page that navigates by itself, `<turbo-frame>`.
//! - [`StreamSource`]: the element that subscribes a page to a stream.
//! - [`Record`], [`StreamName`] and dom ids: the names that tie these to data.
//! - [`drive`]: meta tags for the head.
//!
//! Text is escaped, unless its type says that it is HTML already: see [`Html`].
//!
//! This crate does not sign, send or receive anything. It does no IO, reads no clock and no
//! randomness, and touches no key. Applications use it through `forebay`, as `forebay::turbo`.
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
pub use source::{EventStreamSource, StreamSource, has_source};
pub use stream::TurboStream;
pub use stream_name::{
    STREAM_NAME_BYTES_MAX, StreamName, StreamNameBuilder, StreamNameError, is_app_name,
};
pub use streamable::{Streamable, Viewer};
pub use streams::TurboStreams;
pub use target::{Target, TargetError};
