//! What a store of the log does, and what a replica of it has to do.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Weak;

use forebay_log::{Content, Forgotten, Offset, Position, Record, UnixMillis};

use crate::error::{AppendError, StoreError};
use crate::pages::KeptPage;
use crate::record::{Left, Snapshot};

/// What a store answers later.
pub type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Orders records, keeps them, and sends them to its replicas.
///
/// **Order.** Each record has an offset of its own, which is larger than those before it. Records of one batch
/// have consecutive offsets. Batches of one node have the order in which their futures
/// were first polled.
///
/// **Once.** Whatever is lost between a node and its store, a batch is taken once or not at all.
///
/// **All of it.** A replica gets every record after the position from which it follows, in order. It may get one
/// again that it has. Where the store can't give it all, the replica begins anew.
///
/// `forebay-store-tests` holds a store to this.
pub trait LogStore: fmt::Debug + Send + Sync + 'static {
    /// Appends a batch: all of it or nothing. Gives the offset of its last record.
    ///
    /// A future that is dropped after it was polled may have appended all the same.
    fn append(&self, at: UnixMillis, batch: Vec<Content>) -> Pending<Result<Offset, AppendError>>;

    /// Has this node's replica follow the log from here on: it gets all records after `after`. Where that is no
    /// position of this log, or older than what is kept, and where it is `None`, the replica
    /// begins anew with a snapshot.
    ///
    /// A store may send from any thread, and calls the replica for one batch after the other.
    ///
    /// # Errors
    /// [`StoreError`] where that is known at once. A store on another machine may have to be waited
    /// for: [`head`](Self::head) says how far its replica is to come.
    fn tail(&self, after: Option<Position>, replica: Weak<dyn Replica>) -> Result<(), StoreError>;

    /// Where the log stands, as whoever orders it says.
    fn head(&self) -> Pending<Result<Position, StoreError>>;

    /// Something may have left the replica's memory. A store that keeps as much as the replica
    /// [takes it over](Replica::take_left), now or later, and says so.
    fn tidy(&self) -> bool {
        false
    }

    /// Keeps what this node knows of its clients for the node that they come back to.
    fn hand_over(&self, handover: Handover) -> Pending<Result<(), StoreError>> {
        drop(handover);
        Box::pin(async { Ok(()) })
    }

    /// Whether it keeps what is [handed over](Self::hand_over).
    fn keeps_handovers(&self) -> bool {
        false
    }

    /// Ends well: what was appended by now is kept as well as it ever is. What is appended later is kept as
    /// before.
    fn close(&self) -> Pending<Result<(), StoreError>>;
}

/// What a node knows of its clients.
#[derive(Clone, Debug, Default)]
pub struct Handover {
    /// When it is written.
    pub at: UnixMillis,
    /// What pages have proven to have, by places: small numbers, of which a node gives each page one.
    pub pages: BTreeMap<u32, Option<KeptPage>>,
    /// What sessions have come to, by their names. Without anything, nothing is known any more.
    pub sessions: Vec<(String, Option<Vec<u8>>)>,
}

/// A node's copy of the log.
pub trait Replica: Send + Sync {
    /// Begins anew with this, in the place of all that it has.
    fn restore(&self, snapshot: Snapshot);

    /// Applies records in order. Those that it has are left out.
    fn apply(&self, records: &[Record]);

    /// What can't be given any more of a stream.
    fn forgotten(&self, stream: &str) -> Forgotten;

    /// What has left the replica since the last call.
    fn take_left(&self) -> Left;
}
