//! The log: one order over all streams, and the budgets that hold over all of them.

mod milestones;
mod restoration;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use self::milestones::Milestones;
use crate::commit::Seen;
use crate::message::{Class, Message};
use crate::position::{Epoch, Offset, Position, UnixMillis};
use crate::presence::{presence_of, presence_stream};
use crate::record::{Content, Control, Lacking, Record};
use crate::retention::Retention;
use crate::stream::{Entries, Entry, Forgotten, Gap, Stream};

pub use restoration::Restoration;

/// What one piece of a sweep looks at: some 100 ns each, so that nobody waits for 50 µs.
const SWEEP_STEPS: usize = 256;

/// How far a sweep over the log has got ([`Log::expire_some`]).
#[derive(Debug, Default)]
pub struct Sweep {
    /// Streams with ephemeral entries that it has still to look at.
    ephemeral: Option<usize>,
}

/// How long an ephemeral entry waits for its stream's present subscribers.
const EPHEMERAL_AGE_MAX: Duration = Duration::from_secs(5);

/// A stream that is open: a short name for its name, until the last [`Log::close`]. Never the same
/// for two names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct StreamId {
    index: u32,
    /// How many streams had the index before.
    generation: u32,
}

impl StreamId {
    /// Small and dense: good as an index beside the log's own table.
    pub const fn index(self) -> usize {
        self.index as usize
    }
}

/// An entry or a gap that a stream has got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Applied {
    /// Its offset.
    pub offset: Offset,
    /// The stream.
    pub stream: StreamId,
}

/// What has left the log, for whoever keeps a copy of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Dropped {
    /// An entry that a later one has superseded.
    Superseded(Offset),
    /// A stream's entry. The offset of what the stream has forgotten with it is the entry's own.
    Forgotten(Arc<str>, Forgotten),
    /// The record of what a stream has forgotten: the floor says as much from now on.
    Covered(Arc<str>),
}

/// The ordered log of one hub, in memory.
#[derive(Debug)]
pub struct Log {
    epoch: Epoch,
    head: Offset,
    retention: Retention,
    streams: Vec<Option<Stream>>,
    /// The next ids of indices that nobody has.
    free: Vec<StreamId>,
    names: HashMap<Arc<str>, StreamId>,
    /// Every kept entry's place, oldest first, and some that have left their stream already.
    order: VecDeque<(Offset, StreamId)>,
    /// Streams in the order in which they fell idle; some have come back since.
    idle: VecDeque<StreamId>,
    /// Streams that had ephemeral entries when they were last looked at.
    ephemeral: VecDeque<StreamId>,
    entries: usize,
    bytes: usize,
    /// What is forgotten of all streams whose record is gone. Its date is at least the log's own
    /// beginning.
    floor: Forgotten,
    /// The same of presence streams, which may lack more: what they say is made here, and kept nowhere else.
    presence_floor: Forgotten,
    milestones: Milestones,
    /// What has left since it was last asked, if anybody asks.
    dropped: Option<Vec<Dropped>>,
    /// The floor at that time.
    noted_floor: Forgotten,
}

impl Log {
    /// An empty log.
    pub fn new(epoch: Epoch, retention: Retention) -> Self {
        Self {
            epoch,
            head: Offset::ZERO,
            retention,
            streams: Vec::new(),
            free: Vec::new(),
            names: HashMap::new(),
            order: VecDeque::new(),
            idle: VecDeque::new(),
            ephemeral: VecDeque::new(),
            entries: 0,
            bytes: 0,
            floor: Forgotten::default(),
            presence_floor: Forgotten::default(),
            milestones: Milestones::default(),
            dropped: None,
            noted_floor: Forgotten::default(),
        }
    }

    /// Says when the log began: it knows nothing of what was broadcast before `now`, so a client
    /// that asks by a time before it is not served.
    pub fn begins_at(&mut self, now: UnixMillis) {
        self.floor.at = self.floor.at.max(now);
    }

    /// The position of the newest entry.
    pub fn head(&self) -> Position {
        Position { epoch: self.epoch, offset: self.head }
    }

    /// Bytes of history, overhead included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Entries that a replay could give.
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// Streams that have a record: open, or with history, or remembered as forgotten.
    pub fn streams(&self) -> usize {
        self.names.len()
    }

    /// What has left the log since the last call, and the floor. Only a log that was put back notes
    /// it ([`Restoration`]).
    pub fn take_dropped(&mut self) -> (Vec<Dropped>, Forgotten) {
        let dropped = self.dropped.as_mut().map(std::mem::take).unwrap_or_default();
        self.noted_floor = self.floor;
        (dropped, self.floor)
    }

