//! From an HTTP request to a running connection.

mod answers;
mod inspecting;
mod refusals;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use forebay_cable::{Kept, Protocol, Session};
use forebay_hub::{Client, Hub, Refused, Transport};
use http::{Response, request};
use tokio::io::{AsyncRead, AsyncWrite};

pub use self::answers::ExchangeError;
use crate::channels::{Channels, Denial, Identity};
use crate::conversation::Conversation;
use crate::door::{Denied, Door};
use crate::driver::{self, InHand};
use crate::handshake::{self, HandshakeError};

/// Takes WebSocket connections for a hub.
#[derive(Clone)]
pub struct Endpoint {
    hub: Hub,
    channels: Arc<dyn Channels>,
    door: Arc<Door>,
}

impl Endpoint {
    /// An endpoint for whom the door lets in: mostly, for pages of these origins.
    pub fn new(hub: Hub, channels: Arc<dyn Channels>, door: impl Into<Door>) -> Self {
        Self { hub, channels, door: Arc::new(door.into()) }
    }

    /// Whether the request's origin and host are let in: worth knowing before asking who it is.
    ///
    /// # Errors
    /// [`Denied`] says why not.
    pub fn check(&self, request: &request::Parts) -> Result<(), Denied> {
        self.door.check(request)
    }

    /// Fetches what another node has kept of the session that an AnyCable client comes back for. Where several
    /// nodes have one log, this comes before [`connect`](Self::connect).
    pub async fn fetch_session(&self, request: &request::Parts) {
        if let Some(fetching) = sid(request).and_then(|sid| self.hub.fetch_session(sid)) {
            fetching.await;
        }
    }

    /// Takes a WebSocket's handshake: gives the answer that makes the request a connection, and the
    /// connection, which is [run](Admission::run) once that is sent.
    ///
    /// `identity` is who the client is, or why the application does not let it in: it is then told so
    /// over Action Cable, since a stock client understands no HTTP status.
    ///
    /// # Errors
    /// [`HandshakeError`] says why the request stays an HTTP request.
    pub fn connect(
        &self,
        request: &request::Parts,
        identity: Result<Identity, Denial>,
    ) -> Result<(Response<()>, Admission), HandshakeError> {
        let outcome = self.try_connect(request, identity);
        if let Err(error) = &outcome {
            self.refuse_handshake(request, *error);
        }
        outcome
    }

    /// Notes that a handshake is refused. Ordinary requests for the cable's address are none.
    pub fn refuse_handshake(&self, request: &request::Parts, error: HandshakeError) {
        match error.refusal() {
            Some(refusal) => self.refuse(request, refusal, error),
            None => self.record_not_an_upgrade(request),
        }
    }

    /// A place in the hub, on the account of the address that asks, if that is known.
    fn connect_to_hub(&self, request: &request::Parts) -> Result<Client, Refused> {
        let mut client = self.hub.connect()?;
        if let Some(ip) = self.door.client(request) {
            client.is_at(ip);
        }
        Ok(client)
    }

    fn try_connect(
        &self,
        request: &request::Parts,
        identity: Result<Identity, Denial>,
    ) -> Result<(Response<()>, Admission), HandshakeError> {
        let (response, protocol) = handshake::answer(request)?;
        self.check(request)?;
        let mut client = self.connect_to_hub(request)?;
        let (hello, limits) = (client.hello(protocol), Arc::clone(self.hub.limits()));
        let transport = Transport::WebSocket;
        self.record(request, &client, identity.as_ref().ok(), transport, protocol);
        let session = match &identity {
            Ok(identity) => {
                if let Some(name) = identity.shared_name() {
                    client.identify(name);
                }
                let now = self.hub.now();
                if let Some(kept) = kept(&client, request, protocol) {
                    Session::restore(now, hello, limits, kept)
                } else {
                    let mut session = Session::open(now, hello, limits);
                    if sid(request).is_some_and(|sid| !sid.is_empty()) {
                        session.returns();
                    }
                    session
                }
            }
            Err(denial) => Session::refuse(hello, limits, self.deny(request, denial)),
        };
        let (channels, identity) = (Arc::clone(&self.channels), identity.unwrap_or_default());
        let conversation = Conversation::new(session, client, channels, identity)
            .counted_as((Transport::WebSocket, protocol));
        Ok((response, Admission { conversation, in_hand: InHand::default() }))
    }
}

