//! [`Turbo`]: what a handler knows of its request, and how it answers.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use axum::extract::{FromRequestParts, NestedPath, OptionalFromRequestParts};
use axum::response::{IntoResponse, Redirect, Response};
use forebay_log::Position;
use forebay_signing::PageCursor;
use forebay_turbo::http as turbo_http;
use forebay_turbo::{
    EventStreamSource, Html, Render, StreamNameError, StreamSource, Streamable, TurboStreams,
};
use http::header::{CONTENT_TYPE, VARY};
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use crate::app::{Forebay, GoodFor};
use crate::broadcast::Broadcaster;
use crate::error::Error;

/// What the layer has noted of a request.
#[derive(Debug)]
pub(crate) struct PageRequest {
    pub(crate) position: Position,
    pub(crate) page: u64,
    pub(crate) request_id: Option<Arc<str>>,
    pub(crate) frame: Option<Arc<str>>,
    pub(crate) accepts_stream: bool,
    pub(crate) is_native: bool,
    /// Where the router is that the layer was added to, if that is nested.
    pub(crate) nested: Option<NestedPath>,
}

/// The extractor: the request as Turbo made it, the page's cursor, and the answers that Turbo
/// expects. Cheap to clone, so that a template can own one.
#[derive(Clone, Debug)]
pub struct Turbo {
    forebay: Forebay,
    request: Arc<PageRequest>,
    /// Made when the first tag needs it.
    cursor: Arc<OnceLock<PageCursor>>,
}

impl Turbo {
    pub(crate) fn new(forebay: Forebay, request: PageRequest) -> Self {
        Self { forebay, request: Arc::new(request), cursor: Arc::default() }
    }

    // --- the request --------------------------------------------------------------------------

    /// Where the log stood when this request began.
    pub fn position(&self) -> Position {
        self.request.position
    }

    /// The id that Turbo gave this request: a page ignores refreshes that carry one of its own.
    pub fn request_id(&self) -> Option<&str> {
        self.request.request_id.as_deref()
    }

    /// The frame that the answer is for: only the `<turbo-frame>` of this id will be used.
    pub fn frame_request(&self) -> Option<&str> {
        self.request.frame.as_deref()
    }

    /// Whether the client takes stream tags as an answer: Turbo says so for forms.
    pub fn accepts_stream(&self) -> bool {
        self.request.accepts_stream
    }

    /// Whether a Hotwire Native app asks.
    pub fn is_native(&self) -> bool {
        self.request.is_native
    }

    /// The application's Forebay.
    pub fn forebay(&self) -> &Forebay {
        &self.forebay
    }

    // --- the page -----------------------------------------------------------------------------

    /// `turbo_stream_from`: the tag that subscribes this page, from its cursor on.
    ///
    /// ```
    /// # fn show(turbo: forebay::Turbo) -> Result<(), forebay::StreamNameError> {
    /// let tag = turbo.stream_from(("room", 1, "messages"))?;
    /// let tag = turbo.stream_from("board")?.data("view", "all");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StreamNameError`] for blank parts and for parts that contain `:`.
    pub fn stream_from(&self, parts: impl Streamable) -> Result<StreamSource, StreamNameError> {
        self.forebay.stream_source(&parts, GoodFor::Anybody, self.page_cursor())
    }

    /// The tag of a stream that is read through a channel of the application's.
    ///
    /// The signature is good for that channel only: a page can't ask `Turbo::StreamsChannel` for the
    /// stream and pass the channel's own check by. In the channel:
    /// [`Context::verified_stream`](crate::channel::Context::verified_stream).
    ///
    /// # Errors
    /// [`StreamNameError`] for blank parts and for parts that contain `:`.
    pub fn stream_from_channel(
        &self,
        channel: &str,
        parts: impl Streamable,
    ) -> Result<StreamSource, StreamNameError> {
        self.forebay.stream_source(&parts, GoodFor::Channel(channel), self.page_cursor())
    }

