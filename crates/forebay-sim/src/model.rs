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
    /// An entry came after a later one: of its stream, or of any that the page had subscribed to by then.
    Misordered,
    /// The page was not told that it lacks everything, or never came to rest.
    NotHealed,
    /// An entry of a stream that the page does not show, or after access was taken back.
    NotForIt,
    /// Our client got what it had, or not what came next, and mended that itself: nobody would have
    /// seen it.
    Mended,
    /// The page was told to heal itself though history had all that it lacked.
    Needless,
    /// A log that was put back from disk is not as it was.
    NotAsBefore,
    /// An ephemeral entry came to a page that was not there when it was published.
    Replayed,
    /// Access was taken back, and the connection that used it lives on.
    NotEnded,
    /// Somebody left who is there.
    LeftThere,
    /// Somebody is gone, and stays in the room.
    StaysGone,
}

impl Violation {
    /// All of them, and what a summary calls them.
    pub const ALL: [(Self, &str); 12] = [
        (Self::Lost, "lost"),
        (Self::Doubled, "doubled"),
        (Self::Misordered, "out of order"),
        (Self::NotHealed, "silent gaps"),
        (Self::NotForIt, "not for it"),
        (Self::Mended, "mended"),
        (Self::Needless, "needless resyncs"),
        (Self::NotAsBefore, "logs not as before"),
        (Self::Replayed, "ephemeral and replayed"),
        (Self::NotEnded, "connections not ended"),
        (Self::LeftThere, "left while there"),
        (Self::StaysGone, "gone and not left"),
    ];
}

/// One life of a page: from its rendering until it is rendered again or left.
#[derive(Debug)]
pub struct Life {
    streams: Vec<Showing>,
    /// Whether entries may come again when its socket was lost: a stock client can't say what it
    /// has, and what it could not prove comes twice.
    may_repeat: bool,
    /// The same, until its socket is lost.
    is_replayed: bool,
    /// Its history begins at a time, which is less exact than a cursor: what it was rendered with may
    /// come once more.
    by_time: bool,
    /// The newest entry, of whatever stream, that it has shown since a subscription last began on its
    /// connection. From there on all its streams are read in one order. Unless its connection goes on for
    /// another: what was held back then comes when its client says from where.
    passed: Option<u64>,
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
    /// The newest of which its client has a position, where that has none of ephemeral entries.
    placed: u64,
}

impl Life {
    /// A page that was rendered with everything up to `rendered`.
    pub fn new(streams: &[usize], rendered: u64, may_repeat: bool) -> Self {
        let showing = |stream: &usize| {
            let (stream, shown) = (*stream, rendered);
            Showing { stream, rendered, shown, newest: shown, placed: shown }
        };
        Self {
            streams: streams.iter().map(showing).collect(),
            may_repeat,
            is_replayed: false,
            by_time: false,
            passed: Some(0),
            repeats: 0,
        }
    }

    /// What it was rendered with.
    pub fn rendered(&self) -> u64 {
        self.streams.first().map_or(0, |showing| showing.rendered)
    }

    /// Its history begins at a time.
    pub fn begins_by_time(&mut self) {
        self.by_time = true;
    }

    /// Of these streams it has no position: it is owed what came after `head`, which is when it last heard
    /// of its server.
    pub fn begins_anew(&mut self, streams: impl Iterator<Item = usize>, head: u64) {
        for stream in streams {
            let mut showing = self.streams.iter_mut();
            if let Some(showing) = showing.find(|showing| showing.stream == stream) {
                (showing.rendered, showing.shown, showing.newest) = (head, head, head);
                showing.placed = head;
            }
        }
    }

    /// Whether it has shown anything that it was not rendered with.
    pub fn has_shown(&self) -> bool {
        self.streams.iter().any(|showing| showing.newest > showing.rendered)
    }

    /// The page has a new socket.
    pub fn reconnected(&mut self) {
        self.is_replayed = false;
        self.passed = Some(0);
        if self.may_repeat {
            self.begin_again();
        }
    }

    /// A subscription begins: what it was owed comes behind what other streams have brought.
    pub fn subscribed(&mut self) {
        self.passed = self.passed.map(|_| 0);
    }

    /// Its connection goes on for another one.
    pub fn is_restored(&mut self) {
        self.passed = None;
    }

    /// Whether this entry is the newest that it has shown of its stream.
    pub fn ends_with(&self, stream: usize, offset: u64) -> bool {
        self.streams.iter().any(|showing| showing.stream == stream && showing.shown == offset)
    }

    /// Whether it stands at this entry of the stream, or behind it.
    pub fn has(&self, stream: usize, offset: u64) -> bool {
        self.streams.iter().any(|showing| showing.stream == stream && showing.shown >= offset)
    }

    /// Its server goes on from where its client says that it is, which is behind this entry only where what it has
    /// shown past it is ephemeral. From now on its client is here.
    pub fn goes_on_at(&mut self, stream: usize, offset: u64) -> bool {
        let mut showing = self.streams.iter_mut();
        let showing = showing.find(|showing| showing.stream == stream);
        let Some(showing) = showing.filter(|showing| showing.placed < offset) else { return false };
        showing.placed = offset;
        offset <= showing.shown
    }

    /// Its server couldn't wait to hear what it has: that comes again, on this socket.
    pub fn is_replayed(&mut self) {
        self.is_replayed = true;
        self.begin_again();
    }

    fn begin_again(&mut self) {
        for showing in &mut self.streams {
            showing.shown = showing.rendered;
        }
    }

    /// The page shows an entry.
    ///
    /// # Errors
    /// The [`Violation`] that this is.
    pub fn show(&mut self, all: &Published, stream: usize, offset: u64) -> Result<(), Violation> {
        let showing = self.streams.iter_mut().find(|showing| showing.stream == stream);
        let showing = showing.ok_or(Violation::NotForIt)?;
        if self.by_time && offset <= showing.rendered {
            return Ok(());
        }
        if offset <= showing.shown {
            let doubled = offset == showing.shown || offset > showing.rendered;
            return Err(if doubled { Violation::Doubled } else { Violation::Misordered });
        }
        // Where a replay begins is the server's to choose; behind it, all must come. It can't begin
        // past what the page has shown.
        let may_repeat = self.may_repeat || self.is_replayed;
        let replays = may_repeat && showing.shown == showing.rendered && offset <= showing.newest;
        if !replays {
            let from =
                if showing.shown == showing.rendered { showing.newest } else { showing.shown };
            if all.is_owed(stream, from, offset) {
                return Err(Violation::Lost);
            }
        }
        if self.passed.is_some_and(|passed| offset <= passed) {
            return Err(Violation::Misordered);
        }
        self.passed = self.passed.map(|passed| passed.max(offset));
        self.repeats += u64::from(offset <= showing.newest);
        showing.shown = offset;
        showing.newest = showing.newest.max(offset);
        if all.kind_at(stream, offset) != Some(Kind::Ephemeral) {
            showing.placed = offset;
        }
        Ok(())
    }

    /// The page shows a change of who is present.
    ///
    /// # Errors
    /// [`Violation::Misordered`] if it came behind what is later in the log.
    pub fn show_change(&mut self, offset: u64) -> Result<(), Violation> {
        if self.passed.is_some_and(|passed| offset <= passed) {
            return Err(Violation::Misordered);
        }
        self.passed = self.passed.map(|passed| passed.max(offset));
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
                Kind::Log | Kind::Missing => true,
                Kind::State => entry.offset == newest_state,
                Kind::Ephemeral => false,
            }
        })
    }
}
