//! What sessions ask for: to be present, as whom, and no more.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use forebay_cable::SubscriptionId;
use forebay_log::is_reserved;
use forebay_presence::{AnotherMember, Grace, Member};
use serde::de::IgnoredAny;

use crate::client::Client;
use crate::hub::{Hub, Inner};
use crate::notices::Refusal;
use crate::presence::{Ending, ID_BYTES_MAX, JoinRefused, LeaseKey};

impl Client {
    /// A subscription of this connection is present on a stream from now on, as this member. For a subscription
    /// that is, as the same one, this says what its info is.
    ///
    /// With a log in memory the change is in it when this returns, unless so many come and go that they are told
    /// together: then it is within a [`window`](crate::PresenceOptions::window). Else it comes, and what the store
    /// does not take is asked for again until it does. Who leaves before that leaves behind it.
    ///
    /// # Errors
    /// [`JoinRefused`] says what is wrong; it is counted, and logged at a bounded rate.
    pub fn join(
        &self,
        id: SubscriptionId,
        stream: &str,
        member: &Member,
    ) -> Result<(), JoinRefused> {
        let joined = self.try_join(id, stream, member);
        self.note_refused(joined, stream)
    }

    fn try_join(
        &self,
        id: SubscriptionId,
        stream: &str,
        member: &Member,
    ) -> Result<(), JoinRefused> {
        let (hub, inner) = (self.hub(), &*self.hub().0);
        if member.id.is_empty() || member.id.len() > ID_BYTES_MAX {
            return Err(JoinRefused::Id);
        }
        inner.check_info(&member.info)?;
        if stream.is_empty() || is_reserved(stream) {
            return Err(JoinRefused::Stream);
        }
        inner.check_room(stream, &member.id)?;
        let wake = self.wake();
        wake.lives(inner.now().0);
        wake.is_present.store(true, Ordering::Relaxed);
        let mut leases = inner.presence.leases.lock();
        leases
            .join(inner.now().0, self.lease_key(id), stream, member, wake)
            .map_err(|AnotherMember| JoinRefused::AnotherMember)?;
        drop(leases);
        hub.write_presence();
        Ok(())
    }

    /// The member that a subscription is present as has another info. False if it is present as none.
    ///
    /// # Errors
    /// [`JoinRefused::Info`].
    pub fn update(&self, id: SubscriptionId, info: &Arc<str>) -> Result<bool, JoinRefused> {
        let inner = &*self.hub().0;
        let checked = inner.check_info(info);
        self.note_refused(checked, "")?;
        let key = self.lease_key(id);
        let is_there = inner.presence.leases.lock().update(inner.now().0, &key, info);
        if is_there {
            self.hub().write_presence();
        }
        Ok(is_there)
    }

    /// A subscription is present no more. Gives the stream and the member's id, if it was.
    pub fn leave(&self, id: SubscriptionId, ending: Ending) -> Option<(Arc<str>, Arc<str>)> {
        if !self.is_present() {
            return None;
        }
        let left = self.hub().0.end_lease(&self.lease_key(id), ending);
        if self.leases().is_empty() {
            // Nobody has to be asked any more whether they live.
            self.wake_ref().is_present.store(false, Ordering::Relaxed);
        }
        self.hub().write_presence();
        left
    }

    /// The names of its subscriptions that are present.
    fn leases(&self) -> Vec<LeaseKey> {
        let first = (self.session_id().0, SubscriptionId::default());
        self.hub().0.presence.leases.lock().keys_from(&first, |(session, _)| *session == first.0)
    }

    /// The stream and the id that a subscription is present on and as.
    pub fn present_as(&self, id: SubscriptionId) -> Option<(Arc<str>, Arc<str>)> {
        let leases = self.hub().0.presence.leases.lock();
        let (stream, member) = leases.of(&self.lease_key(id))?;
        Some((Arc::clone(stream), Arc::clone(member)))
    }

    /// Whether a subscription of this connection is present on a stream. Then its client is to be asked
    /// for a proof of life in each ping interval.
    pub fn is_present(&self) -> bool {
        self.wake_ref().is_present.load(Ordering::Relaxed)
    }

