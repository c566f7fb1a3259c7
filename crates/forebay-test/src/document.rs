//! A page's HTML as a tree, and what stream tags do to it.
//!
//! No connection and no clock: a document is parsed, receives messages, and is asked what it shows. What
//! Turbo does in a browser and this does not is in the documentation of the crate.

mod actions;
mod assertions;
mod elements;
mod seeing;
mod stream;
mod tree;

use std::collections::BTreeSet;

use ego_tree::NodeId;
use forebay_inspect::Seen;
use scraper::{ElementRef, Html, Node};

use self::actions::Performed;
pub(crate) use self::elements::Source;
pub use self::stream::StreamTag;
use self::stream::{STREAM, is_template};

/// Streams that one message may lead to: those in it, and those in what they bring. A page that goes on for
/// longer brings itself again and again.
const STREAMS_MAX: usize = 10_000;

/// A page's HTML, to which stream tags are applied as Turbo applies them.
///
/// ```
/// use forebay_core::TurboStream;
/// use forebay_test::Document;
///
/// let mut page = Document::parse("<ul id=\"todos\"><li id=\"todo_1\">Buy milk</li></ul>");
/// page.receive(&TurboStream::update("todo_1").text("Buy oat milk").to_string());
/// page.assert_text("#todo_1", "Buy oat milk");
/// page.receive(&TurboStream::remove("todo_1").to_string());
/// page.assert_gone("#todo_1");
/// ```
#[derive(Clone, Debug)]
pub struct Document {
    html: Html,
    /// Custom actions that the page's scripts define.
    actions: BTreeSet<String>,
    /// Ids of elements that were removed: a second removal is as good as one, as where a form is answered
    /// with the tag that is broadcast, too.
    removed: BTreeSet<String>,
}

/// What became of one stream tag.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Applied {
    /// The tag, as it came.
    pub tag: StreamTag,
    /// How many elements it was for.
    pub elements: usize,
    /// What the page saw.
    pub seen: Seen,
}

impl Applied {
    /// Whether the page is to load itself again.
    pub(crate) fn is_refresh(&self) -> bool {
        self.tag.action == "refresh" && self.seen.is_applied()
    }

    /// Whether the action is one that Turbo does not have.
    pub fn is_custom(&self) -> bool {
        const TURBOS: [&str; 8] =
            ["after", "append", "before", "prepend", "refresh", "remove", "replace", "update"];
        !self.tag.action.is_empty() && !TURBOS.contains(&&*self.tag.action)
    }
}

impl Document {
    /// Reads a whole page, or a part of one, as a browser does.
    pub fn parse(html: &str) -> Self {
        Self {
            html: Html::parse_document(html),
            actions: BTreeSet::new(),
            removed: BTreeSet::new(),
        }
    }

    /// Says that the page's scripts define this action in `Turbo.StreamActions`. Any other one that Turbo
    /// does not have is [`Seen::UnknownAction`].
    pub fn with_action(mut self, name: impl Into<String>) -> Self {
        self.actions.insert(name.into());
        self
    }

    /// Applies a message: stream tags, as they are broadcast or answered. Gives what became of each.
    ///
    /// What else is in the message is put at the document's end, as Turbo does.
    pub fn receive(&mut self, message: &str) -> Vec<Applied> {
        let fragment = Html::parse_fragment(message);
        let streams = tree::elements(fragment.tree.root()).filter(|e| e.value().name() == STREAM);
        for stream in streams {
            let first = tree::first_element(*stream);
            if first.is_some_and(|first| !is_template(first)) {
                let tag = StreamTag::of(stream);
                let seen = Seen::Threw { error: tag.first_child_error().to_string() };
                // Turbo reads all templates before it applies the first.
                return vec![Applied { tag, elements: 0, seen }];
            }
        }
        let Some(root) = self.root() else { return Vec::new() };
        let top: Vec<NodeId> = fragment
            .root_element()
            .children()
            .map(|node| tree::adopted(&mut self.html.tree, node))
            .collect();
        tree::append(&mut self.html.tree, root, top);
        self.keep_permanent();
        self.run_streams()
    }

