//! The driver over in-memory pipes: a client that writes frames by hand, the real hub and log.

mod attending;
mod exact;
mod presence;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use forebay_cable::{Limits, Protocol, RejectReason, Resync};
use forebay_hub::{Broadcast, Hub, Options};
use forebay_log::{Class, Message, Position, Retention};
use pollster::FutureExt as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{Notify, Semaphore};

use super::*;
use crate::channels::{Answer, Begin, Handler, Later, Op, Rejected, Request, Stream, Subscribed};

/// `{"channel":"room"}` reads the stream `room`, `{"channel":"echo"}` has actions,
/// `{"channel":"panic"}` panics, anything else is rejected.
struct Rooms {
    cursor: Option<Position>,
}

impl Channels for Rooms {
    fn is_repeatable(&self, message: &Message) -> bool {
        message.as_json().starts_with("\"row")
    }

    fn subscribe(&self, request: Request) -> Answer<Result<Subscribed, Rejected>> {
        let begin = self.cursor.map_or(Begin::Now, Begin::After);
        let streams = match request.identifier.channel.as_str() {
            "room" => vec![Stream { name: "room".into(), begin, is_public: false, seen: None }],
            "echo" => Vec::new(),
            "panic" => return Answer::Later(Box::pin(async { panic!("as asked") })),
            _ => {
                return Answer::Now(Err(Rejected::new(
                    RejectReason::Unauthorized,
                    "no such channel",
                )));
            }
        };
        let handler: Option<Box<dyn Handler>> =
            if request.identifier.channel == "echo" { Some(Box::new(Echo)) } else { None };
        let subscribed = Subscribed {
            streams,
            goes_on: self.cursor.is_some(),
            resync: Resync::new("\"resync\""),
            transmissions: Vec::new(),
            whispers: None,
            handler,
            presence: None,
            roster: None,
        };
        Answer::Later(Box::pin(async {
            tokio::task::yield_now().await;
            Ok(subscribed)
        }))
    }
}

struct Echo;

impl Handler for Echo {
    fn perform(
        self: Box<Self>,
        action: String,
        _: serde_json::Map<String, serde_json::Value>,
    ) -> Later<(Box<dyn Handler>, Vec<Op>)> {
        let op = match action.as_str() {
            "follow" => Op::Follow(Stream {
                name: "room".into(),
                begin: Begin::Now,
                is_public: false,
                seen: None,
            }),
            "unfollow" => Op::Unfollow("room".into()),
            "leave" => Op::Reject,
            text => Op::Transmit(format!("{text:?}").into()),
        };
        Box::pin(async { (self as Box<dyn Handler>, vec![op]) })
    }

    fn unsubscribed(self: Box<Self>) -> Later<()> {
        Box::pin(async {})
    }
}

struct Peer {
    io: DuplexStream,
    task: tokio::task::JoinHandle<()>,
    /// Pings that have come and are not answered yet.
    pings: Vec<Vec<u8>>,
}

impl Peer {
    fn connect(hub: &Hub, cursor: Option<Position>, pipe_bytes: usize) -> Self {
        Self::connect_to(hub, Arc::new(Rooms { cursor }), pipe_bytes)
    }

    fn connect_to(hub: &Hub, channels: Arc<dyn Channels>, pipe_bytes: usize) -> Self {
        Self::speaking(Protocol::ActionCableV1Json, hub, channels, pipe_bytes)
    }

    fn speaking(
        protocol: Protocol,
        hub: &Hub,
        channels: Arc<dyn Channels>,
        pipe_bytes: usize,
    ) -> Self {
        let client = hub.connect().unwrap();
        let session = Session::open(hub.now(), client.hello(protocol), Arc::clone(hub.limits()));
        let (near, far) = duplex(pipe_bytes);
        let task = tokio::spawn(drive(far, session, client, channels, Identity::anonymous()));
        Self { io: near, task, pings: Vec::new() }
    }

