//! Somebody who is present: asked whether they live, and gone when they should be.

use forebay_cable::SubscriptionId;
use forebay_hub::{Change, Member, OnPresence, PresenceHooks, PresenceOptions};
use forebay_log::presence_stream;
use tokio::time::{Instant, sleep};

use super::*;
use crate::channels::Present;

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
    assert_eq!(hub.dismiss("ann").await.unwrap(), 1);
    check_around(gone_after(&hub).await, 5_000);
}

/// Makes whoever subscribes present, under the channel's name; reads the presence stream.
struct Here;

impl Channels for Here {
    fn subscribe(&self, request: Request) -> Answer<Result<Subscribed, Rejected>> {
        let id = request.identifier.channel;
        let name = presence_stream("room").into();
        let present = Present { stream: "room".into(), member: Member::new(id, "{}") };
        Answer::Now(Ok(Subscribed {
            streams: vec![Stream { name, begin: Begin::Now, is_public: false, seen: None }],
            goes_on: false,
            resync: Resync::new("null"),
            transmissions: Vec::new(),
            whispers: None,
            handler: None,
            presence: Some(Box::new(present)),
            roster: None,
        }))
    }
}

async fn here(hub: &Hub) -> Peer {
    let mut peer = Peer::connect_to(hub, Arc::new(Here), 64 << 10);
    assert!(peer.text().await.contains("welcome"));
    peer
}

struct Html;

impl OnPresence for Html {
    fn render(&self, _: &str, change: &Change) -> Option<String> {
        Some(format!("{} of {}", change.joined.len(), change.total))
    }
}

/// More than a line of 8 KB a second takes in a minute.
struct Large;

impl OnPresence for Large {
    fn render(&self, _: &str, _: &Change) -> Option<String> {
        Some("x".repeat(600 << 10))
    }
}

/// No Ping reaches whoever has a backlog. What they take of it shows that they live.
#[tokio::test(start_paused = true)]
async fn who_reads_slowly_is_there_for_as_long_as_they_take_something() {
    let hooks = Some(PresenceHooks::new(Large));
    let hub = Hub::new(Options::default().presence(PresenceOptions::default().hooks(hooks)));
    let mut peer = here(&hub).await;
    peer.command("subscribe", "ann").await;
    for second in 0..60 {
        peer.io.read_exact(&mut [0; 8 << 10]).await.unwrap();
        assert_eq!(hub.present(), 1, "after {second} s");
        sleep(Duration::from_secs(1)).await;
    }
    let took = gone_after(&hub).await;
    assert!(took <= Duration::from_secs(15), "{took:?}");
}

/// The page gets its own coming, after the confirmation.
#[tokio::test(start_paused = true)]
async fn a_subscription_makes_present_and_sees_itself_come() {
    let hooks = Some(PresenceHooks::new(Html));
    let presence = PresenceOptions::default().hooks(hooks);
    let hub = Hub::new(Options::default().presence(presence));
    let mut peer = here(&hub).await;
    peer.command("subscribe", "ann").await;
    assert!(peer.text().await.contains("confirm_subscription"));
    assert!(peer.text().await.contains("1 of 1"));
    assert_eq!(&*hub.members("room").members[0].id, "ann");
}

#[tokio::test(start_paused = true)]
async fn whoever_cannot_be_present_is_not_subscribed() {
    let hub = Hub::new(Options::default());
    let mut peer = here(&hub).await;
    peer.command("subscribe", &"a".repeat(129)).await;
    assert!(peer.text().await.contains("reject_subscription"));
    assert_eq!((hub.present(), hub.stats().snapshot().presence_refused), (0, 1));
    peer.command("subscribe", "ann").await;
    assert!(peer.text().await.contains("confirm_subscription"));
    assert_eq!(hub.present(), 1);
}
