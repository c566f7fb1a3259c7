//! Which broadcast a delivery belongs to, for whoever follows spans.
//!
//! A broadcast's span ends before its deliveries begin, and those are made in other tasks. So the last broadcasts are
//! remembered for a while, and the span of a round follows from the one of its broadcast. Where nobody wants such
//! spans, nothing is remembered and no round looks: that costs one look at a level.

use std::collections::VecDeque;
use std::sync::Arc;

use forebay_log::Offset;
use parking_lot::Mutex;
use tracing::{Id, Level, Span, enabled};

/// Broadcasts that are remembered, 40 bytes each and the name of a stream. A round that comes later has no link.
const BROADCASTS_MAX: usize = 1_024;

/// The newest last.
#[derive(Debug, Default)]
pub(crate) struct Traces(Mutex<VecDeque<Broadcast>>);

#[derive(Clone, Debug)]
struct Broadcast {
    offset: Offset,
    stream: Arc<str>,
    span: Option<Id>,
}

impl Traces {
    /// Whether somebody wants to know of deliveries. No state of its own, but the subscriber's.
    #[inline]
    #[expect(clippy::unused_self, reason = "it is asked where the traces are")]
    pub(crate) fn is_wanted(&self) -> bool {
        enabled!(target: "forebay::deliveries", Level::DEBUG)
    }

    /// A broadcast has its place. Called before anybody is told of it.
    #[inline]
    pub(crate) fn publish(&self, offset: Offset, stream: &str) {
        if self.is_wanted() {
            self.remember(offset, stream);
        }
    }

    /// A round has written for so many, none of it older than this.
    pub(crate) fn deliver(&self, oldest: Offset, deliveries: u64) {
        if deliveries > 0 && self.is_wanted() {
            self.tell(oldest, deliveries);
        }
    }

    #[cold]
    fn remember(&self, offset: Offset, stream: &str) {
        let broadcast = Broadcast { offset, stream: stream.into(), span: Span::current().id() };
        let mut broadcasts = self.0.lock();
        if broadcasts.len() == BROADCASTS_MAX {
            broadcasts.pop_front();
        }
        broadcasts.push_back(broadcast);
    }

    fn tell(&self, oldest: Offset, deliveries: u64) {
        let broadcast = {
            let broadcasts = self.0.lock();
            broadcasts.iter().rev().find(|broadcast| broadcast.offset == oldest).cloned()
        };
        let stream = broadcast.as_ref().map(|broadcast| &*broadcast.stream);
        let span = tracing::debug_span!(
            target: "forebay::deliveries", "deliver", stream, offset = oldest.0, deliveries
        );
        span.follows_from(broadcast.and_then(|broadcast| broadcast.span));
        let _entered = span.enter();
    }
}
