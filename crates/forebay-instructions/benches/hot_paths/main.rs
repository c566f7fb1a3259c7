//! The hot paths, as callgrind counts them: `cargo xtask instructions`, which runs one of them at a time.
//!
//! Only what is in [`counted`] is counted, and all that it calls: so each benchmark may make and
//! warm up what it needs. Each does its operation [`OPERATIONS`] times, because one alone may or
//! may not be the one that grows a buffer, or sweeps the log.
//!
//! What the kernel does for a system call is not counted, nor what it would cost to wait.

#![expect(clippy::unwrap_used, reason = "a benchmark, which fails where a test would")]

mod socket;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use axum::body::Body;
use axum::http::{Request, Response};
use forebay::{Forebay, Turbo};
use forebay_cable::{Hello, Limits, Protocol, Resync, Session, SessionId};
use forebay_hub::{Broadcast, Client, Hub, Options};
use forebay_log::{Class, Epoch, Message, Position, UnixMillis};
use forebay_signing::{Cursor, CursorSigner, Key, Subject, Verifier};
use forebay_transport::{Answer, Begin, Channels, Identity, Rejected, Stream, Subscribed};
use tower_layer::Layer as _;
use tower_service::Service;

use crate::socket::Socket;

/// `cargo xtask instructions` divides by it (`OPERATIONS` there). The log of these benchmarks is
/// swept every 2 024 entries: one sweep more or less makes 2 %.
const OPERATIONS: u64 = 10_000;

/// Enough to have allocated what is kept.
const WARM_UPS: u64 = 100;

/// As long as a row of a chat.
const HTML_BYTES: usize = 400;

const BENCHMARKS: [(&str, fn()); 10] = [
    ("publish_to_nobody", publish_to_nobody),
    ("publish_to_one", publish_to_one),
    ("deliver", deliver),
    ("deliver_and_prove", deliver_and_prove),
    ("deliver_in_rounds", deliver_in_rounds),
    ("deliver_in_rounds_and_prove", deliver_in_rounds_and_prove),
    ("decode_subscribe", decode_subscribe),
    ("verify_stream_name", verify_stream_name),
    ("mint_cursor", mint_cursor),
    ("render_tag", render_tag),
];

/// Runs the benchmark that is named, or says what their names are.
#[expect(clippy::print_stdout, reason = "an answer to who starts this")]
fn main() {
    let asked = std::env::args().nth(1);
    match BENCHMARKS.iter().find(|(name, _)| asked.as_deref() == Some(name)) {
        Some((_, benchmark)) => benchmark(),
        None => BENCHMARKS.iter().for_each(|(name, _)| println!("{name}")),
    }
}

const STREAM: &str = "Z2lkOi8vY2hhdC9Sb29tLzE:messages";

/// What a log in memory answers at once.
fn done<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits"),
    }
}

/// Each is entered once for each operation. None calls another, and none has a closure: collection
/// is toggled by the name.
mod counted {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use forebay::{Html, Turbo};
    use forebay_cable::{Effect, Session};
    use forebay_hub::{Broadcast, Hub, Published};
    use forebay_signing::{Cursor, CursorSigner, Subject, Verifier};

    use super::done;

    #[inline(never)]
    pub(crate) fn publish(hub: &Hub, broadcast: Broadcast<'_>) -> Published {
        done(hub.publish(broadcast)).unwrap()
    }

    #[inline(never)]
    pub(crate) fn turn(
        connection: Pin<&mut dyn Future<Output = ()>>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        connection.poll(cx)
    }

    #[inline(never)]
    pub(crate) fn round(hub: &Hub) -> bool {
        hub.round()
    }

    #[inline(never)]
    pub(crate) fn decode(session: &mut Session, command: &str) -> Option<Effect> {
        session.handle_text(command);
        session.poll_effect()
    }

    #[inline(never)]
    pub(crate) fn verify(verifier: &Verifier, signed: &str) -> String {
        verifier.verify(signed, 0).unwrap()
    }

    #[inline(never)]
    pub(crate) fn mint(signer: &CursorSigner, cursor: Cursor) -> String {
        let name = "InJvb206MTptZXNzYWdlcyI=--0123456789abcdef";
        signer.page(cursor).cursor_for(Subject::Signed(name))
    }

    #[inline(never)]
    pub(crate) fn render(turbo: &Turbo) -> Html {
        turbo.stream_from(("room", 1, "messages")).unwrap().to_html()
    }
}

