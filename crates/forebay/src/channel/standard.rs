//! Who may subscribe to what: Turbo's channel, `$pubsub`, and the application's own.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use forebay_cable::{Identifier, Resync};
use forebay_log::{Epoch, Offset, Position};
use forebay_signing::Verifier;
use forebay_transport::{Answer, Begin, Channels, Rejected, Request, Stream, Subscribed};
use forebay_turbo::TurboStream;

use super::context::Context;
use super::custom::Factory;
use crate::app::Core;
use crate::clock::unix_millis;

/// turbo-rails' channel: a signed stream name, and nothing else, opens it.
const TURBO: &str = "Turbo::StreamsChannel";

/// AnyCable's channel for pages without a framework: a signed name, or a public one.
const PUBSUB: &str = "$pubsub";

/// Names that anybody may subscribe to.
#[derive(Clone, Debug)]
pub(crate) struct StreamPattern(String);

impl StreamPattern {
    pub(crate) fn new(pattern: String) -> Self {
        Self(pattern)
    }

    fn fits(&self, name: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == self.0,
        }
    }
}

/// The application's channels and public streams.
pub(crate) struct Registry {
    pub(crate) channels: HashMap<String, Factory>,
    pub(crate) public_streams: Vec<StreamPattern>,
}

/// All channels of an application.
pub(crate) struct StandardChannels {
    core: Arc<Core>,
    registry: Registry,
}

impl StandardChannels {
    pub(crate) fn new(core: Arc<Core>, registry: Registry) -> Self {
        Self { core, registry }
    }

    /// A stream whose name is public.
    fn public(&self, identifier: &Identifier) -> Option<Arc<str>> {
        let name = identifier.text("stream_name")?;
        let fits = self.registry.public_streams.iter().any(|pattern| pattern.fits(name));
        if !fits {
            tracing::warn!(stream = name, "subscription rejected: the stream is not public");
        }
        fits.then(|| name.into())
    }

    /// Where the page's cursor says to begin. It never says what may be read.
    fn begin(&self, identifier: &Identifier) -> Begin {
        let Some(cursor) = identifier.params.get("cursor") else { return Begin::Now };
        let verified = cursor.as_str().map(|text| self.core.keys.cursors.verify(text));
        if let Some(Ok(cursor)) = verified {
            let (epoch, offset) = (Epoch(cursor.epoch), Offset(cursor.offset));
            return Begin::After(Position { epoch, offset });
        }
        // Not ours: what the page shows is unknown, so it heals itself.
        self.core.hub.stats().cursors_refused.add(1);
        Begin::Lost
    }

    fn stream(
        &self,
        identifier: &Identifier,
        name: Option<Arc<str>>,
        resync: Resync,
    ) -> Answer<Result<Subscribed, Rejected>> {
        let subscribed = name.map(|name| {
            let begin = self.begin(identifier);
            Subscribed {
                streams: vec![Stream { name, begin }],
                goes_on: begin != Begin::Now,
                resync,
                transmissions: Vec::new(),
                handler: None,
            }
        });
        Answer::Now(subscribed.ok_or(Rejected))
    }
}

impl Channels for StandardChannels {
    fn subscribe(&self, request: Request) -> Answer<Result<Subscribed, Rejected>> {
        let Request { identity, session, identifier } = request;
        match identifier.channel.as_str() {
            TURBO => {
                let name = signed(&identifier, &self.core.keys.streams);
                self.stream(&identifier, name, turbo_resync())
            }
            PUBSUB => {
                let is_signed = identifier.params.contains_key("signed_stream_name");
                let name = if is_signed {
                    signed(&identifier, &self.core.keys.pubsub)
                } else {
                    self.public(&identifier)
                };
                self.stream(&identifier, name, NOTICE)
            }
            name => {
                let Some(factory) = self.registry.channels.get(name) else {
                    tracing::warn!(channel = name, "subscription rejected: no such channel");
                    return Answer::Now(Err(Rejected));
                };
                factory(Context {
                    core: Arc::clone(&self.core),
                    begin: self.begin(&identifier),
                    channel: identifier.channel,
                    params: identifier.params,
                    identity,
                    session,
                    ops: Vec::new(),
                })
            }
        }
    }
}

/// A stream whose name this verifier has signed.
fn signed(identifier: &Identifier, verifier: &Verifier) -> Option<Arc<str>> {
    let signed = identifier.text("signed_stream_name")?;
    match verifier.verify(signed, unix_millis()) {
        Ok(name) => Some(name.into()),
        Err(error) => {
            tracing::warn!(channel = identifier.channel, %error, "subscription rejected");
            None
        }
    }
}

/// What subscribers without Turbo get when they must heal themselves.
const NOTICE: Resync = Resync::new(r#"{"type":"resync"}"#);

/// A refresh without a request id: no page ignores it.
fn turbo_resync() -> Resync {
    static JSON: LazyLock<String> =
        LazyLock::new(|| serde_json::Value::String(TurboStream::refresh().to_string()).to_string());
    Resync::new(&JSON)
}

/// How a channel of the application's says it: as Turbo understands it, where the subscription
/// is a `turbo_stream_from` tag's.
pub(super) fn resync_for(cx: &Context) -> Resync {
    if cx.params.contains_key("signed_stream_name") { turbo_resync() } else { NOTICE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_streams_are_names_or_beginnings() {
        let check = |pattern: &str, name, expected| {
            assert_eq!(
                StreamPattern::new(pattern.to_owned()).fits(name),
                expected,
                "{pattern} {name}"
            );
        };
        check("news", "news", true);
        check("news", "newsroom", false);
        check("chat/*", "chat/1", true);
        check("chat/*", "chats", false);
        check("*", "anything", true);
    }
}
