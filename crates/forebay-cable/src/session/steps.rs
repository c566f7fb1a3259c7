//! What a session waits for, and what waits for it.

use forebay_log::Offset;

use super::restoring::KeptSubscription;
use crate::command::Command;
use crate::ids::SubscriptionId;
use crate::wire::Envelope;

/// What the session waits for.
#[derive(Debug)]
pub(super) enum Waiting {
    Nothing,
    /// Out of line, as an effect is.
    Subscription(Box<Pending>),
    Completion(SubscriptionId),
    /// Where a subscription goes on. Its client may have asked, and is told when it has got its history.
    Place {
        id: SubscriptionId,
        owes_history: bool,
    },
}

/// A subscription that is being decided on.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) id: SubscriptionId,
    pub(super) envelope: Envelope,
    pub(super) quiet: bool,
    /// Where its client says that it stands.
    pub(super) after: Option<Offset>,
    pub(super) asks_history: bool,
    /// It was another session's.
    pub(super) restored: Option<Restored>,
}

/// What another session knew of a subscription that it had.
#[derive(Clone, Copy, Debug)]
pub(super) struct Restored {
    pub(super) proven: Option<Offset>,
}

/// What waits to be worked off.
#[derive(Debug)]
pub(super) enum Step {
    Command(Command),
    /// Subscribes to what a session had that this one goes on for.
    Restore(KeptSubscription),
    /// The client did not say where it goes on.
    Release(SubscriptionId),
    /// What comes behind this came when the session was no longer new.
    Age,
}