/// A hub that has run for a while: the stream's history is full, so that each entry that comes
/// makes the oldest go. Publishing looks for a runtime to tick in until it has one.
fn hub() -> (Hub, tokio::runtime::Runtime) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let hub = {
        let _entered = runtime.enter();
        let hub = Hub::new(Options::default());
        for _ in 0..3_000 {
            done(hub.publish(broadcast())).unwrap();
        }
        hub
    };
    (hub, runtime)
}

fn broadcast() -> Broadcast<'static> {
    let message = Message::json(format!("\"{}\"", "x".repeat(HTML_BYTES)));
    Broadcast { stream: STREAM, message, class: Class::Log }
}

/// What the stock client sends for a tag, which may have a cursor.
fn subscribe_command(has_cursor: bool) -> String {
    let key = Key::raw("0123456789abcdef");
    let signed = Verifier::new(&key).sign(STREAM);
    let cursor = CursorSigner::new(&key).page(cursor()).cursor_for(Subject::Signed(&signed));
    let cursor = if has_cursor { format!(".{cursor}") } else { String::new() };
    let identifier = format!(
        r#"{{\"channel\":\"Turbo::StreamsChannel\",\"signed_stream_name\":\"{signed}{cursor}\"}}"#
    );
    format!(r#"{{"command":"subscribe","identifier":"{identifier}"}}"#)
}

fn cursor() -> Cursor {
    Cursor { epoch: 0x0123_4567_89ab_cdef, offset: 1_234_567, page: 0xfedc_ba98_7654_3210 }
}

fn connect(hub: &Hub) -> (Client, Session) {
    let client = hub.connect().unwrap();
    let hello = client.hello(Protocol::ActionCableV1Json);
    let session = Session::open(hub.now(), hello, Arc::clone(hub.limits()));
    (client, session)
}

/// Everybody may read [`STREAM`], from one position on.
struct Anybody(Option<Position>);

impl Channels for Anybody {
    fn subscribe(&self, _: forebay_transport::Request) -> Answer<Result<Subscribed, Rejected>> {
        let begin = self.0.map_or(Begin::Now, Begin::After);
        Answer::Now(Ok(Subscribed {
            streams: vec![Stream { name: STREAM.into(), begin, is_public: false, seen: None }],
            goes_on: self.0.is_some(),
            resync: Resync::new("null"),
            transmissions: Vec::new(),
            whispers: None,
            handler: None,
            presence: None,
            roster: None,
        }))
    }
}

// --- publishing ------------------------------------------------------------------------------

fn publish_to_nobody() {
    let (hub, _runtime) = hub();
    for _ in 0..OPERATIONS {
        black_box(counted::publish(&hub, broadcast()));
    }
}

// The subscriber has taken its signals, so each publish wakes its task.
fn publish_to_one() {
    let (hub, _runtime) = hub();
    let (mut client, _session) = connect(&hub);
    client.attach(STREAM, None);
    for _ in 0..OPERATIONS {
        client.poll_signals(Waker::noop());
        let published = counted::publish(&hub, broadcast());
        assert_eq!(published.subscribers, 1);
    }
}

// --- delivering ------------------------------------------------------------------------------

// One turn of a connection's task: it reads one entry from the log, frames it and hands it to
// its socket.
fn deliver() {
    deliver_from(false);
}

// The same to a page with a cursor: the envelope names the offset, and a Ping goes out behind
// it, whose Pong comes back.
fn deliver_and_prove() {
    deliver_from(true);
}

fn deliver_from(cursor: bool) {
    let (hub, _runtime) = hub();
    let (client, session) = connect(&hub);
    let (socket, received) = Socket::new(&subscribe_command(cursor));
    let channels = Arc::new(Anybody(cursor.then(|| hub.position())));
    let connection =
        forebay_transport::drive(socket, session, client, channels, Identity::anonymous());
    let mut connection = pin!(connection);
    let mut cx = Context::from_waker(Waker::noop());
    // Its confirmation, and what a first delivery allocates.
    for _ in 0..WARM_UPS {
        assert!(connection.as_mut().poll(&mut cx).is_pending());
        done(hub.publish(broadcast())).unwrap();
    }
    assert!(connection.as_mut().poll(&mut cx).is_pending());
    let (pings, bytes) = (received.pings(), received.bytes());
    for _ in 0..OPERATIONS {
        done(hub.publish(broadcast())).unwrap();
        assert!(counted::turn(connection.as_mut(), &mut cx).is_pending());
    }
    assert_eq!(received.pings() - pings, if cursor { OPERATIONS } else { 0 });
    assert!(received.bytes() - bytes > OPERATIONS * HTML_BYTES as u64);
}

// The same for connections that are at rest: a round reads the entry and hands it to all of their
// sockets. Counted for each delivery.
fn deliver_in_rounds() {
    deliver_in_rounds_from(false);
}

fn deliver_in_rounds_and_prove() {
    deliver_in_rounds_from(true);
}

fn deliver_in_rounds_from(cursor: bool) {
    const CONNECTIONS: usize = 25;
    let hub = Hub::simulated(Options::default(), Epoch(1), Arc::default());
    for _ in 0..3_000 {
        done(hub.publish(broadcast())).unwrap();
    }
    let mut cx = Context::from_waker(Waker::noop());
    let connections = (0..CONNECTIONS).map(|_| {
        let (client, session) = connect(&hub);
        let (socket, received) = Socket::new(&subscribe_command(cursor));
        let channels = Arc::new(Anybody(cursor.then(|| hub.position())));
        let identity = Identity::anonymous();
        let task = forebay_transport::drive(socket, session, client, channels, identity);
        (Box::pin(task), received)
    });
    let mut connections: Vec<_> = connections.collect();
    for turn in 0..OPERATIONS / CONNECTIONS as u64 + WARM_UPS {
        // What a Pong says is read in the connection's own turn, which is not counted.
        for (task, _) in &mut connections {
            assert!(task.as_mut().poll(&mut cx).is_pending());
        }
        done(hub.publish(broadcast())).unwrap();
        let round = if turn < WARM_UPS { Hub::round } else { counted::round };
        assert!(round(&hub));
        assert!(!hub.round());
    }
    for (_, received) in &connections {
        let deliveries = OPERATIONS / CONNECTIONS as u64 + WARM_UPS;
        assert_eq!(received.pings(), if cursor { deliveries } else { 0 });
        assert!(received.bytes() > deliveries * HTML_BYTES as u64);
    }
}

// --- subscribing -----------------------------------------------------------------------------

// From the client's text to the question whether it may.
fn decode_subscribe() {
    let command = subscribe_command(true);
    let hello = Hello { id: SessionId(1), protocol: Protocol::ActionCableV1Json, epoch: Epoch(1) };
    let limits = Arc::new(Limits::default());
    for _ in 0..OPERATIONS {
        let mut session = Session::open(UnixMillis(0), hello, Arc::clone(&limits));
        assert!(counted::decode(&mut session, &command).is_some());
    }
}

fn verify_stream_name() {
    let verifier = Verifier::new(Key::raw("0123456789abcdef"));
    let signed = verifier.sign(STREAM);
    for _ in 0..OPERATIONS {
        assert_eq!(counted::verify(&verifier, &signed), STREAM);
    }
}

// --- rendering -------------------------------------------------------------------------------

fn mint_cursor() {
    let signer = CursorSigner::new(Key::raw("0123456789abcdef"));
    for _ in 0..OPERATIONS {
        black_box(counted::mint(&signer, cursor()));
    }
}

// `turbo_stream_from`: the name, its signature and the tag, in a page that has its cursor.
fn render_tag() {
    let turbo = turbo();
    turbo.page_cursor();
    for _ in 0..OPERATIONS {
        black_box(counted::render(&turbo));
    }
}

/// What the layer gives a handler.
fn turbo() -> Turbo {
    struct Handler;

    impl Service<Request<Body>> for Handler {
        type Response = Response<Turbo>;
        type Error = Infallible;
        type Future = Ready<Result<Response<Turbo>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<Body>) -> Self::Future {
            ready(Ok(Response::new(request.extensions().get::<Turbo>().unwrap().clone())))
        }
    }

    let forebay = Forebay::builder().secret("0123456789abcdef0123456789abcdef").build().unwrap();
    let answer = forebay.layer().layer(Handler).call(Request::new(Body::empty()));
    let Poll::Ready(Ok(response)) = pin!(answer).poll(&mut Context::from_waker(Waker::noop()))
    else {
        unreachable!("it is ready at once");
    };
    response.into_body()
}
