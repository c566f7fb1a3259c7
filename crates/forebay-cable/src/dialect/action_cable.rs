//! `actioncable-v1-json`, as Rails speaks it (rails/rails, `actioncable/lib/action_cable/connection` and
//! `actioncable/app/javascript`). Its clients keep no position: Pongs prove what they have got.

use bytes::Bytes;
use forebay_log::StreamId;
use smallvec::{SmallVec, smallvec};

use super::{Around, Dialect, Lack, Manner, Positions, Recipient, check};
use crate::command::{Command, CommandError, Terms};
use crate::ids::SessionId;
use crate::wire::{self, Wrap};

#[derive(Debug)]
pub(super) struct ActionCable;

impl Dialect for ActionCable {
    fn manner(&self) -> Manner {
        Manner {
            positions: Positions::Proven,
            heals_itself: false,
            follows: false,
            shares_frames: true,
        }
    }

    fn decode(&self, text: &str) -> Result<Vec<Command>, CommandError> {
        let commands = vec![Command::decode(text)?];
        check(commands, |terms| *terms = Terms::default(), |_| false)
    }

    fn welcome(&self, session: SessionId, _: u64) -> Bytes {
        wire::welcome(session)
    }

    fn wrap<'a>(&'a self, to: Recipient<'a>, _: StreamId, entry: Around<'_>) -> Option<Wrap<'a>> {
        let kind = entry.message?.kind_name();
        // Stock clients ignore the offset; whoever looks at the wire can tell which entry it is.
        let end = if to.goes_on { wire::end_with_offset(entry.offset) } else { wire::end() };
        Some(to.envelope.wrap(kind, end))
    }

    fn lost(&mut self, lack: &Lack<'_>) -> SmallVec<[Bytes; 2]> {
        if !lack.tells {
            return SmallVec::new();
        }
        smallvec![lack.to.envelope.message(lack.resync.json())]
    }
}
