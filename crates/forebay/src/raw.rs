//! Broadcasts that another program made: a name and a JSON value, passed on as they are.
//!
//! For programs in front of an application in another language (`forebay serve`). An application
//! in Rust uses [`Forebay::broadcast`], which renders, infers targets and waits for commits.

use forebay_hub::Broadcast as Publication;
use forebay_log::{Class, Message, Position};
use forebay_turbo::StreamName;
use serde_json::value::RawValue;

use crate::app::Forebay;
use crate::broadcast::BroadcastError;

/// A broadcast whose message is encoded already, with what AnyCable's `meta` can say about it.
#[derive(Clone, Debug)]
#[must_use = "a broadcast is sent by Forebay::publish_all"]
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

    fn publication(&self) -> Publication<'_> {
        Publication {
            stream: self.stream.as_str(),
            message: self.message.clone(),
            class: self.class.clone(),
        }
    }
}

impl Forebay {
    /// Publishes all of them in this order, with nothing of anybody else's between them; gives
    /// the position of the last.
    ///
    /// # Errors
    /// [`BroadcastError::TooBig`] if one of them is, [`BroadcastError::NotTaken`] if the disk is
    /// full; then none is published.
    pub fn publish_all(&self, broadcasts: &[RawBroadcast]) -> Result<Position, BroadcastError> {
        let max = self.core.publisher.message_bytes_max();
        let sizes = broadcasts.iter().map(|broadcast| broadcast.message.bytes().len());
        if let Some(bytes) = sizes.max().filter(|bytes| *bytes > max) {
            return Err(BroadcastError::TooBig { bytes, max });
        }
        let publications = broadcasts.iter().map(RawBroadcast::publication);
        let published = self.core.hub.publish_all(publications)?;
        Ok(published.last().map_or_else(|| self.position(), |last| last.position))
    }
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

    #[test]
    fn a_batch_takes_consecutive_places() {
        let forebay = forebay(100);
        let before = forebay.position();
        let after = forebay.publish_all(&[raw("1"), raw("2"), raw("3")]).unwrap();
        assert_eq!(after.offset.0, before.offset.0 + 3);
        assert_eq!(forebay.publish_all(&[]).unwrap(), after);
    }

    #[test]
    fn one_that_is_too_big_holds_back_all() {
        let forebay = forebay(4);
        let before = forebay.position();
        let outcome = forebay.publish_all(&[raw("1"), raw("12345")]);
        assert!(matches!(outcome, Err(BroadcastError::TooBig { bytes: 5, max: 4 })));
        assert_eq!(forebay.position(), before);
    }

    #[test]
    fn the_text_stays_as_it_is() {
        let json = r#"{ "b":9007199254740993, "a":1e400 }"#;
        assert_eq!(raw(json).json(), json);
    }
}
