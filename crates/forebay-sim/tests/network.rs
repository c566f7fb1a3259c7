//! The store behind a simulated network, and hubs that follow it.
#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fastrand::Rng;
use forebay_cable::{Effect, Protocol, Resync, Session, SubscriptionId};
use forebay_hub::{Asked, Broadcast, Client, Hub, Incoming, Options, Revocation};
use forebay_log::{Class, Epoch, Message, Offset, Position};
use forebay_sim::{Flaw, Lost, Network, Trouble};
use forebay_store::LogStore;
use forebay_store_tests::{Fault, World};
use forebay_transport::{
    Answer, Begin, Channels, Endpoint, Identity, Origins, Rejected, Request, Stream, Subscribed,
    drive,
};
use http_body::Body as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What happens to requests in one of thirty or so.
const TROUBLE: Trouble =
    Trouble { request_lost: 10, answer_lost: 10, doubled: 30, cut: 5, delayed: 5 };

struct Networked {
    network: &'static Network,
}

impl World for Networked {
    fn node(&mut self) -> Option<Arc<dyn LogStore>> {
        Some(self.network.node())
    }

    fn advance(&mut self) {
        self.network.step();
    }

    fn end(&mut self) {}

    fn fault(&mut self, fault: Fault) -> bool {
        let server = self.network.server();
        match fault {
            Fault::Request => server.lose_next(Lost::Request),
            Fault::Answer => server.lose_next(Lost::Answer),
            Fault::Connection => server.break_lines(),
            Fault::Trim => server.trim(1),
            Fault::Loss => server.lose_last(),
            _ => return false,
        }
        true
    }
}

#[test]
fn a_log_on_a_server_keeps_the_contract() {
    for (seed, trouble) in (0..8).flat_map(|seed| [(seed, Trouble::default()), (seed, TROUBLE)]) {
        forebay_store_tests::check(|| {
            // It lives as long as the test, and the thread in its time.
            let network: &'static Network =
                Box::leak(Box::new(Network::new(seed, trouble, Flaw::None)));
            std::mem::forget(network.enter());
            Networked { network }
        });
    }
}

const STREAMS: [&str; 3] = ["room", "hall", "yard"];

fn follow(network: &Network, now: &Arc<AtomicU64>) -> Hub {
    let hub = Hub::simulated_with(Options::default(), network.node(), Arc::clone(now)).unwrap();
    catch_up(network, &hub);
    hub
}

fn catch_up(network: &Network, hub: &Hub) {
    for _ in 0..10_000 {
        if hub.position().offset == network.server().head() {
            return;
        }
        network.step();
    }
    panic!("it never catches up: it is at {}", hub.position());
}

fn poll<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
    match Pin::new(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(ready) => Some(ready),
        Poll::Pending => None,
    }
}

fn until(network: &Network, holds: impl Fn() -> bool) {
    for _ in 0..60_000 {
        if holds() {
            return;
        }
        network.step();
    }
    panic!("it never comes to this");
}

fn finish<T>(network: &Network, mut future: impl Future<Output = T> + Unpin) -> T {
    for _ in 0..60_000 {
        if let Some(ready) = poll(&mut future) {
            return ready;
        }
        network.step();
    }
    panic!("it is never answered");
}

fn publish(network: &Network, hub: &Hub, text: &str) {
    let broadcast = Broadcast { stream: "room", message: Message::json(text), class: Class::Log };
    finish(network, Box::pin(hub.publish(broadcast))).unwrap();
}

/// All that a page of any age would be given of these streams.
fn histories(hub: &Hub, head: Position) -> Vec<Vec<Option<Vec<String>>>> {
    let replay = |stream: &str, offset| {
        let entries = hub.replay(stream, Position { offset: Offset(offset), ..head }).ok()?;
        Some(entries.iter().map(|entry| entry.message.as_json().to_owned()).collect())
    };
    STREAMS.map(|stream| (0..=head.offset.0).map(|n| replay(stream, n)).collect()).into()
}

