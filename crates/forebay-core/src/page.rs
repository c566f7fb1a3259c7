//! [`Turbo`]: what the application knows of a request, and how it answers.

mod exact;

use std::sync::{Arc, OnceLock};

use forebay_log::Position;
use forebay_signing::PageCursor;
use forebay_turbo::http as turbo_http;
use forebay_turbo::{
    EventStreamSource, Html, Render, RenderError, StreamNameError, StreamSource, Streamable,
    TurboStreams, drive,
};
use http::header::{self, HeaderMap, HeaderName};
use http::{HeaderValue, Response, StatusCode};
use parking_lot::Mutex;

use self::exact::Exact;
pub use self::exact::SeenError;

use crate::app::{Forebay, GoodFor, Paths};
use crate::broadcast::{Asker, Broadcaster};

/// Request ids longer than this are ignored. Turbo's are UUIDs of 36 characters.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// A request as Turbo made it, the page's cursor, and the answers that Turbo expects. Cheap to clone,
/// so that a template can own one.
///
/// The answers have any body that can be made of a text.
#[derive(Clone, Debug)]
pub struct Turbo(Arc<Noted>);

/// What is noted of a request.
#[derive(Debug)]
struct Noted {
    forebay: Forebay,
    position: Position,
    page: u64,
    request_id: Option<Arc<str>>,
    /// Where broadcasts are recorded: by whom they are made.
    asker: Option<Asker>,
    frame: Option<Box<str>>,
    accepts_stream: bool,
    is_native: bool,
    /// In front of our addresses, as the browser sees them.
    mounted_at: Option<Box<str>>,
    /// What the transaction has seen that reads the page's data.
    exact: Mutex<Option<Exact>>,
    /// Made when the first tag needs it.
    cursor: OnceLock<PageCursor>,
}

impl Forebay {
    /// Notes where the log stands, for the page that this request is for. **First of all**: before any
    /// of the page's data is read, in the outermost middleware. A change that is committed later has
    /// a larger offset, and is replayed.
    ///
    /// `mounted_at` is what stands in front of our [addresses](Self::addresses) for the browser, where
    /// that isn't nothing: a router that is nested at `/app`, say.
    pub fn begin_request(&self, request: &HeaderMap, mounted_at: Option<&str>) -> Turbo {
        let position = self.position();
        let text = |name: &str| request.get(name).and_then(|value| value.to_str().ok());
        let short = |text: &&str| text.len() <= REQUEST_ID_BYTES_MAX;
        // A proxy's or a layer's id stands in the application's log, too.
        let named = || text("x-request-id").or_else(|| text(turbo_http::REQUEST_ID)).filter(short);
        let is_recorded = self.core.hub.inspection().is_some();
        Turbo(Arc::new(Noted {
            forebay: self.clone(),
            position,
            page: self.core.pages.next(),
            request_id: text(turbo_http::REQUEST_ID).filter(short).map(Arc::from),
            asker: is_recorded.then(|| Asker::new(named())),
            frame: text(turbo_http::TURBO_FRAME).map(Box::from),
            accepts_stream: text(header::ACCEPT.as_str())
                .is_some_and(turbo_http::accepts_turbo_stream),
            is_native: text(header::USER_AGENT.as_str()).is_some_and(turbo_http::is_native_app),
            mounted_at: mounted_at.map(Box::from),
            exact: Mutex::default(),
            cursor: OnceLock::new(),
        }))
    }
}

impl Turbo {
    // --- the request --------------------------------------------------------------------------

    /// Where the log stood when this request began.
    pub fn position(&self) -> Position {
        self.0.position
    }

    /// The id that Turbo gave this request: a page ignores refreshes that carry one of its own.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The frame that the answer is for: only the `<turbo-frame>` of this id will be used.
    pub fn frame_request(&self) -> Option<&str> {
        self.0.frame.as_deref()
    }

    /// Whether the client takes stream tags as an answer. Turbo says so when it submits a form.
    pub fn accepts_stream(&self) -> bool {
        self.0.accepts_stream
    }

    /// Whether a Hotwire Native app asks.
    pub fn is_native(&self) -> bool {
        self.0.is_native
    }

    /// The application's Forebay.
    pub fn forebay(&self) -> &Forebay {
        &self.0.forebay
    }

    // --- the page -----------------------------------------------------------------------------

    /// For the page's `<head>`: where clients find the cable and what is beside it, wherever the application
    /// is mounted. The stock client assumes `/cable` without it.
    pub fn head(&self) -> Html {
        let (base, paths) = self.paths();
        let cable = drive::action_cable_meta(&format!("{base}{}", paths.cable));
        let folder = drive::forebay_meta(&format!("{base}{}", paths.prefix));
        [cable, folder].into_iter().collect()
    }

