//! One `<turbo-stream>`: what it says, and whom it finds.

use std::fmt;

use ego_tree::{NodeId, Tree};
use scraper::{ElementRef, Node, Selector};

use super::tree;

/// The name of the element.
pub(super) const STREAM: &str = "turbo-stream";

pub(super) const TEMPLATE: &str = "template";

/// A stream tag, as it came.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct StreamTag {
    /// The action's name. Empty if it has none.
    pub action: String,
    /// The id of the element that it is for.
    pub target: Option<String>,
    /// The CSS selector of the elements that it is for. A target wins over it.
    pub targets: Option<String>,
    /// All its attributes, in order, those above among them.
    pub attributes: Vec<(String, String)>,
    /// The HTML in its template, if it has one.
    pub template: Option<String>,
}

/// Why Turbo refuses a stream tag. The words are those that Chromium's console shows.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum TurboError {
    #[error("{tag}: {why}")]
    Tag { tag: String, why: &'static str },
    #[error("{tag}: first child element must be a <{TEMPLATE}> element")]
    FirstChild { tag: String },
    #[error("Failed to execute 'querySelectorAll' on 'Document': '{0}' is not a valid selector.")]
    Selector(String),
}

impl StreamTag {
    pub(super) fn of(element: ElementRef<'_>) -> Self {
        let attribute = |name| element.attr(name).map(str::to_owned);
        let attributes = element.value().attrs();
        let template = tree::first_element(*element).filter(|first| is_template(*first));
        Self {
            action: attribute("action").unwrap_or_default(),
            target: attribute("target"),
            targets: attribute("targets"),
            attributes: attributes
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            template: template.map(|template| template.inner_html()),
        }
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(of, _)| of == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether it has to bring something: an empty template then does nothing, or takes something away.
    pub(crate) fn needs_content(&self) -> bool {
        matches!(&*self.action, "append" | "prepend" | "before" | "after" | "replace")
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.template.as_deref().is_none_or(|template| template.trim().is_empty())
    }

    pub(super) fn first_child_error(&self) -> TurboError {
        TurboError::FirstChild { tag: self.to_string() }
    }

    pub(super) fn error(&self, why: &'static str) -> TurboError {
        TurboError::Tag { tag: self.to_string(), why }
    }
}

/// The opening tag, as Turbo names it in its errors.
impl fmt::Display for StreamTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{STREAM}")?;
        for (name, value) in &self.attributes {
            write!(f, " {name}=\"{value}\"")?;
        }
        f.write_str(">")
    }
}

pub(super) fn is_template(element: ElementRef<'_>) -> bool {
    element.value().name() == TEMPLATE
}

/// The node that has the contents of a stream's template. `None` where the stream is empty, which Turbo
/// takes for an empty template.
pub(super) fn contents(
    tree: &Tree<Node>,
    stream: NodeId,
    tag: &StreamTag,
) -> Result<Option<NodeId>, TurboError> {
    match tree::first_element(tree::node_ref(tree, stream)) {
        None => Ok(None),
        Some(first) if is_template(first) => {
            Ok(tree::contents_of(*first).map(|contents| contents.id()))
        }
        Some(_) => Err(tag.first_child_error()),
    }
}

/// The elements that a stream is for.
pub(super) fn targets(tree: &Tree<Node>, tag: &StreamTag) -> Result<Vec<NodeId>, TurboError> {
    let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if let Some(id) = some(&tag.target) {
        return Ok(tree::all_with_id(tree, &id).into_iter().take(1).collect());
    }
    let Some(selector) = some(&tag.targets) else {
        return Err(tag.error("target or targets attribute is missing"));
    };
    match Selector::parse(&selector) {
        Ok(selector) => Ok(tree::select(tree, &selector)),
        Err(_) => Err(TurboError::Selector(selector)),
    }
}
