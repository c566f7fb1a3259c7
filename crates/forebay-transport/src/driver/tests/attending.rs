//! Presence as AnyCable's clients have it, over a WebSocket: what AnyCable's own tests say, in our order.

use std::collections::BTreeMap;

use forebay_cable::SubscriptionId;
use forebay_hub::{Ending, Member, PresenceOptions};
use serde_json::{Value, json};

use super::*;
use crate::channels::{Roster, Whom};

/// Any channel reads the stream `room`, and has its members.
struct Lobby {
    whom: Whom,
    passes_html: bool,
}

impl Channels for Lobby {
    fn subscribe(&self, request: Request) -> Answer<Result<Subscribed, Rejected>> {
        if request.identifier.channel == "secret" {
            return Answer::Now(Err(Rejected::new(RejectReason::Unauthorized, "not yours")));
        }
        let Self { whom, passes_html } = self;
        let roster = Roster { whom: whom.clone(), passes_html: *passes_html, ..Roster::of("room") };
        let name = "room".into();
        Answer::Now(Ok(Subscribed {
            streams: vec![Stream { name, begin: Begin::Now, is_public: false, seen: None }],
            goes_on: false,
            resync: Resync::new("null"),
            transmissions: Vec::new(),
            whispers: None,
            handler: None,
            presence: None,
            roster: (request.identifier.channel != "bare").then(|| Box::new(roster)),
        }))
    }
}

const ANYBODY: Lobby = Lobby { whom: Whom::Anybody, passes_html: false };

async fn visitor(hub: &Hub, lobby: Lobby) -> Peer {
    let protocol = Protocol::ActionCableV1ExtJson;
    let mut peer = Peer::speaking(protocol, hub, Arc::new(lobby), 64 << 10);
    assert!(peer.answer().await.contains("welcome"));
    peer
}

async fn subscribed(hub: &Hub, lobby: Lobby) -> Peer {
    let mut peer = visitor(hub, lobby).await;
    peer.subscribe("room").await;
    peer
}

impl Peer {
    async fn say(&mut self, command: &str, channel: &str, rest: Value) {
        let mut text = rest;
        text["command"] = command.into();
        text["identifier"] = json!({ "channel": channel }).to_string().into();
        self.send(0x81, text.to_string().as_bytes()).await;
    }

    async fn join(&mut self, id: &str) {
        let presence = json!({"id": id, "info": {"name": id}});
        self.say("join", "room", json!({ "presence": presence })).await;
        assert_eq!(self.gist().await, "accept join");
    }

    /// What comes next, and is about presence: its type, and of whom it is.
    async fn presence(&mut self) -> Value {
        let text = self.answer().await;
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["type"], "presence", "{text}");
        json["message"].clone()
    }

    async fn gist(&mut self) -> String {
        let message = self.presence().await;
        let of = [&message["command"], &message["id"], &message["total"]];
        let of = of.into_iter().find(|value| !value.is_null()).unwrap_or(&Value::Null);
        let of = of.as_str().map_or_else(|| of.to_string(), str::to_owned);
        format!("{} {of}", message["type"].as_str().unwrap())
    }

    /// Everything before this has been told.
    async fn is_told_nothing_more(&mut self) {
        self.say("leave", "nowhere", json!({})).await;
        assert_eq!(self.gist().await, "reject leave");
    }
}

/// AnyCable's `perform_test.rb` and the first scenario of its `subscribe_test.rb`.
#[tokio::test(start_paused = true)]
async fn everybody_who_is_subscribed_is_told_who_comes_and_leaves_behind_the_confirmation() {
    let hub = Hub::new(Options::default());
    let mut watcher = subscribed(&hub, ANYBODY).await;
    let mut ann = visitor(&hub, ANYBODY).await;
    let presence = json!({"id": "ann", "info": {"name": "Ann"}});
    ann.say("subscribe", "room", json!({ "presence": presence })).await;
    assert!(ann.answer().await.contains("confirm_subscription"));
    for peer in [&mut watcher, &mut ann] {
        let expected = json!({"type": "join", "id": "ann", "info": {"name": "Ann"}});
        assert_eq!(peer.presence().await, expected);
    }
    ann.say("leave", "room", json!({})).await;
    assert_eq!(ann.gist().await, "accept leave");
    for peer in [&mut watcher, &mut ann] {
        assert_eq!(peer.presence().await, json!({"type": "leave", "id": "ann"}));
    }
}