    /// Applies the stream tags that are in the page itself, as they are when it is loaded.
    pub fn run_streams(&mut self) -> Vec<Applied> {
        let mut applied = Vec::new();
        loop {
            let waiting = self.connected(STREAM);
            if waiting.is_empty() {
                return applied;
            }
            for stream in waiting {
                assert!(
                    applied.len() < STREAMS_MAX,
                    "{STREAMS_MAX} stream tags have led to each other: one of them brings itself"
                );
                applied.push(self.apply(stream));
                tree::detach(&mut self.html.tree, stream);
            }
        }
    }

    /// The whole document.
    pub fn html(&self) -> String {
        self.html.html()
    }

    /// What is in the body.
    pub fn body(&self) -> String {
        let body = self.body_element();
        body.map(|body| body.inner_html()).unwrap_or_default()
    }

    fn apply(&mut self, stream: NodeId) -> Applied {
        let tree = &self.html.tree;
        let element = ElementRef::wrap(tree::node_ref(tree, stream)).expect("it was found as one");
        let tag = StreamTag::of(element);
        let before = seeing::Before::of(tree, &tag);
        let performed = actions::perform(&mut self.html.tree, stream, &tag);
        let (elements, seen) = match performed {
            Ok(Performed::Changed(0)) if self.is_removed(&tag) => (0, Seen::Applied),
            Ok(Performed::Changed(elements)) => {
                let removed = tag.target.clone().filter(|_| tag.action == "remove");
                self.removed.extend(removed);
                (elements, before.seen(&self.html.tree, &tag, elements))
            }
            Ok(Performed::Refresh) => (0, Seen::Applied),
            Ok(Performed::Custom) if self.actions.contains(&tag.action) => {
                let found = stream::targets(&self.html.tree, &tag).map_or(0, |found| found.len());
                (found, Seen::Applied)
            }
            Ok(Performed::Custom) => (0, Seen::UnknownAction),
            Err(error) => (0, Seen::Threw { error: error.to_string() }),
        };
        Applied { tag, elements, seen }
    }

    fn is_removed(&self, tag: &StreamTag) -> bool {
        let target = tag.target.as_ref().filter(|_| tag.action == "remove");
        target.is_some_and(|target| self.removed.contains(target))
    }

    /// Elements of the page that are permanent and come again keep what they have.
    fn keep_permanent(&mut self) {
        let streams = self.connected(STREAM);
        for permanent in self.find("[id][data-turbo-permanent]") {
            let id = self.attribute_of(permanent, "id").unwrap_or_default();
            // Of several that come, Turbo notes the last.
            let coming = streams.iter().rev().find_map(|stream| self.coming(*stream, &id));
            if let Some(coming) = coming {
                let tree = &mut self.html.tree;
                let kept = tree::cloned(tree, permanent);
                tree::insert_before(tree, coming, vec![kept]);
                tree::detach(tree, coming);
            }
        }
    }

    /// The permanent element of this id in a stream's template.
    fn coming(&self, stream: NodeId, id: &str) -> Option<NodeId> {
        let stream = tree::node_ref(&self.html.tree, stream);
        let template = tree::first_element(stream).filter(|first| is_template(*first))?;
        let found = tree::elements(tree::contents_of(*template)?).find(|element| {
            element.attr("id") == Some(id) && element.attr("data-turbo-permanent").is_some()
        });
        found.map(|element| element.id())
    }

    /// The elements of this name that are in the document.
    fn connected(&self, name: &str) -> Vec<NodeId> {
        let found = tree::elements(self.html.tree.root());
        found.filter(|element| element.value().name() == name).map(|e| e.id()).collect()
    }

    fn root(&self) -> Option<NodeId> {
        let root = self.html.tree.root();
        root.children().find(|child| child.value().is_element()).map(|child| child.id())
    }

    fn body_element(&self) -> Option<ElementRef<'_>> {
        let root = self.html.tree.root();
        tree::elements(root).find(|element| element.value().name() == "body")
    }

    fn attribute_of(&self, node: NodeId, name: &str) -> Option<String> {
        match tree::node_ref(&self.html.tree, node).value() {
            Node::Element(element) => element.attr(name).map(str::to_owned),
            _ => None,
        }
    }
}
