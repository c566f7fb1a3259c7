//! A session fed with whatever a client may send, line by line: it answers or closes, and every
//! text that it sends is JSON.
#![no_main]

use std::sync::Arc;

use forebay_cable::{Effect, Limits, Resync, Session, SessionId};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let limits = Limits { subscriptions_max: 3, ..Limits::default() };
    let mut session = Session::open(Default::default(), SessionId(1), Arc::new(limits));
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
                Effect::Unsubscribe { .. } => session.done(),
            }
        }
        assert!(session.subscription_ids().count() <= 3);
    }
    while let Some(text) = session.poll_transmit() {
        assert_json(&text);
    }
});

/// Enough of a check without a JSON parser of its own: balanced, and an object.
fn assert_json(text: &[u8]) {
    assert!(text.starts_with(b"{") && text.ends_with(b"}"));
    assert!(text.iter().all(|byte| *byte >= 0x20), "control characters are escaped");
}
