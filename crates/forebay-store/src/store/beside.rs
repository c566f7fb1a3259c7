//! What is kept beside the entries: how far revocations are remembered, and sessions.

use fjall::{OwnedWriteBatch, PersistMode};

use super::Store;
use crate::error::StoreError;
use crate::format;
use crate::open::{Open, REVOKED_FLOOR, REVOKED_FLOOR_WITH_CURSOR};
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

pub(super) fn insert_floor(open: &Open, batch: &mut OwnedWriteBatch, floor: RevokedFloor) {
    batch.insert(&open.about, REVOKED_FLOOR, format::key(floor.all));
    batch.insert(&open.about, REVOKED_FLOOR_WITH_CURSOR, format::key(floor.with_cursor));
}
