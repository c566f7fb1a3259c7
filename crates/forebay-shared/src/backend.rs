//! What a server does that keeps a log for several nodes. [`SharedLog`](crate::SharedLog) does the rest.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use forebay_log::{Epoch, Offset, Record};

use crate::codec;

/// A server, and how it is reached.
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// A connection to it.
    type Session: Session;

    /// Where it is, for messages: without a password.
    fn address(&self) -> String;

    /// Connects, makes what is missing, and checks what it finds. It does not connect again by itself:
    /// whoever has a session asks first whether the server's history is still the same.
    fn connect(&self) -> impl Future<Output = Result<Self::Session, Failure>> + Send;

    /// The largest [`Group::body`] that it takes, in bytes.
    fn body_bytes_max(&self) -> usize {
        512 << 10
    }
}

/// One connection. Requests may be made before others are answered; those made first are done first. None
/// waits for longer than a few seconds: a lost connection is a [`Failure::Lost`].
pub trait Session: Send + Sync + 'static {
    /// Names the server's history. Where it changes, the server may have lost something that it had
    /// acknowledged: another server has taken over, or the same has begun again without being sure of its
    /// disk.
    fn history(&self) -> impl Future<Output = Result<String, Failure>> + Send;

    /// What is in the log.
    fn bounds(&self) -> impl Future<Output = Result<Bounds, Failure>> + Send;

    /// Appends a group: all of it, or nothing. Gives the offset of its last record.
    ///
    /// A group whose number is not above the last one of its node, or whose name was taken before, was
    /// appended already, and is not appended again: then it gives where that ended, as far as that is
    /// known.
    ///
    /// Where the server can, it refuses a group whose epoch is not that of the cell [`EPOCH`](crate::EPOCH),
    /// in the same step. Groups that [mark](Group::is_mark) a new epoch are taken.
    fn append(&self, group: &Group) -> impl Future<Output = Result<Offset, Failure>> + Send;

    /// The groups after this offset, in order, as many as fit into some hundred kilobytes. Where there are
    /// none it waits for the next, at most a second.
    ///
    /// # Errors
    /// [`Failure::Trimmed`] where the group that follows is gone.
    fn read(&self, after: Offset) -> impl Future<Output = Result<Vec<Stored>, Failure>> + Send;

    /// What stands in a cell.
    fn get(
        &self,
        space: Space,
        key: &str,
    ) -> impl Future<Output = Result<Option<Cell>, Failure>> + Send;

    /// Puts something into a cell, or empties it. False if the cell is not as [`Expected`].
    fn set(
        &self,
        space: Space,
        key: &str,
        value: Option<Vec<u8>>,
        expected: Expected,
    ) -> impl Future<Output = Result<bool, Failure>> + Send;

    /// All cells of a space that is not [`Space::Passing`].
    fn list(
        &self,
        space: Space,
    ) -> impl Future<Output = Result<Vec<(String, Cell)>, Failure>> + Send;
}

/// What is appended in one step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its node: a random number for each life of a process.
    pub node: u64,
    /// Its number. Those of one node go up.
    pub number: u64,
    /// The epoch in which it is to count.
    pub epoch: Epoch,
    /// A name, where another process may ask for the same.
    pub name: Option<Arc<str>>,
    /// It is the first of its epoch.
    pub is_mark: bool,
    /// The offsets that it takes: at least one, and at most [`RECORDS_MAX`](crate::RECORDS_MAX).
    pub offsets: u32,
    /// The records.
    pub body: Bytes,
}

/// A group that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// The offset of its last record.
    pub end: Offset,
    /// Its node.
    pub node: u64,
    /// Its number.
    pub number: u64,
    /// The epoch in which it was to count.
    pub epoch: Epoch,
    /// The offsets that it takes.
    pub offsets: u32,
    /// The records.
    pub body: Bytes,
}

impl Stored {
    /// Its records. `None` if they were written by another version, or if it only marks an epoch.
    pub fn records(&self) -> Option<Vec<Record>> {
        let contents = codec::decode(&self.body)?;
        let is_whole = contents.len() == self.offsets as usize;
        let first = self.end.0 + 1 - u64::from(self.offsets);
        let record = |(offset, (at, content))| Record { offset: Offset(offset), at, content };
        is_whole.then(|| (first..).zip(contents).map(record).collect())
    }
}

/// What is in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Everything up to here is gone. [`Offset::ZERO`] if nothing is.
    pub trimmed: Offset,
    /// The last record's offset. As large as `trimmed` in a log without records.
    pub head: Offset,
}

/// How long cells live.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Space {
    /// For as long as the log does.
    Lasting,
    /// Access that was taken back, for as long as the log lives.
    Revoked,
    /// For ten minutes after it was last set.
    Passing,
}

/// What stands in a cell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cell {
    /// The value.
    pub value: Vec<u8>,
    /// Changes with each value that is put there.
    pub version: u64,
}

/// What has to be in a cell for it to be set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// Anything.
    Any,
    /// Nothing.
    Nothing,
    /// The value of this version.
    Version(u64),
}

/// Why a server did not do what it was asked for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failure {
    /// It can't be reached, or not now: it is asked again. Whether it has done it nobody knows.
    #[error("{0}")]
    Lost(String),
    /// It has not done it, and says why. To ask again is of no use until somebody mends that.
    #[error("{0}")]
    Refused(String),
    /// The same, because it has no room.
    #[error("{0}")]
    Full(String),
    /// What follows is gone.
    #[error("what follows is no longer kept")]
    Trimmed,
    /// The group is of another epoch than the log.
    #[error("the log has another epoch")]
    OtherEpoch,
}

impl Failure {
    /// Whether it lasts until somebody mends something.
    pub(crate) fn is_lasting(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Full(_))
    }
}
