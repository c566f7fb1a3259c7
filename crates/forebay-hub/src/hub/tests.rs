//! Publishing, attaching and reading, with real sessions and no sockets.

mod gaps;
mod inquiries;
mod keeping;
mod nodes;
mod presence;
mod timing;

use std::sync::atomic::AtomicUsize;
use std::task::{Wake as TaskWake, Waker};

use forebay_cable::{Effect, Protocol, Resync, Session};
use forebay_log::Revocation;
use pollster::FutureExt as _;
use tokio::runtime::Handle;

use super::*;
use crate::read::Batch;

#[derive(Default)]
struct Woken(AtomicUsize, Notify);

impl TaskWake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
        self.1.notify_one();
    }
}

struct Page {
    client: Client,
    session: Session,
    woken: Arc<Woken>,
}

impl Page {
    fn open(hub: &Hub) -> Self {
        Self::speaking(hub, Protocol::ActionCableV1Json)
    }

    fn speaking(hub: &Hub, protocol: Protocol) -> Self {
        let client = hub.connect().unwrap();
        let session = Session::open(hub.now(), client.hello(protocol), Arc::clone(hub.limits()));
        Self { client, session, woken: Arc::default() }
    }

    fn subscribe(&mut self, stream: &str, cursor: Option<Position>) {
        // A control character has no place in JSON.
        let name = stream.trim_start_matches('\u{1}');
        self.session.handle_text(&format!(
            r#"{{"command":"subscribe","identifier":"{{\"channel\":\"{name}\"}}"}}"#
        ));
        assert!(matches!(self.session.poll_effect(), Some(Effect::Subscribe { .. })));
        self.confirm(&[(stream, cursor)]);
    }

    /// Answers a subscription that waits: it reads these.
    fn confirm(&mut self, streams: &[(&str, Option<Position>)]) {
        let attach = |(stream, cursor): &(&str, _)| self.client.attach(stream, *cursor);
        let attachments: Vec<_> = streams.iter().map(attach).collect();
        let goes_on = streams.iter().all(|(_, cursor)| cursor.is_some());
        self.session.confirm(attachments, goes_on, Resync::new("null"));
    }

    /// Everything new, as its texts; resyncs as `lost`.
    fn read(&mut self) -> Vec<String> {
        let mut got = Vec::new();
        let mut batch = Batch::default();
        loop {
            assert!(self.client.read(&self.session, &mut batch));
            if batch.deliveries.is_empty() && batch.lost.is_empty() {
                return got;
            }
            for reader in &batch.lost {
                got.push("lost".to_owned());
                self.session.resync(*reader, batch.head);
            }
            for delivery in batch.deliveries.drain(..) {
                got.extend(delivery.message.map(|message| message.as_json().to_owned()));
                self.session.advance(delivery.reader, delivery.offset);
            }
        }
    }

    /// Takes the signals, as its task would, and stays registered.
    fn signals(&mut self) -> Signals {
        self.client.poll_signals(&Waker::from(Arc::clone(&self.woken)))
    }

    /// Waits until its task would have been woken again.
    async fn woken(&self) {
        self.woken.1.notified().await;
    }

    fn wakes(&self) -> usize {
        self.woken.0.load(Ordering::SeqCst)
    }
}

fn say(hub: &Hub, stream: &str, json: &str) -> Published {
    let message = Message::json(json);
    hub.publish(Broadcast { stream, message, class: Class::Log }).block_on().unwrap()
}

#[test]
fn what_is_published_between_rendering_and_attaching_is_read() {
    let hub = Hub::new(Options::default());
    say(&hub, "room", "0");
    let rendered = hub.position();
    say(&hub, "room", "1");
    let mut page = Page::open(&hub);
    page.subscribe("room", Some(rendered));
    let published = say(&hub, "room", "2");
    assert_eq!((published.subscribers, published.position), (1, hub.position()));
    assert_eq!(page.read(), ["1", "2"]);
    assert_eq!(page.read(), [""; 0]);
}

