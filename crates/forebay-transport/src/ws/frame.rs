//! The frames that a server writes: never masked, never fragmented.

/// What a frame holds (RFC 6455, section 5.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Opcode {
    /// A further part of a message.
    Continuation = 0,
    /// A message of UTF-8 text.
    Text = 1,
    /// A message of bytes.
    Binary = 2,
    /// The end of the conversation.
    Close = 8,
    /// To be answered with a pong of the same bytes.
    Ping = 9,
    /// The answer to a ping.
    Pong = 10,
}

impl Opcode {
    pub(super) fn decode(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    pub(super) fn is_control(self) -> bool {
        self as u8 >= 8
    }
}

/// The bytes in front of an unmasked, unfragmented payload: 2, 4 or 10 of them.
#[derive(Clone, Copy, Debug)]
pub struct FrameHead {
    bytes: [u8; 10],
    len: u8,
}

impl FrameHead {
    /// The head for a payload of this length.
    pub fn new(opcode: Opcode, payload: usize) -> Self {
        let mut bytes = [0; 10];
        bytes[0] = 0x80 | opcode as u8;
        let len = if let Ok(short @ 0..=125) = u8::try_from(payload) {
            bytes[1] = short;
            2
        } else if let Ok(medium) = u16::try_from(payload) {
            bytes[1] = 126;
            bytes[2..4].copy_from_slice(&medium.to_be_bytes());
            4
        } else {
            bytes[1] = 127;
            bytes[2..10].copy_from_slice(&(payload as u64).to_be_bytes());
            10
        };
        Self { bytes, len }
    }

    /// The head as it goes on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Appends a whole text frame.
pub fn append_text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(FrameHead::new(Opcode::Text, text.len()).as_bytes());
    out.extend_from_slice(text);
}

/// Appends a ping or pong. Payloads past 125 bytes, which no control frame may have, are cut.
pub fn append_control(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    let payload = &payload[..payload.len().min(125)];
    out.extend_from_slice(FrameHead::new(opcode, payload.len()).as_bytes());
    out.extend_from_slice(payload);
}

/// Appends a close frame with a code and a reason.
pub fn append_close(out: &mut Vec<u8>, code: u16, reason: &str) {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    append_control(out, Opcode::Close, &payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(payload: usize, expected: &[u8]) {
        assert_eq!(FrameHead::new(Opcode::Text, payload).as_bytes(), expected);
    }

    #[test]
    fn lengths_take_the_shortest_form() {
        check(0, &[0x81, 0]);
        check(125, &[0x81, 125]);
        check(126, &[0x81, 126, 0, 126]);
        check(65_535, &[0x81, 126, 255, 255]);
        check(65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
