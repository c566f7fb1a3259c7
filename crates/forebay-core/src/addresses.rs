//! The addresses that pages ask, and what they are answered.

use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{self, Poll};

use bytes::Bytes;
use forebay_hub::Refusal;
use forebay_transport::{Admission, Denial, EventStream, ExchangeError, HandshakeError};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::app::Forebay;
use crate::bodies::{BodyError, Text};
use crate::channel::{Connect, ConnectError, Identity};
use crate::inspect::InspectAddress;

/// One of the addresses that pages ask ([`Forebay::addresses`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Address {
    /// `/cable`: WebSockets.
    Cable,
    /// `/forebay/events`: server-sent events, for a script (POST) or for `EventSource` (GET).
    Events,
    /// `/forebay/poll`: an answer once there is something to say.
    Poll,
    /// `/forebay/forebay.js`: our own client, as one module.
    Script,
    /// `/forebay/worker.js`: the shared worker, which holds one connection for several tabs.
    Worker,
    /// `/forebay/inspect.js`: what a page loads in development, to be told what became of broadcasts in it.
    InspectScript,
    /// `/forebay/inspect`: what is recorded, for people.
    Inspector,
    /// `/forebay/inspector.js`: what makes that live.
    InspectorScript,
    /// Below `/forebay/inspect`: what is recorded of broadcasts and pages, where it is.
    Inspect(InspectAddress),
}

/// What a request to one of the [addresses](Address) is answered with.
#[derive(Debug)]
#[must_use = "it is what the client is to get"]
#[expect(clippy::large_enum_variant, reason = "another allocation for each connect gains nothing")]
pub enum Reply {
    /// This, and that is all.
    Answer(Response<Body>),
    /// This (101; over HTTP/2 200), and behind it the client and we speak over what was the HTTP
    /// connection: [`Admission::run`].
    Connection(Response<()>, Admission),
}

/// The body of an answer: something whole, or events for as long as both sides want.
#[derive(Debug, Default)]
pub struct Body(Content);

#[derive(Debug)]
enum Content {
    Whole(Bytes),
    Events(Box<EventStream>),
}

impl Default for Content {
    fn default() -> Self {
        Self::Whole(Bytes::new())
    }
}

impl From<Bytes> for Body {
    fn from(whole: Bytes) -> Self {
        Self(Content::Whole(whole))
    }
}

impl From<String> for Body {
    fn from(whole: String) -> Self {
        Bytes::from(whole).into()
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Content::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Events(events) => Pin::new(events.as_mut()).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Content::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Events(_) => SizeHint::default(),
        }
    }
}

impl Forebay {
    /// The paths that pages ask, each with what it is. An HTTP server gives all of its requests for
    /// these, whatever their method, to [`admit`](Self::admit).
    pub fn addresses(&self) -> Vec<(String, Address)> {
        self.edge.has_addresses.store(true, Ordering::Relaxed);
        let paths = &self.edge.paths;
        let at = |name: &str| format!("{}/{name}", paths.prefix);
        let mut addresses = vec![
            (format!("{}/", paths.cable), Address::Cable),
            (at("events"), Address::Events),
            (at("poll"), Address::Poll),
            (at("forebay.js"), Address::Script),
            (at("worker.js"), Address::Worker),
        ];
        if let Some(inspect) = &self.edge.inspect {
            if inspect.takes_reports() {
                addresses.push((at("inspect.js"), Address::InspectScript));
            }
            addresses.push((at("inspect"), Address::Inspector));
            addresses.push((at("inspector.js"), Address::InspectorScript));
            let all = InspectAddress::ALL.into_iter();
            addresses.extend(all.map(|(name, address)| {
                (at(&format!("inspect/{name}")), Address::Inspect(address))
            }));
        }
        // At the root there is no second way to write it.
        if !paths.cable.is_empty() {
            addresses.push((paths.cable.clone(), Address::Cable));
        }
        addresses
    }

    /// Whether somebody has been given the addresses.
    pub fn has_addresses(&self) -> bool {
        self.edge.has_addresses.load(Ordering::Relaxed)
    }

