//! What a server sends, cut into messages: WebSocket frames (RFC 6455, unmasked) or server-sent
//! events.

/// One message from the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Incoming<'a> {
    Message(&'a [u8]),
    Ping(&'a [u8]),
    /// With its code and reason.
    Close(&'a [u8]),
}

/// The first frame in `bytes` with what is behind it; `None` if it is not whole.
pub(super) fn websocket(bytes: &[u8]) -> Option<(Incoming<'_>, &[u8])> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match second & 0x7f {
        126 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::try_from(u64::from_be_bytes(*length)).ok()?, rest)
        }
        short => (usize::from(short), rest),
    };
    let (payload, rest) = rest.split_at_checked(length)?;
    let incoming = match first & 0x0f {
        0x8 => Incoming::Close(payload),
        0x9 => Incoming::Ping(payload),
        _ => Incoming::Message(payload),
    };
    Some((incoming, rest))
}

/// What a Close says.
pub(super) fn reason(payload: &[u8]) -> String {
    match payload.split_first_chunk() {
        Some((code, text)) => {
            format!("closed with {} {}", u16::from_be_bytes(*code), String::from_utf8_lossy(text))
        }
        None => "closed without a code".to_owned(),
    }
}

/// The first event (or chunk head) in `bytes`, up to its empty line.
pub(super) fn event(bytes: &[u8]) -> Option<(Incoming<'_>, &[u8])> {
    let end = memchr::memmem::find(bytes, b"\n\n")? + 2;
    Some((Incoming::Message(&bytes[..end]), &bytes[end..]))
}

/// A client's text frame or, with `opcode` 10, its Pong: masked, as RFC 6455 wants it, with a mask
/// of zeros.
pub(super) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(opcode, 0x80, payload.len());
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// What stands before the mask and the payload of a whole message; `mask` is the bit that says whether
/// there is one.
pub(crate) fn head(opcode: u8, mask: u8, length: usize) -> Vec<u8> {
    let mut head = vec![0x80 | opcode];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => head.push(mask | short),
        (_, Ok(medium)) => {
            head.push(mask | 0x7e);
            head.extend(medium.to_be_bytes());
        }
        _ => {
            head.push(mask | 0x7f);
            head.extend((length as u64).to_be_bytes());
        }
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_where_they_end() {
        let bytes = [0x81, 2, b'h', b'i', 0x89, 1, b'p', 0x81, 5, b'h'];
        let (first, rest) = websocket(&bytes).expect("a frame");
        assert_eq!(first, Incoming::Message(b"hi"));
        let (second, rest) = websocket(rest).expect("a frame");
        assert_eq!(second, Incoming::Ping(b"p"));
        assert_eq!(websocket(rest), None);
    }

    #[test]
    fn a_close_says_why() {
        assert_eq!(reason(b"\x0b\xc4slow"), "closed with 3012 slow");
        assert_eq!(reason(b""), "closed without a code");
    }

    #[test]
    fn long_payloads_have_long_lengths() {
        let mut frame = vec![0x81, 126, 1, 0];
        frame.resize(4 + 256, b'x');
        let (incoming, rest) = websocket(&frame).expect("a frame");
        assert_eq!(incoming, Incoming::Message(&[b'x'; 256]));
        assert!(rest.is_empty());
    }

    #[test]
    fn events_end_with_an_empty_line() {
        let (event, rest) = event(b"id: 1\ndata: a\n\ndata: b").expect("an event");
        assert_eq!(event, Incoming::Message(b"id: 1\ndata: a\n\n"));
        assert_eq!(rest, b"data: b");
    }
}
