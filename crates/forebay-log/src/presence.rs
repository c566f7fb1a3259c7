//! Who is present on a stream, as records of the log say it, and what changes there.
//!
//! A [`Presence`] record says which members one node holds. What follows from all of them is
//! forebay-presence's. Where the set of a stream changes, a [`Change`] becomes an entry of the stream's
//! *presence stream* ([`presence_stream`]), at the record's own offset.

use std::fmt;
use std::sync::Arc;

use crate::position::Offset;

/// Names that begin with it are ours. No client and no publisher can use them: see [`is_reserved`].
const RESERVED: u8 = 1;

const PRESENCE: &str = "\u{1}presence:";

/// The stream whose entries say who comes to another stream, changes, and leaves it.
pub fn presence_stream(stream: &str) -> String {
    format!("{PRESENCE}{stream}")
}

/// The stream that a presence stream is about. `None` for any other stream.
pub fn presence_of(stream: &str) -> Option<&str> {
    stream.strip_prefix(PRESENCE)
}

/// Whether a name is for streams of Forebay's own: nobody else may publish to it, or name it.
#[inline]
pub fn is_reserved(stream: &str) -> bool {
    stream.as_bytes().first() == Some(&RESERVED)
}

/// Names one life of a node: random, and never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Node(pub u64);

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Somebody who is present, however many pages, tabs or devices they have. Clones share the texts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Member {
    /// Tells members of a stream apart.
    pub id: Arc<str>,
    /// What others are told of the member: one JSON value, encoded.
    pub info: Arc<str>,
}

impl Member {
    /// A member. `info` is one JSON value; whoever takes it from a stranger has it checked before.
    pub fn new(id: impl Into<Arc<str>>, info: impl Into<Arc<str>>) -> Self {
        Self { id: id.into(), info: info.into() }
    }
}

/// A member that a node holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// The member.
    pub member: Member,
    /// The offset of the record that brought this info, where a node says again what is known. `None` for
    /// news.
    pub since: Option<Offset>,
}

/// What a log record says of presence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Presence {
    /// A node is alive.
    Alive {
        /// The node.
        node: Node,
    },
    /// A node ends in good order. Its members are given time to come back elsewhere.
    Leaves {
        /// The node.
        node: Node,
    },
    /// A node that begins does not know who was there before: the others are to say again whom they have.
    Asks {
        /// The node.
        node: Node,
    },
    /// A node has sessions of some members now, and has none any more of others. It names each once.
    Signs {
        /// The node.
        node: Node,
        /// The stream.
        stream: Arc<str>,
        /// Those that it has.
        held: Vec<Held>,
        /// The ids of those that it has no more.
        released: Vec<Arc<str>>,
    },
    /// Another node says that a node has nobody any more, since nothing was heard of it for long. It counts
    /// only if [`seen`](Self::Ended::seen) is still the last sign of life: then what was seen, and what is
    /// ended, are the same.
    Ended {
        /// The node that is gone.
        node: Node,
        /// Who says so.
        by: Node,
        /// The place of its last sign of life.
        seen: Offset,
        /// The stream.
        stream: Arc<str>,
        /// The ids of the members.
        members: Vec<Arc<str>>,
    },
}

impl Presence {
    /// The stream that it is about, if it is about one.
    pub fn stream(&self) -> Option<&Arc<str>> {
        match self {
            Self::Alive { .. } | Self::Leaves { .. } | Self::Asks { .. } => None,
            Self::Signs { stream, .. } | Self::Ended { stream, .. } => Some(stream),
        }
    }

    /// Bytes of the names and infos in it.
    pub fn bytes(&self) -> usize {
        let stream = self.stream().map_or(0, |stream| stream.len());
        let ids = |ids: &[Arc<str>]| ids.iter().map(|id| id.len()).sum::<usize>();
        stream
            + match self {
                Self::Alive { .. } | Self::Leaves { .. } | Self::Asks { .. } => 0,
                Self::Signs { held, released, .. } => {
                    let bytes = |held: &Held| held.member.id.len() + held.member.info.len();
                    held.iter().map(bytes).sum::<usize>() + ids(released)
                }
                Self::Ended { members, .. } => ids(members),
            }
    }

    /// Who wrote it.
    pub fn written_by(&self) -> Node {
        match *self {
            Self::Alive { node }
            | Self::Leaves { node }
            | Self::Asks { node }
            | Self::Signs { node, .. }
            | Self::Ended { by: node, .. } => node,
        }
    }
}

/// How the set of a stream's members has changed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Change {
    /// Those that were not there.
    pub joined: Vec<Member>,
    /// Those whose info is another now.
    pub updated: Vec<Member>,
    /// Those that are gone, with their last info.
    pub left: Vec<Member>,
    /// Members before it.
    pub total_before: usize,
    /// Members after it.
    pub total: usize,
}

impl Change {
    /// Whether it says the numbers only: so many are there that nobody is told their names.
    pub fn is_count_only(&self) -> bool {
        self.joined.is_empty() && self.updated.is_empty() && self.left.is_empty()
    }

    /// Bytes of the names and infos.
    pub(crate) fn bytes(&self) -> usize {
        let all = [&self.joined, &self.updated, &self.left];
        let bytes = |member: &Member| member.id.len() + member.info.len() + size_of::<Member>();
        all.iter().flat_map(|members| members.iter()).map(bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_presence_stream_says_which_stream_it_is_about() {
        let name = presence_stream("room:1");
        assert_eq!((presence_of(&name), presence_of("room:1")), (Some("room:1"), None));
        assert!(is_reserved(&name) && !is_reserved("room:1") && !is_reserved(""));
    }
}
