//! Subscriptions that are rejected: each is counted, and is in the log: who, what, and why.

use forebay_cable::{Envelope, Identifier};
use forebay_hub::Refusal;

use super::{Conversation, Peer};
use crate::channels::Rejected;
use crate::excerpt::excerpt;

impl Conversation {
    /// Notes the rejection of the subscription that the session waits for.
    pub(super) fn note_rejection(&self, rejected: &Rejected, peer: Peer<'_>) {
        let Some(more) = self.hub().refused(Refusal::Subscription) else { return };
        let text = self.session.waiting_envelope().map(Envelope::identifier_text);
        let identifier = text.and_then(|text| Identifier::decode(&text).ok());
        let channels = self.application.channels();
        let stream = identifier.as_ref().and_then(|identifier| channels.stream_of(identifier));
        tracing::warn!(
            peer = peer().map(tracing::field::display),
            session = %self.id(),
            identity = self.application.identity().name().map(excerpt),
            channel = identifier.as_ref().map(|identifier| excerpt(&identifier.channel)),
            stream = stream.as_deref().map(excerpt),
            reason = %rejected.reason,
            why = excerpt(&rejected.why),
            more_before = Some(more).filter(|more| *more > 0),
            "subscription rejected"
        );
    }

    /// Notes those that the session has rejected by itself, without asking anybody.
    pub(super) fn note_own_rejections(&mut self, peer: Peer<'_>) {
        let count = self.session.take_rejections();
        if count == 0 {
            return;
        }
        self.record_own_rejections(count);
        // One line for all of them; `refused` counts one.
        self.hub().stats().rejections.add(u64::from(count) - 1);
        let Some(more) = self.hub().refused(Refusal::Subscription) else { return };
        tracing::warn!(
            peer = peer().map(tracing::field::display),
            session = %self.id(),
            count,
            why = "past a limit, or without a channel, or an action on no subscription",
            more_before = Some(more).filter(|more| *more > 0),
            "subscription rejected"
        );
    }
}
