//! Visitors whose connections are ended: a route of its own, and a command among AnyCable's broadcasts.

use forebay_core::{BroadcastError, Forebay};
use serde::Deserialize;

/// The connections of this identity are to end.
#[derive(Deserialize, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Disconnect {
    pub(super) identity: String,
    /// Whether their clients are to come back by themselves.
    #[serde(default = "comes_back")]
    pub(super) reconnect: bool,
}

const fn comes_back() -> bool {
    true
}

/// Without identities a request to disconnect somebody would do nothing, and nobody would notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no visitor has a name here, so nobody can be disconnected: set identity_header")]
pub(super) struct Nameless;

/// Ends the connections of a visitor.
#[derive(Clone)]
pub(super) struct Disconnects {
    pub(super) forebay: Forebay,
    pub(super) has_identities: bool,
}

impl Disconnects {
    pub(super) async fn end<E: From<Nameless> + From<BroadcastError>>(
        &self,
        whom: &Disconnect,
    ) -> Result<(), E> {
        if !self.has_identities {
            return Err(Nameless.into());
        }
        let connections = if whom.reconnect {
            self.forebay.disconnect(&whom.identity).await?
        } else {
            self.forebay.dismiss(&whom.identity).await?
        };
        let Disconnect { identity, reconnect } = whom;
        tracing::info!(identity, reconnect, connections, "disconnected");
        Ok(())
    }
}
