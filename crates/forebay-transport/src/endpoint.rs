//! From an HTTP request to a running connection.

mod answers;
mod refusals;

use std::fmt;
use std::sync::Arc;
#[cfg(any(target_os = "android", target_os = "linux"))]
use std::time::Duration;

use bytes::Bytes;
use forebay_cable::{Kept, Protocol, Session};
use forebay_hub::{Client, Hub, Refused};
use http::{Response, request};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use parking_lot::Mutex;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

pub use self::answers::ExchangeError;
use crate::channels::{Channels, Denial, Identity};
use crate::door::{Denied, Door};
use crate::driver::{self, InHand, Opening};
use crate::handshake::{self, HandshakeError};

/// How long the kernel tries to send to a peer that acknowledges nothing or takes nothing before
/// it gives the connection up: ten missed pings. The page resumes by its cursor.
#[cfg(any(target_os = "android", target_os = "linux"))]
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

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

    /// Turns the request into a connection and gives the answer that makes it one.
    ///
    /// `identity` is who the client is, or why the application does not let it in: it is then told so
    /// over Action Cable, since a stock client understands no HTTP status.
    ///
    /// # Errors
    /// [`HandshakeError`] says why the request stays an HTTP request.
    pub fn connect(
        &self,
        request: &mut request::Parts,
        identity: Result<Identity, Denial>,
    ) -> Result<Response<()>, HandshakeError> {
        let outcome = self.try_connect(request, identity);
        if let Err(error) = &outcome
            && let Some(refusal) = error.refusal()
        {
            self.refuse(request, refusal, error);
        }
        outcome
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
        request: &mut request::Parts,
        identity: Result<Identity, Denial>,
    ) -> Result<Response<()>, HandshakeError> {
        let (response, protocol) = handshake::answer(request)?;
        self.check(request)?;
        let mut client = self.connect_to_hub(request).map_err(|_| HandshakeError::ShuttingDown)?;
        let upgrade =
            request.extensions.remove::<OnUpgrade>().ok_or(HandshakeError::NotUpgradable)?;
        let (hello, limits) = (client.hello(protocol), Arc::clone(self.hub.limits()));
        let session = match &identity {
            Ok(identity) => {
                if let Some(name) = identity.shared_name() {
                    client.identify(name);
                }
                let now = self.hub.now();
                match kept(&client, request, protocol) {
                    Some(kept) => Session::restore(now, hello, limits, kept),
                    None => Session::open(now, hello, limits),
                }
            }
            Err(denial) => Session::refuse(hello, limits, self.deny(request, denial)),
        };
        let opening = Opening {
            session,
            client,
            channels: Arc::clone(&self.channels),
            identity: identity.unwrap_or_default(),
        };
        if let Some(handover) = request.extensions.get::<Handover>() {
            *handover.0.lock() = Some(opening);
            return Ok(response);
        }
        tokio::spawn(async move {
            // A client that goes away before the upgrade is done leaves nothing to drive.
            let Ok(upgraded) = upgrade.await else { return };
            match raw_socket(upgraded) {
                // A task of its own, so that this one's memory does not stay.
                Ok((stream, read)) => {
                    prepare(&SockRef::from(&stream));
                    let in_hand = InHand { read, answer: Box::default() };
                    drop(tokio::spawn(driver::task(stream, in_hand, opening)));
                }
                Err(upgraded) => {
                    let io = TokioIo::new(upgraded);
                    drop(tokio::spawn(driver::task(io, InHand::default(), opening)));
                }
            }
        });
        Ok(response)
    }
}

/// Lets an HTTP server that has its own sockets hand them over by itself, and hold back the answer to
/// the handshake: it then leaves together with the session's first words, which saves one of the three
/// packets of a connect.
///
/// The server puts a new one into each request's extensions, and takes all that its HTTP library writes
/// after an answer with status 101 into its own hands. Its listener is [prepared](Self::prepare).
#[derive(Clone, Default)]
pub struct Handover(Arc<Mutex<Option<Opening>>>);

impl fmt::Debug for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handover").finish_non_exhaustive()
    }
}

impl Handover {
    /// Runs the connection over this socket: first of all `answer` is written, and `read` is what the
    /// client has already said behind its request. Without a request that was answered with a handshake
    /// nothing happens but that the socket is closed.
    pub fn complete(&self, stream: TcpStream, answer: Box<[u8]>, read: Bytes) {
        let Some(opening) = self.0.lock().take() else { return };
        // On these systems they inherit it.
        if !cfg!(any(target_os = "android", target_os = "linux")) {
            prepare(&SockRef::from(&stream));
        }
        drop(tokio::spawn(driver::task(stream, InHand { read, answer }, opening)));
    }

    /// Sets on a listener's socket what its connections need: small messages leave at once, and a peer
    /// that acknowledges nothing is given up after 30 seconds (by systems that have no such option: after
    /// their own patience).
    pub fn prepare(listener: &TcpSocket) {
        prepare(&SockRef::from(listener));
    }

    /// The same, for one that another process has opened.
    pub fn prepare_listener(listener: &TcpListener) {
        prepare(&SockRef::from(listener));
    }
}

/// What is kept of the session that an AnyCable client comes back for: it names it in the query.
fn kept(client: &Client, request: &request::Parts, protocol: Protocol) -> Option<Kept> {
    if protocol != Protocol::ActionCableV1ExtJson {
        return None;
    }
    let mut parameters = request.uri.query()?.split('&');
    let sid = parameters.find_map(|parameter| parameter.strip_prefix("sid="))?;
    let kept = client.take_session(sid)?;
    client.hub().stats().sessions_restored.add(1);
    Some(kept)
}

/// Takes the TCP stream back from hyper, with what it had read too far. Fails where there is
/// something between: TLS, HTTP/2, another kind of socket.
fn raw_socket(upgraded: Upgraded) -> Result<(TcpStream, Bytes), Upgraded> {
    let (stream, read) = match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => (parts.io.into_inner(), parts.read_buf),
        Err(upgraded) => {
            let parts = upgraded.downcast::<TokioIo<TcpStream>>()?;
            (parts.io.into_inner(), parts.read_buf)
        }
    };
    Ok((stream, read))
}

/// All of it only makes a connection better; one that is broken shows it by itself.
fn prepare(socket: &SockRef<'_>) {
    let _ = socket.set_tcp_nodelay(true);
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let _ = socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX));
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    let _ = socket.set_keepalive(true);
}

#[cfg(all(test, target_os = "linux"))]
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
                }],
                goes_on: true,
                resync: Resync::new("null"),
                transmissions: Vec::new(),
                whispers: None,
                handler: None,
            }))
        }
    }

    /// Coming back by another connection is no way to be replayed more.
    #[tokio::test(start_paused = true)]
    async fn all_connections_of_an_address_are_on_one_account() {
        let limits = Limits {
            address_replay_bytes_burst: 100,
            address_replay_bytes_per_second: 1,
            ..Limits::default()
        };
        let hub = Hub::new(Options { limits, ..Options::default() });
        let cursor = hub.position();
        let message = Message::json(format!("{:?}", "x".repeat(200)));
        hub.publish(Broadcast { stream: "room", message, class: Class::Log }).unwrap();
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

    #[tokio::test]
    async fn connections_inherit_what_their_listener_is_prepared_with() {
        let socket = TcpSocket::new_v4().unwrap();
        Handover::prepare(&socket);
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (stream, _) =
            tokio::try_join!(async { Ok(listener.accept().await?.0) }, client).unwrap();
        assert!(stream.nodelay().unwrap());
        assert_eq!(SockRef::from(&stream).tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED_MAX));
    }
}
