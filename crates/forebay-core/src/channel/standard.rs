//! Who may subscribe to what: Turbo's channel, `$pubsub`, and the application's own.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock};

use forebay_cable::{Identifier, RejectReason, Resync};
use forebay_inspect::Rejection;
use forebay_log::{BadSeen, Epoch, Message, Offset, Position, Seen, is_reserved};
use forebay_signing::{
    Cursor, CursorError, Subject, VerifiedCursor, Verifier, VerifyError, claimed_name,
};
use forebay_transport::{
    Answer, Begin, Channels, Identity, Rejected, Request, Stream, Subscribed, excerpt,
};
use forebay_turbo::{TurboStream, is_idempotent};

use super::context::Context;
use super::custom::Factory;
use super::rosters::Rosters;
use crate::app::{Core, GoodFor};
use crate::clock::unix_millis;
use crate::presence::{CHANNEL, Granted, Presences};

/// The channels that are built in.
pub(crate) const BUILT_IN: [&str; 3] = [TURBO, PUBSUB, CHANNEL];

/// turbo-rails' channel: a signed stream name, and nothing else, opens it.
const TURBO: &str = "Turbo::StreamsChannel";

/// AnyCable's channel for pages without a framework: a signed name, or a public one.
const PUBSUB: &str = "$pubsub";

/// The application says no, and the log why.
pub(crate) fn rejected(why: &'static str) -> Rejected {
    Rejected::new(RejectReason::Unauthorized, why)
}

/// A page that is rendered again has a tag that is good, where this one's time is over or its key
/// is gone. A forged signature can't be told from one of an older key; it is refused all the same.
pub(crate) fn refusal(error: VerifyError) -> Rejected {
    let reason = match error {
        VerifyError::Expired | VerifyError::BadSignature => RejectReason::Expired,
        _ => RejectReason::Unauthorized,
    };
    let kind = match error {
        VerifyError::Expired => Rejection::Expired,
        VerifyError::BadSignature => Rejection::Key,
        VerifyError::WrongPurpose => Rejection::Purpose,
        _ => Rejection::Name,
    };
    Rejected::new(reason, error.to_string()).of_kind(kind)
}

/// Names of streams, or their beginnings.
#[derive(Clone, Debug)]
pub(crate) struct StreamPattern(String);

impl StreamPattern {
    pub(crate) fn new(pattern: String) -> Self {
        Self(pattern)
    }

    pub(super) fn fits(&self, name: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == self.0,
        }
    }
}

/// The application's channels and public streams.
pub(crate) struct Registry {
    pub(crate) channels: HashMap<String, Factory>,
    /// For names that are none of these.
    pub(crate) fallback: Option<Factory>,
    pub(crate) public_streams: Vec<StreamPattern>,
    pub(crate) whispered_streams: Vec<StreamPattern>,
    pub(crate) rosters: Rosters,
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
    fn public(&self, identifier: &Identifier) -> Result<Arc<str>, Rejected> {
        let name = identifier
            .text("stream_name")
            .ok_or_else(|| rejected("no stream is named").of_kind(Rejection::Name))?;
        let is_public = self.registry.public_streams.iter().any(|pattern| pattern.fits(name));
        // What is ours is not public, whatever the pattern.
        if !is_public || is_reserved(name) {
            return Err(rejected("the stream is not public").of_kind(Rejection::NotPublic));
        }
        Ok(name.into())
    }

    /// Where the page's cursor says to begin. It never says what may be read.
    ///
    /// It is good with the name that was rendered beside it, and with no other: it says how old the page
    /// is that has this name, and so whether its access was taken back since.
    fn begin(&self, identifier: &Identifier) -> (Begin, Option<Box<Seen>>) {
        let Some(cursor) = identifier.params.get("cursor") else { return (Begin::Now, None) };
        let signed = identifier.text("signed_stream_name").map(Subject::Signed);
        let subject = signed.or_else(|| identifier.text("stream_name").map(Subject::Public));
        let subject = subject.unwrap_or(Subject::Channel);
        let text = cursor.as_str().ok_or(CursorError::Malformed);
        let verified = text.and_then(|text| self.core.keys.cursors.verify_exact(text, subject));
        match verified {
            Ok(VerifiedCursor { cursor: Cursor { epoch, offset, .. }, seen }) => {
                let cursor = Position { epoch: Epoch(epoch), offset: Offset(offset) };
                from(cursor, seen.map(Seen::parse))
            }
            // What the page shows is unknown, so it heals itself.
            Err(error) => {
                tracing::warn!(channel = excerpt(&identifier.channel), %error, "cursor refused");
                self.core.hub.stats().cursors_refused.add(1);
                (Begin::Lost, None)
            }
        }
    }

    fn stream(&self, identifier: &Identifier, name: Arc<str>, resync: Resync) -> Subscribed {
        stream_from(name, self.begin(identifier), resync)
    }

    /// As [`stream`](Self::stream), with whispers where they are allowed.
    fn pubsub(&self, identifier: &Identifier, name: Arc<str>) -> Subscribed {
        let may_whisper = self.registry.whispered_streams.iter().any(|p| p.fits(&name));
        let whispers = may_whisper.then(|| format!("\0whispers:{name}").into());
        let mut subscribed = self.stream(identifier, name, NOTICE);
        let whispered = whispers.iter().cloned();
        subscribed.streams.extend(whispered.map(|name| Stream {
            name,
            begin: Begin::Now,
            is_public: false,
            seen: None,
        }));
        Subscribed { whispers, ..subscribed }
    }

