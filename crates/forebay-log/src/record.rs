//! What a log store orders, and every replica applies in that order.

use std::sync::Arc;

use crate::inquiry::Inquiry;
use crate::message::{Class, Message};
use crate::position::{Offset, UnixMillis};
use crate::presence::Presence;

/// One place in the order, and what stands there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The place.
    pub offset: Offset,
    /// When its publisher asked for it.
    pub at: UnixMillis,
    /// What stands at the place.
    pub content: Content,
}

impl Record {
    /// Gives a batch the offsets that come next.
    pub fn sequence(after: Offset, at: UnixMillis, batch: Vec<Content>) -> Vec<Self> {
        let records = (after.0 + 1..).zip(batch);
        records.map(|(offset, content)| Self { offset: Offset(offset), at, content }).collect()
    }

    /// What it says of who is present, if that is what it is about.
    pub fn presence(&self) -> Option<&Arc<Presence>> {
        match &self.content {
            Content::Control(Control::Presence(sign)) => Some(sign),
            _ => None,
        }
    }
}

/// What a record says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// A broadcast, which becomes an entry of its stream.
    Entry {
        /// The stream.
        stream: Arc<str>,
        /// What subscribers get.
        message: Message,
        /// How long it is worth keeping.
        class: Class,
    },
    /// Something that all replicas have to know.
    Control(Control),
}

impl Content {
    /// Whether it is of use only to those who are there when it comes: nobody keeps it.
    pub fn is_ephemeral(&self) -> bool {
        match self {
            Self::Entry { class, .. } => *class == Class::Ephemeral,
            Self::Control(control) => {
                matches!(control, Control::Disconnect { .. } | Control::Inquiry(_))
            }
        }
    }
}

/// What all replicas have to know beside the entries.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Control {
    /// Access is taken back.
    Revoke(Revocation),
    /// Access that was taken back is given again.
    Readmit(Revocation),
    /// Connections of one identity end.
    Disconnect {
        /// The identity.
        identity: Arc<str>,
        /// Whether their clients are to come back by themselves.
        reconnects: bool,
    },
    /// Streams may lack entries before this offset: their pages are to heal themselves.
    Gap(Lacking),
    /// Who is present where. The log itself takes no notice of it.
    Presence(Arc<Presence>),
    /// What nodes ask each other for whoever inspects one of them. The log itself takes no notice of it.
    Inquiry(Arc<Inquiry>),
    /// Nothing: what stands at this place does not count.
    Nothing,
}

/// Which streams may lack something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lacking {
    /// The stream of this name.
    Stream(Arc<str>),
    /// All streams whose names begin with this. Streams of which nothing is known are counted among them.
    Prefix(Arc<str>),
    /// All streams.
    All,
}

/// Whose access to what. Without an identity it is everybody's, without a stream it is to everything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revocation {
    identity: Option<Arc<str>>,
    stream: Option<Arc<str>>,
}

impl Revocation {
    /// One visitor's access to everything.
    pub fn of_identity(identity: impl Into<Arc<str>>) -> Self {
        Self { identity: Some(identity.into()), stream: None }
    }

    /// Everybody's access to one stream.
    pub fn of_stream(stream: impl Into<Arc<str>>) -> Self {
        Self { identity: None, stream: Some(stream.into()) }
    }

    /// One visitor's access to one stream.
    pub fn of(identity: impl Into<Arc<str>>, stream: impl Into<Arc<str>>) -> Self {
        Self { identity: Some(identity.into()), stream: Some(stream.into()) }
    }

    /// A revocation that was written down before.
    pub fn from_parts(identity: Option<Arc<str>>, stream: Option<Arc<str>>) -> Self {
        Self { identity, stream }
    }

    /// The visitor whose access it is, if it is one visitor's.
    pub fn identity(&self) -> Option<&Arc<str>> {
        self.identity.as_ref()
    }

    /// The stream, if it is about one stream.
    pub fn stream(&self) -> Option<&Arc<str>> {
        self.stream.as_ref()
    }
}