    /// The tag of a stream that only one visitor may read: whoever the connect hook
    /// ([`Builder::connect`](crate::Builder::connect)) names so. Copied into another's page it
    /// opens nothing.
    ///
    /// # Errors
    /// [`StreamNameError`] for blank parts and for parts that contain `:`.
    pub fn stream_from_for(
        &self,
        viewer: &str,
        parts: impl Streamable,
    ) -> Result<StreamSource, StreamNameError> {
        self.forebay.stream_source(&parts, GoodFor::Viewer(viewer), self.page_cursor())
    }

    /// The tag that listens to these streams over server-sent events, from the page's cursor on:
    /// one connection for all of them, with no script beyond Turbo's own and no WebSocket.
    ///
    /// The signed names are part of the address, and so of the logs of proxies. Where that matters
    /// let them expire ([`Builder::stream_lifetime`](crate::Builder::stream_lifetime)).
    ///
    /// ```
    /// # fn show(turbo: forebay::Turbo) -> Result<(), forebay::StreamNameError> {
    /// let tag = turbo.event_source_from([("room", 1, "messages"), ("room", 1, "members")])?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StreamNameError`] for blank parts and for parts that contain `:`.
    pub fn event_source_from<S: Streamable>(
        &self,
        streams: impl IntoIterator<Item = S>,
    ) -> Result<EventStreamSource, StreamNameError> {
        let nested = self.request.nested.as_ref().map(NestedPath::as_str);
        self.forebay.event_source(streams, self.page_cursor(), nested)
    }

    /// What makes the cursors of this page's tags, for those that are not made here.
    ///
    /// A tag's cursor is good with its own signed name only, so that an old page's name and a new
    /// page's cursor are no new page. It follows the name behind a dot ([`StreamSource::cursor`]). What
    /// makes cursors must not be rendered itself.
    ///
    /// ```
    /// use forebay::signing::Subject;
    ///
    /// # fn show(turbo: forebay::Turbo) -> String {
    /// // For `consumer.subscriptions.create({ channel: "DocumentChannel", id: 7, cursor })`.
    /// turbo.page_cursor().cursor_for(Subject::Channel)
    /// # }
    /// ```
    pub fn page_cursor(&self) -> &PageCursor {
        self.cursor
            .get_or_init(|| self.forebay.page_cursor(self.request.position, self.request.page))
    }

    /// Broadcasts, on behalf of this request: its page ignores its own refreshes.
    pub fn broadcast(&self) -> Broadcaster {
        let core = Arc::clone(&self.forebay.core);
        Broadcaster::new(core, self.request.request_id.clone())
    }

    // --- the answer ---------------------------------------------------------------------------

    /// The usual answer to a form: stream tags for Turbo, or else what a browser without it gets,
    /// a redirect mostly.
    ///
    /// ```
    /// # use axum::response::{IntoResponse, Redirect};
    /// # fn create(turbo: forebay::Turbo) -> axum::response::Response {
    /// # use forebay::TurboStream;
    /// turbo.respond(TurboStream::update("form").text("Saved"), || Redirect::to("/rooms/1"))
    /// # }
    /// ```
    /// Tags whose target finds nothing ([`Target::check`](crate::Target::check)) are not sent: the
    /// answer is a 500, and the log names the target.
    pub fn respond<R: IntoResponse>(
        &self,
        streams: impl Into<TurboStreams>,
        otherwise: impl FnOnce() -> R,
    ) -> Response {
        let response = if self.accepts_stream() {
            tags(StatusCode::OK, &streams.into())
        } else {
            otherwise().into_response()
        };
        vary(response, "accept")
    }

