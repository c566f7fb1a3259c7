//! What a store of the log does, and what a replica of it has to do.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use forebay_log::{Content, Forgotten, Offset, Position, Record, UnixMillis};

use crate::error::{AppendError, StoreError};
use crate::pages::KeptPage;
use crate::record::{Left, Snapshot};

/// An answer of a store, which may take time.
pub type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What is appended together.
#[derive(Clone, Debug)]
pub struct Batch {
    /// When its publisher asked for it.
    pub at: UnixMillis,
    /// What gets consecutive offsets.
    pub contents: Vec<Content>,
    /// The batch's name, if another process may ask for the same batch again. It is taken once, and whoever
    /// asks again is told where it ended. A store remembers at least the last [`TAKEN_MAX`](crate::TAKEN_MAX)
    /// names.
    pub name: Option<Arc<str>>,
}

impl Batch {
    /// One without a name.
    pub fn new(at: UnixMillis, contents: Vec<Content>) -> Self {
        Self { at, contents, name: None }
    }
}

/// Orders records, keeps them, and sends them to its replicas.
///
/// **Order.** Each record has an offset of its own, which is larger than those before it. Records of one batch
/// have consecutive offsets. Batches of one node have the order in which their futures
/// were first polled.
///
/// **Once.** A batch is taken once or not at all, whatever is lost between a node and its store.
///
/// **All of it.** A replica gets every record after the position from which it follows, in order. It may get a
/// record again that it has. If the store can't give it all, the replica begins anew.
///
/// `forebay-store-tests` holds a store to this.
pub trait LogStore: fmt::Debug + Send + Sync + 'static {
    /// Appends a batch: all of it or nothing. Gives the offset of its last record.
    ///
    /// A future that is dropped after it was polled may have appended all the same.
    fn append(&self, batch: Batch) -> Pending<Result<Offset, AppendError>>;

    /// Has this node's replica follow the log from here on. It gets all records after `after`. If that is
    /// `None`, no position of this log, or older than what is kept, the replica begins anew with a
    /// snapshot.
    ///
    /// A store may send from any thread, and calls the replica for one batch after the other.
    ///
    /// # Errors
    /// [`StoreError`] if that is known at once. A store on another machine may take time. Then
    /// [`head`](Self::head) says how far the replica has to come.
    fn tail(&self, after: Option<Position>, replica: Weak<dyn Replica>) -> Result<(), StoreError>;

    /// Where the log stands, as whoever orders it says.
    fn head(&self) -> Pending<Result<Position, StoreError>>;

    /// Says that something may have left the replica's memory. A store that keeps a copy of it asks
    /// [what](Replica::take_left), now or later, forgets it too, and gives true.
    fn tidy(&self) -> bool {
        false
    }

    /// Whether it keeps what nodes know of their clients, and for whom.
    fn handovers(&self) -> Handovers {
        Handovers::None
    }

    /// Whether other nodes may have the log at the same time.
    fn is_shared(&self) -> bool {
        self.handovers() == Handovers::Shared
    }

    /// Keeps what this node knows of its clients, for the node that they come back to.
    fn hand_over(&self, handover: Handover) -> Pending<Result<(), StoreError>> {
        drop(handover);
        Box::pin(async { Ok(()) })
    }

    /// A session of this node has a page from now on, until that is [handed over](Handover::left). Tells what
    /// was known of the page. Only asked with [`Handovers::Shared`].
    fn enter_page(&self, page: u64, session: u64) -> Pending<Result<Arrival, StoreError>> {
        let _ = (page, session);
        Box::pin(async { Ok(Arrival::default()) })
    }

    /// Gives what was handed over of a session, and keeps it no longer. Only asked with
    /// [`Handovers::Shared`].
    fn take_session(&self, name: &str) -> Pending<Result<Option<Vec<u8>>, StoreError>> {
        let _ = name;
        Box::pin(async { Ok(None) })
    }

    /// For how long nothing was heard of whoever orders the log: how old what the replica has may be. Nothing, where
    /// that is this process.
    fn silence(&self) -> Duration {
        Duration::ZERO
    }

    /// Ends in order. What was appended by now is kept as safely as this store can. What is appended later is
    /// kept as before.
    fn close(&self) -> Pending<Result<(), StoreError>>;
}

/// What a node knows of its clients.
#[derive(Clone, Debug, Default)]
pub struct Handover {
    /// The time at which this was known.
    pub at: UnixMillis,
    /// What pages have proven to have, by places: small numbers, of which a node gives each page one.
    pub pages: BTreeMap<u32, Option<KeptPage>>,
    /// What sessions have come to, by their names. `None` says that nothing is known of a session any more.
    pub sessions: Vec<(String, Option<Vec<u8>>)>,
    /// Pages that sessions have left, with [`Handovers::Shared`].
    pub left: Vec<LeftPage>,
}

/// Whether a store keeps what nodes know of their clients, and for whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Handovers {
    /// It does not.
    #[default]
    None,
    /// For the next process, which begins with it: all of it, also of those who are here.
    Next,
    /// For other nodes, which ask for one client at a time: only of those who have left.
    Shared,
}

/// A page that a session has left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeftPage {
    /// Its name, hashed with the [keys](Snapshot::page_keys) that all nodes have.
    pub page: u64,
    /// The session that had it.
    pub session: u64,
    /// What it has proven to have, if it is thought to live on.
    pub proven: Option<Position>,
}

/// What is known of a page that comes to a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Arrival {
    /// What it had proven when it was left, and when that was.
    pub proven: Option<(Position, UnixMillis)>,
    /// Two sessions had it at the same time, or have it.
    pub is_shared: bool,
}

/// A node's copy of the log.
pub trait Replica: Send + Sync {
    /// Begins anew with this snapshot, and drops all that it has.
    fn restore(&self, snapshot: Snapshot);

    /// Applies records in order, and leaves out those that it has.
    fn apply(&self, records: &[Record]);

    /// What the replica has forgotten of a stream.
    fn forgotten(&self, stream: &str) -> Forgotten;

    /// What has left the replica since the last call.
    fn take_left(&self) -> Left;
}