/// Whoever publishes, revokes or tells of a gap, at whichever node: all nodes come to the same, and whoever
/// has published sees a head at or past its own entry.
#[test]
fn two_nodes_agree() {
    for seed in 0..200 {
        let (mut rng, now) = (Rng::with_seed(seed), Arc::new(AtomicU64::new(1_000_000)));
        let network = Network::new(seed, TROUBLE, Flaw::None);
        let _time = network.enter();
        let mut hubs = [follow(&network, &now), follow(&network, &now)];
        let mut under_way = Vec::new();
        for n in 0..60 {
            now.fetch_add(rng.u64(..1_000), Ordering::Relaxed);
            let hub = hubs[rng.usize(..2)].clone();
            let (stream, act) = (STREAMS[rng.usize(..STREAMS.len())], rng.u8(..10));
            under_way.push(Box::pin(async move {
                let user = Revocation::of_identity("user:1");
                match act {
                    0 => hub.gap([stream]).await,
                    1 => drop(hub.revoke(user).await.unwrap()),
                    2 => drop(hub.readmit(&user).await.unwrap()),
                    _ => {
                        let message = Message::json(n.to_string());
                        let broadcast = Broadcast { stream, message, class: Class::Log };
                        let published = hub.publish(broadcast).await.unwrap();
                        assert!(hub.position().offset >= published.position.offset);
                    }
                }
            }));
            for _ in 0..rng.usize(..4) {
                network.step();
                under_way.retain_mut(|one| poll(one).is_none());
            }
            if rng.u8(..20) == 0 {
                // One of them ends, and another comes.
                under_way.retain_mut(|one| poll(one).is_none());
                hubs[rng.usize(..2)] = follow(&network, &now);
            }
        }
        for _ in 0..10_000 {
            network.step();
            under_way.retain_mut(|one| poll(one).is_none());
        }
        assert!(under_way.is_empty(), "seed {seed}: each is answered");
        for hub in &hubs {
            catch_up(&network, hub);
        }
        let head = hubs[0].position();
        assert_eq!(head, hubs[1].position());
        let [one, other] = &hubs;
        assert_eq!(histories(one, head), histories(other, head), "seed {seed}");
        for offset in 0..=head.offset.0 {
            let refused = hubs.each_ref().map(|hub| {
                let asked = Asked { identity: Some("user:1"), stream: "room", is_public: false };
                hub.is_revoked(asked, Some(Position { offset: Offset(offset), ..head }))
            });
            assert_eq!(refused[0], refused[1], "seed {seed}, from {offset}");
        }
    }
}

/// A page that one node has rendered comes to another, which is behind.
#[test]
fn a_page_that_is_ahead_of_its_node_waits() {
    let network = Network::new(1, Trouble::default(), Flaw::None);
    let (_time, now) = (network.enter(), Arc::new(AtomicU64::new(1_000_000)));
    let (hub, there) = (follow(&network, &now), follow(&network, &now));
    assert!(hub.catches_up_with(hub.position()).is_none());
    // Another node has published, and rendered; this one has lost its line.
    network.server().cut_off(0);
    publish(&network, &there, "1");
    let rendered = there.position();
    assert!(hub.replay("room", rendered).is_err(), "it does not know of that yet");
    let mut wait = Box::pin(hub.catches_up_with(rendered).expect("it is behind"));
    assert!(poll(&mut wait).is_none());
    network.server().join(0);
    catch_up(&network, &hub);
    assert!(poll(&mut wait).is_some());
    assert_eq!(hub.replay("room", rendered).unwrap().len(), 0);
    let elsewhere = Position { epoch: Epoch(7), ..rendered };
    assert!(hub.catches_up_with(elsewhere).is_none(), "another log can't be waited for");
}

/// A room that is read from where its page was rendered.
struct Room(Position);

impl Channels for Room {
    fn subscribe(&self, _: Request) -> Answer<Result<Subscribed, Rejected>> {
        let begin = Begin::After(self.0);
        let stream = Stream { name: "room".into(), begin, is_public: false, seen: None };
        Answer::Now(Ok(Subscribed {
            streams: vec![stream],
            goes_on: true,
            resync: Resync::new("\"heal\""),
            transmissions: Vec::new(),
            whispers: None,
            handler: None,
            presence: None,
            roster: None,
        }))
    }
}

