//! The one place where a tag's angle brackets are written.

use crate::{Attributes, Html};

/// An element, its tag's `own` attributes after those of the user. Tag and own names are always
/// this crate's.
pub(crate) fn element(
    name: &str,
    attributes: &Attributes,
    own: &[(&str, &str)],
    content: &Html,
) -> Html {
    // Most tags of this crate are between 60 and 250 bytes around their content.
    let mut out = String::with_capacity(content.as_str().len() + 256);
    push_open(&mut out, name, attributes, own);
    out.push_str(content.as_str());
    push_close(&mut out, name);
    Html::raw(out)
}

/// Appends `<name attributes own>`.
pub(crate) fn push_open(
    out: &mut String,
    name: &str,
    attributes: &Attributes,
    own: &[(&str, &str)],
) {
    out.push('<');
    out.push_str(name);
    attributes.push_to(out, own);
    out.push('>');
}

/// Appends `</name>`.
pub(crate) fn push_close(out: &mut String, name: &str) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// The attribute setters that each tag builder has; `$field` is its [`Attributes`].
macro_rules! attribute_setters {
    ($field:ident) => {
        /// Sets an attribute, by the rules of [`Attributes`](crate::Attributes). A name that was
        /// set before keeps its place and gets the new value.
        pub fn attribute(
            mut self,
            name: impl Into<String>,
            value: impl Into<crate::AttributeValue>,
        ) -> Self {
            self.$field.set(name, value);
            self
        }

        /// Sets several attributes, in their order.
        pub fn attributes(mut self, attributes: crate::Attributes) -> Self {
            self.$field.extend(attributes);
            self
        }

        /// Sets a `data-` attribute: underscores in the name become dashes, and what is not text is
        /// written as JSON.
        pub fn data(
            mut self,
            name: impl Into<String>,
            value: impl Into<crate::AttributeValue>,
        ) -> Self {
            self.$field.set_data(name, value);
            self
        }
    };
}
pub(crate) use attribute_setters;
