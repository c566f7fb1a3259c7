//! What the session says, in the words of its dialect.

use forebay_log::UnixMillis;

use super::Session;
use super::subscription::Subscription;
use crate::close::{DisconnectReason, RejectReason};
use crate::dialect::{Lack, Positions};
use crate::wire::Envelope;

impl Session {
    /// Who knows what its client has got.
    pub fn positions(&self) -> Positions {
        self.manner.positions
    }

    pub(super) fn say_welcome(&mut self) {
        self.push(self.dialect.welcome(self.id, self.limits.ping_interval_ms));
    }

    pub(super) fn say_ping(&mut self, now: UnixMillis) {
        let text = self.dialect.ping(now);
        self.push(text);
    }

    pub(super) fn say_disconnect(&mut self, reason: DisconnectReason, reconnect: bool) {
        self.push(self.dialect.disconnect(reason, reconnect));
    }

    pub(super) fn say_confirm(&mut self, subscription: &Subscription, lacks: bool) {
        let lacks = lacks.then(|| self.healing_wait_ms());
        self.push(self.dialect.confirm(subscription.recipient(), subscription.sent(), lacks));
    }

    pub(super) fn say_confirm_again(&mut self, index: usize) {
        let subscription = &self.subscriptions[index];
        let text = self.dialect.confirm(subscription.recipient(), subscription.sent(), None);
        self.push(text);
    }

    pub(super) fn say_reject(&mut self, envelope: &Envelope, reason: RejectReason) {
        self.push(self.dialect.reject(envelope, reason));
    }

    /// The subscription lacks something that history no longer has: its client is told.
    ///
    /// A client that keeps one position for several streams has them all begin again together,
    /// behind the newest: it reads the page again anyway.
    pub(super) fn lost(&mut self, index: usize) {
        // A client that waits by itself is told at once.
        if !self.manner.heals_itself && self.waits_for_healing(index) {
            return;
        }
        let tells = self.tells_rendering(index);
        let wait_ms = self.healing_wait_ms();
        let subscription = &self.subscriptions[index];
        let newest = subscription.newest_sent().unwrap_or_default();
        let (to, resync) = (subscription.recipient(), subscription.resync);
        let texts = self.dialect.lost(&Lack { to, newest, resync, tells, wait_ms });
        match self.manner.positions {
            Positions::Proven | Positions::ByStream => {}
            Positions::BySubscription => self.subscriptions[index].advance_all(newest),
            Positions::Single => self.subscriptions.iter_mut().for_each(|s| s.advance_all(newest)),
        }
        for text in texts {
            self.push(text);
        }
    }

    /// The subscription lacks something, and rendering its page again has not helped.
    pub(super) fn say_unhealed(&mut self, index: usize) {
        let text = self.dialect.unhealed(&self.subscriptions[index].envelope);
        self.push(text);
    }

    /// Where the subscription begins, if that is not where its client stands.
    pub(super) fn say_begins(&mut self, subscription: &Subscription) {
        let oldest = subscription.sent().unwrap_or_default();
        self.push(self.dialect.rewind(subscription.recipient(), oldest));
    }

    /// A channel reads one more stream: where that begins before what was sent, the client's
    /// position goes back with it.
    pub(super) fn say_rewind(&mut self, index: usize) {
        let subscription = &self.subscriptions[index];
        let (Some(oldest), Some(newest)) = (subscription.sent(), subscription.newest_sent()) else {
            return;
        };
        if oldest < newest {
            let text = self.dialect.rewind(subscription.recipient(), oldest);
            self.push(text);
        }
    }
}
