//! What nodes that share a log ask each other, on behalf of somebody who inspects one of them.
//!
//! The log gives questions and answers their places, and takes no notice of them. A node answers when it has
//! applied the question, so its answer rests on all that stands before it. What they say is forebay-inspect's.

use std::sync::Arc;

use bytes::Bytes;

use crate::presence::Node;

/// A question of one node to all others, or an answer to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inquiry {
    /// Who asks or answers.
    pub node: Node,
    /// The same in a name that people can read.
    pub name: Arc<str>,
    /// The question's number. Those of one node only go up.
    pub number: u64,
    /// Whom it answers. `None` for a question.
    pub to: Option<Node>,
    /// The question or the answer.
    pub body: Bytes,
}
