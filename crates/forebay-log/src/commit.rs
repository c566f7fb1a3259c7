//! The database transaction that an entry's change was committed in, as far as Postgres says it.
//!
//! Ids and places are compared only where they are of one [`Database`]. Whoever publishes from a database
//! gives them, and promises what the fields say. This module compares, and asks nobody.

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
    /// It was committed at or before this place in the WAL. Later entries of the same database have the same
    /// or a later one.
    pub wal: u64,
    /// All transactions with smaller ids are over, and their entries are in the log before this one. 0 says
    /// nothing.
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
