//! Who is present in a world's room: what its log says, worked out once more and more simply than hubs do; what
//! hubs render of it; and what a page shows.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use forebay_hub::{Member, OnPresence};
use forebay_log::{Change, Held, Node, Offset, Presence};

use crate::model::Violation;
use crate::variant::Variant;

/// The stream that visitors are present on.
pub(crate) const ROOM: &str = "room";

/// What a change begins with, as pages are told it.
pub(crate) const HERE: &str = "here ";

/// A member's id, without the connection that the variant which counts connections adds to it.
pub(crate) fn visitor_of(id: &str) -> &str {
    id.split('#').next().unwrap_or(id)
}

/// A change as pages are told it: `here +ann:1 ~bob:2 -cat:3 =2`.
fn text_of(change: &Change) -> String {
    let mut text = HERE.to_owned();
    let signs = [('+', &change.joined), ('~', &change.updated), ('-', &change.left)];
    for (sign, members) in signs {
        for Member { id, info } in members {
            let _ = write!(text, "{sign}{}:{info} ", visitor_of(id));
        }
    }
    let _ = write!(text, "={}", change.total);
    text
}

/// What hubs render.
pub(crate) struct Texts;

impl OnPresence for Texts {
    fn render(&self, _: &str, change: &Change) -> Option<String> {
        Some(text_of(change))
    }
}

/// The room, as its log says, in one life of that.
#[derive(Debug, Default)]
pub(crate) struct Room {
    members: BTreeMap<Arc<str>, Known>,
    signs: HashMap<Node, Offset>,
    /// What changed, in the log's order: at which offset, and what pages are told of it. `None` where they are
    /// told to render themselves again.
    told: Vec<(u64, Option<String>)>,
}

/// A member, and which nodes hold it.
#[derive(Debug, Default)]
struct Known {
    info: Arc<str>,
    since: Offset,
    holders: BTreeSet<Node>,
}

impl Room {
    /// Who is there.
    pub(crate) fn visitors(&self) -> BTreeSet<String> {
        self.members.keys().map(|id| visitor_of(id).to_owned()).collect()
    }

    /// What is known of a visitor, for people.
    pub(crate) fn said_of(&self, visitor: &str) -> String {
        let known = self.members.iter().find(|(id, _)| visitor_of(id) == visitor);
        let last = known.map(|(_, known)| {
            let signs = known.holders.iter().map(|node| self.signs.get(node));
            signs.collect::<Vec<_>>()
        });
        format!("{known:?}, of whom was heard at {last:?}")
    }

    /// How much has changed up to an offset.
    pub(crate) fn changes_to(&self, offset: u64) -> usize {
        self.told.partition_point(|(at, _)| *at <= offset)
    }

    /// What a page has not been told yet, for people.
    pub(crate) fn untold(&self, here: &Here) -> &[(u64, Option<String>)] {
        &self.told[here.newest.min(self.told.len())..]
    }

    /// Takes a record, as every replica of a log does. Gives what changed.
    pub(crate) fn take(&mut self, offset: Offset, sign: &Presence) -> Change {
        let mut change = Change { total_before: self.members.len(), ..Change::default() };
        let (held, released): (&[Held], &[Arc<str>]) = match sign {
            Presence::Ended { node, seen, members, .. } => {
                // Of whom something was heard since, nobody can say that they are gone.
                let is_gone = self.signs.get(node) == Some(seen);
                (&[], if is_gone { members } else { &[] })
            }
            Presence::Signs { held, released, .. } => (held, released),
            Presence::Alive { .. } | Presence::Leaves { .. } | Presence::Asks { .. } => (&[], &[]),
        };
        let node = if let Presence::Ended { node, .. } = sign {
            *node
        } else {
            self.signs.insert(sign.written_by(), offset);
            sign.written_by()
        };
        let mut named = BTreeSet::new();
        for held in held.iter().filter(|held| named.insert(Arc::clone(&held.member.id))) {
            self.hold(offset, node, held, &mut change);
        }
        for id in released {
            if !named.insert(Arc::clone(id)) {
                continue;
            }
            let Some(member) = self.members.get_mut(id) else { continue };
            if member.holders.remove(&node) && member.holders.is_empty() {
                let info = Arc::clone(&member.info);
                change.left.push(Member { id: Arc::clone(id), info });
                self.members.remove(id);
            }
        }
        change.total = self.members.len();
        self.tell(offset.0, &change);
        change
    }

    fn hold(&mut self, offset: Offset, node: Node, held: &Held, change: &mut Change) {
        let Held { member, since } = held;
        let since = since.unwrap_or(offset);
        let Some(known) = self.members.get_mut(&member.id) else {
            change.joined.push(member.clone());
            let (info, holders) = (Arc::clone(&member.info), BTreeSet::from([node]));
            self.members.insert(Arc::clone(&member.id), Known { info, since, holders });
            return;
        };
        if since > known.since {
            if known.info != member.info {
                change.updated.push(member.clone());
            }
            (known.info, known.since) = (Arc::clone(&member.info), since);
        }
        known.holders.insert(node);
    }

    /// Takes what a hub, which has its log alone, says has changed.
    ///
    /// # Errors
    /// The [`Violation`] that this is.
    pub(crate) fn take_change(&mut self, offset: u64, change: &Change) -> Result<(), Violation> {
        for Member { id, info } in &change.joined {
            let known = Known { info: Arc::clone(info), ..Known::default() };
            if self.members.insert(Arc::clone(id), known).is_some() {
                return Err(Violation::Doubled);
            }
        }
        for Member { id, info } in &change.updated {
            let member = self.members.get_mut(id).ok_or(Violation::Misordered)?;
            member.info = Arc::clone(info);
        }
        for Member { id, .. } in &change.left {
            self.members.remove(id).ok_or(Violation::Misordered)?;
        }
        self.tell(offset, change);
        Ok(())
    }

