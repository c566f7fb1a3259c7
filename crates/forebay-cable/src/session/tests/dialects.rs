//! What the protocols do differently: positions, history, restored sessions.

use serde_json::json;

use super::*;
use crate::command::ReportKind;

fn speaking(protocol: Protocol) -> Pair {
    let session = Session::open(NOW, hello(protocol), Arc::default());
    let mut pair = Pair::of(session);
    pair.drain();
    pair
}

impl Pair {
    fn say(&mut self, command: &Value) {
        self.session.handle_text(&command.to_string());
    }

    /// Answers a waiting subscribe with the stream that the identifier names, from `start`.
    fn confirm_from(&mut self, start: Start, goes_on: bool) -> Terms {
        let Some(Effect::Subscribe { identifier, terms, .. }) = self.session.poll_effect() else {
            panic!("no subscribe to answer");
        };
        let name = identifier.text("name").unwrap();
        let (stream, head) = (self.log.open(name), self.log.head().offset);
        let attachment =
            Attachment { stream, name: name.into(), start, head, seen: None, is_presence: false };
        self.session.confirm(vec![attachment], goes_on, refresh());
        terms
    }

    fn place(&mut self, start: Start) -> Claim {
        let Some(Effect::Place { id, streams, claim }) = self.session.poll_effect() else {
            panic!("nothing to place");
        };
        let starts: Vec<_> = streams.iter().map(|stream| (*stream, start)).collect();
        self.session.place(id, &starts);
        claim
    }

    fn json(&mut self) -> Vec<Value> {
        let texts = self.drain_whole();
        texts.iter().map(|text| serde_json::from_str(text).expect(text)).collect()
    }

    /// The messages' texts, and the types of everything else.
    fn gist(&mut self) -> Vec<String> {
        let gist = |value: Value| match (&value["type"], &value["message"], &value["m"]) {
            (Value::String(kind), _, _) => kind.clone(),
            (_, Value::String(text), _) | (_, _, Value::String(text)) => text.clone(),
            _ => panic!("{value}"),
        };
        self.json().into_iter().map(gist).collect()
    }
}

const ROOM: &str = r#"{"channel":"C","name":"room"}"#;
const TAG: &str = r#"{"channel":"C","name":"room","cursor":"x"}"#;

fn after(offset: u64) -> Start {
    Start::After(Offset(offset))
}

// --- forebay-v1-json ------------------------------------------------------------------------------

#[test]
fn ours_has_positions_on_everything() {
    let mut pair = speaking(Protocol::ForebayV1Json);
    pair.broadcast("room", "1");
    pair.broadcast("elsewhere", "2");
    pair.say(&json!({"command": "subscribe", "identifier": ROOM, "after": "1.0"}));
    let terms = pair.confirm_from(after(0), false);
    assert_eq!(terms.claim, Claim::After(Position { epoch: Epoch(1), offset: Offset(0) }));
    pair.broadcast("room", "3");
    assert_eq!(
        pair.json(),
        [
            json!({"identifier": ROOM, "type": "confirm_subscription", "s": 1, "at": "1.0"}),
            json!({"s": 1, "o": 1, "p": 0, "m": "1"}),
            json!({"s": 1, "o": 3, "p": 1, "m": "3"}),
        ]
    );
}

#[test]
fn ours_welcomes_with_the_ping_interval() {
    let session = Session::open(NOW, hello(Protocol::ForebayV1Json), Arc::default());
    let welcome = json!({"type": "welcome", "sid": "0000000000000001", "ping": 3000});
    assert_eq!(Pair::of(session).json(), [welcome]);
}

#[test]
fn ours_takes_an_array_in_order_and_numbers_all_of_it() {
    let mut pair = speaking(Protocol::ForebayV1Json);
    pair.say(&json!([
        {"command": "subscribe", "identifier": "no channel"},
        {"command": "subscribe", "identifier": ROOM, "quiet": true},
        {"command": "subscribe", "identifier": TAG},
        {"command": "ping"},
    ]));
    pair.confirm_from(Start::Live, false);
    pair.confirm_from(after(0), true);
    assert_eq!(
        pair.json(),
        [
            json!({"identifier": "no channel", "type": "reject_subscription", "reason": "unauthorized"}),
            json!({"identifier": TAG, "type": "confirm_subscription", "s": 3, "at": "1.0"}),
            json!({"type": "pong"}),
        ]
    );
    pair.broadcast("room", "1");
    let s: Vec<_> = pair.json().iter().map(|entry| entry["s"].clone()).collect();
    assert_eq!(s, [2, 3]);
}

