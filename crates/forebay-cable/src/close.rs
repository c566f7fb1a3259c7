//! How a session ends: what the client is told and which WebSocket close code goes with it.

use std::fmt;

/// WebSocket close codes that the server sends (RFC 6455, section 7.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u16)]
#[non_exhaustive]
pub enum CloseCode {
    /// The session is over, and all is well.
    Normal = 1000,
    /// The server goes down or restarts.
    GoingAway = 1001,
    /// The peer broke the WebSocket protocol.
    ProtocolError = 1002,
    /// A binary message, which no protocol here has.
    Unsupported = 1003,
    /// A text that is not UTF-8 or not what the protocol says.
    InvalidPayload = 1007,
    /// A well-formed message that is not allowed.
    PolicyViolation = 1008,
    /// A message past the size limit.
    TooBig = 1009,
    /// Something failed on our side.
    InternalError = 1011,
    /// Something on our side does not work now, and will work again (IANA's registry).
    TryAgainLater = 1013,
}

/// The reasons in a `disconnect` message, in Rails' words.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The connection was not accepted.
    Unauthorized,
    /// What the client sent makes no sense.
    InvalidRequest,
    /// The server is going down.
    ServerRestart,
    /// Somebody ended this connection on purpose.
    Remote,
    /// The application can't say now who asks. Rails has no such reason. Its clients and AnyCable's take any
    /// reason, and come back because they may.
    Unavailable,
    /// Something failed on our side. Rails has no such reason, and closes without one.
    InternalError,
}

impl DisconnectReason {
    /// The reason as it is written in the message.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::InvalidRequest => "invalid_request",
            Self::ServerRestart => "server_restart",
            Self::Remote => "remote",
            Self::Unavailable => "unavailable",
            Self::InternalError => "internal_error",
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a subscription is rejected. Only `forebay.js` is told the reason; all others are told the fact.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum RejectReason {
    /// No such channel, a tag that was not made for this, or the application says no.
    Unauthorized,
    /// The signature's time is over, or no key here has made it: a page that is rendered again
    /// gets a new one.
    Expired,
    /// Somebody took the access back after the page was rendered.
    Revoked,
    /// The tag was made for another visitor than the connection's.
    OtherViewer,
    /// Past a limit of [`Limits`](crate::Limits).
    Limit,
    /// An action or a whisper for something that is not subscribed.
    NotSubscribed,
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unauthorized => "unauthorized",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::OtherViewer => "other_viewer",
            Self::Limit => "limit",
            Self::NotSubscribed => "not_subscribed",
        })
    }
}

/// The end of a session, to be carried out when everything before it has been sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Close {
    /// The code of the close frame.
    pub code: CloseCode,
    /// Its reason text: at most 123 bytes, for whoever reads the browser's console.
    pub reason: &'static str,
}

impl Close {
    /// Whether only this process ends, and the client is to come back.
    pub(crate) fn is_restart(self) -> bool {
        self.code == CloseCode::GoingAway
    }
}
