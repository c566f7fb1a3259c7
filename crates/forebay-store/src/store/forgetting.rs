//! What is in the log no longer, and what never came into it.

use std::collections::BTreeMap;

use fjall::PersistMode;
use forebay_log::{Dropped, Forgotten, Offset};

use super::beside::insert_floor;
use super::{RESERVED, Store};
use crate::error::StoreError;
use crate::format;
use crate::record::Left;

impl Store {
    /// Removes what has left the log in memory, and notes what is forgotten by that. After a write
    /// that failed it waits for the first call after the next append.
    ///
    /// # Errors
    /// [`StoreError`]: it is all still there, and is forgotten at a later call or the next start.
    pub fn forget(&mut self, left: Left) -> Result<(), StoreError> {
        self.unforgotten.add(left);
        let is_new = self.unforgotten.floor != self.forgotten.floor
            || self.unforgotten.revoked_floor != self.forgotten.revoked_floor;
        if self.open.is_none() || self.unforgotten.is_empty() && !is_new {
            return Ok(());
        }
        let left = std::mem::take(&mut self.unforgotten);
        let forgotten = self.try_forget(&left);
        match &forgotten {
            Ok(()) if self.marker.mark.lacks_gap => {
                self.marker.write(|mark| mark.lacks_gap = false);
            }
            Ok(()) => {}
            Err(_) => self.unforgotten = left,
        }
        forgotten
    }

    fn try_forget(&mut self, left: &Left) -> Result<(), StoreError> {
        let Left { dropped, floor, revocations, revoked_floor } = left;
        // The last of a stream says all that the stream lacks; nothing, if the floor does.
        let mut streams: BTreeMap<&str, Option<Forgotten>> = BTreeMap::new();
        self.write(self.reserved, |open, batch| {
            for dropped in dropped {
                match dropped {
                    Dropped::Superseded(offset) => {
                        batch.remove(&open.entries, format::key(*offset));
                    }
                    Dropped::Forgotten(stream, forgotten) => {
                        batch.remove(&open.entries, format::key(forgotten.offset));
                        streams.insert(stream, Some(*forgotten));
                    }
                    Dropped::Covered(stream) => {
                        streams.insert(stream, None);
                    }
                }
            }
            for (stream, forgotten) in streams {
                match forgotten {
                    Some(forgotten) => {
                        batch.insert(&open.forgotten, stream, format::pair(forgotten));
                    }
                    None => batch.remove(&open.forgotten, stream),
                }
            }
            for gone in revocations {
                batch.remove(&open.revoked, format::key(*gone));
            }
            batch.insert(&open.about, "floor", format::pair(*floor));
            insert_floor(open, batch, *revoked_floor);
            PersistMode::Buffer
        })?;
        (self.forgotten.floor, self.forgotten.revoked_floor) = (*floor, *revoked_floor);
        (self.unforgotten.floor, self.unforgotten.revoked_floor) = (*floor, *revoked_floor);
        Ok(())
    }

    /// A gap has the offsets up to `through`: what pages are told that they lack, though it never was in
    /// the log. Until the database has that, it is written beside it; the next start begins a new epoch if
    /// the database still has not taken it by then.
    pub fn gap(&mut self, through: Offset) {
        let reserved =
            if through > self.reserved { Offset(through.0 + RESERVED) } else { self.reserved };
        self.free = self.free.max(through.next());
        self.reserved = reserved;
        self.marker.write(|mark| {
            mark.lacks_gap = true;
            mark.reserved = reserved.0;
        });
    }
}
