//! Who is there: members of a stream, the tag that makes a page's visitor one of them, and what pages are shown
//! when they change.
//!
//! A *member* is a value of the application's own, mostly a record with a partial: a user, with a name. What
//! others are told of it, its *info*, is the value as JSON. [`Presence`] says how a change looks:
//!
//! ```
//! # use forebay_core as forebay;
//! use forebay::{Forebay, Html, Presence, Record as _, Render, RenderError, Streamable, Turbo};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Streamable, Serialize, Deserialize)]
//! # #[streamable(crate = "forebay_core::turbo")]
//! struct Visitor {
//!     id: i64,
//!     name: String,
//! }
//!
//! // With askama or maud: the record's own template, as for broadcasts.
//! impl Render for Visitor {
//!     fn to_html(&self) -> Result<Html, RenderError> {
//!         let name = Html::text(&self.name);
//!         Ok(Html::raw(format!("<li id=\"{}\">{name}</li>", self.dom_id())))
//!     }
//! }
//!
//! fn show(turbo: &Turbo, me: &Visitor) -> Result<String, Box<dyn std::error::Error>> {
//!     let here = turbo.members::<Visitor>(("room", 1))?;
//!     let tag = here.presence_from(me)?;
//!     let items: String = here.iter().map(|one| one.to_html().map(Html::into_string)).collect::<Result<_, _>>()?;
//!     Ok(format!("{tag}<ul id=\"visitors\">{items}</ul>"))
//! }
//!
//! # fn build() -> Result<(), forebay::BuildError> {
//! let forebay = Forebay::builder()
//!     .secret("a long secret that is kept secret")
//!     .presence(Presence::<Visitor>::new())
//!     .build()?;
//! # Ok(())
//! # }
//! ```
//!
//! Whoever comes is appended to `visitors`, whoever changes is replaced, and whoever leaves is removed, on every
//! page of the room: as with a record's broadcasts.

mod hooks;
mod html;
mod members;
mod signed;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use forebay_turbo::{Record, StreamNameError, Streamable};
use serde::Serialize;

pub(crate) use self::hooks::{Hooks, Kind};
pub use self::hooks::{IntoStreams, Presence};
pub use self::html::MemberHtml;
pub use self::members::Members;
pub(crate) use self::signed::{CHANNEL, Granted, Presences};
use crate::app::{Core, Forebay};
use crate::channel::Context;
use crate::page::Turbo;

/// Why there is no presence tag, or a member could not be changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PresenceError {
    /// What was given does not name a stream.
    #[error(transparent)]
    StreamName(#[from] StreamNameError),
    /// The member has no key yet, so nobody can tell it from others.
    #[error("the {model} has no key yet, so it can't be told from others: save it first")]
    Unsaved {
        /// The member's model.
        model: &'static str,
    },
    /// The member can't be written as JSON.
    #[error("the member can't be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The tag would be longer than what a subscription may say
    /// ([`Limits::identifier_bytes_max`](crate::Limits::identifier_bytes_max)).
    #[error(
        "the tag would have {bytes} bytes, more than the {max} that a subscription may say: tell less of a member"
    )]
    TooBig {
        /// The size of the subscription's identifier.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// What others would be told is too much, or the id is.
    #[error(transparent)]
    Refused(#[from] forebay_hub::JoinRefused),
}

/// A member's id: the parts of its key, joined by `_`.
fn id_of<M: Record>(member: &M) -> Result<String, PresenceError> {
    let key = member.key().ok_or_else(|| PresenceError::Unsaved { model: M::model().name() })?;
    Ok(key.to_string())
}

impl Core {
    fn update_member<M: Record + Serialize>(
        &self,
        stream: &impl Streamable,
        member: &M,
    ) -> Result<bool, PresenceError> {
        let name = self.stream_name(stream)?;
        let info: Arc<str> = serde_json::to_string(member)?.into();
        Ok(self.hub.update_member(name.as_str(), &id_of(member)?, &info)?)
    }
}

impl Forebay {
    /// A member is another now: typing, away, of another name. Pages are shown it as
    /// [`Presence::updated`] says. False where nobody of this key is present; then nothing happens.
    ///
    /// It holds until another update, or until a page with a tag of the member's subscribes: the tag says
    /// what the member was when its page was rendered.
    ///
    /// # Errors
    /// [`PresenceError`] if the stream or the member has no name, or if others would be told too much.
    pub fn update_member<M: Record + Serialize>(
        &self,
        stream: impl Streamable,
        member: &M,
    ) -> Result<bool, PresenceError> {
        self.core.update_member(&stream, member)
    }
}

impl Turbo {
    /// As [`Forebay::update_member`].
    ///
    /// # Errors
    /// As there.
    pub fn update_member<M: Record + Serialize>(
        &self,
        stream: impl Streamable,
        member: &M,
    ) -> Result<bool, PresenceError> {
        self.forebay().update_member(stream, member)
    }
}

impl Context {
    /// As [`Forebay::update_member`](crate::Forebay::update_member).
    ///
    /// # Errors
    /// As there.
    pub fn update_member<M: Record + Serialize>(
        &self,
        stream: impl Streamable,
        member: &M,
    ) -> Result<bool, PresenceError> {
        self.core().update_member(&stream, member)
    }
}
