//! Access that is taken back, and given again.

use forebay_log::{Class, Message, Position, UnixMillis};
use forebay_store::{Revoked, StoreError};
use parking_lot::Mutex;

use super::{Broadcast, Hub, Inner, PublishError};
use crate::revocations::{Asked, Revocation};
use crate::wake::Signals;

/// The stream of revocations' places in the order. No stream of an application's has this name.
const REVOCATIONS: &str = "\0revocations";

impl Hub {
    /// Ends all connections of this name, and tells their clients to come back. Gives their number.
    ///
    /// They end within one turn of their tasks. Nothing keeps them from coming back but the
    /// application's own connect hook; see [`revoke`](Self::revoke).
    pub fn disconnect(&self, identity: &str) -> usize {
        self.0.connections.signal_identity(identity, Signals::DISCONNECT)
    }

    /// The same, and tells their clients not to come back by themselves: not before their page is
    /// loaded again.
    pub fn dismiss(&self, identity: &str) -> usize {
        self.0.connections.signal_identity(identity, Signals::DISMISS)
    }

    /// Takes access back: connections that have it end within one turn of their tasks, what was
    /// remembered to resume them is of no use any more, and whoever comes back with a page that
    /// was rendered before is refused. Gives the position from which on pages are good again.
    ///
    /// # Errors
    /// [`PublishError`] where the log is kept on disk, and the disk does not take it. Access is
    /// taken back all the same, but only until a restart, and pages rendered from now on may be
    /// refused, too: revoke again.
    pub fn revoke(&self, revocation: Revocation) -> Result<Position, PublishError> {
        let inner = &*self.0;
        let place = Broadcast {
            stream: REVOCATIONS,
            message: Message::json("null"),
            class: Class::Ephemeral,
        };
        let published = self.publish(place);
        let unplaced = Position { offset: self.position().offset.next(), ..self.position() };
        let position = published.as_ref().map_or(unplaced, |published| published.position);
        inner.stats.revocations.add(1);
        let Revocation { identity, stream } = revocation;
        let (at, made_at) = (position.offset, inner.clock.now());
        let revoked = Revoked { at, made_at, identity: identity.clone(), stream: stream.clone() };
        // Remembered before anybody is woken, so that whoever looks finds it.
        let kept = inner.remember(&revoked, published.is_ok());
        tracing::info!(identity = identity.as_deref(), stream = stream.as_deref(), %position, "access taken back");
        if let Some(identity) = identity {
            // With everything taken back, a connection that reads nothing ends, too.
            let signal = if stream.is_some() { Signals::REVOKED } else { Signals::DISCONNECT };
            inner.connections.signal_identity(&identity, signal);
        } else if let Some(stream) = stream {
            let id = inner.log.write().open(&stream);
            inner.subscribers.signal(id, Signals::REVOKED);
            inner.log.write().close(id);
        }
        published?;
        kept?;
        Ok(position)
    }

    /// Takes a revocation back. False if there was none.
    ///
    /// Where the log is kept on disk and the disk does not take it, that is logged, and the
    /// revocation is back after a restart.
    pub fn readmit(&self, revocation: &Revocation) -> bool {
        let mut store = self.0.store.as_ref().map(Mutex::lock);
        let mut revocations = self.0.revocations.write();
        let gone = revocations.take_back(revocation);
        let floor = revocations.floor();
        // Readers don't wait for the disk.
        drop(revocations);
        if gone.is_empty() {
            return false;
        }
        let (identity, stream) = (revocation.identity(), revocation.stream());
        let (identity, stream) = (identity.map(|i| &**i), stream.map(|s| &**s));
        tracing::info!(identity, stream, "access given again");
        if let Some(store) = &mut store
            && let Err(error) = store.readmit(&gone, floor)
        {
            tracing::error!(%error, "a revocation that was taken back is still on disk");
        }
        true
    }

    /// Whether somebody may not read a stream with a page of this cursor.
    pub fn is_revoked(&self, asked: Asked<'_>, cursor: Option<Position>) -> bool {
        let seen = cursor.filter(|cursor| cursor.epoch == self.0.epoch);
        self.0.revocations.read().refuse(asked, seen.map(|cursor| cursor.offset))
    }
}

impl Inner {
    /// Remembers a revocation, in memory and on disk. The store's lock keeps the two alike.
    fn remember(&self, revoked: &Revoked, is_placed: bool) -> Result<(), StoreError> {
        let mut store = self.store.as_ref().map(Mutex::lock);
        let mut revocations = self.revocations.write();
        let gone = revocations.add(revoked);
        let floor = revocations.floor();
        // Readers don't wait for the disk.
        drop(revocations);
        match &mut store {
            Some(store) if is_placed => store.revoke(revoked, &gone, floor).inspect_err(|error| {
                tracing::error!(%error, "a revocation is not on disk");
            }),
            _ => Ok(()),
        }
    }

    /// Gives up revocations that have become too old.
    pub(super) fn expire_revocations(&self, now: UnixMillis) {
        if self.revocations.read().lives_forever() {
            return;
        }
        let mut store = self.store.as_ref().map(Mutex::lock);
        let mut revocations = self.revocations.write();
        let gone = revocations.expire(now);
        let floor = revocations.floor();
        drop(revocations);
        if let Some(store) = &mut store
            && !gone.is_empty()
            && let Err(error) = store.readmit(&gone, floor)
        {
            tracing::error!(%error, "revocations that are given up are still on disk");
        }
    }
}
