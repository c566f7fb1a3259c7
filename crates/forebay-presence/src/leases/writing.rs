//! Which records a node's leases ask for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use forebay_log::{Held, Member, Node, Offset, Presence};

use super::local::{Local, Told};
use super::pace::Pace;
use super::{Dirty, Leases};

/// Bytes of ids and infos in one record, before it is another. A server of the log takes at least a megabyte.
const RECORD_BYTES_MAX: usize = 256 << 10;

/// After so long what was not taken is asked for again.
const RETRY_MS: u64 = 500;

impl<K: Clone + Ord, V> Leases<K, V> {
    /// When [`expire`](Self::expire) or [`take`](Self::take) has something to do. `None` if never. `total` says
    /// how many are present on a stream.
    pub fn next_due(&self, total: impl Fn(&str) -> usize) -> Option<u64> {
        let ends = self.due.peek().map(|Reverse((at, _))| *at);
        let written = self.dirty.iter().map(|(stream, dirty)| self.due_of(stream, dirty, &total));
        let written = written.min().map(|at| at.max(self.retry_at));
        ends.into_iter().chain(written).min()
    }

    fn due_of(&self, stream: &str, dirty: &Dirty, total: impl Fn(&str) -> usize) -> u64 {
        if total(stream) > self.options.each_max {
            return dirty.since.saturating_add(self.options.window_ms);
        }
        let pace = self.paces.get(stream);
        let held = pace.and_then(|pace| pace.holds(dirty, self.options.burst_max));
        held.unwrap_or(dirty.since)
    }

    /// Whether [`take`](Self::take) would give something.
    pub fn has_news(&self, now: u64, total: impl Fn(&str) -> usize) -> bool {
        let is_due =
            |(stream, dirty): (&Arc<str>, &Dirty)| self.due_of(stream, dirty, &total) <= now;
        now >= self.retry_at && self.dirty.iter().any(is_due)
    }

    /// The records that are to be written now. `total` says how many are present on a stream. Whatever is not
    /// taken is to be [put back](Self::put_back); until that is known, nothing more may be taken here.
    pub fn take(&mut self, now: u64, total: impl Fn(&str) -> usize) -> Vec<Presence> {
        if now < self.retry_at {
            return Vec::new();
        }
        let is_due = |stream: &str, dirty: &Dirty| self.due_of(stream, dirty, &total) <= now;
        let due = self.dirty.iter().filter(|(stream, dirty)| is_due(stream, dirty));
        let due: Vec<_> = due.map(|(stream, _)| Arc::clone(stream)).collect();
        let mut records = Vec::new();
        for stream in due {
            if let Some(dirty) = self.dirty.remove(&stream) {
                let before = self.paces.remove(&stream);
                let pace = Pace::of(before, now, &dirty, &self.options);
                self.paces.insert(Arc::clone(&stream), pace);
                self.write(now, &stream, dirty, &mut records);
            }
        }
        self.end_paces(now);
        records
    }

    /// Forgets the paces of streams of which nothing was written for a window. It looks at all of them, so it does
    /// once a window.
    fn end_paces(&mut self, now: u64) {
        if now.saturating_sub(self.paces_seen_at) >= self.options.window_ms {
            self.paces_seen_at = now;
            self.paces.retain(|_, pace| !pace.is_over(now));
        }
    }

    fn write(&mut self, now: u64, stream: &Arc<str>, dirty: Dirty, records: &mut Vec<Presence>) {
        let mut record = Unwritten::default();
        for id in dirty.members {
            let Some(local) = self.local(stream, &id) else { continue };
            if local.is_wanted(now) {
                local.told = Told::Holds(Arc::clone(&local.info));
                record.hold(Member { id, info: Arc::clone(&local.info) }, None);
            } else {
                local.told = Told::Nothing;
                record.release(Arc::clone(&id));
                self.drop_idle(stream, &id);
            }
            if record.bytes >= RECORD_BYTES_MAX {
                records.push(std::mem::take(&mut record).finish(self.node, stream));
            }
        }
        if record.bytes > 0 {
            records.push(record.finish(self.node, stream));
        }
    }

    /// A node that has begun asks who is here. All are to be said [again](Self::take_again).
    pub fn asked(&mut self) {
        self.again.extend(self.members.keys().cloned());
    }

    /// Whether something is to be said again.
    pub fn has_more_again(&self) -> bool {
        !self.again.is_empty()
    }

