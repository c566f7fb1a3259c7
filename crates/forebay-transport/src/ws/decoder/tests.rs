//! The rules of RFC 6455 one by one, and that pieces don't matter.

use proptest::prelude::*;

use super::*;

const MAX: usize = 1_000;

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..=125 => bytes.push(0x80 | u8::try_from(short).unwrap()),
        medium => {
            bytes.push(0x80 | 0x7e);
            bytes.extend(u16::try_from(medium).unwrap().to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// Everything that comes out of these bytes, as text, fed in pieces of the given sizes.
fn decode(bytes: &[u8], pieces: &[usize]) -> Vec<String> {
    let mut decoder = Decoder::new(MAX);
    let mut sizes = pieces.iter().copied().chain(std::iter::repeat(usize::MAX));
    let mut rest = bytes;
    let mut events = Vec::new();
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(usize::MAX).clamp(1, rest.len());
        let (mut piece, further) = rest.split_at(size);
        rest = further;
        loop {
            match decoder.decode(&mut piece) {
                Ok(Some(event)) => events.push(format!("{event:?}")),
                Ok(None) => break,
                Err(violation) => {
                    events.push(violation.to_string());
                    return events;
                }
            }
        }
        assert!(piece.is_empty());
    }
    events
}

fn check(frames: &[Vec<u8>], expected: &[&str]) {
    let bytes = frames.concat();
    assert_eq!(decode(&bytes, &[]), expected, "in one piece");
    assert_eq!(decode(&bytes, &vec![1; bytes.len()]), expected, "byte by byte");
}

#[test]
fn messages_whole_and_in_fragments() {
    check(&[frame(0x81, b"hi"), frame(0x81, b"")], &[r#"Text("hi")"#, r#"Text("")"#]);
    let long = "x".repeat(300);
    check(&[frame(0x81, long.as_bytes())], &[&format!("Text({long:?})")]);
    check(&[frame(0x01, b"a"), frame(0x00, b"b"), frame(0x80, b"c")], &[r#"Text("abc")"#]);
    let halves = [frame(0x01, &[0xc3]), frame(0x80, &[0xa9])];
    check(&halves, &["Text(\"é\")"]);
}

#[test]
fn control_frames_come_between_fragments() {
    let frames = [frame(0x01, b"a"), frame(0x89, b"p"), frame(0x8a, b""), frame(0x80, b"b")];
    check(&frames, &["Ping([112])", "Pong([])", r#"Text("ab")"#]);
    check(&[frame(0x88, &[3, 232]), frame(0x88, b"")], &["Close(Some(1000))", "Close(None)"]);
}

#[test]
fn broken_rules_are_named() {
    let unmasked = vec![0x81, 1, b'x'];
    check(&[unmasked], &["frame without a mask"]);
    check(&[frame(0xc1, b"")], &["reserved bit set"]);
    check(&[frame(0x91, b"")], &["reserved bit set"]);
    check(&[frame(0x83, b"")], &["unknown opcode"]);
    check(&[frame(0x8b, b"")], &["unknown opcode"]);
    check(&[frame(0x82, b"")], &["binary messages are not supported"]);
    check(&[frame(0x09, b"")], &["control frame fragmented or too long"]);
    check(&[frame(0x89, &[0; 126])], &["control frame fragmented or too long"]);
    check(&[frame(0x80, b"x")], &["fragments out of order"]);
    check(&[frame(0x01, b"x"), frame(0x81, b"y")], &["fragments out of order"]);
    check(&[frame(0x81, &[0xff])], &["text is not UTF-8"]);
    check(&[frame(0x88, &[3])], &["close code not allowed"]);
    check(&[frame(0x88, &[3, 0xed])], &["close code not allowed"]);
    check(&[frame(0x88, &[3, 232, 0xff])], &["text is not UTF-8"]);
    check(&[vec![0x81, 0xfe, 0, 125, 0, 0, 0, 0]], &["length not in its shortest form"]);
    let long = |high: u8| vec![0x81, 0xff, high, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0];
    check(&[long(0)], &["length not in its shortest form"]);
    check(&[long(0x80)], &["length not in its shortest form"]);
    check(&[long(0x01)], &["message too big"]);
}

#[test]
fn a_message_past_the_limit_is_refused_before_it_is_held() {
    check(&[frame(0x81, &[b'x'; MAX])], &[&format!("Text({:?})", "x".repeat(MAX))]);
    check(&[frame(0x81, &[b'x'; MAX + 1])], &["message too big"]);
    check(&[frame(0x01, &[b'x'; MAX]), frame(0x80, b"x")], &["message too big"]);
}

#[test]
fn an_idle_decoder_holds_nothing() {
    let mut decoder = Decoder::new(MAX);
    let bytes = [frame(0x81, &[b'x'; 500]), frame(0x89, &[b'x'; 100])].concat();
    let mut input = &bytes[..];
    while decoder.decode(&mut input).unwrap().is_some() {}
    assert!(decoder.message.is_none() && decoder.control.capacity() == 0);
}

proptest! {
    #[test]
    fn pieces_do_not_matter(
        messages in prop::collection::vec((".{0,40}", 0usize..3, any::<bool>()), 0..8),
        pieces in prop::collection::vec(1usize..9, 0..60),
    ) {
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for (text, cuts, ping) in messages {
            let parts: Vec<_> = text.as_bytes().chunks(text.len() / (cuts + 1) + 1).collect();
            for (index, part) in parts.iter().enumerate() {
                let fin = if index + 1 == parts.len() { 0x80 } else { 0 };
                bytes.extend(frame(fin | u8::from(index == 0), part));
                if ping && fin == 0 {
                    bytes.extend(frame(0x89, b"p"));
                    expected.push("Ping([112])".to_owned());
                }
            }
            if parts.is_empty() {
                bytes.extend(frame(0x81, b""));
            }
            expected.push(format!("{:?}", Event::Text(&text)));
        }
        prop_assert_eq!(decode(&bytes, &pieces), expected);
    }

    #[test]
    fn rubbish_never_panics_and_pieces_do_not_matter(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        pieces in prop::collection::vec(1usize..9, 0..60),
    ) {
        prop_assert_eq!(decode(&bytes, &[]), decode(&bytes, &pieces));
    }
}
