//! What is kept of lost sessions of AnyCable's protocol, until their client comes back; and, where the
//! log is kept on disk, of those that are live, in case this process ends.
//!
//! Nothing is decided by it: whoever comes back is authorized anew, and so is each subscription.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use forebay_cable::{Kept, SessionId};
use forebay_log::UnixMillis;
use serde::{Deserialize, Serialize};

use crate::resumes::Due;

/// AnyCable's own `sessions_ttl`.
const KEPT_MAX_MS: u64 = 5 * 60 * 1_000;

/// All that is kept, in bytes: some ten thousand sessions of a few subscriptions. Past it the
/// oldest go, and their clients subscribe anew.
const BYTES_MAX: usize = 16 << 20;

/// All that is on disk, live sessions included: some hundred thousand. Past it no more are written, and
/// their clients subscribe anew after a restart.
const DISK_BYTES_MAX: usize = 128 << 20;

/// Sessions of one write, for which publishers wait.
const WRITE_SESSIONS: usize = 256;

type Owner = (SessionId, Option<Arc<str>>);

#[derive(Debug, Default)]
pub(crate) struct Sessions {
    kept: HashMap<String, (Option<Arc<str>>, UnixMillis, Kept)>,
    order: VecDeque<(UnixMillis, String)>,
    bytes: usize,
    disk: Option<Disk>,
}

/// What is on disk, and what is to be written there.
#[derive(Debug)]
struct Disk {
    /// The bytes of each that is there, or is about to be.
    sizes: HashMap<String, usize>,
    bytes: usize,
    changed: HashMap<String, Option<Vec<u8>>>,
    due: Due,
}

/// What is written of one.
#[derive(Serialize, Deserialize)]
struct Written {
    identity: Option<String>,
    /// Since when it is lost; a live one was live until its process ended.
    lost_at: Option<u64>,
    kept: String,
}

impl Sessions {
    /// Goes on with what is on disk. Those that were live were lost when their process ended, which
    /// nobody knows better than that it was before `now`.
    pub(crate) fn restored(now: UnixMillis, known: Vec<(String, Vec<u8>)>, due: Due) -> Self {
        let disk = Disk { sizes: HashMap::new(), bytes: 0, changed: HashMap::new(), due };
        let mut sessions = Self { disk: Some(disk), ..Self::default() };
        let mut found = Vec::new();
        for (sid, bytes) in known {
            let read = serde_json::from_slice::<Written>(&bytes).ok();
            let kept = read.as_ref().and_then(|written| Kept::from_json(&written.kept));
            sessions.set_size(&sid, bytes.len());
            match (read, kept) {
                (Some(Written { identity, lost_at, .. }), Some(kept)) => {
                    let at = UnixMillis(lost_at.unwrap_or(now.0).min(now.0));
                    found.push((at, sid, identity, kept, lost_at.is_none()));
                }
                _ => sessions.write(sid, None),
            }
        }
        found.sort_by_key(|(at, ..)| *at);
        for (at, sid, identity, kept, was_live) in found {
            let identity = identity.map(Into::into);
            if was_live {
                // Or it would be lost anew at each start.
                let written = written(identity.as_ref(), Some(at), &kept);
                sessions.write(sid.clone(), Some(written));
            }
            sessions.insert(at, sid, identity, kept);
        }
        sessions.expire(now);
        sessions
    }

    pub(crate) fn keep(&mut self, now: UnixMillis, (id, identity): Owner, kept: Kept) {
        let sid = id.to_string();
        if self.disk.is_some() {
            let written = written(identity.as_ref(), Some(now), &kept);
            self.write(sid.clone(), Some(written));
        }
        self.insert(now, sid, identity, kept);
        self.expire(now);
    }

    /// A live session has come to this. Only asked where it is kept on disk.
    pub(crate) fn note(&mut self, (id, identity): Owner, kept: Option<&Kept>) {
        let written = kept.map(|kept| written(identity.as_ref(), None, kept));
        self.write(id.to_string(), written);
    }

    /// A session is over. If it was not kept, nothing of it is.
    pub(crate) fn end(&mut self, id: SessionId) {
        if self.disk.is_some() {
            let sid = id.to_string();
            if !self.kept.contains_key(&sid) {
                self.write(sid, None);
            }
        }
    }

    fn insert(&mut self, at: UnixMillis, sid: String, identity: Option<Arc<str>>, kept: Kept) {
        self.bytes += kept.bytes();
        self.order.push_back((at, sid.clone()));
        self.kept.insert(sid, (identity, at, kept));
    }

    pub(crate) fn has(&self, sid: &str) -> bool {
        self.kept.contains_key(sid)
    }

    /// Another node has kept it.
    pub(crate) fn import(&mut self, now: UnixMillis, sid: String, written: &[u8]) {
        let Ok(read) = serde_json::from_slice::<Written>(written) else { return };
        let Some(kept) = Kept::from_json(&read.kept) else { return };
        let at = UnixMillis(read.lost_at.unwrap_or(now.0).min(now.0));
        self.insert(at, sid, read.identity.map(Into::into), kept);
        self.expire(now);
    }