#[test]
fn without_a_cursor_reading_begins_at_attaching() {
    let hub = Hub::new(Options::default());
    say(&hub, "room", "0");
    let mut page = Page::open(&hub);
    page.subscribe("room", None);
    say(&hub, "room", "1");
    assert_eq!(page.read(), ["1"]);
}

#[test]
fn many_streams_are_read_in_the_order_of_the_log_past_every_limit() {
    let hub = Hub::new(Options::default());
    let rendered = hub.position();
    let mut page = Page::open(&hub);
    for stream in ["a", "b", "c"] {
        page.subscribe(stream, Some(rendered));
    }
    let stream = |n: usize| ["a", "b", "c", "b", "b"][n % 5];
    for n in 0..1_000 {
        say(&hub, stream(n), &n.to_string());
    }
    let expected: Vec<_> = (0..1_000).map(|n| n.to_string()).collect();
    assert_eq!(page.read(), expected);
}

/// Its position stays where it is; what is live on the session's other streams goes out meanwhile.
#[test]
fn a_replay_that_has_to_wait_is_read_when_enough_time_has_passed() {
    let now = Arc::new(AtomicU64::new(0));
    let limits = Limits::default().replay_bytes_burst(4).replay_bytes_per_second(1);
    let hub = Hub::simulated(Options { limits, ..Options::default() }, Epoch(1), Arc::clone(&now));
    let rendered = hub.position();
    say(&hub, "a", "12345");
    say(&hub, "b", "67");
    let mut page = Page::open(&hub);
    page.subscribe("a", Some(rendered));
    page.subscribe("live", None);
    assert_eq!(page.read(), ["12345"]);
    page.client.note_replay(5);
    page.subscribe("b", Some(rendered));
    say(&hub, "live", "1");
    say(&hub, "a", "2");
    let mut batch = Batch::default();
    assert!(page.client.read(&page.session, &mut batch));
    assert!(batch.is_delayed && !batch.complete, "nothing proves that b was read");
    assert_eq!(page.read(), ["1", "2"]);
    say(&hub, "b", "3");
    assert_eq!(page.read(), [""; 0]);
    now.store(2_000, Ordering::SeqCst);
    assert_eq!(page.read(), ["67", "3"]);
}

/// Subscriptions are the streams that they read, one from a cursor. That has to wait: says what is read before
/// it, and with it.
fn check_waits(protocol: Protocol, subscriptions: &[&[&str]], before: &[&str], then: &[&str]) {
    let now = Arc::new(AtomicU64::new(0));
    let limits = Limits::default().replay_bytes_burst(4).replay_bytes_per_second(1);
    let hub = Hub::simulated(Options { limits, ..Options::default() }, Epoch(1), Arc::clone(&now));
    let rendered = hub.position();
    say(&hub, "a", "12345");
    let mut page = Page::speaking(&hub, protocol);
    page.client.note_replay(5);
    for (number, streams) in subscriptions.iter().enumerate() {
        page.session.handle_text(&format!(
            r#"{{"command":"subscribe","identifier":"{{\"channel\":\"{number}\"}}"}}"#
        ));
        assert!(matches!(page.session.poll_effect(), Some(Effect::Subscribe { .. })));
        let cursor = |stream: &str| (stream != "live" && number == 0).then_some(rendered);
        let streams: Vec<_> = streams.iter().map(|stream| (*stream, cursor(stream))).collect();
        page.confirm(&streams);
    }
    say(&hub, "a", "2");
    say(&hub, "live", "1");
    assert_eq!(page.read(), before, "{protocol:?}, {subscriptions:?}");
    now.store(2_000, Ordering::SeqCst);
    assert_eq!(page.read(), then, "{protocol:?}, {subscriptions:?}");
}

