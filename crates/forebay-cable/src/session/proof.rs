//! Proof of delivery from clients that know nothing of it.
//!
//! RFC 6455 (section 5.5.3) makes every client answer a Ping with a Pong of the same bytes. A Ping
//! behind delivered entries carries a [`Mark`]; its Pong proves that everything before it has
//! arrived. TCP keeps the order, so a command that follows a Pong was sent after it.
//!
//! It has arrived at the client's network stack, that is, which hands it to the page's script. A connection that
//! ends does so behind all that has arrived. But a script that closes it drops what it has not come to: a browser
//! gives nothing to a socket that is closing. So there only what was proven some pings ago is believed.

use forebay_log::Offset;

use crate::ids::SubscriptionId;

/// Pings without a Pong. With one behind every batch, a client that leaves a stream has proven
/// what it had got by then; one that is slower than this many batches is asked no more until it
/// answers, and is replayed what it may have.
const UNANSWERED_MAX: u8 = 16;

/// Pings of the protocol's own between two looks at what is settled: twelve seconds. Action Cable's client closes a
/// connection when its script has come to no ping for six, as one that was held up for that long has not.
const SETTLES_IN: u8 = 4;

/// What a Ping says: all entries up to an offset, for all subscriptions up to one.
///
/// The subscription is part of it because a younger one may still be replaying entries that are
/// older than the offset.
///
/// Packed, as each connection has two: 12 bytes instead of 16.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(Rust, packed(4))]
pub struct Mark {
    pub(super) through: Offset,
    pub(super) subscription: SubscriptionId,
}

impl Mark {
    /// The Ping's payload: offset and subscription, big-endian.
    pub fn to_bytes(self) -> [u8; 12] {
        let Self { through, subscription } = self;
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&through.0.to_be_bytes());
        bytes[8..].copy_from_slice(&subscription.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let through = Offset(u64::from_be_bytes(*bytes.first_chunk()?));
        let subscription = SubscriptionId::from_be_bytes(bytes.get(8..)?.try_into().ok()?);
        Some(Self { through, subscription })
    }

    fn is_within(self, other: Self) -> bool {
        let Self { through, subscription } = self;
        let Self { through: other_through, subscription: other_subscription } = other;
        through <= other_through && subscription <= other_subscription
    }
}

#[derive(Debug, Default)]
pub(super) struct Proof {
    sent: Mark,
    /// At first one that proves nothing: no subscription has its number.
    received: Mark,
    unanswered: u8,
    /// Something was sent since the last mark.
    owed: bool,
    /// Pings since the last look.
    pings: u8,
    settled: Option<Box<Settled>>,
}

/// What had been received at the last look, and at the one before. Out of line: most connections prove nothing.
#[derive(Debug, Default)]
struct Settled {
    last: Mark,
    before: Mark,
}

impl Proof {
    /// One of the protocol's pings is due.
    pub(super) fn age(&mut self) {
        self.pings += 1;
        if self.pings < SETTLES_IN {
            return;
        }
        self.pings = 0;
        if self.settled.is_some() || self.received != Mark::default() {
            let settled = self.settled.get_or_insert_default();
            settled.before = std::mem::replace(&mut settled.last, self.received);
        }
    }

    /// From here on only what is settled counts.
    pub(super) fn settle(&mut self) {
        self.received = self.settled.take().unwrap_or_default().before;
    }

    pub(super) fn owe(&mut self) {
        self.owed = true;
    }

    pub(super) fn is_owed(&self) -> bool {
        self.owed
    }

    pub(super) fn next(&self, owed: bool, mark: Mark) -> Option<Mark> {
        ((owed || self.owed) && self.unanswered < UNANSWERED_MAX).then_some(mark)
    }

    pub(super) fn sent(&mut self, mark: Mark) {
        self.sent = mark;
        self.unanswered += 1;
        self.owed = false;
    }

    /// Pongs that nobody asked for are allowed, and prove nothing. True if it proves more than was known.
    pub(super) fn received(&mut self, payload: &[u8]) -> bool {
        let Some(mark) = Mark::from_bytes(payload) else { return false };
        let newer = self.received.is_within(mark);
        let proves = self.unanswered > 0 && newer && mark.is_within(self.sent);
        if proves {
            // A client may answer the latest of several Pings only, which proves the others.
            self.unanswered = if mark == self.sent { 0 } else { self.unanswered - 1 };
            self.received = mark;
        }
        proves
    }

    /// The offset up to which the subscription's entries are proven to have arrived.
    pub(super) fn covers(&self, subscription: SubscriptionId) -> Option<Offset> {
        let Mark { through, subscription: newest } = self.received;
        (subscription <= newest).then_some(through)
    }
}
