//! The database transaction behind an entry, and what a page's own transaction has seen.
//!
//! Ids and places are compared only where they are of one [`Database`]. Whoever publishes from a database
//! gives them, and promises what the fields say. Nothing here asks a database. ARCHITECTURE.md has the
//! argument.

mod seen;

pub use seen::{BadSeen, Running, SEEN_BYTES_MAX, Seen};

/// Whose ids and places in the WAL they are.
///
/// A database that has crashed, was restored, or was failed over to may give out ids again, and its WAL may
/// say other things at the same place. So each of those begins another life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Database {
    /// Postgres' system identifier.
    pub system: u64,
    /// A number that is larger in each later life.
    pub life: u64,
}

/// The transaction behind an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Commit {
    /// Whose numbers these are.
    pub database: Database,
    /// The id of the transaction itself, not of a savepoint's: `pg_current_xact_id()`.
    pub id: u64,
    /// A place in the WAL at or behind its commit. Whoever publishes reads it behind the row.
    pub wal: u64,
    /// What was committed when the WAL ended here is in the log before this entry. Whoever publishes has read
    /// it before it read all rows that there were. 0 says nothing.
    pub settled: u64,
}

impl Commit {
    /// As five numbers, for whoever writes it down.
    pub fn to_numbers(self) -> [u64; 5] {
        let Self { database: Database { system, life }, id, wal, settled } = self;
        [system, life, id, wal, settled]
    }

    /// What [`to_numbers`](Self::to_numbers) gave.
    pub fn from_numbers([system, life, id, wal, settled]: [u64; 5]) -> Self {
        Self { database: Database { system, life }, id, wal, settled }
    }
}