/// A node that is behind has told it to begin anew where that was, and this one begins at its cursor. Silent, it
/// would give entries behind a hole that is none.
#[test]
fn ours_is_told_where_a_quiet_subscription_begins_if_not_where_it_stands() {
    for (offset, count) in [(1, 1), (2, 0)] {
        let mut pair = speaking(Protocol::ForebayV1Json);
        let after_it = format!("1.{offset}");
        pair.broadcast("room", "1");
        pair.broadcast("room", "2");
        pair.say(
            &json!({"command": "subscribe", "identifier": TAG, "quiet": true, "after": after_it}),
        );
        pair.confirm_from(after(2), true);
        let begins = json!({"type": "rewind", "s": 1, "at": "1.2"});
        assert_eq!(pair.json(), vec![begins; count], "it stands at {offset}");
    }
}

#[test]
fn ours_says_what_is_not_for_this_client() {
    let mut pair = speaking(Protocol::ForebayV1Json);
    pair.say(&json!({"command": "subscribe", "identifier": ROOM}));
    pair.confirm_from(Start::Live, false);
    let own = Message::json("1").except(SessionId(1).to_string());
    pair.log.append(NOW, "room", own, Class::Log);
    pair.broadcast("room", "2");
    let got = pair.json();
    assert_eq!(
        got[1..],
        [json!({"s": 1, "o": 1, "p": 0}), json!({"s": 1, "o": 2, "p": 1, "m": "2"})]
    );
}

#[test]
fn ours_resyncs_with_the_position_that_follows() {
    let mut pair = speaking(Protocol::ForebayV1Json);
    pair.say(&json!({"command": "subscribe", "identifier": TAG}));
    for n in 0..7 {
        pair.broadcast("room", &n.to_string());
    }
    pair.confirm_from(Start::Lost, true);
    pair.broadcast("room", "next");
    assert_eq!(
        pair.json(),
        [
            json!({"identifier": TAG, "type": "confirm_subscription", "s": 1, "at": "1.7", "resync": true}),
            json!({"s": 1, "o": 8, "p": 7, "m": "next"}),
        ],
        "in one message: a client that has only half of it would go on from 7 without its refresh"
    );
}

#[test]
fn ours_is_resynced_when_history_leaves_it_behind() {
    let mut pair = speaking(Protocol::ForebayV1Json);
    pair.say(&json!({"command": "subscribe", "identifier": TAG}));
    pair.confirm_from(after(0), true);
    pair.drain();
    for n in 0..102 {
        pair.broadcast("room", &n.to_string());
    }
    assert_eq!(pair.json(), [json!({"identifier": TAG, "type": "resync", "s": 1, "at": "1.102"})]);
}

#[test]
fn ours_is_told_when_a_channel_reads_an_older_stream() {
    let mut pair = speaking(Protocol::ForebayV1Json);
    pair.broadcast("other", "1");
    pair.broadcast("room", "2");
    pair.say(&json!({"command": "subscribe", "identifier": ROOM}));
    pair.confirm_from(after(2), false);
    pair.drain();
    let (stream, head) = (pair.log.open("other"), pair.log.head().offset);
    let attachment = Attachment {
        stream,
        name: "other".into(),
        start: after(0),
        head,
        seen: None,
        is_presence: false,
    };
    let id = pair.session.subscription_ids().next().unwrap();
    assert!(pair.session.attach(id, attachment));
    assert_eq!(
        pair.json(),
        [json!({"type": "rewind", "s": 1, "at": "1.0"}), json!({"s": 1, "o": 1, "p": 0, "m": "1"})]
    );
}

#[test]
fn ours_takes_reports_and_bounds_them() {
    let mut pair = speaking(Protocol::ForebayV1Json);
    for offset in 0..100 {
        pair.say(&json!({"command": "report", "kind": "no_target", "offset": offset}));
    }
    let reports = pair.session.take_reports();
    assert_eq!((reports.len(), reports[1].kind), (64, ReportKind::NoTarget));
    assert_eq!(reports[1].offset, Some(Offset(1)));
    assert!(pair.session.take_reports().is_empty());
}

