//! From an HTTP request to a running connection.

mod answers;

use std::sync::Arc;
#[cfg(any(target_os = "android", target_os = "linux"))]
use std::time::Duration;

use bytes::Bytes;
use forebay_cable::{Kept, Protocol, Session};
use forebay_hub::{Client, Hub};
use http::{Response, request};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use socket2::SockRef;
use tokio::net::TcpStream;

pub use self::answers::ExchangeError;
use crate::channels::{Channels, Identity};
use crate::driver;
use crate::handshake::{self, HandshakeError};
use crate::origins::Origins;

/// How long the kernel tries to send to a peer that acknowledges nothing or takes nothing before
/// it gives the connection up: ten missed pings. The page resumes by its cursor.
#[cfg(any(target_os = "android", target_os = "linux"))]
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

/// Takes WebSocket connections for a hub.
#[derive(Clone)]
pub struct Endpoint {
    hub: Hub,
    channels: Arc<dyn Channels>,
    origins: Arc<Origins>,
}

impl Endpoint {
    /// An endpoint for pages of these origins.
    pub fn new(hub: Hub, channels: Arc<dyn Channels>, origins: Origins) -> Self {
        Self { hub, channels, origins: Arc::new(origins) }
    }

    /// Whether the request's origin is let in: worth knowing before asking who it is.
    pub fn allows(&self, request: &request::Parts) -> bool {
        self.origins.allow(&request.uri, &request.headers)
    }

    /// Turns the request into a connection and gives the answer that makes it one.
    ///
    /// `identity` is who the client is, or `None` if the application does not let it in: it is
    /// then told so over Action Cable, since a stock client understands no HTTP status.
    ///
    /// # Errors
    /// [`HandshakeError`] says why the request stays an HTTP request.
    pub fn connect(
        &self,
        request: &mut request::Parts,
        identity: Option<Identity>,
    ) -> Result<Response<()>, HandshakeError> {
        let outcome = self.try_connect(request, identity);
        if let Err(error) = &outcome
            && *error != HandshakeError::NotAnUpgrade
        {
            self.hub.stats().refusals.add(1);
            tracing::debug!(%error, "connection refused");
        }
        outcome
    }

    fn try_connect(
        &self,
        request: &mut request::Parts,
        identity: Option<Identity>,
    ) -> Result<Response<()>, HandshakeError> {
        let (response, protocol) = handshake::answer(request)?;
        if !self.allows(request) {
            return Err(HandshakeError::ForeignOrigin);
        }
        let mut client = self.hub.connect().map_err(|_| HandshakeError::ShuttingDown)?;
        let upgrade =
            request.extensions.remove::<OnUpgrade>().ok_or(HandshakeError::NotUpgradable)?;
        let (hello, limits) = (client.hello(protocol), Arc::clone(self.hub.limits()));
        let session = if let Some(identity) = &identity {
            if let Some(name) = identity.shared_name() {
                client.identify(name);
            }
            let now = self.hub.now();
            match kept(&client, request, protocol) {
                Some(kept) => Session::restore(now, hello, limits, kept),
                None => Session::open(now, hello, limits),
            }
        } else {
            self.hub.stats().refusals.add(1);
            Session::refuse(hello, limits)
        };
        let channels = Arc::clone(&self.channels);
        let identity = identity.unwrap_or_default();
        tokio::spawn(async move {
            // A client that goes away before the upgrade is done leaves nothing to drive.
            let Ok(upgraded) = upgrade.await else { return };
            match raw_socket(upgraded) {
                // A task of its own, so that this one's memory does not stay.
                Ok((stream, read)) => {
                    let task = driver::task(stream, &read, session, client, channels, identity);
                    drop(tokio::spawn(task));
                }
                Err(upgraded) => {
                    let io = TokioIo::new(upgraded);
                    drop(tokio::spawn(driver::drive(io, session, client, channels, identity)));
                }
            }
        });
        Ok(response)
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
    // Both only make a connection better; one that is already broken shows it by itself.
    let _ = stream.set_nodelay(true);
    let _ = give_up_on_silence(&stream);
    Ok((stream, read))
}

#[cfg(any(target_os = "android", target_os = "linux"))]
fn give_up_on_silence(stream: &TcpStream) -> std::io::Result<()> {
    SockRef::from(stream).set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))
}

/// Elsewhere there is no such option: the system's own patience counts, of some minutes.
#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn give_up_on_silence(stream: &TcpStream) -> std::io::Result<()> {
    SockRef::from(stream).set_keepalive(true)
}
