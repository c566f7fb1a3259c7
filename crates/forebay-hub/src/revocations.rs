//! Access that was taken back.
//!
//! A revocation takes a place in the log's order. Whoever's page was rendered before it is refused:
//! the page's cursor says so. A page rendered after it was made by an application that knew of it.
//! A subscription without a cursor can't say when its page was rendered, and is refused until the
//! revocation is taken back or given up.
//!
//! None is given up by itself: names of turbo-rails, and such as were signed without an end, are good for
//! ever, and so is what was taken back of them. The application may say after how long no page can be
//! open, and no name good, that is older (`Options::revocation_lifetime`). A revocation of that age
//! is given up, and an old page is not let in for that: pages with a cursor that is older than what was
//! given up are refused, whoever's they are.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use forebay_log::{Offset, Revocation, UnixMillis, presence_of};
use forebay_store::{Revoked, RevokedFloor};

/// Revocations that are remembered: each of somebody else or something else, 50 bytes. Past it the oldest
/// is given up before its time; then subscriptions that show no age are refused too, where they are
/// of a signed name: too much rather than too little.
const REVOCATIONS_MAX: usize = 500_000;

/// So many are worth a warning, and twice as many another.
const REVOCATIONS_MANY: usize = 50_000;

/// Who asks, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Whose connection it is.
    pub identity: Option<&'a str>,
    /// The stream.
    pub stream: &'a str,
    /// Anybody may have it: its name needs no signature.
    pub is_public: bool,
}

/// What one is known by: whose, and of what, hashed with keys of this process.
type Digest = u64;

#[derive(Debug, Default)]
pub(crate) struct Revocations {
    hasher: RandomState,
    /// Where each was made last. A subscription looks three of them up, however many there are.
    places: HashMap<Digest, Offset>,
    /// All of them, oldest first, and some that were made again or taken back since.
    order: VecDeque<(UnixMillis, Offset, Digest)>,
    lifetime: Option<Duration>,
    floor: RevokedFloor,
    warned_at: usize,
}

impl Revocations {
    /// What an earlier life of the log left, in order.
    pub(crate) fn restored(now: UnixMillis, revoked: Vec<Revoked>, floor: RevokedFloor) -> Self {
        let mut revocations = Self { floor, ..Self::default() };
        for revoked in revoked {
            let made_at = revoked.made_at.min(now);
            revocations.note(&Revoked { made_at, ..revoked });
        }
        revocations
    }

    /// Has what another has, and gives it up after the same time as before.
    pub(crate) fn replace(&mut self, other: Self) {
        *self = Self { lifetime: self.lifetime, ..other };
    }

    /// Gives the places of those that it takes the place of.
    fn note(&mut self, revoked: &Revoked) -> Vec<Offset> {
        let Revoked { at, made_at, revocation, is_readmitted } = revoked;
        let digest = self.digest_of(revocation);
        if *is_readmitted {
            return self.places.remove(&digest).into_iter().chain([*at]).collect();
        }
        self.order.push_back((*made_at, *at, digest));
        self.places.insert(digest, *at).into_iter().collect()
    }

    /// Gives up what is so old.
    pub(crate) fn set_lifetime(&mut self, lifetime: Option<Duration>) {
        self.lifetime = lifetime;
    }

    pub(crate) const fn lives_forever(&self) -> bool {
        self.lifetime.is_none()
    }

    pub(crate) const fn floor(&self) -> RevokedFloor {
        self.floor
    }

    /// Takes access back, or gives it again. Gives the places of those that are no longer remembered.
    pub(crate) fn add(&mut self, revoked: &Revoked) -> Vec<Offset> {
        let mut gone = self.note(revoked);
        while self.places.len() > REVOCATIONS_MAX {
            let given_up = self.give_up_oldest();
            self.floor.all = self.floor.all.max(given_up.unwrap_or_default());
            gone.extend(given_up);
        }
        if self.order.len() > 2 * self.places.len() + 1_024 {
            let places = &self.places;
            self.order.retain(|(_, at, digest)| places.get(digest) == Some(at));
        }
        self.warn();
        gone
    }

    /// Gives the places of those that have become too old.
    pub(crate) fn expire(&mut self, now: UnixMillis) -> Vec<Offset> {
        let Some(lifetime) = self.lifetime else { return Vec::new() };
        let lifetime = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        let mut gone = Vec::new();
        let is_old = |made_at: UnixMillis| now.0.saturating_sub(made_at.0) > lifetime;
        while self.order.front().is_some_and(|(made_at, ..)| is_old(*made_at)) {
            let given_up = self.give_up_oldest();
            self.floor.with_cursor = self.floor.with_cursor.max(given_up.unwrap_or_default());
            gone.extend(given_up);
        }
        gone
    }

