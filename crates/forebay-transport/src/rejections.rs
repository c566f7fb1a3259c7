//! Subscriptions that are rejected: each is counted, and is in the log: who, what, and why.

use std::net::SocketAddr;

use forebay_cable::{Envelope, Identifier, Session};
use forebay_hub::{Client, Refusal};

use crate::channels::{Channels, Identity, Rejected};
use crate::excerpt::excerpt;

/// Says who is at the other end. A socket is asked only when something is to be logged: a connection
/// keeps nothing for that.
pub(crate) type Peer<'a> = &'a dyn Fn() -> Option<SocketAddr>;

/// Notes the rejection of the subscription that the session waits for.
pub(crate) fn note(
    rejected: &Rejected,
    (channels, identity): (&dyn Channels, &Identity),
    session: &Session,
    client: &Client,
    peer: Peer<'_>,
) {
    let Some(more) = client.hub().refused(Refusal::Subscription) else { return };
    let text = session.waiting_envelope().map(Envelope::identifier_text);
    let identifier = text.and_then(|text| Identifier::decode(&text).ok());
    let stream = identifier.as_ref().and_then(|identifier| channels.stream_of(identifier));
    tracing::warn!(
        peer = peer().map(tracing::field::display),
        session = %session.id(),
        identity = identity.name().map(excerpt),
        channel = identifier.as_ref().map(|identifier| excerpt(&identifier.channel)),
        stream = stream.as_deref().map(excerpt),
        reason = %rejected.reason,
        why = excerpt(&rejected.why),
        more_before = Some(more).filter(|more| *more > 0),
        "subscription rejected"
    );
}

/// Notes those that the session has rejected by itself, without asking anybody.
pub(crate) fn note_own(session: &mut Session, client: &Client, peer: Peer<'_>) {
    let count = session.take_rejections();
    if count == 0 {
        return;
    }
    // One line for all of them; `refused` counts one.
    client.hub().stats().rejections.add(u64::from(count) - 1);
    let Some(more) = client.hub().refused(Refusal::Subscription) else { return };
    tracing::warn!(
        peer = peer().map(tracing::field::display),
        session = %session.id(),
        count,
        why = "past a limit, or without a channel, or an action on no subscription",
        more_before = Some(more).filter(|more| *more > 0),
        "subscription rejected"
    );
}
