//! Ids of elements, from text or from records.

use std::fmt;

use crate::Record;

/// The id of the element that shows a record: `message_1`, or `new_message` for one without a key.
pub fn dom_id<R: Record>(record: &R) -> String {
    record.dom_id()
}

/// The id of a further element of a record: `edit_message_1`, or `edit_message`.
pub fn dom_id_with<R: Record>(record: &R, prefix: &str) -> String {
    record.dom_id_with(prefix)
}

/// The id of the element for a record that does not exist yet: `new_message`.
pub fn new_dom_id<R: Record>() -> String {
    R::model().dom_id(None, None)
}

/// The class that elements of these records share: `message`.
pub fn dom_class<R: Record>() -> String {
    R::model().dom_class(None)
}

/// The id of an element, wherever one is wanted: text, a record, or a record with a prefix.
///
/// ```
/// use forebay_turbo::DomId;
///
/// assert_eq!(DomId::from("tray").as_str(), "tray");
/// assert_eq!(DomId::joined(["tray", "1"]).as_str(), "tray_1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomId(String);

impl DomId {
    /// Several parts joined by `_`, as turbo-rails joins them.
    pub fn joined<P: fmt::Display>(parts: impl IntoIterator<Item = P>) -> Self {
        let parts: Vec<String> = parts.into_iter().map(|part| part.to_string()).collect();
        Self(parts.join("_"))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id, without copying it.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for DomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for DomId {
    fn from(id: &str) -> Self {
        Self(id.to_owned())
    }
}

impl From<String> for DomId {
    fn from(id: String) -> Self {
        Self(id)
    }
}

impl From<&String> for DomId {
    fn from(id: &String) -> Self {
        Self(id.clone())
    }
}

impl<R: Record> From<&R> for DomId {
    fn from(record: &R) -> Self {
        Self(record.dom_id())
    }
}

impl<R: Record, P: AsRef<str>> From<(&R, P)> for DomId {
    fn from((record, prefix): (&R, P)) -> Self {
        Self(record.dom_id_with(prefix.as_ref()))
    }
}
