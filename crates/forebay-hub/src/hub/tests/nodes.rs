//! Several hubs with one log.

use forebay_store::Replica;
use forebay_store_tests::Memory;

use super::*;
use crate::revocations::Asked;

async fn nodes<const N: usize>() -> (Memory, [Hub; N]) {
    let log = Memory::new(Epoch(1), 100);
    let mut hubs = Vec::new();
    for _ in 0..N {
        hubs.push(Hub::follow(Options::default(), Arc::new(log.clone())).await.unwrap());
    }
    (log, hubs.try_into().expect("as many as were made"))
}

#[tokio::test]
async fn what_one_node_publishes_all_nodes_have() {
    let (_, [here, there]) = nodes().await;
    let mut page = Page::open(&there);
    page.subscribe("room", Some(there.position()));
    let broadcast = Broadcast { stream: "room", message: Message::json("1"), class: Class::Log };
    let published = here.publish(broadcast).await.unwrap();
    assert_eq!((published.subscribers, published.position), (0, there.position()));
    assert_eq!(page.read(), ["1"]);
}

#[tokio::test]
async fn what_one_node_takes_back_no_node_gives() {
    let (_, [here, there]) = nodes().await;
    let rendered = there.position();
    let mut page = Page::open(&there);
    page.client.identify(&"user:1".into());
    page.signals();
    here.revoke(Revocation::of_identity("user:1")).await.unwrap();
    assert!(page.signals().contains(Signals::DISCONNECT));
    let asked = Asked { identity: Some("user:1"), stream: "room", is_public: false };
    assert!(there.is_revoked(asked, Some(rendered)));
    assert!(here.readmit(&Revocation::of_identity("user:1")).await.unwrap());
    assert!(!there.is_revoked(asked, Some(rendered)));
    // A control of one node reaches the connections of all.
    here.dismiss("user:1").await.unwrap();
    assert!(page.signals().contains(Signals::DISMISS));
}

#[tokio::test]
async fn a_node_that_comes_later_has_what_is_kept() {
    let (log, [hub]) = nodes().await;
    for text in ["1", "2", "3"] {
        let broadcast =
            Broadcast { stream: "room", message: Message::json(text), class: Class::Log };
        hub.publish(broadcast).await.unwrap();
    }
    log.trim(2);
    let later = Hub::follow(Options::default(), Arc::new(log)).await.unwrap();
    let at = |offset| Position { offset: Offset(offset), ..later.position() };
    assert_eq!(later.position(), hub.position());
    assert_eq!(later.replay("room", at(1)).unwrap().len(), 2);
    assert!(later.replay("room", at(0)).is_err(), "what is trimmed is said");
}

/// A store that does not keep what its replica has does not ask what has left it.
#[tokio::test]
async fn what_has_left_is_not_collected_for_nobody() {
    let (_, [hub]) = nodes().await;
    for _ in 0..2 {
        hub.revoke(Revocation::of_identity("user:1")).await.unwrap();
        hub.gap(["room"]).await;
    }
    hub.tick(0);
    let left = hub.0.take_left();
    assert_eq!((left.dropped, left.revocations), (Vec::new(), Vec::new()));
}

/// Where several nodes have the log, a page that is not known here may be at another one.
#[tokio::test]
async fn what_is_not_known_here_may_be_known_elsewhere() {
    let options = || Options::default().inspect(Some(InspectOptions::default()));
    let why = |hub: &Hub| forebay_inspect::why(&hub.facts("page", "room", None).unwrap());
    let alone = why(&Hub::new(options()));
    assert!(alone.missing.is_empty() && alone.sentence.contains("no node"), "{alone:?}");
    let log = Memory::new(Epoch(1), 100);
    let shared = why(&Hub::follow(options(), Arc::new(log)).await.unwrap());
    assert!(shared.sentence.contains("ask each other node"), "{shared:?}");
}
