//! A session of any protocol fed with whatever a client may send, line by line: it answers or
//! closes, and every text that it sends is JSON, or an event.
#![no_main]

use std::sync::Arc;

use forebay_cable::{
    Attachment, Effect, Hello, Limits, Protocol, Resync, Session, SessionId, Start,
};
use forebay_log::{Epoch, Log, Member, Offset, Retention};
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
    let mut log = Log::new(Epoch(1), Retention::default());
    for line in text.lines() {
        session.handle_text(line);
        while let Some(effect) = session.poll_effect() {
            match effect {
                Effect::Subscribe { .. } => {
                    let presence = session.tells_presence().then(|| Attachment {
                        stream: log.open("presence"),
                        name: "presence".into(),
                        start: Start::Live,
                        head: Offset::ZERO,
                        seen: None,
                        is_presence: true,
                    });
                    session.confirm(presence.into_iter().collect(), false, Resync::new("null"));
                }
                Effect::Perform { id, .. } => {
                    session.transmit(id, b"1");
                    session.done();
                }
                Effect::Place { id, .. } => session.place(id, &[]),
                Effect::Whisper { .. } => session.whispered(false),
                Effect::Join { id, joining } if joining.id.len() < 10 => {
                    session.joined(id, Ok(joining));
                }
                Effect::Join { id, .. } => session.joined(id, Err("\"\u{1}")),
                Effect::Leave { id } => session.left_presence(id, true),
                Effect::Unsubscribe { .. } => session.done(),
                other => unreachable!("{other:?} is to be answered here"),
            }
        }
        session.caught_up(Offset::ZERO);
        while let Some(asks) = session.asks_members() {
            session.say_members(asks, 1, &[Member::new("ann", "{}")]);
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