    /// Gives a broadcast the next offset. This is for a log that orders by itself. A replica
    /// [applies](Self::apply) records instead.
    ///
    /// One `now` before an earlier one's is taken as it is; age then counts from it.
    pub fn append(
        &mut self,
        now: UnixMillis,
        stream: &str,
        message: Message,
        class: Class,
    ) -> Applied {
        self.push(self.head.next(), now, stream, message, class)
    }

    /// Applies the next record. Two logs that have applied the same records are the same. A record that is not
    /// newer than the head was applied before, and does nothing.
    ///
    /// Gives the streams whose readers have to look: one that has an entry, all that may lack something.
    pub fn apply(&mut self, record: &Record) -> Vec<Applied> {
        let Record { offset, at, ref content } = *record;
        if offset <= self.head {
            return Vec::new();
        }
        match content {
            Content::Entry { stream, message, class } => {
                vec![self.push(offset, at, stream, message.clone(), class.clone())]
            }
            Content::Control(Control::Gap(lacking)) => self.lack(offset, at, lacking),
            Content::Control(_) => {
                self.head = offset;
                Vec::new()
            }
        }
    }

    fn push(
        &mut self,
        offset: Offset,
        at: UnixMillis,
        stream: &str,
        message: Message,
        class: Class,
    ) -> Applied {
        let id = self.intern(stream);
        self.head = offset;
        if let Some(commit) = message.commit() {
            self.milestones.note(offset, at, *commit);
        }
        let entry = Entry { offset, appended_at: at, message: Arc::new(message), class };
        if entry.class == Class::Ephemeral {
            if !self.stream(id).has_ephemeral() {
                self.ephemeral.push_back(id);
            }
            self.stream_mut(id).push(entry, &mut |_| {});
        } else {
            self.keep(id, entry);
        }
        Applied { offset, stream: id }
    }

    fn keep(&mut self, id: StreamId, entry: Entry) {
        let (offset, cost) = (entry.offset, entry.cost_bytes());
        let before = self.stream(id).len();
        let mut dropped = self.dropped.take();
        let freed = self.stream_mut(id).push(entry, &mut |offset| {
            if let Some(dropped) = &mut dropped {
                dropped.push(Dropped::Superseded(offset));
            }
        });
        self.dropped = dropped;
        self.bytes = self.bytes + cost - freed;
        self.entries = self.entries + self.stream(id).len() - before;
        self.order.push_back((offset, id));
        self.enforce_bounds(id);
    }

    /// Opens a stream for reading and keeps its record until the matching [`close`](Self::close).
    pub fn open(&mut self, stream: &str) -> StreamId {
        let id = self.intern(stream);
        self.stream_mut(id).pins += 1;
        id
    }

    /// Ends one [`open`](Self::open).
    pub fn close(&mut self, id: StreamId) {
        let stream = self.stream_mut(id);
        stream.pins = stream.pins.saturating_sub(1);
        self.settle_if_idle(id);
    }

    /// The name of an open stream.
    pub fn name(&self, id: StreamId) -> &Arc<str> {
        &self.stream(id).name
    }

    /// The offset of the stream's newest entry, forgotten ones included.
    pub fn last(&self, id: StreamId) -> Offset {
        self.stream(id).last()
    }

