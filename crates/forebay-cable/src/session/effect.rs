//! What a session needs done.

use forebay_log::StreamId;
use serde_json::{Map, Value};

use crate::command::{Claim, Identifier, Joining, Terms};
use crate::ids::SubscriptionId;

/// Something only the caller can do. The session waits for its answer before it goes on.
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// May this client subscribe, and to what? Answer with [`Session::confirm`](crate::Session::confirm) or
    /// [`Session::reject`](crate::Session::reject).
    Subscribe {
        /// The name that the subscription will have here.
        id: SubscriptionId,
        /// The channel and its parameters.
        identifier: Identifier,
        /// Where the client says it stands, whether it wants to read at all, and as whom it is present.
        terms: Terms,
    },
    /// The client says where it stands on these streams. Answer with [`Session::place`](crate::Session::place).
    Place {
        /// The subscription.
        id: SubscriptionId,
        /// The streams that it reads.
        streams: Vec<StreamId>,
        /// What the client has of them. [`Claim::None`] if nobody knows.
        claim: Claim,
    },
    /// A message for the subscription's other subscribers. Answer with [`Session::whispered`](crate::Session::whispered).
    Whisper {
        /// The subscription.
        id: SubscriptionId,
        /// The message, as JSON text.
        json: String,
    },
    /// The client asks to be present. Answer with [`Session::joined`](crate::Session::joined).
    Join {
        /// The subscription.
        id: SubscriptionId,
        /// As whom.
        joining: Joining,
    },
    /// The client asks to be present no more. Answer with
    /// [`Session::left_presence`](crate::Session::left_presence).
    Leave {
        /// The subscription.
        id: SubscriptionId,
    },
    /// A channel action. Answer with [`Session::done`](crate::Session::done).
    Perform {
        /// The subscription.
        id: SubscriptionId,
        /// The action's name.
        action: String,
        /// The client's data, `action` included.
        data: Map<String, Value>,
    },
    /// The subscription is gone and these streams are no longer read: close them, tell the
    /// channel, and answer with [`Session::done`](crate::Session::done).
    Unsubscribe {
        /// The subscription.
        id: SubscriptionId,
        /// The streams that it has read.
        streams: Vec<StreamId>,
    },
}
