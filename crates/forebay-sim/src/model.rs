//! The reference: what a page must have shown, whatever happened on the way.
//!
//! It knows what was published, and with which cursor a page was rendered. It knows nothing of
//! sessions, positions or histories.

use crate::published::{Kind, Published};

/// A broken promise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Violation {
    /// An entry did not come, and the page was not told.
    Lost,
    /// An entry came twice.
    Doubled,
    /// An entry came after a later one of its stream.
    Misordered,
    /// An entry of a stream that the page does not show, or after access was taken back.
    NotForIt,
}

/// One life of a page: from its rendering until it is rendered again or left.
#[derive(Debug)]
pub struct Life {
    streams: Vec<Showing>,
    /// Whether entries may come again when its socket was lost: a stock client can't say what it
    /// has, and what it could not prove comes twice.
    may_repeat: bool,
    /// Entries that came again so.
    pub repeats: u64,
}

#[derive(Debug)]
struct Showing {
    stream: usize,
    /// What the page was rendered with.
    rendered: u64,
    /// The newest that it has shown since.
    shown: u64,
    /// The newest that it has ever shown.
    newest: u64,
}

impl Life {
    /// A page that was rendered with everything up to `rendered`.
    pub fn new(streams: &[usize], rendered: u64, may_repeat: bool) -> Self {
        let showing = |stream: &usize| {
            let (stream, shown) = (*stream, rendered);
            Showing { stream, rendered, shown, newest: shown }
        };
        Self { streams: streams.iter().map(showing).collect(), may_repeat, repeats: 0 }
    }

    /// What it was rendered with.
    pub fn rendered(&self) -> u64 {
        self.streams.first().map_or(0, |showing| showing.rendered)
    }

    /// The page has a new socket.
    pub fn reconnected(&mut self) {
        if self.may_repeat {
            for showing in &mut self.streams {
                showing.shown = showing.rendered;
            }
        }
    }

    /// The page shows an entry.
    ///
    /// # Errors
    /// The [`Violation`] that this is.
    pub fn show(&mut self, all: &Published, stream: usize, offset: u64) -> Result<(), Violation> {
        let showing = self.streams.iter_mut().find(|showing| showing.stream == stream);
        let showing = showing.ok_or(Violation::NotForIt)?;
        if offset <= showing.shown {
            let doubled = offset == showing.shown || offset > showing.rendered;
            return Err(if doubled { Violation::Doubled } else { Violation::Misordered });
        }
        // Where a replay begins is the server's to choose; behind it, all must come. It can't begin
        // past what the page has shown.
        let replays =
            self.may_repeat && showing.shown == showing.rendered && offset <= showing.newest;
        if !replays {
            let from =
                if showing.shown == showing.rendered { showing.newest } else { showing.shown };
            if all.is_owed(stream, from, offset) {
                return Err(Violation::Lost);
            }
        }
        self.repeats += u64::from(offset <= showing.newest);
        showing.shown = offset;
        showing.newest = showing.newest.max(offset);
        Ok(())
    }

    /// Nothing will come any more: has everything?
    ///
    /// # Errors
    /// [`Violation::Lost`] if something has not.
    pub fn check_complete(&self, all: &Published) -> Result<(), Violation> {
        let complete = self
            .streams
            .iter()
            .all(|showing| !all.is_owed(showing.stream, showing.newest, u64::MAX));
        if complete { Ok(()) } else { Err(Violation::Lost) }
    }
}

impl Published {
    /// Whether something of the stream between two offsets had to be shown: what is kept, unless a
    /// later one has superseded it.
    fn is_owed(&self, stream: usize, after: u64, before: u64) -> bool {
        let entries = self.of(stream);
        let first = entries.partition_point(|entry| entry.offset <= after);
        let newest_state = self.newest_state(stream);
        entries[first..].iter().take_while(|entry| entry.offset < before).any(|entry| {
            match entry.kind {
                Kind::Log => true,
                Kind::State => entry.offset == newest_state,
                Kind::Ephemeral => false,
            }
        })
    }
}
