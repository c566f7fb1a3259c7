//! Reading what is new for one session, in one look at the log.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::iter::Peekable;
use std::sync::Arc;

use forebay_cable::{Around, ReaderId, Session};
use forebay_log::{Class, Entries, Entry, Log, Message, Offset};
use smallvec::SmallVec;

/// Entries in one batch: well within what one `writev` can take (a large message is two slices, and
/// `IOV_MAX` is 1024).
const ENTRIES_MAX: usize = 128;

/// Bytes after which a batch takes no further entry: as much as a socket buffer takes at once.
const BYTES_MAX: usize = 256 << 10;

/// One entry for one subscription.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The reader that it is for.
    pub reader: ReaderId,
    /// The entry's place. The reader advances to it when the entry has been sent.
    pub offset: Offset,
    /// Where the reader stood before it.
    pub previous: Offset,
    /// Whether history keeps nothing of it. Its place is then of no use to the client.
    pub ephemeral: bool,
    /// Whether it is older than the subscription.
    pub replayed: bool,
    /// What to send. `None` if the session is excepted from it, or if its page has seen it already.
    pub message: Option<Arc<Message>>,
}

/// What one look at the log found. Reused from look to look.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says something of its own")]
pub struct Batch {
    /// In the order of the log.
    pub deliveries: Vec<Delivery>,
    /// Readers whose position history has left behind.
    pub lost: Vec<ReaderId>,
    /// The log's head when it looked.
    pub head: Offset,
    /// Whether this is all up to the head.
    pub complete: bool,
    /// Whether a replay was left out, because its client has to wait for it.
    pub is_delayed: bool,
    /// Whether some of it may be older than its subscription.
    pub has_replays: bool,
    /// Whether a session is excepted from one of these entries.
    excepts: bool,
}

impl Batch {
    /// Whether every session that stands at the same place, with a reader of the same name, gets the same.
    pub(crate) fn is_for_all(&self) -> bool {
        self.lost.is_empty() && !self.excepts
    }

    /// The first entry in it, if it is all newer than its subscription.
    pub(crate) fn oldest(&self) -> Option<Offset> {
        let first = self.deliveries.first().filter(|_| !self.has_replays)?;
        Some(first.offset)
    }

    /// Forgets the messages and keeps the memory.
    pub fn clear(&mut self) {
        self.deliveries.clear();
        self.lost.clear();
    }
}

/// Fills `batch` with what comes first in the log, over all readers, past their positions. `may_replay`
/// is asked only where that is older than a subscription.
pub(crate) fn read(log: &Log, session: &Session, may_replay: impl Fn() -> bool, batch: &mut Batch) {
    batch.clear();
    (batch.is_delayed, batch.has_replays) = (false, false);
    batch.head = log.head().offset;
    batch.complete = true;
    batch.excepts = false;
    let mut sources: SmallVec<[Unread<'_>; 1]> = SmallVec::new();
    // Readers whose replay is left out.
    let mut delayed = Vec::new();
    for reader in session.readers() {
        if log.last(reader.stream) <= reader.position {
            continue;
        }
        match log.read(reader.stream, reader.position, reader.attached) {
            Ok(entries) => {
                let (mut entries, attached) = (entries.peekable(), reader.attached);
                if reader.position < attached
                    && entries.peek().is_some_and(|entry| entry.offset <= attached)
                {
                    if !may_replay() {
                        (batch.complete, batch.is_delayed) = (false, true);
                        delayed.push(reader.id);
                        continue;
                    }
                    batch.has_replays = true;
                }
                let (reader, previous) = (reader.id, reader.position);
                sources.push(Unread { reader, previous, attached, entries });
            }
            Err(_) => batch.lost.push(reader.id),
        }
    }
    if batch.is_delayed {
        // What has one position is read in one order, or its client would take the later for all.
        let waits = |source: &Unread<'_>| {
            delayed.iter().any(|delayed| session.share_position(*delayed, source.reader))
        };
        sources.retain(|source| !waits(source));
    }
    let mut room = Room { entries: ENTRIES_MAX, bytes: BYTES_MAX };
    match &mut sources[..] {
        [] => {}
        [source] => {
            while let Some(entry) = source.entries.next() {
                if !room.take(entry) {
                    batch.complete = false;
                    break;
                }
                batch.push(source, entry, session);
            }
        }
        several => merge(several, session, room, batch),
    }
}

/// What one reader has to come.
struct Unread<'a> {
    reader: ReaderId,
    previous: Offset,
    attached: Offset,
    entries: Peekable<Entries<'a>>,
}

fn merge(sources: &mut [Unread<'_>], session: &Session, mut room: Room, batch: &mut Batch) {
    let mut next = BinaryHeap::with_capacity(sources.len());
    for (index, source) in sources.iter_mut().enumerate() {
        next.extend(source.entries.peek().map(|entry| Reverse((entry.offset, index))));
    }
    while let Some(Reverse((_, index))) = next.pop() {
        let source = &mut sources[index];
        let Some(entry) = source.entries.next() else {
            continue;
        };
        if !room.take(entry) {
            batch.complete = false;
            return;
        }
        batch.push(source, entry, session);
        next.extend(source.entries.peek().map(|entry| Reverse((entry.offset, index))));
    }
}

/// What a batch can still take. The first entry always fits, however large.
struct Room {
    entries: usize,
    bytes: usize,
}

impl Room {
    fn take(&mut self, entry: &Entry) -> bool {
        let fits = self.entries > 0 && self.bytes > 0;
        self.entries = self.entries.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(entry.message.bytes().len());
        fits
    }
}

impl Batch {
    fn push(&mut self, source: &mut Unread<'_>, entry: &Entry, session: &Session) {
        let is_for_it = entry.message.is_plain() || self.is_for(source, &entry.message, session);
        self.deliveries.push(Delivery {
            reader: source.reader,
            offset: entry.offset,
            previous: std::mem::replace(&mut source.previous, entry.offset),
            ephemeral: entry.class == Class::Ephemeral,
            replayed: entry.offset <= source.attached,
            message: is_for_it.then(|| Arc::clone(&entry.message)),
        });
    }

    /// Whether a message is for this reader that is not for all, or that pages may have seen.
    fn is_for(&mut self, source: &Unread<'_>, message: &Message, session: &Session) -> bool {
        let excepted = message.excepted();
        self.excepts |= excepted.is_some();
        let excepted = excepted.is_some_and(|sid| session.id().is(sid));
        let commit = message.commit();
        !excepted && !commit.is_some_and(|commit| session.has_seen(source.reader, commit))
    }
}

impl Delivery {
    /// What it counts for among what its client is replayed.
    pub fn replayed_bytes(&self) -> usize {
        let message = self.message.as_ref().filter(|_| self.replayed);
        message.map_or(0, |message| message.bytes().len())
    }

    /// What its session has to know of it.
    pub fn around(&self) -> Around<'_> {
        let Self { offset, previous, ephemeral, .. } = *self;
        Around { offset, previous, ephemeral, message: self.message.as_deref() }
    }
}
