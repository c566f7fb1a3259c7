//! What was published, by stream.

/// How long an entry is worth keeping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Complete and in order.
    Log,
    /// Only the newest matters.
    State,
    /// Nobody is owed it.
    Ephemeral,
    /// It could not be published, and pages are to be told.
    Missing,
}

/// One entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Its offset.
    pub offset: u64,
    /// Its kind.
    pub kind: Kind,
}

/// Everything that was published since the log began.
#[derive(Debug)]
pub struct Published {
    streams: Vec<Vec<Entry>>,
    newest_states: Vec<u64>,
    /// Offsets of streams that no page reads.
    unread: Vec<Vec<u64>>,
}

impl Published {
    /// Nothing, on so many streams, and on so many that no page reads.
    pub fn new(streams: usize, unread: usize) -> Self {
        Self {
            streams: vec![Vec::new(); streams],
            newest_states: vec![0; streams],
            unread: vec![Vec::new(); unread],
        }
    }

    /// One more on a stream that no page reads.
    pub fn add_unread(&mut self, stream: usize, offset: u64) {
        self.unread[stream].push(offset);
    }

    /// Offsets of what a log has to have, or to say that it lacks: first of the streams, then of those
    /// that no page reads. None of others.
    pub fn owed(&self, stream: usize) -> Vec<u64> {
        let Some(entries) = self.streams.get(stream) else {
            return self.unread.get(stream - self.streams.len()).cloned().unwrap_or_default();
        };
        let newest_state = self.newest_states[stream];
        let is_owed = |entry: &&Entry| match entry.kind {
            Kind::Log | Kind::Missing => true,
            Kind::State => entry.offset == newest_state,
            Kind::Ephemeral => false,
        };
        entries.iter().filter(is_owed).map(|entry| entry.offset).collect()
    }

    /// One more.
    pub fn add(&mut self, stream: usize, offset: u64, kind: Kind) {
        self.streams[stream].push(Entry { offset, kind });
        if kind == Kind::State {
            self.newest_states[stream] = offset;
        }
    }

    pub(crate) fn of(&self, stream: usize) -> &[Entry] {
        &self.streams[stream]
    }

    /// How many the stream has.
    pub fn count(&self, stream: usize) -> usize {
        self.streams[stream].len()
    }

    /// The offset of one by its number in its stream.
    pub fn offset(&self, stream: usize, serial: usize) -> Option<u64> {
        self.streams.get(stream)?.get(serial).map(|entry| entry.offset)
    }

    /// Its kind.
    pub(crate) fn kind(&self, stream: usize, serial: usize) -> Option<Kind> {
        self.streams.get(stream)?.get(serial).map(|entry| entry.kind)
    }

    pub(crate) fn newest_state(&self, stream: usize) -> u64 {
        self.newest_states[stream]
    }
}
