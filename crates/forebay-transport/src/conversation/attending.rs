//! Presence as AnyCable's clients ask for it: to be present, to leave, and who is there.

use std::borrow::Cow;
use std::sync::Arc;

use forebay_cable::{Attachment, Joining, SubscriptionId};
use forebay_hub::{Ending, Member, Refusal};
use forebay_log::{Offset, presence_stream};
use serde_json::Value;

use super::{Conversation, Peer};
use crate::channels::{MEMBER_HTML, Roster, Whom};
use crate::excerpt::excerpt;

/// What AnyCable's element puts into the pages of all others.
const HTML: &str = "html";

impl Conversation {
    /// Opens the presence stream beside what a subscription reads. A session that goes on for another one gets what
    /// it has missed, as long as history has it; any other begins with what comes.
    pub(super) fn attach_presence(&mut self, roster: &Roster) -> Attachment {
        let proven = self.session.waiting_proven();
        let cursor = proven.map(|offset| self.client.position_at(offset));
        let attachment = self.client.attach(&presence_stream(&roster.stream), cursor);
        Attachment { is_presence: true, ..attachment }
    }

    pub(super) fn join_as(&mut self, id: SubscriptionId, joining: Joining, peer: Peer<'_>) {
        let outcome = self.try_join(id, joining, peer);
        self.session.joined(id, outcome.as_ref().map_err(|why| &**why).cloned());
        self.client.note_session(&self.session);
    }

    /// What was said in the subscription itself.
    pub(super) fn join_at_once(&mut self, id: SubscriptionId, joining: Joining, peer: Peer<'_>) {
        let outcome = self.try_join(id, joining, peer);
        self.session.joined_at_once(id, outcome.as_ref().map_err(|why| &**why).cloned());
    }

    pub(super) fn leave(&mut self, id: SubscriptionId) {
        let was_present = self.client.leave(id, Ending::Left).is_some();
        self.session.left_presence(id, was_present);
        self.client.note_session(&self.session);
    }

    /// How a subscription that has ended leaves: AnyCable's clients say so, and are gone at once. A tag may be on
    /// the next page again.
    pub(super) fn ending_of(&self, id: SubscriptionId) -> Ending {
        if self.application.roster(id).is_some() { Ending::Left } else { Ending::Closed }
    }

    fn try_join(
        &self,
        id: SubscriptionId,
        joining: Joining,
        peer: Peer<'_>,
    ) -> Result<Joining, Cow<'static, str>> {
        let Some(roster) = self.application.roster(id) else {
            return Err(self.refused_as(&joining, "nobody can be present on this stream", peer));
        };
        let is_allowed = match &roster.whom {
            Whom::Nobody => false,
            Whom::Only(own) => **own == *joining.id,
            Whom::Anybody => true,
        };
        if !is_allowed {
            return Err(self.refused_as(
                &joining,
                "this client can't be present as this member",
                peer,
            ));
        }
        let joining = self.without_html(joining, roster.passes_html, peer);
        let member = Member::new(&*joining.id, &*joining.info);
        self.client.join(id, &roster.stream, &member).map_err(|why| why.to_string())?;
        Ok(joining)
    }

    /// The hub notes what it refuses by itself.
    fn refused_as(
        &self,
        joining: &Joining,
        why: &'static str,
        peer: Peer<'_>,
    ) -> Cow<'static, str> {
        if let Some(more) = self.hub().refused(Refusal::Presence) {
            tracing::warn!(
                peer = peer().map(tracing::field::display),
                session = %self.id(),
                identity = self.application.identity().name().map(excerpt),
                member = excerpt(&joining.id),
                why,
                more_before = Some(more).filter(|more| *more > 0),
                "somebody can't be present"
            );
        }
        why.into()
    }

    /// What one browser says is not put into the pages of others as HTML. What only signed tags may bring is taken
    /// out whatever an option says: the server itself puts it into pages.
    fn without_html(&self, joining: Joining, passes_html: bool, peer: Peer<'_>) -> Joining {
        let Ok(Value::Object(mut info)) = serde_json::from_str(&joining.info) else {
            return joining;
        };
        let signed = info.remove(MEMBER_HTML);
        let own = if passes_html { None } else { info.remove(HTML) };
        if signed.is_none() && own.is_none() {
            return joining;
        }
        if let Some(more) = self.hub().refused(Refusal::PresenceHtml) {
            tracing::warn!(
                peer = peer().map(tracing::field::display),
                session = %self.id(),
                identity = self.application.identity().name().map(excerpt),
                member = excerpt(&joining.id),
                more_before = Some(more).filter(|more| *more > 0),
                "a client's HTML for other pages is left out: presence_client_html is off"
            );
        }
        Joining { info: Value::Object(info).to_string(), ..joining }
    }

    /// Everything up to `head` is sent, and somebody is to be told who is present. Where that has changed since,
    /// they are told behind the change.
    #[cold]
    pub(super) fn tell_members(&mut self, head: Offset) {
        let Some(asks) = self.session.asks_members() else { return };
        if let Some(members) = self.client.members_through(asks.stream, head) {
            self.session.say_members(asks, members.total, &members.named);
        }
    }
}

impl Roster {
    /// Clients are told who is present on a stream, and can't be so themselves.
    pub fn of(stream: impl Into<Arc<str>>) -> Self {
        Self { stream: stream.into(), whom: Whom::Nobody, passes_html: false }
    }
}