#[test]
fn each_protocol_refuses_the_commands_of_the_others() {
    let check = |protocol, command: &str, allowed: bool| {
        let mut pair = speaking(protocol);
        pair.say(&json!({"command": command, "identifier": ROOM, "data": 1, "kind": "gap"}));
        assert_eq!(pair.session.poll_close().is_none(), allowed, "{protocol:?} {command}");
    };
    for command in ["history", "whisper", "presence", "join", "leave"] {
        check(Protocol::ActionCableV1Json, command, false);
        check(Protocol::ActionCableV1ExtJson, command, true);
        check(Protocol::ForebayV1Json, command, false);
    }
    check(Protocol::ActionCableV1Json, "report", false);
    check(Protocol::ActionCableV1ExtJson, "report", false);
    check(Protocol::ForebayV1Json, "report", true);
    check(Protocol::ActionCableV1Json, "pong", true);
}

// --- server-sent events ---------------------------------------------------------------------------

#[test]
fn events_carry_positions_and_a_ping_moves_them_on() {
    let mut pair = speaking(Protocol::EventSource);
    pair.say(&json!({"command": "subscribe", "identifier": TAG, "after": "1.0"}));
    pair.confirm_from(after(0), true);
    pair.broadcast("elsewhere", "1");
    assert!(pair.drain().is_empty(), "nobody is told of a confirmation");
    pair.session.handle_timeout(UnixMillis(NOW.0 + 3_000));
    assert_eq!(pair.drain(), ["id: 1.1\n\n"]);
    pair.session.handle_timeout(UnixMillis(NOW.0 + 6_000));
    assert_eq!(pair.drain(), [":\n\n"]);
}

/// A node that is behind its page waits before it answers. Its own position would set the browser's back.
#[test]
fn no_event_id_moves_while_a_subscription_waits_for_its_answer() {
    let mut pair = speaking(Protocol::EventSource);
    pair.broadcast("elsewhere", "1");
    pair.say(&json!({"command": "subscribe", "identifier": TAG, "after": "1.2"}));
    pair.drain();
    pair.session.handle_timeout(UnixMillis(NOW.0 + 3_000));
    assert_eq!(pair.drain(), [":\n\n"]);
    pair.broadcast("elsewhere", "2");
    pair.confirm_from(after(2), true);
    pair.drain();
    pair.session.handle_timeout(UnixMillis(NOW.0 + 6_000));
    assert_eq!(pair.drain(), ["id: 1.2\n\n"]);
}

