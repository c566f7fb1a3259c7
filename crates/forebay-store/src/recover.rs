//! What an earlier life left, and whether it can be relied on. Where a part of it is lost or can't be
//! read, none of it is served: a new epoch tells pages to heal themselves, a hole would not.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use forebay_log::{Epoch, Forgotten, Offset};

use crate::format;
use crate::open::Open;
use crate::store::{Recovered, Revoked, StoreError, Written};

/// Why what is on disk is not gone on with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// It is lost, or not what was written.
    #[error("{0}")]
    Lost(&'static str),
    #[error(transparent)]
    Disk(#[from] fjall::Error),
}

impl Unusable {
    pub(crate) fn at(self, path: &Path) -> StoreError {
        match self {
            Self::Lost(what) => StoreError::Broken(what.into()),
            Self::Disk(error) => StoreError::of(path, error),
        }
    }
}

/// What is gone on with, or begun.
struct Kept {
    epoch: Epoch,
    floor: Forgotten,
    forgotten: Vec<(Arc<str>, Forgotten)>,
    entries: Vec<Written>,
}

pub(crate) fn recover(open: &Open, fresh: Epoch) -> Result<Recovered, Unusable> {
    // Without it, offsets would be given twice.
    let head = number(open, "reserved", "the reserved offsets can't be read")?;
    let head = Offset(head.unwrap_or(0));
    let (revoked, revoked_floor) = revocations(open, head)?;
    let kept = match kept(open) {
        Err(Unusable::Lost(what)) => {
            tracing::error!("{what}: a new epoch begins, and pages are told to heal themselves");
            discard(open, fresh)?
        }
        kept => kept?,
    };
    let Kept { epoch, floor, forgotten, entries } = kept;
    Ok(Recovered { epoch, head, floor, forgotten, entries, revoked, revoked_floor })
}

fn kept(open: &Open) -> Result<Kept, Unusable> {
    let is_clean = open.about.get("clean")?.is_none_or(|clean| clean.as_ref() == [1]);
    let known = open.about.get("boot")?;
    if !is_clean && !is_same_boot(known.as_deref(), boot().as_deref()) {
        return Err(Unusable::Lost("the machine may have lost power, and with it the log's end"));
    }
    let epoch = number(open, "epoch", "the epoch can't be read")?;
    let epoch = Epoch(epoch.ok_or(Unusable::Lost("the epoch is gone"))?);
    let floor = match open.about.get("floor")? {
        Some(bytes) => {
            format::read_pair(&bytes).ok_or(Unusable::Lost("the floor can't be read"))?
        }
        None => Forgotten::default(),
    };
    let entries = entries(open, floor)?;
    let forgotten = forgotten(open, floor, &entries)?;
    Ok(Kept { epoch, floor, forgotten, entries })
}

/// Begins anew.
fn discard(open: &Open, epoch: Epoch) -> Result<Kept, fjall::Error> {
    let mut batch = open.database.batch();
    for keyspace in [&open.entries, &open.forgotten] {
        for item in keyspace.iter() {
            batch.remove(keyspace, item.key()?);
        }
    }
    batch.remove(&open.about, "floor");
    batch.insert(&open.about, "epoch", epoch.0.to_be_bytes());
    batch.commit()?;
    let (floor, forgotten, entries) = (Forgotten::default(), Vec::new(), Vec::new());
    Ok(Kept { epoch, floor, forgotten, entries })
}

fn number(open: &Open, name: &str, lost: &'static str) -> Result<Option<u64>, Unusable> {
    let Some(bytes) = open.about.get(name)? else { return Ok(None) };
    Ok(Some(format::number(&bytes).ok_or(Unusable::Lost(lost))?))
}

fn entries(open: &Open, floor: Forgotten) -> Result<Vec<Written>, Unusable> {
    let mut entries = Vec::new();
    for item in open.entries.iter() {
        let (key, value) = item.into_inner()?;
        let entry = format::offset(&key).and_then(|o| format::decode(o, &value, floor));
        entries.push(entry.ok_or(Unusable::Lost("an entry can't be read"))?);
    }
    Ok(entries)
}

/// What is forgotten by stream. Of streams without an entry the floor says enough, where it covers
/// them; those with one may have begun before it.
fn forgotten(
    open: &Open,
    floor: Forgotten,
    entries: &[Written],
) -> Result<Vec<(Arc<str>, Forgotten)>, Unusable> {
    let with_entries: HashSet<&str> = entries.iter().map(|entry| &*entry.stream).collect();
    let mut forgotten = Vec::new();
    let mut covered = open.database.batch();
    for item in open.forgotten.iter() {
        let (key, value) = item.into_inner()?;
        let (Ok(name), Some(pair)) = (str::from_utf8(&key), format::read_pair(&value)) else {
            return Err(Unusable::Lost("what a stream has forgotten can't be read"));
        };
        if pair.offset > floor.offset || with_entries.contains(name) {
            forgotten.push((name.into(), pair));
        } else {
            covered.remove(&open.forgotten, key);
        }
    }
    covered.commit()?;
    Ok(forgotten)
}

/// Of what can't be read nobody knows whom it concerned, so it concerns everybody.
fn revocations(open: &Open, head: Offset) -> Result<(Vec<Revoked>, Offset), fjall::Error> {
    let floor = open.about.get("revoked_floor")?;
    let mut floor = floor.map_or(Offset(0), |bytes| format::offset(&bytes).unwrap_or(head));
    let mut revoked = Vec::new();
    for item in open.revoked.iter() {
        let (key, value) = item.into_inner()?;
        let at = format::offset(&key);
        if let Some(one) = at.and_then(|at| format::decode_revoked(at, &value)) {
            revoked.push(one);
            continue;
        }
        tracing::error!(?at, "a revocation can't be read: all pages before it are refused");
        floor = floor.max(at.unwrap_or(head));
    }
    Ok((revoked, floor))
}

/// Names this run of the machine, where the system does.
pub(crate) fn boot() -> Option<Vec<u8>> {
    std::fs::read("/proc/sys/kernel/random/boot_id").ok()
}

/// An unknown one, which is written as nothing, is never the same.
fn is_same_boot(known: Option<&[u8]>, now: Option<&[u8]>) -> bool {
    known == now && known.is_some_and(|boot| !boot.is_empty())
}

#[cfg(test)]
mod tests {
    use super::is_same_boot;

    #[test]
    fn an_unknown_boot_is_never_the_same() {
        let check = |known, now, expected| {
            assert_eq!(is_same_boot(known, now), expected, "{known:?} {now:?}");
        };
        let (none, some): (&[u8], &[u8]) = (b"", b"a");
        check(Some(some), Some(some), true);
        check(Some(some), Some(b"b"), false);
        check(Some(none), Some(none), false);
        check(Some(none), None, false);
        check(None, None, false);
    }
}
