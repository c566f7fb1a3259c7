//! What was published, by stream.

use std::collections::HashMap;

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
    /// Where an entry is in its stream by its number, where that is not its place.
    places: Option<HashMap<(usize, usize), usize>>,
    /// Offsets of streams that no page reads.
    unread: Vec<Vec<u64>>,
}

impl Published {
    /// Nothing, on so many streams, and on so many that no page reads.
    pub fn new(streams: usize, unread: usize) -> Self {
        Self {
            streams: vec![Vec::new(); streams],
            newest_states: vec![0; streams],
            places: None,
            unread: vec![Vec::new(); unread],
        }
    }

    /// Nothing, and entries come with numbers that their publishers have given them, in any order.
    pub fn numbered(streams: usize) -> Self {
        Self { places: Some(HashMap::new()), ..Self::new(streams, 0) }
    }

    /// One more, by its number. Nobody is owed the same a second time.
    pub fn add_numbered(&mut self, stream: usize, number: usize, offset: u64, kind: Kind) {
        let place = self.streams[stream].len();
        let places = self.places.get_or_insert_default();
        let is_new = *places.entry((stream, number)).or_insert(place) == place;
        self.add(stream, offset, if is_new { kind } else { Kind::Ephemeral });
    }

    /// The offset of the stream's last entry.
    pub fn last(&self, stream: usize) -> u64 {
        self.streams[stream].last().map_or(0, |entry| entry.offset)
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
        self.entry(stream, serial).map(|entry| entry.offset)
    }

    /// Its kind.
    pub(crate) fn kind(&self, stream: usize, serial: usize) -> Option<Kind> {
        self.entry(stream, serial).map(|entry| entry.kind)
    }

    /// The kind of what is there.
    pub(crate) fn kind_at(&self, stream: usize, offset: u64) -> Option<Kind> {
        let entries = self.of(stream);
        let at = entries.binary_search_by_key(&offset, |entry| entry.offset).ok()?;
        Some(entries[at].kind)
    }

    fn entry(&self, stream: usize, serial: usize) -> Option<&Entry> {
        let place = match &self.places {
            Some(places) => *places.get(&(stream, serial))?,
            None => serial,
        };
        self.streams.get(stream)?.get(place)
    }

    pub(crate) fn newest_state(&self, stream: usize) -> u64 {
        self.newest_states[stream]
    }
}