/// Its connection may end before the replay's turn comes. What a client keeps one position for it says then to have
/// all of, and would never get the replay.
#[test]
fn what_has_its_position_in_common_with_a_replay_that_has_to_wait_waits_with_it() {
    use Protocol::{ActionCableV1ExtJson, ActionCableV1Json, EventSource, ForebayV1Json};
    for protocol in [ActionCableV1Json, ActionCableV1ExtJson, ForebayV1Json] {
        check_waits(protocol, &[&["a"], &["live"]], &["1"], &["12345", "2"]);
    }
    check_waits(EventSource, &[&["a"], &["live"]], &[], &["12345", "2", "1"]);
    check_waits(ForebayV1Json, &[&["a", "live"]], &[], &["12345", "2", "1"]);
    check_waits(ActionCableV1ExtJson, &[&["a"], &["a"]], &[], &["12345", "2", "2"]);
}

#[test]
fn a_batch_is_bounded_in_bytes_but_takes_one_of_any_size() {
    let hub = Hub::new(Options::default());
    let mut page = Page::open(&hub);
    page.subscribe("a", Some(hub.position()));
    for _ in 0..3 {
        say(&hub, "a", &"x".repeat(300 << 10));
    }
    let mut batch = Batch::default();
    assert!(page.client.read(&page.session, &mut batch));
    assert_eq!(batch.deliveries.len(), 1);
    assert_eq!(page.read().len(), 3);
}

#[test]
fn a_publisher_wakes_a_reader_once_and_a_blocked_one_not_at_all() {
    let hub = Hub::new(Options::default());
    let mut page = Page::open(&hub);
    page.subscribe("a", Some(hub.position()));
    page.signals();
    say(&hub, "a", "1");
    say(&hub, "a", "2");
    assert_eq!(page.wakes(), 1);
    assert!(page.signals().contains(Signals::ENTRIES));
    page.client.mute_entries();
    page.subscribe("b", Some(hub.position()));
    assert_eq!(say(&hub, "a", "3").subscribers, 1);
    say(&hub, "b", "4");
    assert_eq!(page.wakes(), 1, "its socket takes nothing");
    assert!(page.client.unmute_entries(), "it has to look at the log");
    assert_eq!(page.read(), ["1", "2", "3", "4"]);
    assert!(!page.client.unmute_entries());
    for (stream, json, wakes) in [("a", "5", 2), ("b", "6", 3)] {
        page.signals();
        assert_eq!(say(&hub, stream, json).subscribers, 1);
        assert_eq!(page.wakes(), wakes);
    }
    assert_eq!(page.read(), ["5", "6"]);
}

#[test]
fn a_reader_left_behind_by_history_is_lost_once_and_then_live() {
    let retention = Retention::default().entries_max(10);
    let hub = Hub::new(Options { retention, ..Options::default() });
    let mut page = Page::open(&hub);
    page.subscribe("a", Some(hub.position()));
    for n in 0..50 {
        say(&hub, "a", &n.to_string());
    }
    assert_eq!(page.read(), ["lost"]);
    say(&hub, "a", "50");
    assert_eq!(page.read(), ["50"]);
}

#[test]
fn cursors_that_cannot_be_served_are_counted_by_kind() {
    let retention = Retention::default().entries_max(1);
    let hub = Hub::new(Options { retention, ..Options::default() });
    let early = hub.position();
    say(&hub, "a", "1");
    say(&hub, "a", "2");
    let other = Position { epoch: Epoch(!early.epoch.0), ..early };
    let future = Position { offset: Offset(99), ..early };
    for cursor in [early, other, future] {
        Page::open(&hub).subscribe("a", Some(cursor));
    }
    let stats = hub.stats().snapshot();
    let resyncs = [stats.resyncs_forgotten, stats.resyncs_other_epoch, stats.resyncs_future];
    assert_eq!(resyncs, [1, 1, 1]);
}

