//! The presence tag, as it comes back from a page: who is to be present, where, and from where on the page reads.
//!
//! - `signed-stream-name` is the stream's own name, signed for the purpose `presence:`, so that it opens nothing else;
//!   behind it the page's cursor, which says how old the page is.
//! - `data-after` is a cursor, too: where the log stood when the page's list was made. It is good beside the name of
//!   the stream's presence stream, which nobody can name, and so in no other place.
//! - `data-member` is the member, as JSON (`{"id":"7","info":…}`), signed for the purpose `member:` and the stream's
//!   name. Without it the page only watches.
//! - `data-list` asks for those who are there already: for pages of apps that can't ask while they render.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use forebay_cable::{Identifier, RejectReason};
use forebay_hub::{Asked, Hub, Member};
use forebay_log::{Epoch, Offset, Position, presence_stream};
use forebay_signing::{Cursor, CursorError, Subject};
use forebay_transport::{Begin, Identity, Present, Rejected, excerpt};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::html;
use crate::app::{Keys, PRESENCE};
use crate::channel::{refusal, rejected, signed_for};
use crate::clock::unix_millis;

/// The channel of presence tags.
pub(crate) const CHANNEL: &str = "Forebay::PresenceChannel";

/// What is signed of a member.
#[derive(Deserialize)]
struct Signed<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    info: &'a RawValue,
}

pub(super) fn member(id: &str, info: &str) -> String {
    let id = serde_json::Value::from(id);
    format!("{{\"id\":{id},\"info\":{info}}}")
}

/// What a member of a stream is signed for.
pub(super) fn purpose(stream: &str) -> String {
    format!("member:{stream}")
}

/// Decides on presence tags.
pub(crate) struct Presences<'a> {
    pub(crate) hub: &'a Hub,
    pub(crate) keys: &'a Keys,
}

/// What a presence tag grants.
pub(crate) struct Granted {
    /// The presence stream.
    pub(crate) reads: Arc<str>,
    pub(crate) begin: Begin,
    pub(crate) present: Option<Box<Present>>,
    /// Stream tags that show who is there, as a JSON text: for this page alone.
    pub(crate) list: Option<Bytes>,
}

impl Presences<'_> {
    /// `begin` is what the page's own cursor says.
    pub(crate) fn decide(
        &self,
        identifier: &Identifier,
        identity: &Identity,
        begin: Begin,
    ) -> Result<Granted, Rejected> {
        let stream = signed_for(identifier, &self.keys.streams, identity, PRESENCE)?;
        // The page's own cursor is the older one, so it tells more surely whether access was taken back since.
        if let Begin::After(rendered) = begin {
            self.check_access(identity, &stream, rendered)?;
        }
        let reads = presence_stream(&stream);
        let begin = self.begin(identifier, &reads, begin);
        let present = match identifier.params.get("member") {
            None => None,
            Some(signed) => {
                let member = self.member(&stream, signed.as_str().unwrap_or_default())?;
                let member = self.newest(&stream, member, begin);
                Some(Box::new(Present { stream: Arc::clone(&stream), member }))
            }
        };
        let list = identifier.params.contains_key("list");
        let list = list.then(|| self.list(&stream, present.as_deref())).flatten();
        Ok(Granted { reads: reads.into(), begin, present, list })
    }

    /// Who is there now, for a page that was rendered without a list. What has changed since its cursor is in it, and is
    /// replayed behind it all the same, which leads to the same page.
    fn list(&self, stream: &str, own: Option<&Present>) -> Option<Bytes> {
        let members = self.hub.present_on(stream)?.named;
        let tags = html::list(&members, own.map(|own| &own.member));
        let json = serde_json::to_string(&tags.to_string()).ok()?;
        (!tags.is_empty()).then(|| json.into())
    }

    fn check_access(
        &self,
        identity: &Identity,
        stream: &str,
        rendered: Position,
    ) -> Result<(), Rejected> {
        let asked = Asked { identity: identity.name(), stream, is_public: false };
        if self.hub.is_revoked(asked, Some(rendered)) {
            return Err(Rejected::new(RejectReason::Revoked, "access was taken back"));
        }
        Ok(())
    }

    /// Where the page's list ends, if the page has one.
    fn begin(&self, identifier: &Identifier, reads: &str, begin: Begin) -> Begin {
        let (Some(after), Begin::After(_)) = (identifier.params.get("after"), begin) else {
            return begin;
        };
        let after = after.as_str().ok_or(CursorError::Malformed);
        match after.and_then(|text| self.keys.cursors.verify(text, Subject::Public(reads))) {
            Ok(Cursor { epoch, offset, .. }) => {
                Begin::After(Position { epoch: Epoch(epoch), offset: Offset(offset) })
            }
            Err(error) => {
                tracing::warn!(channel = CHANNEL, %error, "cursor refused");
                self.hub.stats().cursors_refused.add(1);
                Begin::Lost
            }
        }
    }

    /// The member as it is now, where it was changed after the page was rendered that has the tag: a reconnect of an
    /// old page changes nothing.
    fn newest(&self, stream: &str, member: Member, begin: Begin) -> Member {
        let Begin::After(rendered) = begin else { return member };
        match self.hub.member(stream, &member.id) {
            Some((info, since))
                if since.epoch == rendered.epoch && since.offset > rendered.offset =>
            {
                Member { info, ..member }
            }
            _ => member,
        }
    }

    fn member(&self, stream: &str, signed: &str) -> Result<Member, Rejected> {
        let verified = self.keys.streams.verify_for(signed, &purpose(stream), unix_millis());
        let member = verified.map_err(refusal).and_then(|json| {
            let read = serde_json::from_str::<Signed<'_>>(&json);
            let member = read.map(|Signed { id, info }| Member::new(&*id, info.get()));
            member.map_err(|_| rejected("what was signed is no member"))
        });
        member.inspect_err(|rejected| {
            self.hub.stats().presence_refused.add(1);
            tracing::debug!(stream = excerpt(stream), why = %rejected.why, "a member's tag is refused");
        })
    }
}
