//! Designs that are known to be wrong. A simulation that lets one of them pass proves nothing.

use clap::ValueEnum;

/// What is changed in the world.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Variant {
    /// Nothing.
    #[default]
    None,
    /// Nothing, and between server and client entries get lost. Ours notices.
    Lossy,
    /// Action Cable as it is: no cursor, no history.
    PlainCable,
    /// The page's cursor is taken after its data was read.
    LateCursor,
    /// AnyCable: what is live overtakes what is replayed.
    Interleaved,
    /// History is read, and then the stream is attached.
    NonAtomic,
    /// The client looks for holes only between entries that it has, and not behind its position.
    LaxContiguity,
    /// Our client changes its transport and forgets where it was: what its tag says is all that it
    /// says.
    LostPosition,
    /// An `EventSource` that has its position in `Last-Event-ID` alone, and loses it with its
    /// connection.
    LostEventId,
}

impl Variant {
    /// Those that must be caught.
    pub const BAD: [Self; 7] = [
        Self::PlainCable,
        Self::LateCursor,
        Self::Interleaved,
        Self::NonAtomic,
        Self::LaxContiguity,
        Self::LostPosition,
        Self::LostEventId,
    ];

    /// As on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    pub(crate) fn loses_entries(self) -> bool {
        matches!(self, Self::Lossy | Self::LaxContiguity)
    }
}