/// It is confirmed when its node knows what it was rendered with: it lacks nothing, and is not told to heal.
#[test]
fn a_page_of_another_node_is_not_told_to_heal_for_a_moment_of_lag() {
    for seed in 0..20 {
        let network = Network::new(seed, Trouble::default(), Flaw::None);
        let (_time, now) = (network.enter(), Arc::new(AtomicU64::new(1_000_000)));
        let (hub, there) = (follow(&network, &now), follow(&network, &now));
        network.server().cut_off(0);
        publish(&network, &there, "\"before\"");
        let rendered = there.position();
        publish(&network, &there, "\"after\"");
        let door = Origins::default();
        let endpoint = Endpoint::new(hub.clone(), Arc::new(Room(rendered)), door);
        let request =
            http::Request::post("/forebay/poll?wait=0").header("content-type", "application/json");
        let (request, ()) = request.body(()).unwrap().into_parts();
        let subscribe = r#"{"command":"subscribe","identifier":"{\"channel\":\"C\"}"}"#;
        let mut answer = Box::pin(endpoint.poll(&request, Ok(Identity::anonymous()), subscribe));
        assert!(poll(&mut answer).is_none(), "its node is behind");
        network.server().join(0);
        catch_up(&network, &hub);
        let answer = poll(&mut answer).expect("its node has caught up").unwrap();
        let answer = String::from_utf8_lossy(answer.body()).into_owned();
        assert!(answer.contains("after") && answer.contains("confirm"), "{answer}");
        assert!(!answer.contains("before") && !answer.contains("heal"), "{answer}");
        assert_eq!(hub.stats().snapshot().resyncs_future, 0);
    }
}

/// A browser's `EventSource` does not come back after a refusal: it is let in, and hears the rest when its node
/// knows enough.
#[test]
fn an_event_source_is_not_refused_for_a_moment_of_lag() {
    let network = Network::new(1, Trouble::default(), Flaw::None);
    let (_time, now) = (network.enter(), Arc::new(AtomicU64::new(1_000_000)));
    let (hub, there) = (follow(&network, &now), follow(&network, &now));
    network.server().cut_off(0);
    publish(&network, &there, "\"before\"");
    let rendered = there.position();
    publish(&network, &there, "\"after\"");
    let endpoint = Endpoint::new(hub.clone(), Arc::new(Room(rendered)), Origins::default());
    let (request, ()) =
        http::Request::get("/forebay/events?stream=room").body(()).unwrap().into_parts();
    let mut stream = endpoint.source(&request, Ok(Identity::anonymous())).unwrap().into_body();
    network.server().join(0);
    catch_up(&network, &hub);
    let mut text = String::new();
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..100 {
        network.step();
        hub.round();
        while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut stream).poll_frame(&mut cx) {
            text.push_str(&String::from_utf8_lossy(&frame.into_data().unwrap_or_default()));
        }
    }
    assert!(text.contains("after") && !text.contains("before"), "{text}");
}

/// Another server takes over, and lacks what was acknowledged.
#[test]
fn a_log_that_has_lost_something_is_told_to_all_pages() {
    let network = Network::new(1, Trouble::default(), Flaw::None);
    let (_time, now) = (network.enter(), Arc::new(AtomicU64::new(1_000_000)));
    let hub = follow(&network, &now);
    publish(&network, &hub, "1");
    network.server().copy();
    let before = hub.position();
    publish(&network, &hub, "2");
    let client = hub.connect().unwrap();
    client.poll_signals(Waker::noop());
    network.server().fail_over();
    until(&network, || hub.position().epoch != before.epoch);
    assert!(hub.replay("room", before).is_err(), "its pages are told");
    let signals = client.poll_signals(Waker::noop());
    assert!(signals.contains(forebay_hub::Signals::DISCONNECT), "who is here begins anew");
    let begun = hub.position();
    publish(&network, &hub, "3");
    let entries = hub.replay("room", begun).unwrap();
    let texts: Vec<_> = entries.iter().map(|entry| entry.message.as_json()).collect();
    assert_eq!(texts, ["3"]);
}

