//! What an attribute can be set to: the value types that Rails' helper tells apart.

use std::borrow::Cow;

use super::{Attributes, number};

/// The value of an attribute. How it is written depends on the attribute: see [`Attributes`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AttributeValue {
    /// Leaves the attribute out.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// Any other number, written as Ruby writes it (`1.0`, `1.0e+20`).
    Float(f64),
    /// Text.
    String(String),
    /// Several values.
    List(Vec<AttributeValue>),
    /// Names with values, in order.
    Hash(Attributes),
}

impl AttributeValue {
    /// A list.
    ///
    /// ```
    /// use forebay_turbo::AttributeValue;
    ///
    /// let list = AttributeValue::list([1, 2]);
    /// assert_eq!(list, AttributeValue::List(vec![1.into(), 2.into()]));
    /// ```
    pub fn list<V: Into<Self>>(values: impl IntoIterator<Item = V>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }

    /// A hash, for `data`, `aria`, `class`, or JSON inside of `data`.
    ///
    /// ```
    /// use forebay_turbo::{AttributeValue, Attributes};
    ///
    /// let mut attributes = Attributes::new();
    /// attributes.set("aria", AttributeValue::hash([("live", "polite")]));
    /// assert_eq!(attributes.to_string(), r#" aria-live="polite""#);
    /// ```
    pub fn hash<N: Into<String>, V: Into<Self>>(entries: impl IntoIterator<Item = (N, V)>) -> Self {
        Self::Hash(entries.into_iter().collect())
    }

    /// Ruby's truth: everything but `nil` and `false`.
    pub(super) fn is_truthy(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }

    /// What Ruby's `to_s` gives for a single value; lists and hashes become JSON, which is as near
    /// to Ruby's `inspect` as HTML has a use for.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Null => Cow::Borrowed(""),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::Integer(value) => Cow::Owned(value.to_string()),
            Self::Float(value) => Cow::Owned(number::ruby_float(*value)),
            Self::String(text) => Cow::Borrowed(text),
            Self::List(_) | Self::Hash(_) => Cow::Owned(super::json::of(self)),
        }
    }
}

impl From<&str> for AttributeValue {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<&String> for AttributeValue {
    fn from(text: &String) -> Self {
        Self::String(text.clone())
    }
}

impl From<String> for AttributeValue {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for AttributeValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for AttributeValue {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<Attributes> for AttributeValue {
    fn from(entries: Attributes) -> Self {
        Self::Hash(entries)
    }
}

impl<V: Into<Self>> From<Vec<V>> for AttributeValue {
    fn from(values: Vec<V>) -> Self {
        Self::list(values)
    }
}

impl<V: Into<Self>> From<Option<V>> for AttributeValue {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

macro_rules! from_integers {
    ($($integer:ty)*) => {$(
        impl From<$integer> for AttributeValue {
            fn from(value: $integer) -> Self {
                Self::Integer(i128::from(value))
            }
        }
    )*};
}
from_integers!(i8 i16 i32 i64 i128 u8 u16 u32 u64);

macro_rules! from_sizes {
    ($($integer:ty)*) => {$(
        impl From<$integer> for AttributeValue {
            fn from(value: $integer) -> Self {
                // No platform has sizes of more than 64 bits; there is just no `From`.
                Self::Integer(value as i128)
            }
        }
    )*};
}
from_sizes!(isize usize);
