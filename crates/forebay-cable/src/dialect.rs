//! What the protocols say differently: one file for each, behind one trait.
//!
//! The rules are the session's, and the same for all: commands in order, a confirmation before the first
//! entry, positions that only go forward. A [`Dialect`] takes apart what a client says, puts what the session
//! says into words, and remembers what only these words need. A new protocol is one more file here.

mod action_cable;
mod any_cable;
mod event_source;
mod forebay_v1;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use forebay_log::{Change, Epoch, Member, Message, Offset, Position, StreamId, UnixMillis};
use smallvec::SmallVec;

use self::action_cable::ActionCable;
use self::any_cable::AnyCable;
pub use self::any_cable::MemberRecord;
use self::event_source::EventSource;
use self::forebay_v1::ForebayV1;
use crate::close::{DisconnectReason, RejectReason};
use crate::command::{Command, CommandError, Joining, Report, Terms};
use crate::ids::{SessionId, SubscriptionId};
use crate::wire::{self, Envelope, Wrap};

/// The protocols that this crate speaks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Protocol {
    /// Rails' own.
    ActionCableV1Json,
    /// AnyCable's: positions beside the messages, history, whispers.
    ActionCableV1ExtJson,
    /// Ours: positions beside the messages, which the client keeps.
    ForebayV1Json,
    /// Server-sent events as `EventSource` reads them. Over HTTP only; it takes no commands from
    /// the client, the caller makes them of the request.
    EventSource,
}

impl Protocol {
    const WEB_SOCKET: [Self; 3] =
        [Self::ActionCableV1Json, Self::ActionCableV1ExtJson, Self::ForebayV1Json];

    /// The name in `Sec-WebSocket-Protocol`, or the media type.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ActionCableV1Json => "actioncable-v1-json",
            Self::ActionCableV1ExtJson => "actioncable-v1-ext-json",
            Self::ForebayV1Json => "forebay-v1-json",
            Self::EventSource => "text/event-stream",
        }
    }

    /// Picks from what a client offers over WebSocket, in its order of preference.
    pub fn select<'a>(offered: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let known = |name: &str| Self::WEB_SOCKET.into_iter().find(|p| p.as_str() == name);
        offered.into_iter().find_map(|name| known(name.trim()))
    }

    /// What a session speaks that has positions in this epoch.
    pub(crate) fn dialect(self, epoch: Epoch) -> Box<dyn Dialect> {
        match self {
            Self::ActionCableV1Json => Box::new(ActionCable),
            Self::ActionCableV1ExtJson => Box::new(AnyCable::new(epoch)),
            Self::ForebayV1Json => Box::new(ForebayV1::new(epoch)),
            Self::EventSource => Box::new(EventSource::new(epoch)),
        }
    }
}

/// Who knows what a client has got, when its connection is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Positions {
    /// Only the server: Pongs prove it.
    Proven,
    /// The client keeps one for each stream. Pongs prove it as well, for its next session.
    ByStream,
    /// The client keeps one for each subscription.
    BySubscription,
    /// The client keeps one for all that it reads.
    Single,
}

/// How a dialect differs in what is done, and not only in what is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manner {
    /// Who knows what a client has got.
    pub positions: Positions,
    /// The client waits by itself before it heals, and is told how long. It takes its position, and what it
    /// lacks, from one message, because a connection can end between any two.
    pub heals_itself: bool,
    /// The dialect is told how far the client has been [sent](Dialect::sent) the log.
    pub follows: bool,
    /// Only the subscription's envelope goes around a message, if the envelope has no cursor. So all who have
    /// the same envelope are sent the same bytes.
    pub shares_frames: bool,
}

/// Whom a text is for.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    /// The subscription.
    pub id: SubscriptionId,
    /// What names it for its client.
    pub envelope: &'a Envelope,
    /// Its identifier carries a cursor.
    pub goes_on: bool,
}

/// What has to be known of an entry to write what goes around it.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// Its place.
    pub offset: Offset,
    /// Where its reader stood before it.
    pub previous: Offset,
    /// It is kept for nobody, so that its place is of no use to the client.
    pub ephemeral: bool,
    /// What it says, unless this client is excepted from it.
    pub message: Option<&'a Message>,
}

/// A subscription lacks something that history has no longer.
#[derive(Clone, Copy, Debug)]
pub struct Lack<'a> {
    /// The subscription.
    pub to: Recipient<'a>,
    /// The newest that it has been sent of any of its streams: it goes on from here.
    pub newest: Offset,
    /// What tells its page to heal itself.
    pub resync: Resync,
    /// Its page is to be told. Else it was, just now, for another of its tags.
    pub tells: bool,
    /// How long a client waits that [heals itself](Manner::heals_itself).
    pub wait_ms: u64,
}

