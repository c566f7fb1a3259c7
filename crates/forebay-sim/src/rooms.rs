//! The application's channels, as every world has them.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use forebay_cable::{RejectReason, Resync};
use forebay_hub::{Hub, Member};
use forebay_log::{Position, presence_stream};
use forebay_transport::{Answer, Begin, Channels, Present, Rejected, Request, Stream, Subscribed};

use crate::present::ROOM;
use crate::variant::Variant;

/// The channels of this world: a stream by its number, from its cursor.
pub(crate) struct Rooms {
    pub(crate) variant: Variant,
    pub(crate) clock: Arc<AtomicU64>,
    pub(crate) hub: Mutex<Hub>,
}

/// One answer in so many takes a while,
const SLOW_ONES: u64 = 8;
/// and then fewer milliseconds than this.
const TAKES_MAX: u64 = 600;

const REFRESH: Resync = Resync::new("\"refresh\"");

impl Channels for Rooms {
    fn subscribe(&self, request: Request) -> Answer<Result<Subscribed, Rejected>> {
        let Some(name) = stream_of(&request) else {
            return Answer::Now(Err(Rejected::new(RejectReason::Unauthorized, "no such channel")));
        };
        let name: Arc<str> = name.into();
        let cursor: Option<Position> = request.identifier.text("cursor").and_then(position_of);
        let begin = match cursor {
            Some(Position { offset, .. })
                if self.variant == Variant::Forgetful && offset.0.is_multiple_of(4) =>
            {
                Begin::Lost
            }
            Some(cursor) if self.variant != Variant::PlainCable => Begin::After(cursor),
            _ => Begin::Now,
        };
        let goes_on = begin != Begin::Now;
        let read = Arc::clone(&name);
        let presence = self.member_of(&request).map(Box::new);
        let subscribed = move |begin, transmissions| Subscribed {
            streams: vec![Stream { name: read, begin, is_public: false, seen: None }],
            goes_on,
            resync: REFRESH,
            transmissions,
            whispers: None,
            handler: None,
            presence,
            roster: None,
        };
        let (Variant::NonAtomic, Some(cursor)) = (self.variant, cursor) else {
            let answer = subscribed(begin, Vec::new());
            let Some(takes) = self.takes(&request) else { return Answer::Now(Ok(answer)) };
            let until = self.until(takes);
            return Answer::Later(Box::pin(async move {
                until.await;
                Ok(answer)
            }));
        };
        // History first, and a while later the stream.
        let hub = self.hub.lock().expect("one thread");
        let history = hub.replay(&name, cursor);
        let history = history.unwrap_or_default();
        let texts = history.iter().map(|entry| entry.message.bytes().clone()).collect();
        let until = self.until(40);
        Answer::Later(Box::pin(async move {
            until.await;
            Ok(subscribed(Begin::Now, texts))
        }))
    }
}

impl Rooms {
    /// The milliseconds that an answer takes, if it takes any: one in a few does, now this one and now that one. A page's
    /// other tags are answered meanwhile.
    fn takes(&self, request: &Request) -> Option<u64> {
        let mut hasher = DefaultHasher::new();
        self.clock.load(Ordering::Relaxed).hash(&mut hasher);
        format!("{:?}", request.identifier).hash(&mut hasher);
        let hash = hasher.finish();
        hash.is_multiple_of(SLOW_ONES).then_some((hash >> 8) % TAKES_MAX)
    }

    /// So many milliseconds pass.
    fn until(&self, takes: u64) -> impl Future<Output = ()> + Send + use<> {
        let (clock, at) = (Arc::clone(&self.clock), self.clock.load(Ordering::Relaxed) + takes);
        std::future::poll_fn(move |cx| {
            if clock.load(Ordering::Relaxed) >= at {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }

    /// Whom a tag makes present.
    fn member_of(&self, request: &Request) -> Option<Present> {
        let visitor = request.identifier.text("member")?;
        let number = |name| request.identifier.params.get(name).map(ToString::to_string);
        let page = number("page").unwrap_or_default();
        let id = match self.variant {
            Variant::PerConnection => format!("{visitor}#{page}"),
            _ => visitor.to_owned(),
        };
        let member = Member::new(id, number("info").unwrap_or_default());
        Some(Present { stream: ROOM.into(), member })
    }
}

/// Of a cursor: behind its position, it says which rendering it is from.
fn position_of(cursor: &str) -> Option<Position> {
    let mut parts = cursor.split('.');
    format!("{}.{}", parts.next()?, parts.next()?).parse().ok()
}

/// By its number, or as Turbo's tags name it, without a signature.
fn stream_of(request: &Request) -> Option<String> {
    let number = request.identifier.params.get("stream").and_then(serde_json::Value::as_u64);
    let number = number.and_then(|number| usize::try_from(number).ok()).map(name_of);
    number.or_else(|| request.identifier.text("signed_stream_name").map(str::to_owned))
}

/// The number of the stream that says who comes to the room and leaves it.
pub(crate) const PRESENCE: usize = 1_000;

/// The name of a stream.
pub(crate) fn name_of(stream: usize) -> String {
    if stream == PRESENCE { presence_stream(ROOM) } else { format!("stream {stream}") }
}
