//! What is in the log no longer, and what never came into it.

use std::collections::BTreeMap;

use fjall::PersistMode;
use forebay_log::{Dropped, Forgotten, Offset};

use super::{RESERVED, Store};
use crate::error::StoreError;
use crate::format;

impl Store {
    /// Removes what has left the log in memory, and notes what is forgotten by that. After a write
    /// that failed it waits for the first call after the next append.
    ///
    /// # Errors
    /// [`StoreError`]: it is all still there, and is forgotten at a later call or the next start.
    pub fn forget(&mut self, dropped: &[Dropped], floor: Forgotten) -> Result<(), StoreError> {
        self.unforgotten.extend_from_slice(dropped);
        if self.open.is_none() || self.unforgotten.is_empty() && floor == self.floor {
            return Ok(());
        }
        let dropped = std::mem::take(&mut self.unforgotten);
        let forgotten = self.try_forget(&dropped, floor);
        match forgotten {
            Ok(()) if self.marker.mark.lacks_gap => {
                self.marker.write(|mark| mark.lacks_gap = false);
            }
            Ok(()) => {}
            Err(_) => self.unforgotten = dropped,
        }
        forgotten
    }

    fn try_forget(&mut self, dropped: &[Dropped], floor: Forgotten) -> Result<(), StoreError> {
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
            batch.insert(&open.about, "floor", format::pair(floor));
            PersistMode::Buffer
        })?;
        self.floor = floor;
        Ok(())
    }

    /// As [`forget`](Self::forget), for what pages are told that they lack, though it never was in the
    /// log: a gap, which has the offsets up to `through`. Where the disk does not take it, that is written
    /// beside the database; the next start begins a new epoch if it still is not taken by then.
    pub fn gap(&mut self, dropped: &[Dropped], floor: Forgotten, through: Offset) {
        let reserved =
            if through > self.reserved { Offset(through.0 + RESERVED) } else { self.reserved };
        self.free = self.free.max(through.next());
        self.reserved = reserved;
        self.marker.write(|mark| {
            mark.lacks_gap = true;
            mark.reserved = reserved.0;
        });
        if let Err(error) = self.forget(dropped, floor) {
            tracing::warn!(%error, "a gap is not on disk yet");
        }
    }
}