    /// Answers a request to one of the addresses. A poll's answer may take 25 seconds.
    ///
    /// The server puts what it knows beyond HTTP into the request's extensions: [`Ends`](crate::Ends), and
    /// [`ExtendedConnect`](crate::ExtendedConnect).
    pub async fn admit<B>(&self, address: Address, request: &Parts, body: B) -> Reply
    where
        B: HttpBody,
    {
        let answer = match address {
            Address::Cable => {
                let identity = self.identify(request).await;
                self.edge.endpoint.fetch_session(request).await;
                return match self.edge.endpoint.connect(request, identity) {
                    Ok((response, admission)) => Reply::Connection(response, admission),
                    Err(error) => Reply::Answer(error.into_response().map(Body::from)),
                };
            }
            Address::Events => self.events(request, body).await,
            Address::Poll => self.poll(request, body).await,
            Address::Script => Ok(SCRIPT.answer(request)),
            Address::Worker => Ok(WORKER.answer(request)),
            Address::InspectScript => Ok(INSPECT.answer(request)),
            Address::InspectorScript => Ok(INSPECTOR.answer(request)),
            Address::Inspector => return Reply::Answer(self.answer_inspector(request).await),
            Address::Inspect(address) => {
                // For nobody of another origin.
                return Reply::Answer(self.answer_inspection(address, request, body).await);
            }
        };
        let mut answer = answer.unwrap_or_else(|error| match error {
            Refused::Exchange(error) => error.into_response(request).map(Body::from),
            Refused::Answer(answer) => answer,
        });
        self.edge.endpoint.share(request, answer.headers_mut());
        Reply::Answer(answer)
    }

    /// What to answer where a request got a [`Reply::Connection`], and the HTTP server has no
    /// connection to hand over. It is counted, and in the log.
    pub fn not_upgradable(&self, request: &Parts) -> Response<Body> {
        let error = HandshakeError::NotUpgradable;
        self.edge.endpoint.refuse_handshake(request, error);
        error.into_response().map(Body::from)
    }

    async fn events<B: HttpBody>(
        &self,
        request: &Parts,
        body: B,
    ) -> Result<Response<Body>, Refused> {
        let endpoint = &self.edge.endpoint;
        let events = match request.method {
            Method::GET => endpoint.source(request, self.identify(request).await)?,
            Method::POST => {
                let text = self.text(request, body).await?;
                let identity = self.identify(request).await;
                endpoint.events(request, identity, text.as_ref())?
            }
            _ => return Ok(other_method(request, "GET, POST, OPTIONS")),
        };
        Ok(events.map(|events| Body(Content::Events(Box::new(events)))))
    }

    async fn poll<B: HttpBody>(&self, request: &Parts, body: B) -> Result<Response<Body>, Refused> {
        if request.method != Method::POST {
            return Ok(other_method(request, "POST, OPTIONS"));
        }
        let text = self.text(request, body).await?;
        let identity = self.identify(request).await;
        Ok(self.edge.endpoint.poll(request, identity, text).await?.map(Body::from))
    }

    /// Who asks, or why the application does not let them in. A foreign page is refused before the
    /// application is asked about its visitor's cookies.
    async fn identify(&self, request: &Parts) -> Result<Identity, Denial> {
        match &self.edge.connect {
            Some(hook) if self.edge.endpoint.check(request).is_ok() => ask(hook, request).await,
            _ => Ok(Identity::anonymous()),
        }
    }

    /// What a request says. A stranger's body is not waited for.
    async fn text<B: HttpBody>(&self, request: &Parts, body: B) -> Result<Text, Refused> {
        let endpoint = &self.edge.endpoint;
        endpoint.expects(request)?;
        self.edge.bodies.read(body, endpoint.body_bytes_max()).await.map_err(|error| {
            endpoint.refuse(request, Refusal::Request, error);
            let mut answer = Response::new(Body::from(format!("{error}\n")));
            *answer.status_mut() = error.status();
            let headers = answer.headers_mut();
            let plain = HeaderValue::from_static("text/plain; charset=utf-8");
            headers.insert(header::CONTENT_TYPE, plain);
            // What is left of it is not read.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            if error == BodyError::Full {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Refused::Answer(answer)
        })
    }
}

/// Why there is no session.
enum Refused {
    Exchange(ExchangeError),
    Answer(Response<Body>),
}

impl From<ExchangeError> for Refused {
    fn from(error: ExchangeError) -> Self {
        Self::Exchange(error)
    }
}

/// A hook that panics has not said who it is, and not that they may never come back.
async fn ask(hook: &Connect, request: &Parts) -> Result<Identity, Denial> {
    let panicked = || Denial::NotNow("the connect hook has panicked".to_owned());
    // The hook's state is the application's: what a panic does to it, it does without us, too.
    let mut asked = catch_unwind(AssertUnwindSafe(|| hook(request))).map_err(|_| panicked())?;
    let answer = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| asked.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(answer)) => Poll::Ready(Ok(answer)),
        Err(_) => Poll::Ready(Err(panicked())),
    });
    answer.await?.map_err(|error| match error {
        ConnectError::Unauthorized => Denial::Never,
        ConnectError::Unavailable(why) => Denial::NotNow(why.to_string()),
    })
}

