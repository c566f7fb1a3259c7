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
        Some(kept)
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
