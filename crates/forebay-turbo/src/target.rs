//! Which elements a stream tag acts on.

use crate::{DomId, Record};

/// The target of a stream tag: one element by its id, or all that a selector finds.
///
/// ```
/// use forebay_turbo::{Target, TurboStream};
///
/// let by_id = TurboStream::remove("message_1");
/// assert_eq!(
///     by_id.to_string(),
///     r#"<turbo-stream action="remove" target="message_1"></turbo-stream>"#
/// );
/// let by_selector = TurboStream::remove(Target::selector(".unread"));
/// assert_eq!(
///     by_selector.to_string(),
///     r#"<turbo-stream action="remove" targets=".unread"></turbo-stream>"#
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Target {
    /// The element with this id: `target="…"`.
    Id(String),
    /// All elements that match this CSS selector: `targets="…"`.
    Selector(String),
}

/// A target that finds no element.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// A selector where an id belongs. Turbo looks for an element with exactly this id, and finds none.
    #[error(
        "target {0:?} is a selector, and Turbo looks for an element with exactly that id: name \
         the id alone, or use `.targets({0:?})` or `Target::selector({0:?})`"
    )]
    IsSelector(String),
    /// No text, or white space only.
    #[error("the target is blank")]
    Blank,
}

impl Target {
    /// Whether it can find an element: an id without `#` or `.` before it, and no blank text.
    /// Broadcasts and answers check it.
    ///
    /// ```
    /// use forebay_turbo::Target;
    ///
    /// assert!(Target::from("message_1").check().is_ok());
    /// assert!(Target::selector("#message_1").check().is_ok());
    /// assert!(Target::from("#message_1").check().is_err());
    /// ```
    ///
    /// # Errors
    /// [`TargetError`] says what is wrong with it.
    pub fn check(&self) -> Result<(), TargetError> {
        let (_, text) = self.as_attribute();
        if text.trim().is_empty() {
            return Err(TargetError::Blank);
        }
        match self {
            Self::Id(id) if id.starts_with(['#', '.']) => Err(TargetError::IsSelector(id.clone())),
            _ => Ok(()),
        }
    }

    /// All elements that match a CSS selector.
    pub fn selector(selector: impl Into<String>) -> Self {
        Self::Selector(selector.into())
    }

    /// The record's element, found by selector: `#message_1`. Unlike an id it also matches an
    /// element that occurs twice.
    pub fn selector_of<R: Record>(record: &R) -> Self {
        Self::Selector(format!("#{}", record.dom_id()))
    }

    /// The attribute's name and value.
    pub(crate) fn as_attribute(&self) -> (&'static str, &str) {
        match self {
            Self::Id(id) => ("target", id),
            Self::Selector(selector) => ("targets", selector),
        }
    }
}

impl From<&str> for Target {
    fn from(id: &str) -> Self {
        Self::Id(id.to_owned())
    }
}

impl From<String> for Target {
    fn from(id: String) -> Self {
        Self::Id(id)
    }
}

impl From<&String> for Target {
    fn from(id: &String) -> Self {
        Self::Id(id.clone())
    }
}

impl From<DomId> for Target {
    fn from(id: DomId) -> Self {
        Self::Id(id.into_string())
    }
}

impl<R: Record> From<&R> for Target {
    fn from(record: &R) -> Self {
        Self::Id(record.dom_id())
    }
}

impl<R: Record, P: AsRef<str>> From<(&R, P)> for Target {
    fn from((record, prefix): (&R, P)) -> Self {
        Self::Id(record.dom_id_with(prefix.as_ref()))
    }
}
