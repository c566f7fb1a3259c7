//! Reading what a client sends, byte by byte if need be. It holds at most one partial message.
//!
//! Fed with arbitrary pieces of the stream; the fuzz target `ws` checks that the pieces don't
//! matter. Extensions are never negotiated, so reserved bits are violations.

use forebay_cable::CloseCode;

use super::frame::Opcode;

/// Something that a client has sent and that is complete.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A text message.
    Text(&'a str),
    /// A ping, to be answered with the same bytes.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// The client's close frame, with its code if it gave one.
    Close(Option<u16>),
}

/// How the client broke the rules. The connection must be failed with
/// [`close_code`](Self::close_code).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A client's frame without a mask.
    #[error("frame without a mask")]
    Unmasked,
    /// A reserved bit, though no extension was agreed on.
    #[error("reserved bit set")]
    ReservedBit,
    /// An opcode that doesn't exist.
    #[error("unknown opcode")]
    UnknownOpcode,
    /// A length that is not in its shortest form, or past 2^63.
    #[error("length not in its shortest form")]
    BadLength,
    /// A control frame in pieces, or past 125 bytes.
    #[error("control frame fragmented or too long")]
    BadControl,
    /// A continuation of nothing, or a new message inside another.
    #[error("fragments out of order")]
    BadFragment,
    /// A close frame with half a code or one that must not be sent.
    #[error("close code not allowed")]
    BadClose,
    /// A binary message.
    #[error("binary messages are not supported")]
    Binary,
    /// Text that is not UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// A message past the limit.
    #[error("message too big")]
    TooBig,
}

impl Violation {
    /// The code to close with.
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::Binary => CloseCode::Unsupported,
            Self::NotUtf8 => CloseCode::InvalidPayload,
            Self::TooBig => CloseCode::TooBig,
            _ => CloseCode::ProtocolError,
        }
    }

    /// The reason to close with.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Unmasked => "frame without a mask",
            Self::ReservedBit => "reserved bit set",
            Self::UnknownOpcode => "unknown opcode",
            Self::BadLength => "bad frame length",
            Self::BadControl => "bad control frame",
            Self::BadFragment => "fragments out of order",
            Self::BadClose => "bad close frame",
            Self::Binary => "binary messages are not supported",
            Self::NotUtf8 => "text is not UTF-8",
            Self::TooBig => "message too big",
        }
    }
}

/// A frame whose head has been read.
#[derive(Clone, Copy, Debug)]
struct Frame {
    opcode: Opcode,
    is_final: bool,
    mask: [u8; 4],
    /// Payload bytes that are still to come.
    left: usize,
}

/// Reads one client's frames.
#[derive(Debug)]
pub struct Decoder {
    message_bytes_max: usize,
    head: [u8; 14],
    head_len: usize,
    frame: Option<Frame>,
    /// The text message so far, if one has begun.
    message: Option<Vec<u8>>,
    control: Vec<u8>,
    lent: Lent,
}

/// What the last event has lent out, to be let go before the next.
#[derive(Clone, Copy, Debug, Default)]
enum Lent {
    #[default]
    Nothing,
    Message,
    Control,
}

impl Decoder {
    /// A decoder that takes messages of up to `message_bytes_max` bytes.
    pub fn new(message_bytes_max: usize) -> Self {
        Self {
            message_bytes_max,
            head: [0; 14],
            head_len: 0,
            frame: None,
            message: None,
            control: Vec::new(),
            lent: Lent::Nothing,
        }
    }

    /// Whether it is as it was when it was new: no message has begun, and nothing that is still needed is
    /// lent out.
    pub fn is_idle(&self) -> bool {
        let has_message = self.message.is_some() && !matches!(self.lent, Lent::Message);
        self.head_len == 0 && self.frame.is_none() && !has_message
    }

