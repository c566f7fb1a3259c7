//! Designs that are known to be wrong. A simulation that lets one of them pass proves nothing.

use clap::ValueEnum;

use crate::server::Flaw;

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
    /// A server that leaves out an entry now and then: our client asks again, and nobody sees it.
    Holed,
    /// A server that sends an entry twice now and then: our client drops it, and nobody sees it.
    Repeated,
    /// A server that tells pages to render themselves again though it could serve them.
    Forgetful,
    /// A server that gives a page's streams one after the other.
    ByStream,
    /// A server that sends no ephemeral entries.
    Mute,
    /// A server that keeps ephemeral entries, and replays them.
    Lingering,
    /// A revocation that ends everybody's connections.
    Bystanders,
    /// A revocation that ends no connection.
    Unended,
    /// AnyCable's client, without a cursor, that asks for what comes from its reconnect on.
    LateTime,
    /// A server that delivers what its disk has refused.
    Served,
    /// A server that tells nobody of what it has lost.
    Untold,
    /// A log on disk that goes back to what it was some time before, and keeps its epoch.
    LostTail,
    /// A log of several nodes that never asks whether its server has lost something: its epoch does not end.
    OneHistory,
    /// A log of several nodes that takes again what is sent again.
    TakesTwice,
    /// An outbox whose relay asks for rows behind the last one that it has seen: one that commits late is
    /// left out.
    LateCommits,
    /// A log of several nodes that has trimmed what a node lacks, and tells nobody.
    HiddenTrim,
    /// Who is present is read, and some time later from where on changes come.
    SetApart,
    /// Whoever closes a page has left.
    LeftOnClose,
    /// Each connection is a member: a second tab comes again.
    PerConnection,
    /// What a visitor's browser has said last, by its own clock, is what counts.
    BrowserClocks,
}

impl Variant {
    /// Those that must be caught.
    pub const BAD: [Self; 19] = [
        Self::PlainCable,
        Self::LateCursor,
        Self::Interleaved,
        Self::NonAtomic,
        Self::LaxContiguity,
        Self::LostPosition,
        Self::LostEventId,
        Self::Holed,
        Self::Repeated,
        Self::Forgetful,
        Self::LostTail,
        Self::ByStream,
        Self::Mute,
        Self::Lingering,
        Self::Bystanders,
        Self::Unended,
        Self::LateTime,
        Self::Served,
        Self::Untold,
    ];

    /// Those of several nodes that must be caught. [`Untold`](Self::Untold) is one of them, too: its gap is
    /// only logged.
    pub const BAD_NODES: [Self; 5] =
        [Self::OneHistory, Self::TakesTwice, Self::LateCommits, Self::HiddenTrim, Self::Untold];

    /// Those of presence that must be caught.
    pub const BAD_PRESENCE: [Self; 4] =
        [Self::SetApart, Self::LeftOnClose, Self::PerConnection, Self::BrowserClocks];

    /// Whether it is about who is present.
    pub(crate) fn needs_presence(self) -> bool {
        Self::BAD_PRESENCE.contains(&self)
    }

    /// Whether it takes several nodes to go wrong.
    pub(crate) fn needs_nodes(self) -> bool {
        self != Self::Untold && Self::BAD_NODES.contains(&self)
    }

    /// What is wrong with the log's server.
    pub(crate) fn flaw(self) -> Flaw {
        match self {
            Self::OneHistory => Flaw::HidesItsHistory,
            Self::TakesTwice => Flaw::TakesTwice,
            Self::HiddenTrim => Flaw::HidesItsTrimming,
            _ => Flaw::None,
        }
    }

    /// As on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    pub(crate) fn loses_entries(self) -> bool {
        matches!(self, Self::Lossy | Self::LaxContiguity | Self::Holed)
    }

    /// Whether our client has something to notice in this world that is not the server's fault.
    pub(crate) fn is_lossy(self) -> bool {
        matches!(self, Self::Lossy | Self::LaxContiguity)
    }
}
