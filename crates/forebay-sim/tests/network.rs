//! The store behind a simulated network, and hubs that follow it.
#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use fastrand::Rng;
use forebay_cable::Resync;
use forebay_hub::{Asked, Broadcast, Hub, Options, Revocation};
use forebay_log::{Class, Content, Epoch, Message, Offset, Position};
use forebay_sim::{Line, Network};
use forebay_store::{Batch, LogStore};
use forebay_store_tests::{Fault, World};
use forebay_transport::{
    Answer, Begin, Channels, Endpoint, Identity, Origins, Rejected, Request, Stream, Subscribed,
};

struct Networked(Network, u64);

impl World for Networked {
    fn node(&mut self) -> Option<Arc<dyn LogStore>> {
        Some(Arc::new(self.0.line()))
    }

    fn advance(&mut self) {
        self.0.step();
    }

    fn end(&mut self) {}

    fn fault(&mut self, fault: Fault) -> bool {
        let log = self.0.log();
        match fault {
            // They are lost all the time.
            Fault::Request | Fault::Answer | Fault::Connection => {}
            Fault::Trim => log.trim(1),
            Fault::Loss => {
                self.1 += 1;
                log.lose_after(Offset(log.position().offset.0 - 1), Epoch(self.1));
            }
            _ => return false,
        }
        true
    }
}

#[test]
fn a_store_behind_a_network_keeps_the_contract() {
    for seed in 0..50 {
        forebay_store_tests::check(|| Networked(Network::new(seed, Epoch(1), 1_000), 1));
    }
}

const STREAMS: [&str; 3] = ["room", "hall", "yard"];

fn follow(network: &Network, now: &Arc<AtomicU64>) -> Hub {
    let line: Arc<Line> = Arc::new(network.line());
    let hub = Hub::simulated_with(Options::default(), line, Arc::clone(now)).unwrap();
    catch_up(network, &hub);
    hub
}

fn catch_up(network: &Network, hub: &Hub) {
    for _ in 0..10_000 {
        if hub.position() == network.log().position() {
            return;
        }
        network.step();
    }
    panic!("it never catches up: it is at {}", hub.position());
}

fn poll<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
    match std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(ready) => Some(ready),
        Poll::Pending => None,
    }
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
        let network = Network::new(seed, Epoch(1), 1_000);
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
        let head = network.log().position();
        for hub in &hubs {
            catch_up(&network, hub);
        }
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
    let (network, now) = (Network::new(1, Epoch(1), 1_000), Arc::new(AtomicU64::new(1_000_000)));
    let hub = follow(&network, &now);
    assert!(hub.catches_up_with(hub.position()).is_none());
    // Another node has published, and rendered.
    let message = Message::json("1");
    let content = Content::Entry { stream: "room".into(), message, class: Class::Log };
    network.log().append_once((100, 0), Batch::new(hub.now(), vec![content]));
    let rendered = network.log().position();
    assert!(hub.replay("room", rendered).is_err(), "it does not know of that yet");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let mut wait = Box::pin(hub.catches_up_with(rendered).expect("it is behind"));
    assert!(poll(&mut wait).is_none());
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
        let stream = Stream { name: "room".into(), begin, is_public: false };
        Answer::Now(Ok(Subscribed {
            streams: vec![stream],
            goes_on: true,
            resync: Resync::new("\"heal\""),
            transmissions: Vec::new(),
            whispers: None,
            handler: None,
        }))
    }
}

/// It is confirmed when its node knows what it was rendered with: it lacks nothing, and is not told to heal.
#[test]
fn a_page_of_another_node_is_not_told_to_heal_for_a_moment_of_lag() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    for seed in 0..20 {
        let (network, now) =
            (Network::new(seed, Epoch(1), 1_000), Arc::new(AtomicU64::new(1_000_000)));
        let hub = follow(&network, &now);
        let publish = |number, text: &str| {
            let (message, class) = (Message::json(text), Class::Log);
            let content = Content::Entry { stream: "room".into(), message, class };
            network.log().append_once((100, number), Batch::new(hub.now(), vec![content]));
        };
        publish(0, "\"before\"");
        let rendered = network.log().position();
        publish(1, "\"after\"");
        let door = Origins::default();
        let endpoint = Endpoint::new(hub.clone(), Arc::new(Room(rendered)), door);
        let request =
            http::Request::post("/forebay/poll?wait=0").header("content-type", "application/json");
        let (request, ()) = request.body(()).unwrap().into_parts();
        let subscribe = r#"{"command":"subscribe","identifier":"{\"channel\":\"C\"}"}"#;
        let mut answer = Box::pin(endpoint.poll(&request, Ok(Identity::anonymous()), subscribe));
        assert!(poll(&mut answer).is_none(), "its node is behind");
        catch_up(&network, &hub);
        let answer = poll(&mut answer).expect("its node has caught up").unwrap();
        let answer = String::from_utf8_lossy(answer.body()).into_owned();
        assert!(answer.contains("after") && answer.contains("confirm"), "{answer}");
        assert!(!answer.contains("before") && !answer.contains("heal"), "{answer}");
        assert_eq!(hub.stats().snapshot().resyncs_future, 0);
    }
}

/// The store fails over and has lost what it had acknowledged.
#[test]
fn a_log_that_has_lost_something_is_told_to_all_pages() {
    let (network, now) = (Network::new(1, Epoch(1), 1_000), Arc::new(AtomicU64::new(1_000_000)));
    let hub = follow(&network, &now);
    let publish = |text: &str| {
        let message = Message::json(text);
        let broadcast = Broadcast { stream: "room", message, class: Class::Log };
        let mut publishing = Box::pin(hub.publish(broadcast));
        while poll(&mut publishing).is_none() {
            network.step();
        }
    };
    publish("1");
    let before = hub.position();
    publish("2");
    let client = hub.connect().unwrap();
    client.poll_signals(Waker::noop());
    network.log().lose_after(before.offset, Epoch(2));
    catch_up(&network, &hub);
    assert!(hub.replay("room", before).is_err(), "its pages are told");
    let signals = client.poll_signals(Waker::noop());
    assert!(signals.contains(forebay_hub::Signals::DISCONNECT), "who is here begins anew");
    publish("3");
    let entries = hub.replay("room", Position { offset: Offset(0), ..hub.position() }).unwrap();
    let texts: Vec<_> = entries.iter().map(|entry| entry.message.as_json()).collect();
    assert_eq!(texts, ["1", "3"]);
}
