//! From an HTTP request to a session that lives as long as its answer.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::Bytes;
use forebay_cable::{Protocol, Session};
use forebay_log::UnixMillis;
use http::header::{self, HeaderMap};
use http::{HeaderValue, Method, Response, StatusCode, request};

use super::Endpoint;
use crate::channels::Identity;
use crate::exchange::{EventStream, Exchange, Format};
use crate::source;

/// Why a request over HTTP gets no session. Answer with [`status`](Self::status) and the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The application does not let the client in.
    #[error("not authorized")]
    Unauthorized,
    /// A page of an origin that isn't let in.
    #[error("this origin is not allowed to connect; see allowed origins")]
    ForeignOrigin,
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
}

impl ExchangeError {
    /// The HTTP status to answer with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::ForeignOrigin | Self::Refused => StatusCode::FORBIDDEN,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotCommands => StatusCode::BAD_REQUEST,
            Self::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
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
        if !self.allows(request) {
            self.hub.stats().refusals.add(1);
            return Err(ExchangeError::ForeignOrigin);
        }
        is_json(&request.headers)
    }

    /// `POST /forebay/events`: the session's messages as server-sent events.
    ///
    /// # Errors
    /// [`ExchangeError`] says why there is no session.
    pub fn events(
        &self,
        request: &request::Parts,
        identity: Option<Identity>,
        body: &str,
    ) -> Result<Response<EventStream>, ExchangeError> {
        is_json(&request.headers)?;
        let mut exchange =
            self.exchange(request, identity, Protocol::ForebayV1Json, Format::Events)?;
        if !exchange.handle(body) {
            return Err(ExchangeError::NotCommands);
        }
        Ok(event_stream(exchange))
    }

    /// `GET /forebay/events`: Turbo's messages as server-sent events, for pages without a script of
    /// ours. The query has the streams' signed names and the page's cursor.
    ///
    /// # Errors
    /// [`ExchangeError`] says why there is no session.
    pub fn source(
        &self,
        request: &request::Parts,
        identity: Option<Identity>,
    ) -> Result<Response<EventStream>, ExchangeError> {
        let mut exchange =
            self.exchange(request, identity, Protocol::EventSource, Format::Source)?;
        let last = request.headers.get("last-event-id").and_then(|id| id.to_str().ok());
        let commands = source::commands(request.uri.query().unwrap_or_default(), last);
        if !exchange.handle(&commands) {
            return Err(ExchangeError::NotCommands);
        }
        exchange.settle(&mut Context::from_waker(Waker::noop()));
        if !exchange.has_subscriptions() {
            return Err(ExchangeError::Refused);
        }
        Ok(event_stream(exchange))
    }

    /// `POST /forebay/poll`: the session's messages as a JSON array, once there are any.
    ///
    /// # Errors
    /// [`ExchangeError`] says why there is no session.
    pub async fn poll(
        &self,
        request: &request::Parts,
        identity: Option<Identity>,
        body: impl AsRef<str> + Send,
    ) -> Result<Response<Bytes>, ExchangeError> {
        is_json(&request.headers)?;
        let mut exchange =
            self.exchange(request, identity, Protocol::ForebayV1Json, Format::Array)?;
        exchange.hush();
        if !exchange.handle(body.as_ref()) {
            return Err(ExchangeError::NotCommands);
        }
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
        identity: Option<Identity>,
        protocol: Protocol,
        format: Format,
    ) -> Result<Exchange, ExchangeError> {
        let refuse = |error| {
            self.hub.stats().refusals.add(1);
            tracing::debug!(%error, "request refused");
            Err(error)
        };
        if !self.allows(request) {
            return refuse(ExchangeError::ForeignOrigin);
        }
        let Some(identity) = identity else { return refuse(ExchangeError::Unauthorized) };
        let Ok(mut client) = self.hub.connect() else {
            return refuse(ExchangeError::ShuttingDown);
        };
        if let Some(name) = identity.shared_name() {
            client.identify(name);
        }
        let limits = Arc::clone(self.hub.limits());
        let session = Session::open(self.hub.now(), client.hello(protocol), limits);
        Ok(Exchange::new(session, client, Arc::clone(&self.channels), identity, format))
    }

    /// What lets a page of another origin, if that is allowed, read the answer (the Fetch standard,
    /// CORS).
    pub fn share(&self, request: &request::Parts, response: &mut HeaderMap) {
        response.append(header::VARY, HeaderValue::from_static("origin"));
        let Some(origin) = request.headers.get(header::ORIGIN) else { return };
        if !self.allows(request) {
            return;
        }
        response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if !self.origins.is_any() {
            let yes = HeaderValue::from_static("true");
            response.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
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