/// The browser keeps one position for all. If the connection ended in between, the second stream would be taken to
/// have come as far as the first.
#[test]
fn no_event_goes_out_before_all_subscriptions_are_decided() {
    let mut pair = speaking(Protocol::EventSource);
    let tag = |name: &str| format!(r#"{{"channel":"C","name":"{name}","cursor":"x"}}"#);
    let subscribe = |name| json!({"command": "subscribe", "identifier": tag(name), "after": "1.0"});
    pair.broadcast("b", "1");
    pair.broadcast("a", "2");
    pair.say(&json!([subscribe("a"), subscribe("b")]));
    pair.confirm_from(after(0), true);
    assert_eq!(pair.drain(), [""; 0], "b waits for its answer");
    assert_eq!(pair.session.sole_reader(), None);
    pair.confirm_from(after(0), true);
    assert_eq!(pair.drain(), ["id: 1.1\ndata: 1\n\n", "id: 1.2\ndata: 2\n\n"]);
}

#[test]
fn events_say_resync_to_scripts_and_refresh_to_turbo() {
    let mut pair = speaking(Protocol::EventSource);
    pair.broadcast("room", "1");
    pair.say(&json!({"command": "subscribe", "identifier": TAG}));
    pair.confirm_from(Start::Lost, true);
    let expected = "data: <refresh>\n\nevent: resync\nid: 1.1\ndata: 1.1\n\n";
    assert_eq!(pair.drain(), [expected]);
}

// --- actioncable-v1-ext-json ----------------------------------------------------------------------

fn history(rest: Value) -> Value {
    let mut command = json!({"command": "subscribe", "identifier": ROOM});
    command["history"] = rest;
    command
}

#[test]
fn extended_has_positions_and_confirms_history_behind_it() {
    let mut pair = speaking(Protocol::ActionCableV1ExtJson);
    pair.broadcast("room", "1");
    pair.say(&history(json!({"streams": {"room": {"epoch": "1", "offset": 0}}})));
    pair.confirm_from(after(0), false);
    assert_eq!(
        pair.json(),
        [
            json!({"identifier": ROOM, "type": "confirm_subscription"}),
            json!({"identifier": ROOM, "message": "1", "stream_id": "room", "epoch": "1", "offset": 1}),
            json!({"identifier": ROOM, "type": "confirm_history"}),
        ]
    );
    pair.broadcast("room", "2");
    assert_eq!(pair.gist(), ["2"]);
}

#[test]
fn extended_ephemeral_entries_have_no_position() {
    let mut pair = speaking(Protocol::ActionCableV1ExtJson);
    pair.say(&json!({"command": "subscribe", "identifier": ROOM}));
    pair.confirm_from(Start::Live, false);
    pair.log.append(NOW, "room", Message::json("1"), Class::Ephemeral);
    assert_eq!(pair.json()[1], json!({"identifier": ROOM, "message": 1}));
}

#[test]
fn extended_history_that_is_gone_is_rejected_and_turbo_heals() {
    let mut pair = speaking(Protocol::ActionCableV1ExtJson);
    pair.say(&history(json!({"since": 1})));
    pair.confirm_from(Start::Lost, false);
    pair.broadcast("room", "1");
    assert_eq!(pair.gist(), ["confirm_subscription", "reject_history", "<refresh>", "1"]);
}

#[test]
fn extended_owes_one_answer_to_a_client_that_asks_without_reading() {
    let mut pair = speaking(Protocol::ActionCableV1ExtJson);
    pair.say(&json!({"command": "subscribe", "identifier": ROOM}));
    pair.confirm_from(Start::Live, false);
    for _ in 0..1_000 {
        pair.say(&json!({"command": "history", "identifier": ROOM, "history": {"since": 1}}));
        pair.place(Start::Live);
    }
    assert_eq!(pair.gist(), ["confirm_subscription", "confirm_history"]);
}

#[test]
fn extended_trusts_its_client_only_at_first_where_there_is_a_cursor() {
    let mut pair = speaking(Protocol::ActionCableV1ExtJson);
    let mut command = history(json!({"streams": {"room": {"epoch": "1", "offset": 9}}}));
    command["identifier"] = TAG.into();
    pair.say(&command);
    let first = pair.confirm_from(after(0), true);
    assert!(matches!(first.claim, Claim::History(_)), "it has come back from a lost connection");
    pair.say(&json!({"command": "unsubscribe", "identifier": TAG}));
    pair.answer_unsubscribe();
    pair.say(&command);
    assert_eq!(pair.confirm_from(after(0), true).claim, Claim::None, "it was left here");
    command["identifier"] = TAG.replace('x', "y").into();
    pair.session.handle_timeout(UnixMillis(NOW.0 + 3_000));
    pair.say(&command);
    assert_eq!(pair.confirm_from(after(0), true).claim, Claim::None, "a snapshot is back");
}

/// A page's tags are subscribed one after the other, and a node that is behind has each of them wait.
#[test]
fn extended_trusts_what_its_client_said_at_first_however_long_that_waits() {
    let mut pair = speaking(Protocol::ActionCableV1ExtJson);
    let mut command = history(json!({"streams": {"room": {"epoch": "1", "offset": 9}}}));
    for tag in ["a", "b"] {
        command["identifier"] = TAG.replace('x', tag).into();
        pair.say(&command);
    }
    for intervals in 1..3 {
        pair.session.handle_timeout(UnixMillis(NOW.0 + intervals * 3_000));
    }
    command["identifier"] = TAG.replace('x', "c").into();
    pair.say(&command);
    let mut trusts = || pair.confirm_from(after(9), true).claim != Claim::None;
    assert_eq!([trusts(), trusts(), trusts()], [true, true, false]);
}

#[test]
fn extended_answers_everything() {
    let mut pair = speaking(Protocol::ActionCableV1ExtJson);
    pair.say(&json!({"command": "presence", "identifier": ROOM}));
    assert_eq!(
        pair.json(),
        [json!({
            "type": "presence", "identifier": ROOM,
            "message": {"type": "error", "reason": "not subscribed"},
        })]
    );
    pair.say(&json!({"command": "history", "identifier": ROOM, "history": {"since": 1}}));
    pair.say(&json!({"command": "whisper", "identifier": ROOM, "data": 1}));
    assert_eq!(pair.gist(), ["reject_history", "reject_subscription"]);
    pair.say(&json!({"command": "subscribe", "identifier": ROOM}));
    pair.confirm_from(Start::Live, false);
    pair.say(&json!({"command": "whisper", "identifier": ROOM, "data": {"a": 1}}));
    let Some(Effect::Whisper { json, .. }) = pair.session.poll_effect() else {
        panic!("no whisper")
    };
    assert_eq!(json, r#"{"a":1}"#);
    pair.session.whispered(false);
    assert_eq!(pair.gist(), ["confirm_subscription", "reject_whisper"]);
}

// --- S44: a history request that fails, is late, or is answered twice -------------------------------

fn ask_history(identifier: &str, offset: u64) -> Value {
    let history = json!({"streams": {"room": {"epoch": "1", "offset": offset}}});
    json!({"command": "history", "identifier": identifier, "history": history})
}

/// A subscription that began live behind one entry, and was sent two since.
fn live(identifier: &str, goes_on: bool) -> Pair {
    let mut pair = speaking(Protocol::ActionCableV1ExtJson);
    pair.broadcast("room", "1");
    pair.say(&json!({"command": "subscribe", "identifier": identifier}));
    pair.confirm_from(after(1), goes_on);
    for text in ["2", "3"] {
        pair.broadcast("room", text);
    }
    assert_eq!(pair.gist(), ["confirm_subscription", "2", "3"]);
    pair
}

/// What the page has got since it subscribed does not come again: the refresh has it, or it is there.
#[test]
fn s44_history_that_cannot_be_served_gives_nothing_again() {
    for (identifier, goes_on) in [(ROOM, false), (TAG, true)] {
        for (start, expected) in [
            (Start::Lost, &["reject_history", "<refresh>"][..]),
            (Start::Live, &["confirm_history"][..]),
        ] {
            let mut pair = live(identifier, goes_on);
            pair.say(&ask_history(identifier, 7));
            pair.place(start);
            assert_eq!(pair.gist(), expected, "{identifier} {start:?}");
            pair.broadcast("room", "4");
            assert_eq!(pair.gist(), ["4"], "{identifier} {start:?}");
        }
    }
}

/// It was confirmed first, and then refused.
#[test]
fn s44_history_that_cannot_be_served_is_refused_once_when_its_page_has_its_turn() {
    let mut pair = live(TAG, true);
    pair.say(&ask_history(TAG, 7));
    let turn = UnixMillis(NOW.0 + 700);
    pair.session.plan_healing(NOW, turn);
    pair.place(Start::Lost);
    assert_eq!(pair.gist(), [""; 0]);
    pair.session.handle_timeout(turn);
    assert_eq!(pair.gist(), ["reject_history", "<refresh>"]);
}

#[test]
fn s44_history_that_is_asked_for_twice_is_served_once() {
    let mut pair = live(ROOM, false);
    for expected in [&["1", "2", "3", "confirm_history"][..], &["confirm_history"]] {
        pair.say(&ask_history(ROOM, 0));
        pair.place(after(0));
        assert_eq!(pair.gist(), expected);
    }
    pair.broadcast("room", "4");
    assert_eq!(pair.gist(), ["4"]);
}

#[test]
fn s44_history_that_reaches_into_what_was_sent_is_sent_already() {
    for (identifier, goes_on) in [(ROOM, false), (TAG, true)] {
        let mut pair = live(identifier, goes_on);
        pair.say(&ask_history(identifier, 2));
        pair.place(after(2));
        assert_eq!(pair.gist(), ["confirm_history"], "{identifier}");
    }
}

/// The client did not say for five seconds where it goes on, and says it then.
#[test]
fn s44_history_that_is_asked_for_late_gives_what_was_not_sent() {
    let (pair, kept) = lost_session();
    let mut pair = restored(pair, kept);
    pair.confirm_from(after(0), true);
    pair.confirm_from(Start::Live, false);
    pair.session.handle_timeout(UnixMillis(NOW.0 + 5_000));
    pair.drain();
    for _ in 0..2 {
        pair.place(after(1));
        assert_eq!(pair.gist(), ["2"]);
    }
    pair.broadcast("room", "3");
    assert_eq!(pair.gist(), ["3", "3"]);
    for (identifier, offset) in [(TAG, 1), (ROOM, 1), (ROOM, 3)] {
        pair.say(&ask_history(identifier, offset));
        pair.place(after(offset));
        assert_eq!(pair.gist(), ["confirm_history"], "{identifier} {offset}");
    }
}

#[test]
fn history_that_is_not_whole_is_refused_and_given_as_far_as_there_is() {
    let mut pair = speaking(Protocol::ActionCableV1ExtJson);
    pair.broadcast("room", "1");
    pair.say(&json!({"command": "subscribe", "identifier": ROOM, "history": {"since": 5}}));
    pair.confirm_from(Start::LostAfter(Offset(0)), false);
    assert_eq!(pair.gist(), ["confirm_subscription", "reject_history", "<refresh>", "1"]);
    pair.broadcast("room", "2");
    assert_eq!(pair.gist(), ["2"]);
}

#[test]
fn s44_history_that_is_refused_twice_leaves_the_subscription_live() {
    let mut pair = live(ROOM, false);
    for text in ["4", "5"] {
        pair.say(&ask_history(ROOM, 0));
        pair.broadcast("room", text);
        pair.place(Start::Lost);
        assert_eq!(pair.gist(), ["reject_history", "<refresh>", text]);
        pair.say(&ask_history("unknown", 0));
        assert_eq!(pair.gist(), ["reject_history"]);
    }
}

/// Ours asks by subscribing: asked twice it is told where it is, and given nothing again.
#[test]
fn s44_ours_that_subscribes_twice_is_told_where_it_is() {
    let mut pair = speaking(Protocol::ForebayV1Json);
    for text in ["1", "2"] {
        pair.broadcast("room", text);
    }
    let ask = json!({"command": "subscribe", "identifier": ROOM, "after": "1.0"});
    pair.say(&ask);
    pair.confirm_from(after(0), false);
    assert_eq!(pair.gist(), ["confirm_subscription", "1", "2"]);
    pair.say(&ask);
    assert_eq!(pair.json()[0]["at"], "1.2");
    pair.broadcast("room", "3");
    assert_eq!(pair.gist(), ["3"]);
}

/// A session that had both tags and got two entries, and what is kept of it.
fn lost_session() -> (Pair, Kept) {
    let mut pair = speaking(Protocol::ActionCableV1ExtJson);
    for identifier in [TAG, ROOM] {
        pair.say(&json!({"command": "subscribe", "identifier": identifier}));
        pair.confirm_from(after(0), identifier == TAG);
    }
    pair.broadcast("room", "1");
    pair.drain();
    pair.pong();
    pair.broadcast("room", "2");
    pair.drain();
    let kept = pair.session.keep().unwrap();
    (pair, kept)
}

fn restored(pair: Pair, kept: Kept) -> Pair {
    let hello = Hello { id: SessionId(2), ..hello(Protocol::ActionCableV1ExtJson) };
    let session = Session::restore(NOW, hello, Arc::default(), kept);
    Pair { session, ..pair }
}

#[test]
fn a_restored_session_waits_for_its_client_to_say_where_it_is() {
    let (pair, kept) = lost_session();
    let mut pair = restored(pair, kept);
    assert!(pair.drain().is_empty(), "it is not welcomed before its subscriptions are decided");
    pair.confirm_from(after(0), true);
    pair.confirm_from(Start::Live, false);
    let welcome = json!({
        "type": "welcome", "sid": "0000000000000002", "restored": true, "restored_ids": [TAG, ROOM],
    });
    pair.broadcast("room", "3");
    assert_eq!(pair.json(), [welcome], "nothing overtakes its history");
    for identifier in [TAG, ROOM] {
        let streams = json!({"room": {"epoch": "1", "offset": 2}});
        let history = json!({"streams": streams});
        pair.say(&json!({"command": "history", "identifier": identifier, "history": history}));
        assert!(matches!(pair.place(after(2)), Claim::History(_)));
        assert_eq!(pair.gist(), ["3", "confirm_history"]);
    }
}

/// A server that restarts may give back tags that their page has left meanwhile. Its client says of the tags that it has
/// where it was before this connection, which is not another tag's position.
#[test]
fn a_stream_that_is_only_held_has_not_come_to_its_client() {
    let (pair, kept) = lost_session();
    let mut pair = restored(pair, kept);
    pair.confirm_from(after(0), true);
    pair.confirm_from(Start::Live, false);
    for identifier in [TAG, ROOM] {
        assert!(!pair.session.has_begun("room"), "{identifier} is held");
        pair.say(&json!({"command": "unsubscribe", "identifier": identifier}));
        pair.answer_unsubscribe();
    }
    let mut command = history(json!({"streams": {"room": {"epoch": "1", "offset": 2}}}));
    command["identifier"] = TAG.replace('x', "y").into();
    pair.say(&command);
    assert!(!pair.session.has_begun("room"));
    assert!(matches!(pair.confirm_from(after(2), true).claim, Claim::History(_)));
    assert!(pair.session.has_begun("room"), "and now it has");
}

#[test]
fn a_stream_that_was_held_has_begun_once_it_is_placed() {
    let (pair, kept) = lost_session();
    let mut pair = restored(pair, kept);
    pair.confirm_from(after(0), true);
    pair.confirm_from(Start::Live, false);
    let history = json!({"streams": {"room": {"epoch": "1", "offset": 2}}});
    pair.say(&json!({"command": "history", "identifier": TAG, "history": history}));
    pair.place(after(2));
    assert!(pair.session.has_begun("room"));
}

/// `@anycable/core` says a time with every history request, by its own clock. Where there is a
/// cursor, that is not asked for.
#[test]
fn a_restored_page_with_a_cursor_is_not_placed_by_its_clock() {
    let history = json!({"since": 99_000_000_000_u64, "streams": {}});
    let ask = json!({"command": "history", "identifier": TAG, "history": history});
    for (start, expected) in [
        (after(0), &["1", "2", "confirm_history"][..]),
        (Start::Lost, &["reject_history", "<refresh>"][..]),
    ] {
        let (pair, kept) = lost_session();
        let mut pair = restored(pair, kept);
        pair.confirm_from(start, true);
        pair.confirm_from(Start::Live, false);
        pair.drain();
        pair.say(&ask);
        let Some(Effect::Place { id, streams, claim }) = pair.session.poll_effect() else {
            panic!("nothing to place");
        };
        assert_eq!((streams, claim), (Vec::new(), Claim::History(crate::History::default())));
        pair.session.place(id, &[]);
        assert_eq!(pair.gist(), expected, "{start:?}");
    }
}

#[test]
fn a_rejection_tells_a_limit_from_what_is_not_there() {
    let reason = |text: &Value, limits: Limits| {
        let session = Session::open(NOW, hello(Protocol::ForebayV1Json), Arc::new(limits));
        let mut pair = Pair::of(session);
        pair.say(text);
        pair.json().pop().unwrap()["reason"].clone()
    };
    let action = json!({"command": "message", "identifier": ROOM, "data": "{\"action\":\"x\"}"});
    assert_eq!(reason(&action, Limits::default()), "not_subscribed");
    let nonsense = json!({"command": "subscribe", "identifier": "no channel"});
    assert_eq!(reason(&nonsense, Limits::default()), "unauthorized");
    let none = Limits { subscriptions_max: 0, ..Limits::default() };
    assert_eq!(reason(&nonsense, none.clone()), "limit");
    assert_eq!(reason(&json!({"command": "subscribe", "identifier": ROOM}), none), "limit");
}

#[test]
fn what_is_refused_now_is_not_restored() {
    let (pair, kept) = lost_session();
    let mut pair = restored(pair, kept);
    pair.session.poll_effect();
    pair.session.reject(RejectReason::Revoked);
    pair.confirm_from(Start::Live, false);
    assert_eq!(pair.json()[0]["restored_ids"], json!([ROOM]));
    let (pair, kept) = lost_session();
    let mut pair = restored(pair, kept);
    for _ in 0..2 {
        pair.session.poll_effect();
        pair.session.reject(RejectReason::Expired);
    }
    assert_eq!(pair.json(), [json!({"type": "welcome", "sid": "0000000000000002"})]);
}

#[test]
fn a_restored_client_that_says_nothing_goes_on_where_it_was_proven_to_be() {
    let (pair, kept) = lost_session();
    let mut pair = restored(pair, kept);
    pair.confirm_from(after(0), true);
    pair.confirm_from(Start::Live, false);
    pair.drain();
    pair.session.handle_timeout(UnixMillis(NOW.0 + 4_999));
    assert!(pair.session.poll_effect().is_none());
    assert_eq!(pair.session.poll_timeout(), UnixMillis(NOW.0 + 5_000));
    pair.session.handle_timeout(UnixMillis(NOW.0 + 5_000));
    pair.drain();
    for _ in 0..2 {
        let proven = Position { epoch: Epoch(1), offset: Offset(1) };
        assert_eq!(pair.place(after(1)), Claim::After(proven));
        assert_eq!(pair.gist(), ["2"]);
    }
}

/// A node that is behind decides late. Its client hears of it then, and is waited for from then on.
#[test]
fn a_restored_client_is_waited_for_from_its_welcome_on() {
    let (pair, kept) = lost_session();
    let mut pair = restored(pair, kept);
    pair.confirm_from(after(0), true);
    for seconds in 1..=6 {
        pair.session.handle_timeout(UnixMillis(NOW.0 + seconds * 1_000));
    }
    assert!(pair.drain().iter().all(|text| text.contains("ping")), "it is not welcomed yet");
    pair.confirm_from(Start::Live, false);
    pair.session.handle_timeout(UnixMillis(NOW.0 + 10_999));
    assert!(pair.session.poll_effect().is_none());
    for identifier in [TAG, ROOM] {
        pair.say(&ask_history(identifier, 2));
        assert!(matches!(pair.place(after(2)), Claim::History(_)));
    }
    pair.session.handle_timeout(UnixMillis(NOW.0 + 11_000));
    assert!(pair.session.poll_effect().is_none(), "it has said where it goes on");
}

/// What it brings to another subscription meanwhile proves nothing of those that it does not read yet.
#[test]
fn what_is_held_is_proven_by_no_pong() {
    let (pair, kept) = lost_session();
    let mut pair = restored(pair, kept);
    pair.confirm_from(after(0), true);
    pair.confirm_from(Start::Live, false);
    let third = json!({"channel": "Third", "name": "room"}).to_string();
    pair.say(&json!({"command": "subscribe", "identifier": third}));
    pair.confirm_from(Start::Live, false);
    pair.broadcast("room", "3");
    pair.drain();
    assert_eq!(pair.session.next_mark(Offset(3), true), None);
    for identifier in [TAG, ROOM] {
        pair.say(&ask_history(identifier, 2));
        pair.place(after(2));
    }
    pair.drain();
    assert!(pair.session.next_mark(Offset(3), true).is_some());
}

/// A restored session says that history is gone, and its connection is lost before that is proven to have
/// arrived. The next one goes on from what was proven before, so its client is told again.
#[test]
fn a_refusal_that_was_lost_with_its_connection_is_said_again() {
    let (pair, kept) = lost_session();
    let mut pair = restored(pair, kept);
    pair.confirm_from(after(0), true);
    pair.confirm_from(Start::Live, false);
    pair.drain();
    for identifier in [TAG, ROOM] {
        pair.say(&ask_history(identifier, 2));
        pair.place(Start::Lost);
        assert_eq!(pair.gist(), ["reject_history", "<refresh>"], "{identifier}");
    }
    let kept = pair.session.keep().unwrap();
    let mut pair = restored(pair, kept);
    pair.confirm_from(after(0), true);
    pair.confirm_from(Start::Live, false);
    pair.drain();
    pair.session.handle_timeout(UnixMillis(NOW.0 + 5_000));
    pair.drain();
    for identifier in [TAG, ROOM] {
        let proven = Position { epoch: Epoch(1), offset: Offset(1) };
        assert_eq!(pair.place(Start::Lost), Claim::After(proven), "{identifier}");
        assert_eq!(pair.gist(), ["reject_history", "<refresh>"], "{identifier}");
    }
}

#[test]
fn only_a_lost_session_is_kept() {
    let (mut pair, _) = lost_session();
    pair.session.disconnect(DisconnectReason::Remote, true);
    assert!(pair.session.keep().is_none());
    let mut pair = speaking(Protocol::ActionCableV1Json);
    pair.command("subscribe", &room(0));
    pair.answer_subscribe();
    assert!(pair.session.keep().is_none());
}
