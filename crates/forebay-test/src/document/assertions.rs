//! What a test says of a page. A failure shows the nearest ids, and the HTML around.

use std::fmt::Write as _;

use ego_tree::NodeId;
use scraper::ElementRef;

use super::{Document, seeing, tree};

/// Of the HTML that a failure shows, at most so many bytes.
const SHOWN_BYTES_MAX: usize = 2_000;

impl Document {
    /// That one element at least is found by this CSS selector.
    #[track_caller]
    pub fn assert_exists(&self, selector: &str) {
        if self.find(selector).is_empty() {
            self.fail(selector, "is not on the page");
        }
    }

    /// That none is.
    #[track_caller]
    pub fn assert_gone(&self, selector: &str) {
        let found = self.find(selector);
        if let Some(first) = found.first() {
            let html = shortened(self.element(*first).html());
            panic!("`{selector}` is on the page, {} times: {html}", found.len());
        }
    }

    /// That so many are.
    #[track_caller]
    pub fn assert_count(&self, selector: &str, expected: usize) {
        let found = self.find(selector).len();
        if found != expected {
            self.fail(selector, &format!("is there {found} times, and not {expected}"));
        }
    }

    /// That the first element that is found has this text, and no other. White space counts as one space,
    /// as a browser shows it.
    #[track_caller]
    pub fn assert_text(&self, selector: &str, expected: &str) {
        match self.text(selector) {
            None => self.fail(selector, "is not on the page"),
            Some(text) if text != single_spaced(expected) => {
                self.fail(selector, &format!("has the text {text:?}, and not {expected:?}"));
            }
            Some(_) => {}
        }
    }

    /// That the elements that are found have these texts, in this order.
    #[track_caller]
    pub fn assert_texts(&self, selector: &str, expected: &[&str]) {
        let texts = self.texts(selector);
        let expected: Vec<_> = expected.iter().map(|text| single_spaced(text)).collect();
        if texts != expected {
            self.fail(selector, &format!("has the texts {texts:?}, and not {expected:?}"));
        }
    }

    /// That the first element that is found has this attribute.
    #[track_caller]
    pub fn assert_attribute(&self, selector: &str, name: &str, expected: &str) {
        let found = self.attribute(selector, name);
        if found.as_deref() != Some(expected) {
            self.fail(selector, &format!("has {name}={found:?}, and not {expected:?}"));
        }
    }

    /// The text of the first element that this CSS selector finds. White space counts as one space.
    #[track_caller]
    pub fn text(&self, selector: &str) -> Option<String> {
        self.texts(selector).into_iter().next()
    }

    /// The texts of all.
    #[track_caller]
    pub fn texts(&self, selector: &str) -> Vec<String> {
        let found = self.find(selector).into_iter();
        found.map(|node| text_of(self.element(node))).collect()
    }

    /// How many are found.
    #[track_caller]
    pub fn count(&self, selector: &str) -> usize {
        self.find(selector).len()
    }

    /// An attribute of the first element that is found.
    #[track_caller]
    pub fn attribute(&self, selector: &str, name: &str) -> Option<String> {
        let first = *self.find(selector).first()?;
        self.attribute_of(first, name)
    }

    /// The HTML of the first element that is found, with its own tag.
    #[track_caller]
    pub fn html_of(&self, selector: &str) -> Option<String> {
        let first = *self.find(selector).first()?;
        Some(self.element(first).html())
    }

    /// The HTML of all elements that are found, without source tags and with as little white space as there
    /// can be.
    #[track_caller]
    pub(crate) fn shown(&self, selector: &str) -> String {
        let mut bare = self.clone();
        for (source, _) in self.sources() {
            tree::detach(&mut bare.html.tree, source);
        }
        let found = bare.find(selector).into_iter();
        let html: Vec<_> = found.map(|node| single_spaced(&bare.element(node).html())).collect();
        html.join("\n").replace("> <", "><")
    }

    fn element(&self, node: NodeId) -> ElementRef<'_> {
        ElementRef::wrap(tree::node_ref(&self.html.tree, node)).expect("it was found as one")
    }

    #[track_caller]
    fn fail(&self, selector: &str, what: &str) -> ! {
        let near = seeing::nearest_ids(&self.html.tree, selector);
        let mut message = format!("`{selector}` {what}");
        if !near.is_empty() {
            let _ = write!(message, "; near to it are {}", near.join(", "));
        }
        let html = shortened(self.around(selector));
        panic!("{message}\n{html}");
    }

    /// The HTML that is shown with a failure: what is around the element, or what is nearest to it.
    fn around(&self, selector: &str) -> String {
        let found = self.find(selector).into_iter().next();
        let near = || {
            let id = seeing::nearest_ids(&self.html.tree, selector).into_iter().next()?;
            tree::all_with_id(&self.html.tree, &id).into_iter().next()
        };
        let parent = |node| tree::parent_element(&self.html.tree, node);
        match found.or_else(near).and_then(parent) {
            Some(parent) => self.element(parent).html(),
            None => self.body(),
        }
    }
}

fn text_of(element: ElementRef<'_>) -> String {
    let inside = element.descendants().filter(|node| {
        // What is in a template is not shown.
        !node.ancestors().any(|above| above.value().is_fragment() && above.parent().is_some())
    });
    let text: String =
        inside.filter_map(|node| node.value().as_text().map(|text| &**text)).collect();
    single_spaced(&text)
}

fn single_spaced(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn shortened(mut html: String) -> String {
    if html.len() > SHOWN_BYTES_MAX {
        let end = html.floor_char_boundary(SHOWN_BYTES_MAX);
        html.truncate(end);
        html.push('…');
    }
    html
}
