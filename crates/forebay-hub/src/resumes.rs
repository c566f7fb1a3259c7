//! How far pages had got when their sockets died, so that the same page goes on from there.
//!
//! A page is known by the identifier of its subscription, which carries a signed cursor and a page
//! id. But an identifier is not a DOM: the same HTML can come to life twice (*Duplicate tab*, *Back*
//! from the HTTP cache) and then begins at its cursor again. So an acknowledgement is believed only
//! where doubt is small, and otherwise the page is replayed from its cursor: twice is better than
//! never. The rules, each a test:
//!
//! - the socket died without the 1001 that a page sends when it unloads (the driver's part);
//! - no two sessions have had the identifier at the same time, ever since either was last seen;
//! - it comes back within [`ACKNOWLEDGED_MAX`].

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};
use std::time::Duration;

use forebay_log::{Offset, UnixMillis};

/// How long an acknowledgement is believed. A minute is a tunnel or a change of network; whoever
/// comes back later may be another life of the same HTML.
const ACKNOWLEDGED_MAX: Duration = Duration::from_mins(1);

/// How long it is remembered that an identifier was live twice, from when it was last seen. Ten
/// times as long as any acknowledgement: none outlives it.
const SHARED_MAX: Duration = Duration::from_mins(10);

/// Identifiers that are remembered, live ones included: 40 bytes each. Past it, acknowledgements
/// are not kept (their pages are replayed from their cursors), and nothing else changes.
const PAGES_MAX: usize = 200_000;

/// An identifier, hashed with keys of this process: nobody can aim at another's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct PageKey(u64);

#[derive(Debug, Default)]
pub(crate) struct Resumes {
    hasher: RandomState,
    pages: HashMap<PageKey, Page>,
    /// Pages without a session, in the order in which they were left; some have come back.
    left: VecDeque<(PageKey, Seconds)>,
}

/// There is one for each page that is open, and a table of them has more room than that: so it is small.
#[derive(Debug, Default)]
struct Page {
    /// Zero if there is nothing to go on from, which is the same.
    acknowledged: Offset,
    left_at: Seconds,
    /// Those of an identifier that has had this many are no longer counted: it is shared in any case.
    sessions: u16,
    shared: bool,
    /// It has a place in `left`, and needs no second one.
    queued: bool,
}

/// Of the Unix epoch, rounded down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Seconds(u32);

impl Seconds {
    fn of(time: UnixMillis) -> Self {
        Self(u32::try_from(time.0 / 1_000).unwrap_or(u32::MAX))
    }

    /// How long ago it was, give or take a second.
    fn until(self, now: UnixMillis) -> Duration {
        Duration::from_secs(Self::of(now).0.saturating_sub(self.0).into())
    }
}

impl Resumes {
    pub(crate) fn key(&self, identifier: impl Hash) -> PageKey {
        PageKey(self.hasher.hash_one(identifier))
    }

    /// A session subscribes: gives the offset up to which its page is known to have everything.
    pub(crate) fn enter(&mut self, now: UnixMillis, key: PageKey) -> Option<Offset> {
        let page = self.pages.entry(key).or_default();
        page.shared |= page.sessions > 0;
        page.sessions = page.sessions.saturating_add(1);
        let fresh = page.left_at.until(now) <= ACKNOWLEDGED_MAX;
        let acknowledged = std::mem::take(&mut page.acknowledged);
        (acknowledged > Offset::ZERO && fresh && !page.shared).then_some(acknowledged)
    }

    /// A session is over, or has left the subscription. `acknowledged` is what it has proven,
    /// if the page is thought to live on.
    pub(crate) fn leave(&mut self, now: UnixMillis, key: PageKey, acknowledged: Option<Offset>) {
        let full = self.pages.len() >= PAGES_MAX;
        let Some(page) = self.pages.get_mut(&key) else { return };
        if page.sessions < u16::MAX {
            page.sessions = page.sessions.saturating_sub(1);
        }
        page.left_at = Seconds::of(now);
        let kept = acknowledged.filter(|_| page.sessions == 0 && !full);
        page.acknowledged = kept.unwrap_or(Offset::ZERO);
        if page.sessions > 0 {
            return;
        }
        if !page.shared && page.acknowledged == Offset::ZERO && !page.queued {
            self.pages.remove(&key);
        } else if !std::mem::replace(&mut page.queued, true) {
            self.left.push_back((key, page.left_at));
        }
    }

