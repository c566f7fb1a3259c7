//! The leases of a node's sessions, summed over each member; and which records they ask for.
//!
//! A session's lease lasts while its client shows that it lives. What follows for its member is said to the
//! log only where it is news: so many sessions may come and go, the member is held from the first to the
//! last. A record that was not taken is asked for again: the leases are the truth, and the log follows.

mod local;
mod pace;
mod writing;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use forebay_log::{Member, Node};

use self::local::Local;
use self::pace::Pace;

/// How often it is looked whether a client that was silent for too long is there again.
const LAPSED_LOOK_MS: u64 = 1_000;

/// How long a node holds another's member to say what its info is: a store that takes nothing for longer does
/// not hear of it.
const SAY_MS: u64 = 1_000;

/// How leases end, and when records are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// How long a session counts after its client last showed that it lives.
    pub ttl_ms: u64,
    /// How long a member stays after a page was unloaded or closed: long enough for another page to load.
    pub grace_ms: u64,
    /// Up to so many members of a stream each change is written at once.
    pub each_max: usize,
    /// Of so many members of a stream within [`window_ms`](Self::window_ms), at the most.
    pub burst_max: usize,
    /// Above that, what changes within this time is written together.
    pub window_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { ttl_ms: 15_000, grace_ms: 5_000, each_max: 100, burst_max: 10, window_ms: 1_000 }
    }
}

/// How long a member stays behind a lease that has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grace {
    /// Not at all: it was said that it leaves.
    None,
    /// For [`grace_ms`](Options::grace_ms): the page is gone, and its visitor may be on the way to another.
    Short,
    /// For the rest of [`ttl_ms`](Options::ttl_ms) since the client last showed that it lives: its connection
    /// was lost, and it comes back.
    Lost,
    /// For as long as this node lives: it is the node that leaves, and the client goes on elsewhere.
    Kept,
}

/// A session that is present as one member can't be present as another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the subscription is present as another member, or on another stream")]
pub struct AnotherMember;

/// One session's part in a member.
#[derive(Debug)]
struct Lease<V> {
    stream: Arc<str>,
    member: Arc<str>,
    /// What says when its client last showed that it lives.
    life: V,
    /// When it is looked at next.
    due: u64,
    /// Nothing was heard of it for too long. It may come back.
    has_lapsed: bool,
}

/// What is looked at when its time has come.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Due<K> {
    Lease(K),
    Member(Arc<str>, Arc<str>),
}

/// Members of a stream of which the log is to hear something.
#[derive(Debug)]
struct Dirty {
    since: u64,
    members: BTreeSet<Arc<str>>,
}

/// The leases of a node's sessions. `K` names a subscription; `V` says when its client last showed that it
/// lives.
#[derive(Debug)]
pub struct Leases<K, V> {
    node: Node,
    options: Options,
    sessions: BTreeMap<K, Lease<V>>,
    members: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Local>>,
    due: BinaryHeap<Reverse<(u64, Due<K>)>>,
    dirty: BTreeMap<Arc<str>, Dirty>,
    /// Of streams that were written of within the last two windows.
    paces: BTreeMap<Arc<str>, Pace>,
    /// When it was looked last which of these are over.
    paces_seen_at: u64,
    /// Streams whose members somebody wants to hear of again.
    again: BTreeSet<Arc<str>>,
    /// Nothing is asked for before that: what was asked for last was not taken.
    retry_at: u64,
}

impl<K: Clone + Ord, V> Leases<K, V> {
    /// No session is present anywhere.
    pub fn new(node: Node, options: Options) -> Self {
        Self {
            node,
            options,
            sessions: BTreeMap::new(),
            members: BTreeMap::new(),
            due: BinaryHeap::new(),
            dirty: BTreeMap::new(),
            paces: BTreeMap::new(),
            paces_seen_at: 0,
            again: BTreeSet::new(),
            retry_at: 0,
        }
    }

    /// Whether no session is present, none is waited for, and nothing is left to be written.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// How many subscriptions have a lease.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// The names of subscriptions that have a lease, from this one on, in order, as long as `is_one` holds.
    pub fn keys_from(&self, key: &K, is_one: impl Fn(&K) -> bool) -> Vec<K> {
        let keys = self.sessions.range(key..).map(|(key, _)| key);
        keys.take_while(|key| is_one(key)).cloned().collect()
    }

    /// The stream and the member that a subscription is present on and as.
    pub fn of(&self, key: &K) -> Option<(&Arc<str>, &Arc<str>)> {
        self.sessions.get(key).map(|lease| (&lease.stream, &lease.member))
    }

