//! Proof of delivery from clients that know nothing of it.
//!
//! RFC 6455 (section 5.5.3) makes every client answer a Ping with a Pong of the same bytes. A Ping
//! behind delivered entries carries a [`Mark`]; its Pong proves that everything before it has
//! arrived. At most one is outstanding.

use forebay_log::Offset;

use super::subscription::SubscriptionId;

/// What a Ping says: all entries up to an offset, for all subscriptions up to one.
///
/// The subscription is part of it because a younger one may still be replaying entries that are
/// older than the offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mark {
    pub(super) through: Offset,
    pub(super) subscription: SubscriptionId,
}

impl Mark {
    /// The Ping's payload: offset and subscription, big-endian.
    pub fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.through.0.to_be_bytes());
        bytes[8..].copy_from_slice(&self.subscription.to_be_bytes());
        bytes
    }
}

#[derive(Debug, Default)]
pub(super) struct Proof {
    outstanding: Option<Mark>,
    received: Option<Mark>,
    /// Something was sent since the last mark.
    owed: bool,
}

impl Proof {
    pub(super) fn owe(&mut self) {
        self.owed = true;
    }

    pub(super) fn next(&self, owed: bool, mark: Mark) -> Option<Mark> {
        ((owed || self.owed) && self.outstanding.is_none()).then_some(mark)
    }

    pub(super) fn sent(&mut self, mark: Mark) {
        self.outstanding = Some(mark);
        self.owed = false;
    }

    /// Pongs that nobody asked for are allowed, and prove nothing.
    pub(super) fn received(&mut self, payload: &[u8]) {
        if let Some(mark) = self.outstanding
            && payload == mark.to_bytes()
        {
            self.outstanding = None;
            self.received = Some(mark);
        }
    }

    /// The offset up to which the subscription's entries are proven to have arrived.
    pub(super) fn covers(&self, subscription: SubscriptionId) -> Option<Offset> {
        let mark = self.received?;
        (subscription <= mark.subscription).then_some(mark.through)
    }
}
