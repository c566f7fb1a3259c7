//! How far pages had got when their sockets died, so that the same page goes on from there.
//!
//! A page is known by the identifier of its subscription, which carries a signed cursor and a page
//! id. But an identifier is not a DOM: the same HTML can come to life twice (*Duplicate tab*, *Back*
//! from the HTTP cache) and then begins at its cursor again. So an acknowledgement is believed only
//! where doubt is small, and otherwise the page is replayed from its cursor: twice is better than
//! never. The rules, each a test:
//!
//! - the socket died without the 1001 that a page sends when it unloads (the driver's part), and if the client has
//!   closed it, then only what it had proven some pings earlier (the session's part);
//! - no two sessions have had the identifier at the same time, ever since either was last seen;
//! - it comes back within [`ACKNOWLEDGED_MAX`].
//!
//! Where the log is kept on disk, so is this ([`Notes`]): the same rules hold over a restart, by the wall
//! clock.

mod notes;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use forebay_log::{Offset, UnixMillis};
use forebay_store::{Arrival, KeptPage};
use siphasher::sip::SipHasher13;

pub(crate) use self::notes::Due;
use self::notes::Notes;

/// How long an acknowledgement is believed. A minute is a tunnel or a change of network; whoever
/// comes back later may be another life of the same HTML.
const ACKNOWLEDGED_MAX: Duration = Duration::from_mins(1);

/// How long it is remembered that an identifier was live twice, from when it was last seen. Ten
/// times as long as any acknowledgement: none outlives it.
const SHARED_MAX: Duration = Duration::from_mins(10);

/// Identifiers that are remembered, live ones included: 40 bytes each. Past it, acknowledgements
/// are not kept (their pages are replayed from their cursors), and nothing else changes.
const PAGES_MAX: usize = 200_000;

/// An identifier, hashed with keys of this process, or of the file that outlives it: nobody can aim at
/// another's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct PageKey(pub(crate) u64);

#[derive(Debug)]
pub(crate) struct Resumes {
    hasher: SipHasher13,
    pages: HashMap<PageKey, Page>,
    /// Pages without a session, in the order in which they were left; some have come back.
    left: VecDeque<(PageKey, Seconds)>,
    /// What is to be written down, where it is kept on disk.
    notes: Option<Box<Notes>>,
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

impl Page {
    /// There is something to remember, also beyond this process.
    fn is_known(&self) -> bool {
        self.acknowledged > Offset::ZERO || self.shared
    }
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
    /// Nothing is known yet. `keys` are random.
    pub(crate) fn new(keys: [u64; 2]) -> Self {
        let hasher = SipHasher13::new_with_keys(keys[0], keys[1]);
        Self { hasher, pages: HashMap::new(), left: VecDeque::new(), notes: None }
    }

    /// Goes on with what is on disk, by places, and notes what changes.
    pub(crate) fn restored(
        now: UnixMillis,
        keys: [u64; 2],
        known: Vec<(u32, KeptPage)>,
        due: Due,
    ) -> Self {
        let mut resumes = Self::new(keys);
        let mut places = HashMap::new();
        let mut known = known;
        known.sort_by_key(|(_, page)| page.left_at);
        for (place, kept) in known {
            let left_at = Seconds(kept.left_at);
            // Of a time to come nobody can say how old it is.
            let is_known = left_at.0 <= Seconds::of(now).0 && left_at.until(now) <= SHARED_MAX;
            if !is_known || resumes.pages.len() >= PAGES_MAX {
                continue;
            }
            let page = Page {
                acknowledged: kept.proven,
                left_at,
                sessions: 0,
                shared: kept.is_shared,
                queued: true,
            };
            let key = PageKey(kept.key);
            resumes.pages.insert(key, page);
            resumes.left.push_back((key, left_at));
            places.insert(key, place);
        }
        resumes.notes = Some(Box::new(Notes::new(places, due)));
        resumes
    }

    pub(crate) fn key(&self, identifier: impl Hash) -> PageKey {
        let mut hasher = self.hasher;
        identifier.hash(&mut hasher);
        PageKey(std::hash::Hasher::finish(&hasher))
    }

    /// A session subscribes: gives the offset up to which its page is known to have everything.
    pub(crate) fn enter(&mut self, now: UnixMillis, key: PageKey) -> Option<Offset> {
        let page = self.pages.entry(key).or_default();
        let becomes_shared = page.sessions > 0 && !page.shared;
        page.shared |= becomes_shared;
        page.sessions = page.sessions.saturating_add(1);
        let fresh = page.left_at.until(now) <= ACKNOWLEDGED_MAX;
        let believed = page.acknowledged > Offset::ZERO && fresh && !page.shared;
        // What it goes on from is what it has proven, until it proves more.
        if !believed {
            page.acknowledged = Offset::ZERO;
        }
        let acknowledged = page.acknowledged;
        self.note(key, becomes_shared);
        believed.then_some(acknowledged)
    }

