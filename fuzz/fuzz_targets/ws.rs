//! The WebSocket frame reader: never panics, holds no more than its limit lets it, and does not
//! care in which pieces the bytes come. The first byte says where to cut.
#![no_main]

use forebay_transport::ws::Decoder;
use libfuzzer_sys::fuzz_target;

const MESSAGE_BYTES_MAX: usize = 4096;

fn events(pieces: &[&[u8]]) -> Vec<String> {
    let mut decoder = Decoder::new(MESSAGE_BYTES_MAX);
    let mut events = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        loop {
            match decoder.decode(&mut rest) {
                Ok(Some(event)) => events.push(format!("{event:?}")),
                Ok(None) => break,
                Err(violation) => {
                    events.push(violation.to_string());
                    return events;
                }
            }
        }
        assert!(rest.is_empty(), "bytes were left without a reason");
    }
    events
}

fuzz_target!(|data: &[u8]| {
    let Some((cut, bytes)) = data.split_first() else { return };
    let (first, second) = bytes.split_at(usize::from(*cut).min(bytes.len()));
    let whole = events(&[bytes]);
    assert_eq!(whole, events(&[first, second]));
    assert!(whole.iter().all(|event| event.len() <= 6 * MESSAGE_BYTES_MAX + 20));
});
