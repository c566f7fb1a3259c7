//! A log store for several hubs in one process, without a disk. It is the reference that other stores are
//! compared with, and what tests of more than one node use.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};

use forebay_log::{Epoch, Offset, Position, Record};
use forebay_store::{AppendError, Batch, LogStore, Pending, Replica, Snapshot, StoreError, Taken};
use parking_lot::Mutex;

/// One node's access to a log that several nodes have. Clones are other nodes'.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Mutex<Shared>>);

struct Shared {
    at: Position,
    /// Everything up to here was trimmed.
    trimmed: Offset,
    records: VecDeque<Record>,
    records_max: usize,
    replicas: Vec<Weak<dyn Replica>>,
    /// The last batch of each node that numbers them, and where it ended.
    answered: HashMap<u64, (u64, Offset)>,
    taken: Taken,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Memory {
    /// An empty log. It keeps `records_max` records for replicas that come later.
    pub fn new(epoch: Epoch, records_max: usize) -> Self {
        Self(Arc::new(Mutex::new(Shared {
            at: Position { epoch, offset: Offset::ZERO },
            trimmed: Offset::ZERO,
            records: VecDeque::new(),
            records_max,
            replicas: Vec::new(),
            answered: HashMap::new(),
            taken: Taken::default(),
        })))
    }

    /// Appends a batch that its node has numbered. The same number again does nothing, and gives the same
    /// answer. A node's numbers go up.
    pub fn append_once(&self, (node, number): (u64, u64), batch: Batch) -> Offset {
        let mut shared = self.0.lock();
        if let Some((last, offset)) = shared.answered.get(&node).filter(|(last, _)| *last >= number)
        {
            debug_assert_eq!(*last, number, "a node asks for one batch after the other");
            return *offset;
        }
        let offset = shared.append(batch);
        shared.answered.insert(node, (number, offset));
        offset
    }

    /// Where the log stands.
    pub fn position(&self) -> Position {
        self.0.lock().at
    }

    /// What a replica at this position gets next, at most `max` records. `None` where it has to begin anew.
    pub fn read(&self, after: Option<Position>, max: usize) -> Option<Vec<Record>> {
        let shared = self.0.lock();
        shared.after(after?).map(|records| records.take(max).cloned().collect())
    }

    /// What a replica that has to begin anew begins with.
    pub fn snapshot(&self) -> Snapshot {
        self.0.lock().snapshot()
    }

    /// Keeps no more of the past than this many records.
    pub fn trim(&self, records_max: usize) {
        self.0.lock().trim(records_max);
    }

    /// Loses what was taken after `offset`, as a database that fails over may, and is another log from then
    /// on.
    pub fn lose_after(&self, offset: Offset, epoch: Epoch) {
        let mut shared = self.0.lock();
        shared.records.retain(|record| record.offset <= offset);
        shared.at = Position { epoch, offset: offset.min(shared.at.offset) };
        let replicas = shared.replicas();
        for replica in replicas {
            shared.send(&*replica, None);
        }
    }
}

impl Shared {
    fn append(&mut self, Batch { at, contents, name }: Batch) -> Offset {
        if let Some(end) = name.as_deref().and_then(|name| self.taken.end(name)) {
            return end;
        }
        let records = Record::sequence(self.at.offset, at, contents);
        if let Some(last) = records.last() {
            self.at.offset = last.offset;
        }
        for replica in self.replicas() {
            replica.apply(&records);
        }
        self.records.extend(records);
        self.trim(self.records_max);
        if let Some(name) = name {
            self.taken.insert(name, self.at.offset);
        }
        self.at.offset
    }

    fn trim(&mut self, records_max: usize) {
        while self.records.len() > records_max {
            self.trimmed = self.records.pop_front().map_or(self.trimmed, |record| record.offset);
        }
    }

    fn replicas(&mut self) -> Vec<Arc<dyn Replica>> {
        self.replicas.retain(|replica| replica.strong_count() > 0);
        self.replicas.iter().filter_map(Weak::upgrade).collect()
    }

    fn after(&self, after: Position) -> Option<impl Iterator<Item = &Record>> {
        let is_here =
            after.epoch == self.at.epoch && (self.trimmed..=self.at.offset).contains(&after.offset);
        let start = self.records.partition_point(|record| record.offset <= after.offset);
        is_here.then(|| self.records.range(start..))
    }

    fn snapshot(&self) -> Snapshot {
        let lacks_presence = self.trimmed > Offset::ZERO;
        let at = Position { offset: self.trimmed, ..self.at };
        Snapshot { lacks_presence, ..Snapshot::beginning(at) }
    }

    fn send(&self, replica: &dyn Replica, after: Option<Position>) {
        if let Some(records) = after.and_then(|after| self.after(after)) {
            replica.apply(&records.cloned().collect::<Vec<_>>());
            return;
        }
        let (front, back) = self.records.as_slices();
        replica.restore(self.snapshot());
        replica.apply(front);
        replica.apply(back);
    }
}

impl LogStore for Memory {
    fn is_shared(&self) -> bool {
        true
    }

    fn append(&self, batch: Batch) -> Pending<Result<Offset, AppendError>> {
        let shared = Arc::clone(&self.0);
        Box::pin(async move { Ok(shared.lock().append(batch)) })
    }

    fn tail(&self, after: Option<Position>, replica: Weak<dyn Replica>) -> Result<(), StoreError> {
        let mut shared = self.0.lock();
        if let Some(replica) = replica.upgrade() {
            shared.send(&*replica, after);
        }
        shared.replicas.push(replica);
        Ok(())
    }

    fn head(&self) -> Pending<Result<Position, StoreError>> {
        let at = self.position();
        Box::pin(async move { Ok(at) })
    }

    fn close(&self) -> Pending<Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}