/// The message that tells the subscribers of one channel to heal themselves: the JSON text of a
/// refresh, for Turbo's channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resync(&'static str);

impl Resync {
    /// Takes the JSON text of the message. Static, because it is kept with every subscription.
    pub const fn new(json: &'static str) -> Self {
        Self(json)
    }

    /// Whether it is Turbo's HTML, and so does what it says.
    pub(crate) fn is_html(self) -> bool {
        self.0.starts_with('"')
    }

    /// Its text.
    pub fn json(self) -> &'static [u8] {
        self.0.as_bytes()
    }
}

/// What a dialect remembers of a session that goes on for another one.
#[derive(Debug, Default)]
pub struct Restoring {
    /// It is not welcomed before its subscriptions are decided.
    pub(crate) is_deciding: bool,
    /// Until then they wait for their client to say where it goes on.
    pub(crate) held_until: Option<UnixMillis>,
}

/// What a dialect remembers of presence, whose clients are told who is present.
#[derive(Debug, Default)]
pub struct Attending {
    /// Subscriptions whose clients are to be told who is present, and whether by name.
    pub(crate) asked: Vec<(SubscriptionId, bool)>,
    /// As whom clients have said that they are present.
    pub(crate) joined: Vec<(SubscriptionId, Joining)>,
    /// The client was here before, and has forgotten who is present.
    pub(crate) is_returning: bool,
}

/// The answer to what a client has asked of presence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PresenceAnswer<'a> {
    /// It is done.
    Done {
        /// The command.
        command: &'static str,
    },
    /// It can't be.
    Refused {
        /// The command.
        command: &'static str,
        /// Why.
        reason: &'a str,
    },
}

/// A protocol: how it says what a session has to say. An empty text is not sent.
pub trait Dialect: fmt::Debug + Send + Sync {
    /// How it differs in what is done, and not only in what is said.
    fn manner(&self) -> Manner;

    /// Takes apart what a client says.
    ///
    /// # Errors
    /// [`CommandError`] for what this protocol does not have.
    fn decode(&self, text: &str) -> Result<Vec<Command>, CommandError>;

    /// The first message.
    fn welcome(&self, session: SessionId, ping_interval_ms: u64) -> Bytes;

    /// A sign of life.
    fn ping(&mut self, now: UnixMillis) -> Bytes {
        wire::ping(now)
    }

    /// The answer to a client's ping.
    fn pong(&self) -> Bytes {
        Bytes::from_static(wire::PONG)
    }

    /// The last message. It says whether the client may come back.
    fn disconnect(&self, reason: DisconnectReason, reconnect: bool) -> Bytes {
        wire::disconnect(reason, reconnect)
    }

    /// Confirms a subscription, which has been `sent` everything up to here. `lacks` is there if the client
    /// [heals itself](Manner::heals_itself) and lacks something: the milliseconds that it is to wait.
    fn confirm(&self, to: Recipient<'_>, _sent: Option<Offset>, _lacks: Option<u64>) -> Bytes {
        to.envelope.confirm()
    }

    /// Rejects a subscription, or ends one.
    fn reject(&self, envelope: &Envelope, _reason: RejectReason) -> Bytes {
        envelope.reject()
    }

    /// A channel's own message to one subscriber.
    fn message(&self, envelope: &Envelope, json: &[u8]) -> Bytes {
        envelope.message(json)
    }

