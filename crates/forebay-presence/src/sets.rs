//! Who is present on which stream: what all replicas of a log come to by the same records.
//!
//! A member is present while at least one node holds it. Two nodes may hold it with different infos: the
//! one that came last in the log's order is good for both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use forebay_log::{Change, Held, Member, Node, Offset, Presence};
use smallvec::SmallVec;

/// Who is present on which stream. It has no bound of its own: what nodes hold is bounded where sessions
/// join.
#[derive(Debug)]
pub struct Sets {
    rooms: BTreeMap<Arc<str>, Room>,
    nodes: BTreeMap<Node, Signs>,
    members: usize,
    names_max: usize,
}

/// The members of a stream.
type Room = BTreeMap<Arc<str>, Present>;

#[derive(Debug)]
struct Present {
    info: Arc<str>,
    /// The record that brought the info.
    since: Offset,
    /// When it came: what members are ordered by.
    joined: (Offset, usize),
    holders: SmallVec<[Node; 1]>,
}

/// What is known of a node that holds somebody.
#[derive(Debug, Default)]
struct Signs {
    /// Its last sign of life.
    last: Offset,
    holds: usize,
}

/// What a record does to one member.
#[derive(Debug)]
enum Step<'a> {
    Hold(&'a Held),
    Release(&'a Arc<str>),
}

impl Sets {
    /// Nobody is present. Where there are more than `names_max`, changes say the numbers only.
    pub fn new(names_max: usize) -> Self {
        Self { rooms: BTreeMap::new(), nodes: BTreeMap::new(), members: 0, names_max }
    }

    /// Forgets everybody, as where another log begins.
    pub fn clear(&mut self) {
        *self = Self::new(self.names_max);
    }

    /// The members of a stream, in the order in which they came.
    pub fn members(&self, stream: &str) -> Vec<Member> {
        let mut members: Vec<_> = self.rooms.get(stream).into_iter().flatten().collect();
        members.sort_unstable_by_key(|(_, present)| present.joined);
        let member = |(id, present): (&Arc<str>, &Present)| Member {
            id: Arc::clone(id),
            info: Arc::clone(&present.info),
        };
        members.into_iter().map(member).collect()
    }

    /// How many are present on a stream.
    pub fn total(&self, stream: &str) -> usize {
        self.rooms.get(stream).map_or(0, BTreeMap::len)
    }

    /// How many are present on all streams together; who is on two counts twice.
    pub fn len(&self) -> usize {
        self.members
    }

    /// Whether nobody is present anywhere.
    pub fn is_empty(&self) -> bool {
        self.members == 0
    }

    /// A member's info, and the offset of the record that brought it. `None` for one who is not there.
    pub fn info(&self, stream: &str, id: &str) -> Option<(&Arc<str>, Offset)> {
        let present = self.rooms.get(stream)?.get(id)?;
        Some((&present.info, present.since))
    }

    /// The nodes that hold somebody, each with the place of its last sign of life.
    pub fn nodes(&self) -> impl Iterator<Item = (Node, Offset)> + '_ {
        self.nodes.iter().map(|(node, signs)| (*node, signs.last))
    }

    /// Members that a node holds, by stream: some `max` of them, or all that there are.
    pub fn held_by(&self, node: Node, max: usize) -> Vec<(Arc<str>, Vec<Arc<str>>)> {
        let mut left = max;
        let mut held = Vec::new();
        for (stream, room) in &self.rooms {
            let its = room.iter().filter(|(_, present)| present.holders.contains(&node));
            let ids: Vec<_> = its.take(left).map(|(id, _)| Arc::clone(id)).collect();
            left -= ids.len();
            if !ids.is_empty() {
                held.push((Arc::clone(stream), ids));
            }
            if left == 0 {
                break;
            }
        }
        held
    }

    /// What a record at this place would change, for those who look at the stream. `None` where they would
    /// see nothing of it.
    pub fn change(&self, offset: Offset, record: &Presence) -> Option<Change> {
        let stream = record.stream()?;
        let node = self.concerned(record)?;
        let total_before = self.total(stream);
        let mut change = Change { total_before, total: total_before, ..Change::default() };
        for step in steps(record) {
            match step {
                Step::Hold(held) => self.would_hold(offset, stream, held, &mut change),
                Step::Release(id) => self.would_release(node, stream, id, &mut change),
            }
        }
        if change.is_count_only() {
            return None;
        }
        if change.total.max(total_before) <= self.names_max {
            return Some(change);
        }
        let (joined, updated, left) = Default::default();
        let is_seen = change.total != total_before;
        is_seen.then_some(Change { joined, updated, left, ..change })
    }

    fn would_hold(&self, offset: Offset, stream: &str, held: &Held, change: &mut Change) {
        match self.info(stream, &held.member.id) {
            None => {
                change.joined.push(held.member.clone());
                change.total += 1;
            }
            Some((info, since)) => {
                if held.since.unwrap_or(offset) > since && *info != held.member.info {
                    change.updated.push(held.member.clone());
                }
            }
        }
    }

    fn would_release(&self, node: Node, stream: &str, id: &Arc<str>, change: &mut Change) {
        let Some(present) = self.rooms.get(stream).and_then(|room| room.get(id)) else { return };
        if present.holders[..] == [node] {
            change.left.push(Member { id: Arc::clone(id), info: Arc::clone(&present.info) });
            change.total -= 1;
        }
    }

    /// Whose members a record is about. `None` where it counts for nothing.
    fn concerned(&self, record: &Presence) -> Option<Node> {
        match *record {
            Presence::Alive { node }
            | Presence::Leaves { node }
            | Presence::Asks { node }
            | Presence::Signs { node, .. } => Some(node),
            Presence::Ended { node, seen, .. } => {
                self.nodes.get(&node).filter(|signs| signs.last == seen).map(|_| node)
            }
        }
    }

    /// Takes a record in. Gives what [changes](Self::change) with it.
    pub fn apply(&mut self, offset: Offset, record: &Presence) -> Option<Change> {
        let change = self.change(offset, record);
        let node = self.concerned(record)?;
        if let Some(stream) = record.stream() {
            for (index, step) in steps(record).into_iter().enumerate() {
                match step {
                    Step::Hold(held) => self.hold((offset, index), node, stream, held),
                    Step::Release(id) => self.release(node, stream, id),
                }
            }
        }
        let is_its_own = record.written_by() == node;
        if let Some(signs) = self.nodes.get_mut(&node) {
            if is_its_own {
                signs.last = offset;
            }
            if signs.holds == 0 {
                self.nodes.remove(&node);
            }
        }
        change
    }

    fn hold(&mut self, at: (Offset, usize), node: Node, stream: &Arc<str>, held: &Held) {
        let Held { member, since } = held;
        let since = since.unwrap_or(at.0);
        let room = self.rooms.entry(Arc::clone(stream)).or_default();
        let before = room.len();
        let present = room.entry(Arc::clone(&member.id)).or_insert_with(|| Present {
            info: Arc::clone(&member.info),
            since,
            joined: at,
            holders: SmallVec::new(),
        });
        if since > present.since {
            present.info = Arc::clone(&member.info);
            present.since = since;
        }
        let signs = self.nodes.entry(node).or_default();
        if !present.holders.contains(&node) {
            present.holders.push(node);
            signs.holds += 1;
        }
        self.members += room.len() - before;
    }

    fn release(&mut self, node: Node, stream: &Arc<str>, id: &Arc<str>) {
        let Some(room) = self.rooms.get_mut(stream) else { return };
        let Some(present) = room.get_mut(id) else { return };
        let before = present.holders.len();
        present.holders.retain(|holder| *holder != node);
        let is_released = present.holders.len() < before;
        if present.holders.is_empty() {
            room.remove(id);
            self.members -= 1;
            if room.is_empty() {
                self.rooms.remove(stream);
            }
        }
        if let Some(signs) = self.nodes.get_mut(&node).filter(|_| is_released) {
            signs.holds -= 1;
        }
    }
}

/// What a record does, each member once: what it says first of one is good.
fn steps(record: &Presence) -> Vec<Step<'_>> {
    let (held, released): (&[_], &[_]) = match record {
        Presence::Alive { .. } | Presence::Leaves { .. } | Presence::Asks { .. } => (&[], &[]),
        Presence::Signs { held, released, .. } => (held, released),
        Presence::Ended { members, .. } => (&[], members),
    };
    let mut named = BTreeSet::new();
    let holds = held.iter().map(|held| (&held.member.id, Step::Hold(held)));
    let steps = holds.chain(released.iter().map(|id| (id, Step::Release(id))));
    steps.filter(|(id, _)| named.insert(Arc::clone(id))).map(|(_, step)| step).collect()
}

#[cfg(test)]
mod tests;
