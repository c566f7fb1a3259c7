//! What is kept of lost sessions of AnyCable's protocol, until their client comes back.
//!
//! Nothing is decided by it: whoever comes back is authorized anew, and so is each subscription.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use forebay_cable::{Kept, SessionId};
use forebay_log::UnixMillis;

/// AnyCable's own `sessions_ttl`.
const KEPT_MAX_MS: u64 = 5 * 60 * 1_000;

/// All that is kept, in bytes: some ten thousand sessions of a few subscriptions. Past it the
/// oldest go, and their clients subscribe anew.
const BYTES_MAX: usize = 16 << 20;

type Owner = (SessionId, Option<Arc<str>>);

#[derive(Debug, Default)]
pub(crate) struct Sessions {
    kept: HashMap<String, (Option<Arc<str>>, UnixMillis, Kept)>,
    order: VecDeque<(UnixMillis, String)>,
    bytes: usize,
}

impl Sessions {
    pub(crate) fn keep(&mut self, now: UnixMillis, (id, identity): Owner, kept: Kept) {
        let sid = id.to_string();
        self.bytes += kept.bytes();
        self.order.push_back((now, sid.clone()));
        self.kept.insert(sid, (identity, now, kept));
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
            self.order.pop_front();
        }
    }
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
