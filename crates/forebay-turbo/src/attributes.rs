//! HTML attributes by the rules of Rails' tag helpers.
//!
//! turbo-rails hands its attributes to `ActionView::Helpers::TagHelper`; equality byte for byte
//! therefore means following that helper in all its corners. The rules are in [`write`], the values
//! in [`AttributeValue`]. Checked against Rails 6.1 (whose helper has the fixes of 7.2.3) and the
//! vectors made with 7.2.3.

mod json;
mod name;
mod number;
#[cfg(test)]
mod tests;
mod value;
mod write;

pub use value::AttributeValue;

pub(crate) use number::ruby_float;
pub(crate) use write::is_blank;

/// Attributes of a tag, in order; each name once.
///
/// - `null` is left out.
/// - Boolean attributes of HTML (`disabled`, `hidden`, …) appear as `disabled="disabled"`, or not
///   at all for `false`. On any other attribute a boolean is the text `true` or `false`.
/// - A hash under `data` or `aria` becomes one attribute for each entry, its name dasherized:
///   under `data` everything but text is JSON; under `aria` lists become tokens.
/// - A list or hash under `class` becomes the tokens that hold.
/// - Any other list is joined by spaces.
/// - Names are made valid XML names with `_`; values are escaped.
///
/// ```
/// use forebay_turbo::{AttributeValue, Attributes};
///
/// let mut attributes = Attributes::new();
/// attributes
///     .set("class", AttributeValue::hash([("card", true), ("hidden", false)]))
///     .set("disabled", true)
///     .set("draggable", true)
///     .set("title", "a \"b\"")
///     .set_data("user_ids", vec![1, 2]);
/// assert_eq!(
///     attributes.to_string(),
///     r#" class="card" disabled="disabled" draggable="true" title="a &quot;b&quot;" data-user-ids="[1,2]""#
/// );
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(Vec<(String, AttributeValue)>);

impl Attributes {
    /// No attributes.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Sets an attribute. A name that was set before keeps its place and gets the new value.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<AttributeValue>) -> &mut Self {
        let (name, value) = (name.into(), value.into());
        match self.get_mut(&name) {
            Some(old) => *old = value,
            None => self.0.push((name, value)),
        }
        self
    }

    /// Sets one entry of the `data` hash, which is made if there is none.
    pub fn set_data(
        &mut self,
        name: impl Into<String>,
        value: impl Into<AttributeValue>,
    ) -> &mut Self {
        if !matches!(self.get("data"), Some(AttributeValue::Hash(_))) {
            self.set("data", AttributeValue::Hash(Self::new()));
        }
        if let Some(AttributeValue::Hash(entries)) = self.get_mut("data") {
            entries.set(name, value);
        }
        self
    }

    /// The value of an attribute.
    pub fn get(&self, name: &str) -> Option<&AttributeValue> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The attributes in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &AttributeValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As [`set`](Self::set), but a new name goes to the front.
    pub(crate) fn set_first(&mut self, name: &str, value: AttributeValue) {
        match self.get_mut(name) {
            Some(old) => *old = value,
            None => self.0.insert(0, (name.to_owned(), value)),
        }
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut AttributeValue> {
        self.0.iter_mut().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

impl<N: Into<String>, V: Into<AttributeValue>> FromIterator<(N, V)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(entries: I) -> Self {
        let mut attributes = Self::new();
        attributes.extend(entries);
        attributes
    }
}

impl<N: Into<String>, V: Into<AttributeValue>> Extend<(N, V)> for Attributes {
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, entries: I) {
        for (name, value) in entries {
            self.set(name, value);
        }
    }
}

impl IntoIterator for Attributes {
    type Item = (String, AttributeValue);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// As in a tag: a space before each attribute.
impl std::fmt::Display for Attributes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = String::new();
        self.push_to(&mut out, &[]);
        f.write_str(&out)
    }
}
