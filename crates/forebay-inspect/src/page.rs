//! What is known of one page: its connection, and its subscriptions.

use serde::{Deserialize, Serialize};

use crate::Place;

/// One page, as a node knows it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Page {
    /// The connection's id: the session's, as its welcome says it. One that was refused has a number of its node's.
    pub id: String,
    /// The node that it came to.
    pub node: String,
    /// Who the visitor is, if the application has said so.
    pub identity: Option<String>,
    /// The address that it came from.
    pub address: Option<String>,
    /// What carries its bytes.
    pub transport: Transport,
    /// The protocol: `actioncable-v1-json`, say.
    pub protocol: String,
    /// When it came.
    pub since: u64,
    /// Whether it is there.
    pub connection: Connection,
    /// What it subscribed to, in this order.
    pub subscriptions: Vec<Subscription>,
    /// Subscriptions that are left out, because another node has so many bytes for its answer.
    pub subscriptions_left_out: u64,
    /// What happened to it, the oldest first. Older events than the node keeps are left out.
    pub events: Vec<Event>,
}

/// What carries a page's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// A WebSocket.
    #[default]
    #[serde(rename = "websocket")]
    WebSocket,
    /// Server-sent events.
    Events,
    /// Polls.
    Poll,
}

/// Whether a page is connected.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Connection {
    /// It is.
    #[default]
    Connected,
    /// It was, until then.
    Gone {
        /// When it left, or was lost.
        at: u64,
    },
    /// It was not let in.
    Refused {
        /// What for.
        why: Refusal,
        /// What the log says of it.
        detail: String,
    },
}

/// Why a connection was not let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refusal {
    /// Its page's origin.
    Origin,
    /// The host that it asked for.
    Host,
    /// It is no WebSocket handshake: a proxy has taken out `Upgrade`.
    Upgrade,
    /// A handshake that nothing can come of: a version, a key or a subprotocol.
    Handshake,
    /// A token, or what the connect hook says.
    Token,
    /// The application could not say.
    Unavailable,
    /// As many are connected as may be.
    Limit,
    /// A request that can't be understood.
    Request,
    /// The server goes down, or has lost its log.
    Leaving,
}

/// One source tag of a page, or another subscription.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Subscription {
    /// The channel.
    pub channel: String,
    /// The stream's name in clear, as far as it is known. Of a name that was not accepted it is what it claims.
    pub stream: Option<String>,
    /// The signed name, as the tag has it.
    pub signed: Option<String>,
    /// The signed cursor, as the tag has it: no other page has the same.
    pub signed_cursor: Option<String>,
    /// How far it has come.
    pub state: State,
    /// When it asked.
    pub since: u64,
    /// What its page was rendered with.
    pub cursor: Option<Place>,
    /// Where the log stood when it joined: what is later comes to it live.
    pub attached: Option<u64>,
    /// Up to where all that is for it was given to its socket.
    pub sent: Option<u64>,
    /// Up to where that has arrived for certain.
    pub proven: Option<u64>,
    /// Its socket takes nothing now.
    pub is_stalled: bool,
    /// How often it was told that it lacks something.
    pub resyncs: u64,
    /// Why, the last time.
    pub resynced: Option<Resync>,
}

/// How far a subscription has come.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
#[non_exhaustive]
pub enum State {
    /// It has asked, and has no answer yet.
    #[default]
    Asked,
    /// It was refused.
    Rejected {
        /// What for.
        why: Rejection,
        /// What the log says of it.
        detail: String,
    },
    /// It reads.
    Live,
    /// It is restored, and its client has not said yet where it goes on.
    Held,
    /// It was told to render itself again, and is not read until then.
    Healing,
    /// It was given up: its tag has left the page.
    Left,
}

/// Why a subscription was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rejection {
    /// None of the server's keys has signed the name.
    Key,
    /// The right secret, with another digest.
    Digest,
    /// The signature's time is over.
    Expired,
    /// The access was taken back.
    Revoked,
    /// Whoever decides in the application says no.
    Authorizer,
    /// The tag is another visitor's.
    OtherViewer,
    /// A signature for another purpose.
    Purpose,
    /// No signed name at all, an empty one, or one that can't be read.
    Name,
    /// The stream's name is not public.
    NotPublic,
    /// No channel has this name.
    Channel,
    /// More subscriptions than a session may have.
    Limit,
}

/// Why a subscription lacks something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Resync {
    /// Its cursor is of another log, or of another life of this one.
    OtherEpoch,
    /// Its cursor is ahead of this node.
    Future,
    /// History does not reach back to its cursor.
    Forgotten,
    /// Its cursor was not accepted.
    Cursor,
    /// Its stream has a gap.
    Gap,
}

/// Something that happened to a page.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: u64,
    /// What: `connected`, `subscribed`, `rejected`, `live`, `healed`, `left`, `gone`, `refused`.
    pub what: String,
    /// The stream that it is about.
    pub stream: Option<String>,
    /// The rest of it, in words.
    pub detail: Option<String>,
}

impl Subscription {
    /// One that reads this stream.
    pub fn live(stream: &str) -> Self {
        Self { stream: Some(stream.to_owned()), state: State::Live, ..Self::default() }
    }

    /// One that was refused.
    pub fn rejected(stream: &str, why: Rejection, detail: &str) -> Self {
        let state = State::Rejected { why, detail: detail.to_owned() };
        Self { stream: Some(stream.to_owned()), state, ..Self::default() }
    }

    /// Whether it is to this stream.
    pub fn is_to(&self, stream: &str) -> bool {
        self.stream.as_deref() == Some(stream)
    }
}

impl Subscription {
    /// Whether somebody should look at it: it was refused, or does not read now.
    pub fn is_trouble(&self) -> bool {
        match self.state {
            State::Live => self.is_stalled,
            State::Left => false,
            _ => true,
        }
    }
}

impl Page {
    /// Whether it has something that somebody should look at.
    pub fn is_trouble(&self) -> bool {
        matches!(self.connection, Connection::Refused { .. })
            || self.subscriptions.iter().any(Subscription::is_trouble)
    }

    /// Counts subscriptions that are left out. Whether any is.
    pub(crate) fn leave_out(&mut self, count: usize) -> bool {
        self.subscriptions_left_out += count as u64;
        count > 0
    }

    /// As a row of a list: without events, and with its first tags by name and state only.
    #[must_use]
    pub fn as_row(mut self, tags_max: usize) -> Self {
        self.events.clear();
        self.leave_out(self.subscriptions.len().saturating_sub(tags_max));
        self.subscriptions.truncate(tags_max);
        for one in &mut self.subscriptions {
            (one.signed, one.signed_cursor) = (None, None);
        }
        self
    }

    /// One that was not let in.
    pub fn refused(why: Refusal, detail: &str) -> Self {
        let connection = Connection::Refused { why, detail: detail.to_owned() };
        Self { connection, ..Self::default() }
    }
}
