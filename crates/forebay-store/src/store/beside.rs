//! What is kept beside the entries: how far revocations are remembered, sessions, and who is present.

use fjall::{OwnedWriteBatch, PersistMode};
use forebay_log::{Offset, Presence};

use super::Store;
use crate::changes::ChangesGone;
use crate::error::StoreError;
use crate::format;
use crate::open::{Open, PRESENCE_FLOOR, REVOKED_FLOOR, REVOKED_FLOOR_WITH_CURSOR};
use crate::record::RevokedFloor;

impl Store {
    /// Keeps what is to be known of sessions, by their names; without anything, no longer.
    ///
    /// # Errors
    /// [`StoreError`]: what is kept is as it was.
    pub fn keep_sessions(
        &mut self,
        sessions: &[(String, Option<Vec<u8>>)],
    ) -> Result<(), StoreError> {
        self.write(self.reserved, |open, batch| {
            for (name, kept) in sessions {
                match kept {
                    Some(kept) => batch.insert(&open.sessions, name, kept.as_slice()),
                    None => batch.remove(&open.sessions, name),
                }
            }
            PersistMode::Buffer
        })
    }
}

/// Members come and go by their nodes. Only this process writes, so what it says of another node is true.
pub(super) fn insert_sign(open: &Open, batch: &mut OwnedWriteBatch, at: Offset, sign: &Presence) {
    let (node, stream, held, released): (_, _, &[_], _) = match sign {
        Presence::Signs { node, stream, held, released } => (node, stream, held, released),
        Presence::Ended { node, stream, members, .. } => (node, stream, &[], members),
        Presence::Alive { .. } | Presence::Leaves { .. } | Presence::Asks { .. } => return,
    };
    for id in released {
        batch.remove(&open.holds, format::hold_key(*node, stream, id));
    }
    batch.insert(&open.holds, format::changed_key(stream), format::key(at));
    // Of one that is named twice the first is good.
    for one in held.iter().rev() {
        let key = format::hold_key(*node, stream, &one.member.id);
        batch.insert(&open.holds, key, format::hold_value(at, one));
    }
}

/// Of these nobody knows any more when they changed; the floor says as much.
pub(super) fn forget_changes(open: &Open, batch: &mut OwnedWriteBatch, gone: &ChangesGone) {
    for stream in &gone.streams {
        batch.remove(&open.holds, format::changed_key(stream));
    }
    if !gone.streams.is_empty() {
        batch.insert(&open.about, PRESENCE_FLOOR, format::key(gone.floor));
    }
}

pub(super) fn insert_floor(open: &Open, batch: &mut OwnedWriteBatch, floor: RevokedFloor) {
    batch.insert(&open.about, REVOKED_FLOOR, format::key(floor.all));
    batch.insert(&open.about, REVOKED_FLOOR_WITH_CURSOR, format::key(floor.with_cursor));
}