/// The second scenario of AnyCable's `subscribe_test.rb`.
#[tokio::test(start_paused = true)]
async fn a_second_session_of_a_member_is_not_seen_and_the_last_that_leaves_is() {
    let hub = Hub::new(Options::default());
    let mut watcher = subscribed(&hub, ANYBODY).await;
    let mut ann = subscribed(&hub, ANYBODY).await;
    ann.join("ann").await;
    assert_eq!(ann.gist().await, "join ann");
    let mut clone = subscribed(&hub, ANYBODY).await;
    clone.join("ann").await;
    assert_eq!(watcher.gist().await, "join ann");
    ann.command("unsubscribe", "room").await;
    ann.is_told_nothing_more().await;
    watcher.is_told_nothing_more().await;
    clone.command("unsubscribe", "room").await;
    assert_eq!(watcher.presence().await, json!({"type": "leave", "id": "ann"}));
    assert_eq!(hub.present(), 0, "who unsubscribes is gone at once");
}

#[tokio::test(start_paused = true)]
async fn another_info_of_a_member_comes_as_a_join() {
    let hub = Hub::new(Options::default());
    let mut ann = subscribed(&hub, ANYBODY).await;
    ann.join("ann").await;
    assert_eq!(ann.gist().await, "join ann");
    ann.say("join", "room", json!({"presence": {"id": "ann", "info": {"away": true}}})).await;
    assert_eq!(ann.gist().await, "accept join");
    let expected = json!({"type": "join", "id": "ann", "info": {"away": true}});
    assert_eq!(ann.presence().await, expected);
    hub.update_member("room", "ann", &"[]".into()).unwrap();
    assert_eq!(ann.presence().await["info"], json!([]));
}

/// Applies what is said as AnyCable's client does.
fn apply(state: &mut Option<BTreeMap<String, Value>>, message: &Value) {
    let id = || message["id"].as_str().unwrap().to_owned();
    match (message["type"].as_str().unwrap(), state.as_mut()) {
        ("info", None) => {
            let records = message["records"].as_array().map_or(&[][..], Vec::as_slice);
            let record = |record: &Value| {
                (record["id"].as_str().unwrap().to_owned(), record["info"].clone())
            };
            *state = Some(records.iter().map(record).collect());
        }
        ("join", Some(state)) => {
            state.insert(id(), message["info"].clone());
        }
        ("leave", Some(state)) => assert!(state.remove(&id()).is_some(), "{message}: nobody"),
        _ => {}
    }
}