    /// What goes around an entry of a stream. `None` where there is nothing to send.
    fn wrap<'a>(
        &'a self,
        to: Recipient<'a>,
        stream: StreamId,
        entry: Around<'_>,
    ) -> Option<Wrap<'a>>;

    /// The client lacks something.
    fn lost(&mut self, lack: &Lack<'_>) -> SmallVec<[Bytes; 2]>;

    /// The client lacks something, and rendering its page again has not helped.
    fn unhealed(&self, envelope: &Envelope) -> Bytes {
        // Turbo's element passes over what is no text.
        envelope.message(UNHEALED)
    }

    /// The client's position is this one. One more stream is read, from before what was sent; or the subscription was
    /// not to be confirmed again, and begins elsewhere than its client says.
    fn rewind(&self, _to: Recipient<'_>, _oldest: Offset) -> Bytes {
        Bytes::new()
    }

    /// The entry at this place was sent. Called only if it [follows](Manner::follows).
    fn sent(&mut self, _offset: Offset) {}

    /// Everything up to `head` was sent, on all streams. Gives the subscriptions whose
    /// [history](Self::history) is complete with that. Only where it [follows](Manner::follows).
    fn caught_up(&mut self, _head: Offset) -> Vec<SubscriptionId> {
        Vec::new()
    }

    /// A page could not do something.
    fn report(&mut self, _report: Report) {}

    /// What pages have reported.
    fn take_reports(&mut self) -> Vec<Report> {
        Vec::new()
    }

    // --- for clients that keep a position for each stream -----------------------------------------

    /// A subscription has a stream of this name.
    fn opened(&mut self, _stream: StreamId, _name: Arc<str>) {}

    /// From now on a subscription reads the stream, which is open.
    fn begins(&mut self, _stream: StreamId) {}

    /// Whether the client may have got something of a stream on this connection.
    fn has_begun(&self, _name: &str) -> bool {
        false
    }

    /// The name of a stream that was opened.
    fn stream_name(&self, _stream: StreamId) -> Option<&str> {
        None
    }

    /// A ping interval has passed.
    fn age(&mut self) {}

    /// Whether what the session knows of an identifier is better than what its client says: whether that
    /// carries a cursor, and whether the session had left it.
    fn knows_better(&self, _has_cursor: bool, _was_left: bool) -> bool {
        true
    }

    /// The client asks for a subscription's history, and is told when it has got it.
    fn owe_history(&mut self, _id: SubscriptionId) {}

    /// Says that the client has got its history, or can't get it.
    fn history(&self, _envelope: &Envelope, _is_complete: bool) -> Bytes {
        Bytes::new()
    }

    /// Says that the subscription may not whisper.
    fn no_whispers(&self, _envelope: &Envelope) -> Bytes {
        Bytes::new()
    }

    // --- for clients that are told who is present -------------------------------------------------

    /// What it remembers of that, if it has words for who comes and leaves.
    fn attending(&self) -> Option<&Attending> {
        None
    }

    /// The same, to be changed.
    fn attending_mut(&mut self) -> Option<&mut Attending> {
        None
    }

    /// Says who has come, changed and left: texts with a [`RECORD_END`](wire::RECORD_END) between two.
    fn change(&self, _envelope: &Envelope, _change: &Change) -> Vec<u8> {
        Vec::new()
    }

    /// Says how many are present, and who, if they are to be named.
    fn members(&self, _envelope: &Envelope, _total: usize, _members: &[Member]) -> Bytes {
        Bytes::new()
    }

    /// Answers a client that asks to be present, to leave, or who is present.
    fn presence(&self, _envelope: &Envelope, _answer: PresenceAnswer<'_>) -> Bytes {
        Bytes::new()
    }

    /// A position of the log.
    fn position(&self, _offset: Offset) -> Option<Position> {
        None
    }

    /// The first message of a session that goes on for a lost one, with these subscriptions.
    fn welcome_back(&self, session: SessionId, restored: &[&Envelope]) -> Bytes {
        wire::welcome_back(session, restored)
    }

    /// What it remembers of that, if its sessions can go on for others.
    fn restoring(&self) -> Option<&Restoring> {
        None
    }

    /// The same, to be changed.
    fn restoring_mut(&mut self) -> Option<&mut Restoring> {
        None
    }
}

/// That a page can't be healed.
const UNHEALED: &[u8] = br#"{"type":"unhealed","reason":"foreign_epoch"}"#;

/// Passes the base protocol's commands, and those that the dialect `has`; of what a client that subscribes
/// says of where it stands it keeps what `keep` leaves.
fn check(
    mut commands: Vec<Command>,
    keep: impl Fn(&mut Terms),
    has: impl Fn(&Command) -> bool,
) -> Result<Vec<Command>, CommandError> {
    for command in &mut commands {
        match command {
            Command::Subscribe { terms, .. } => keep(terms),
            Command::Unsubscribe { .. }
            | Command::Perform { .. }
            | Command::Ping
            | Command::Pong => {}
            other if has(other) => {}
            _ => return Err(CommandError::Unknown),
        }
    }
    Ok(commands)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_chooses_among_what_we_speak() {
        let json = Some(Protocol::ActionCableV1Json);
        assert_eq!(Protocol::select(["actioncable-v1-json", "actioncable-unsupported"]), json);
        assert_eq!(Protocol::select(["x", " actioncable-v1-json"]), json);
        assert_eq!(Protocol::select(["actioncable-unsupported"]), None);
        assert_eq!(
            Protocol::select(["text/event-stream", "forebay-v1-json", "actioncable-v1-json"]),
            Some(Protocol::ForebayV1Json)
        );
    }
}