    /// A page comes to this node of several, and this is what all of them know of it.
    pub(crate) fn arrive(&mut self, now: UnixMillis, key: PageKey, arrival: Arrival) {
        let full = self.pages.len() >= PAGES_MAX;
        let is_new = !self.pages.contains_key(&key);
        if full && is_new {
            return;
        }
        let page = self.pages.entry(key).or_default();
        if page.sessions > 0 {
            return;
        }
        let known = arrival.proven.map(|(proven, left_at)| (proven.offset, left_at));
        let (acknowledged, left_at) = known.unwrap_or((Offset::ZERO, now));
        page.acknowledged = acknowledged;
        page.shared |= arrival.is_shared;
        // Whose clock is ahead says nothing of a time to come.
        page.left_at = Seconds::of(left_at.min(now));
        // It may not come after all.
        if !std::mem::replace(&mut page.queued, true) {
            self.left.push_back((key, page.left_at));
        }
    }

    /// A live page has proven to have this much. Only asked where it is kept on disk.
    pub(crate) fn prove(&mut self, now: UnixMillis, key: PageKey, acknowledged: Option<Offset>) {
        let Some(page) = self.pages.get_mut(&key) else { return };
        page.acknowledged = acknowledged.unwrap_or(Offset::ZERO);
        page.left_at = Seconds::of(now);
        self.note(key, acknowledged.is_none());
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
        let before = std::mem::replace(&mut page.acknowledged, kept.unwrap_or(Offset::ZERO));
        let takes_back = page.acknowledged < before || kept.is_none();
        if page.sessions == 0 {
            if !page.shared && page.acknowledged == Offset::ZERO && !page.queued {
                self.pages.remove(&key);
            } else if !std::mem::replace(&mut page.queued, true) {
                self.left.push_back((key, page.left_at));
            }
        }
        self.note(key, takes_back);
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
                self.note(key, false);
            } else {
                // It came back and was left again: its time counts from then.
                self.left.push_back((key, page.left_at));
            }
        }
        if let Some(notes) = &mut self.notes {
            notes.say_alive();
        }
    }

    /// Something has changed about a page. What takes back a proof is written at once.
    fn note(&mut self, key: PageKey, takes_back: bool) {
        if let Some(notes) = &mut self.notes {
            let is_known = self.pages.get(&key).is_some_and(Page::is_known);
            notes.note(key, is_known, takes_back);
        }
    }

    /// What is to be written, by places: some of it, and whether there is more.
    pub(crate) fn take_notes(&mut self) -> (BTreeMap<u32, Option<KeptPage>>, bool) {
        let pages = &self.pages;
        let Some(notes) = &mut self.notes else { return Default::default() };
        notes.take(|key| {
            let page = pages.get(&key)?;
            page.is_known().then_some(KeptPage {
                key: key.0,
                proven: page.acknowledged,
                left_at: page.left_at.0,
                is_live: page.sessions > 0,
                is_shared: page.shared,
            })
        })
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
        let mut resumes = Resumes::new([1, 2]);
        let page = page(&resumes);
        assert_eq!(resumes.enter(NOW, page), None);
        resumes.leave(NOW, page, Some(Offset(7)));
        assert_eq!(resumes.enter(after(60), page), Some(Offset(7)));
        resumes.leave(after(60), page, Some(Offset(9)));
        assert_eq!(resumes.enter(after(61), page), Some(Offset(9)));
    }

    #[test]
    fn an_acknowledgement_is_believed_once_and_for_a_minute() {
        let mut resumes = Resumes::new([1, 2]);
        let page = page(&resumes);
        resumes.enter(NOW, page);
        resumes.leave(NOW, page, Some(Offset(7)));
        assert_eq!(resumes.enter(after(61), page), None);
        resumes.leave(after(61), page, None);
        assert_eq!(resumes.enter(after(62), page), None);
    }

    #[test]
    fn a_page_that_was_live_twice_is_not_believed_any_more() {
        let mut resumes = Resumes::new([1, 2]);
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
        let mut resumes = Resumes::new([1, 2]);
        let page = page(&resumes);
        let many = u32::from(u16::MAX) + 5;
        (0..many).for_each(|_| assert_eq!(resumes.enter(NOW, page), None));
        (0..many).for_each(|_| resumes.leave(NOW, page, Some(Offset(7))));
        assert_eq!(resumes.enter(NOW, page), None);
    }

    #[test]
    fn a_page_that_comes_and_goes_has_one_place() {
        let mut resumes = Resumes::new([1, 2]);
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
        let mut resumes = Resumes::new([1, 2]);
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
