//! Bytes in and out: the WebSocket handshake, its frames, and one task per connection; and the
//! same sessions over single HTTP exchanges ([`EventStream`], polls).
//!
//! HTTP itself is hyper's. After the upgrade the raw `TcpStream` is taken back from it and driven
//! with a frame reader of our own, because that costs a tenth of the memory of any WebSocket
//! crate and lets a burst leave in one write (ARCHITECTURE.md, "A WebSocket codec of our
//! own"). Where there is no raw socket (TLS in the process, HTTP/2) the same driver runs on
//! hyper's upgraded stream.
//!
//! Who may subscribe to what is the application's: [`Channels`].

mod application;
mod begin;
mod channels;
mod door;
mod driver;
mod endpoint;
mod excerpt;
mod exchange;
mod handshake;
mod origins;
mod rejections;
mod source;
pub mod ws;

pub use channels::{
    Answer, Begin, Channels, Denial, Handler, Identity, Later, Op, Rejected, Request, Stream,
    Subscribed,
};
pub use door::{Denied, Door, DoorError, Ends};
pub use driver::drive;
pub use endpoint::{Endpoint, ExchangeError, Handover};
pub use excerpt::excerpt;
pub use exchange::EventStream;
pub use handshake::HandshakeError;
pub use origins::{Origins, OriginsError};
