//! Access that is taken back, and given again.

use forebay_log::{Control, Position, Revocation, UnixMillis};
use forebay_store::Revoked;

use super::{Hub, Inner, PublishError};
use crate::revocations::Asked;

impl Hub {
    /// Ends all connections of this name, and tells their clients to come back. Gives their number on this
    /// node.
    ///
    /// They end within one turn of their tasks. Nothing keeps them from coming back but the
    /// application's own connect hook; see [`revoke`](Self::revoke).
    ///
    /// # Errors
    /// [`PublishError`] where the log has a store, and that does not take it: nobody is disconnected.
    pub async fn disconnect(&self, identity: &str) -> Result<usize, PublishError> {
        let control = Control::Disconnect { identity: identity.into(), reconnects: true };
        Ok(self.control(control).await?.1)
    }

    /// The same, and tells their clients not to come back by themselves: not before their page is
    /// loaded again.
    ///
    /// # Errors
    /// As there.
    pub async fn dismiss(&self, identity: &str) -> Result<usize, PublishError> {
        let control = Control::Disconnect { identity: identity.into(), reconnects: false };
        Ok(self.control(control).await?.1)
    }

    /// Takes access back: connections that have it end within one turn of their tasks, what was
    /// remembered to resume them is of no use any more, and whoever comes back with a page that
    /// was rendered before is refused. Gives the position from which on pages are good again.
    ///
    /// # Errors
    /// [`PublishError`] where the log has a store, and that does not take it. Access is taken back
    /// all the same, but on this node only and until it restarts, and pages rendered from now on may
    /// be refused, too: revoke again.
    pub async fn revoke(&self, revocation: Revocation) -> Result<Position, PublishError> {
        let ordered = self.control(Control::Revoke(revocation.clone())).await;
        if let Err(error) = &ordered {
            tracing::error!(%error, "a revocation is not on disk");
            let inner = &*self.0;
            let (at, made_at) = (self.position().offset.next(), inner.clock.now());
            let revoked = Revoked { at, made_at, revocation, is_readmitted: false };
            let gone = inner.revocations.write().add(&revoked);
            inner.leave_revocations(gone);
            inner.end_revoked(&revoked.revocation);
        }
        Ok(ordered?.0)
    }

    /// Takes a revocation back. False if there was none.
    ///
    /// # Errors
    /// [`PublishError`] where the log has a store, and that does not take it: it is as before.
    pub async fn readmit(&self, revocation: &Revocation) -> Result<bool, PublishError> {
        if !self.0.revocations.read().has(revocation) {
            return Ok(false);
        }
        self.control(Control::Readmit(revocation.clone())).await?;
        Ok(true)
    }

    /// Whether somebody may not read a stream with a page of this cursor.
    pub fn is_revoked(&self, asked: Asked<'_>, cursor: Option<Position>) -> bool {
        let seen = cursor.filter(|cursor| cursor.epoch == self.position().epoch);
        self.0.revocations.read().refuse(asked, seen.map(|cursor| cursor.offset))
    }
}

impl Inner {
    /// Gives up revocations that have become too old.
    pub(super) fn expire_revocations(&self, now: UnixMillis) {
        if self.revocations.read().lives_forever() {
            return;
        }
        let gone = self.revocations.write().expire(now);
        self.leave_revocations(gone);
    }
}
