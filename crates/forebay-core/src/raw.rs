//! For programs that stand beside an application in another language, as `forebay serve` does: broadcasts
//! that were made elsewhere, a name and a JSON value, passed on as they are.
//!
//! An application in Rust uses [`Forebay::broadcast`], which renders, infers targets and waits for
//! commits.

use std::time::Duration;

pub use forebay_cable::MemberRecord;
pub use forebay_hub::{Attendance, JoinRefused, Member};
use forebay_hub::{Broadcast as Publication, Published, Refusal, Trace, class};
use forebay_inspect::{Broadcast as Recorded, Outcome, Source};
use forebay_log::{Class, Message, Position};
use forebay_signing::Key;
pub use forebay_transport::{Door, excerpt};
use forebay_turbo::StreamName;
use serde_json::value::RawValue;

use crate::app::Forebay;
use crate::broadcast::BroadcastError;
use crate::builder::Builder;
use crate::clock::unix_millis;

/// A broadcast whose message is encoded already, with what AnyCable's `meta` can say about it.
#[derive(Clone, Debug)]
#[must_use = "a broadcast is sent by publish_all"]
pub struct RawBroadcast {
    stream: StreamName,
    message: Message,
    class: Class,
}

impl RawBroadcast {
    /// A message to the stream of this name. Its text is kept byte for byte, so numbers are not
    /// rounded and keys keep their order.
    pub fn new(stream: StreamName, message: Box<RawValue>) -> Self {
        let message = Message::json(Box::<str>::from(message));
        Self { stream, message, class: Class::Log }
    }

    /// Leaves out the session with this id, as it was told in its welcome (`meta.exclude_socket`).
    pub fn except(self, session: impl Into<Box<str>>) -> Self {
        Self { message: self.message.except(session), ..self }
    }

    /// Gives the delivered envelope this `type` (`meta.broadcast_type`).
    pub fn kind(self, kind: impl Into<Box<str>>) -> Self {
        Self { message: self.message.kind(kind), ..self }
    }

    /// Keeps nothing: whoever is not subscribed at this moment never gets it (`meta.transient`).
    pub fn ephemeral(self) -> Self {
        Self { class: Class::Ephemeral, ..self }
    }

    /// The stream.
    pub fn stream(&self) -> &StreamName {
        &self.stream
    }

    /// The message.
    pub fn json(&self) -> &str {
        self.message.as_json()
    }

    fn trace(&self, forebay: &Forebay, source: &Source) -> Trace {
        let hub = &forebay.core.hub;
        let Some(inspection) = hub.inspection() else { return Trace::default() };
        let trace = inspection.trace(Recorded {
            at: hub.now().0,
            source: source.clone(),
            stream: self.stream.to_string(),
            class: class(&self.class),
            except: self.message.excepted().map(str::to_owned),
            ..Recorded::default()
        });
        trace.says(self.json());
        trace
    }

    fn publication(&self) -> Publication<'_> {
        Publication {
            stream: self.stream.as_str(),
            message: self.message.clone(),
            class: self.class.clone(),
        }
    }
}

/// Publishes all of them in this order, with nothing of anybody else's between them; gives
/// the position of the last.
///
/// # Errors
/// [`BroadcastError::TooBig`] if one of them is, [`BroadcastError::NotTaken`] if the disk is
/// full; then none is published.
pub async fn publish_all(
    forebay: &Forebay,
    broadcasts: &[RawBroadcast],
) -> Result<Position, BroadcastError> {
    publish_all_from(forebay, broadcasts, &Source::default()).await
}

/// As [`publish_all`], of somebody: what is recorded of them ([`Builder::inspect`]) says who that is.
///
/// # Errors
/// As there.
pub async fn publish_all_from(
    forebay: &Forebay,
    broadcasts: &[RawBroadcast],
    source: &Source,
) -> Result<Position, BroadcastError> {
    let traces: Vec<_> = broadcasts.iter().map(|one| one.trace(forebay, source)).collect();
    let published = try_publish_all(forebay, broadcasts).await;
    match &published {
        Ok(published) => {
            traces.iter().zip(published).for_each(|(trace, published)| trace.published(*published));
        }
        Err(error) => {
            let why = || Outcome::Refused { why: error.to_string() };
            for trace in &traces {
                trace.ends(why);
            }
        }
    }
    let published = published?;
    Ok(published.last().map_or_else(|| forebay.position(), |last| last.position))
}

