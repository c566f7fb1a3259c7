//! Bytes in and out: the WebSocket handshake, its frames, and one task per connection; and the
//! same sessions over single HTTP exchanges ([`EventStream`], polls).
//!
//! HTTP itself is somebody else's: an [`Endpoint`] is given a request's head and gives an answer. A
//! handshake's is the beginning of an [`Admission`], which runs over whatever stream of bytes the
//! HTTP server hands over. It has a frame reader of our own, because that costs a tenth of the memory of
//! any WebSocket crate and lets a burst leave in one write (ARCHITECTURE.md, "A WebSocket codec of our
//! own"). It costs least over a raw `TcpStream`.
//!
//! Who may subscribe to what is the application's: [`Channels`].

mod channels;
mod conversation;
mod door;
mod driver;
mod endpoint;
mod excerpt;
mod exchange;
mod handshake;
mod origins;
mod sockets;
mod source;
pub mod ws;

pub use channels::{
    Answer, Begin, Channels, Denial, Handler, Identity, Later, MEMBER_HTML, Op, Present, Rejected,
    Request, Roster, Stream, Subscribed, Whom,
};
pub use door::{Denied, Door, DoorError, Ends};
pub use driver::drive;
pub use endpoint::{Admission, Endpoint, ExchangeError};
pub use excerpt::excerpt;
pub use exchange::EventStream;
pub use handshake::{ExtendedConnect, HandshakeError};
pub use origins::{Origins, OriginsError};
pub use sockets::prepare;