/// A node that was behind when another server took over has not seen what was lost. It must not go on in the
/// old epoch: pages of a node that was ahead would lack what comes next.
#[test]
fn a_node_that_was_behind_does_not_go_on_in_the_old_history() {
    let network = Network::new(1, Trouble::default(), Flaw::None);
    let (_time, now) = (network.enter(), Arc::new(AtomicU64::new(1_000_000)));
    let (behind, ahead) = (follow(&network, &now), follow(&network, &now));
    publish(&network, &ahead, "1");
    catch_up(&network, &behind);
    network.server().copy();
    network.server().cut_off(0);
    publish(&network, &ahead, "2");
    let rendered = ahead.position();
    // Only the one that was behind comes through at first.
    network.server().fail_over();
    network.server().cut_off(1);
    network.server().join(0);
    publish(&network, &behind, "3");
    assert_ne!(behind.position().epoch, rendered.epoch);
    assert!(behind.replay("room", rendered).is_err(), "its page is told");
    network.server().join(1);
    until(&network, || ahead.position() == behind.position());
}

/// Access that was taken back is remembered for longer than the log keeps its records, and over an epoch.
#[test]
fn access_that_was_taken_back_outlives_the_log() {
    let network = Network::new(1, Trouble::default(), Flaw::None);
    let (_time, now) = (network.enter(), Arc::new(AtomicU64::new(1_000_000)));
    let hub = follow(&network, &now);
    let rendered = hub.position();
    let user = Revocation::of_identity("user:1");
    finish(&network, Box::pin(hub.revoke(user.clone()))).unwrap();
    publish(&network, &hub, "1");
    network.server().trim(1);
    let asked = Asked { identity: Some("user:1"), stream: "room", is_public: false };
    let later = follow(&network, &now);
    assert_eq!(later.position().epoch, rendered.epoch);
    assert!(later.is_revoked(asked, Some(rendered)));
    assert!(!later.is_revoked(asked, Some(later.position())));
    // The server that takes over knows nothing of it.
    network.server().forget_all();
    until(&network, || later.position().epoch != rendered.epoch);
    assert!(later.is_revoked(asked, Some(rendered)));
    assert!(!later.is_revoked(asked, Some(later.position())), "pages of today are good");
    let newest = follow(&network, &now);
    assert!(newest.is_revoked(asked, None));
}

/// A line may break while a node keeps what was taken back, before it has applied that. It comes back to the same
/// log, and no page has to heal.
#[test]
fn a_line_that_breaks_while_access_is_taken_back_begins_no_epoch() {
    let network = Network::new(1, Trouble::default(), Flaw::None);
    let (_time, now) = (network.enter(), Arc::new(AtomicU64::new(1_000_000)));
    let hub = follow(&network, &now);
    let begun = hub.position();
    for breaks_after in 0..30 {
        let mut under_way = vec![Box::pin(hub.revoke(Revocation::of_identity("user:1")))];
        for _ in 0..breaks_after {
            under_way.retain_mut(|revoking| poll(revoking).is_none());
            network.step();
        }
        network.server().break_lines();
        network.run(Duration::from_secs(1));
        catch_up(&network, &hub);
        assert_eq!(hub.position().epoch, begun.epoch, "it broke after {breaks_after} ms");
    }
}

/// Another epoch begins while somebody publishes. The position that they get is not one of the new epoch that
/// another entry has, or will have: a page that goes on from there would lack it.
#[test]
fn a_publisher_is_not_given_the_place_of_another_entry() {
    for fails_after in 0..40 {
        let network = Network::new(1, Trouble::default(), Flaw::None);
        let (_time, now) = (network.enter(), Arc::new(AtomicU64::new(1_000_000)));
        let hub = follow(&network, &now);
        network.server().copy();
        let broadcast = |text: &'static str| {
            let hub = hub.clone();
            let (stream, message) = ("room", Message::json(text));
            Box::pin(async move {
                hub.publish(Broadcast { stream, message, class: Class::Log }).await.unwrap()
            })
        };
        for text in ["1", "2"] {
            finish(&network, broadcast(text));
        }
        let mut publishing = broadcast("3");
        assert!(poll(&mut publishing).is_none());
        for _ in 0..fails_after {
            network.step();
        }
        network.server().fail_over();
        // Whoever asked is not looked after before all is over.
        network.run(Duration::from_secs(3));
        let Position { epoch, offset } = finish(&network, publishing).position;
        publish(&network, &hub, "4");
        let before = Position { offset: Offset(offset.0 - 1), epoch };
        if let Ok(entries) = hub.replay("room", before) {
            assert_eq!(entries[0].message.as_json(), "3", "it failed after {fails_after} ms");
        }
    }
}

