//! Access that was taken back.
//!
//! A revocation takes a place in the log's order. Whoever's page was rendered before it is refused:
//! the page's cursor says so. A page rendered after it was made by an application that knew of it.
//! A subscription without a cursor can't say when its page was rendered, and is refused until the
//! revocation is taken back.
//!
//! None ends by itself, not even when all tags of this application that are older have expired: its
//! key may be shared with one whose names do not (turbo-rails), or have signed such names earlier, and
//! public streams and channels of the application's have no signature at all. What has no cursor
//! could then be let in that was rendered before.

use std::collections::VecDeque;
use std::sync::Arc;

use forebay_log::Offset;
use forebay_store::Revoked;

/// Revocations that are remembered, of a few hundred bytes each. Past it the oldest goes, and from
/// then on every page that is as old as it is refused, and everybody who does not say how old
/// theirs is, whoever it is: too much rather than too little. A page that is rendered again with a
/// cursor is let in again.
const REVOCATIONS_MAX: usize = 10_000;

/// Whose access to what. Without an identity everybody's, without a stream to everything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revocation {
    identity: Option<Arc<str>>,
    stream: Option<Arc<str>>,
}

impl Revocation {
    /// Everything that somebody reads.
    pub fn of_identity(identity: impl Into<Arc<str>>) -> Self {
        Self { identity: Some(identity.into()), stream: None }
    }

    /// One stream, for everybody.
    pub fn of_stream(stream: impl Into<Arc<str>>) -> Self {
        Self { identity: None, stream: Some(stream.into()) }
    }

    /// One stream, for somebody.
    pub fn of(identity: impl Into<Arc<str>>, stream: impl Into<Arc<str>>) -> Self {
        Self { identity: Some(identity.into()), stream: Some(stream.into()) }
    }

    /// Whose.
    pub fn identity(&self) -> Option<&Arc<str>> {
        self.identity.as_ref()
    }

    /// To what.
    pub fn stream(&self) -> Option<&Arc<str>> {
        self.stream.as_ref()
    }

    fn concerns(&self, identity: Option<&str>, stream: &str) -> bool {
        let is = |mine: &Option<Arc<str>>, other: Option<&str>| {
            mine.as_deref().is_none_or(|mine| other == Some(mine))
        };
        is(&self.identity, identity) && is(&self.stream, Some(stream))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Revocations {
    /// Oldest first, each with its place in the order.
    all: VecDeque<(Offset, Revocation)>,
    /// Pages older than this are refused. 0 until something was forgotten.
    floor: Offset,
}

impl Revocations {
    /// What an earlier life of the log left.
    pub(crate) fn restored(revoked: Vec<Revoked>, floor: Offset) -> Self {
        let all = revoked
            .into_iter()
            .map(|Revoked { at, identity, stream }| (at, Revocation { identity, stream }));
        Self { all: all.collect(), floor }
    }

    pub(crate) const fn floor(&self) -> Offset {
        self.floor
    }

    /// Gives the places of those that are no longer remembered.
    pub(crate) fn add(&mut self, at: Offset, revocation: Revocation) -> Vec<Offset> {
        let mut gone = self.take_back(&revocation);
        // Two that are made at once may come here the other way round.
        let place = self.all.partition_point(|(other, _)| *other <= at);
        self.all.insert(place, (at, revocation));
        if self.all.len() > REVOCATIONS_MAX
            && let Some((at, _)) = self.all.pop_front()
        {
            if self.floor == Offset(0) {
                tracing::warn!(
                    "more than {REVOCATIONS_MAX} revocations: subscriptions without a cursor are \
                     refused from now on"
                );
            }
            self.floor = at;
            gone.push(at);
        }
        gone
    }

    /// Gives the places that it had.
    pub(crate) fn take_back(&mut self, revocation: &Revocation) -> Vec<Offset> {
        let mut gone = Vec::new();
        self.all.retain(|(at, other)| {
            let stays = other != revocation;
            gone.extend((!stays).then_some(*at));
            stays
        });
        gone
    }

    /// Whether somebody may not read a stream whose page is as old as `seen`. `None` for a page
    /// that does not say, or of another life of the log.
    pub(crate) fn refuse(
        &self,
        identity: Option<&str>,
        stream: &str,
        seen: Option<Offset>,
    ) -> bool {
        if seen.unwrap_or_default() < self.floor {
            return true;
        }
        // The newest first: most pages have seen them all.
        let mut unseen =
            self.all.iter().rev().take_while(|(at, _)| seen.is_none_or(|seen| seen < *at));
        unseen.any(|(_, revocation)| revocation.concerns(identity, stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(
        revocations: &Revocations,
        identity: Option<&str>,
        stream: &str,
        seen: Option<u64>,
    ) -> bool {
        revocations.refuse(identity, stream, seen.map(Offset))
    }

    #[test]
    fn it_concerns_whom_and_what_it_names() {
        let mut revocations = Revocations::default();
        revocations.add(Offset(5), Revocation::of("user:1", "room"));
        assert!(refused(&revocations, Some("user:1"), "room", Some(4)));
        assert!(!refused(&revocations, Some("user:1"), "hall", Some(4)));
        assert!(!refused(&revocations, Some("user:2"), "room", Some(4)));
        assert!(!refused(&revocations, None, "room", Some(4)));
        revocations.add(Offset(6), Revocation::of_stream("hall"));
        assert!(refused(&revocations, None, "hall", Some(4)));
        revocations.add(Offset(7), Revocation::of_identity("user:2"));
        assert!(refused(&revocations, Some("user:2"), "anything", Some(4)));
    }

    #[test]
    fn a_page_that_is_rendered_later_is_let_in() {
        let mut revocations = Revocations::default();
        let revocation = Revocation::of_stream("room");
        revocations.add(Offset(5), revocation.clone());
        assert!(refused(&revocations, None, "room", Some(4)));
        assert!(!refused(&revocations, None, "room", Some(5)));
        assert!(refused(&revocations, None, "room", None), "it does not say how old it is");
        assert_eq!(revocations.take_back(&revocation), [Offset(5)]);
        assert!(!refused(&revocations, None, "room", None));
    }

    #[test]
    fn two_at_once_keep_their_order() {
        let mut revocations = Revocations::default();
        revocations.add(Offset(6), Revocation::of_stream("hall"));
        revocations.add(Offset(5), Revocation::of_stream("room"));
        assert!(!refused(&revocations, None, "room", Some(5)));
        assert!(refused(&revocations, None, "hall", Some(5)));
        assert!(refused(&revocations, None, "room", Some(4)));
    }

    #[test]
    fn what_is_forgotten_is_refused_to_all() {
        let mut revocations = Revocations::default();
        for offset in 0..=u64::try_from(REVOCATIONS_MAX).unwrap() {
            revocations.add(Offset(10 + offset), Revocation::of_identity(format!("user:{offset}")));
        }
        assert_eq!(revocations.all.len(), REVOCATIONS_MAX);
        assert!(refused(&revocations, None, "room", Some(9)));
        assert!(!refused(&revocations, None, "room", Some(10)));
        assert!(refused(&revocations, None, "room", None), "it may be as old as what is forgotten");
    }
}
