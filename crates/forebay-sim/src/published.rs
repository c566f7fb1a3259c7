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
}

impl Published {
    /// Nothing, on so many streams.
    pub fn new(streams: usize) -> Self {
        Self { streams: vec![Vec::new(); streams], newest_states: vec![0; streams] }
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

    pub(crate) fn newest_state(&self, stream: usize) -> u64 {
        self.newest_states[stream]
    }
}