    /// The answer to a form that has errors, 422: stream tags that show them, for Turbo. The rest of
    /// the page stays as it is, its stream sources too. `otherwise` is what a browser without
    /// Turbo gets: the whole page again, mostly, whose status becomes 422 as well.
    ///
    /// ```
    /// # use axum::response::Response;
    /// # use forebay::{Html, RenderError, Turbo, TurboStream};
    /// # fn create(turbo: Turbo, form: Html, page: Html) -> Result<Response, RenderError> {
    /// // `form` is the form with what was typed and what is wrong with it.
    /// let streams = TurboStream::replace("new_message").render(&form)?;
    /// Ok(turbo.respond_invalid(streams, || turbo.page(&page)))
    /// # }
    /// ```
    ///
    /// A form in a `<turbo-frame>` needs no tags: [`invalid`](Self::invalid).
    pub fn respond_invalid<R: IntoResponse>(
        &self,
        streams: impl Into<TurboStreams>,
        otherwise: impl FnOnce() -> R,
    ) -> Response {
        let mut response = if self.accepts_stream() {
            tags(StatusCode::UNPROCESSABLE_ENTITY, &streams.into())
        } else {
            otherwise().into_response()
        };
        if response.status() == StatusCode::OK {
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        }
        vary(response, "accept")
    }

    /// A page, or the part of one that a frame asked for.
    ///
    /// # Errors
    /// [`Error::Render`] if the template fails.
    pub fn page<E>(&self, page: &impl Render<E>) -> Result<Response, Error> {
        Ok(page_with_status(StatusCode::OK, page.to_html()?))
    }

    /// A form that has errors, rendered again: Turbo shows it only with a status that says so, 422.
    ///
    /// Inside a `<turbo-frame>` this is the frame with the form in it. **Outside of one it has to be
    /// the whole page**: Turbo replaces the page's body by it, stream sources and all. To exchange the
    /// form alone: [`respond_invalid`](Self::respond_invalid).
    ///
    /// # Errors
    /// [`Error::Render`] if the template fails.
    pub fn invalid<E>(&self, page: &impl Render<E>) -> Result<Response, Error> {
        let html = page.to_html()?;
        if self.accepts_stream() && self.frame_request().is_none() && !is_document(html.as_str()) {
            tracing::error!(
                "a form outside of a frame is answered with a part of a page: Turbo replaces the \
                 whole page by it, and its stream sources are gone; use `respond_invalid`, put the \
                 form into a frame, or render the whole page"
            );
        }
        Ok(page_with_status(StatusCode::UNPROCESSABLE_ENTITY, html))
    }

    /// Elsewhere after a form: 303, so that the browser asks for it with GET whatever the form's
    /// method was.
    pub fn redirect(&self, to: &str) -> Response {
        Redirect::to(to).into_response()
    }
}

fn page_with_status(status: StatusCode, html: Html) -> Response {
    let html = axum::response::Html(html.into_string());
    // The same address may give a frame less than the whole page.
    vary((status, html).into_response(), "turbo-frame")
}

fn tags(status: StatusCode, streams: &TurboStreams) -> Response {
    if let Err(error) = streams.check() {
        tracing::error!(%error, "an answer of stream tags is not sent");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let content_type = HeaderValue::from_static(turbo_http::CONTENT_TYPE);
    (status, [(CONTENT_TYPE, content_type)], streams.to_string()).into_response()
}

/// Whether this is a page rather than a part of one, as far as one can tell without parsing it.
fn is_document(html: &str) -> bool {
    let has = |tag: &str| {
        html.as_bytes().windows(tag.len()).any(|part| part.eq_ignore_ascii_case(tag.as_bytes()))
    };
    has("<html") || has("<body") || has("<!doctype")
}

fn vary(mut response: Response, header: &'static str) -> Response {
    response.headers_mut().append(VARY, HeaderValue::from_static(header));
    response
}

/// The router lacks [`Forebay::layer`], so there is no cursor to take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("Turbo needs the layer: add .layer(forebay.layer()) to the router, last")]
pub struct MissingLayer;

impl IntoResponse for MissingLayer {
    fn into_response(self) -> Response {
        tracing::error!(error = %self, "request failed");
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Turbo {
    type Rejection = MissingLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingLayer> {
        parts.extensions.get::<Self>().cloned().ok_or(MissingLayer)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Turbo {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}