    /// Gives its place, unless it was made again or taken back since.
    fn give_up_oldest(&mut self) -> Option<Offset> {
        let (_, at, digest) = self.order.pop_front()?;
        let is_current = self.places.get(&digest) == Some(&at);
        is_current.then(|| self.places.remove(&digest))?
    }

    fn warn(&mut self) {
        let many = self.places.len();
        if many >= REVOCATIONS_MANY && many >= 2 * self.warned_at {
            self.warned_at = many;
            tracing::warn!(
                "{many} revocations are remembered; past {REVOCATIONS_MAX} the oldest are given up, and \
                 tags without a cursor refused. Readmit whom they no longer concern, or say how long they \
                 are to be remembered"
            );
        }
    }

    /// Whether it is remembered.
    pub(crate) fn has(&self, revocation: &Revocation) -> bool {
        self.places.contains_key(&self.digest_of(revocation))
    }

    /// Whether somebody may not read a stream whose page is as old as `seen`. `None` for a page
    /// that does not say, or of another life of the log.
    pub(crate) fn refuse(&self, asked: Asked<'_>, seen: Option<Offset>) -> bool {
        // Whoever may have it without a signature has not lost it with one that is forgotten.
        let floor = match seen {
            _ if asked.is_public => Offset::ZERO,
            Some(_) => self.floor.all.max(self.floor.with_cursor),
            None => self.floor.all,
        };
        seen.unwrap_or_default() < floor || self.concerns(asked.identity, asked.stream, seen)
    }

    /// Whether one that is remembered says so.
    pub(crate) fn concerns(
        &self,
        identity: Option<&str>,
        stream: &str,
        seen: Option<Offset>,
    ) -> bool {
        if self.places.is_empty() {
            return false;
        }
        // Who may read a stream may see who is present there, and nobody else.
        let stream = presence_of(stream).unwrap_or(stream);
        let is_newer = |identity, stream| {
            let at = self.places.get(&self.digest(identity, stream));
            at.is_some_and(|at| seen.is_none_or(|seen| seen < *at))
        };
        is_newer(None, Some(stream))
            || identity.is_some() && (is_newer(identity, None) || is_newer(identity, Some(stream)))
    }

    fn digest_of(&self, revocation: &Revocation) -> Digest {
        let (identity, stream) = (revocation.identity(), revocation.stream());
        self.digest(identity.map(|identity| &**identity), stream.map(|stream| &**stream))
    }

    fn digest(&self, identity: Option<&str>, stream: Option<&str>) -> Digest {
        self.hasher.hash_one((identity, stream))
    }
}