    pub(crate) fn take(
        &mut self,
        now: UnixMillis,
        sid: &str,
        identity: Option<&Arc<str>>,
    ) -> Option<Kept> {
        self.expire(now);
        let (owner, ..) = self.kept.get(sid)?;
        if owner.as_ref() != identity {
            return None;
        }
        let (_, _, kept) = self.kept.remove(sid)?;
        self.bytes -= kept.bytes();
        self.sweep();
        self.write(sid.to_owned(), None);
        Some(kept)
    }

    /// Whoever has come back leaves a place behind until it is as old as the others, 40 bytes each. A
    /// sweep at twice as many as there are sessions makes that a constant factor.
    fn sweep(&mut self) {
        if self.order.len() > 2 * self.kept.len() + 1_024 {
            self.order.retain(|(_, sid)| self.kept.contains_key(sid));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(crate) fn expire(&mut self, now: UnixMillis) {
        while let Some((at, sid)) = self.order.front() {
            if self.bytes <= BYTES_MAX && now.0.saturating_sub(at.0) <= KEPT_MAX_MS {
                break;
            }
            if let Some((_, _, kept)) = self.kept.remove(sid) {
                self.bytes -= kept.bytes();
            }
            let sid = std::mem::take(&mut self.order.front_mut().expect("there is one").1);
            self.order.pop_front();
            self.write(sid, None);
        }
    }

    /// Writes it, or that there is nothing of it, where there is a disk and it has room.
    fn write(&mut self, sid: String, written: Option<Vec<u8>>) {
        let Some(disk) = &self.disk else { return };
        let size = written.as_ref().map_or(0, Vec::len);
        let before = disk.sizes.get(&sid).copied().unwrap_or(0);
        if size == 0 && before == 0 {
            return;
        }
        // What there is no room for is not known, rather than known as it was.
        let fits = disk.bytes - before + size <= DISK_BYTES_MAX;
        self.set_size(&sid, if fits { size } else { 0 });
        if let Some(disk) = &mut self.disk {
            disk.changed.insert(sid, written.filter(|_| fits));
            disk.due.soon.notify_one();
        }
    }

    fn set_size(&mut self, sid: &str, size: usize) {
        let Some(disk) = &mut self.disk else { return };
        let before = if size == 0 {
            disk.sizes.remove(sid)
        } else {
            disk.sizes.insert(sid.to_owned(), size)
        };
        disk.bytes = disk.bytes + size - before.unwrap_or(0);
    }

    /// What is to be written: some of it.
    pub(crate) fn take_changed(&mut self) -> Vec<(String, Option<Vec<u8>>)> {
        let Some(disk) = &mut self.disk else { return Vec::new() };
        let some: Vec<_> = disk.changed.keys().take(WRITE_SESSIONS).cloned().collect();
        some.into_iter().filter_map(|sid| disk.changed.remove_entry(&sid)).collect()
    }

    /// The disk did not take these: they wait, unless they have changed again.
    pub(crate) fn put_back(&mut self, changed: Vec<(String, Option<Vec<u8>>)>) {
        let Some(disk) = &mut self.disk else { return };
        for (sid, written) in changed {
            disk.changed.entry(sid).or_insert(written);
        }
    }
}

pub(crate) fn written(
    identity: Option<&Arc<str>>,
    lost_at: Option<UnixMillis>,
    kept: &Kept,
) -> Vec<u8> {
    let identity = identity.map(|identity| (**identity).to_owned());
    let lost_at = lost_at.map(|at| at.0);
    let written = Written { identity, lost_at, kept: kept.to_json() };
    serde_json::to_vec(&written).expect("texts and numbers encode")
}

#[cfg(test)]
mod tests {
    use forebay_cable::{Hello, Limits, Protocol, Resync, Session};
    use forebay_log::Epoch;

    use super::*;

    fn kept() -> Kept {
        let protocol = Protocol::ActionCableV1ExtJson;
        let hello = Hello { id: SessionId(1), protocol, epoch: Epoch(1) };
        let mut session = Session::open(UnixMillis(0), hello, Arc::new(Limits::default()));
        session.handle_text(r#"{"command":"subscribe","identifier":"{\"channel\":\"room\"}"}"#);
        session.poll_effect().expect("it asks");
        session.confirm(Vec::new(), false, Resync::new("null"));
        session.keep().expect("it has a subscription")
    }

    #[test]
    fn sessions_that_come_back_leave_nothing_behind() {
        let mut sessions = Sessions::default();
        for id in 0..10_000 {
            sessions.keep(UnixMillis(0), (SessionId(id), None), kept());
            assert!(sessions.take(UnixMillis(0), &SessionId(id).to_string(), None).is_some());
        }
        assert!(sessions.order.len() <= 1_025, "{} places are kept", sessions.order.len());
        assert_eq!((sessions.kept.len(), sessions.bytes), (0, 0));
    }
}
