//! WebSocket frames (RFC 6455): reading a client's, writing a server's. No IO.

mod decoder;
mod frame;

pub use decoder::{Decoder, Event, Violation};
pub use frame::{FrameHead, Opcode, append_close, append_control, append_text};
