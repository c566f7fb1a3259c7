//! What goes out over HTTP, in a dialect that this crate does not know as well.

mod deciding;
mod patches;
mod presence;

use forebay_cable::{Protocol, RejectReason, Resync, Session};
use forebay_hub::{Broadcast, Client, Hub, Options};
use forebay_log::{Action, Class, Message, Offset, Position, Targets};
use pollster::FutureExt as _;
use tokio::sync::Semaphore;

use self::patches::Patches;
use super::*;
use crate::channels::{
    Answer, Begin, Channels, Handler, Identity, Later, Op, Rejected, Request, Stream, Subscribed,
};

/// `room` may be read.
struct Rooms {
    left: Arc<Semaphore>,
}

impl Default for Rooms {
    fn default() -> Self {
        Self { left: Arc::new(Semaphore::new(0)) }
    }
}

impl Channels for Rooms {
    fn subscribe(&self, request: Request) -> Answer<Result<Subscribed, Rejected>> {
        if request.identifier.channel != "room" {
            return Answer::Now(Err(Rejected::new(RejectReason::Unauthorized, "no such room")));
        }
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
            handler: Some(Box::new(Leaves(Arc::clone(&self.left)))),
            presence: None,
            roster: None,
        }))
    }
}

fn append(hub: &Hub, content: &str) {
    let html = format!("<turbo-stream><template>{content}</template></turbo-stream>");
    let action = Action { name: "append".into(), targets: Targets::Id("messages".into()) };
    let message = Message::json(format!("{html:?}")).does(action);
    hub.publish(Broadcast { stream: "room", message, class: Class::Log }).block_on().unwrap();
}

fn body(client: Client, session: Session, format: Format, request: &str) -> EventStream {
    body_of(Rooms::default(), client, session, format, request)
}

fn body_of(
    rooms: Rooms,
    client: Client,
    session: Session,
    format: Format,
    request: &str,
) -> EventStream {
    let conversation = Conversation::new(session, client, Arc::new(rooms), Identity::anonymous());
    let mut exchange = Exchange::new(conversation, format, None);
    assert!(exchange.handle(request));
    EventStream::new(exchange)
}

async fn piece(body: &mut EventStream) -> String {
    let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
    String::from_utf8_lossy(&frame.unwrap().unwrap().into_data().unwrap()).into_owned()
}

#[tokio::test(start_paused = true)]
async fn a_client_of_another_kind_is_told_in_its_own_words() {
    let hub = Hub::new(Options::default());
    let (rendered, client) = (hub.position(), hub.connect().unwrap());
    append(&hub, "<p>1</p>");
    let (id, dialect) = (client.hello(Protocol::EventSource).id, Patches(rendered.epoch));
    let session = Session::speak(hub.now(), id, Box::new(dialect), Arc::clone(hub.limits()));
    let request = format!("room {rendered}\nother {rendered}");
    let mut body = body(client, session, Format::Source, &request);
    let patch = |offset, text| {
        let at = Position { offset: Offset(offset), ..rendered };
        format!(
            "id: {at}\nevent: patch\ndata: mode append\ndata: selector #messages\n\
             data: elements <p>{text}</p>\n\n"
        )
    };
    let refused = "event: refused\ndata: channel {\"channel\":\"other\"}\n\n";
    assert_eq!(piece(&mut body).await, format!("retry: 1000\n\n{refused}{}", patch(1, "1")));
    append(&hub, "<p>2</p>");
    assert_eq!(piece(&mut body).await, patch(2, "2"));
}

/// Says when it hears that it is left.
struct Leaves(Arc<Semaphore>);

impl Handler for Leaves {
    fn perform(
        self: Box<Self>,
        _: String,
        _: serde_json::Map<String, serde_json::Value>,
    ) -> Later<(Box<dyn Handler>, Vec<Op>)> {
        Box::pin(async { (self as Box<dyn Handler>, Vec::new()) })
    }

    fn unsubscribed(self: Box<Self>) -> Later<()> {
        Box::pin(async move { self.0.add_permits(1) })
    }
}

/// An HTTP server drops an answer when its client has gone.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_dropped_tells_its_channels() {
    let hub = Hub::new(Options::default());
    let client = hub.connect().unwrap();
    let (id, dialect) = (client.hello(Protocol::EventSource).id, Patches(hub.position().epoch));
    let session = Session::speak(hub.now(), id, Box::new(dialect), Arc::clone(hub.limits()));
    let (rooms, request) = (Rooms::default(), format!("room {}", hub.position()));
    let gone = Arc::clone(&rooms.left);
    let mut body = body_of(rooms, client, session, Format::Source, &request);
    piece(&mut body).await;
    assert_eq!((gone.available_permits(), hub.connections()), (0, 1));
    drop(body);
    gone.acquire().await.unwrap().forget();
    assert_eq!(hub.connections(), 0);
}

/// Whatever a dialect puts around a message goes out over HTTP, too.
#[tokio::test(start_paused = true)]
async fn an_envelope_that_pages_share_is_not_lost_over_http() {
    let hub = Hub::new(Options::default());
    let client = hub.connect().unwrap();
    let hello = client.hello(Protocol::ActionCableV1Json);
    let session = Session::open(hub.now(), hello, Arc::clone(hub.limits()));
    let subscribe = r#"{"command":"subscribe","identifier":"{\"channel\":\"room\"}"}"#;
    let mut body = body(client, session, Format::Events, subscribe);
    assert!(piece(&mut body).await.contains("confirm_subscription"));
    let message = Message::json("1");
    hub.publish(Broadcast { stream: "room", message, class: Class::Log }).await.unwrap();
    let expected = r#"data: {"identifier":"{\"channel\":\"room\"}","message":1}"#;
    assert_eq!(piece(&mut body).await, format!("{expected}\n\n"));
}
