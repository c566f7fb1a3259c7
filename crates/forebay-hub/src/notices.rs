//! A limit for lines of the log that strangers cause: somebody was turned away, or is kept waiting.
//!
//! Strangers can cause them as often as they like, and an application's own subscriber has no limit. So
//! each kind has one here. What is not logged is counted all the same.

use forebay_log::UnixMillis;
use parking_lot::Mutex;

use crate::stats::{Counter, Stats};

/// Lines of one kind within [`WHILE_MS`]: enough to see whether they are alike. With fourteen kinds that is
/// about seven lines a second.
const LINES_MAX: u32 = 5;
const WHILE_MS: u64 = 10_000;

/// Why somebody is turned away, or kept waiting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// A page of an origin that is not let in.
    Origin,
    /// A host that is not this server's.
    Host,
    /// A handshake that no connection can come of: a wrong version, key or subprotocol.
    Handshake,
    /// A request over HTTP that can't be understood, or none of whose streams may be read.
    Request,
    /// The application does not let the client in.
    Unauthorized,
    /// The application can't say now.
    Unavailable,
    /// As many are connected as may be.
    Full,
    /// The server is going down.
    ShuttingDown,
    /// The log's store is not heard: another node is the better one.
    Behind,
    /// A subscription that was rejected.
    Subscription,
    /// A client that sends too many commands: they wait.
    Commands,
    /// A client that is replayed too much: the rest waits.
    Replay,
    /// Somebody who can't be present as they ask.
    Presence,
    /// HTML for other pages in the info of a client that is present: it is left out.
    PresenceHtml,
}

impl Refusal {
    const COUNT: usize = Self::PresenceHtml as usize + 1;

    /// Whether it is a whole connection or request that is turned away.
    const fn is_at_the_door(self) -> bool {
        !matches!(
            self,
            Self::Subscription
                | Self::Commands
                | Self::Replay
                | Self::Presence
                | Self::PresenceHtml
        )
    }

    fn counter(self, stats: &Stats) -> &Counter {
        match self {
            Self::Origin => &stats.refused_origin,
            Self::Host => &stats.refused_host,
            Self::Handshake => &stats.refused_handshake,
            Self::Request => &stats.refused_request,
            Self::Unauthorized => &stats.refused_unauthorized,
            Self::Unavailable => &stats.refused_unavailable,
            Self::Full => &stats.refused_full,
            Self::ShuttingDown => &stats.refused_shutting_down,
            Self::Behind => &stats.refused_behind,
            Self::Subscription => &stats.rejections,
            Self::Commands => &stats.commands_held_back,
            Self::Replay => &stats.replays_delayed,
            Self::Presence => &stats.presence_refused,
            Self::PresenceHtml => &stats.presence_html_left_out,
        }
    }
}

/// What was logged of each kind.
#[derive(Debug, Default)]
pub(crate) struct Notices([Mutex<Notice>; Refusal::COUNT]);

#[derive(Clone, Copy, Debug, Default)]
struct Notice {
    since: UnixMillis,
    lines: u32,
    left_out: u64,
}

impl Notices {
    /// Counts it. If it is to be logged, gives how many before it were not; else `None`.
    pub(crate) fn note(&self, refusal: Refusal, stats: &Stats, now: UnixMillis) -> Option<u64> {
        refusal.counter(stats).add(1);
        if refusal.is_at_the_door() {
            stats.refusals.add(1);
        }
        let mut notice = self.0[refusal as usize].lock();
        if now.0.saturating_sub(notice.since.0) >= WHILE_MS {
            *notice = Notice { since: now, lines: 0, ..*notice };
        }
        if notice.lines == LINES_MAX {
            notice.left_out += 1;
            return None;
        }
        notice.lines += 1;
        Some(std::mem::take(&mut notice.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_flood_a_few_lines_are_logged_and_the_next_one_says_how_many_were_not() {
        let (notices, stats) = (Notices::default(), Stats::default());
        let note = |refusal, at| notices.note(refusal, &stats, UnixMillis(at));
        for _ in 0..LINES_MAX {
            assert_eq!(note(Refusal::Origin, 20_000), Some(0));
        }
        for _ in 0..100 {
            assert_eq!(note(Refusal::Origin, 29_999), None);
        }
        assert_eq!(note(Refusal::Host, 29_999), Some(0), "another kind is not hidden by it");
        assert_eq!(note(Refusal::Origin, 30_000), Some(100));
        assert_eq!(note(Refusal::Origin, 30_000), Some(0));
        assert_eq!((stats.refusals.get(), stats.refused_origin.get()), (108, 107));
        assert_eq!((stats.refused_host.get(), stats.rejections.get()), (1, 0));
        for inside in [Refusal::Subscription, Refusal::Commands, Refusal::Replay] {
            note(inside, 0);
        }
        assert_eq!((stats.refusals.get(), stats.rejections.get()), (108, 1));
        assert_eq!((stats.commands_held_back.get(), stats.replays_delayed.get()), (1, 1));
    }
}
