//! A session of any protocol fed with whatever a client may send, line by line: it answers or
//! closes, and every text that it sends is JSON, or an event.
#![no_main]

use std::sync::Arc;

use forebay_cable::{Effect, Hello, Limits, Protocol, Resync, Session, SessionId};
use forebay_log::Epoch;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let Ok(text) = str::from_utf8(rest) else { return };
    let protocol = match first % 4 {
        0 => Protocol::ActionCableV1Json,
        1 => Protocol::ActionCableV1ExtJson,
        2 => Protocol::ForebayV1Json,
        _ => Protocol::EventSource,
    };
    let hello = Hello { id: SessionId(1), protocol, epoch: Epoch(1) };
    let limits = Limits::default().subscriptions_max(3);
    let mut session = Session::open(Default::default(), hello, Arc::new(limits));
    for line in text.lines() {
        session.handle_text(line);
        while let Some(effect) = session.poll_effect() {
            match effect {
                Effect::Subscribe { .. } => {
                    session.confirm(Vec::new(), false, Resync::new("null"));
                }
                Effect::Perform { id, .. } => {
                    session.transmit(id, b"1");
                    session.done();
                }
                Effect::Place { id, .. } => session.place(id, &[]),
                Effect::Whisper { .. } => session.whispered(false),
                Effect::Unsubscribe { .. } => session.done(),
                other => unreachable!("{other:?} is to be answered here"),
            }
        }
        assert!(session.subscription_ids().count() <= 3);
    }
    while let Some(text) = session.poll_transmit() {
        if protocol == Protocol::EventSource {
            assert!(text.ends_with(b"\n\n"));
        } else {
            assert_json(&text);
        }
    }
});

/// Enough of a check without a JSON parser of its own: balanced, and an object.
fn assert_json(text: &[u8]) {
    assert!(text.starts_with(b"{") && text.ends_with(b"}"));
    assert!(text.iter().all(|byte| *byte >= 0x20), "control characters are escaped");
}