async fn try_publish_all(
    forebay: &Forebay,
    broadcasts: &[RawBroadcast],
) -> Result<Vec<Published>, BroadcastError> {
    let max = forebay.core.publisher.message_bytes_max();
    let sizes = broadcasts.iter().map(|broadcast| broadcast.message.bytes().len());
    if let Some(bytes) = sizes.max().filter(|bytes| *bytes > max) {
        return Err(BroadcastError::TooBig { bytes, max });
    }
    let publications = broadcasts.iter().map(RawBroadcast::publication);
    Ok(forebay.core.hub.publish_all(publications).await?)
}

/// Who is present on a stream, as its clients are told, and the position of which that is true. `None` where this
/// node has just begun, and does not know it yet.
pub fn attendance(forebay: &Forebay, stream: &str) -> Option<Attendance> {
    forebay.core.hub.present_on(stream)
}

/// Somebody who is present has another info: one JSON value. False where nobody of this id is there.
///
/// # Errors
/// [`JoinRefused::Info`] where it is no JSON, or too long.
pub fn update_member(
    forebay: &Forebay,
    stream: &str,
    id: &str,
    info: &str,
) -> Result<bool, JoinRefused> {
    forebay.core.hub.update_member(stream, id, &info.into())
}

/// All keys at once, for a program that keeps those of Turbo's names and of `$pubsub`'s apart. The first
/// of each signs, the others are only accepted; cursors are signed with Turbo's. A list without keys
/// is [`BuildError::NoSecret`](crate::BuildError::NoSecret).
pub fn signing_keys<F: From<Forebay>>(
    builder: Builder<F>,
    turbo: impl IntoIterator<Item = Key>,
    pubsub: impl IntoIterator<Item = Key>,
) -> Builder<F> {
    builder.signing_keys(turbo, pubsub)
}

/// As long as this is held, the disk of the log's folder takes nothing and gives no answer.
#[doc(hidden)]
pub fn stall_for_tests(forebay: &Forebay) -> Option<impl Drop + '_> {
    forebay.core.hub.stall_for_tests()
}

/// Counts a connection that the server has no place for.
pub fn count_turned_away(forebay: &Forebay) {
    let _ = forebay.core.hub.refused(Refusal::Full);
}

/// Signs a text as a stream's name is signed, for one purpose and some time.
pub fn sign_for(forebay: &Forebay, text: &str, purpose: &str, lifetime: Duration) -> String {
    let lifetime = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
    let expires_at = unix_millis().saturating_add(lifetime);
    forebay.core.keys.streams.sign_expiring_for(text, purpose, expires_at)
}

/// Counts a webhook that the application has taken.
pub fn count_webhook(forebay: &Forebay) {
    forebay.core.hub.stats().webhooks.add(1);
}

/// Counts webhooks that were given up.
pub fn count_webhooks_dropped(forebay: &Forebay, count: u64) {
    forebay.core.hub.stats().webhooks_dropped.add(count);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forebay(message_bytes_max: usize) -> Forebay {
        let builder = Forebay::builder().secret("a secret of some length");
        builder.message_bytes_max(message_bytes_max).build().unwrap()
    }

    fn raw(json: &str) -> RawBroadcast {
        let json = RawValue::from_string(json.to_owned()).unwrap();
        RawBroadcast::new(StreamName::raw("room"), json)
    }

    #[tokio::test]
    async fn a_batch_takes_consecutive_places() {
        let forebay = forebay(100);
        let before = forebay.position();
        let after = publish_all(&forebay, &[raw("1"), raw("2"), raw("3")]).await.unwrap();
        assert_eq!(after.offset.0, before.offset.0 + 3);
        assert_eq!(publish_all(&forebay, &[]).await.unwrap(), after);
    }

    #[tokio::test]
    async fn one_that_is_too_big_holds_back_all() {
        let forebay = forebay(4);
        let before = forebay.position();
        let outcome = publish_all(&forebay, &[raw("1"), raw("12345")]).await;
        assert!(matches!(outcome, Err(BroadcastError::TooBig { bytes: 5, max: 4 })));
        assert_eq!(forebay.position(), before);
    }

    #[test]
    fn the_text_stays_as_it_is() {
        let json = r#"{ "b":9007199254740993, "a":1e400 }"#;
        assert_eq!(raw(json).json(), json);
    }
}