    /// Records that say again whom the log knows from here: of one stream after the other, until they are about
    /// `bytes_max`. `info` gives what is known of a member, and since when. What is not taken is to be put back.
    pub fn take_again(
        &mut self,
        bytes_max: usize,
        info: impl Fn(&str, &str) -> Option<(Arc<str>, Offset)>,
    ) -> Vec<Presence> {
        let (mut records, mut bytes) = (Vec::new(), 0);
        while bytes < bytes_max {
            let Some(stream) = self.again.pop_first() else { break };
            let mut record = Unwritten::default();
            for (id, local) in self.members.get(&stream).into_iter().flatten() {
                // What the log does not know is on its way as news.
                let Told::Holds(_) = local.told else { continue };
                let Some((info, since)) = info(&stream, id) else { continue };
                record.hold(Member { id: Arc::clone(id), info }, Some(since));
                if record.bytes >= RECORD_BYTES_MAX {
                    bytes += record.bytes;
                    records.push(std::mem::take(&mut record).finish(self.node, &stream));
                }
            }
            if record.bytes > 0 {
                bytes += record.bytes;
                records.push(record.finish(self.node, &stream));
            }
        }
        records
    }

    /// A record was not taken, or nobody knows.
    pub fn put_back(&mut self, now: u64, record: Presence) {
        let Presence::Signs { stream, held, released, .. } = record else { return };
        self.retry_at = now + RETRY_MS;
        let held = held.into_iter().map(|held| (held.member.id, Some(held.member.info)));
        for (id, info) in held.chain(released.into_iter().map(|id| (id, None))) {
            let room = self.members.entry(Arc::clone(&stream)).or_default();
            room.entry(Arc::clone(&id)).or_insert_with(Local::unknown).put_back(info);
            self.look(now, &stream, &id);
        }
    }

    /// A member has this info, as a record said that is applied.
    pub fn adopt(&mut self, now: u64, stream: &str, id: &str, info: &Arc<str>) {
        if let Some(local) = self.local(stream, id) {
            local.adopt(now, info);
        }
    }

    /// Another node has ended a member of this one. True if it is here all the same: then it is held again.
    pub fn ended(&mut self, now: u64, stream: &str, id: &str) -> bool {
        let Some(local) = self.local(stream, id) else { return false };
        local.told = Told::Nothing;
        let is_here = local.is_wanted(now);
        self.look(now, stream, id);
        is_here
    }

    /// Another log has begun, or this one from further on: all who are here are held again. It may know of those who
    /// were, so they are released once more.
    pub fn begin_anew(&mut self, now: u64) {
        self.dirty.clear();
        self.paces.clear();
        self.again.clear();
        self.retry_at = 0;
        let names = |(stream, room): (&Arc<str>, &BTreeMap<Arc<str>, Local>)| {
            room.keys().map(|id| (Arc::clone(stream), Arc::clone(id))).collect::<Vec<_>>()
        };
        let all: Vec<_> = self.members.iter().flat_map(names).collect();
        for (stream, id) in all {
            if let Some(local) = self.local(&stream, &id) {
                local.begin_anew();
            }
            self.look(now, &stream, &id);
        }
    }

    /// Sees whether the log knows a member as it is, and what is to be done if not.
    pub(super) fn look(&mut self, now: u64, stream: &str, id: &str) {
        let Some(local) = self.local(stream, id) else { return };
        local.end_graces(now);
        let is_told = local.is_told(now);
        if is_told {
            // What was to be said of it is right again.
            if let Some(dirty) = self.dirty.get_mut(stream) {
                dirty.members.remove(id);
                if dirty.members.is_empty() {
                    self.dirty.remove(stream);
                }
            }
            self.drop_idle(stream, id);
            return;
        }
        let Some((stream, room)) = self.members.get_key_value(stream) else { return };
        let Some((id, _)) = room.get_key_value(id) else { return };
        let new = || Dirty { since: now, members: BTreeSet::new() };
        let dirty = self.dirty.entry(Arc::clone(stream)).or_insert_with(new);
        dirty.members.insert(Arc::clone(id));
    }

    /// Forgets a member that nobody is present as, and that the log does not know from here.
    fn drop_idle(&mut self, stream: &str, id: &str) {
        let Some(room) = self.members.get_mut(stream) else { return };
        let is_idle = |local: &Local| local.is_idle() && local.told == Told::Nothing;
        if room.get(id).is_some_and(is_idle) {
            room.remove(id);
            if room.is_empty() {
                self.members.remove(stream);
            }
        }
    }
}

/// What is to be written of one stream.
#[derive(Default)]
struct Unwritten {
    held: Vec<Held>,
    released: Vec<Arc<str>>,
    bytes: usize,
}

impl Unwritten {
    fn hold(&mut self, member: Member, since: Option<Offset>) {
        self.bytes += member.id.len() + member.info.len();
        self.held.push(Held { member, since });
    }

    fn release(&mut self, id: Arc<str>) {
        self.bytes += id.len();
        self.released.push(id);
    }

    fn finish(self, node: Node, stream: &Arc<str>) -> Presence {
        let Self { held, released, bytes: _ } = self;
        Presence::Signs { node, stream: Arc::clone(stream), held, released }
    }
}