#[test]
fn an_excepted_session_passes_over_the_entry() {
    let hub = Hub::new(Options::default());
    let (mut ada, mut grace) = (Page::open(&hub), Page::open(&hub));
    for page in [&mut ada, &mut grace] {
        page.subscribe("a", Some(hub.position()));
    }
    let message = Message::json("1").except(ada.session.id().to_string());
    hub.publish(Broadcast { stream: "a", message, class: Class::Log }).block_on().unwrap();
    say(&hub, "a", "2");
    assert_eq!((ada.read(), grace.read()), (vec!["2".into()], vec!["1".into(), "2".into()]));
}

#[test]
fn a_dropped_client_leaves_nothing_behind() {
    let hub = Hub::new(Options::default());
    for _ in 0..10 {
        let mut page = Page::open(&hub);
        page.subscribe("a", None);
        page.subscribe("b", None);
        assert_eq!((hub.connections(), say(&hub, "a", "1").subscribers), (1, 1));
    }
    assert_eq!((hub.connections(), say(&hub, "a", "1").subscribers), (0, 0));
}

#[test]
fn a_batch_of_broadcasts_is_contiguous() {
    let hub = Hub::new(Options::default());
    let broadcasts = ["a", "b", "a"].map(|stream| Broadcast {
        stream,
        message: Message::json("1"),
        class: Class::Log,
    });
    let offsets: Vec<_> = hub
        .publish_all(broadcasts)
        .block_on()
        .unwrap()
        .iter()
        .map(|published| published.position.offset.0)
        .collect();
    assert_eq!(offsets, [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn every_connection_is_ticked_within_half_an_interval_and_history_expires() {
    let retention = Retention::default().age_max(Duration::ZERO);
    let hub = Hub::new(Options { retention, ..Options::default() });
    let mut pages: Vec<_> = (0..100).map(|_| Page::open(&hub)).collect();
    for page in &mut pages {
        page.signals();
    }
    say(&hub, "a", "1");
    tokio::time::sleep(Duration::from_millis(1_600)).await;
    for page in &mut pages {
        assert!(page.signals().contains(Signals::TICK));
    }
    assert_eq!(hub.history_bytes(), 0);
}

#[test]
fn the_tick_moves_on_when_its_runtime_ends() {
    let hub = Hub::new(Options::default());
    for _ in 0..2 {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut page = Page::open(&hub);
            page.signals();
            tokio::time::sleep(Duration::from_millis(1_600)).await;
            assert!(page.signals().contains(Signals::TICK));
        });
    }
}

#[tokio::test(start_paused = true)]
async fn shutting_down_tells_everybody_and_lets_nobody_in() {
    let hub = Hub::new(Options::default());
    let mut page = Page::open(&hub);
    let shutdown = tokio::spawn({
        let hub = hub.clone();
        async move { hub.shut_down(Duration::from_secs(1)).await }
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(page.signals().contains(Signals::SHUTDOWN));
    assert!(hub.connect().is_err());
    drop(page);
    shutdown.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_comes_while_others_are_told_is_served_and_told_at_the_end() {
    let hub = Hub::new(Options::default());
    let mut pages: Vec<_> = (0..100).map(|_| Page::open(&hub)).collect();
    let shutdown = tokio::spawn({
        let hub = hub.clone();
        async move { hub.shut_down(Duration::from_secs(30)).await }
    });
    tokio::time::sleep(Duration::from_secs(15)).await;
    let told = pages.extract_if(.., |page| page.signals().contains(Signals::SHUTDOWN)).count();
    assert!((40..60).contains(&told), "{told} of 100 in half of the time");
    let mut late = Page::open(&hub);
    say(&hub, "s", "1");
    tokio::time::sleep(Duration::from_secs(14)).await;
    assert!(!late.signals().contains(Signals::SHUTDOWN));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(late.signals().contains(Signals::SHUTDOWN));
    assert!(hub.connect().is_err());
    drop((late, pages));
    shutdown.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn shutting_down_takes_no_longer_than_it_has_to() {
    let took = async |leaves: bool, pages: usize| {
        let hub = Hub::new(Options::default());
        let began = tokio::time::Instant::now();
        let pages: Vec<_> = (0..pages).map(|_| Page::open(&hub)).collect();
        let shutdown = tokio::spawn({
            let hub = hub.clone();
            async move { hub.shut_down(Duration::from_secs(10)).await }
        });
        if leaves {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(pages);
            shutdown.await.unwrap();
        } else {
            shutdown.await.unwrap();
            drop(pages);
        }
        began.elapsed().as_secs()
    };
    assert_eq!(took(false, 0).await, 0, "with nobody connected");
    assert_eq!(took(true, 3).await, 1, "when the last one has left");
    assert_eq!(took(false, 3).await, 12, "with pages that do not leave");
}

fn is_revoked(hub: &Hub, identity: Option<&str>, stream: &str, cursor: Option<Position>) -> bool {
    hub.is_revoked(crate::Asked { identity, stream, is_public: false }, cursor)
}

#[test]
fn revocations_outlive_the_process() {
    let folder = tempfile::TempDir::new().unwrap();
    let open = || Hub::open(Options::default(), folder.path(), Fsync::Os).unwrap();
    let (user, room) = (Revocation::of_identity("user:1"), Revocation::of_stream("room"));
    let hub = open();
    let old = Some(hub.position());
    hub.revoke(user.clone()).block_on().unwrap();
    hub.revoke(user.clone()).block_on().unwrap();
    hub.revoke(room.clone()).block_on().unwrap();
    let fresh = Some(hub.position());
    // The store is not closed well. What a killed process leaves is tested with one, in
    // forebay-server/tests/binary/durable.rs.
    drop(hub);
    let hub = open();
    for seen in [old, None] {
        assert!(is_revoked(&hub, Some("user:1"), "hall", seen));
        assert!(is_revoked(&hub, None, "room", seen));
        assert!(!is_revoked(&hub, Some("user:2"), "hall", seen));
    }
    assert!(!is_revoked(&hub, Some("user:1"), "room", fresh), "it was rendered afterwards");
    assert!(hub.readmit(&user).block_on().unwrap());
    assert!(!hub.readmit(&user).block_on().unwrap());
    drop(hub);
    let hub = open();
    assert!(!is_revoked(&hub, Some("user:1"), "hall", old), "not even the older of both is back");
    assert!(is_revoked(&hub, None, "room", old));
}

/// A connection that takes everything at once, or nothing.
struct Taking {
    takes: bool,
    rounds: AtomicUsize,
    wake: Arc<crate::Wake>,
}

impl crate::Seat for Taking {
    fn deliver(&self, _: &mut crate::Round) -> bool {
        self.rounds.fetch_add(1, Ordering::SeqCst);
        self.takes
    }

    fn wake(&self) -> &crate::Wake {
        &self.wake
    }
}

impl Page {
    fn seated(hub: &Hub, stream: &str) -> (Self, Arc<Taking>) {
        Self::seated_where(hub, stream, true)
    }

    fn seated_where(hub: &Hub, stream: &str, takes: bool) -> (Self, Arc<Taking>) {
        let mut page = Self::open(hub);
        let wake = page.client.wake();
        let seat = Arc::new(Taking { takes, rounds: AtomicUsize::new(0), wake });
        let weak = Arc::downgrade(&seat);
        page.client.sit(weak);
        page.subscribe(stream, None);
        page.signals();
        (page, seat)
    }
}

fn taken(seats: &[(Page, Arc<Taking>)]) -> usize {
    seats.iter().map(|(_, seat)| seat.rounds.load(Ordering::SeqCst)).sum()
}

fn simulated() -> Hub {
    Hub::simulated(Options::default(), Epoch(1), Arc::default())
}

#[test]
fn other_streams_are_served_between_the_rounds_of_a_broadcast() {
    let hub = simulated();
    let many: Vec<_> = (0..100).map(|_| Page::seated(&hub, "many")).collect();
    let few = [Page::seated(&hub, "few")];
    say(&hub, "many", "1");
    say(&hub, "few", "1");
    assert!(hub.round());
    assert_eq!((taken(&many), taken(&few)), (32, 0));
    assert!(hub.round());
    assert_eq!((taken(&many), taken(&few)), (32, 1));
    while hub.round() {}
    assert_eq!((taken(&many), taken(&few)), (100, 1));
}

#[test]
fn a_pass_sees_again_whom_it_had_seen_before_an_entry() {
    let hub = simulated();
    let pages: Vec<_> = (0..70).map(|_| Page::seated(&hub, "a")).collect();
    say(&hub, "a", "1");
    assert!(hub.round() && hub.round());
    say(&hub, "a", "2");
    while hub.round() {}
    assert_eq!(taken(&pages), 64 + 70);
    let counts = pages.iter().map(|(_, seat)| seat.rounds.load(Ordering::SeqCst));
    assert!(counts.into_iter().all(|count| count > 0));
}

#[test]
fn a_pass_over_readers_that_have_left_costs_no_rounds() {
    let hub = simulated();
    let mut pages: Vec<_> = (0..70).map(|_| Page::seated(&hub, "a")).collect();
    pages.truncate(2);
    say(&hub, "a", "1");
    assert!(hub.round());
    assert!(!hub.round());
    assert_eq!(taken(&pages), 2);
}

#[test]
fn who_is_not_at_rest_or_has_no_seat_is_signalled() {
    let hub = simulated();
    let (mut busy, seat) = Page::seated_where(&hub, "a", false);
    let mut standing = Page::open(&hub);
    standing.subscribe("a", None);
    standing.signals();
    say(&hub, "a", "1");
    assert!(hub.round());
    assert_eq!((seat.rounds.load(Ordering::SeqCst), busy.wakes(), standing.wakes()), (1, 1, 1));
    assert!(standing.signals().contains(Signals::ENTRIES));
    assert!(busy.signals().contains(Signals::ENTRIES));
    let (at_rest, _) = Page::seated(&hub, "a");
    say(&hub, "a", "2");
    assert!(hub.round());
    assert_eq!((at_rest.wakes(), standing.wakes()), (0, 2));
}

/// The runtime that took rounds is gone, in the middle of a pass.
#[test]
fn rounds_that_nobody_takes_are_signals() {
    let hub = Hub::new(Options::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut page = runtime.block_on(async { Page::open(&hub) });
    page.subscribe("a", None);
    page.signals();
    say(&hub, "a", "1");
    assert_eq!(page.wakes(), 0);
    drop(runtime);
    assert_eq!(page.wakes(), 1);
    page.signals();
    say(&hub, "a", "2");
    assert_eq!(page.wakes(), 2);
}

/// A hub that goes takes those along who wait for its rounds.
#[tokio::test]
async fn who_takes_rounds_ends_with_the_hub() {
    let hub = Hub::new(Options::default());
    drop(hub.connect().unwrap());
    tokio::task::yield_now().await;
    let tasks = || Handle::current().metrics().num_alive_tasks();
    assert_eq!(tasks(), 2);
    let inner = Arc::downgrade(&hub.0);
    drop(hub);
    tokio::task::yield_now().await;
    assert!(inner.upgrade().is_none());
    assert_eq!(tasks(), 0, "who ticks ends with it, too");
}

/// How often its only thread had nothing more to do, and slept.
fn sleeps() -> u64 {
    Handle::current().metrics().worker_park_count(0)
}

/// It slept twenty times in each second.
#[tokio::test(start_paused = true)]
async fn a_hub_that_nobody_uses_sleeps_until_somebody_comes() {
    let hub = Hub::new(Options::default());
    drop(Page::open(&hub));
    say(&hub, "room", "1");
    let before = sleeps();
    tokio::time::sleep(Duration::from_hours(2)).await;
    assert!(sleeps() - before < 100, "{} times in two hours", sleeps() - before);
    assert_eq!(hub.history_bytes(), 0, "it woke to forget what was too old");

    let mut page = Page::open(&hub);
    let before = sleeps();
    while !page.signals().contains(Signals::TICK) {
        page.woken().await;
    }
    assert!(sleeps() - before < 20);
    let came = tokio::time::Instant::now();
    for _ in 0..10 {
        while !page.signals().contains(Signals::TICK) {
            page.woken().await;
        }
    }
    let between = came.elapsed() / 10;
    let due = Duration::from_millis(hub.limits().ping_interval_ms / TICKS_PER_INTERVAL);
    assert_eq!(between, due, "and then as often as beside many others");
}

#[tokio::test(start_paused = true)]
async fn a_hub_wakes_for_parts_that_somebody_is_in() {
    let hub = Hub::new(Options::default());
    let mut pages: Vec<_> = (0..3 * TICK_PARTS).map(|_| Page::open(&hub)).collect();
    let ticks = async |pages: &mut [Page]| {
        let before = sleeps();
        tokio::time::sleep(Duration::from_secs(15)).await;
        for page in pages {
            assert!(page.signals().contains(Signals::TICK));
        }
        sleeps() - before
    };
    let many = ticks(&mut pages).await;
    // Where the last of them was alone, it still has its turn.
    pages.drain(..3 * TICK_PARTS - 1);
    let one = ticks(&mut pages).await;
    assert!(one * 8 < many, "{one} times instead of {many}");
}

/// What seats have made of a batch.
#[derive(Debug, Default)]
struct Made(Option<Offset>);

impl crate::Scratch for Made {
    fn forget(&mut self) {
        self.0 = None;
    }
}

#[test]
fn what_is_made_of_a_batch_goes_with_it() {
    let hub = simulated();
    let mut round = crate::Round::default();
    let mut pages: Vec<_> = (0..3).map(|_| Page::open(&hub)).collect();
    for page in &mut pages {
        page.subscribe("a", None);
    }
    let deliver = |round: &mut crate::Round, page: &mut Page| {
        assert!(page.client.read_in(round, &page.session));
        let (batch, made) = round.batch_and_scratch::<Made>();
        for delivery in &batch.deliveries {
            page.session.advance(delivery.reader, delivery.offset);
        }
        made.0.replace(batch.head)
    };
    let [one, two, three] = &mut pages[..] else { unreachable!("there are three") };
    say(&hub, "a", "1");
    assert_eq!(deliver(&mut round, one), None);
    assert_eq!(deliver(&mut round, two), Some(Offset(1)), "it stands at the same place");
    say(&hub, "a", "2");
    assert_eq!(deliver(&mut round, two), None, "it stands at another");
    round.end();
    assert_eq!(deliver(&mut round, three), None, "the round is another");
}

/// It alone is told to end; whoever comes after it in the round has its turn in the same one.
#[test]
fn a_panic_in_a_round_costs_nobody_else_a_turn() {
    struct Panics(Arc<crate::Wake>);

    impl crate::Seat for Panics {
        fn deliver(&self, _: &mut crate::Round) -> bool {
            panic!("as asked");
        }

        fn wake(&self) -> &crate::Wake {
            &self.0
        }
    }

    let hub = simulated();
    let before = Page::seated(&hub, "a");
    let mut bad = Page::open(&hub);
    let seat = Arc::new(Panics(bad.client.wake()));
    let weak = Arc::downgrade(&seat);
    bad.client.sit(weak);
    bad.subscribe("a", None);
    let mut others = [before, Page::seated(&hub, "a")];
    for rounds in 1..3 {
        say(&hub, "a", "1");
        assert!(hub.round());
        assert_eq!(taken(&others), 2 * rounds);
    }
    assert_eq!(bad.signals(), Signals::FAILED);
    for (page, _) in &mut others {
        assert_eq!(page.signals(), Signals::default());
    }
}
