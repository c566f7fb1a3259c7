//! How many are connected, by what carries their bytes and what they speak.

use std::sync::atomic::{AtomicUsize, Ordering};

use forebay_cable::Protocol;

/// What carries a client's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transport {
    /// A WebSocket.
    WebSocket,
    /// An answer that goes on.
    EventStream,
    /// An answer that comes when there is something.
    Poll,
}

impl Transport {
    const ALL: [Self; 3] = [Self::WebSocket, Self::EventStream, Self::Poll];

    /// Its name, as metrics have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::EventStream => "event_stream",
            Self::Poll => "poll",
        }
    }
}

const PROTOCOLS: [Protocol; 4] = [
    Protocol::ActionCableV1Json,
    Protocol::ActionCableV1ExtJson,
    Protocol::ForebayV1Json,
    Protocol::EventSource,
];

/// What a client speaks, over what.
pub type Means = (Transport, Protocol);

/// The counts: a row for each transport.
#[derive(Debug, Default)]
pub(crate) struct Census([[AtomicUsize; PROTOCOLS.len()]; Transport::ALL.len()]);

impl Census {
    pub(crate) fn enter(&self, means: Means) {
        self.of(means).fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn leave(&self, means: Means) {
        self.of(means).fetch_sub(1, Ordering::Relaxed);
    }

    /// The counts of all combinations that there can be.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (Means, usize)> + '_ {
        let all = Transport::ALL
            .into_iter()
            .flat_map(|transport| PROTOCOLS.into_iter().map(move |protocol| (transport, protocol)));
        all.filter(|means| can_be(*means))
            .map(|means| (means, self.of(means).load(Ordering::Relaxed)))
    }

    fn of(&self, (transport, protocol): Means) -> &AtomicUsize {
        &self.0[transport as usize][protocol as usize]
    }
}

const fn can_be((transport, protocol): Means) -> bool {
    match transport {
        Transport::WebSocket => !matches!(protocol, Protocol::EventSource),
        Transport::EventStream => {
            matches!(protocol, Protocol::ForebayV1Json | Protocol::EventSource)
        }
        Transport::Poll => matches!(protocol, Protocol::ForebayV1Json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_client_is_counted_for_itself() {
        let census = Census::default();
        let (socket, poll) = (
            (Transport::WebSocket, Protocol::ActionCableV1Json),
            (Transport::Poll, Protocol::ForebayV1Json),
        );
        for means in [socket, socket, poll] {
            census.enter(means);
        }
        census.leave(socket);
        let counts: Vec<_> = census.counts().collect();
        let there: Vec<_> = counts.iter().copied().filter(|(_, count)| *count > 0).collect();
        assert_eq!(there, [(socket, 1), (poll, 1)]);
        assert_eq!(counts.len(), 6, "all that there can be, also where nobody is");
    }
}
