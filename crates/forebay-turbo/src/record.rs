//! What has an identity: records and their keys.

use std::fmt;

use crate::ModelName;

/// The primary key of a saved record: one part, or several for a composite key.
///
/// ```
/// use forebay_turbo::RecordKey;
///
/// assert_eq!(RecordKey::from(7).to_string(), "7");
/// assert_eq!(RecordKey::new("tenant").and(7).to_string(), "tenant_7");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    first: String,
    rest: Vec<String>,
}

impl RecordKey {
    /// A key of one part: an integer, a text, a UUID, a newtype that prints as one of these.
    pub fn new(part: impl fmt::Display) -> Self {
        Self { first: part.to_string(), rest: Vec::new() }
    }

    /// The same key with one more part.
    pub fn and(mut self, part: impl fmt::Display) -> Self {
        self.rest.push(part.to_string());
        self
    }

    /// The parts in order; there is at least one.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.first).chain(&self.rest).map(String::as_str)
    }
}

/// The parts joined by `_`, as in a dom id.
impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first)?;
        self.rest.iter().try_for_each(|part| write!(f, "_{part}"))
    }
}

macro_rules! from_single {
    ($($part:ty)*) => {$(
        impl From<$part> for RecordKey {
            fn from(part: $part) -> Self {
                Self::new(part)
            }
        }
    )*};
}
from_single!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize &str String);

/// Something with a model name and, once it is saved, a key.
///
/// Usually derived: `#[derive(Streamable)]` gives this and [`Streamable`](crate::Streamable).
///
/// ```
/// use std::sync::LazyLock;
/// use forebay_turbo::{ModelName, Record, RecordKey};
///
/// struct Message {
///     id: Option<i64>,
/// }
///
/// impl Record for Message {
///     fn model() -> &'static ModelName {
///         static MODEL: LazyLock<ModelName> = LazyLock::new(|| ModelName::new("Message"));
///         &MODEL
///     }
///
///     fn key(&self) -> Option<RecordKey> {
///         self.id.map(RecordKey::from)
///     }
/// }
///
/// assert_eq!(Message { id: Some(1) }.dom_id(), "message_1");
/// assert_eq!(Message { id: None }.dom_id(), "new_message");
/// assert_eq!(Message { id: Some(1) }.dom_id_with("edit"), "edit_message_1");
/// ```
pub trait Record {
    /// The model's name.
    fn model() -> &'static ModelName
    where
        Self: Sized;

    /// The record's key, or `None` as long as it has not been saved.
    fn key(&self) -> Option<RecordKey>;

    /// The id of the element that shows this record: `message_1`, or `new_message`.
    fn dom_id(&self) -> String
    where
        Self: Sized,
    {
        Self::model().dom_id(self.key().as_ref(), None)
    }

    /// The id of a further element of this record: `edit_message_1`.
    fn dom_id_with(&self, prefix: &str) -> String
    where
        Self: Sized,
    {
        Self::model().dom_id(self.key().as_ref(), Some(prefix))
    }

    /// The record's global id, or `None` as long as it has not been saved.
    fn global_id(&self, app: &str) -> Option<String>
    where
        Self: Sized,
    {
        self.key().map(|key| Self::model().global_id(app, &key))
    }

    /// The record's global id as a parameter, or `None` as long as it has not been saved.
    fn gid_param(&self, app: &str) -> Option<String>
    where
        Self: Sized,
    {
        self.key().map(|key| Self::model().gid_param(app, &key))
    }
}