    /// Takes bytes off `input` until something is complete. `None` means that `input` is used up.
    ///
    /// # Errors
    /// A [`Violation`] ends the conversation: feed nothing more.
    pub fn decode(&mut self, input: &mut &[u8]) -> Result<Option<Event<'_>>, Violation> {
        match std::mem::take(&mut self.lent) {
            Lent::Nothing => {}
            Lent::Message => self.message = None,
            Lent::Control => self.control = Vec::new(),
        }
        loop {
            let Some(mut frame) = self.frame.take() else {
                match self.read_head(input)? {
                    Some(frame) => self.frame = Some(frame),
                    None => return Ok(None),
                }
                continue;
            };
            self.read_payload(&mut frame, input);
            if frame.left > 0 {
                self.frame = Some(frame);
                return Ok(None);
            }
            if frame.opcode.is_control() {
                return self.control_event(frame.opcode).map(Some);
            }
            if frame.is_final {
                self.lent = Lent::Message;
                let message = self.message.get_or_insert_default();
                let text = std::str::from_utf8(message).map_err(|_| Violation::NotUtf8)?;
                return Ok(Some(Event::Text(text)));
            }
        }
    }

    fn read_head(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Violation> {
        loop {
            let needed = self.head_needed();
            if self.head_len >= needed {
                break;
            }
            let Some((byte, rest)) = input.split_first() else { return Ok(None) };
            self.head[self.head_len] = *byte;
            self.head_len += 1;
            *input = rest;
            self.check_head()?;
        }
        let frame = self.finish_head()?;
        self.head_len = 0;
        Ok(Some(frame))
    }

    /// How long the head is, as far as its bytes tell.
    fn head_needed(&self) -> usize {
        if self.head_len < 2 {
            return 2;
        }
        let length = match self.head[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + length + 4
    }

    /// Refuses a frame at the first byte that shows that it is invalid, instead of waiting for the rest.
    fn check_head(&self) -> Result<(), Violation> {
        let [first, second, ..] = self.head;
        match self.head_len {
            1 if first & 0x70 != 0 => Err(Violation::ReservedBit),
            1 => {
                let opcode = Opcode::decode(first & 0x0f).ok_or(Violation::UnknownOpcode)?;
                let begun = self.message.is_some();
                match opcode {
                    Opcode::Binary => Err(Violation::Binary),
                    Opcode::Continuation if !begun => Err(Violation::BadFragment),
                    Opcode::Text if begun => Err(Violation::BadFragment),
                    _ if opcode.is_control() && first & 0x80 == 0 => Err(Violation::BadControl),
                    _ => Ok(()),
                }
            }
            2 if second & 0x80 == 0 => Err(Violation::Unmasked),
            2 if first & 0x08 != 0 && second & 0x7f > 125 => Err(Violation::BadControl),
            _ => Ok(()),
        }
    }

    fn finish_head(&mut self) -> Result<Frame, Violation> {
        let length_end = self.head_needed() - 4;
        let length = match &self.head[2..length_end] {
            [] => u64::from(self.head[1] & 0x7f),
            [high, low] => match u16::from_be_bytes([*high, *low]) {
                ..=125 => return Err(Violation::BadLength),
                length => length.into(),
            },
            bytes => match bytes.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)) {
                ..=0xffff | 0x8000_0000_0000_0000.. => return Err(Violation::BadLength),
                length => length,
            },
        };
        let opcode = Opcode::decode(self.head[0] & 0x0f).ok_or(Violation::UnknownOpcode)?;
        let left = usize::try_from(length).map_err(|_| Violation::TooBig)?;
        if !opcode.is_control() {
            let so_far = self.message.get_or_insert_default().len();
            if left > self.message_bytes_max - so_far {
                return Err(Violation::TooBig);
            }
        }
        let mut mask = [0; 4];
        mask.copy_from_slice(&self.head[length_end..length_end + 4]);
        Ok(Frame { opcode, is_final: self.head[0] & 0x80 != 0, mask, left })
    }

    fn read_payload(&mut self, frame: &mut Frame, input: &mut &[u8]) {
        let (payload, rest) = input.split_at(frame.left.min(input.len()));
        *input = rest;
        frame.left -= payload.len();
        let into = if frame.opcode.is_control() {
            &mut self.control
        } else {
            self.message.get_or_insert_default()
        };
        let begin = into.len();
        into.extend_from_slice(payload);
        let (words, rest) = into[begin..].as_chunks_mut::<4>();
        for bytes in words.iter_mut().map(|word| &mut word[..]).chain([rest]) {
            bytes.iter_mut().zip(frame.mask).for_each(|(byte, mask)| *byte ^= mask);
        }
        // So that the next piece goes on with the right byte of the mask.
        frame.mask.rotate_left(payload.len() % 4);
    }

    fn control_event(&mut self, opcode: Opcode) -> Result<Event<'_>, Violation> {
        // Not the message: this frame may stand between two of its fragments.
        self.lent = Lent::Control;
        Ok(match opcode {
            Opcode::Close => Event::Close(close_code(&self.control)?),
            Opcode::Ping => Event::Ping(&self.control),
            _ => Event::Pong(&self.control),
        })
    }
}

fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [_] => return Err(Violation::BadClose),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    // RFC 6455, section 7.4: 1004 to 1006 and 1015 never travel; 1016 to 2999 are not given out.
    match code {
        1000..=1003 | 1007..=1014 | 3000..=4999 => {}
        _ => return Err(Violation::BadClose),
    }
    std::str::from_utf8(reason).map_err(|_| Violation::NotUtf8)?;
    Ok(Some(code))
}

#[cfg(test)]
mod tests;
