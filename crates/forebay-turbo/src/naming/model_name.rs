//! A model's name and the names derived from it, as `ActiveModel::Name` has them.

use super::inflector::{demodulize, pluralize, underscore};
use crate::RecordKey;

/// A model's name, with its derived forms computed once.
///
/// ```
/// use forebay_turbo::ModelName;
///
/// let model = ModelName::new("Bullhorn::Person");
/// assert_eq!(model.param_key(), "bullhorn_person");
/// assert_eq!(model.plural(), "bullhorn_people");
/// assert_eq!(model.element(), "person");
/// assert_eq!(model.partial_path(), "bullhorn/people/person");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelName {
    name: String,
    param_key: String,
    plural: String,
    element: String,
    collection: String,
}

impl ModelName {
    /// The names of a Rails class, `::` between namespaces.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        let path = underscore(&name);
        let param_key = path.replace('/', "_");
        Self {
            plural: pluralize(&param_key),
            element: underscore(demodulize(&name)),
            collection: pluralize(&path),
            param_key,
            name,
        }
    }

    /// Another plural than English inflection gives; the default target of appends is named by it.
    ///
    /// ```
    /// use forebay_turbo::ModelName;
    ///
    /// assert_eq!(ModelName::new("Human").plural(), "humen"); // so does Rails
    /// assert_eq!(ModelName::new("Human").with_plural("humans").plural(), "humans");
    /// ```
    pub fn with_plural(mut self, plural: impl Into<String>) -> Self {
        self.plural = plural.into();
        self
    }

    /// The class name: `Bullhorn::Message`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name in parameters and dom ids: `bullhorn_message`.
    pub fn param_key(&self) -> &str {
        &self.param_key
    }

    /// The plural of [`param_key`](Self::param_key), which also names the default stream and
    /// target: `bullhorn_messages`.
    pub fn plural(&self) -> &str {
        &self.plural
    }

    /// The name without its namespace, which Rails gives to the partial's local: `message`.
    pub fn element(&self) -> &str {
        &self.element
    }

    /// The folder of its templates: `bullhorn/messages`.
    pub fn collection(&self) -> &str {
        &self.collection
    }

    /// The partial that renders one record: `bullhorn/messages/message`.
    pub fn partial_path(&self) -> String {
        format!("{}/{}", self.collection, self.element)
    }

    /// The dom class: `bullhorn_message`, or `edit_bullhorn_message`.
    pub fn dom_class(&self, prefix: Option<&str>) -> String {
        match prefix {
            Some(prefix) => format!("{prefix}_{}", self.param_key),
            None => self.param_key.clone(),
        }
    }

    /// The dom id of the record with this key; without a key, of a new record.
    ///
    /// ```
    /// use forebay_turbo::{ModelName, RecordKey};
    ///
    /// let message = ModelName::new("Message");
    /// let key = RecordKey::from(1);
    /// assert_eq!(message.dom_id(Some(&key), None), "message_1");
    /// assert_eq!(message.dom_id(Some(&key), Some("edit")), "edit_message_1");
    /// assert_eq!(message.dom_id(None, None), "new_message");
    /// assert_eq!(message.dom_id(None, Some("edit")), "edit_message");
    /// ```
    pub fn dom_id(&self, key: Option<&RecordKey>, prefix: Option<&str>) -> String {
        match key {
            Some(key) => format!("{}_{key}", self.dom_class(prefix)),
            None => self.dom_class(Some(prefix.unwrap_or("new"))),
        }
    }
}

impl std::fmt::Display for ModelName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}