#[cfg(test)]
mod tests {
    use forebay_log::presence_stream;

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000);

    fn refused(
        revocations: &Revocations,
        identity: Option<&str>,
        stream: &str,
        seen: Option<u64>,
    ) -> bool {
        revocations.refuse(Asked { identity, stream, is_public: false }, seen.map(Offset))
    }

    fn is_public_refused(revocations: &Revocations, stream: &str, seen: Option<u64>) -> bool {
        let asked = Asked { identity: None, stream, is_public: true };
        revocations.refuse(asked, seen.map(Offset))
    }

    fn add(
        revocations: &mut Revocations,
        made_at: UnixMillis,
        at: Offset,
        revocation: Revocation,
    ) -> Vec<Offset> {
        revocations.add(&Revoked { at, made_at, revocation, is_readmitted: false })
    }

    fn readmit(revocations: &mut Revocations, at: Offset, revocation: Revocation) -> Vec<Offset> {
        revocations.add(&Revoked { at, made_at: NOW, revocation, is_readmitted: true })
    }

    #[test]
    fn it_concerns_whom_and_what_it_names() {
        let mut revocations = Revocations::default();
        add(&mut revocations, NOW, Offset(5), Revocation::of("user:1", "room"));
        assert!(refused(&revocations, Some("user:1"), "room", Some(4)));
        assert!(!refused(&revocations, Some("user:1"), "hall", Some(4)));
        assert!(!refused(&revocations, Some("user:2"), "room", Some(4)));
        assert!(!refused(&revocations, None, "room", Some(4)));
        add(&mut revocations, NOW, Offset(6), Revocation::of_stream("hall"));
        assert!(refused(&revocations, None, "hall", Some(4)));
        assert!(refused(&revocations, None, &presence_stream("hall"), Some(4)));
        assert!(!refused(&revocations, None, &presence_stream("room"), Some(4)));
        add(&mut revocations, NOW, Offset(7), Revocation::of_identity("user:2"));
        assert!(refused(&revocations, Some("user:2"), "anything", Some(4)));
        assert!(!refused(&revocations, None, "user:2", Some(4)), "a stream is no identity");
    }

    #[test]
    fn a_page_that_is_rendered_later_is_let_in() {
        let mut revocations = Revocations::default();
        let revocation = Revocation::of_stream("room");
        add(&mut revocations, NOW, Offset(5), revocation.clone());
        assert!(refused(&revocations, None, "room", Some(4)));
        assert!(!refused(&revocations, None, "room", Some(5)));
        assert!(refused(&revocations, None, "room", None), "it does not say how old it is");
        assert_eq!(add(&mut revocations, NOW, Offset(7), revocation.clone()), [Offset(5)]);
        assert!(refused(&revocations, None, "room", Some(6)));
        assert_eq!(readmit(&mut revocations, Offset(8), revocation), [Offset(7), Offset(8)]);
        assert!(!refused(&revocations, None, "room", None));
    }

    #[test]
    fn two_at_once_keep_their_order() {
        let mut revocations = Revocations::default();
        add(&mut revocations, NOW, Offset(6), Revocation::of_stream("hall"));
        add(&mut revocations, NOW, Offset(5), Revocation::of_stream("room"));
        assert!(!refused(&revocations, None, "room", Some(5)));
        assert!(refused(&revocations, None, "hall", Some(5)));
        assert!(refused(&revocations, None, "room", Some(4)));
    }

    fn users(revocations: &mut Revocations, count: usize) {
        for n in 0..count {
            let at = Offset(10 + n as u64);
            add(revocations, NOW, at, Revocation::of_identity(format!("user:{n}")));
        }
    }

    /// A logout is one, and everybody logs out again and again.
    #[test]
    fn the_same_one_is_remembered_once() {
        let mut revocations = Revocations::default();
        for round in 0..200 {
            for user in 0..100 {
                let one = Revocation::of_identity(format!("user:{user}"));
                add(&mut revocations, NOW, Offset(round * 100 + user), one);
            }
        }
        assert_eq!(revocations.places.len(), 100);
        assert!(revocations.order.len() <= 2 * 100 + 1_025, "{}", revocations.order.len());
        assert_eq!(revocations.floor(), RevokedFloor::default());
    }

    #[test]
    fn ten_thousand_logouts_are_nobody_elses_business() {
        let mut revocations = Revocations::default();
        users(&mut revocations, 20_000);
        assert!(refused(&revocations, Some("user:0"), "room", None));
        assert!(!refused(&revocations, Some("user:x"), "room", None));
        assert!(!refused(&revocations, None, "room", None));
        assert_eq!(revocations.floor(), RevokedFloor::default());
    }

    #[test]
    fn past_the_bound_old_pages_are_refused_and_public_streams_are_not() {
        let mut revocations = Revocations::default();
        users(&mut revocations, REVOCATIONS_MAX + 1);
        assert_eq!(revocations.places.len(), REVOCATIONS_MAX);
        assert!(refused(&revocations, None, "room", Some(9)));
        assert!(!refused(&revocations, None, "room", Some(10)));
        assert!(refused(&revocations, None, "room", None), "it may be as old as what is forgotten");
        for seen in [None, Some(9)] {
            assert!(!is_public_refused(&revocations, "news", seen));
        }
        add(&mut revocations, NOW, Offset(1 << 40), Revocation::of_stream("news"));
        assert!(
            is_public_refused(&revocations, "news", None),
            "it is this one that was taken back"
        );
        assert_eq!(revocations.warned_at, 400_000, "it was said long before");
    }

    #[test]
    fn what_is_given_up_lets_no_old_page_in() {
        let mut revocations = Revocations::default();
        revocations.set_lifetime(Some(Duration::from_secs(10)));
        add(&mut revocations, NOW, Offset(5), Revocation::of_identity("user:1"));
        add(&mut revocations, NOW, Offset(6), Revocation::of_identity("user:2"));
        add(&mut revocations, UnixMillis(5_000), Offset(9), Revocation::of_identity("user:2"));
        assert_eq!(revocations.expire(UnixMillis(11_000)), []);
        assert_eq!(revocations.expire(UnixMillis(11_001)), [Offset(5)]);
        assert!(refused(&revocations, Some("user:1"), "room", Some(4)), "its page is older");
        assert!(!refused(&revocations, Some("user:1"), "room", Some(6)));
        assert!(
            !refused(&revocations, Some("user:1"), "room", None),
            "its name has ended, it was said"
        );
        assert!(!is_public_refused(&revocations, "news", Some(4)));
        assert!(refused(&revocations, Some("user:2"), "room", Some(8)), "it was made again");
    }
}