    /// Its client has shown that it lives: something has come from it. Costs nothing where nobody is present.
    pub fn lives(&self) {
        if self.is_present() {
            self.wake_ref().lives(self.hub().now().0);
        }
    }

    /// Whether its client is to be asked now whether it lives: somebody is present by it, and nothing was heard
    /// of it for half a ping interval.
    pub fn wants_proof_of_life(&self) -> bool {
        if !self.is_present() {
            return false;
        }
        let (now, interval) = (self.hub().now().0, self.hub().limits().ping_interval_ms);
        now.saturating_sub(self.wake_ref().lived_at(now)) >= interval / 2
    }

    /// All of its subscriptions are present no more. Where it is dropped before, its connection was lost.
    pub fn end_presence(&self, ending: Ending) {
        if !self.wake_ref().is_present.swap(false, Ordering::Relaxed) {
            return;
        }
        for key in self.leases() {
            self.hub().0.end_lease(&key, ending);
        }
        self.hub().write_presence();
    }

    fn lease_key(&self, id: SubscriptionId) -> LeaseKey {
        (self.session_id().0, id)
    }

    fn note_refused<T>(
        &self,
        result: Result<T, JoinRefused>,
        stream: &str,
    ) -> Result<T, JoinRefused> {
        if let Err(why) = &result
            && let Some(more) = self.hub().refused(Refusal::Presence)
        {
            tracing::warn!(
                session = %self.session_id(),
                identity = self.identity(),
                stream = stream.chars().take(100).collect::<String>(),
                %why,
                more_before = Some(more).filter(|more| *more > 0),
                "somebody can't be present"
            );
        }
        result
    }
}

impl Hub {
    /// A member has another info, whichever node it is at: an application says so. False where nobody of this
    /// name is present. A store that takes nothing for a second does not hear of a member of another node's.
    ///
    /// # Errors
    /// [`JoinRefused::Info`].
    pub fn update_member(
        &self,
        stream: &str,
        id: &str,
        info: &Arc<str>,
    ) -> Result<bool, JoinRefused> {
        let inner = &*self.0;
        inner.check_info(info)?;
        let now = inner.now().0;
        let mut leases = inner.presence.leases.lock();
        let is_there = inner.presence.sets.read().info(stream, id).is_some();
        let is_known = leases.update_member(now, stream, id, info)
            || is_there && leases.say_of_another(now, stream, id, info);
        drop(leases);
        if is_known {
            self.write_presence();
        }
        Ok(is_known)
    }
}

impl Inner {
    fn check_info(&self, info: &str) -> Result<(), JoinRefused> {
        let is_short = info.len() <= self.presence.options.info_bytes_max;
        let is_json = is_short && serde_json::from_str::<IgnoredAny>(info).is_ok();
        if is_json { Ok(()) } else { Err(JoinRefused::Info) }
    }

    fn check_room(&self, stream: &str, id: &str) -> Result<(), JoinRefused> {
        let options = &self.presence.options;
        // What the log does not know yet counts, too.
        if self.presence.leases.lock().len() >= options.members_max {
            return Err(JoinRefused::Full);
        }
        let sets = self.presence.sets.read();
        let is_full =
            sets.total(stream) >= options.members_each_max || sets.len() >= options.members_max;
        if is_full && sets.info(stream, id).is_none() {
            return Err(JoinRefused::Full);
        }
        Ok(())
    }

    fn end_lease(&self, key: &LeaseKey, ending: Ending) -> Option<(Arc<str>, Arc<str>)> {
        let now = self.now();
        let grace = match ending {
            Ending::Left => Grace::None,
            Ending::Closed => Grace::Short,
            Ending::ServerLeaves if self.presence.is_leaving.load(Ordering::Relaxed) => Grace::Kept,
            Ending::Lost | Ending::ServerLeaves => Grace::Lost,
        };
        self.presence.leases.lock().leave(now.0, key, grace, |wake| wake.lived_at(now.0))
    }
}
