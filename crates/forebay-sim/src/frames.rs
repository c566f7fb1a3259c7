//! The client's side of RFC 6455, as far as a client needs it.

/// One frame from the server.
#[derive(Debug)]
pub(crate) enum Frame {
    /// A text message.
    Text(String),
    /// A Ping, to be answered with the same bytes.
    Ping(Vec<u8>),
    /// The end.
    Close,
}

/// Frames out of a byte stream.
#[derive(Debug, Default)]
pub(crate) struct Frames(Vec<u8>);

impl Frames {
    /// Takes bytes; gives the frames that are complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Frame> {
        self.0.extend_from_slice(bytes);
        let mut frames = Vec::new();
        let mut at = 0;
        while let Some((opcode, from, to)) = head(&self.0[at..]) {
            if self.0.len() < at + to {
                break;
            }
            let payload = self.0[at + from..at + to].to_vec();
            at += to;
            match opcode {
                1 => frames.push(Frame::Text(String::from_utf8(payload).unwrap_or_default())),
                9 => frames.push(Frame::Ping(payload)),
                8 => frames.push(Frame::Close),
                _ => {}
            }
        }
        self.0.drain(..at);
        frames
    }
}

/// Opcode, and where the payload begins and ends.
fn head(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (from, length) = match second & 0x7f {
        126 => (4, u64::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?))),
        127 => (10, u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?)),
        length => (2, u64::from(length)),
    };
    Some((first & 0x0f, from, from + usize::try_from(length).ok()?))
}

/// A frame from a client: masked with zeros, which masks nothing.
pub(crate) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match u16::try_from(payload.len()) {
        Ok(length) if length < 126 => frame.push(0x80 | length.to_be_bytes()[1]),
        Ok(length) => {
            frame.push(0x80 | 0x7e);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 0x7f);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}