    /// Our own client, `forebay.js`, for the page's `<head>`: **instead of** `@hotwired/turbo-rails`, and
    /// behind `@hotwired/turbo`.
    pub fn script(&self) -> Html {
        let (base, paths) = self.paths();
        drive::module_script(&format!("{base}{}/forebay.js", paths.prefix))
    }

    /// What this rendering is told from another by.
    pub(crate) fn page_id(&self) -> u64 {
        self.0.page
    }

    /// Our paths, and what stands in front of them for browsers.
    pub(crate) fn paths(&self) -> (&str, &Paths) {
        let paths = &self.0.forebay.edge.paths;
        let said = paths.public_url.as_deref().or(self.0.mounted_at.as_deref());
        (said.unwrap_or_default(), paths)
    }

    /// `turbo_stream_from`: the tag that subscribes this page, from its cursor on.
    ///
    /// ```
    /// # use forebay_core as forebay;
    /// # fn show(turbo: forebay::Turbo) -> Result<(), forebay::StreamNameError> {
    /// let tag = turbo.stream_from(("room", 1, "messages"))?;
    /// let tag = turbo.stream_from("board")?.data("view", "all");
    /// // Good for one visitor only, whatever page it is copied into.
    /// let tag = turbo.stream_from((forebay::Viewer("user:7"), "inbox"))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StreamNameError`] for blank parts and for parts that contain `:`.
    pub fn stream_from(&self, parts: impl Streamable) -> Result<StreamSource, StreamNameError> {
        self.0.forebay.stream_source(&parts, GoodFor::whom(&parts), self.page_cursor())
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
        self.0.forebay.stream_source(&parts, GoodFor::Channel(channel), self.page_cursor())
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
        self.0.forebay.stream_source(&parts, GoodFor::Viewer(viewer), self.page_cursor())
    }

    /// The tag that listens to these streams over server-sent events, from the page's cursor on:
    /// one connection for all of them, with no script beyond Turbo's own and no WebSocket.
    ///
    /// The signed names are part of the address, and so of the logs of proxies. Where that matters
    /// let them expire ([`Builder::stream_lifetime`](crate::Builder::stream_lifetime)).
    ///
    /// ```
    /// # use forebay_core as forebay;
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
        self.0.forebay.event_source(streams, self.page_cursor(), self.paths())
    }

    /// What makes the cursors of this page's tags, for those that are not made here.
    ///
    /// A tag's cursor is good with its own signed name only, so that an old page's name and a new
    /// page's cursor are no new page. It follows the name behind a dot ([`StreamSource::cursor`]). What
    /// makes cursors must not be rendered itself.
    ///
    /// ```
    /// # use forebay_core as forebay;
    /// use forebay::signing::Subject;
    ///
    /// # fn show(turbo: forebay::Turbo) -> String {
    /// // For `consumer.subscriptions.create({ channel: "DocumentChannel", id: 7, cursor })`.
    /// turbo.page_cursor().cursor_for(Subject::Channel)
    /// # }
    /// ```
    pub fn page_cursor(&self) -> &PageCursor {
        self.0.cursor.get_or_init(|| self.make_cursor())
    }

    /// Begins a broadcast on behalf of this request. Its page ignores the refreshes that it causes.
    pub fn broadcast(&self) -> Broadcaster {
        let core = Arc::clone(&self.0.forebay.core);
        Broadcaster::new(core, self.0.request_id.clone()).asked_by(self.0.asker.clone())
    }

    // --- the answer ---------------------------------------------------------------------------

    /// Names the request in its answer: `forebay.js` tells by that which of its own requests have been
    /// answered.
    pub fn mark(&self, answer: &mut HeaderMap) {
        let id = self.request_id().and_then(|id| HeaderValue::from_str(id).ok());
        if let Some(id) = id {
            answer.insert(turbo_http::REQUEST_ID, id);
        }
    }

    /// The usual answer to a form: stream tags for Turbo, or else what a browser without it gets,
    /// a redirect mostly.
    ///
    /// Tags whose target finds nothing ([`Target::check`](crate::Target::check)) are not sent: the
    /// answer is a 500, and the log names the target.
    pub fn respond<B: From<String>>(
        &self,
        streams: impl Into<TurboStreams>,
        otherwise: impl FnOnce() -> Response<B>,
    ) -> Response<B> {
        let answer =
            if self.accepts_stream() { tags(StatusCode::OK, &streams.into()) } else { otherwise() };
        vary(answer, header::ACCEPT)
    }

    /// The answer to a form that has errors, 422: stream tags that show them, for Turbo. The rest of
    /// the page stays as it is, its stream sources too. `otherwise` is what a browser without
    /// Turbo gets: the whole page again, mostly, whose status becomes 422 as well.
    ///
    /// A form in a `<turbo-frame>` needs no tags: [`invalid`](Self::invalid).
    pub fn respond_invalid<B: From<String>>(
        &self,
        streams: impl Into<TurboStreams>,
        otherwise: impl FnOnce() -> Response<B>,
    ) -> Response<B> {
        let mut answer = if self.accepts_stream() {
            tags(StatusCode::UNPROCESSABLE_ENTITY, &streams.into())
        } else {
            otherwise()
        };
        if answer.status() == StatusCode::OK {
            *answer.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        }
        vary(answer, header::ACCEPT)
    }

    /// A page, or the part of one that a frame asked for.
    ///
    /// # Errors
    /// [`RenderError`] if the template fails.
    pub fn page<B, E>(&self, page: &impl Render<E>) -> Result<Response<B>, RenderError>
    where
        B: From<String>,
    {
        Ok(page_with_status(StatusCode::OK, page.to_html()?))
    }

    /// A form that has errors, rendered again: Turbo shows it only with a status that says so, 422.
    ///
    /// Inside a `<turbo-frame>` this is the frame with the form in it. **Outside of one it has to be
    /// the whole page**: Turbo replaces the page's body by it, stream sources and all. To exchange the
    /// form alone: [`respond_invalid`](Self::respond_invalid).
    ///
    /// # Errors
    /// [`RenderError`] if the template fails.
    pub fn invalid<B, E>(&self, page: &impl Render<E>) -> Result<Response<B>, RenderError>
    where
        B: From<String>,
    {
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
    /// method was. An address that no header can have is a 500, and in the log.
    pub fn redirect<B: From<String>>(&self, to: &str) -> Response<B> {
        match HeaderValue::from_str(to) {
            Ok(to) => with(StatusCode::SEE_OTHER, header::LOCATION, to, String::new()),
            Err(error) => {
                tracing::error!(%error, to, "a redirect has no address");
                internal_error()
            }
        }
    }
}

