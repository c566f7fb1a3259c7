//! Where a session stands on its streams, for whoever looks at it from outside.

use forebay_log::{Offset, StreamId};

use super::Session;
use super::subscription::{Reading, Subscription};
use crate::dialect::Positions;
use crate::ids::SubscriptionId;

/// Where a session stands on one stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The stream.
    pub stream: StreamId,
    /// The log's head when it joined.
    pub attached: Offset,
    /// Everything up to here was given to its socket, or is not for it.
    pub sent: Offset,
    /// Everything up to here has arrived for certain. `None` where its client does not prove it.
    pub proven: Option<Offset>,
    /// It is not read until its client has said where it goes on.
    pub is_held: bool,
    /// It is not read until its client is told that it lacks something.
    pub heals: bool,
}

impl Session {
    /// Where it stands on each stream that it has open.
    pub fn standings(&self) -> impl Iterator<Item = Standing> {
        let subscriptions = self.subscriptions.iter().enumerate();
        subscriptions.flat_map(|(index, subscription)| {
            let proven = self.shown_proof(subscription);
            subscription.readers(index).map(move |reader| Standing {
                subscription: reader.subscription,
                stream: reader.stream,
                attached: reader.attached,
                sent: reader.position,
                proven,
                is_held: subscription.reading == Reading::Held,
                heals: subscription.reading == Reading::OwesHealing,
            })
        })
    }

    /// A client that goes on with a cursor is asked for Pongs; no other proves anything.
    fn shown_proof(&self, subscription: &Subscription) -> Option<Offset> {
        let proves = self.manner.positions == Positions::Proven && subscription.goes_on();
        self.proven(subscription).filter(|_| proves)
    }
}
