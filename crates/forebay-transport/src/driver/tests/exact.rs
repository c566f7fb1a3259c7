//! Pages whose cursor says what their transaction had seen.

use forebay_log::{Commit, Database, Seen};

use super::*;

const DATABASE: Database = Database { system: 1, life: 1 };

/// A room that is read by a page which has seen this.
struct Room(Position, Seen);

impl Channels for Room {
    fn subscribe(&self, _: Request) -> Answer<Result<Subscribed, Rejected>> {
        let (begin, seen) = (Begin::After(self.0), Some(Box::new(self.1.clone())));
        Answer::Now(Ok(Subscribed {
            streams: vec![Stream { name: "room".into(), begin, is_public: false, seen }],
            goes_on: true,
            resync: Resync::new("\"resync\""),
            transmissions: Vec::new(),
            whispers: None,
            handler: None,
            presence: None,
            roster: None,
        }))
    }
}

/// Transactions below 10, and 11: 10 runs.
fn seen() -> Seen {
    Seen::snapshot(DATABASE, 100, [10, 12], &[10])
}

async fn open(hub: &Hub, cursor: Position, seen: Seen) -> Peer {
    let mut peer = Peer::connect_to(hub, Arc::new(Room(cursor, seen)), 64 << 10);
    assert!(peer.text().await.contains("welcome"));
    peer.subscribe("room").await;
    peer
}

/// Publishes what a transaction has broadcast: its id is the text.
fn commit(hub: &Hub, id: u64, settled: u64) {
    let commit = Commit { database: DATABASE, id, wal: 100 + id, settled };
    let message = Message::json(format!("\"{id}\"")).committed_in(commit);
    hub.publish(Broadcast { stream: "room", message, class: Class::Log }).block_on().unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_page_has_seen_is_not_sent_whenever_it_comes() {
    let hub = Hub::new(Options::default());
    let cursor = hub.position();
    commit(&hub, 9, 0);
    commit(&hub, 12, 0);
    let mut exact = open(&hub, cursor, seen()).await;
    let mut plain = comes_back(&hub, cursor, &["9", "12"]).await;
    assert_eq!(exact.message().await, "12");
    // Live, in one round with a page that stands at the same place, in either order of the two.
    let mut other = open(&hub, hub.position(), seen()).await;
    for (id, is_seen) in [(11, true), (10, false), (8, true), (13, false)] {
        commit(&hub, id, 0);
        let text = id.to_string();
        assert_eq!(plain.message().await, text);
        if !is_seen {
            assert_eq!(exact.message().await, text);
            assert_eq!(other.message().await, text);
        }
    }
    // What is of no transaction is as it always was.
    say(&hub, "free");
    for peer in [&mut exact, &mut plain, &mut other] {
        assert_eq!(peer.message().await, "free");
    }
}

/// What everybody with an old snapshot has seen is in the log: from there on the page is like any other.
#[tokio::test(start_paused = true)]
async fn what_was_seen_is_forgotten_when_nothing_of_it_can_come() {
    let hub = Hub::new(Options::default());
    let mut peer = open(&hub, hub.position(), seen()).await;
    commit(&hub, 20, 100);
    commit(&hub, 11, 100);
    assert_eq!(peer.message().await, "20");
    commit(&hub, 21, 101);
    assert_eq!(peer.message().await, "21");
    // It would be a fault of the publisher's; here it shows that nothing is compared any more.
    commit(&hub, 11, 101);
    assert_eq!(peer.message().await, "11");
}

#[tokio::test(start_paused = true)]
async fn a_replica_has_seen_what_it_had_replayed() {
    let hub = Hub::new(Options::default());
    let cursor = hub.position();
    for id in [5, 10, 15] {
        commit(&hub, id, 0);
    }
    let mut peer = open(&hub, cursor, Seen::Replica { database: DATABASE, wal: 110 }).await;
    assert_eq!(peer.message().await, "15");
}