fn page_with_status<B: From<String>>(status: StatusCode, html: Html) -> Response<B> {
    let content_type = HeaderValue::from_static("text/html; charset=utf-8");
    let answer = with(status, header::CONTENT_TYPE, content_type, html.into_string());
    // The same address may give a frame less than the whole page.
    vary(answer, HeaderName::from_static(turbo_http::TURBO_FRAME))
}

fn tags<B: From<String>>(status: StatusCode, streams: &TurboStreams) -> Response<B> {
    if let Err(error) = streams.check() {
        tracing::error!(%error, "an answer of stream tags is not sent");
        return internal_error();
    }
    let content_type = HeaderValue::from_static(turbo_http::CONTENT_TYPE);
    with(status, header::CONTENT_TYPE, content_type, streams.to_string())
}

fn with<B: From<String>>(
    status: StatusCode,
    name: HeaderName,
    value: HeaderValue,
    body: String,
) -> Response<B> {
    let mut answer = Response::new(B::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(name, value);
    answer
}

fn internal_error<B: From<String>>() -> Response<B> {
    let mut answer = Response::new(B::from(String::new()));
    *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    answer
}

/// Whether this is a page rather than a part of one, as far as one can tell without parsing it.
fn is_document(html: &str) -> bool {
    let has = |tag: &str| {
        html.as_bytes().windows(tag.len()).any(|part| part.eq_ignore_ascii_case(tag.as_bytes()))
    };
    has("<html") || has("<body") || has("<!doctype")
}

fn vary<B>(mut answer: Response<B>, header: HeaderName) -> Response<B> {
    answer.headers_mut().append(header::VARY, header.into());
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turbo(headers: &[(&'static str, &'static str)]) -> Turbo {
        let forebay = Forebay::builder().secret("a secret for tests").build().unwrap();
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        forebay.begin_request(&headers.collect(), None)
    }

    #[test]
    fn a_redirect_to_no_address_is_an_error() {
        let check = |to: &str, expected| {
            assert_eq!(turbo(&[]).redirect::<String>(to).status(), expected, "{to:?}");
        };
        check("/rooms/1", StatusCode::SEE_OTHER);
        check("/rooms/1\nset-cookie: a=b", StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[test]
    fn an_answer_names_its_request() {
        let mark = |id: &'static str| {
            let mut answer = HeaderMap::new();
            turbo(&[("x-turbo-request-id", id)]).mark(&mut answer);
            answer.get(turbo_http::REQUEST_ID).map(|id| id.to_str().unwrap().to_owned())
        };
        assert_eq!(mark("1-2-3").as_deref(), Some("1-2-3"));
        let long = Box::leak("x".repeat(REQUEST_ID_BYTES_MAX + 1).into_boxed_str());
        assert_eq!(mark(long), None);
        let mut answer = HeaderMap::new();
        turbo(&[]).mark(&mut answer);
        assert!(answer.is_empty());
    }
}