/// A WebSocket that was let in, and lacks only its stream of bytes.
///
/// Nothing of its request is kept. Dropped before it is run, it was never there.
#[must_use = "a connection begins when it is run"]
pub struct Admission {
    conversation: Conversation,
    in_hand: InHand,
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("session", &self.conversation.id())
            .finish_non_exhaustive()
    }
}

impl Admission {
    /// What the HTTP server has read of the client behind its request.
    pub fn read(mut self, bytes: Bytes) -> Self {
        self.in_hand.read = bytes;
        self
    }

    /// The answer to the handshake as bytes, where the HTTP server has not written it: it then leaves
    /// together with the session's first words, which saves one of the three packets of a connect.
    pub fn answer(mut self, bytes: Box<[u8]>) -> Self {
        self.in_hand.answer = bytes;
        self
    }

    /// The connection: it is over when this future is. Spawn it as a task of its own.
    pub fn run<Io>(self, io: Io) -> impl Future<Output = ()> + Send + 'static
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        driver::task(io, self.in_hand, self.conversation)
    }
}

/// What is kept of the session that an AnyCable client comes back for: it names it in the query.
fn kept(client: &Client, request: &request::Parts, protocol: Protocol) -> Option<Kept> {
    if protocol != Protocol::ActionCableV1ExtJson {
        return None;
    }
    let kept = client.take_session(sid(request)?)?;
    client.hub().stats().sessions_restored.add(1);
    Some(kept)
}

/// The session that an AnyCable client comes back for.
fn sid(request: &request::Parts) -> Option<&str> {
    let mut parameters = request.uri.query()?.split('&');
    parameters.find_map(|parameter| parameter.strip_prefix("sid="))
}

#[cfg(test)]
mod tests {
    use forebay_cable::{Limits, Resync};
    use forebay_hub::{Broadcast, Options};
    use forebay_log::{Class, Message, Position};

    use super::*;
    use crate::channels::{Answer, Begin, Rejected, Request, Stream, Subscribed};
    use crate::door::Ends;
    use crate::origins::Origins;

    /// A room that is read from its cursor on.
    struct Room(Position);

    impl Channels for Room {
        fn subscribe(&self, _: Request) -> Answer<Result<Subscribed, Rejected>> {
            Answer::Now(Ok(Subscribed {
                streams: vec![Stream {
                    name: "room".into(),
                    begin: Begin::After(self.0),
                    is_public: false,
                    seen: None,
                }],
                goes_on: true,
                resync: Resync::new("null"),
                transmissions: Vec::new(),
                whispers: None,
                handler: None,
                presence: None,
                roster: None,
            }))
        }
    }

    /// Coming back by another connection is no way to be replayed more.
    #[tokio::test(start_paused = true)]
    async fn all_connections_of_an_address_are_on_one_account() {
        let limits =
            Limits::default().address_replay_bytes_burst(100).address_replay_bytes_per_second(1);
        let hub = Hub::new(Options::default().limits(limits));
        let cursor = hub.position();
        let message = Message::json(format!("{:?}", "x".repeat(200)));
        hub.publish(Broadcast { stream: "room", message, class: Class::Log }).await.unwrap();
        let door = Door::from(Origins::default()).proxy("10.0.0.1").unwrap();
        let endpoint = Endpoint::new(hub, Arc::new(Room(cursor)), door);
        let subscribe = r#"{"command":"subscribe","identifier":"{\"channel\":\"C\"}"}"#;
        let is_replayed = async |peer: &str, forwarded: &str| {
            let request = http::Request::post("/forebay/poll?wait=0")
                .header("content-type", "application/json")
                .header("x-forwarded-for", forwarded)
                .extension(Ends { peer: format!("{peer}:1").parse().unwrap(), local: None });
            let (request, ()) = request.body(()).unwrap().into_parts();
            let answer = endpoint.poll(&request, Ok(Identity::anonymous()), subscribe).await;
            String::from_utf8_lossy(answer.unwrap().body()).contains("xxx")
        };
        for (peer, forwarded, expected) in [
            ("192.0.2.1", "", true),
            ("192.0.2.1", "", false),
            ("192.0.2.1", "192.0.2.9", false),
            ("192.0.2.2", "", true),
            ("10.0.0.1", "192.0.2.1", false),
            ("10.0.0.1", "192.0.2.3", true),
            ("127.0.0.1", "", true),
            ("127.0.0.1", "", true),
        ] {
            let replayed = is_replayed(peer, forwarded).await;
            assert_eq!(replayed, expected, "{peer}, for {forwarded:?}");
        }
    }
}
