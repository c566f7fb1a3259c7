//! Names of streams.
//!
//! turbo-rails joins the parts of a name with `:` and looks at nothing: blank parts are dropped by
//! some of its methods and kept by others, so that page and broadcast may mean different streams,
//! and `("a:b", "c")` is the same stream as `("a", "b:c")`. [`StreamName::of`] refuses both, which
//! leaves the names that do pass equal to Rails' own. [`StreamName::rails_compatible`] does as
//! Rails does.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use crate::attributes::is_blank;
use crate::{ModelName, RecordKey, Streamable};

/// The longest name that [`StreamName::of`] makes, in bytes: six records with UUIDs take under 800.
/// `forebay-signing` verifies names up to this length however they must be escaped.
pub const STREAM_NAME_BYTES_MAX: usize = 1024;

const SEPARATOR: char = ':';

/// The name of a stream. Cheap to clone.
///
/// ```
/// use forebay_turbo::{StreamName, StreamNameError};
///
/// let name = StreamName::of("chat", &("room", 5))?;
/// assert_eq!(name.as_str(), "room:5");
///
/// // What a user can choose must not reach another stream.
/// assert!(StreamName::of("chat", &("room", "5:admin")).is_err());
/// assert!(StreamName::of("chat", &("room", "")).is_err());
/// # Ok::<(), StreamNameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName(Arc<str>);

/// Why something does not name a stream. The application's mistake in each case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamNameError {
    /// There was nothing to make a name of.
    #[error("nothing was given to name the stream")]
    Nothing,
    /// A part is empty or white space. Everyone whose part is blank would share a stream.
    #[error(
        "part {position} of the stream name is blank, and every page with a blank part would share \
         the stream"
    )]
    BlankPart {
        /// Which part, counted from 1.
        position: usize,
    },
    /// A part contains the separator, so that it could pass for several.
    #[error(
        "part {part:?} of the stream name contains `:`, which separates parts: give it as several"
    )]
    Separator {
        /// The part.
        part: String,
    },
    /// The record has no key yet: nobody else could name its stream.
    #[error("a {model} that has not been saved has no stream: save it first")]
    NewRecord {
        /// The record's model.
        model: String,
    },
    /// A part of the record's key is empty.
    #[error("the key of a {model} is empty")]
    EmptyKey {
        /// The record's model.
        model: String,
    },
    /// The application's name can't be the host of a global id.
    #[error("application name {app:?} has other signs than letters, digits, `-`, `_` and `.`")]
    InvalidApp {
        /// The name.
        app: String,
    },
    /// Longer than [`STREAM_NAME_BYTES_MAX`].
    #[error("the stream name is longer than {STREAM_NAME_BYTES_MAX} bytes")]
    TooLong,
}

impl StreamName {
    /// The name of the stream that `parts` mean. `app` is the application's name in global ids.
    ///
    /// # Errors
    /// [`StreamNameError`] for a name that could be mistaken for another one, or for nobody's.
    pub fn of<S: Streamable + ?Sized>(app: &str, parts: &S) -> Result<Self, StreamNameError> {
        let name = StreamNameBuilder::build(app, Joining::Strict, parts)?;
        if name.0.is_empty() {
            return Err(StreamNameError::Nothing);
        }
        if name.0.len() > STREAM_NAME_BYTES_MAX {
            return Err(StreamNameError::TooLong);
        }
        Ok(name)
    }

    /// The name that turbo-rails makes, whatever the parts contain. For talking to a Rails
    /// application that uses such names; never for parts that a user can choose.
    ///
    /// ```
    /// use forebay_turbo::{StreamName, StreamNameError};
    ///
    /// let name = StreamName::rails_compatible("chat", &("a:b", "", "c"))?;
    /// assert_eq!(name.as_str(), "a:b::c");
    /// # Ok::<(), StreamNameError>(())
    /// ```
    ///
    /// # Errors
    /// [`StreamNameError`] for a record without a key, and for an `app` that cannot be a host.
    pub fn rails_compatible<S>(app: &str, parts: &S) -> Result<Self, StreamNameError>
    where
        S: Streamable + ?Sized,
    {
        StreamNameBuilder::build(app, Joining::Rails, parts)
    }

    /// This text, taken as a name without looking at it: one that was verified, or that another
    /// system made.
    pub fn raw(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for StreamName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// So that maps keyed by names can be asked with text.
impl std::borrow::Borrow<str> for StreamName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<StreamName> for Arc<str> {
    fn from(name: StreamName) -> Self {
        name.0
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Joining {
    /// Blank parts and parts with separators are errors.
    Strict,
    /// As turbo-rails does it.
    Rails,
}

/// Takes the parts of a name, one after another; see [`Streamable`].
pub struct StreamNameBuilder<'a> {
    app: &'a str,
    joining: Joining,
    text: String,
    parts: usize,
}

impl<'a> StreamNameBuilder<'a> {
    fn build<S>(app: &'a str, joining: Joining, parts: &S) -> Result<StreamName, StreamNameError>
    where
        S: Streamable + ?Sized,
    {
        let mut name = Self { app, joining, text: String::new(), parts: 0 };
        parts.write_parts(&mut name)?;
        Ok(StreamName(name.text.into()))
    }

    /// The application's name in global ids.
    pub fn app(&self) -> &str {
        self.app
    }

    /// Adds a text.
    ///
    /// # Errors
    /// [`StreamNameError::BlankPart`] and [`StreamNameError::Separator`], unless names are joined
    /// as Rails does it.
    pub fn push_text(&mut self, part: &str) -> Result<(), StreamNameError> {
        if self.joining == Joining::Strict {
            if is_blank(part) {
                return Err(StreamNameError::BlankPart { position: self.parts + 1 });
            }
            if part.contains(SEPARATOR) {
                return Err(StreamNameError::Separator { part: part.to_owned() });
            }
        }
        self.join(part);
        Ok(())
    }

    /// Adds a record, by its global id.
    ///
    /// # Errors
    /// [`StreamNameError::NewRecord`] without a key, [`StreamNameError::EmptyKey`] with an empty
    /// one, and [`StreamNameError::InvalidApp`].
    pub fn push_record(
        &mut self,
        model: &ModelName,
        key: Option<&RecordKey>,
    ) -> Result<(), StreamNameError> {
        let model_name = || model.name().to_owned();
        let key = key.ok_or_else(|| StreamNameError::NewRecord { model: model_name() })?;
        if key.parts().any(str::is_empty) {
            return Err(StreamNameError::EmptyKey { model: model_name() });
        }
        if !is_app_name(self.app) {
            return Err(StreamNameError::InvalidApp { app: self.app.to_owned() });
        }
        self.join(&model.gid_param(self.app, key));
        Ok(())
    }

    /// Adds a name that is one already, as it is.
    pub fn push_name(&mut self, name: &StreamName) {
        self.join(name.as_str());
    }

    fn join(&mut self, part: &str) {
        if self.parts > 0 {
            self.text.push(SEPARATOR);
        }
        self.parts += 1;
        self.text.push_str(part);
    }
}

/// Whether an application can be called so in global ids, whose host it is: letters, digits, `-`, `_` and `.`.
pub fn is_app_name(app: &str) -> bool {
    !app.is_empty()
        && app
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}