/// Somebody comes and goes all the time in threads of their own, while clients ask who is there: none of these sees
/// somebody leave who has not come, or come twice, and in the end each knows who is there.
#[tokio::test]
async fn who_is_present_is_cut_at_the_place_of_the_session() {
    // All fourteen are told one by one.
    let presence = PresenceOptions::default().burst_max(14);
    let hub = Hub::new(Options::default().presence(presence));
    // 800 changes at the most: history has them all.
    let come_and_go = |group: usize| {
        let hub = hub.clone();
        std::thread::spawn(move || {
            let client = hub.connect().unwrap();
            for round in 0..200 {
                let id = format!("{group}-{}", round % 7);
                let member = Member::new(&*id, round.to_string());
                client.join(SubscriptionId::default(), "room", &member).unwrap();
                if round < 199 {
                    client.leave(SubscriptionId::default(), Ending::Left);
                }
            }
            client
        })
    };
    let threads = [0, 1].map(come_and_go);
    let mut peers = Vec::new();
    while peers.len() < 4 || threads.iter().any(|thread| !thread.is_finished()) {
        let mut peer = subscribed(&hub, ANYBODY).await;
        peer.say("presence", "room", json!({})).await;
        peers.push(peer);
    }
    let clients = threads.map(|thread| thread.join().unwrap());
    say(&hub, "end");
    let members = hub.members("room").members.into_iter();
    let expected: BTreeMap<String, Value> = members
        .map(|member| (member.id.to_string(), serde_json::from_str(&member.info).unwrap()))
        .collect();
    assert_eq!(expected.len(), clients.len());
    for mut peer in peers {
        let mut state: Option<BTreeMap<String, Value>> = None;
        loop {
            let text: Value = serde_json::from_str(&peer.answer().await).unwrap();
            let message = &text["message"];
            if message == "end" {
                break;
            }
            if let ("join", Some(state)) = (message["type"].as_str().unwrap(), &state) {
                let id = message["id"].as_str().unwrap();
                assert!(!state.contains_key(id), "{id} comes twice: {state:?}");
            }
            apply(&mut state, message);
        }
        // Its answer may be behind the end, where it lags.
        while state.is_none() {
            apply(&mut state, &peer.presence().await);
        }
        assert_eq!(state.as_ref(), Some(&expected));
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_large_room_only_totals_are_told() {
    let presence = PresenceOptions::default().names_max(1).each_max(100);
    let hub = Hub::new(Options::default().presence(presence));
    let mut ann = subscribed(&hub, ANYBODY).await;
    ann.join("ann").await;
    assert_eq!(ann.gist().await, "join ann");
    let mut bob = subscribed(&hub, ANYBODY).await;
    bob.join("bob").await;
    for peer in [&mut ann, &mut bob] {
        assert_eq!(peer.presence().await, json!({"type": "info", "total": 2}));
    }
    bob.say("presence", "room", json!({})).await;
    assert_eq!(bob.presence().await, json!({"type": "info", "total": 2}));
}

/// Each of these is answered, and counted; nobody is present by it.
#[tokio::test(start_paused = true)]
async fn who_may_not_be_present_is_refused() {
    let hub = Hub::new(Options::default());
    let mut refused = 0;
    for (whom, id, info, is_refused) in [
        (Whom::Nobody, "ann", json!(1), true),
        (Whom::Only("user:1".into()), "user:2", json!(1), true),
        (Whom::Only("user:1".into()), "user:1", json!(1), false),
        (Whom::Anybody, "", json!(1), true),
        (Whom::Anybody, &"x".repeat(10 << 10), json!(1), true),
        (Whom::Anybody, "ann", json!("x".repeat(4 << 10)), true),
        (Whom::Anybody, "ann", json!("x".repeat(4 << 10 >> 1)), false),
    ] {
        let case = format!("{whom:?} {} {}", id.len(), info.to_string().len());
        let mut peer = subscribed(&hub, Lobby { whom, passes_html: false }).await;
        let presence = json!({"id": id, "info": info});
        peer.say("join", "room", json!({ "presence": presence })).await;
        let answer = peer.gist().await;
        assert_eq!(answer, if is_refused { "reject join" } else { "accept join" }, "{case}");
        refused += u64::from(is_refused);
        assert_eq!(hub.stats().snapshot().presence_refused, refused, "{case}");
        if !is_refused {
            assert_eq!(peer.gist().await, format!("join {id}"), "{case}");
            peer.command("unsubscribe", "room").await;
            peer.is_told_nothing_more().await;
        }
        assert_eq!(hub.present(), 0, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_present_on_streams_that_they_do_not_read() {
    let hub = Hub::new(Options::default());
    let mut peer = visitor(&hub, ANYBODY).await;
    let presence = json!({"presence": {"id": "ann"}});
    peer.say("join", "room", presence.clone()).await;
    assert_eq!(peer.gist().await, "reject join");
    peer.say("subscribe", "secret", presence.clone()).await;
    assert!(peer.answer().await.contains("reject_subscription"));
    peer.say("join", "secret", presence.clone()).await;
    assert_eq!(peer.gist().await, "reject join");
    assert_eq!(hub.stats().snapshot().rejections, 3);
    // It reads this one, and the channel has no members.
    peer.say("subscribe", "bare", presence.clone()).await;
    assert!(peer.answer().await.contains("confirm_subscription"));
    assert_eq!(peer.gist().await, "reject join");
    peer.say("presence", "bare", json!({})).await;
    assert_eq!(peer.presence().await["type"], "error");
    assert_eq!((hub.present(), hub.stats().snapshot().presence_refused), (0, 1));
}

/// A megabyte is more than a message may have: the connection is closed, as for any other.
#[tokio::test(start_paused = true)]
async fn an_info_of_a_megabyte_is_too_large_a_message() {
    let hub = Hub::new(Options::default());
    let mut peer = subscribed(&hub, ANYBODY).await;
    let presence = json!({"id": "ann", "info": "x".repeat(1 << 20)});
    let (mut io, near) = duplex(1);
    std::mem::swap(&mut io, &mut peer.io);
    let (mut reads, mut writes) = tokio::io::split(io);
    let text = json!({"command": "join", "identifier": "x", "presence": presence}).to_string();
    let mut frame = vec![0x81, 0xff];
    frame.extend((text.len() as u64).to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    let writing = tokio::spawn(async move {
        // It may not be taken to its end.
        let _ = writes.write_all(&frame).await;
    });
    let mut got = Vec::new();
    while !got.windows(2).any(|bytes| bytes == 1009_u16.to_be_bytes()) {
        got.push(reads.read_u8().await.expect("a close frame with 1009"));
    }
    writing.abort();
    drop(near);
    assert_eq!((hub.present(), hub.stats().snapshot().violations), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_joins_of_one_session_make_one_member() {
    let hub = Hub::new(Options::default());
    let mut peer = subscribed(&hub, ANYBODY).await;
    peer.join("ann").await;
    assert_eq!(peer.gist().await, "join ann");
    let began = tokio::time::Instant::now();
    for n in 0..10_000 {
        let presence = json!({"id": format!("ann-{n}"), "info": n});
        peer.say("join", "room", json!({ "presence": presence })).await;
        assert_eq!(peer.gist().await, "reject join");
    }
    assert_eq!((hub.present(), hub.stats().snapshot().presence_refused), (1, 10_000));
    let limits = Limits::default();
    let beyond = 10_000 - u64::from(limits.commands_burst);
    let least = Duration::from_secs(beyond / u64::from(limits.commands_per_second));
    assert!(began.elapsed() + Duration::from_secs(2) > least, "{:?}", began.elapsed());
    assert!(hub.stats().snapshot().commands_held_back > 0);
}

#[tokio::test(start_paused = true)]
async fn html_of_a_client_is_not_passed_to_others() {
    let hub = Hub::new(Options::default());
    for (passes_html, expected) in
        [(false, json!({"name": "Ann"})), (true, json!({"name": "Ann", "html": "<script>"}))]
    {
        let mut peer = subscribed(&hub, Lobby { whom: Whom::Anybody, passes_html }).await;
        let text = r#"{"command":"join","identifier":"{\"channel\":\"room\"}",
            "presence":{"id":"ann","info":{"html":"<b>","name":"Ann","\u0068tml":"<script>"}}}"#;
        peer.send(0x81, text.as_bytes()).await;
        assert_eq!(peer.gist().await, "accept join");
        let info: Value = peer.presence().await["info"].clone();
        assert_eq!(info, expected);
        assert_eq!(hub.stats().snapshot().presence_html_left_out, 1);
        peer.command("unsubscribe", "room").await;
        peer.is_told_nothing_more().await;
    }
}

/// What the server itself puts into pages comes by signed tags only.
#[tokio::test(start_paused = true)]
async fn html_that_a_tag_may_bring_is_nothing_that_a_client_may_say() {
    for passes_html in [false, true] {
        let hub = Hub::new(Options::default());
        let mut peer = subscribed(&hub, Lobby { whom: Whom::Anybody, passes_html }).await;
        let text = r#"{"command":"join","identifier":"{\"channel\":\"room\"}",
            "presence":{"id":"ann","info":{"turbo":{"html":"<script>"},"name":"Ann"}}}"#;
        peer.send(0x81, text.as_bytes()).await;
        assert_eq!(peer.gist().await, "accept join");
        assert_eq!(peer.presence().await["info"], json!({"name": "Ann"}));
        assert_eq!(hub.stats().snapshot().presence_html_left_out, 1);
    }
}
