//! What each action does to the tree: `StreamActions` of `@hotwired/turbo` 8, step by step.
//!
//! A morph is done as a replacement. It gives the same elements; what differs is which of them are the
//! old ones, and a page without scripts, focus and typed text can't tell.

use ego_tree::{NodeId, Tree};
use scraper::{ElementRef, Node};

use super::stream::{self, StreamTag, TurboError};
use super::tree;

/// What performing a stream did.
pub(super) enum Performed {
    /// To how many elements.
    Changed(usize),
    /// The page is to load itself again.
    Refresh,
    /// An action of the application's own.
    Custom,
}

pub(super) fn perform(
    tree: &mut Tree<Node>,
    stream: NodeId,
    tag: &StreamTag,
) -> Result<Performed, TurboError> {
    let action: fn(&mut Tree<Node>, NodeId, &StreamTag) -> Result<usize, TurboError> =
        match &*tag.action {
            "append" => |tree, stream, tag| {
                let contents = without_duplicates(tree, stream, tag, children)?;
                each(tree, tag, contents, tree::append)
            },
            "prepend" => |tree, stream, tag| {
                let contents = without_duplicates(tree, stream, tag, children)?;
                each(tree, tag, contents, tree::prepend)
            },
            "before" => |tree, stream, tag| {
                let contents = without_duplicates(tree, stream, tag, siblings)?;
                each(tree, tag, contents, |tree, target, nodes| {
                    if tree::parent_element(tree, target).is_some() {
                        tree::insert_before(tree, target, nodes);
                    }
                })
            },
            "after" => |tree, stream, tag| {
                let contents = without_duplicates(tree, stream, tag, siblings)?;
                each(tree, tag, contents, |tree, target, nodes| {
                    if tree::parent_element(tree, target).is_some() {
                        tree::insert_after(tree, target, nodes);
                    }
                })
            },
            "replace" => |tree, stream, tag| {
                let contents = contents_if_needed(tree, stream, tag)?;
                each(tree, tag, contents, |tree, target, nodes| {
                    if tree::node_ref(tree, target).parent().is_some() {
                        tree::insert_before(tree, target, nodes);
                        tree::detach(tree, target);
                    }
                })
            },
            "update" => |tree, stream, tag| {
                let contents = contents_if_needed(tree, stream, tag)?;
                each(tree, tag, contents, |tree, target, nodes| {
                    tree::empty(tree, target);
                    tree::append(tree, target, nodes);
                })
            },
            "remove" => {
                |tree, _, tag| each(tree, tag, None, |tree, target, _| tree::detach(tree, target))
            }
            "refresh" => return Ok(Performed::Refresh),
            "" => return Err(tag.error("action attribute is missing")),
            _ => return Ok(Performed::Custom),
        };
    action(tree, stream, tag).map(Performed::Changed)
}

/// Does the same to each target, with a copy of the template's contents of its own.
fn each(
    tree: &mut Tree<Node>,
    tag: &StreamTag,
    contents: Option<NodeId>,
    change: fn(&mut Tree<Node>, NodeId, Vec<NodeId>),
) -> Result<usize, TurboError> {
    let targets = stream::targets(tree, tag)?;
    for &target in &targets {
        let nodes = contents.map(|contents| tree::cloned_children(tree, contents));
        change(tree, target, nodes.unwrap_or_default());
    }
    Ok(targets.len())
}

/// `replace` and `update` look at their template for each target: without one they don't.
fn contents_if_needed(
    tree: &Tree<Node>,
    stream: NodeId,
    tag: &StreamTag,
) -> Result<Option<NodeId>, TurboError> {
    if stream::targets(tree, tag)?.is_empty() {
        return Ok(None);
    }
    stream::contents(tree, stream, tag)
}

/// Removes what has the id of a new element, of the nodes that `neighbours` finds for a target. Gives the
/// contents of the template.
fn without_duplicates(
    tree: &mut Tree<Node>,
    stream: NodeId,
    tag: &StreamTag,
    neighbours: fn(&Tree<Node>, NodeId) -> Option<NodeId>,
) -> Result<Option<NodeId>, TurboError> {
    let targets = stream::targets(tree, tag)?;
    let parents: Option<Vec<NodeId>> =
        targets.iter().map(|target| neighbours(tree, *target)).collect();
    let parents = parents.ok_or_else(|| tag.error("its target has no parent"))?;
    let contents = stream::contents(tree, stream, tag)?;
    let new = contents.map(|contents| ids(tree, contents)).unwrap_or_default();
    let mut doubled = Vec::new();
    for parent in parents {
        let children = tree::node_ref(tree, parent).children().filter_map(ElementRef::wrap);
        let known = children.filter(|child| id(*child).is_some_and(|id| new.contains(&id)));
        doubled.extend(known.map(|child| child.id()));
    }
    for node in doubled {
        tree::detach(tree, node);
    }
    Ok(contents)
}

#[expect(clippy::unnecessary_wraps, reason = "as `siblings`")]
fn children(_: &Tree<Node>, target: NodeId) -> Option<NodeId> {
    Some(target)
}

fn siblings(tree: &Tree<Node>, target: NodeId) -> Option<NodeId> {
    tree::parent_element(tree, target)
}

fn ids(tree: &Tree<Node>, parent: NodeId) -> Vec<String> {
    let children = tree::node_ref(tree, parent).children().filter_map(ElementRef::wrap);
    children.filter_map(id).collect()
}

fn id(element: ElementRef<'_>) -> Option<String> {
    element.value().id().filter(|id| !id.is_empty()).map(str::to_owned)
}
