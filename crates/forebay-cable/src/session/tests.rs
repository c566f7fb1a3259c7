//! Scenarios with the real log and a caller that answers by hand.

mod dialects;
mod healing;
mod presence;

use forebay_log::{Class, Epoch, Log, Message, Offset, Position, Retention};

use serde_json::Value;

use super::*;
use crate::close::RejectReason;
use crate::command::{Claim, Terms};
use crate::dialect::{Around, Resync};

/// A session, the log it reads, and what its client got.
struct Pair {
    session: Session,
    log: Log,
    got: Vec<String>,
}

const NOW: UnixMillis = UnixMillis(1_000);

impl Pair {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let session = Session::open(NOW, hello(Protocol::ActionCableV1Json), Arc::new(limits));
        let mut pair = Self::of(session);
        assert_eq!(pair.drain(), [r#"{"type":"welcome","sid":"0000000000000001"}"#]);
        pair
    }

    fn of(session: Session) -> Self {
        let log = Log::new(Epoch(1), Retention::default().entries_max(100));
        Self { session, log, got: Vec::new() }
    }

    fn command(&mut self, command: &str, identifier: &str) {
        let identifier = serde_json::to_string(identifier).unwrap();
        let text = format!(r#"{{"command":"{command}","identifier":{identifier}}}"#);
        self.session.handle_text(&text);
    }

    /// Answers a waiting subscribe: the stream is named by the identifier, as is the cursor. A tag that
    /// comes back goes on behind what it is known to have.
    fn answer_subscribe(&mut self) {
        let Some(Effect::Subscribe { identifier, .. }) = self.session.poll_effect() else {
            panic!("no subscribe to answer");
        };
        let name = identifier.text("name").unwrap();
        let stream = self.log.open(name);
        let left = self.session.waiting_left().and_then(|left| left.proven);
        let start = match identifier.params.get("cursor").and_then(Value::as_u64) {
            Some(offset) => Start::After(Offset(offset).max(left.unwrap_or_default())),
            None => Start::Live,
        };
        let head = self.log.head().offset;
        let goes_on = start != Start::Live;
        let attachment =
            Attachment { stream, name: name.into(), start, head, seen: None, is_presence: false };
        self.session.confirm(vec![attachment], goes_on, refresh());
    }

    fn answer_unsubscribe(&mut self) {
        let Some(Effect::Unsubscribe { streams, .. }) = self.session.poll_effect() else {
            panic!("no unsubscribe to answer");
        };
        for stream in streams {
            self.log.close(stream);
        }
        self.session.done();
    }

    fn broadcast(&mut self, stream: &str, text: &str) {
        let json = serde_json::to_string(text).unwrap();
        self.log.append(NOW, stream, Message::json(json), Class::Log);
    }

    /// Transmits, then everything that the log has for this session, in its order. Offsets that
    /// only explain are taken out.
    fn drain(&mut self) -> Vec<String> {
        self.drain_whole().iter().map(|text| without_offset(text)).collect()
    }

    fn drain_transmits(&mut self) {
        while let Some(text) = self.session.poll_transmit() {
            self.got.push(String::from_utf8(text.to_vec()).unwrap());
        }
    }

    fn drain_whole(&mut self) -> Vec<String> {
        self.drain_transmits();
        let mut due = Vec::new();
        let readers: Vec<_> = self.session.readers().collect();
        for reader in readers {
            match self.log.read(reader.stream, reader.position, reader.attached) {
                Ok(entries) => {
                    let mut previous = reader.position;
                    due.extend(entries.map(|entry| {
                        let before = std::mem::replace(&mut previous, entry.offset);
                        (entry.offset, reader.id, before, entry.clone())
                    }));
                }
                Err(_) => return self.resync(reader.id),
            }
        }
        due.sort_by_key(|(offset, reader, ..)| (*offset, *reader));
        for (offset, reader, previous, entry) in due {
            let excepted = entry.message.excepted().is_some_and(|sid| self.session.id().is(sid));
            let message = (!excepted).then_some(&*entry.message);
            let ephemeral = entry.class == Class::Ephemeral;
            let around = Around { offset, previous, ephemeral, message };
            if let Some(wrap) = self.session.wrap(reader, around) {
                let message = message.map_or(&b""[..], |message| message.bytes());
                let text = wrap.parts(message).concat();
                self.got.push(String::from_utf8(text).unwrap());
            }
            self.session.advance(reader, offset);
        }
        self.session.caught_up(self.log.head().offset);
        self.drain_transmits();
        std::mem::take(&mut self.got)
    }

    fn resync(&mut self, reader: ReaderId) -> Vec<String> {
        let head = self.log.head().offset;
        if !self.session.resync_presence(reader, head) {
            self.session.resync(reader, head);
        }
        self.drain_whole()
    }
}

impl Pair {
    /// Sends a Ping, and the client answers it.
    fn pong(&mut self) {
        let head = self.log.head().offset;
        let mark = self.session.next_mark(head, false).unwrap();
        self.session.marked(mark);
        self.session.handle_pong(&mark.to_bytes());
    }
}

fn hello(protocol: Protocol) -> Hello {
    Hello { id: SessionId(1), protocol, epoch: Epoch(1) }
}

fn refresh() -> Resync {
    Resync::new("\"<refresh>\"")
}

fn room(cursor: u64) -> String {
    format!(r#"{{"channel":"C","name":"room","cursor":{cursor}}}"#)
}

fn confirm(identifier: &str) -> String {
    let identifier = serde_json::to_string(identifier).unwrap();
    format!(r#"{{"identifier":{identifier},"type":"confirm_subscription"}}"#)
}

fn reject(identifier: &str) -> String {
    let identifier = serde_json::to_string(identifier).unwrap();
    format!(r#"{{"identifier":{identifier},"type":"reject_subscription"}}"#)
}

/// A delivery, without the offset that it may carry.
fn message(identifier: &str, text: &str) -> String {
    let identifier = serde_json::to_string(identifier).unwrap();
    format!(r#"{{"identifier":{identifier},"message":"{text}"}}"#)
}

/// As `got`, with the offsets taken out.
fn without_offset(text: &str) -> String {
    match text.rfind(r#","offset":"#) {
        Some(at) => format!("{}}}", &text[..at]),
        None => text.to_owned(),
    }
}

#[test]
fn confirmation_then_replay_then_live_each_once() {
    let mut pair = Pair::new();
    for text in ["1", "2", "3"] {
        pair.broadcast("room", text);
    }
    pair.command("subscribe", &room(1));
    pair.broadcast("room", "4");
    assert_eq!(pair.drain(), [""; 0], "nothing before the answer");
    pair.answer_subscribe();
    pair.broadcast("room", "5");
    let expected: Vec<_> = std::iter::once(confirm(&room(1)))
        .chain(["2", "3", "4", "5"].map(|text| message(&room(1), text)))
        .collect();
    assert_eq!(pair.drain(), expected);
    assert_eq!(pair.drain(), [""; 0]);
    pair.broadcast("room", "6");
    assert_eq!(pair.drain(), [message(&room(1), "6")]);
}

#[test]
fn a_subscription_without_a_cursor_begins_now() {
    let mut pair = Pair::new();
    pair.broadcast("room", "before");
    let plain = r#"{"channel":"C","name":"room"}"#;
    pair.command("subscribe", plain);
    pair.answer_subscribe();
    pair.broadcast("room", "after");
    assert_eq!(pair.drain(), [confirm(plain), message(plain, "after")]);
}

#[test]
fn a_delivery_names_its_offset_where_the_page_has_a_cursor() {
    let mut pair = Pair::new();
    for (identifier, end) in
        [(room(0).as_str(), r#","offset":7}"#), (r#"{"channel":"C","name":"room"}"#, "}")]
    {
        pair.command("subscribe", identifier);
        pair.answer_subscribe();
        let reader = pair.session.readers().last().unwrap().id;
        let message = Message::json("1");
        let message = Some(&message);
        let (offset, previous) = (Offset(7), Offset(6));
        let around = Around { offset, previous, ephemeral: false, message };
        let wrap = pair.session.wrap(reader, around).unwrap();
        assert_eq!(wrap.after.as_bytes(), end.as_bytes());
    }
}

#[test]
fn a_duplicate_subscribe_is_confirmed_again_and_changes_nothing() {
    let mut pair = Pair::new();
    pair.command("subscribe", &room(0));
    pair.answer_subscribe();
    pair.command("subscribe", &room(0));
    assert!(pair.session.poll_effect().is_none());
    pair.broadcast("room", "1");
    assert_eq!(pair.drain(), [confirm(&room(0)), confirm(&room(0)), message(&room(0), "1")]);
}

#[test]
fn a_client_that_asks_again_while_it_waits_is_confirmed_once() {
    let mut pair = Pair::new();
    for _ in 0..3 {
        pair.command("subscribe", &room(0));
    }
    pair.answer_subscribe();
    assert_eq!(pair.drain(), [confirm(&room(0))]);
    pair.command("subscribe", &room(0));
    assert_eq!(pair.drain(), [confirm(&room(0))], "later it is told again");
}

#[test]
fn commands_wait_for_the_one_before_them() {
    let mut pair = Pair::new();
    pair.command("subscribe", &room(0));
    pair.command("unsubscribe", &room(0));
    pair.command("subscribe", &room(0));
    pair.command("subscribe", r#"{"channel":"C","name":"other"}"#);
    assert_eq!(pair.drain(), [""; 0]);
    pair.answer_subscribe();
    pair.answer_unsubscribe();
    pair.session.poll_effect();
    pair.session.reject(RejectReason::Unauthorized);
    pair.answer_subscribe();
    let other = r#"{"channel":"C","name":"other"}"#;
    assert_eq!(pair.drain(), [confirm(&room(0)), reject(&room(0)), confirm(other)]);
}

#[test]
fn a_left_subscription_that_comes_back_goes_on_where_it_left() {
    let mut pair = Pair::new();
    pair.command("subscribe", &room(0));
    pair.answer_subscribe();
    for round in 0..100 {
        pair.broadcast("room", &format!("live {round}"));
        let got = pair.drain();
        assert_eq!(got.last(), Some(&message(&room(0), &format!("live {round}"))));
        pair.pong();
        pair.command("unsubscribe", &room(0));
        pair.answer_unsubscribe();
        pair.broadcast("room", &format!("away {round}"));
        assert_eq!(pair.drain(), [""; 0]);
        pair.command("subscribe", &room(0));
        pair.answer_subscribe();
        let expected = [confirm(&room(0)), message(&room(0), &format!("away {round}"))];
        assert_eq!(pair.drain(), expected);
    }
}

#[test]
fn entries_of_several_streams_come_in_the_order_of_the_log() {
    let mut pair = Pair::new();
    let other = r#"{"channel":"C","name":"other","cursor":0}"#;
    pair.command("subscribe", &room(0));
    pair.answer_subscribe();
    pair.command("subscribe", other);
    pair.answer_subscribe();
    pair.drain();
    for (stream, text) in [("other", "1"), ("room", "2"), ("other", "3"), ("room", "4")] {
        pair.broadcast(stream, text);
    }
    let expected = [(other, "1"), (&room(0), "2"), (other, "3"), (&room(0), "4")];
    assert_eq!(pair.drain(), expected.map(|(identifier, text)| message(identifier, text)));
}

#[test]
fn a_reader_behind_history_is_resynced_and_then_live() {
    let mut pair = Pair::new();
    pair.command("subscribe", &room(0));
    pair.answer_subscribe();
    pair.drain();
    for n in 0..150 {
        pair.broadcast("room", &n.to_string());
    }
    assert_eq!(pair.drain(), [message(&room(0), "<refresh>")]);
    pair.broadcast("room", "next");
    assert_eq!(pair.drain(), [message(&room(0), "next")]);
}

#[test]
fn a_lost_start_is_confirmed_then_resynced() {
    let mut pair = Pair::new();
    pair.command("subscribe", &room(0));
    pair.session.poll_effect();
    let stream = pair.log.open("room");
    let lost = Attachment {
        stream,
        name: "room".into(),
        start: Start::Lost,
        head: Offset::ZERO,
        seen: None,
        is_presence: false,
    };
    pair.session.confirm(vec![lost], true, refresh());
    pair.broadcast("room", "next");
    let expected = [confirm(&room(0)), message(&room(0), "<refresh>"), message(&room(0), "next")];
    assert_eq!(pair.drain(), expected);
}

#[test]
fn what_makes_no_sense_is_answered_and_closed() {
    let check = |text: &str, code: CloseCode| {
        let mut pair = Pair::new();
        pair.session.handle_text(text);
        let expected = r#"{"type":"disconnect","reason":"invalid_request","reconnect":false}"#;
        assert_eq!(pair.drain(), [expected], "{text}");
        assert_eq!(pair.session.poll_close().map(|close| close.code), Some(code), "{text}");
        pair.command("subscribe", &room(0));
        assert!(pair.session.poll_effect().is_none(), "nothing is done after the end");
    };
    check("rubbish", CloseCode::InvalidPayload);
    check(r#"{"command":"subscribe"}"#, CloseCode::InvalidPayload);
    check(r#"{"command":"message","identifier":"x","data":"1"}"#, CloseCode::InvalidPayload);
    check(r#"{"command":"sing","identifier":"x"}"#, CloseCode::PolicyViolation);
}

#[test]
fn a_bad_identifier_is_rejected() {
    for identifier in ["", "x", "{}", r#"{"channel":7}"#, &format!("\"{}\"", "x".repeat(5_000))] {
        let mut pair = Pair::new();
        pair.command("subscribe", identifier);
        assert_eq!(pair.drain(), [reject(identifier)]);
    }
}

#[test]
fn an_action_on_no_subscription_is_rejected_and_unsubscribing_it_is_nothing() {
    let mut pair = Pair::new();
    pair.command("unsubscribe", "x");
    assert_eq!(pair.drain(), [""; 0]);
    pair.session.handle_text(r#"{"command":"message","identifier":"x","data":"{}"}"#);
    assert_eq!(pair.drain(), [reject("x")]);
}

#[test]
fn an_action_reaches_its_channel_in_order() {
    let mut pair = Pair::new();
    pair.command("subscribe", &room(0));
    pair.answer_subscribe();
    let identifier = serde_json::to_string(&room(0)).unwrap();
    for n in 0..2 {
        pair.session.handle_text(&format!(
            r#"{{"command":"message","identifier":{identifier},"data":"{{\"action\":\"say\",\"n\":{n}}}"}}"#
        ));
    }
    for n in 0..2 {
        let Some(Effect::Perform { id, action, data }) = pair.session.poll_effect() else {
            panic!("no action {n}");
        };
        assert_eq!((action.as_str(), data["n"].as_u64()), ("say", Some(n)));
        assert!(pair.session.transmit(id, b"1"));
        pair.session.done();
    }
    assert_eq!(pair.drain().len(), 3);
}

#[test]
fn subscriptions_are_limited() {
    let mut pair = Pair::with(Limits { subscriptions_max: 2, ..Limits::default() });
    for n in 0..4 {
        pair.command("subscribe", &room(n));
        if n < 2 {
            pair.answer_subscribe();
        }
    }
    assert_eq!(
        pair.drain(),
        [confirm(&room(0)), confirm(&room(1)), reject(&room(2)), reject(&room(3))]
    );
}

#[test]
fn a_client_that_outruns_its_answers_is_not_read_from() {
    let mut pair = Pair::with(Limits { commands_waiting_max: 3, ..Limits::default() });
    for n in 0..4 {
        assert!(pair.session.wants_input(), "{n}");
        pair.command("subscribe", &room(n));
    }
    assert!(!pair.session.wants_input());
    pair.answer_subscribe();
    assert!(pair.session.wants_input());

    let mut pair = Pair::with(Limits { transmit_bytes_max: 100, ..Limits::default() });
    for _ in 0..3 {
        pair.command("subscribe", "bad");
    }
    assert!(!pair.session.wants_input(), "answers wait to be sent");
    pair.drain();
    assert!(pair.session.wants_input());
}

#[test]
fn a_client_that_sends_without_end_is_held_back_until_time_has_passed() {
    let limits = Limits { commands_burst: 10, commands_per_second: 4, ..Limits::default() };
    let mut pair = Pair::with(limits);
    // How many commands it may send before it has to wait.
    let mut sends = |at: u64| {
        pair.session.handle_timeout(UnixMillis(NOW.0 + at));
        let mut sent = 0;
        while pair.session.wants_input() {
            pair.command("unsubscribe", &room(0));
            sent += 1;
        }
        assert!(pair.session.is_held_back());
        sent
    };
    assert_eq!(sends(0), 10);
    assert_eq!(sends(0), 0);
    assert_eq!(sends(500), 2);
    assert_eq!(sends(2_000), 6);
    assert_eq!(sends(3_600_000), 10, "it saves up no more than this");
    // A message is taken whole, and what it brought too much of is waited for.
    let mut ours = Session::open(
        NOW,
        hello(Protocol::ForebayV1Json),
        Arc::new(Limits { commands_burst: 10, commands_per_second: 10, ..Limits::default() }),
    );
    ours.handle_text(&format!("[{}]", [r#"{"command":"ping"}"#; 30].join(",")));
    ours.handle_timeout(UnixMillis(NOW.0 + 2_000));
    assert!(!ours.wants_input());
    ours.handle_timeout(UnixMillis(NOW.0 + 2_100));
    assert!(ours.wants_input());
    ours.handle_ping();
    assert!(!ours.wants_input(), "a Ping wants an answer, too");
}

#[test]
fn many_commands_in_one_message_are_worked_off_a_few_at_a_time_and_all_of_them() {
    let mut session = Session::open(NOW, hello(Protocol::ForebayV1Json), Arc::default());
    while session.poll_transmit().is_some() {}
    let array = |commands: usize| {
        let ping = r#"{"command":"ping"}"#;
        format!("[{}]", std::iter::repeat_n(ping, commands).collect::<Vec<_>>().join(","))
    };
    session.handle_text(&array(100));
    let answered = |session: &mut Session| {
        std::iter::from_fn(|| session.poll_transmit())
            .inspect(|text| assert_eq!(text, r#"{"type":"pong"}"#))
            .count()
    };
    let mut rounds = Vec::new();
    while session.is_paused() {
        assert!(!session.is_settled());
        rounds.push(answered(&mut session));
        assert_eq!(session.poll_effect(), None);
    }
    rounds.push(answered(&mut session));
    assert_eq!(rounds, [16, 16, 16, 16, 16, 16, 4]);
    assert!(session.is_settled());

    session.handle_text(&array(Limits::default().commands_each_max + 1));
    assert_eq!(session.poll_close().map(|close| close.code), Some(CloseCode::PolicyViolation));
}

#[test]
fn pings_come_every_three_seconds_and_never_pile_up() {
    let mut pair = Pair::new();
    assert_eq!(pair.session.poll_timeout(), UnixMillis(3_900));
    pair.session.handle_timeout(UnixMillis(3_899));
    assert_eq!(pair.drain(), [""; 0]);
    pair.session.handle_timeout(UnixMillis(4_000));
    pair.session.handle_timeout(UnixMillis(7_000));
    assert_eq!(pair.drain(), [r#"{"type":"ping","message":4}"#]);
    assert_eq!(pair.session.poll_timeout(), UnixMillis(9_900));
}

#[test]
fn a_refused_client_is_told_and_closed_without_a_welcome() {
    let check = |reason, told: &str, code| {
        let hello = hello(Protocol::ActionCableV1Json);
        let mut session = Session::refuse(hello, Arc::default(), reason);
        assert_eq!(session.poll_transmit().as_deref(), Some(told.as_bytes()));
        assert_eq!(session.poll_close().map(|close| close.code), Some(code));
    };
    check(
        DisconnectReason::Unauthorized,
        r#"{"type":"disconnect","reason":"unauthorized","reconnect":false}"#,
        CloseCode::Normal,
    );
    check(
        DisconnectReason::Unavailable,
        r#"{"type":"disconnect","reason":"unavailable","reconnect":true}"#,
        CloseCode::TryAgainLater,
    );
}

#[test]
fn streams_come_back_to_the_caller() {
    let mut pair = Pair::new();
    pair.command("subscribe", &room(0));
    pair.answer_subscribe();
    let reader = pair.session.readers().next().unwrap();
    let more = pair.log.open("more");
    let attachment = Attachment {
        stream: more,
        name: "room".into(),
        start: Start::Live,
        head: Offset::ZERO,
        seen: None,
        is_presence: false,
    };
    assert!(pair.session.attach(reader.subscription, attachment));
    assert!(pair.session.detach(reader.subscription, more));
    assert!(!pair.session.detach(reader.subscription, more));
    assert_eq!(pair.session.revoke(reader.subscription), [reader.stream]);
    assert_eq!(pair.drain(), [confirm(&room(0)), reject(&room(0))]);
    assert_eq!(pair.session.readers().count(), 0);
}

#[test]
fn session_ids_are_compared_as_text() {
    assert!(SessionId(0xab).is("00000000000000ab"));
    for other in ["ab", "00000000000000AC", "", "+0000000000000ab"] {
        assert!(!SessionId(0xab).is(other), "{other}");
    }
}

fn acknowledged(pair: &Pair) -> Vec<Option<u64>> {
    pair.session.acknowledged().map(|(_, offset)| offset.map(|offset| offset.0)).collect()
}

#[test]
fn a_pong_proves_what_was_sent_before_its_ping() {
    let mut pair = Pair::new();
    pair.command("subscribe", &room(0));
    pair.answer_subscribe();
    pair.drain();
    assert_eq!(pair.session.next_mark(Offset(0), false), None, "nothing to prove");
    let mut marks = Vec::new();
    for offset in 1..=3 {
        pair.broadcast("room", "text");
        pair.drain();
        let mark = pair.session.next_mark(Offset(offset), false).unwrap();
        pair.session.marked(mark);
        marks.push(mark.to_bytes());
    }
    assert_eq!(acknowledged(&pair), [Some(0)], "nothing is proven yet");
    pair.session.handle_pong(b"something else");
    pair.session.handle_pong(&u64::MAX.to_be_bytes());
    let future = Mark { through: Offset(4), subscription: SubscriptionId::default() };
    pair.session.handle_pong(&future.to_bytes());
    assert_eq!(acknowledged(&pair), [Some(0)], "nobody asked for that");
    pair.session.handle_pong(&marks[1]);
    pair.session.handle_pong(&marks[0]);
    assert_eq!(acknowledged(&pair), [Some(2)]);
    pair.session.handle_pong(&marks[2]);
    assert_eq!(
        (acknowledged(&pair), pair.session.next_mark(Offset(3), false)),
        (vec![Some(3)], None)
    );
}

/// Its browser drops what its script has not come to.
#[test]
fn a_client_that_closes_the_connection_has_what_was_proven_some_pings_ago() {
    let mut pair = Pair::new();
    pair.command("subscribe", &room(0));
    pair.answer_subscribe();
    let mut now = NOW.0;
    let mut proves = |pair: &mut Pair, pings: u64| {
        pair.broadcast("room", "text");
        pair.drain();
        pair.pong();
        for _ in 0..pings {
            now += 3_000;
            pair.session.handle_timeout(UnixMillis(now));
            pair.drain();
        }
    };
    proves(&mut pair, 8);
    proves(&mut pair, 3);
    assert_eq!(acknowledged(&pair), [Some(2)], "if its connection is lost");
    pair.session.client_closes();
    assert_eq!(acknowledged(&pair), [Some(1)]);
}

#[test]
fn a_client_that_does_not_answer_is_asked_no_more() {
    let mut pair = Pair::new();
    pair.command("subscribe", &room(0));
    pair.answer_subscribe();
    let mut asked = 0;
    for offset in 1..100 {
        pair.broadcast("room", "text");
        pair.drain();
        if let Some(mark) = pair.session.next_mark(Offset(offset), false) {
            pair.session.marked(mark);
            asked += 1;
        }
    }
    assert_eq!(asked, 16);
}

/// A tag that comes and goes faster than its Pongs does not fall back to its render.
#[test]
fn what_was_proven_once_stays_proven_for_a_tag_that_comes_and_goes() {
    let mut pair = Pair::new();
    pair.command("subscribe", &room(0));
    pair.answer_subscribe();
    for text in ["1", "2"] {
        pair.broadcast("room", text);
    }
    pair.drain();
    pair.pong();
    for _ in 0..2 {
        pair.command("unsubscribe", &room(0));
        pair.answer_unsubscribe();
        pair.command("subscribe", &room(0));
        pair.answer_subscribe();
    }
    assert_eq!(acknowledged(&pair), [Some(2)]);
}

#[test]
fn a_mark_proves_nothing_for_a_subscription_that_waits() {
    let mut pair = Pair::new();
    pair.command("subscribe", &room(0));
    pair.answer_subscribe();
    for text in ["1", "2", "3"] {
        pair.broadcast("room", text);
    }
    pair.drain();
    pair.command("subscribe", &room(1));
    let mark = pair.session.next_mark(Offset(3), false).unwrap();
    pair.session.marked(mark);
    pair.answer_subscribe();
    pair.session.handle_pong(&mark.to_bytes());
    assert_eq!(acknowledged(&pair), [Some(3), Some(1)]);
}

#[test]
fn a_mark_proves_nothing_for_a_younger_subscription() {
    let mut pair = Pair::new();
    for text in ["1", "2", "3"] {
        pair.broadcast("room", text);
    }
    pair.command("subscribe", &room(2));
    pair.answer_subscribe();
    pair.drain();
    let mark = pair.session.next_mark(Offset(3), false).unwrap();
    pair.session.marked(mark);
    pair.command("subscribe", &room(0));
    pair.answer_subscribe();
    pair.session.handle_pong(&mark.to_bytes());
    // The second one's replay of 1 to 3 may be lost with the socket.
    assert_eq!(acknowledged(&pair), [Some(3), Some(0)]);
}

#[test]
fn what_a_left_subscription_was_sent_is_told_apart_from_what_is_proven() {
    let mut pair = Pair::new();
    pair.command("subscribe", &room(0));
    pair.answer_subscribe();
    pair.broadcast("room", "1");
    pair.drain();
    pair.command("unsubscribe", &room(0));
    pair.answer_unsubscribe();
    pair.command("subscribe", &room(0));
    let left = pair.session.waiting_left().unwrap();
    assert_eq!((left.sent, left.proven), (Offset(1), Some(Offset(0))));
    pair.answer_subscribe();
    assert_eq!(acknowledged(&pair), [Some(0)]);
    assert_eq!(pair.drain(), [confirm(&room(0)), message(&room(0), "1")]);
}

#[test]
fn a_resync_that_is_not_proven_is_owed_again() {
    let mut pair = Pair::new();
    pair.command("subscribe", &room(0));
    pair.session.poll_effect();
    let stream = pair.log.open("room");
    let lost = Attachment {
        stream,
        name: "room".into(),
        start: Start::Lost,
        head: Offset::ZERO,
        seen: None,
        is_presence: false,
    };
    pair.session.confirm(vec![lost], true, refresh());
    assert_eq!(acknowledged(&pair), [None]);
}

#[test]
fn pages_without_a_cursor_are_not_pinged() {
    let mut pair = Pair::new();
    pair.command("subscribe", r#"{"channel":"C","name":"room"}"#);
    pair.answer_subscribe();
    pair.broadcast("room", "1");
    pair.drain();
    assert_eq!((acknowledged(&pair), pair.session.next_mark(Offset(1), false)), (vec![], None));
}
