//! What the transaction has seen in which a page's data was read.
//!
//! Its text has lower-case hexadecimal numbers with a hyphen between them. It needs no escaping in an
//! attribute, a query or a cursor, and each value has one text:
//!
//! ```text
//! SYSTEM-LIFE-WAL                          read from a replica
//! SYSTEM-LIFE-WAL-XMIN-SPAN                read in a snapshot: xmax is XMIN + SPAN
//! SYSTEM-LIFE-WAL-XMIN-SPAN-STEP_STEP…     with running transactions: steps from XMIN to each, in order
//! ```

use std::fmt::{self, Write as _};

use super::{Commit, Database};

/// The longest text: five numbers, and the running transactions.
pub const SEEN_BYTES_MAX: usize = 5 * 16 + 5 + RUNNING_BYTES_MAX;

/// Running transactions that are told apart. One with a larger id than these counts as unseen, as do all
/// behind it: never a loss, now and then an entry twice.
const RUNNING_MAX: usize = 64;

/// Bytes of their text: 64 steps of up to four digits, one of them larger.
const RUNNING_BYTES_MAX: usize = 300;

/// What a page's transaction has seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seen {
    /// A snapshot of the database that is written to.
    Snapshot {
        /// The database.
        database: Database,
        /// Where the WAL ended after the snapshot was taken.
        wal: u64,
        /// All transactions with smaller ids are over.
        xmin: u64,
        /// None with this id or a larger one is over.
        xmax: u64,
        /// Those in between that are not over.
        running: Running,
    },
    /// A replica, which does not say what runs at its primary: `pg_current_snapshot()` calls a transaction
    /// visible there that is still open.
    Replica {
        /// The database.
        database: Database,
        /// It had replayed the WAL up to here before the page's snapshot was taken.
        wal: u64,
    },
}

/// Ids of transactions that were not over, ascending.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Running(Box<[u64]>);

/// Not the text of what a transaction has seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("what a transaction has seen is SYSTEM-LIFE-WAL[-XMIN-SPAN[-STEP_STEP…]], in hexadecimal")]
pub struct BadSeen;

impl Seen {
    /// A snapshot. Of running transactions beyond those that fit, nothing is said: `xmax` is the first of them.
    pub fn snapshot(database: Database, wal: u64, [xmin, xmax]: [u64; 2], running: &[u64]) -> Self {
        let mut running: Vec<u64> =
            running.iter().copied().filter(|id| (xmin..xmax).contains(id)).collect();
        running.sort_unstable();
        running.dedup();
        let fitting = fitting(xmin, &running);
        let xmax = running.get(fitting).copied().unwrap_or(xmax).max(xmin);
        running.truncate(fitting);
        Self::Snapshot { database, wal, xmin, xmax, running: Running(running.into()) }
    }

    /// Takes what [`Display`](fmt::Display) writes.
    ///
    /// # Errors
    /// [`BadSeen`] for everything else.
    pub fn parse(text: &str) -> Result<Self, BadSeen> {
        if text.len() > SEEN_BYTES_MAX {
            return Err(BadSeen);
        }
        let parts: Vec<&str> = text.split('-').collect();
        let (system, life, wal, snapshot) = match parts[..] {
            [system, life, wal] => (system, life, wal, None),
            [system, life, wal, xmin, span] => (system, life, wal, Some((xmin, span, ""))),
            [system, life, wal, xmin, span, steps] if !steps.is_empty() => {
                (system, life, wal, Some((xmin, span, steps)))
            }
            _ => return Err(BadSeen),
        };
        let database = Database { system: number(system)?, life: number(life)? };
        let wal = number(wal)?;
        let Some((xmin, span, steps)) = snapshot else {
            return Ok(Self::Replica { database, wal });
        };
        let xmin = number(xmin)?;
        let xmax = xmin.checked_add(number(span)?).ok_or(BadSeen)?;
        let mut running = Vec::new();
        let mut last = xmin;
        for step in steps.split('_').filter(|_| !steps.is_empty()) {
            let step = number(step)?;
            if step == 0 && !running.is_empty() {
                return Err(BadSeen);
            }
            last = last.checked_add(step).filter(|id| *id < xmax).ok_or(BadSeen)?;
            running.push(last);
        }
        if fitting(xmin, &running) < running.len() {
            return Err(BadSeen);
        }
        Ok(Self::Snapshot { database, wal, xmin, xmax, running: Running(running.into()) })
    }

    /// Whether what this transaction did was visible. False where nobody can tell.
    pub fn has(&self, commit: &Commit) -> bool {
        match self {
            Self::Snapshot { database, xmin, xmax, running, .. } => {
                // Another life may have given the id to another transaction.
                *database == commit.database
                    && commit.id < *xmax
                    && (commit.id < *xmin || running.0.binary_search(&commit.id).is_err())
            }
            Self::Replica { database, wal } if *database == commit.database => commit.wal <= *wal,
            // The replica is known to have got as far as its own life's beginning.
            Self::Replica { database, .. } => {
                database.system == commit.database.system && commit.database.life < database.life
            }
        }
    }

    /// Whether nothing that comes after this entry, nor the entry itself, can be something that was visible.
    pub fn is_settled_by(&self, commit: &Commit) -> bool {
        match self {
            Self::Snapshot { database, wal, .. } => {
                *database == commit.database && commit.settled > *wal
            }
            Self::Replica { database, wal } => *database == commit.database && commit.wal > *wal,
        }
    }

    /// Whether it is about the database of this system identifier, in whatever life.
    pub fn is_of(&self, system: u64) -> bool {
        let (Self::Snapshot { database, .. } | Self::Replica { database, .. }) = self;
        database.system == system
    }

    /// Whether the page's data may be older than its request, and so lack what was published before that.
    pub fn is_of_replica(&self) -> bool {
        matches!(self, Self::Replica { .. })
    }
}

/// How many of these find room.
fn fitting(xmin: u64, running: &[u64]) -> usize {
    let mut bytes = 0;
    let mut last = xmin;
    let fits = |id: &&u64| {
        bytes += digits(**id - last) + 1;
        last = **id;
        bytes <= RUNNING_BYTES_MAX
    };
    running.iter().take(RUNNING_MAX).take_while(fits).count()
}

fn digits(number: u64) -> usize {
    (64 - (number | 1).leading_zeros() as usize).div_ceil(4)
}

/// A number in its only accepted spelling; `from_str_radix` alone would take `+1`, `01` and `FF`.
fn number(text: &str) -> Result<u64, BadSeen> {
    let canonical = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && (text == "0" || !text.starts_with('0'));
    if canonical { u64::from_str_radix(text, 16).map_err(|_| BadSeen) } else { Err(BadSeen) }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Snapshot { database, wal, .. } | Self::Replica { database, wal }) = self;
        write!(f, "{:x}-{:x}-{wal:x}", database.system, database.life)?;
        if let Self::Snapshot { xmin, xmax, running, .. } = self {
            write!(f, "-{xmin:x}-{:x}", xmax - xmin)?;
            let mut last = *xmin;
            for (index, id) in running.0.iter().enumerate() {
                f.write_char(if index == 0 { '-' } else { '_' })?;
                write!(f, "{:x}", id - last)?;
                last = *id;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
