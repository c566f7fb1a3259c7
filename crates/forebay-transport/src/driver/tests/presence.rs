//! Somebody who is present: asked whether they live, and gone when they should be.

use forebay_cable::SubscriptionId;
use forebay_hub::Member;
use tokio::time::{Instant, sleep};

use super::*;

fn present(hub: &Hub) -> Peer {
    let client = hub.connect().unwrap();
    client.join(SubscriptionId::default(), "room", &Member::new("ann", "{}")).unwrap();
    let protocol = Protocol::ActionCableV1Json;
    let session = Session::open(hub.now(), client.hello(protocol), Arc::clone(hub.limits()));
    let (near, far) = duplex(64 << 10);
    let channels = Arc::new(Rooms { cursor: None });
    let task = tokio::spawn(drive(far, session, client, channels, Identity::anonymous()));
    Peer { io: near, task, pings: Vec::new() }
}

async fn gone_after(hub: &Hub) -> Duration {
    let since = Instant::now();
    while hub.present() > 0 {
        sleep(Duration::from_millis(100)).await;
    }
    since.elapsed()
}

fn check_around(took: Duration, expected_ms: u64) {
    let expected = Duration::from_millis(expected_ms);
    assert!(took >= expected && took <= expected + Duration::from_secs(1), "{took:?}");
}

/// Reads and answers for so long. Gives the number of pings that had nothing to prove.
async fn answer_for(peer: &mut Peer, time: Duration) -> usize {
    let until = Instant::now() + time;
    let mut asked = 0;
    while let Ok(frame) = tokio::time::timeout_at(until, peer.any_frame()).await {
        if let (0x89, payload) = frame {
            asked += usize::from(payload.is_empty());
            peer.send(0x8a, &payload).await;
        }
    }
    asked
}

#[tokio::test(start_paused = true)]
async fn who_is_present_is_asked_and_stays_as_long_as_they_answer() {
    let hub = Hub::new(Options::default());
    let mut peer = present(&hub);
    let asked = answer_for(&mut peer, Duration::from_mins(1)).await;
    assert!((10..=40).contains(&asked), "{asked} times in a minute");
    assert_eq!(hub.present(), 1);
    // The cable is pulled: the socket is as it was, and nobody answers.
    let took = gone_after(&hub).await;
    assert!(took <= Duration::from_secs(16) && took > Duration::from_secs(10), "{took:?}");
    // It is plugged in again, and the same socket goes on.
    answer_for(&mut peer, Duration::from_secs(2)).await;
    assert_eq!(hub.present(), 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_else_is_asked() {
    let hub = Hub::new(Options::default());
    let mut peer = Peer::open(&hub, None).await;
    assert_eq!(answer_for(&mut peer, Duration::from_mins(1)).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_unloads_and_a_socket_that_closes_well_have_the_short_grace() {
    for code in [&1001_u16.to_be_bytes()[..], &1000_u16.to_be_bytes()[..], &[]] {
        let hub = Hub::new(Options::default());
        let mut peer = present(&hub);
        peer.send(0x88, code).await;
        check_around(gone_after(&hub).await, 5_000);
        peer.task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_is_lost_has_the_long_one() {
    let hub = Hub::new(Options::default());
    let peer = present(&hub);
    drop(peer.io);
    check_around(gone_after(&hub).await, 15_000);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_releases_nobody() {
    let hub = Hub::new(Options::default());
    let mut peer = present(&hub);
    let (ended, ()) = tokio::join!(hub.shut_down(Duration::from_secs(1)), async {
        while let Ok(Ok(first)) =
            tokio::time::timeout(Duration::from_secs(5), peer.io.read_u8()).await
        {
            if first == 0x88 {
                break;
            }
        }
    });
    let () = ended;
    drop(peer);
    sleep(Duration::from_mins(2)).await;
    assert_eq!(hub.present(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_visitor_who_is_sent_away_is_gone_soon() {
    let hub = Hub::new(Options::default());
    let client = {
        let mut client = hub.connect().unwrap();
        client.identify(&"ann".into());
        client.join(SubscriptionId::default(), "room", &Member::new("ann", "{}")).unwrap();
        client
    };
    let protocol = Protocol::ActionCableV1Json;
    let session = Session::open(hub.now(), client.hello(protocol), Arc::clone(hub.limits()));
    let (_near, far) = duplex(64 << 10);
    let channels = Arc::new(Rooms { cursor: None });
    tokio::spawn(drive(far, session, client, channels, Identity::anonymous()));
    tokio::task::yield_now().await;
    assert_eq!(hub.disconnect("ann").await.unwrap(), 1);
    check_around(gone_after(&hub).await, 5_000);
}
