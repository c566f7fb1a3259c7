//! What is kept beside the entries: access that was taken back, and sessions.

use fjall::{OwnedWriteBatch, PersistMode};
use forebay_log::Offset;

use super::Store;
use crate::error::StoreError;
use crate::format;
use crate::open::{Open, REVOKED_FLOOR, REVOKED_FLOOR_WITH_CURSOR};
use crate::record::{Revoked, RevokedFloor};

impl Store {
    /// Keeps what was taken back, and no longer what it stands for. Whatever the `Fsync`, the disk
    /// has it when this returns: who has no access must not get it by a loss of power.
    ///
    /// # Errors
    /// [`StoreError`]: it is not known at the next start.
    pub fn revoke(
        &mut self,
        revoked: &Revoked,
        gone: &[Offset],
        floor: RevokedFloor,
    ) -> Result<(), StoreError> {
        self.write_revocations(Some(revoked), gone, floor)
    }

    /// No longer keeps what was taken back at these places.
    ///
    /// # Errors
    /// [`StoreError`]: it is known again at the next start.
    pub fn readmit(&mut self, gone: &[Offset], floor: RevokedFloor) -> Result<(), StoreError> {
        self.write_revocations(None, gone, floor)
    }

    fn write_revocations(
        &mut self,
        revoked: Option<&Revoked>,
        gone: &[Offset],
        floor: RevokedFloor,
    ) -> Result<(), StoreError> {
        self.write(self.reserved, |open, batch| {
            for gone in gone {
                batch.remove(&open.revoked, format::key(*gone));
            }
            if let Some(revoked) = revoked {
                let key = format::key(revoked.at);
                batch.insert(&open.revoked, key, format::encode_revoked(revoked));
            }
            insert_floor(open, batch, floor);
            PersistMode::SyncData
        })
    }

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