    /// Nothing is remembered that could be too old one day.
    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    pub(crate) fn expire(&mut self, now: UnixMillis) {
        while let Some(&(key, left_at)) = self.left.front() {
            if left_at.until(now) <= SHARED_MAX {
                break;
            }
            self.left.pop_front();
            let Some(page) = self.pages.get_mut(&key) else { continue };
            if page.sessions > 0 {
                page.queued = false;
            } else if page.left_at == left_at {
                self.pages.remove(&key);
            } else {
                // It came back and was left again: its time counts from then.
                self.left.push_back((key, page.left_at));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000_000);

    fn after(seconds: u64) -> UnixMillis {
        UnixMillis(NOW.0 + seconds * 1_000)
    }

    fn page(resumes: &Resumes) -> PageKey {
        resumes.key(b"page")
    }

    #[test]
    fn a_page_that_comes_back_goes_on_where_it_was() {
        let mut resumes = Resumes::default();
        let page = page(&resumes);
        assert_eq!(resumes.enter(NOW, page), None);
        resumes.leave(NOW, page, Some(Offset(7)));
        assert_eq!(resumes.enter(after(60), page), Some(Offset(7)));
        resumes.leave(after(60), page, Some(Offset(9)));
        assert_eq!(resumes.enter(after(61), page), Some(Offset(9)));
    }

    #[test]
    fn an_acknowledgement_is_believed_once_and_for_a_minute() {
        let mut resumes = Resumes::default();
        let page = page(&resumes);
        resumes.enter(NOW, page);
        resumes.leave(NOW, page, Some(Offset(7)));
        assert_eq!(resumes.enter(after(61), page), None);
        resumes.leave(after(61), page, None);
        assert_eq!(resumes.enter(after(62), page), None);
    }

    #[test]
    fn a_page_that_was_live_twice_is_not_believed_any_more() {
        let mut resumes = Resumes::default();
        let page = page(&resumes);
        resumes.enter(NOW, page);
        assert_eq!(resumes.enter(NOW, page), None, "a duplicated tab");
        resumes.leave(NOW, page, Some(Offset(7)));
        resumes.leave(NOW, page, Some(Offset(5)));
        // One tab comes back alone and dies again; then the other comes back.
        assert_eq!(resumes.enter(after(1), page), None);
        resumes.leave(after(500), page, Some(Offset(9)));
        assert_eq!(resumes.enter(after(501), page), None);
    }

    #[test]
    fn a_page_with_more_sessions_than_are_counted_is_never_believed() {
        let mut resumes = Resumes::default();
        let page = page(&resumes);
        let many = u32::from(u16::MAX) + 5;
        (0..many).for_each(|_| assert_eq!(resumes.enter(NOW, page), None));
        (0..many).for_each(|_| resumes.leave(NOW, page, Some(Offset(7))));
        assert_eq!(resumes.enter(NOW, page), None);
    }

    #[test]
    fn a_page_that_comes_and_goes_has_one_place() {
        let mut resumes = Resumes::default();
        let page = page(&resumes);
        resumes.enter(NOW, page);
        resumes.enter(NOW, page);
        for _ in 0..1_000 {
            resumes.leave(NOW, page, None);
            resumes.enter(NOW, page);
        }
        resumes.leave(NOW, page, None);
        resumes.leave(NOW, page, None);
        assert_eq!(resumes.left.len(), 1);
        resumes.expire(after(601));
        assert!(resumes.pages.is_empty() && resumes.left.is_empty());
    }

    #[test]
    fn what_is_remembered_is_forgotten_in_the_end() {
        let mut resumes = Resumes::default();
        let page = page(&resumes);
        for _ in 0..3 {
            resumes.enter(NOW, page);
            resumes.leave(NOW, page, None);
        }
        assert!(resumes.pages.is_empty(), "nothing is kept of pages without an acknowledgement");
        resumes.enter(NOW, page);
        resumes.leave(NOW, page, Some(Offset(7)));
        resumes.enter(after(1), page);
        resumes.expire(after(700));
        assert_eq!(resumes.pages.len(), 1, "it is live");
        resumes.leave(after(700), page, Some(Offset(8)));
        resumes.expire(after(1_301));
        resumes.expire(after(1_301));
        assert!(resumes.pages.is_empty() && resumes.left.is_empty());
    }
}