type Arrived = (Client, SubscriptionId, Option<Offset>);

/// A page comes to a node.
fn asking(hub: &Hub) -> (Client, Session, SubscriptionId) {
    let tag = format!(r#"\"signed_stream_name\":\"a--b.{}\""#, "x".repeat(40));
    let identifier = format!(r#"{{\"channel\":\"C\",{tag}}}"#);
    let command = format!(r#"{{"command":"subscribe","identifier":"{identifier}"}}"#);
    let client = hub.connect().unwrap();
    let protocol = Protocol::ActionCableV1Json;
    let mut session = Session::open(hub.now(), client.hello(protocol), Arc::clone(hub.limits()));
    session.handle_text(&command);
    let Some(Effect::Subscribe { id, .. }) = session.poll_effect() else { panic!("it asks") };
    (client, session, id)
}

/// The store is asked for what is known of it.
fn incoming(hub: &Hub) -> Incoming {
    let (_, session, _) = asking(hub);
    hub.incoming(session.waiting_envelope().unwrap(), session.id()).expect("others are asked")
}

/// Gives what is known that it has.
fn arrive(network: &Network, hub: &Hub) -> Arrived {
    let (mut client, mut session, id) = asking(hub);
    let page = session.waiting_envelope().unwrap().clone();
    let incoming = hub.incoming(&page, session.id()).expect("others are asked");
    finish(network, Box::pin(incoming.noted()));
    let known = client.enter_page(id, &page);
    let attachment = client.attach("room", Some(hub.position()));
    session.confirm(vec![attachment], true, Resync::new("null"));
    (client, id, known)
}

fn leave(network: &Network, hub: &Hub, (mut client, id, _): Arrived, proven: Offset) {
    client.leave_page(id, Some(proven));
    finish(network, Box::pin(hub.keep()));
}

/// A page of a stock client, which proves what it has, and comes to another node. It is not given again what it
/// has; a duplicate of it that comes meanwhile is.
#[test]
fn a_page_goes_on_at_another_node_where_it_was() {
    let network = Network::new(1, Trouble::default(), Flaw::None);
    let (_time, now) = (network.enter(), Arc::new(AtomicU64::new(1_000_000)));
    let hubs = [follow(&network, &now), follow(&network, &now)];
    let come = |hub: &Hub| arrive(&network, hub);
    let leave = |hub: &Hub, page: Arrived, proven| leave(&network, hub, page, proven);
    let [one, other] = &hubs;
    let page = come(one);
    assert_eq!(page.2, None);
    publish(&network, one, "1");
    leave(one, page, one.position().offset);
    let page = come(other);
    assert_eq!(page.2, Some(one.position().offset));
    // It does not stay with what an earlier node knows.
    publish(&network, other, "2");
    leave(other, page, other.position().offset);
    let page = come(one);
    assert_eq!(page.2, Some(other.position().offset));
    let duplicate = come(other);
    assert_eq!(duplicate.2, None);
    leave(other, duplicate, one.position().offset);
    leave(one, page, one.position().offset);
    assert_eq!(come(other).2, None, "nobody knows whose it was");
}

/// A page comes to a node that has not come so far as the page has proven to another: it waits, and need not heal.
#[test]
fn a_page_that_has_proven_more_than_its_node_has_waits() {
    let network = Network::new(1, Trouble::default(), Flaw::None);
    let (_time, now) = (network.enter(), Arc::new(AtomicU64::new(1_000_000)));
    let [behind, ahead] = [follow(&network, &now), follow(&network, &now)];
    let page = arrive(&network, &ahead);
    network.server().deafen(0, true);
    publish(&network, &ahead, "1");
    let proven = ahead.position().offset;
    leave(&network, &ahead, page, proven);
    let mut arriving = Box::pin(incoming(&behind).noted());
    for _ in 0..100 {
        network.step();
        assert!(poll(&mut arriving).is_none(), "it waits");
    }
    network.server().deafen(0, false);
    finish(&network, arriving);
    assert_eq!(behind.position().offset, proven);
}

/// AnyCable's client says where it stands, to a node that has not come so far: that waits, and nobody has to heal.
#[test]
fn a_client_that_is_ahead_of_its_node_is_not_told_to_heal() {
    let network = Network::new(1, Trouble::default(), Flaw::None);
    let (_time, now) = (network.enter(), Arc::new(AtomicU64::new(1_000_000)));
    let [behind, ahead] = [follow(&network, &now), follow(&network, &now)];
    let rendered = behind.position();
    network.server().deafen(0, true);
    publish(&network, &ahead, "1");
    let Position { epoch, offset } = ahead.position();
    let (mut line, socket) = tokio::io::duplex(1 << 16);
    let client = behind.connect().unwrap();
    let hello = client.hello(Protocol::ActionCableV1ExtJson);
    let session = Session::open(behind.now(), hello, Arc::clone(behind.limits()));
    let channels = Arc::new(Room(rendered));
    let mut task = Box::pin(drive(socket, session, client, channels, Identity::anonymous()));
    let identifier = r#""identifier":"{\"channel\":\"C\"}""#;
    let at = format!(r#"{{"room":{{"epoch":"{:x}","offset":{offset}}}}}"#, epoch.0);
    for command in [
        format!(r#"{{"command":"subscribe",{identifier}}}"#),
        format!(r#"{{"command":"history",{identifier},"history":{{"streams":{at}}}}}"#),
    ] {
        // A masked text frame, whose mask changes nothing; of 126 bytes or more, so that all have one form.
        let command = format!("{command:<126}");
        let length = u8::try_from(command.len()).unwrap();
        let head = [0x81, 0xfe, 0, length, 0, 0, 0, 0];
        finish(&network, Box::pin(line.write_all(&[&head, command.as_bytes()].concat()))).unwrap();
    }
    let mut said = || {
        for _ in 0..200 {
            network.step();
            assert!(poll(&mut task).is_none(), "it goes on");
        }
        let mut bytes = vec![0; 1 << 16];
        let count = finish(&network, Box::pin(line.read(&mut bytes))).unwrap();
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    };
    let first = said();
    assert!(first.contains("confirm_subscription") && !first.contains("history"), "{first}");
    network.server().deafen(0, false);
    assert!(said().contains("confirm_history"));
    assert_eq!(behind.stats().snapshot().resyncs_future, 0);
}

/// What a page has proven says nothing in another epoch: its offsets come again, for other entries.
#[test]
fn what_a_page_has_proven_ends_with_the_epoch() {
    let network = Network::new(1, Trouble::default(), Flaw::None);
    let (_time, now) = (network.enter(), Arc::new(AtomicU64::new(1_000_000)));
    let [one, other] = [follow(&network, &now), follow(&network, &now)];
    publish(&network, &one, "1");
    let before = one.position();
    let page = arrive(&network, &one);
    leave(&network, &one, page, before.offset);
    network.server().copy();
    network.server().fail_over();
    until(&network, || one.position().epoch != before.epoch && one.position() == other.position());
    publish(&network, &one, "2");
    until(&network, || one.position() == other.position());
    assert_eq!(arrive(&network, &other).2, None);
}

/// A node that is cut off from the server for long: it says so, and sends its pages where they are served.
#[test]
fn a_node_that_has_lost_its_log_sends_its_pages_away() {
    let network = Network::new(1, Trouble::default(), Flaw::None);
    let (_time, now) = (network.enter(), Arc::new(AtomicU64::new(1_000_000)));
    let hub = follow(&network, &now);
    let client = hub.connect().unwrap();
    client.poll_signals(Waker::noop());
    let tick = || (0..30).for_each(|part| hub.tick(part));
    network.server().cut_off(0);
    network.run(Duration::from_secs(4));
    assert_eq!(hub.behind(), None);
    network.run(Duration::from_secs(5));
    assert!(hub.behind().is_some(), "it wants no more");
    assert!(hub.connect().is_ok(), "and refuses nobody");
    tick();
    assert!(!client.poll_signals(Waker::noop()).contains(forebay_hub::Signals::SHUTDOWN));
    network.run(Duration::from_secs(25));
    tick();
    assert!(client.poll_signals(Waker::noop()).contains(forebay_hub::Signals::SHUTDOWN));
    assert_eq!(hub.connect().unwrap_err(), forebay_hub::Refused::Behind);
    network.server().join(0);
    network.run(Duration::from_secs(2));
    assert_eq!(hub.behind(), None);
    assert!(hub.connect().is_ok());
}

/// The server has taken it, and keeps nothing of it any more when its node comes to read it. To say that it holds would
/// be wrong: no node has heard of it.
#[test]
fn a_revocation_that_no_node_has_read_is_not_said_to_hold() {
    let network = Network::new(1, Trouble::default(), Flaw::None);
    let (_time, now) = (network.enter(), Arc::new(AtomicU64::new(1_000_000)));
    let hub = follow(&network, &now);
    let (before, rendered) = (network.server().head(), hub.position());
    network.server().deafen(0, true);
    let mut revoking = Box::pin(hub.revoke(Revocation::of_identity("ann")));
    while network.server().head() == before {
        assert!(poll(&mut revoking).is_none());
        network.step();
    }
    network.server().trim(0);
    network.server().deafen(0, false);
    let refused = finish(&network, revoking).unwrap_err();
    assert!(!refused.is_outcome_known(), "{refused}");
    let asked = Asked { identity: Some("ann"), stream: "room", is_public: false };
    assert!(hub.is_revoked(asked, Some(rendered)), "it holds here, as it does after every error");
    finish(&network, Box::pin(hub.revoke(Revocation::of_identity("ann")))).unwrap();
}

/// What it asks is answered, and it is far behind: after a stop, for one.
#[test]
fn a_node_that_is_far_behind_its_log_wants_no_more_pages() {
    let network = Network::new(1, Trouble::default(), Flaw::None);
    let (_time, now) = (network.enter(), Arc::new(AtomicU64::new(1_000_000)));
    let [behind, ahead] = [follow(&network, &now), follow(&network, &now)];
    network.run(Duration::from_secs(10));
    assert_eq!((behind.behind(), ahead.behind()), (None, None), "nothing is new");
    network.server().deafen(0, true);
    publish(&network, &ahead, "1");
    network.run(Duration::from_secs(8));
    assert!(behind.behind().is_some());
    assert_eq!(ahead.behind(), None);
    network.run(Duration::from_secs(25));
    assert_eq!(behind.connect().unwrap_err(), forebay_hub::Refused::Behind);
    network.server().deafen(0, false);
    until(&network, || behind.behind().is_none());
    assert_eq!(behind.position(), ahead.position());
}

/// The first answer is lost, and then the server is full: nobody knows whether it took what was asked for first.
#[test]
fn a_refusal_says_nothing_of_what_was_sent_before() {
    let network = Network::new(1, Trouble::default(), Flaw::None);
    let (_time, now) = (network.enter(), Arc::new(AtomicU64::new(1_000_000)));
    let hub = follow(&network, &now);
    let try_publish = || {
        let broadcast =
            Broadcast { stream: "room", message: Message::json("1"), class: Class::Log };
        Box::pin(hub.publish(broadcast))
    };
    network.server().lose_next(Lost::Answer);
    let before = network.server().head();
    let mut publishing = try_publish();
    while network.server().head() == before {
        assert!(poll(&mut publishing).is_none());
        network.step();
    }
    network.server().fill(true);
    assert!(!finish(&network, publishing).unwrap_err().is_outcome_known(), "it was taken");
    assert!(finish(&network, try_publish()).unwrap_err().is_outcome_known());
}