    fn tell(&mut self, offset: u64, change: &Change) {
        if !change.is_count_only() {
            self.told.push((offset, Some(text_of(change))));
        }
    }

    /// The log goes on from a disk, and these are there. If they are others, pages are told that they lack
    /// something.
    pub(crate) fn goes_on(&mut self, offset: u64, members: &[Member]) {
        let found: BTreeMap<_, _> = members.iter().map(|one| (&one.id, &one.info)).collect();
        let known = self.members.iter().map(|(id, known)| (id, &known.info));
        if known.eq(found) {
            return;
        }
        let known = |member: &Member| {
            let known = Known { info: Arc::clone(&member.info), ..Known::default() };
            (Arc::clone(&member.id), known)
        };
        self.members = members.iter().map(known).collect();
        self.told.push((offset, None));
    }
}

/// What a page shows: visitors, and what is said of them.
type Shown = BTreeMap<String, String>;

/// A page's part in the room.
#[derive(Clone, Debug)]
pub(crate) struct Here {
    /// The life of the log that it was rendered in.
    pub(crate) life: u64,
    /// Whom it makes present.
    pub(crate) visitor: String,
    /// Names its tag to the server.
    pub(crate) identifier: String,
    /// What it was rendered with: so many changes, and who was there then.
    rendered: (usize, Shown),
    /// How many changes it may have shown: one number, unless its server has begun again and what came since fits
    /// in several places.
    stands: Vec<usize>,
    /// The most that it has ever shown.
    newest: usize,
    shown: Shown,
    /// In the variant that believes the browsers' clocks: when each visitor has said something last.
    stamps: BTreeMap<String, u64>,
    /// When it was last not as it should be: without a connection, on a bad line, frozen.
    pub(crate) ill_at: u64,
}

impl Here {
    /// A page that was rendered behind so many changes, with these members.
    pub(crate) fn new(life: u64, visitor: String, changes: usize, members: &[Member]) -> Self {
        let shown = |member: &Member| (visitor_of(&member.id).to_owned(), member.info.to_string());
        let shown: Shown = members.iter().map(shown).collect();
        let stamps = shown.iter().map(|(id, at)| (id.clone(), at.parse().unwrap_or(0))).collect();
        Self {
            life,
            visitor,
            identifier: String::new(),
            rendered: (changes, shown.clone()),
            stands: vec![changes],
            newest: changes,
            shown,
            stamps,
            ill_at: 0,
        }
    }

    /// The same HTML, alive once more.
    pub(crate) fn again(&self) -> Self {
        let (changes, shown) = self.rendered.clone();
        Self { stands: vec![changes], newest: changes, shown, ..self.clone() }
    }

    /// Its server may begin anywhere behind its rendering, and goes on from there.
    pub(crate) fn is_replayed(&mut self) {
        self.stands = (self.rendered.0..=self.newest).collect();
    }

    /// The page shows a change. Gives its offset, if it is known which one it was.
    ///
    /// # Errors
    /// The [`Violation`] that this is.
    pub(crate) fn show(
        &mut self,
        room: &Room,
        text: &str,
        variant: Variant,
    ) -> Result<Option<u64>, Violation> {
        let is_it =
            |at: usize| room.told.get(at).is_some_and(|(_, told)| told.as_deref() == Some(text));
        let found = self.stands.iter().filter(|at| is_it(**at)).map(|at| at + 1);
        let found: Vec<usize> = found.collect();
        let Some(last) = found.last().copied() else {
            return Err(match (0..room.told.len()).rfind(|at| is_it(*at)) {
                Some(at) if at >= self.newest => Violation::Lost,
                Some(_) => Violation::Doubled,
                None => Violation::Misordered,
            });
        };
        let only = (found.len() == 1).then(|| room.told[last - 1].0);
        let is_news = only.is_some() && last > self.newest;
        self.newest = self.newest.max(last);
        self.stands = found;
        self.apply(text, is_news, variant)?;
        Ok(only.filter(|_| is_news))
    }

    /// What comes again changes a page as its DOM would: whoever is there is replaced.
    fn apply(&mut self, text: &str, is_news: bool, variant: Variant) -> Result<(), Violation> {
        for word in text.split(' ').skip(1) {
            let Some((id, info)) = word.get(1..).and_then(|rest| rest.split_once(':')) else {
                continue;
            };
            if variant == Variant::BrowserClocks {
                let at = info.parse().unwrap_or(0);
                let before = self.stamps.entry(id.to_owned()).or_default();
                if at < *before {
                    // It takes it for old.
                    continue;
                }
                *before = at;
            }
            let was_there = if word.starts_with('-') {
                self.shown.remove(id).is_some()
            } else {
                self.shown.insert(id.to_owned(), info.to_owned()).is_some()
            };
            let is_right = was_there != word.starts_with('+');
            if is_news && !is_right {
                let joins = word.starts_with('+');
                return Err(if joins { Violation::Doubled } else { Violation::Misordered });
            }
        }
        Ok(())
    }

    /// Nothing will come any more: does it show these, and nobody else?
    pub(crate) fn shows(&self, room: &Room, visitors: &BTreeSet<String>) -> bool {
        self.stands.contains(&room.told.len()) && self.shown.keys().eq(visitors)
    }
}
