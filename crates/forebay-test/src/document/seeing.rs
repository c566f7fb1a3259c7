//! What a page sees of an action, once it was performed: the words of [`Seen`].

use ego_tree::{NodeId, NodeRef, Tree};
use forebay_inspect::Seen;
use scraper::{ElementRef, Node};

use super::stream::StreamTag;
use super::{elements, tree};

/// As many ids as are shown that are like a target.
pub(super) const IDS_MAX: usize = 5;

/// What has to be known from before an action.
pub(super) struct Before {
    sources: usize,
    /// The elements with the target's id.
    with_id: usize,
    permanent: bool,
}

impl Before {
    pub(super) fn of(tree: &Tree<Node>, tag: &StreamTag) -> Self {
        let with_id = tag.target.as_deref().map(|id| tree::all_with_id(tree, id));
        let with_id = with_id.unwrap_or_default();
        let first =
            with_id.first().and_then(|node| tree::node_ref(tree, *node).value().as_element());
        Self {
            sources: elements::sources(tree).len(),
            with_id: with_id.len(),
            permanent: tag.attribute("method") == Some("morph")
                && first.is_some_and(|first| first.attr("data-turbo-permanent").is_some()),
        }
    }

    /// The first thing that is wrong with what was performed on so many elements.
    pub(super) fn seen(&self, tree: &Tree<Node>, tag: &StreamTag, elements: usize) -> Seen {
        if elements == 0 {
            let wanted = tag.target.as_deref().or(tag.targets.as_deref()).unwrap_or_default();
            return Seen::TargetMissing { ids: nearest_ids(tree, wanted) };
        }
        if self.with_id > 1 {
            return Seen::TargetDoubled { count: self.with_id as u64, nested: false };
        }
        if self.permanent {
            return Seen::Permanent;
        }
        if tag.needs_content() && tag.is_empty() {
            return Seen::EmptyTemplate;
        }
        if elements::sources(tree).len() < self.sources {
            return Seen::SourceRemoved;
        }
        if let Some(doubled) = doubled(tree, tag) {
            return doubled;
        }
        misplaced(tree).unwrap_or_default()
    }
}

/// An id that the action has brought, and that is there twice now.
fn doubled(tree: &Tree<Node>, tag: &StreamTag) -> Option<Seen> {
    let target = tag.target.as_deref()?;
    let count = tree::all_with_id(tree, target);
    let is_around = |inner: NodeId| {
        let mut above = tree::node_ref(tree, inner).ancestors().filter_map(ElementRef::wrap);
        above.any(|element| element.value().id() == Some(target))
    };
    (count.len() > 1).then(|| Seen::TargetDoubled {
        count: count.len() as u64,
        nested: count.iter().any(|node| is_around(*node)),
    })
}

/// Parts of tables, each with what it may be in.
const INSIDE: [(&str, &[&str]); 9] = [
    ("tr", &["table", "tbody", "thead", "tfoot"]),
    ("td", &["tr"]),
    ("th", &["tr"]),
    ("tbody", &["table"]),
    ("thead", &["table"]),
    ("tfoot", &["table"]),
    ("caption", &["table"]),
    ("colgroup", &["table"]),
    ("col", &["colgroup"]),
];

/// A part of a table that is in none. No parser makes that: an action does, from a template, where it is
/// allowed.
fn misplaced(tree: &Tree<Node>) -> Option<Seen> {
    let mut found = tree::elements(tree.root());
    found.find_map(|element| {
        let name = element.value().name();
        let (_, parents) = INSIDE.iter().find(|(part, _)| *part == name)?;
        let parent = element.parent().and_then(ElementRef::wrap)?.value().name();
        let is_misplaced = !parents.contains(&parent);
        is_misplaced
            .then(|| Seen::Misplaced { element: name.to_owned(), parent: parent.to_owned() })
    })
}

/// Ids of the page that are like this target, the nearest first.
pub(super) fn nearest_ids(tree: &Tree<Node>, wanted: &str) -> Vec<String> {
    let wanted = wanted.trim_start_matches(['#', '.']);
    let mut near: Vec<_> = ids(tree.root())
        .filter(|id| *id != wanted)
        .map(|id| (strsim::damerau_levenshtein(wanted, id), id))
        .filter(|(distance, id)| *distance <= wanted.chars().count().max(id.chars().count()) / 3)
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(IDS_MAX).map(|(_, id)| id.to_owned()).collect()
}

fn ids(top: NodeRef<'_, Node>) -> impl Iterator<Item = &str> {
    tree::elements(top).filter_map(|element| element.value().id()).filter(|id| !id.is_empty())
}