    /// Another digest's name looks like another key's.
    fn told_apart(&self, identifier: &Identifier, rejected: Rejected) -> Rejected {
        let is_recorded = self.core.hub.inspection().is_some();
        let signed = identifier.text("signed_stream_name").filter(|_| is_recorded);
        if rejected.kind == Rejection::Key
            && signed.is_some_and(|signed| self.core.keys.is_of_other_digest(signed))
        {
            return rejected.of_kind(Rejection::Digest);
        }
        rejected
    }

    fn decide(&self, identifier: &Identifier, identity: &Identity) -> Result<Subscribed, Rejected> {
        let keys = &self.core.keys;
        if identifier.channel == TURBO {
            let name = signed_for(identifier, &keys.streams, identity, "");
            let name = name.map_err(|rejected| self.told_apart(identifier, rejected))?;
            Ok(self.stream(identifier, name, turbo_resync()))
        } else if identifier.channel == CHANNEL {
            let presences = Presences { hub: &self.core.hub, keys };
            let (begin, _) = self.begin(identifier);
            let granted = presences.decide(identifier, identity, begin)?;
            let Granted { reads, begin, present, list } = granted;
            let subscribed = stream_from(reads, (begin, None), turbo_resync());
            let transmissions = list.into_iter().collect();
            Ok(Subscribed { presence: present, transmissions, ..subscribed })
        } else if identifier.params.contains_key("signed_stream_name") {
            Ok(self.pubsub(identifier, signed_for(identifier, &keys.pubsub, identity, "")?))
        } else {
            let mut subscribed = self.pubsub(identifier, self.public(identifier)?);
            subscribed.streams[0].is_public = true;
            Ok(subscribed)
        }
    }
}

impl Channels for StandardChannels {
    /// Turbo's HTML, where Turbo itself takes care of that. What a script does with JSON is unknown.
    fn is_repeatable(&self, message: &Message) -> bool {
        serde_json::from_slice::<Cow<'_, str>>(message.bytes())
            .is_ok_and(|html| is_idempotent(&html))
    }

    fn subscribe(&self, request: Request) -> Answer<Result<Subscribed, Rejected>> {
        let Request { identity, session, identifier } = request;
        match identifier.channel.as_str() {
            TURBO | PUBSUB | CHANNEL => {
                let decided = self.decide(&identifier, &identity);
                let rosters = &self.registry.rosters;
                Answer::Now(decided.map(|subscribed| rosters.add(subscribed, &identity)))
            }
            name => {
                let registered = self.registry.channels.get(name);
                let Some(factory) = registered.or(self.registry.fallback.as_ref()) else {
                    let why = rejected("no such channel").of_kind(Rejection::Channel);
                    return Answer::Now(Err(why));
                };
                let (begin, seen) = self.begin(&identifier);
                factory(Context {
                    core: Arc::clone(&self.core),
                    begin,
                    seen,
                    channel: identifier.channel,
                    params: identifier.params,
                    identity,
                    session,
                    refused: OnceLock::new(),
                    ops: Vec::new(),
                })
            }
        }
    }

    fn stream_of(&self, identifier: &Identifier) -> Option<String> {
        let signed = identifier.text("signed_stream_name").and_then(claimed_name);
        signed.or_else(|| identifier.text("stream_name").map(str::to_owned))
    }
}

/// Grants one stream.
fn stream_from(
    name: Arc<str>,
    (begin, seen): (Begin, Option<Box<Seen>>),
    resync: Resync,
) -> Subscribed {
    Subscribed {
        streams: vec![Stream { name, begin, is_public: false, seen }],
        goes_on: begin != Begin::Now,
        resync,
        transmissions: Vec::new(),
        whispers: None,
        handler: None,
        presence: None,
        roster: None,
    }
}

/// Where a page begins that has this cursor, and what it has seen already of what follows.
fn from(cursor: Position, seen: Option<Result<Seen, BadSeen>>) -> (Begin, Option<Box<Seen>>) {
    match seen {
        None => (Begin::After(cursor), None),
        // A place that nobody could find in the log, see `Noted::place`.
        Some(Ok(seen)) if seen.is_of_replica() && cursor.offset == Offset::ZERO => {
            (Begin::Lost, None)
        }
        Some(Ok(seen)) => (Begin::After(cursor), Some(Box::new(seen))),
        // We have signed it, so it is a later version's: the page may be a replica's.
        Some(Err(_)) => (Begin::Lost, None),
    }
}

/// A stream whose name this verifier has signed, for everybody or for this visitor. What the signature is good for
/// begins with `purpose`.
pub(crate) fn signed_for(
    identifier: &Identifier,
    verifier: &Verifier,
    identity: &Identity,
    purpose: &str,
) -> Result<Arc<str>, Rejected> {
    let signed = identifier.text("signed_stream_name");
    let signed =
        signed.ok_or_else(|| rejected("no signed stream name").of_kind(Rejection::Name))?;
    let now = unix_millis();
    let name = match (verifier.verify_for(signed, purpose, now), identity.name()) {
        (Err(VerifyError::WrongPurpose), Some(viewer)) => {
            let viewer = GoodFor::Viewer(viewer).purpose();
            verifier.verify_for(signed, &format!("{purpose}{viewer}"), now)
        }
        (name, _) => name,
    };
    name.map(Arc::from).map_err(|error| match other_viewer(verifier, signed, purpose, error) {
        Some(viewer) => {
            let why = format!("the tag is of {}", excerpt(&viewer));
            Rejected::new(RejectReason::OtherViewer, why)
        }
        None => refusal(error),
    })
}

/// For whom a tag was made that is not for this visitor.
fn other_viewer(
    verifier: &Verifier,
    signed: &str,
    purpose: &str,
    error: VerifyError,
) -> Option<String> {
    let found = verifier.purpose(signed).filter(|_| error == VerifyError::WrongPurpose)?;
    GoodFor::viewer_of(found.strip_prefix(purpose)?).map(str::to_owned)
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
