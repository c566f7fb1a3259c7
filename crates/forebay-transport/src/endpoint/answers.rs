//! From an HTTP request to a session that lives as long as its answer.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::Bytes;
use forebay_cable::{Protocol, Session};
use forebay_hub::{Refusal, Refused, Transport};
use forebay_log::UnixMillis;
use http::header::{self, HeaderMap};
use http::{HeaderValue, Method, Response, StatusCode, request};

use super::Endpoint;
use crate::channels::{Denial, Identity};
use crate::conversation::Conversation;
use crate::door::{Denied, Ends};
use crate::exchange::{EventStream, Exchange, Format};
use crate::source;

/// Why a request over HTTP gets no session. Answer with [`into_response`](Self::into_response).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The application does not let the client in.
    #[error("not authorized")]
    Unauthorized,
    /// The application can't say now whether it lets the client in.
    #[error("not now: come back later")]
    Unavailable,
    /// The request's origin or host.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// None of the streams may be read.
    #[error("none of these streams may be read")]
    Refused,
    /// A body of another type.
    #[error("the body must be application/json: one command, or an array of commands")]
    MediaType,
    /// A body that is no command.
    #[error("this is not a command of forebay-v1-json")]
    NotCommands,
    /// The server is going down.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// Nothing was heard of the log's store for too long.
    #[error("this server has lost its log; come back, to another one")]
    Behind,
}

impl From<Refused> for ExchangeError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::ShuttingDown => Self::ShuttingDown,
            Refused::Behind => Self::Behind,
        }
    }
}

impl ExchangeError {
    /// The HTTP status to answer with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Refused => StatusCode::FORBIDDEN,
            Self::Denied(denied) => denied.status(),
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotCommands => StatusCode::BAD_REQUEST,
            Self::Unavailable | Self::ShuttingDown | Self::Behind => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// After how many seconds it is worth to ask again.
    const fn retry_after(self) -> Option<u8> {
        match self {
            // Somewhere there is, or will be, another server.
            Self::ShuttingDown | Self::Behind => Some(1),
            // As stock clients do it at first; all of them wait for the same database.
            Self::Unavailable => Some(5),
            _ => None,
        }
    }

    /// What kind of a refusal it is. The application's own has been noted already, with its reason.
    const fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Unauthorized | Self::Unavailable => None,
            Self::Denied(denied) => Some(denied.refusal()),
            Self::Refused | Self::MediaType | Self::NotCommands => Some(Refusal::Request),
            Self::ShuttingDown => Some(Refusal::ShuttingDown),
            Self::Behind => Some(Refusal::Behind),
        }
    }

    /// The answer to `request`, its message as plain text.
    ///
    /// `EventSource` never comes back after a status other than 200, whatever it is. Where it should come
    /// back it gets an answer that says when, and ends.
    pub fn into_response(self, request: &request::Parts) -> Response<String> {
        let is_source = request.method == Method::GET && accepts_events(&request.headers);
        match self.retry_after() {
            Some(seconds) if is_source => {
                let millis = u32::from(seconds) * 1_000;
                uncached(Response::new(format!("retry: {millis}\n\n")), "text/event-stream")
            }
            retry_after => {
                let mut response = Response::new(format!("{self}\n"));
                *response.status_mut() = self.status();
                let headers = response.headers_mut();
                let plain = HeaderValue::from_static("text/plain; charset=utf-8");
                headers.insert(header::CONTENT_TYPE, plain);
                if let Some(seconds) = retry_after {
                    headers.insert(header::RETRY_AFTER, u16::from(seconds).into());
                }
                response
            }
        }
    }
}

fn accepts_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/event-stream"))
}

/// How long a poll waits at the most: well below the 60 seconds after which proxies cut.
const POLL_WAIT_MAX_SECS: u64 = 25;

/// Answers over plain HTTP, for where WebSockets do not pass.
impl Endpoint {
    /// What may be sent as a body, in bytes: all of a page's subscriptions at once.
    pub fn body_bytes_max(&self) -> usize {
        self.hub.limits().message_bytes_max * 4
    }

    /// Whether a request with a body is one to read: before that is waited for.
    ///
    /// # Errors
    /// [`ExchangeError`] says why not.
    pub fn expects(&self, request: &request::Parts) -> Result<(), ExchangeError> {
        let expected = self.check(request).map_err(ExchangeError::from);
        self.noted(request, expected.and_then(|()| is_json(&request.headers)))
    }

    /// `POST /forebay/events`: the session's messages as server-sent events.
    ///
    /// # Errors
    /// [`ExchangeError`] says why there is no session.
    pub fn events(
        &self,
        request: &request::Parts,
        identity: Result<Identity, Denial>,
        body: &str,
    ) -> Result<Response<EventStream>, ExchangeError> {
        let exchange = is_json(&request.headers).and_then(|()| {
            let mut exchange =
                self.exchange(request, identity, Protocol::ForebayV1Json, Format::Events)?;
            exchange.handle(body).then_some(exchange).ok_or(ExchangeError::NotCommands)
        });
        Ok(event_stream(self.noted(request, exchange)?))
    }

    /// `GET /forebay/events`: Turbo's messages as server-sent events, for pages without a script of
    /// ours. The query has the streams' signed names and the page's cursor.
    ///
    /// # Errors
    /// [`ExchangeError`] says why there is no session.
    pub fn source(
        &self,
        request: &request::Parts,
        identity: Result<Identity, Denial>,
    ) -> Result<Response<EventStream>, ExchangeError> {
        let exchange = self.source_exchange(request, identity);
        Ok(event_stream(self.noted(request, exchange)?))
    }

