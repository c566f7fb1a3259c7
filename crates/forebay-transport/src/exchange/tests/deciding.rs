//! Subscriptions of one event stream that are decided one after the other.

use std::task::Waker;

use super::*;

/// Each channel reads the stream of its name. `later` is decided when there is a permit.
struct Deciding(Arc<Semaphore>);

impl Channels for Deciding {
    fn subscribe(&self, request: Request) -> Answer<Result<Subscribed, Rejected>> {
        let name: Arc<str> = request.identifier.channel.into();
        let is_late = &*name == "later";
        let subscribed = Subscribed {
            streams: vec![Stream { name, begin: Begin::Now, is_public: false, seen: None }],
            goes_on: false,
            resync: Resync::new("null"),
            transmissions: Vec::new(),
            whispers: None,
            handler: None,
            presence: None,
            roster: None,
        };
        if !is_late {
            return Answer::Now(Ok(subscribed));
        }
        let decided = Arc::clone(&self.0);
        Answer::Later(Box::pin(async move {
            decided.acquire_owned().await.unwrap().forget();
            Ok(subscribed)
        }))
    }
}

/// The browser keeps one position for all: if this connection ended while `later` waits, it would say of it that it
/// has all up to the last event's id.
#[tokio::test(start_paused = true)]
async fn no_event_goes_out_before_all_subscriptions_are_decided() {
    let hub = Hub::new(Options::default());
    let (rendered, client) = (hub.position(), hub.connect().unwrap());
    for (stream, json) in [("later", "1"), ("now", "2")] {
        let message = Message::json(json);
        hub.publish(Broadcast { stream, message, class: Class::Log }).await.unwrap();
    }
    let hello = client.hello(Protocol::EventSource);
    let session = Session::open(hub.now(), hello, Arc::clone(hub.limits()));
    let decided = Arc::new(Semaphore::new(0));
    let channels = Arc::new(Deciding(Arc::clone(&decided)));
    let conversation = Conversation::new(session, client, channels, Identity::anonymous());
    let mut exchange = Exchange::new(conversation, Format::Source, None);
    let subscribe = |channel: &str| {
        let identifier = format!(r#"{{\"channel\":\"{channel}\"}}"#);
        format!(r#"{{"command":"subscribe","identifier":"{identifier}","after":"{rendered}"}}"#)
    };
    assert!(exchange.handle(&format!("[{},{}]", subscribe("now"), subscribe("later"))));
    let mut body = EventStream::new(exchange);
    assert_eq!(piece(&mut body).await, "retry: 1000\n\n");
    let next = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
    assert!(next.is_pending(), "{next:?}");
    decided.add_permits(1);
    let at = |offset| Position { offset: Offset(offset), ..rendered };
    let expected = format!("id: {}\ndata: 1\n\nid: {}\ndata: 2\n\n", at(1), at(2));
    assert_eq!(piece(&mut body).await, expected);
}
