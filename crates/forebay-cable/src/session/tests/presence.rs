//! AnyCable's presence: what a client is told, where in the order, and what its next session knows.

use forebay_log::{Change, Member, presence_stream};
use serde_json::json;

use super::*;
use crate::command::Joining;

const ROOM: &str = r#"{"channel":"C","name":"room"}"#;

fn member(id: &str) -> Member {
    Member::new(id, format!(r#"{{"name":"{id}"}}"#))
}

fn record(id: &str) -> Value {
    json!({"id": id, "info": {"name": id}})
}

fn said(message: impl Into<Value>) -> Value {
    let message: Value = message.into();
    json!({"type": "presence", "identifier": ROOM, "message": message})
}

impl Pair {
    fn attending(mut self) -> Self {
        self.command_json(&json!({"command": "subscribe", "identifier": ROOM}));
        self.confirm_attending();
        self.told_to(&[]);
        self
    }

    /// Answers a waiting subscribe with the stream that the identifier names, and its presence stream.
    fn confirm_attending(&mut self) -> Terms {
        let Some(Effect::Subscribe { identifier, terms, .. }) = self.session.poll_effect() else {
            panic!("no subscribe to answer");
        };
        assert!(self.session.tells_presence());
        let name = identifier.text("name").unwrap();
        let names = [(name.to_owned(), false), (presence_stream(name), true)];
        let proven = self.session.waiting_proven();
        let attachments = names.map(|(name, is_presence)| {
            let (stream, head) = (self.log.open(&name), self.log.head().offset);
            let start = proven.filter(|_| is_presence).map_or(Start::Live, Start::After);
            Attachment { stream, name: name.into(), start, head, seen: None, is_presence }
        });
        self.session.confirm(attachments.into(), false, refresh());
        terms
    }

    fn change(&mut self, change: Change, html: Option<&str>) {
        let html = html.map(|html| serde_json::to_string(html).unwrap());
        let message = Message::of_change(change, html);
        self.log.append(NOW, &presence_stream("room"), message, Class::Log);
    }

    fn comes(&mut self, id: &str) {
        let joined = vec![member(id)];
        self.change(Change { joined, total: 1, ..Change::default() }, None);
    }

    /// Everything that goes out, one text for each that its client gets; and where somebody asks who is present,
    /// these are.
    fn told_to(&mut self, present: &[&str]) -> Vec<Value> {
        let mut texts = self.drain_whole();
        let members: Vec<_> = present.iter().map(|id| member(id)).collect();
        while let Some(asks) = self.session.asks_members() {
            self.session.say_members(asks, members.len(), &members);
            texts.extend(self.drain_whole());
        }
        let texts = texts.iter().flat_map(|text| text.split(char::from(crate::RECORD_END)));
        texts.map(|text| serde_json::from_str(text).expect(text)).collect()
    }

    fn command_json(&mut self, command: &Value) {
        self.session.handle_text(&command.to_string());
    }
}

fn speaking() -> Pair {
    let hello = hello(Protocol::ActionCableV1ExtJson);
    let mut pair = Pair::of(Session::open(NOW, hello, Arc::default()));
    pair.drain();
    pair
}

#[test]
fn a_client_is_told_each_change_as_its_protocol_says_it_and_in_the_order_of_the_log() {
    let mut pair = speaking().attending();
    pair.comes("ann");
    pair.broadcast("room", "1");
    let updated = vec![Member::new("ann", " [1,\n2] ")];
    let change = Change {
        joined: vec![member("bob"), member("\u{1e}\"")],
        updated,
        left: vec![member("eve")],
        total_before: 2,
        total: 3,
    };
    pair.change(change, Some("<b>for pages</b>"));
    pair.change(Change { total_before: 3, total: 2_000, ..Change::default() }, None);
    let got = pair.told_to(&[]);
    let join = |record: Value| {
        let mut message = record;
        message["type"] = "join".into();
        said(message)
    };
    assert_eq!(got[0], join(record("ann")));
    assert_eq!(got[1]["message"], "1");
    let expected = [
        join(record("bob")),
        join(json!({"id": "\u{1e}\"", "info": null})),
        join(json!({"id": "ann", "info": [1, 2]})),
        said(json!({"type": "leave", "id": "eve"})),
        said(json!({"type": "info", "total": 2_000})),
    ];
    assert_eq!(got[2..], expected);
}

#[test]
fn a_page_that_reads_the_presence_stream_itself_gets_the_html_and_nothing_where_there_is_none() {
    for protocol in [Protocol::ActionCableV1Json, Protocol::ActionCableV1ExtJson] {
        let mut pair = Pair::of(Session::open(NOW, hello(protocol), Arc::default()));
        let name = presence_stream("room");
        pair.command_json(&json!({"command": "subscribe", "identifier": json!({"channel": "C", "name": name}).to_string()}));
        pair.answer_subscribe();
        pair.drain();
        pair.comes("ann");
        assert_eq!(pair.told_to(&[]), [json!(null); 0]);
        let change = Change { joined: vec![member("bob")], total: 2, ..Change::default() };
        pair.change(change, Some("<b>bob</b>"));
        let [got] = &pair.told_to(&[])[..] else { panic!("one message") };
        assert_eq!((&got["message"], &got["type"]), (&json!("<b>bob</b>"), &json!(null)));
    }
}

#[test]
fn what_is_asked_of_presence_is_answered() {
    let mut pair = speaking().attending();
    let presence = json!({"id": "ann", "info": {"name": "ann"}});
    pair.command_json(&json!({"command": "join", "identifier": ROOM, "presence": presence}));
    let Some(Effect::Join { id, joining }) = pair.session.poll_effect() else { panic!("no join") };
    assert_eq!((&*joining.id, &*joining.info), ("ann", r#"{"name":"ann"}"#));
    pair.session.joined(id, Err("not you"));
    assert_eq!(
        pair.told_to(&[]),
        [said(json!({"type": "reject", "command": "join", "reason": "not you"}))]
    );
    pair.command_json(&json!({"command": "join", "identifier": ROOM, "presence": presence}));
    pair.session.poll_effect();
    pair.session.joined(id, Ok(joining));
    assert_eq!(pair.told_to(&[]), [said(json!({"type": "accept", "command": "join"}))]);
    for (was_present, kind) in [(true, "accept"), (false, "reject")] {
        pair.command_json(&json!({"command": "leave", "identifier": ROOM, "presence": presence}));
        let Some(Effect::Leave { id }) = pair.session.poll_effect() else { panic!("no leave") };
        pair.session.left_presence(id, was_present);
        let [got] = &pair.told_to(&[])[..] else { panic!("one answer") };
        assert_eq!(
            (&got["message"]["type"], &got["message"]["command"]),
            (&kind.into(), &"leave".into())
        );
    }
    for command in ["join", "leave"] {
        pair.command_json(&json!({"command": command, "identifier": "x"}));
        let [got] = &pair.told_to(&[])[..] else { panic!("one answer") };
        assert_eq!(
            got["message"],
            json!({"type": "reject", "command": command, "reason": "not subscribed"})
        );
    }
    assert_eq!(pair.session.take_rejections(), 2);
}

#[test]
fn what_makes_no_sense_in_a_join_is_refused_as_an_id_and_ends_nothing() {
    let mut pair = speaking().attending();
    for presence in
        [json!(null), json!(1), json!({}), json!({"id": 7}), json!({"id": null, "info": 1})]
    {
        pair.command_json(&json!({"command": "join", "identifier": ROOM, "presence": presence}));
        let Some(Effect::Join { id, joining }) = pair.session.poll_effect() else {
            panic!("no join")
        };
        assert_eq!(joining, Joining::default(), "{presence}");
        pair.session.joined(id, Err("no"));
    }
    pair.command_json(&json!({"command": "join", "identifier": ROOM, "presence": {"id": "ann"}}));
    let Some(Effect::Join { joining, .. }) = pair.session.poll_effect() else { panic!("no join") };
    assert_eq!(&*joining.info, "null");
    assert_eq!(pair.session.poll_close(), None);
}

#[test]
fn who_is_present_is_said_once_where_everything_before_it_is_sent() {
    let mut pair = speaking().attending();
    pair.comes("ann");
    for _ in 0..100 {
        pair.command_json(&json!({"command": "presence", "identifier": ROOM, "data": {}}));
    }
    pair.command_json(
        &json!({"command": "presence", "identifier": ROOM, "data": {"return_records": false}}),
    );
    let got = pair.told_to(&["ann", "bob"]);
    let info = said(json!({"type": "info", "total": 2, "records": [record("ann"), record("bob")]}));
    assert_eq!(got[1..], [info, said(json!({"type": "info", "total": 2}))]);
    assert_eq!(got[0]["message"]["type"], "join");
    pair.command_json(&json!({"command": "presence", "identifier": ROOM}));
    assert_eq!(pair.told_to(&[]), [said(json!({"type": "info", "total": 0}))]);
}

#[test]
fn where_nobody_can_be_present_that_is_said() {
    let mut pair = speaking();
    pair.command_json(&json!({"command": "subscribe", "identifier": ROOM}));
    pair.answer_subscribe();
    pair.told_to(&[]);
    pair.command_json(&json!({"command": "presence", "identifier": ROOM}));
    let reason = "nobody can be present on this stream";
    assert_eq!(pair.told_to(&[]), [said(json!({"type": "error", "reason": reason}))]);
}

#[test]
fn presence_in_a_subscription_comes_with_its_terms_and_only_a_refusal_is_said() {
    let mut pair = speaking();
    let presence = json!({"id": "ann", "info": 1});
    pair.command_json(&json!({"command": "subscribe", "identifier": ROOM, "presence": presence, "history": {"since": 1}}));
    let terms = pair.confirm_attending();
    let joining = Joining { id: "ann".into(), info: "1".into() };
    assert_eq!(terms.joining, Some(joining.clone()));
    assert!(matches!(terms.claim, Claim::History(_)));
    let id = pair.session.subscription_ids().next().unwrap();
    pair.session.joined_at_once(id, Ok(joining));
    pair.session.joined_at_once(id, Err("full"));
    let got: Vec<_> = pair.told_to(&[]).into_iter().map(|value| value["type"].clone()).collect();
    let expected = ["confirm_subscription", "presence", "confirm_history", "presence"];
    assert_eq!(got, expected, "it may have come back: it is told who is there");
    for protocol in [Protocol::ActionCableV1Json, Protocol::ForebayV1Json] {
        let mut pair = Pair::of(Session::open(NOW, hello(protocol), Arc::default()));
        pair.command_json(
            &json!({"command": "subscribe", "identifier": ROOM, "presence": presence}),
        );
        let Some(Effect::Subscribe { terms, .. }) = pair.session.poll_effect() else { panic!() };
        assert_eq!(terms.joining, None, "{protocol:?}");
    }
}

#[test]
fn a_restored_session_is_present_again_and_its_client_is_told_who_is() {
    let mut pair = speaking().attending();
    pair.broadcast("room", "1");
    pair.told_to(&[]);
    pair.pong();
    let id = pair.session.subscription_ids().next().unwrap();
    let joining = Joining { id: "ann".into(), info: "{}".into() };
    pair.session.joined_at_once(id, Ok(joining.clone()));
    let kept = Kept::from_json(&pair.session.keep().unwrap().to_json()).unwrap();
    pair.comes("bob");
    pair.broadcast("room", "2");
    let hello = Hello { id: SessionId(2), ..hello(Protocol::ActionCableV1ExtJson) };
    pair.session = Session::restore(NOW, hello, Arc::default(), kept);
    assert_eq!(pair.confirm_attending().joining, Some(joining));
    assert_eq!(pair.told_to(&["bob"]).len(), 1, "the welcome: it waits for its client");
    pair.command_json(&json!({"command": "history", "identifier": ROOM, "history": {"since": 1}}));
    let Some(Effect::Place { id, streams, .. }) = pair.session.poll_effect() else { panic!() };
    assert_eq!(streams.len(), 1, "no client places a presence stream");
    pair.session.place(id, &[(streams[0], Start::After(Offset(1)))]);
    let got = pair.told_to(&["bob"]);
    let gist: Vec<_> = got.iter().map(|value| &value["message"]).collect();
    assert_eq!(gist[0]["id"], "bob", "what it missed, in the order of the log");
    assert_eq!(gist[1], "2");
    assert_eq!(got[2]["type"], "confirm_history");
    assert_eq!(gist[3], &json!({"type": "info", "total": 1, "records": [record("bob")]}));
}

#[test]
fn a_client_that_comes_back_without_its_session_is_told_who_is_present() {
    let mut pair = speaking();
    pair.session.returns();
    let mut pair = pair.attending();
    pair.command_json(&json!({"command": "unsubscribe", "identifier": ROOM}));
    pair.answer_unsubscribe();
    pair.command_json(&json!({"command": "subscribe", "identifier": ROOM}));
    pair.confirm_attending();
    let got = pair.told_to(&["ann"]);
    assert_eq!(got[1]["message"]["records"], json!([record("ann")]));
}

#[test]
fn a_client_that_lags_behind_history_is_told_who_is_present_and_not_to_load_itself_again() {
    let mut pair = speaking().attending();
    pair.broadcast("room", "1");
    for _ in 0..=100 {
        pair.comes("ann");
    }
    let got = pair.told_to(&["ann"]);
    let kinds: Vec<_> = got.iter().map(|value| value["message"]["type"].clone()).collect();
    assert_eq!(kinds, [json!(null), json!("info")]);
}
