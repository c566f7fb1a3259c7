//! What a channel's methods can see and do.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use forebay_cable::SessionId;
use forebay_log::Seen;
use forebay_signing::VerifyError;
use forebay_transport::{Begin, Identity, Op, Rejected, Stream};
use forebay_turbo::{StreamName, StreamNameError, Streamable};
use serde::Serialize;

use super::Params;
use super::standard::{refusal, rejected};
use crate::app::Core;
use crate::broadcast::Broadcaster;
use crate::clock::unix_millis;

/// One subscription, as its channel sees it: who subscribes, to what, and what can be done about it.
pub struct Context {
    pub(super) core: Arc<Core>,
    pub(super) channel: String,
    pub(super) params: Params,
    pub(super) identity: Identity,
    pub(super) session: SessionId,
    /// Where the page's cursor says to begin.
    pub(super) begin: Begin,
    /// What the page has seen already of what comes after that.
    pub(super) seen: Option<Box<Seen>>,
    /// What was wrong with its tag, once the channel has looked at it.
    pub(super) refused: OnceLock<Rejected>,
    pub(super) ops: Vec<Op>,
}

impl Context {
    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// The channel's name, as the client gives it in its identifier.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// Who is at the other end, as the connect hook said.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The subscription's parameters: its identifier without `channel`. The client has chosen them.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The client's session. A broadcast can leave it out: [`Broadcast::except`](crate::Broadcast::except).
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Reads a stream from now on, or from the page's cursor if the subscription has one.
    ///
    /// # Errors
    /// [`StreamNameError`] for blank parts and for parts that contain `:`.
    pub fn stream_from(&mut self, parts: impl Streamable) -> Result<(), StreamNameError> {
        let name = self.core.stream_name(&parts)?;
        self.follow(&name);
        Ok(())
    }

    /// Reads a stream by its whole name.
    pub fn follow(&mut self, name: &StreamName) {
        let name = name.clone().into();
        self.ops.push(Op::Follow(Stream {
            name,
            begin: self.begin,
            is_public: false,
            seen: self.seen.clone(),
        }));
    }

    /// The stream in the tag's signed name, if the signature is right. The name is of
    /// [`Turbo::stream_from_channel`](crate::Turbo::stream_from_channel), which is good for this channel
    /// only, or a plain one.
    ///
    /// If the name has expired, or its key is gone, this gives `None`, and a rejection tells the client
    /// `expired`. `forebay.js` then renders the page again.
    pub fn verified_stream(&self) -> Option<StreamName> {
        let signed = self.params.get("signed_stream_name")?.as_str()?;
        let (verifier, now) = (&self.core.keys.streams, unix_millis());
        let name = verifier
            .verify_for(signed, &self.channel, now)
            .or_else(|_| verifier.verify(signed, now));
        let refuse = |error: &VerifyError| {
            self.refused.get_or_init(|| refusal(*error));
        };
        name.inspect_err(refuse).ok().map(StreamName::raw)
    }

    /// How the client is told that its subscription is refused.
    pub(super) fn rejected(&self) -> Rejected {
        self.refused.get().cloned().unwrap_or_else(|| rejected("its channel says no"))
    }

    /// Stops reading a stream.
    ///
    /// # Errors
    /// [`StreamNameError`] for blank parts and for parts that contain `:`.
    pub fn stop_stream_from(&mut self, parts: impl Streamable) -> Result<(), StreamNameError> {
        let name = self.core.stream_name(&parts)?;
        self.ops.push(Op::Unfollow(name.into()));
        Ok(())
    }

    /// Stops reading all streams.
    pub fn stop_all_streams(&mut self) {
        self.ops.push(Op::UnfollowAll);
    }

    /// Sends a value to this subscriber alone. A value that can't be written as JSON is not sent, and the
    /// log says so.
    pub fn transmit(&mut self, value: &impl Serialize) {
        match serde_json::to_vec(value) {
            Ok(json) => self.ops.push(Op::Transmit(Bytes::from(json))),
            Err(error) => tracing::error!(
                %error,
                "a value that a channel transmits can't be written as JSON: it is not sent"
            ),
        }
    }

    /// Ends the subscription. The client is told that it is rejected.
    pub fn reject(&mut self) {
        self.ops.push(Op::Reject);
    }

    /// Begins a broadcast.
    pub fn broadcast(&self) -> Broadcaster {
        Broadcaster::new(Arc::clone(&self.core), None)
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("channel", &self.channel)
            .field("identity", &self.identity)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}