    fn source_exchange(
        &self,
        request: &request::Parts,
        identity: Result<Identity, Denial>,
    ) -> Result<Exchange, ExchangeError> {
        let mut exchange =
            self.exchange(request, identity, Protocol::EventSource, Format::Source)?;
        let last = request.headers.get("last-event-id").and_then(|id| id.to_str().ok());
        let commands = source::commands(request.uri.query().unwrap_or_default(), last);
        if !exchange.handle(&commands) {
            return Err(ExchangeError::NotCommands);
        }
        exchange.settle(&mut Context::from_waker(Waker::noop()));
        // What is not decided yet, because the node is behind the page, is said in the stream. A browser does
        // not come back for what was refused.
        (!exchange.is_refused()).then_some(exchange).ok_or(ExchangeError::Refused)
    }

    /// `POST /forebay/poll`: the session's messages as a JSON array, once there are any.
    ///
    /// # Errors
    /// [`ExchangeError`] says why there is no session.
    pub async fn poll(
        &self,
        request: &request::Parts,
        identity: Result<Identity, Denial>,
        body: impl AsRef<str> + Send,
    ) -> Result<Response<Bytes>, ExchangeError> {
        let exchange = is_json(&request.headers).and_then(|()| {
            let mut exchange =
                self.exchange(request, identity, Protocol::ForebayV1Json, Format::Array)?;
            exchange.hush();
            exchange.handle(body.as_ref()).then_some(exchange).ok_or(ExchangeError::NotCommands)
        });
        let mut exchange = self.noted(request, exchange)?;
        // A poll waits for long, and needs it no more.
        drop(body);
        let wait = source::wait(request.uri.query().unwrap_or_default());
        let wait = wait.unwrap_or(POLL_WAIT_MAX_SECS).min(POLL_WAIT_MAX_SECS);
        let deadline = UnixMillis(self.hub.now().0 + wait * 1_000);
        let answer = poll_fn(|cx| exchange.poll_answer(cx, deadline)).await;
        Ok(uncached(Response::new(answer.into()), "application/json"))
    }

    fn exchange(
        &self,
        request: &request::Parts,
        identity: Result<Identity, Denial>,
        protocol: Protocol,
        format: Format,
    ) -> Result<Exchange, ExchangeError> {
        self.check(request)?;
        let identity = identity.map_err(|denial| {
            self.deny(request, &denial);
            match denial {
                Denial::Never => ExchangeError::Unauthorized,
                Denial::NotNow(_) => ExchangeError::Unavailable,
            }
        })?;
        let mut client = self.connect_to_hub(request)?;
        if let Some(name) = identity.shared_name() {
            client.identify(name);
        }
        let transport = match format {
            Format::Events | Format::Source => Transport::EventStream,
            Format::Array => Transport::Poll,
        };
        self.record(request, &client, Some(&identity), transport, protocol);
        let limits = Arc::clone(self.hub.limits());
        let session = Session::open(self.hub.now(), client.hello(protocol), limits);
        let peer = request.extensions.get::<Ends>().map(|ends| ends.peer);
        let channels = Arc::clone(&self.channels);
        let conversation = Conversation::new(session, client, channels, identity)
            .counted_as((transport, protocol));
        Ok(Exchange::new(conversation, format, peer))
    }

    /// Notes a refusal, if it is one.
    fn noted<T>(
        &self,
        request: &request::Parts,
        outcome: Result<T, ExchangeError>,
    ) -> Result<T, ExchangeError> {
        outcome.inspect_err(|error| {
            if let Some(refusal) = error.refusal() {
                self.refuse(request, refusal, error);
            }
        })
    }

    /// What lets a page of another origin, if that is allowed, read the answer (the Fetch standard,
    /// CORS).
    ///
    /// It may send its visitor's cookies, also where every origin is let in: a WebSocket brings them anyway,
    /// and no answer here says more than a WebSocket does.
    pub fn share(&self, request: &request::Parts, response: &mut HeaderMap) {
        response.append(header::VARY, HeaderValue::from_static("origin"));
        let Some(origin) = request.headers.get(header::ORIGIN) else { return };
        if self.check(request).is_err() {
            return;
        }
        response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        let yes = HeaderValue::from_static("true");
        response.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        if request.method == Method::OPTIONS {
            let put = |response: &mut HeaderMap, name, value| {
                response.insert(name, HeaderValue::from_static(value));
            };
            put(response, header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST");
            put(response, header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type, last-event-id");
            put(response, header::ACCESS_CONTROL_MAX_AGE, "7200");
        }
    }
}

fn is_json(headers: &HeaderMap) -> Result<(), ExchangeError> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).unwrap_or_default();
    // Anything else can be posted by a page of any origin without being asked first.
    let json = essence.trim().eq_ignore_ascii_case("application/json");
    json.then_some(()).ok_or(ExchangeError::MediaType)
}

fn event_stream(exchange: Exchange) -> Response<EventStream> {
    uncached(Response::new(EventStream::new(exchange)), "text/event-stream")
}

/// Neither kept nor collected on its way.
fn uncached<B>(mut response: Response<B>, content_type: &'static str) -> Response<B> {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    let no_store = HeaderValue::from_static("no-store, no-transform");
    headers.insert(header::CACHE_CONTROL, no_store);
    // nginx collects answers, unless it is told not to.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
