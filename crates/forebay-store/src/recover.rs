//! What an earlier life left, and whether it can be relied on. Where a part of it is lost or can't be
//! read, none of it is served: a new epoch tells pages to heal themselves, a hole would not.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use forebay_log::{Epoch, Forgotten, Offset, Presence};

use crate::error::StoreError;
use crate::format;
use crate::marker::{Mark, Marker};
use crate::open::{Open, PRESENCE_FLOOR, REVOKED_FLOOR, REVOKED_FLOOR_WITH_CURSOR};
use crate::record::{Revoked, RevokedFloor, Snapshot, Written};

/// Why what is on disk is not gone on with.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    /// It is lost, or not what was written.
    #[error("{0}")]
    Lost(&'static str),
    #[error(transparent)]
    Disk(#[from] fjall::Error),
}

/// What is gone on with, or begun.
#[derive(Default)]
struct Kept {
    epoch: Option<Epoch>,
    floor: Forgotten,
    forgotten: Vec<(Arc<str>, Forgotten)>,
    entries: Vec<Written>,
    sessions: Vec<(String, Vec<u8>)>,
}

/// Reads what is there. `known` is what the marker said when it was opened.
pub(crate) fn recover(
    open: &Open,
    marker: &Marker,
    known: Option<&Mark>,
    path: &Path,
    fresh: Epoch,
) -> Result<Snapshot, StoreError> {
    let failed = |error| StoreError::of(path, error);
    let is_new = open.about.get("format").map_err(failed)?.is_none();
    // Without it, offsets would be given twice.
    let reserved = number(open, "reserved").map_err(failed)?.unwrap_or(0);
    let head = Offset(reserved.max(known.map_or(0, |known| known.reserved)));
    let (revoked, revoked_floor) = revocations(open, head).map_err(failed)?;
    let kept = match kept(open, marker, known, is_new) {
        Ok(kept) if is_new => Ok(Kept { epoch: None, ..kept }),
        Ok(kept) => Ok(kept),
        Err(Unusable::Lost(what)) => {
            tracing::error!(
                path = %path.display(),
                "{what}: a new epoch begins, and open pages are told to load themselves again"
            );
            Ok(Kept::default())
        }
        Err(Unusable::Disk(error)) => Err(failed(error)),
    }?;
    let Kept { epoch, floor, forgotten, entries, sessions } = kept;
    if epoch.is_none() {
        begin(open, fresh).map_err(failed)?;
    }
    let epoch = epoch.unwrap_or(fresh);
    let refused = known.and_then(|known| known.refused).map_or(Offset(u64::MAX), Offset);
    let taken = taken(open, refused).map_err(failed)?;
    let (present, presence_changed) = present(open, refused).map_err(failed)?;
    let presence_floor = number(open, PRESENCE_FLOOR).map_err(failed)?.map(Offset);
    // Nothing was forgotten, unless by a process that knew nothing of it.
    let presence_floor = presence_floor.or((!open.is_without_holds).then_some(Offset::ZERO));
    let (pages, page_keys) = (Vec::new(), None);
    Ok(Snapshot {
        epoch,
        head,
        floor,
        forgotten,
        entries,
        revoked,
        revoked_floor,
        taken,
        sessions,
        pages,
        page_keys,
        present,
        lacks_presence: false,
        presence_changed,
        presence_floor,
    })
}

fn kept(
    open: &Open,
    marker: &Marker,
    known: Option<&Mark>,
    is_new: bool,
) -> Result<Kept, Unusable> {
    let boot_then = open.about.get("boot")?;
    let is_same_boot = is_same_boot(boot_then.as_deref(), boot().as_deref());
    let named = number(open, "folder")?;
    let database = named.zip(number(open, "writes")?);
    if let Some(disagreement) = marker.compare(known, database, is_same_boot) {
        return Err(Unusable::Lost(disagreement.what()));
    }
    if is_new {
        return Ok(Kept::default());
    }
    if known.is_none() && open.about.get("reserved")?.is_some_and(|r| format::number(&r).is_none())
    {
        return Err(Unusable::Lost("the log's offsets can't be read"));
    }
    let is_clean = open.about.get("clean")?.is_none_or(|clean| clean.as_ref() == [1]);
    if !is_clean && !is_same_boot {
        return Err(Unusable::Lost("the machine may have lost power, and with it the log's end"));
    }
    let epoch = number(open, "epoch")?;
    let epoch = Epoch(epoch.ok_or(Unusable::Lost("the log's epoch can't be read"))?);
    let floor = match open.about.get("floor")? {
        Some(bytes) => {
            format::read_pair(&bytes).ok_or(Unusable::Lost("the log's floor can't be read"))?
        }
        None => Forgotten::default(),
    };
    let refused = known.and_then(|known| known.refused);
    let entries = entries(open, floor, refused.map_or(Offset(u64::MAX), Offset))?;
    let forgotten = forgotten(open, floor, &entries)?;
    let sessions = sessions(open)?;
    Ok(Kept { epoch: Some(epoch), floor, forgotten, entries, sessions })
}

/// Begins anew.
fn begin(open: &Open, epoch: Epoch) -> Result<(), fjall::Error> {
    let mut batch = open.database.batch();
    for keyspace in [&open.entries, &open.forgotten, &open.sessions, &open.holds] {
        for item in keyspace.iter() {
            batch.remove(keyspace, item.key()?);
        }
    }
    batch.remove(&open.about, "floor");
    batch.insert(&open.about, "epoch", epoch.0.to_be_bytes());
    batch.commit()
}

/// `None` for what is not there, and for what is no number.
pub(crate) fn number(open: &Open, name: &str) -> Result<Option<u64>, fjall::Error> {
    Ok(open.about.get(name)?.and_then(|bytes| format::number(&bytes)))
}

fn sessions(open: &Open) -> Result<Vec<(String, Vec<u8>)>, fjall::Error> {
    let mut sessions = Vec::new();
    for item in open.sessions.iter() {
        let (name, kept) = item.into_inner()?;
        sessions.push((String::from_utf8_lossy(&name).into_owned(), kept.to_vec()));
    }
    Ok(sessions)
}

/// Those before `refused`; the others were not taken, and are removed.
fn entries(open: &Open, floor: Forgotten, refused: Offset) -> Result<Vec<Written>, Unusable> {
    let mut entries = Vec::new();
    let mut gone = open.database.batch();
    for item in open.entries.iter() {
        let (key, value) = item.into_inner()?;
        if format::offset(&key).is_some_and(|offset| offset >= refused) {
            gone.remove(&open.entries, key);
            continue;
        }
        let entry = format::offset(&key).and_then(|o| format::decode(o, &value, floor));
        entries.push(entry.ok_or(Unusable::Lost("an entry of the log can't be read"))?);
    }
    gone.commit()?;
    Ok(entries)
}

/// Names of batches before `refused`; the others were not taken, and are removed. They outlive the epoch.
fn taken(open: &Open, refused: Offset) -> Result<Vec<(Offset, Arc<str>)>, fjall::Error> {
    let mut taken = Vec::new();
    let mut gone = open.database.batch();
    for item in open.taken.iter() {
        let (key, name) = item.into_inner()?;
        match (format::offset(&key), str::from_utf8(&name)) {
            (Some(end), Ok(name)) if end < refused => taken.push((end, name.into())),
            _ => gone.remove(&open.taken, key),
        }
    }
    gone.commit()?;
    Ok(taken)
}

type Present = Vec<(Offset, Presence)>;

/// Where streams' members changed last.
type Changed = Vec<(Offset, Arc<str>)>;

/// Members that were held before `refused`, in the log's order. The others, and what can't be read, are removed:
/// those who are there say so again.
fn present(open: &Open, refused: Offset) -> Result<(Present, Changed), fjall::Error> {
    let (mut present, mut changed) = (Present::new(), Changed::new());
    let mut gone = open.database.batch();
    for item in open.holds.iter() {
        let (key, value) = item.into_inner()?;
        if let Some(stream) = format::changed_stream(&key) {
            // Later than it was does no harm.
            changed.extend(format::offset(&value).map(|at| (at, stream.into())));
            continue;
        }
        match format::decode_hold(&key, &value) {
            Some((at, sign)) if at < refused => present.push((at, sign)),
            _ => gone.remove(&open.holds, key),
        }
    }
    gone.commit()?;
    present.sort_by_key(|(at, _)| *at);
    changed.sort_unstable();
    Ok((present, changed))
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
fn revocations(open: &Open, head: Offset) -> Result<(Vec<Revoked>, RevokedFloor), fjall::Error> {
    let read = |name| -> Result<Offset, fjall::Error> {
        let floor = open.about.get(name)?;
        Ok(floor.map_or(Offset(0), |bytes| format::offset(&bytes).unwrap_or(head)))
    };
    let mut floor =
        RevokedFloor { all: read(REVOKED_FLOOR)?, with_cursor: read(REVOKED_FLOOR_WITH_CURSOR)? };
    let mut revoked = Vec::new();
    for item in open.revoked.iter() {
        let (key, value) = item.into_inner()?;
        let at = format::offset(&key);
        if let Some(one) = at.and_then(|at| format::decode_revoked(at, &value)) {
            revoked.push(one);
            continue;
        }
        tracing::error!(?at, "a revocation can't be read: all pages before it are refused");
        floor.all = floor.all.max(at.unwrap_or(head));
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