    async fn open(hub: &Hub, cursor: Option<Position>) -> Self {
        let mut peer = Self::connect(hub, cursor, 64 << 10);
        assert!(peer.text().await.starts_with(r#"{"type":"welcome""#));
        peer
    }

    async fn send(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        match payload.len() {
            short @ 0..=125 => frame.push(0x80 | u8::try_from(short).unwrap()),
            medium @ 126..=65_535 => {
                frame.push(0x80 | 0x7e);
                frame.extend(u16::try_from(medium).unwrap().to_be_bytes());
            }
            long => {
                frame.push(0x80 | 127);
                frame.extend((long as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.io.write_all(&frame).await.unwrap();
    }

    async fn command(&mut self, command: &str, channel: &str) {
        let text = format!(
            r#"{{"command":"{command}","identifier":"{{\"channel\":\"{channel}\"}}","data":"{{\"action\":\"{command}\"}}"}}"#
        );
        self.send(0x81, text.as_bytes()).await;
    }

    async fn perform(&mut self, action: &str) {
        let text = format!(
            r#"{{"command":"message","identifier":"{{\"channel\":\"echo\"}}","data":"{{\"action\":\"{action}\"}}"}}"#
        );
        self.send(0x81, text.as_bytes()).await;
    }

    /// The next frame that is no ping: its opcode and payload.
    async fn frame(&mut self) -> (u8, Vec<u8>) {
        loop {
            match self.any_frame().await {
                (0x89, payload) => self.pings.push(payload),
                frame => return frame,
            }
        }
    }

    /// Answers all pings, the next one included if none has come yet.
    async fn pong(&mut self) {
        if self.pings.is_empty() {
            let (first, payload) = self.any_frame().await;
            assert_eq!(first, 0x89, "{payload:?}");
            self.pings.push(payload);
        }
        for payload in std::mem::take(&mut self.pings) {
            self.send(0x8a, &payload).await;
        }
        // What follows is handled after the pongs.
        self.send(0x89, b"done").await;
        assert_eq!(self.frame().await, (0x8a, b"done".to_vec()));
    }

    async fn any_frame(&mut self) -> (u8, Vec<u8>) {
        let first = self.io.read_u8().await.unwrap();
        let len = match self.io.read_u8().await.unwrap() {
            126 => usize::from(self.io.read_u16().await.unwrap()),
            127 => usize::try_from(self.io.read_u64().await.unwrap()).unwrap(),
            len => usize::from(len),
        };
        let mut payload = vec![0; len];
        self.io.read_exact(&mut payload).await.unwrap();
        (first, payload)
    }

    async fn text(&mut self) -> String {
        let (first, payload) = self.frame().await;
        assert_eq!(first, 0x81, "{payload:?}");
        String::from_utf8(payload).unwrap()
    }

    /// The next text that is no ping.
    async fn answer(&mut self) -> String {
        loop {
            let text = self.text().await;
            if !text.starts_with(r#"{"type":"ping""#) {
                return text;
            }
        }
    }

    async fn message(&mut self) -> String {
        let text: serde_json::Value = serde_json::from_str(&self.text().await).unwrap();
        text["message"].as_str().unwrap_or_else(|| panic!("{text}")).to_owned()
    }

    async fn close_code(&mut self) -> u16 {
        let (first, payload) = self.frame().await;
        assert_eq!(first, 0x88, "{payload:?}");
        u16::from_be_bytes([payload[0], payload[1]])
    }

    async fn subscribe(&mut self, channel: &str) {
        self.command("subscribe", channel).await;
        let text = self.text().await;
        assert!(text.contains("confirm_subscription"), "{text}");
    }
}

fn say(hub: &Hub, text: &str) {
    let message = Message::json(format!("{text:?}"));
    hub.publish(Broadcast { stream: "room", message, class: Class::Log }).block_on().unwrap();
}

#[tokio::test(start_paused = true)]
async fn replay_then_live() {
    let hub = Hub::new(Options::default());
    let rendered = hub.position();
    say(&hub, "before");
    let mut peer = Peer::open(&hub, Some(rendered)).await;
    peer.subscribe("room").await;
    assert_eq!(peer.message().await, "before");
    say(&hub, "after");
    assert_eq!(peer.message().await, "after");
    assert_eq!(hub.stats().snapshot().deliveries, 2);
}

#[tokio::test(start_paused = true)]
async fn a_socket_of_any_size_gets_every_entry_once_and_whole() {
    for pipe_bytes in [1, 7, 100, 1_000] {
        let hub = Hub::new(Options::default());
        let rendered = hub.position();
        for n in 0..200 {
            say(&hub, &format!("{n} {}", "x".repeat(n)));
        }
        let mut peer = Peer::connect(&hub, Some(rendered), pipe_bytes);
        peer.text().await;
        peer.subscribe("room").await;
        for n in 0..200 {
            assert_eq!(peer.message().await, format!("{n} {}", "x".repeat(n)));
            say(&hub, &format!("live {n}"));
        }
        for n in 0..200 {
            assert_eq!(peer.message().await, format!("live {n}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stalled_reader_holds_no_entries_and_is_resynced_when_it_reads_again() {
    let retention = Retention::default().entries_max(10);
    let hub = Hub::new(Options::default().retention(retention));
    let mut peer = Peer::connect(&hub, Some(hub.position()), 200);
    peer.text().await;
    peer.subscribe("room").await;
    let mut other = Peer::open(&hub, Some(hub.position())).await;
    other.subscribe("room").await;
    for n in 0..500 {
        say(&hub, &n.to_string());
        assert_eq!(other.message().await, n.to_string(), "others are not held up");
    }
    let mut got = Vec::new();
    while got.last().is_none_or(|text| text != "resync") {
        got.push(peer.message().await);
    }
    let expected = (0..got.len() - 1).map(|n| n.to_string());
    assert_eq!(got[..got.len() - 1], expected.collect::<Vec<_>>());
    assert!(got.len() < 20, "{} were buffered", got.len());
    say(&hub, "live again");
    assert_eq!(peer.message().await, "live again");
    assert_eq!(hub.stats().snapshot().resyncs_behind, 1);
}

#[tokio::test(start_paused = true)]
async fn channels_follow_transmit_and_leave() {
    let hub = Hub::new(Options::default());
    let mut peer = Peer::open(&hub, None).await;
    peer.subscribe("echo").await;
    peer.perform("hello").await;
    assert_eq!(peer.message().await, "hello");
    peer.perform("follow").await;
    peer.perform("followed").await;
    assert_eq!(peer.message().await, "followed");
    say(&hub, "1");
    assert_eq!(peer.message().await, "1");
    peer.perform("unfollow").await;
    peer.perform("unfollowed").await;
    assert_eq!(peer.message().await, "unfollowed");
    say(&hub, "2");
    peer.perform("leave").await;
    assert!(peer.text().await.contains("reject_subscription"));
    peer.perform("again").await;
    assert!(peer.text().await.contains("reject_subscription"), "it is gone");
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_panics_ends_its_connection_only() {
    let hub = Hub::new(Options::default());
    let mut other = Peer::open(&hub, None).await;
    let mut peer = Peer::open(&hub, None).await;
    peer.command("subscribe", "panic").await;
    assert!(peer.text().await.contains(r#""reason":"internal_error","reconnect":true"#));
    assert_eq!(peer.close_code().await, 1011);
    other.subscribe("room").await;
}

struct Whispers;

impl Channels for Whispers {
    fn subscribe(&self, _: Request) -> Answer<Result<Subscribed, Rejected>> {
        Answer::Now(Ok(Subscribed {
            streams: vec![Stream {
                name: "whispers".into(),
                begin: Begin::Now,
                is_public: false,
                seen: None,
            }],
            goes_on: false,
            resync: Resync::new("null"),
            transmissions: Vec::new(),
            whispers: Some("whispers".into()),
            handler: None,
            presence: None,
            roster: None,
        }))
    }
}

#[tokio::test(start_paused = true)]
async fn whispers_past_their_limits_are_refused_and_counted() {
    let hub = Hub::new(Options::default());
    let protocol = Protocol::ActionCableV1ExtJson;
    let mut peer = Peer::speaking(protocol, &hub, Arc::new(Whispers), 64 << 10);
    peer.text().await;
    peer.subscribe("room").await;
    let whisper = |data: &str| {
        let identifier = serde_json::json!({ "channel": "room" }).to_string();
        serde_json::json!({ "command": "whisper", "identifier": identifier, "data": data })
            .to_string()
    };
    for _ in 0..60 {
        peer.send(0x81, whisper("x").as_bytes()).await;
    }
    for _ in 0..10 {
        assert!(peer.text().await.contains(r#""type":"reject_whisper""#));
    }
    let counts = |hub: &Hub| (hub.stats().whispers.get(), hub.stats().whispers_refused.get());
    assert_eq!(counts(&hub), (50, 10));
    tokio::time::advance(Duration::from_secs(1)).await;
    peer.send(0x81, whisper(&"x".repeat(9_000)).as_bytes()).await;
    assert!(peer.text().await.contains("reject_whisper"));
    peer.send(0x81, whisper("x").as_bytes()).await;
    peer.send(0x89, b"done").await;
    while peer.frame().await != (0x8a, b"done".to_vec()) {}
    assert_eq!(counts(&hub), (51, 11));
}

#[tokio::test(start_paused = true)]
async fn a_clients_ping_is_answered_with_its_own_bytes() {
    let hub = Hub::new(Options::default());
    let mut peer = Peer::open(&hub, None).await;
    peer.send(0x89, b"abc").await;
    assert_eq!(peer.frame().await, (0x8a, b"abc".to_vec()));
}

/// The stock client takes a connection for dead that says nothing for two intervals.
#[tokio::test(start_paused = true)]
async fn a_quiet_connection_is_sent_a_ping_each_interval() {
    let hub = Hub::new(Options::default());
    let interval = Duration::from_millis(hub.limits().ping_interval_ms);
    let mut peer = Peer::open(&hub, None).await;
    let began = tokio::time::Instant::now();
    for pings in 1..=5 {
        assert!(peer.text().await.starts_with(r#"{"type":"ping","message":"#));
        let due = interval * pings;
        let waited = began.elapsed();
        assert!(waited <= due && waited + interval >= due, "ping {pings} after {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn closing_is_answered_and_leaves_nothing_behind() {
    let hub = Hub::new(Options::default());
    let mut peer = Peer::open(&hub, None).await;
    peer.subscribe("room").await;
    peer.send(0x88, &1001_u16.to_be_bytes()).await;
    assert_eq!(peer.close_code().await, 1001);
    peer.task.await.unwrap();
    assert_eq!(hub.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_gone_is_let_go() {
    let hub = Hub::new(Options::default());
    let Peer { io, task, .. } = Peer::open(&hub, None).await;
    drop(io);
    task.await.unwrap();
    assert_eq!(hub.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn rubbish_is_answered_closed_and_counted() {
    let hub = Hub::new(Options::default());
    let too_big = vec![b'x'; Limits::default().message_bytes_max + 1];
    let cases: [(u8, &[u8], u16); 6] = [
        (0x81, b"\xff", 1007),
        (0x81, b"rubbish", 1007),
        (0x81, br#"{"command":"sing"}"#, 1008),
        (0x82, b"binary", 1003),
        (0x81, &too_big, 1009),
        (0xf1, b"", 1002),
    ];
    for (first, payload, code) in cases {
        let mut peer = Peer::open(&hub, None).await;
        peer.send(first, payload).await;
        let expected = r#"{"type":"disconnect","reason":"invalid_request","reconnect":false}"#;
        assert_eq!(peer.text().await, expected, "{code}");
        assert_eq!(peer.close_code().await, code);
        peer.send(0x88, &code.to_be_bytes()).await;
        drop(peer.io);
        peer.task.await.unwrap();
    }
    assert_eq!(hub.stats().snapshot().violations, 6);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_answer_our_close_is_let_go() {
    let hub = Hub::new(Options::default());
    let mut peer = Peer::open(&hub, None).await;
    peer.send(0x82, b"").await;
    peer.text().await;
    peer.close_code().await;
    tokio::time::timeout(Duration::from_secs(10), peer.task).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn shutting_down_says_so_and_waits() {
    let hub = Hub::new(Options::default());
    let mut peer = Peer::open(&hub, None).await;
    let down = tokio::spawn({
        let hub = hub.clone();
        async move { hub.shut_down(Duration::ZERO).await }
    });
    let expected = r#"{"type":"disconnect","reason":"server_restart","reconnect":true}"#;
    assert_eq!(peer.text().await, expected);
    assert_eq!(peer.close_code().await, 1001);
    peer.send(0x88, &1001_u16.to_be_bytes()).await;
    peer.task.await.unwrap();
    down.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_page_that_does_not_leave_is_ended_as_it_is() {
    let hub = Hub::new(Options::default());
    let mut peer = Peer::open(&hub, None).await;
    let down = tokio::spawn({
        let hub = hub.clone();
        async move { hub.shut_down(Duration::ZERO).await }
    });
    peer.text().await;
    assert_eq!(peer.close_code().await, 1001);
    let began = tokio::time::Instant::now();
    down.await.unwrap();
    assert_eq!(hub.connections(), 0);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    peer.task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_subscriptions_are_refused_past_the_limit_and_all_answered() {
    let limits = Limits::default().subscriptions_each_max(10_000);
    let hub = Hub::new(Options::default().limits(limits));
    let mut peer = Peer::open(&hub, None).await;
    let (mut confirmed, mut rejected) = (0, 0);
    for n in 0..10_000 {
        let text = format!(
            r#"{{"command":"subscribe","identifier":"{{\"channel\":\"room\",\"n\":{n}}}"}}"#
        );
        peer.send(0x81, text.as_bytes()).await;
        let answer = peer.answer().await;
        confirmed += usize::from(answer.contains("confirm_subscription"));
        rejected += usize::from(answer.contains("reject_subscription"));
    }
    assert_eq!((confirmed, rejected), (1_000, 9_000));
    assert_eq!(hub.stats().snapshot().rejections, 9_000);
}

/// It waits for its own sake only, and gets all its answers.
#[tokio::test(start_paused = true)]
async fn a_client_that_sends_too_many_commands_waits_for_its_answers() {
    let hub = Hub::new(Options::default());
    let Limits { commands_burst, commands_per_second, .. } = Limits::default();
    let mut peer = Peer::open(&hub, None).await;
    let began = tokio::time::Instant::now();
    let rounds = commands_burst;
    for n in 0..rounds {
        peer.command("subscribe", "room").await;
        assert!(peer.answer().await.contains("confirm_subscription"));
        peer.command("unsubscribe", "room").await;
        if n + 1 == rounds / 2 {
            assert_eq!(began.elapsed(), Duration::ZERO, "as many as a page may have");
        }
    }
    let owed = f64::from(2 * rounds - commands_burst) / f64::from(commands_per_second);
    let took = began.elapsed().as_secs_f64();
    assert!((owed - 2.0..=owed + 2.0).contains(&took), "{took} s instead of {owed}");
    assert!(hub.stats().commands_held_back.get() > 0);
}

/// Two of them beside a neighbour: it has its turn after one of each of theirs.
#[tokio::test(start_paused = true)]
async fn a_turn_ends_however_much_a_client_has_sent() {
    let hub = Hub::new(Options::default());
    let mut said = Vec::new();
    for command in ["subscribe", "unsubscribe"].into_iter().cycle().take(200) {
        let text = format!(r#"{{"command":"{command}","identifier":"{{\"channel\":\"echo\"}}"}}"#);
        said.extend([0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0]);
        said.extend(text.into_bytes());
    }
    assert!(said.len() < 16 << 10, "it is read at once");
    let io = Full { said, takes: 1_000, waits: None, taken: Vec::new(), meanwhile: None };
    let mut connection = Connection::new(io, InHand::default(), opening(&hub));
    let (waker, woken) = count_wakes();
    let mut cx = Context::from_waker(&waker);
    let mut confirmed = 0;
    for turns in 1.. {
        assert!(connection.drive(&mut cx).is_pending());
        let taken = std::mem::take(&mut connection.io.taken);
        let now = String::from_utf8_lossy(&taken).matches("confirm_subscription").count();
        assert!(now <= TURN_STEPS_MAX, "{now} in one turn");
        confirmed += now;
        if confirmed == 100 {
            assert!(turns > 200 / TURN_STEPS_MAX, "{turns} turns");
            break;
        }
        assert!(woken.swap(0, Ordering::SeqCst) > 0, "it goes on by itself");
    }
}

/// A socket that takes whatever it is given, and a page that lacks all of a long history.
#[tokio::test(start_paused = true)]
async fn a_turn_ends_however_much_there_is_to_replay() {
    let hub = Hub::new(Options::default());
    let opening = opening_from(&hub, Some(hub.position()));
    (0..1_000).for_each(|_| say(&hub, &"x".repeat(3_800)));
    let mut said = vec![0x81, 0x80 | 0x3d, 0, 0, 0, 0];
    said.extend(br#"{"command":"subscribe","identifier":"{\"channel\":\"room\"}"}"#);
    let io = Full { said, takes: 1_000, waits: None, taken: Vec::new(), meanwhile: None };
    let mut connection = Connection::new(io, InHand::default(), opening);
    let (waker, woken) = count_wakes();
    let mut cx = Context::from_waker(&waker);
    let mut turns = Vec::new();
    while turns.is_empty() || woken.swap(0, Ordering::SeqCst) > 0 {
        assert!(connection.drive(&mut cx).is_pending());
        turns.push(std::mem::take(&mut connection.io.taken).len());
    }
    assert!(turns.iter().all(|bytes| *bytes <= 9 << 18), "{turns:?}");
    assert!(turns.iter().sum::<usize>() > 1_000 * 3_800, "{turns:?}");
    assert!(!connection.conversation.client().is_muted());
}

/// A waker, and how often it was used.
fn count_wakes() -> (Waker, Arc<AtomicUsize>) {
    struct Woken(Arc<AtomicUsize>);
    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let woken = Arc::new(AtomicUsize::new(0));
    (Waker::from(Arc::new(Woken(Arc::clone(&woken)))), woken)
}

/// A room whose history is worth some megabytes, and someone who asks for it under many names.
struct Greedy {
    hub: Hub,
    peer: Peer,
    entries: usize,
}

/// What came of it.
#[derive(Default)]
struct Pulled {
    confirmed: usize,
    rejected: usize,
    entries: usize,
    bytes: usize,
}

impl Greedy {
    async fn asks(limits: Limits, entries: usize, entry_bytes: usize, names: usize) -> Self {
        let hub = Hub::new(Options::default().limits(limits));
        let cursor = hub.position();
        (0..entries).for_each(|_| say(&hub, &"x".repeat(entry_bytes)));
        let mut peer = Peer::connect(&hub, Some(cursor), 1 << 20);
        peer.text().await;
        for n in 0..names {
            let text = format!(
                r#"{{"command":"subscribe","identifier":"{{\"channel\":\"room\",\"n\":{n}}}"}}"#
            );
            peer.send(0x81, text.as_bytes()).await;
        }
        Self { hub, peer, entries }
    }

    /// Reads until nothing comes for a while: its pings come all the time.
    async fn pulls(&mut self, quiet: Duration) -> Pulled {
        let mut pulled = Pulled::default();
        let mut last = tokio::time::Instant::now();
        loop {
            let frame = tokio::time::timeout_at(last + quiet, self.peer.any_frame());
            let Ok((_, payload)) = frame.await else { return pulled };
            let text = String::from_utf8_lossy(&payload);
            let counted = match &*text {
                text if text.contains("confirm_subscription") => &mut pulled.confirmed,
                text if text.contains("reject_subscription") => &mut pulled.rejected,
                text if text.contains("\"message\":\"x") => &mut pulled.entries,
                _ => continue,
            };
            *counted += 1;
            pulled.bytes += payload.len();
            last = tokio::time::Instant::now();
        }
    }
}

/// Each subscribe has 60 bytes and would be answered with 3.85 MB: 3.85 GB in all.
#[tokio::test(start_paused = true)]
async fn a_thousand_names_of_one_stream_pull_no_more_than_a_connection_may() {
    let mut greedy = Greedy::asks(Limits::default(), 1_000, 3_850, 1_000).await;
    let pulled = greedy.pulls(Duration::from_secs(1)).await;
    assert_eq!((pulled.confirmed, pulled.rejected), (100, 900));
    let at_once = usize::try_from(Limits::default().replay_bytes_burst).unwrap();
    assert!((at_once..at_once + (4 << 20)).contains(&pulled.bytes), "{}", pulled.bytes);
    assert_eq!(greedy.hub.stats().replays_delayed.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_has_to_wait_keeps_nobody_else_waiting_and_is_whole_in_the_end() {
    let limits = Limits::default().replay_bytes_burst(1 << 20).replay_bytes_per_second(100 << 10);
    let mut greedy = Greedy::asks(limits, 500, 1_000, 10).await;
    let began = tokio::time::Instant::now();
    let at_once = greedy.pulls(Duration::from_secs(1)).await;
    assert!((1_000..2_000).contains(&at_once.entries), "{} of 5 000", at_once.entries);
    let mut other = comes_back(&greedy.hub, greedy.hub.position(), &[]).await;
    say(&greedy.hub, "x live");
    assert_eq!(other.message().await, "x live");
    let later = greedy.pulls(Duration::from_secs(5)).await;
    assert_eq!(at_once.entries + later.entries, 10 * (greedy.entries + 1));
    let took = began.elapsed().as_secs();
    assert!((35..60).contains(&took), "{took} s for 4 MB");
}

/// What a page that comes back with its old cursor is given.
async fn comes_back(hub: &Hub, cursor: Position, expected: &[&str]) -> Peer {
    let mut peer = Peer::open(hub, Some(cursor)).await;
    peer.subscribe("room").await;
    for text in expected {
        assert_eq!(peer.message().await, *text);
    }
    peer
}

#[tokio::test(start_paused = true)]
async fn a_page_whose_socket_died_goes_on_from_what_it_has_acknowledged() {
    let hub = Hub::new(Options::default());
    let cursor = hub.position();
    let mut peer = comes_back(&hub, cursor, &[]).await;
    say(&hub, "1");
    assert_eq!(peer.message().await, "1");
    peer.pong().await;
    say(&hub, "2");
    assert_eq!(peer.message().await, "2");
    // The answer to the ping behind 2 is lost with the socket.
    drop(peer.io);
    peer.task.await.unwrap();
    say(&hub, "3");
    let mut peer = comes_back(&hub, cursor, &["2", "3"]).await;
    peer.pong().await;
    drop(peer.io);
    peer.task.await.unwrap();
    let mut peer = comes_back(&hub, cursor, &[]).await;
    say(&hub, "4");
    assert_eq!(peer.message().await, "4");
    assert_eq!(hub.stats().snapshot().resumes, 2);
}

/// And one whose script closes the connection goes on behind what that has surely come to.
#[tokio::test(start_paused = true)]
async fn a_page_that_was_unloaded_begins_again_at_its_cursor() {
    let hub = Hub::new(Options::default());
    let cursor = hub.position();
    say(&hub, "1");
    let (unloaded, normal) = (&1001_u16.to_be_bytes(), &1000_u16.to_be_bytes());
    let codes: [(&[u8], u64, &[&str]); 5] = [
        (unloaded, 0, &["1"]),
        (unloaded, 8, &["1"]),
        (normal, 8, &[]),
        (b"", 8, &[]),
        (b"", 2, &["1"]),
    ];
    for (code, pings, expected) in codes {
        let mut peer = comes_back(&hub, cursor, &["1"]).await;
        peer.pong().await;
        for _ in 0..pings {
            assert!(peer.text().await.contains(r#""type":"ping""#));
        }
        peer.send(0x88, code).await;
        peer.close_code().await;
        peer.task.await.unwrap();
        let mut again = comes_back(&hub, cursor, expected).await;
        // Leave no acknowledgement for the next case.
        again.send(0x88, &1001_u16.to_be_bytes()).await;
        again.close_code().await;
        again.task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_duplicated_tab_is_replayed_from_its_cursor() {
    let hub = Hub::new(Options::default());
    let cursor = hub.position();
    say(&hub, "1");
    let mut first = comes_back(&hub, cursor, &["1"]).await;
    first.pong().await;
    let second = comes_back(&hub, cursor, &["1"]).await;
    for peer in [first, second] {
        drop(peer.io);
        peer.task.await.unwrap();
    }
    comes_back(&hub, cursor, &["1"]).await;
    assert_eq!(hub.stats().snapshot().resumes, 0);
}

/// What was on its way when a tag left may have been shown or dropped.
#[tokio::test(start_paused = true)]
async fn a_tag_that_comes_back_is_given_again_what_is_in_doubt_or_heals() {
    let check = async |texts: &[&str], is_proven: bool, expected: &[&str]| {
        let hub = Hub::new(Options::default());
        let mut peer = comes_back(&hub, hub.position(), &[]).await;
        for text in texts {
            say(&hub, text);
            assert!(peer.answer().await.contains(text));
        }
        if is_proven {
            peer.pong().await;
        }
        peer.command("unsubscribe", "room").await;
        peer.send(0x89, b"has left").await;
        assert_eq!(peer.frame().await, (0x8a, b"has left".to_vec()));
        say(&hub, "meanwhile");
        peer.command("subscribe", "room").await;
        assert!(peer.answer().await.contains("confirm_subscription"));
        for text in expected {
            let answer = peer.answer().await;
            assert!(answer.contains(text), "{text}: {answer}");
        }
        let in_doubt = u64::from(expected[0] == "resync");
        assert_eq!(hub.stats().resyncs_in_doubt.get(), in_doubt, "{texts:?}");
    };
    check(&["1"], true, &["meanwhile"]).await;
    check(&["row 1", "row 2"], false, &["row 1", "row 2", "meanwhile"]).await;
    check(&["row 1", "2"], false, &["resync"]).await;
    let too_many = ["row"; 1_001];
    check(&too_many, false, &["resync"]).await;
}

/// A region that brings its own tag: shown again, it has the tag leave and come back.
#[tokio::test(start_paused = true)]
async fn a_client_that_proves_nothing_is_not_given_the_same_for_ever() {
    let hub = Hub::new(Options::default());
    let mut peer = comes_back(&hub, hub.position(), &[]).await;
    say(&hub, "row 1");
    let mut given = 0;
    while peer.answer().await.contains("row 1") {
        given += 1;
        peer.command("unsubscribe", "room").await;
        peer.command("subscribe", "room").await;
        assert!(peer.answer().await.contains("confirm_subscription"));
    }
    assert_eq!((given, hub.stats().resyncs_in_doubt.get()), (9, 1));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_leaves_a_stream_leaves_no_acknowledgement() {
    let hub = Hub::new(Options::default());
    let cursor = hub.position();
    say(&hub, "1");
    let mut peer = comes_back(&hub, cursor, &["1"]).await;
    peer.pong().await;
    peer.command("unsubscribe", "room").await;
    peer.send(0x89, b"").await;
    peer.frame().await;
    drop(peer.io);
    peer.task.await.unwrap();
    comes_back(&hub, cursor, &["1"]).await;
}

#[tokio::test(start_paused = true)]
async fn pings_stop_where_nobody_answers_and_come_only_behind_deliveries() {
    let hub = Hub::new(Options::default());
    let mut peer = comes_back(&hub, hub.position(), &[]).await;
    for n in 0..50 {
        say(&hub, &n.to_string());
        assert_eq!(peer.message().await, n.to_string());
    }
    assert_eq!(peer.pings.len(), 16);
    peer.pong().await;
    peer.pong().await;
    say(&hub, "last");
    assert_eq!(peer.message().await, "last");
    peer.pong().await;
    assert!(peer.pings.is_empty(), "nothing new, nothing to prove");
}

/// Nothing else is heard of the client, and no tick passes.
#[tokio::test(start_paused = true)]
async fn a_pong_that_was_waited_for_has_the_next_ping_sent() {
    let hub = Hub::new(Options::default());
    let mut peer = comes_back(&hub, hub.position(), &[]).await;
    for n in 0..17 {
        say(&hub, &n.to_string());
        assert_eq!(peer.message().await, n.to_string());
    }
    assert_eq!(peer.pings.len(), 16);
    let (now, payload) = (tokio::time::Instant::now(), peer.pings.pop().unwrap());
    peer.send(0x8a, &payload).await;
    assert_eq!(peer.any_frame().await.0, 0x89);
    assert_eq!(tokio::time::Instant::now(), now);
}

#[tokio::test(start_paused = true)]
async fn a_page_of_another_epoch_resumes_after_its_resync() {
    let hub = Hub::new(Options::default());
    let mut other = hub.position();
    other.epoch.0 ^= 1;
    let mut peer = comes_back(&hub, other, &["resync"]).await;
    say(&hub, "1");
    assert_eq!(peer.message().await, "1");
    peer.pong().await;
    drop(peer.io);
    peer.task.await.unwrap();
    say(&hub, "2");
    comes_back(&hub, other, &["2"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_closes_and_reads_nothing_is_let_go() {
    for shuts_down in [false, true] {
        let hub = Hub::new(Options::default());
        let mut peer = Peer::connect(&hub, None, 300);
        peer.text().await;
        peer.subscribe("room").await;
        say(&hub, &"x".repeat(1_000));
        if shuts_down {
            hub.shut_down(Duration::ZERO).await;
        } else {
            peer.send(0x88, &1000_u16.to_be_bytes()).await;
        }
        tokio::time::timeout(Duration::from_secs(10), &mut peer.task).await.unwrap().unwrap();
    }
}

/// A channel of the room whose actions and goodbyes take their time, and are counted.
#[derive(Clone)]
struct Slow {
    performed: Arc<Semaphore>,
    gone: Arc<Semaphore>,
    go_on: Arc<Notify>,
}

impl Default for Slow {
    fn default() -> Self {
        let none = || Arc::new(Semaphore::new(0));
        Self { performed: none(), gone: none(), go_on: Arc::default() }
    }
}

impl Handler for Slow {
    fn perform(
        self: Box<Self>,
        _: String,
        _: serde_json::Map<String, serde_json::Value>,
    ) -> Later<(Box<dyn Handler>, Vec<Op>)> {
        Box::pin(async move {
            self.go_on.notified().await;
            self.performed.add_permits(1);
            (self as Box<dyn Handler>, Vec::new())
        })
    }

    fn unsubscribed(self: Box<Self>) -> Later<()> {
        Box::pin(async move { self.gone.add_permits(1) })
    }
}

impl Channels for Slow {
    fn subscribe(&self, request: Request) -> Answer<Result<Subscribed, Rejected>> {
        assert_eq!(request.identifier.channel, "echo", "others panic while they are made");
        Answer::Now(Ok(Subscribed {
            streams: vec![Stream {
                name: "room".into(),
                begin: Begin::Now,
                is_public: false,
                seen: None,
            }],
            goes_on: false,
            resync: Resync::new("null"),
            transmissions: Vec::new(),
            whispers: None,
            handler: Some(Box::new(self.clone())),
            presence: None,
            roster: None,
        }))
    }
}

#[tokio::test(start_paused = true)]
async fn an_action_is_finished_and_its_channel_told_when_the_socket_dies() {
    let hub = Hub::new(Options::default());
    let slow = Slow::default();
    let mut peer = Peer::connect_to(&hub, Arc::new(slow.clone()), 64 << 10);
    peer.text().await;
    peer.subscribe("echo").await;
    peer.perform("slowly").await;
    peer.send(0x89, b"").await;
    peer.frame().await;
    drop(peer.io);
    peer.task.await.unwrap();
    assert_eq!((slow.performed.available_permits(), slow.gone.available_permits()), (0, 0));
    slow.go_on.notify_one();
    slow.gone.acquire().await.unwrap().forget();
    assert_eq!(slow.performed.available_permits(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_panics_while_it_is_made_takes_no_other_with_it() {
    let hub = Hub::new(Options::default());
    let slow = Slow::default();
    let mut peer = Peer::connect_to(&hub, Arc::new(slow.clone()), 64 << 10);
    peer.text().await;
    peer.subscribe("echo").await;
    peer.command("subscribe", "boom").await;
    assert!(peer.text().await.contains("internal_error"));
    assert_eq!(peer.close_code().await, 1011);
    drop(peer.io);
    peer.task.await.unwrap();
    slow.gone.acquire().await.unwrap().forget();
}

/// A socket that, once it is told to, takes half of what it is given and panics.
struct Cracked {
    io: DuplexStream,
    cracks: Arc<AtomicBool>,
}

impl AsyncRead for Cracked {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Cracked {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let cracks = self.cracks.load(Ordering::SeqCst);
        let bytes = &bytes[..if cracks { bytes.len() / 2 } else { bytes.len() }];
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        assert!(!cracks, "as asked");
        written
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl Peer {
    /// Reads the room, and is at a channel that hears of its end.
    async fn cracked(hub: &Hub, slow: &Slow) -> (Self, Arc<AtomicBool>) {
        let channels = Arc::new(slow.clone());
        let client = hub.connect().unwrap();
        let hello = client.hello(Protocol::ActionCableV1Json);
        let session = Session::open(hub.now(), hello, Arc::clone(hub.limits()));
        let (near, io) = duplex(64 << 10);
        let cracks = Arc::new(AtomicBool::new(false));
        let io = Cracked { io, cracks: Arc::clone(&cracks) };
        let task = tokio::spawn(drive(io, session, client, channels, Identity::anonymous()));
        let mut peer = Self { io: near, task, pings: Vec::new() };
        peer.text().await;
        peer.subscribe("echo").await;
        (peer, cracks)
    }

    /// All that still comes before its socket is closed.
    async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.io.read_to_end(&mut rest).await.unwrap();
        rest
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_round_ends_its_connection_and_no_other() {
    let hub = Hub::new(Options::default());
    let slow = Slow::default();
    let mut first = comes_back(&hub, hub.position(), &[]).await;
    let (mut bad, cracks) = Peer::cracked(&hub, &slow).await;
    let mut last = comes_back(&hub, hub.position(), &[]).await;
    cracks.store(true, Ordering::SeqCst);
    say(&hub, "1");
    // In the same round, and without a tick.
    let now = tokio::time::Instant::now();
    assert_eq!((first.message().await, last.message().await), ("1".into(), "1".into()));
    cracks.store(false, Ordering::SeqCst);
    say(&hub, "2");
    assert_eq!((first.message().await, last.message().await), ("2".into(), "2".into()));
    // The half that was written, and nothing behind it.
    let whole = br#"12{"identifier":"{\"channel\":\"echo\"}","message":"1"}"#;
    assert_eq!(bad.rest().await[2..], whole[2..whole.len() / 2]);
    bad.task.await.unwrap();
    slow.gone.acquire().await.unwrap().forget();
    assert_eq!((hub.stats().panics.get(), hub.connections()), (1, 2));
    assert_eq!(tokio::time::Instant::now(), now);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_its_own_task_ends_a_connection() {
    let hub = Hub::new(Options::default());
    let slow = Slow::default();
    let (mut bad, cracks) = Peer::cracked(&hub, &slow).await;
    cracks.store(true, Ordering::SeqCst);
    bad.send(0x89, b"").await;
    assert_eq!(bad.rest().await, [0x8a]);
    assert!(bad.task.await.unwrap_err().is_panic());
    slow.gone.acquire().await.unwrap().forget();
    assert_eq!((hub.stats().panics.get(), hub.connections()), (1, 0));
}

/// As an application does that drives sockets of its own and stops.
#[tokio::test(start_paused = true)]
async fn a_task_that_is_dropped_tells_its_channels_and_keeps_what_was_proven() {
    let hub = Hub::new(Options::default());
    let slow = Slow::default();
    let mut peer = Peer::connect_to(&hub, Arc::new(slow.clone()), 64 << 10);
    peer.text().await;
    peer.subscribe("echo").await;
    peer.task.abort();
    slow.gone.acquire().await.unwrap().forget();
    assert_eq!((hub.stats().panics.get(), hub.connections()), (0, 0));

    let cursor = hub.position();
    let mut page = comes_back(&hub, cursor, &[]).await;
    say(&hub, "1");
    assert_eq!(page.message().await, "1");
    page.pong().await;
    page.task.abort();
    assert!(page.task.await.unwrap_err().is_cancelled());
    comes_back(&hub, cursor, &[]).await;
    assert_eq!(hub.stats().resumes.get(), 1);
}

/// For a connection without a peer.
fn opening(hub: &Hub) -> Conversation {
    opening_from(hub, None)
}

fn opening_from(hub: &Hub, cursor: Option<Position>) -> Conversation {
    let client = hub.connect().unwrap();
    let hello = client.hello(Protocol::ActionCableV1Json);
    let session = Session::open(hub.now(), hello, Arc::clone(hub.limits()));
    let channels = Arc::new(Rooms { cursor });
    Conversation::new(session, client, channels, Identity::anonymous())
}

/// A socket that can't be written any more and still holds what the client said.
struct Broken {
    said: Vec<u8>,
}

impl AsyncRead for Broken {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        buffer.put_slice(&std::mem::take(&mut self.said));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Broken {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A browser answers the server's close frame with the same code before the page hears of it.
#[tokio::test(start_paused = true)]
async fn an_answer_to_our_goodbye_is_no_page_that_unloads() {
    let hub = Hub::new(Options::default());
    let cursor = hub.position();
    let mut peer = comes_back(&hub, cursor, &[]).await;
    let other = Peer::open(&hub, None).await;
    say(&hub, "1");
    assert_eq!(peer.message().await, "1");
    peer.pong().await;
    tokio::spawn({
        let hub = hub.clone();
        async move { hub.shut_down(Duration::from_secs(20)).await }
    });
    assert!(peer.text().await.contains("server_restart"));
    assert_eq!(peer.close_code().await, 1001);
    peer.send(0x88, &1001_u16.to_be_bytes()).await;
    peer.task.await.unwrap();
    say(&hub, "2");
    comes_back(&hub, cursor, &["2"]).await;
    drop(other);
}

/// The page unloads, its peer resets the socket, and a ping is due: the 1001 is still heard.
#[tokio::test(start_paused = true)]
async fn a_write_error_does_not_hide_the_clients_close() {
    let hub = Hub::new(Options::default());
    let mut said = vec![0x88, 0x82, 0, 0, 0, 0];
    said.extend(1001_u16.to_be_bytes());
    let mut connection = Connection::new(Broken { said }, InHand::default(), opening(&hub));
    let end = connection.drive(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(end, Poll::Ready(End::Lost(_))));
    assert!(connection.conversation.is_unloaded());
}

/// What an idle connection costs is mostly this; a field that it needs only now and then is out of
/// line. The bound is its size in a server: eight bytes less without tokio's threaded runtime, as
/// where this crate is tested alone.
#[test]
fn a_connection_stays_small() {
    let task = size_of::<Connection<TcpStream>>();
    assert!(task <= 608, "{task}: a connection's size has changed: see what for");
}

/// All in one round, and no two alike but the first three.
#[tokio::test(start_paused = true)]
async fn a_round_gives_each_connection_its_own() {
    let hub = Hub::new(Options::default());
    let cursor = hub.position();
    // Its reader of the stream has another name: it has a subscription before that.
    let mut second = Vec::new();
    for cursor in [None, Some(cursor)] {
        let mut peer = Peer::open(&hub, cursor).await;
        peer.subscribe("echo").await;
        peer.subscribe("room").await;
        second.push(peer);
    }
    let mut alike = Vec::new();
    for _ in 0..3 {
        let mut peer = Peer::open(&hub, None).await;
        peer.subscribe("room").await;
        alike.push(peer);
    }
    let mut excepted = Peer::connect(&hub, None, 64 << 10);
    let welcome: serde_json::Value = serde_json::from_str(&excepted.text().await).unwrap();
    excepted.subscribe("room").await;
    let mut other = Peer::open(&hub, None).await;
    other
        .send(0x81, br#"{"command":"subscribe","identifier":"{\"channel\":\"room\",\"n\":1}"}"#)
        .await;
    assert!(other.text().await.contains("confirm_subscription"));
    let mut from_cursor = comes_back(&hub, cursor, &[]).await;
    let mut narrow = Peer::connect(&hub, None, 200);
    assert!(narrow.text().await.contains("welcome"));
    narrow.subscribe("room").await;

    let large = "x".repeat(5_000);
    for text in ["1", large.as_str(), "3"] {
        say(&hub, text);
        let message = Message::json("\"for others\"").except(welcome["sid"].as_str().unwrap());
        hub.publish(Broadcast { stream: "room", message, class: Class::Log }).block_on().unwrap();
        let others = [&mut other, &mut from_cursor, &mut narrow];
        for peer in alike.iter_mut().chain(&mut second).chain(others) {
            let got = peer.text().await;
            assert!(got.contains("room") && !got.contains("echo"), "{got}");
            let got: serde_json::Value = serde_json::from_str(&got).unwrap();
            assert_eq!(got["message"], text);
            assert_eq!(peer.message().await, "for others");
        }
        assert_eq!(excepted.message().await, text);
    }
    // The same bytes go to all who are alike, at once and without a tick.
    let now = tokio::time::Instant::now();
    say(&hub, "last");
    for peer in alike.iter_mut().chain([&mut excepted, &mut narrow]) {
        assert_eq!(
            peer.text().await,
            r#"{"identifier":"{\"channel\":\"room\"}","message":"last"}"#
        );
    }
    assert!(other.text().await.starts_with(r#"{"identifier":"{\"channel\":\"room\",\"n\":1}""#));
    assert!(from_cursor.text().await.ends_with(",\"offset\":7}"));
    for peer in &mut second {
        assert!(peer.text().await.starts_with(r#"{"identifier":"{\"channel\":\"room\"}","#));
    }
    assert_eq!(tokio::time::Instant::now(), now);
}

#[tokio::test(start_paused = true)]
async fn pages_of_one_tag_have_their_own_cursors_in_what_they_get() {
    let hub = Hub::new(Options::default());
    let mut pages = Vec::new();
    for cursor in ["a", "b", "a"] {
        let identifier = format!(r#""{{\"channel\":\"room\",\"cursor\":\"{cursor}\"}}""#);
        let mut page = Peer::open(&hub, None).await;
        let subscribe = format!(r#"{{"command":"subscribe","identifier":{identifier}}}"#);
        page.send(0x81, subscribe.as_bytes()).await;
        let confirm = format!(r#"{{"identifier":{identifier},"type":"confirm_subscription"}}"#);
        assert_eq!(page.text().await, confirm);
        pages.push((page, identifier));
    }
    say(&hub, "hello");
    for (page, identifier) in &mut pages {
        let entry = format!(r#"{{"identifier":{identifier},"message":"hello"}}"#);
        assert_eq!(page.text().await, entry);
    }
}

/// A socket that takes some writes and then no more, and remembers who waits for it.
struct Full {
    said: Vec<u8>,
    takes: usize,
    waits: Option<Waker>,
    taken: Vec<u8>,
    /// Something is published when it is read next.
    meanwhile: Option<Hub>,
}

impl AsyncRead for Full {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.said.is_empty() {
            if let Some(hub) = self.meanwhile.take() {
                say(&hub, "meanwhile");
            }
            return Poll::Pending;
        }
        buffer.put_slice(&std::mem::take(&mut self.said));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Full {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.takes == 0 {
            self.waits = Some(cx.waker().clone());
            return Poll::Pending;
        }
        self.takes -= 1;
        self.taken.extend(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// One packet less of each connect.
#[tokio::test(start_paused = true)]
async fn the_answer_to_the_handshake_leaves_with_the_first_words() {
    let hub = Hub::new(Options::default());
    for takes in [1, 0] {
        let in_hand = InHand { read: Bytes::new(), answer: b"HTTP/1.1 101\r\n\r\n"[..].into() };
        let io = Full { said: Vec::new(), takes, waits: None, taken: Vec::new(), meanwhile: None };
        let mut connection = Connection::new(io, in_hand, opening(&hub));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(connection.drive(&mut cx).is_pending());
        // A full socket takes it later.
        connection.io.takes = 1 - takes;
        assert!(connection.drive(&mut cx).is_pending());
        assert_eq!((connection.io.takes, connection.outgoing.is_at_rest()), (0, true));
        let taken = String::from_utf8_lossy(&connection.io.taken);
        let (answer, words) = taken.split_once("\r\n\r\n").unwrap();
        assert_eq!(answer, "HTTP/1.1 101");
        assert!(words.contains("welcome"), "{words:?}");
    }
}

/// A socket wakes the last who asked. If that were a round, nobody would go on.
#[tokio::test(start_paused = true)]
async fn a_round_does_not_take_the_place_of_a_task_that_waits_for_its_socket() {
    struct Task;
    impl std::task::Wake for Task {
        fn wake(self: Arc<Self>) {}
    }
    let hub = Hub::new(Options::default());
    let mut said = vec![0x81, 0x80 | 0x3d, 0, 0, 0, 0];
    said.extend(br#"{"command":"subscribe","identifier":"{\"channel\":\"room\"}"}"#);
    assert_eq!(said.len(), 6 + 0x3d);
    // The welcome and the confirmation.
    let io = Full { said, takes: 2, waits: None, taken: Vec::new(), meanwhile: None };
    let mut connection = Connection::new(io, InHand::default(), opening(&hub));
    let task = Waker::from(Arc::new(Task));
    let mut cx = Context::from_waker(&task);
    for _ in 0..2 {
        assert!(connection.drive(&mut cx).is_pending());
    }
    assert!(connection.io.takes == 0 && connection.outgoing.is_at_rest());
    say(&hub, "1");
    assert!(connection.drive(&mut cx).is_pending());
    assert!(!connection.deliver(&mut Round::default()));
    assert!(connection.io.waits.as_ref().unwrap().will_wake(&task));
    // It takes something again; what is published before rounds see it as at rest is not forgotten.
    (connection.io.takes, connection.io.meanwhile) = (9, Some(hub));
    assert!(connection.drive(&mut cx).is_pending());
    assert!(connection.io.takes == 7 && connection.io.meanwhile.is_none());
}

/// What is published after access was taken back is not given any more, even if a round is faster than
/// the connection's task.
#[tokio::test(start_paused = true)]
async fn a_round_gives_nothing_to_a_connection_that_is_called() {
    let hub = Hub::new(Options::default());
    let mut opening = opening(&hub);
    opening.client_mut().identify(&"somebody".into());
    let mut said = vec![0x81, 0x80 | 0x3d, 0, 0, 0, 0];
    said.extend(br#"{"command":"subscribe","identifier":"{\"channel\":\"room\"}"}"#);
    let io = Full { said, takes: 9, waits: None, taken: Vec::new(), meanwhile: None };
    let mut connection = Connection::new(io, InHand::default(), opening);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        assert!(connection.drive(&mut cx).is_pending());
    }
    say(&hub, "1");
    assert!(connection.deliver(&mut Round::default()));
    let takes = connection.io.takes;
    assert_eq!(hub.disconnect("somebody").block_on().unwrap(), 1);
    say(&hub, "2");
    connection.deliver(&mut Round::default());
    assert_eq!(connection.io.takes, takes);
    // Nor does its task that was at it already.
    let Connection { io, conversation, outgoing, .. } = &mut connection;
    assert!(outgoing.poll(&mut cx, Pin::new(io), conversation, &mut 9).is_ready());
    assert_eq!(io.takes, takes);
    assert!(connection.drive(&mut cx).is_pending());
    assert!(connection.outgoing.close_sent());
}
