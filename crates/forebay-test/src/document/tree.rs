//! Moving nodes about: what the DOM's own methods do, on scraper's tree.
//!
//! A template's contents are its first child here, a fragment. They are no part of the document: nothing
//! that looks for elements looks into them.

use ego_tree::{NodeId, NodeMut, NodeRef, Tree};
use scraper::{ElementRef, Node, Selector};

/// The elements below a node, in the document's order, without those in templates.
pub(super) fn elements(top: NodeRef<'_, Node>) -> impl Iterator<Item = ElementRef<'_>> {
    let mut next = Vec::new();
    push_children(top, &mut next);
    std::iter::from_fn(move || {
        let node = next.pop()?;
        push_children(node, &mut next);
        Some(node)
    })
    .filter_map(ElementRef::wrap)
}

fn push_children<'a>(node: NodeRef<'a, Node>, next: &mut Vec<NodeRef<'a, Node>>) {
    let last = next.len();
    next.extend(node.children().filter(|child| !child.value().is_fragment()));
    next[last..].reverse();
}

/// The elements that a selector finds, in the document's order.
pub(super) fn select(tree: &Tree<Node>, selector: &Selector) -> Vec<NodeId> {
    let found = elements(tree.root()).filter(|element| selector.matches(element));
    found.map(|element| element.id()).collect()
}

/// The elements with this id. A page that is right has at most one.
pub(super) fn all_with_id(tree: &Tree<Node>, id: &str) -> Vec<NodeId> {
    let found = elements(tree.root()).filter(|element| element.value().id() == Some(id));
    found.map(|element| element.id()).collect()
}

/// A template's contents.
pub(super) fn contents_of(template: NodeRef<'_, Node>) -> Option<NodeRef<'_, Node>> {
    template.first_child().filter(|child| child.value().is_fragment())
}

/// The first child that is an element.
pub(super) fn first_element(node: NodeRef<'_, Node>) -> Option<ElementRef<'_>> {
    node.children().find_map(ElementRef::wrap)
}

/// Copies of all children of a node, in order, that are nowhere yet.
pub(super) fn cloned_children(tree: &mut Tree<Node>, parent: NodeId) -> Vec<NodeId> {
    let children = child_ids(tree, parent);
    children.into_iter().map(|child| cloned(tree, child)).collect()
}

pub(super) fn cloned(tree: &mut Tree<Node>, node: NodeId) -> NodeId {
    node_mut(tree, node).clone_subtree().id()
}

pub(super) fn child_ids(tree: &Tree<Node>, parent: NodeId) -> Vec<NodeId> {
    node_ref(tree, parent).children().map(|child| child.id()).collect()
}

/// Takes another document's nodes over, which are nowhere yet.
pub(super) fn adopted(tree: &mut Tree<Node>, other: NodeRef<'_, Node>) -> NodeId {
    let copy = tree.orphan(other.value().clone()).id();
    for child in other.children() {
        let child = adopted(tree, child);
        node_mut(tree, copy).append_id(child);
    }
    copy
}

pub(super) fn append(tree: &mut Tree<Node>, parent: NodeId, children: Vec<NodeId>) {
    for child in children {
        node_mut(tree, parent).append_id(child);
    }
}

pub(super) fn prepend(tree: &mut Tree<Node>, parent: NodeId, children: Vec<NodeId>) {
    for child in children.into_iter().rev() {
        node_mut(tree, parent).prepend_id(child);
    }
}

/// Inserts before a node, which has a parent.
pub(super) fn insert_before(tree: &mut Tree<Node>, sibling: NodeId, nodes: Vec<NodeId>) {
    for node in nodes {
        node_mut(tree, sibling).insert_id_before(node);
    }
}

/// Inserts after a node, which has a parent.
pub(super) fn insert_after(tree: &mut Tree<Node>, sibling: NodeId, nodes: Vec<NodeId>) {
    for node in nodes.into_iter().rev() {
        node_mut(tree, sibling).insert_id_after(node);
    }
}

pub(super) fn detach(tree: &mut Tree<Node>, node: NodeId) {
    node_mut(tree, node).detach();
}

pub(super) fn empty(tree: &mut Tree<Node>, parent: NodeId) {
    for child in child_ids(tree, parent) {
        detach(tree, child);
    }
}

/// The parent, if it is an element.
pub(super) fn parent_element(tree: &Tree<Node>, node: NodeId) -> Option<NodeId> {
    node_ref(tree, node).parent().and_then(ElementRef::wrap).map(|parent| parent.id())
}

pub(super) fn node_ref(tree: &Tree<Node>, node: NodeId) -> NodeRef<'_, Node> {
    tree.get(node).expect("nodes stay in their tree, detached or not")
}

fn node_mut(tree: &mut Tree<Node>, node: NodeId) -> NodeMut<'_, Node> {
    tree.get_mut(node).expect("nodes stay in their tree, detached or not")
}