    /// A subscription is present as this member from now on. Where it was already, this is about the info only.
    /// `life` says when its client last showed that it lives: now, or later.
    ///
    /// An info that is the same as at the last time someone joined changes nothing: the page was loaded again,
    /// and what the application has said of the member since is still right.
    ///
    /// # Errors
    /// [`AnotherMember`] where it is present as another one, or on another stream.
    pub fn join(
        &mut self,
        now: u64,
        key: K,
        stream: &str,
        member: &Member,
        life: V,
    ) -> Result<(), AnotherMember> {
        let is_there = match self.of(&key) {
            Some((its, id)) if **its == *stream && *id == member.id => true,
            Some(_) => return Err(AnotherMember),
            None => false,
        };
        let name = self.members.get_key_value(stream).map(|(name, _)| Arc::clone(name));
        let stream = name.unwrap_or_else(|| stream.into());
        let room = self.members.entry(Arc::clone(&stream)).or_default();
        let local = room.entry(Arc::clone(&member.id));
        let local = local.or_insert_with(|| Local::new(&member.info));
        local.join(&member.info);
        if !is_there {
            local.enter();
            let due = now + self.options.ttl_ms;
            self.due.push(Reverse((due, Due::Lease(key.clone()))));
            let (stream, member) = (Arc::clone(&stream), Arc::clone(&member.id));
            self.sessions.insert(key, Lease { stream, member, life, due, has_lapsed: false });
        }
        self.look(now, &stream, &member.id);
        Ok(())
    }

    /// The member that a subscription is present as has another info. False if it is present as none.
    pub fn update(&mut self, now: u64, key: &K, info: &Arc<str>) -> bool {
        let Some((stream, member)) = self.of(key) else { return false };
        let (stream, member) = (Arc::clone(stream), Arc::clone(member));
        self.update_member(now, &stream, &member, info)
    }

    /// A member of this node's has another info, as its application says. False if it has none of this name.
    pub fn update_member(&mut self, now: u64, stream: &str, id: &str, info: &Arc<str>) -> bool {
        let Some(local) = self.local(stream, id) else { return false };
        local.info = Arc::clone(info);
        self.look(now, stream, id);
        true
    }

    /// A member of another node's has another info. This node holds it for a moment, to say so: a hold is what
    /// brings an info. Always true.
    pub fn say_of_another(&mut self, now: u64, stream: &str, id: &str, info: &Arc<str>) -> bool {
        let (stream, id) = (Arc::<str>::from(stream), Arc::<str>::from(id));
        let mut local = Local::new(info);
        let until = now.saturating_add(SAY_MS);
        local.wait(until);
        self.members.entry(Arc::clone(&stream)).or_default().insert(Arc::clone(&id), local);
        self.due.push(Reverse((until, Due::Member(Arc::clone(&stream), Arc::clone(&id)))));
        self.look(now, &stream, &id);
        true
    }

    /// A subscription is present no more. Gives the stream and the member that it was present on and as.
    /// `lived_at` says when its client last showed that it lives.
    pub fn leave(
        &mut self,
        now: u64,
        key: &K,
        grace: Grace,
        lived_at: impl FnOnce(&V) -> u64,
    ) -> Option<(Arc<str>, Arc<str>)> {
        let Lease { stream, member, life, has_lapsed, .. } = self.sessions.remove(key)?;
        let until = match grace {
            Grace::None => now,
            Grace::Short => now.saturating_add(self.options.grace_ms),
            Grace::Lost => lived_at(&life).saturating_add(self.options.ttl_ms),
            Grace::Kept => u64::MAX,
        };
        let waits = until > now && !has_lapsed;
        if let Some(local) = self.local(&stream, &member) {
            local.sessions -= 1;
            local.living -= usize::from(!has_lapsed);
            if waits {
                local.wait(until);
            }
        }
        if waits && until < u64::MAX {
            let due = Due::Member(Arc::clone(&stream), Arc::clone(&member));
            self.due.push(Reverse((until, due)));
        }
        self.look(now, &stream, &member);
        Some((stream, member))
    }

    /// Ends what has come to its end by now. `lived_at` says when a client last showed that it lives.
    pub fn expire(&mut self, now: u64, lived_at: impl Fn(&V) -> u64) {
        while self.due.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            let Some(Reverse((at, due))) = self.due.pop() else { return };
            match due {
                Due::Member(stream, member) => self.look(now, &stream, &member),
                Due::Lease(key) => self.look_at_lease(now, at, key, &lived_at),
            }
        }
    }

    fn look_at_lease(&mut self, now: u64, at: u64, key: K, lived_at: impl Fn(&V) -> u64) {
        // Another one of the same name has come since, with a time of its own.
        let Some(lease) = self.sessions.get_mut(&key).filter(|lease| lease.due == at) else {
            return;
        };
        let until = lived_at(&lease.life).saturating_add(self.options.ttl_ms);
        let has_lapsed = until <= now;
        lease.due = if has_lapsed { now + LAPSED_LOOK_MS } else { until };
        self.due.push(Reverse((lease.due, Due::Lease(key))));
        let was_lapsed = std::mem::replace(&mut lease.has_lapsed, has_lapsed);
        if was_lapsed == has_lapsed {
            return;
        }
        let (stream, member) = (Arc::clone(&lease.stream), Arc::clone(&lease.member));
        if let Some(local) = self.local(&stream, &member) {
            if has_lapsed {
                local.living -= 1;
            } else {
                local.living += 1;
            }
        }
        self.look(now, &stream, &member);
    }

    fn local(&mut self, stream: &str, id: &str) -> Option<&mut Local> {
        self.members.get_mut(stream)?.get_mut(id)
    }
}

#[cfg(test)]
mod tests;
