//! Reading what is new for one session, in one look at the log.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::iter::Peekable;
use std::sync::Arc;

use forebay_cable::{ReaderId, Session};
use forebay_log::{Entries, Entry, Log, Message, Offset};
use smallvec::SmallVec;

/// Entries in one batch: what one `writev` can take (four slices each, `IOV_MAX` is 1024).
const ENTRIES_MAX: usize = 128;

/// Bytes after which a batch takes no further entry: as much as a socket buffer takes at once.
const BYTES_MAX: usize = 256 << 10;

/// One entry for one subscription.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Whose it is.
    pub reader: ReaderId,
    /// Its place; the reader advances to it when it has been sent.
    pub offset: Offset,
    /// What to send, or nothing where this session is excepted from it.
    pub message: Option<Arc<Message>>,
}

/// What one look at the log found. Reused from look to look.
#[derive(Debug, Default)]
pub struct Batch {
    /// In the order of the log.
    pub deliveries: Vec<Delivery>,
    /// Readers whose position history has left behind.
    pub lost: Vec<ReaderId>,
    /// The log's head when it looked.
    pub head: Offset,
    /// Nothing up to the head was left out.
    pub complete: bool,
}

/// Fills `batch` with what comes first in the log, over all readers, past their positions.
pub(crate) fn read(log: &Log, session: &Session, batch: &mut Batch) {
    batch.deliveries.clear();
    batch.lost.clear();
    batch.head = log.head().offset;
    batch.complete = true;
    let mut sources: SmallVec<[(ReaderId, Peekable<Entries<'_>>); 1]> = SmallVec::new();
    for reader in session.readers() {
        if log.last(reader.stream) <= reader.position {
            continue;
        }
        match log.read(reader.stream, reader.position, reader.attached) {
            Ok(entries) => sources.push((reader.id, entries.peekable())),
            Err(_) => batch.lost.push(reader.id),
        }
    }
    let mut room = Room { entries: ENTRIES_MAX, bytes: BYTES_MAX };
    match &mut sources[..] {
        [] => {}
        [(reader, entries)] => {
            for entry in entries {
                if !room.take(entry) {
                    batch.complete = false;
                    break;
                }
                batch.deliveries.push(Delivery::of(*reader, entry, session));
            }
        }
        several => merge(several, session, room, batch),
    }
}

fn merge(
    sources: &mut [(ReaderId, Peekable<Entries<'_>>)],
    session: &Session,
    mut room: Room,
    batch: &mut Batch,
) {
    let mut next = BinaryHeap::with_capacity(sources.len());
    for (index, (_, entries)) in sources.iter_mut().enumerate() {
        next.extend(entries.peek().map(|entry| Reverse((entry.offset, index))));
    }
    while let Some(Reverse((_, index))) = next.pop() {
        let (reader, entries) = &mut sources[index];
        let Some(entry) = entries.next() else {
            continue;
        };
        if !room.take(entry) {
            batch.complete = false;
            return;
        }
        batch.deliveries.push(Delivery::of(*reader, entry, session));
        next.extend(entries.peek().map(|entry| Reverse((entry.offset, index))));
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

impl Delivery {
    fn of(reader: ReaderId, entry: &Entry, session: &Session) -> Self {
        let excepted = entry.message.excepted().is_some_and(|sid| session.id().is(sid));
        let message = (!excepted).then(|| Arc::clone(&entry.message));
        Self { reader, offset: entry.offset, message }
    }
}
