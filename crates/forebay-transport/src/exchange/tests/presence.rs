//! Somebody who is present over HTTP lives as long as their requests do.

use std::time::Duration;

use forebay_cable::SubscriptionId;
use forebay_hub::Member;
use tokio::time::{Instant, sleep};

use super::*;

fn present(hub: &Hub, protocol: Protocol) -> (Client, Session) {
    let client = hub.connect().unwrap();
    client.join(SubscriptionId::default(), "room", &Member::new("ann", "{}")).unwrap();
    let session = Session::open(hub.now(), client.hello(protocol), Arc::clone(hub.limits()));
    (client, session)
}

async fn gone_after(hub: &Hub) -> u64 {
    let since = Instant::now();
    while hub.present() > 0 {
        sleep(Duration::from_millis(100)).await;
    }
    since.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn an_event_stream_that_takes_bytes_is_a_sign_of_life() {
    let hub = Hub::new(Options::default());
    let (client, session) = present(&hub, Protocol::EventSource);
    let rooms = Rooms::default();
    let conversation = Conversation::new(session, client, Arc::new(rooms), Identity::anonymous());
    let mut body = EventStream::new(Exchange::new(conversation, Format::Source, None));
    let until = Instant::now() + Duration::from_mins(1);
    while tokio::time::timeout_at(until, piece(&mut body)).await.is_ok() {}
    assert_eq!(hub.present(), 1);
    // It takes nothing any more.
    let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
    let held = frame.await.unwrap().unwrap();
    tokio::spawn(async move {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
        drop((frame.await, body));
    });
    let took = gone_after(&hub).await;
    assert!((14..=16).contains(&took), "{took} s");
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_an_answer_is_there_and_for_a_while_after_it() {
    let hub = Hub::new(Options::default());
    let (client, session) = present(&hub, Protocol::ForebayV1Json);
    let rooms = Rooms::default();
    let conversation = Conversation::new(session, client, Arc::new(rooms), Identity::anonymous());
    let mut exchange = Exchange::new(conversation, Format::Array, None);
    exchange.hush();
    let deadline = UnixMillis(hub.now().0 + 25_000);
    std::future::poll_fn(|cx| exchange.poll_answer(cx, deadline)).await;
    assert_eq!(hub.present(), 1);
    drop(exchange);
    let took = gone_after(&hub).await;
    assert!((12..=16).contains(&took), "{took} s");
}