/// A preflight, or a method that this address does not have.
pub(crate) fn other_method(request: &Parts, allowed: &'static str) -> Response<Body> {
    let mut answer = Response::new(Body::default());
    if request.method == Method::OPTIONS {
        *answer.status_mut() = StatusCode::NO_CONTENT;
    } else {
        *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    }
    answer
}

/// Made of `js/forebay`, whose tests compare it.
const SCRIPT: Script = Script::new(include_str!("../assets/forebay.js"));

/// Likewise.
const WORKER: Script = Script::new(include_str!("../assets/worker.js"));

/// Likewise.
const INSPECT: Script = Script::new(include_str!("../assets/inspect.js"));

/// Likewise.
const INSPECTOR: Script = Script::new(include_str!("../assets/inspector.js"));

#[derive(Clone, Copy)]
struct Script {
    text: &'static str,
    /// Where this build's script is told from another's: FNV-1a of its text.
    etag: u64,
}

impl Script {
    const fn new(text: &'static str) -> Self {
        let (bytes, mut hash, mut at) = (text.as_bytes(), 0xcbf2_9ce4_8422_2325_u64, 0);
        while at < bytes.len() {
            hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
            at += 1;
        }
        Self { text, etag: hash }
    }

    /// Also for pages of another origin that is let in: browsers load modules only so.
    fn answer(self, request: &Parts) -> Response<Body> {
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return other_method(request, "GET, HEAD, OPTIONS");
        }
        let etag = format!("\"{:016x}\"", self.etag);
        let is_known = is_known(&request.headers, &etag);
        let mut answer = Response::new(Body::default());
        let headers = answer.headers_mut();
        let script = HeaderValue::from_static("text/javascript; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, script);
        // Asked for again after an hour, at the cost of a 304.
        let an_hour = HeaderValue::from_static("public, max-age=3600");
        headers.insert(header::CACHE_CONTROL, an_hour);
        if let Ok(etag) = HeaderValue::from_str(&etag) {
            headers.insert(header::ETAG, etag);
        }
        if is_known {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            *answer.body_mut() = Bytes::from_static(self.text.as_bytes()).into();
        }
        answer
    }
}

fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forebay() -> Forebay {
        Forebay::builder().secret("a secret for tests").build().unwrap()
    }

    fn request(method: Method, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    async fn answer(forebay: &Forebay, address: Address, request: &Parts) -> Response<Body> {
        match forebay.admit(address, request, String::new()).await {
            Reply::Answer(answer) => answer,
            Reply::Connection(..) => panic!("a connection"),
        }
    }

    /// As an edge has it: heads in, answers out, and a stream of bytes for what becomes a connection.
    #[tokio::test]
    async fn a_handshake_becomes_a_connection_over_any_stream_of_bytes() {
        use tokio::io::AsyncReadExt as _;
        let forebay = forebay();
        let handshake = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let request = request(Method::GET, &handshake);
        let reply = forebay.admit(Address::Cable, &request, String::new()).await;
        let Reply::Connection(answer, admission) = reply else { panic!("{reply:?}") };
        assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
        let (mut client, server) = tokio::io::duplex(1 << 10);
        tokio::spawn(admission.answer(Box::from(&b"101 "[..])).run(server));
        let mut first = [0; 22];
        client.read_exact(&mut first).await.unwrap();
        // The answer that the server held back, a frame's head, and the welcome.
        assert_eq!(&first[..4], b"101 ");
        assert_eq!(&first[6..], br#"{"type":"welcome"#);
        assert_eq!(forebay.connections(), 1);
    }

    #[tokio::test]
    async fn each_address_says_which_methods_it_has() {
        let forebay = forebay();
        let check = async |address, method: Method, expected, allowed: Option<&str>| {
            let answer = answer(&forebay, address, &request(method, &[])).await;
            assert_eq!(answer.status(), expected, "{address:?}");
            let allow = answer.headers().get(header::ALLOW);
            assert_eq!(allow.map(|allow| allow.to_str().unwrap()), allowed);
        };
        let (refused, none) = (StatusCode::METHOD_NOT_ALLOWED, StatusCode::NO_CONTENT);
        check(Address::Cable, Method::GET, StatusCode::UPGRADE_REQUIRED, None).await;
        check(Address::Events, Method::PUT, refused, Some("GET, POST, OPTIONS")).await;
        check(Address::Poll, Method::GET, refused, Some("POST, OPTIONS")).await;
        check(Address::Poll, Method::OPTIONS, none, None).await;
        check(Address::Script, Method::POST, refused, Some("GET, HEAD, OPTIONS")).await;
        check(Address::Worker, Method::HEAD, StatusCode::OK, None).await;
        check(Address::InspectScript, Method::GET, StatusCode::OK, None).await;
        assert!(!forebay.has_addresses());
        assert_eq!(forebay.addresses().len(), 13);
        assert!(forebay.has_addresses());
    }
}
