//! What nodes that share a log ask each other, on behalf of somebody who inspects one of them.
//!
//! The log gives questions and answers their places, and takes no notice of them. A node answers when it has
//! applied the question, so its answer rests on all that stands before it. What they say is forebay-inspect's.

use std::sync::Arc;

use bytes::Bytes;

use crate::presence::Node;

/// What one node says to others that have its log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inquiry {
    /// Who says it.
    pub node: Node,
    /// The same in a name that people can read.
    pub name: Arc<str>,
    /// The question's number, also in an answer. Those of one node only go up.
    pub number: u64,
    /// What it is.
    pub kind: InquiryKind,
}

/// What a node can say to others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InquiryKind {
    /// A question to all of them.
    Question(Bytes),
    /// An answer to one of them.
    Answer {
        /// Who has asked.
        to: Node,
        /// The answer.
        body: Bytes,
    },
    /// It ends, and answers nothing any more.
    Farewell,
}