    /// The entries of an open stream after `after`, in order.
    ///
    /// Ephemeral entries are given only past `attached`, the head at which the reader joined.
    ///
    /// # Errors
    /// [`Gap::Forgotten`] if an entry after `after` has left history.
    pub fn read(&self, id: StreamId, after: Offset, attached: Offset) -> Result<Entries<'_>, Gap> {
        self.stream(id).read(after, attached)
    }

    /// Whether everything of this stream after `cursor` can be given.
    ///
    /// # Errors
    /// The [`Gap`] that says why not.
    pub fn servable(&self, stream: &str, cursor: Position) -> Result<(), Gap> {
        if cursor.epoch != self.epoch {
            return Err(Gap::OtherEpoch);
        }
        if cursor.offset > self.head {
            return Err(Gap::Future(self.head));
        }
        let forgotten = self.forgotten(stream).offset;
        if cursor.offset < forgotten { Err(Gap::Forgotten(forgotten)) } else { Ok(()) }
    }

    /// Up to where a page lacks nothing of a database that was read from a replica. There may be a later such
    /// place, by about a second. `None` where nobody can tell, or if it was no replica.
    pub fn reached(&self, seen: &Seen) -> Option<Position> {
        let offset = self.milestones.reached(seen).filter(|_| seen.is_of_replica())?;
        Some(Position { epoch: self.epoch, offset })
    }

    /// The stream of this name, if it has a record.
    pub fn find(&self, stream: &str) -> Option<StreamId> {
        self.names.get(stream).copied()
    }

    /// What a replay of this stream can no longer give; the floor, if it has no record.
    pub fn forgotten(&self, stream: &str) -> Forgotten {
        self.names
            .get(stream)
            .map_or_else(|| self.floor_of(stream), |id| self.stream(*id).forgotten())
    }

    /// The position before everything of this stream that was appended at `at` or later: for
    /// clients that know a time only.
    ///
    /// # Errors
    /// [`Gap::Forgotten`] if some of that has left history.
    pub fn since(&self, stream: &str, at: UnixMillis) -> Result<Position, Gap> {
        let before = if let Some(id) = self.names.get(stream) {
            self.stream(*id).before(at)
        } else {
            let floor = self.floor_of(stream);
            if at <= floor.at { Err(Gap::Forgotten(floor.offset)) } else { Ok(floor.offset) }
        };
        before.map(|offset| Position { epoch: self.epoch, offset })
    }

    /// Everything of a stream after `cursor`, by name and without opening it.
    ///
    /// # Errors
    /// The [`Gap`] that says why it can't be given.
    pub fn replay(
        &self,
        stream: &str,
        cursor: Position,
    ) -> Result<impl Iterator<Item = &Entry>, Gap> {
        self.servable(stream, cursor)?;
        let id = self.names.get(stream);
        let entries = id.map(|id| self.read(*id, cursor.offset, self.head)).transpose()?;
        Ok(entries.into_iter().flatten())
    }

    /// Says that streams lack something which never came into the log: their history is forgotten, and
    /// whoever stands before this offset gets a [`Gap`].
    fn lack(&mut self, offset: Offset, at: UnixMillis, lacking: &Lacking) -> Vec<Applied> {
        self.head = offset;
        let forgotten = Forgotten { offset, at };
        let prefix = match lacking {
            Lacking::Stream(stream) => return vec![self.lack_one(stream, forgotten)],
            Lacking::Prefix(prefix) => prefix,
            Lacking::All => "",
        };
        let names = self.names.keys().filter(|name| name.starts_with(prefix));
        let names: Vec<_> = names.map(Arc::clone).collect();
        let lacking = names.iter().map(|name| self.lack_one(name, forgotten)).collect();
        // Nobody knows which of those without a record have such a name.
        self.floor = self.floor.max(forgotten);
        lacking
    }

    /// Says that presence streams lack all up to here, because it was not known until now who was there.
    ///
    /// Gives those whose readers have to look.
    pub fn forget_presence(&mut self, at: UnixMillis) -> Vec<Applied> {
        let forgotten = Forgotten { offset: self.head, at };
        let names = self.names.keys().filter(|name| presence_of(name).is_some());
        let names: Vec<_> = names.map(Arc::clone).collect();
        let lacking = names.iter().map(|name| self.lack_one(name, forgotten)).collect();
        self.presence_floor = self.presence_floor.max(forgotten);
        lacking
    }

    /// Says which presence streams lack something after a restart, which has no entries of theirs: those where
    /// something has changed, up to there; and all others up to `floor`.
    pub fn restore_presence<'a>(
        &mut self,
        at: UnixMillis,
        floor: Offset,
        changed: impl Iterator<Item = (Offset, &'a str)>,
    ) {
        self.presence_floor = Forgotten { offset: floor, at };
        for (offset, stream) in changed.filter(|(offset, _)| *offset > floor) {
            self.lack_one(&presence_stream(stream), Forgotten { offset, at });
        }
    }

    /// What a stream without a record has forgotten.
    fn floor_of(&self, stream: &str) -> Forgotten {
        match presence_of(stream) {
            Some(_) => self.floor.max(self.presence_floor),
            None => self.floor,
        }
    }

    fn lack_one(&mut self, stream: &str, forgotten: Forgotten) -> Applied {
        let id = self.open(stream);
        while self.stream(id).oldest().is_some() {
            self.forget_oldest(id);
        }
        let stream = find_mut(&mut self.streams, id).expect("it is open");
        stream.forget(forgotten);
        if let Some(dropped) = self.dropped.as_mut().filter(|_| is_kept(&stream.name)) {
            dropped.push(Dropped::Forgotten(Arc::clone(&stream.name), stream.forgotten()));
            stream.is_noted = true;
        }
        self.close(id);
        Applied { offset: forgotten.offset, stream: id }
    }

    /// Forgets what is older than retention allows. Call it every second or so.
    pub fn expire(&mut self, now: UnixMillis) {
        let mut sweep = Sweep::default();
        while self.expire_some(now, &mut sweep) {}
    }

    /// The same in pieces, between which others may have the log. True while there is more to do.
    pub fn expire_some(&mut self, now: UnixMillis, sweep: &mut Sweep) -> bool {
        let limit = before(now, self.retention.age_max);
        let mut steps = SWEEP_STEPS;
        while let Some(&(offset, id)) = self.order.front() {
            let oldest = find(&self.streams, id).and_then(Stream::oldest);
            match oldest {
                Some(entry) if entry.offset == offset && entry.appended_at >= limit => break,
                _ if steps == 0 => return true,
                Some(entry) if entry.offset == offset => self.forget_oldest(id),
                _ => {}
            }
            self.order.pop_front();
            steps -= 1;
        }
        let limit = before(now, EPHEMERAL_AGE_MAX);
        let left = sweep.ephemeral.get_or_insert(self.ephemeral.len());
        let turn = steps.min(*left);
        *left -= turn;
        let is_more = *left > 0;
        for _ in 0..turn {
            let Some(id) = self.ephemeral.pop_front() else { break };
            let Some(stream) = find_mut(&mut self.streams, id) else {
                continue;
            };
            stream.drop_ephemeral_before(limit);
            if stream.has_ephemeral() {
                self.ephemeral.push_back(id);
            } else {
                self.settle_if_idle(id);
            }
        }
        is_more
    }

    /// When [`expire`](Self::expire) has something to forget again; `None` if nothing is kept.
    pub fn expires_at(&self) -> Option<UnixMillis> {
        let kept = self.order.front().map(|(offset, id)| {
            match find(&self.streams, *id).and_then(Stream::oldest) {
                Some(oldest) if oldest.offset == *offset => {
                    past(oldest.appended_at, self.retention.age_max)
                }
                // A place whose entry has left early says nothing of those behind it.
                _ => UnixMillis(0),
            }
        });
        let streams = self.ephemeral.iter().filter_map(|id| find(&self.streams, *id));
        let oldest = streams.filter_map(Stream::oldest_ephemeral).map(|entry| entry.appended_at);
        let ephemeral = oldest.min().map(|at| past(at, EPHEMERAL_AGE_MAX));
        kept.into_iter().chain(ephemeral).min()
    }

    /// Has nothing any more but the streams that are open.
    fn clear(&mut self) {
        self.head = Offset::ZERO;
        self.floor = Forgotten::default();
        self.presence_floor = Forgotten::default();
        self.milestones.clear();
        (self.entries, self.bytes) = (0, 0);
        self.order.clear();
        self.idle.clear();
        self.ephemeral.clear();
        for id in self.names.values().copied().collect::<Vec<_>>() {
            self.stream_mut(id).clear();
            self.queue_if_idle(id);
        }
        self.dropped = None;
    }

    fn intern(&mut self, name: &str) -> StreamId {
        if let Some(id) = self.names.get(name) {
            return *id;
        }
        let id = self.add(Stream::new(name.into(), self.floor_of(name)));
        let is_behind = self.floor != self.noted_floor && is_kept(name);
        if let Some(dropped) = self.dropped.as_mut().filter(|_| is_behind) {
            // Whoever keeps a copy may have written the stream's next entry with less.
            let stream = find_mut(&mut self.streams, id).expect("it was just added");
            dropped.push(Dropped::Forgotten(Arc::clone(&stream.name), stream.forgotten()));
            stream.is_noted = true;
        }
        id
    }

    fn add(&mut self, mut stream: Stream) -> StreamId {
        let name = Arc::clone(&stream.name);
        let id = self.free.pop().unwrap_or_else(|| {
            self.streams.push(None);
            let index = u32::try_from(self.streams.len() - 1);
            let index = index.expect("fewer than 2^32 streams fit in memory");
            StreamId { index, generation: 0 }
        });
        stream.generation = id.generation;
        self.streams[id.index()] = Some(stream);
        self.names.insert(name, id);
        id
    }

    /// Whoever kept an id for too long must not be shown the stream that has its index now: better
    /// the connection ends with a panic that says so.
    fn stream(&self, id: StreamId) -> &Stream {
        find(&self.streams, id).expect("a StreamId is used only while it is open")
    }

    fn stream_mut(&mut self, id: StreamId) -> &mut Stream {
        find_mut(&mut self.streams, id).expect("a StreamId is used only while it is open")
    }

    fn enforce_bounds(&mut self, id: StreamId) {
        while self.stream(id).len() > self.retention.entries_max
            || self.stream(id).bytes() > self.retention.bytes_max
        {
            self.forget_oldest(id);
            if find(&self.streams, id).is_none() {
                break;
            }
        }
        while self.bytes > self.retention.total_bytes_max {
            let Some((offset, id)) = self.order.pop_front() else {
                break;
            };
            let oldest = find(&self.streams, id).and_then(Stream::oldest);
            if oldest.is_some_and(|entry| entry.offset == offset) {
                self.forget_oldest(id);
            }
        }
        self.drop_stale_places();
        // Places whose entry left its stream early, behind one that stays, cost 16 bytes each until they
        // are swept; a sweep at twice the live entries makes that a constant factor.
        if self.order.len() > 2 * self.entries + 1024 {
            let streams = &self.streams;
            self.order.retain(|(offset, id)| {
                find(streams, *id).is_some_and(|stream| stream.holds(*offset))
            });
        }
    }

    /// Drops the first places as far as their entries have left their streams, a few at a time, so that
    /// there is rarely much to sweep while everybody waits.
    fn drop_stale_places(&mut self) {
        while let Some(&(offset, id)) = self.order.front() {
            let oldest = find(&self.streams, id).and_then(Stream::oldest);
            if oldest.is_some_and(|entry| entry.offset <= offset) {
                break;
            }
            self.order.pop_front();
        }
    }

    fn forget_oldest(&mut self, id: StreamId) {
        let stream = find_mut(&mut self.streams, id).expect("it has an oldest entry");
        self.bytes -= stream.forget_oldest();
        if let Some(dropped) = self.dropped.as_mut().filter(|_| is_kept(&stream.name)) {
            dropped.push(Dropped::Forgotten(Arc::clone(&stream.name), stream.forgotten()));
            stream.is_noted = true;
        }
        self.entries -= 1;
        self.settle_if_idle(id);
    }

    /// Drops the record of a stream that needs none, or queues it to be dropped when too many do.
    fn settle_if_idle(&mut self, id: StreamId) {
        self.queue_if_idle(id);
        while self.idle.len() > self.retention.idle_streams_max {
            let Some(id) = self.idle.pop_front() else {
                break;
            };
            let Some(stream) = find_mut(&mut self.streams, id) else {
                continue;
            };
            stream.queued_as_idle = false;
            if stream.is_idle() {
                self.drop_record(id);
            }
        }
    }

    fn queue_if_idle(&mut self, id: StreamId) {
        if !self.stream(id).is_idle() {
            return;
        }
        if self.stream(id).forgotten().offset <= self.floor_of(&self.stream(id).name).offset {
            self.drop_record(id);
            return;
        }
        if !std::mem::replace(&mut self.stream_mut(id).queued_as_idle, true) {
            self.idle.push_back(id);
        }
    }

    fn drop_record(&mut self, id: StreamId) {
        let place = &mut self.streams[id.index()];
        let Some(stream) = place.take_if(|stream| stream.generation == id.generation) else {
            return;
        };
        let floor = match presence_of(&stream.name) {
            Some(_) => &mut self.presence_floor,
            None => &mut self.floor,
        };
        *floor = (*floor).max(stream.forgotten());
        if let Some(dropped) = self.dropped.as_mut().filter(|_| stream.is_noted) {
            dropped.push(Dropped::Covered(Arc::clone(&stream.name)));
        }
        self.names.remove(&stream.name);
        // An index whose generations are used up is not given out again.
        if let Some(generation) = id.generation.checked_add(1) {
            self.free.push(StreamId { generation, ..id });
        }
    }
}

/// The stream of this id, unless its index has another by now.
fn find(streams: &[Option<Stream>], id: StreamId) -> Option<&Stream> {
    streams.get(id.index())?.as_ref().filter(|stream| stream.generation == id.generation)
}

fn find_mut(streams: &mut [Option<Stream>], id: StreamId) -> Option<&mut Stream> {
    streams.get_mut(id.index())?.as_mut().filter(|stream| stream.generation == id.generation)
}

/// Whether a store has what this stream has: entries of presence streams are made here.
fn is_kept(stream: &str) -> bool {
    presence_of(stream).is_none()
}

fn before(now: UnixMillis, age: Duration) -> UnixMillis {
    UnixMillis(now.0.saturating_sub(millis(age)))
}

/// The first moment at which something of `at` is older than `age`.
fn past(at: UnixMillis, age: Duration) -> UnixMillis {
    UnixMillis(at.0.saturating_add(millis(age)).saturating_add(1))
}

fn millis(age: Duration) -> u64 {
    u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
