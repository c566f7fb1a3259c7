//! A replica that remembers what it was told.

use std::sync::{Arc, Weak};

use forebay_log::{
    Content, Epoch, Forgotten, Log, Offset, Position, Record, Retention, UnixMillis,
};
use forebay_presence::{Member, Sets};
use forebay_store::{Left, LogStore, Replica, Snapshot, StoreError};
use parking_lot::Mutex;

/// A copy of the log, as a hub has one, and the records that made it.
#[derive(Debug)]
pub struct Copy(Mutex<State>);

#[derive(Debug)]
struct State {
    log: Log,
    /// Where it began at first.
    from: Option<Offset>,
    /// Since it began, or began anew.
    records: Vec<Record>,
    /// How often it began.
    begins: usize,
    sets: Sets,
    /// Nodes may hold others, too.
    lacks_presence: bool,
}

impl Copy {
    /// Follows the store.
    ///
    /// # Errors
    /// The store's.
    pub fn follow(store: &dyn LogStore, after: Option<Position>) -> Result<Arc<Self>, StoreError> {
        let log = Log::new(after.map_or(Epoch(0), |after| after.epoch), Retention::default());
        let copy = Arc::new(Self(Mutex::new(State {
            log,
            from: after.map(|after| after.offset),
            records: Vec::new(),
            begins: 0,
            sets: Sets::new(usize::MAX),
            lacks_presence: false,
        })));
        let replica: Weak<dyn Replica> = Arc::<Self>::downgrade(&copy);
        store.tail(after, replica)?;
        Ok(copy)
    }

    /// Where it stands.
    pub fn position(&self) -> Position {
        self.0.lock().log.head()
    }

    /// How often it began.
    pub fn begins(&self) -> usize {
        self.0.lock().begins
    }

    /// The records since it began, or began anew.
    pub fn records(&self) -> Vec<Record> {
        self.0.lock().records.clone()
    }

    /// Who is present on a stream. `None` where records of it may be gone.
    pub fn present(&self, stream: &str) -> Option<Vec<Member>> {
        let state = self.0.lock();
        (!state.lacks_presence).then(|| state.sets.members(stream))
    }

    /// Their contents.
    pub fn contents(&self) -> Vec<Content> {
        self.0.lock().records.iter().map(|record| record.content.clone()).collect()
    }

    /// What a page of this stream would be given that was rendered when this began; nothing where it would be told that
    /// something is missing.
    pub fn texts(&self, stream: &str) -> Option<Vec<String>> {
        let state = self.0.lock();
        let cursor = Position { offset: state.from?, ..state.log.head() };
        let entries = state.log.replay(stream, cursor).ok()?;
        Some(entries.map(|entry| entry.message.as_json().to_owned()).collect())
    }
}

impl Replica for Copy {
    fn restore(&self, mut snapshot: Snapshot) {
        let mut state = self.0.lock();
        state.from = state.from.or(Some(snapshot.floor.offset));
        state.log = snapshot.log(Retention::default(), UnixMillis(0));
        state.records.clear();
        state.lacks_presence = snapshot.lacks_presence;
        state.sets.clear();
        for (at, sign) in snapshot.present.drain(..) {
            state.sets.apply(at, &sign);
        }
        state.begins += 1;
    }

    fn apply(&self, records: &[Record]) {
        let mut state = self.0.lock();
        for record in records {
            let is_new = record.offset > state.log.head().offset;
            state.log.apply(record);
            if let Some(sign) = record.presence().filter(|_| is_new) {
                state.sets.apply(record.offset, sign);
            }
            if is_new {
                state.records.push(record.clone());
            }
        }
    }

    fn forgotten(&self, stream: &str) -> Forgotten {
        self.0.lock().log.forgotten(stream)
    }

    fn take_left(&self) -> Left {
        let (dropped, floor) = self.0.lock().log.take_dropped();
        Left { dropped, floor, ..Left::default() }
    }
}
