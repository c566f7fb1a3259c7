//! The application under test, as a visitor's browser sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use forebay_core::signing::Subject;
use forebay_core::{Forebay, StreamName};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use hyper::body::Incoming;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

use crate::connect::{self, BoxError, Connect};
use crate::page::TestPage;

/// Where the application is, for its pages.
const HOST: &str = "forebay.test";

/// Redirects that are followed before it is a circle. Browsers take 20.
const REDIRECTS_MAX: usize = 20;

/// What Turbo says that it takes, for a form and for everything else.
const ACCEPT_STREAMS: &str = "text/vnd.turbo-stream.html, text/html, application/xhtml+xml";
const ACCEPT: &str = "text/html, application/xhtml+xml";

/// What the names of marks begin with.
pub(crate) const MARKS: &str = "forebay-test-";

/// In a mark's JSON: its number.
const MARK: &str = "forebay-test-mark";

/// An application, and one visitor of it. Clones are the same visitor, with the same cookies.
///
/// ```
/// # fn router() -> (forebay::Forebay, axum::Router) {
/// #     let forebay = forebay::Forebay::builder().secret("a secret for tests").build().unwrap();
/// #     let router = forebay.mount(axum::Router::new());
/// #     (forebay, router)
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use forebay_test::TestApp;
///
/// let (forebay, router) = router();
/// let app = TestApp::new(&forebay, router).header("cookie", "session=of-alice");
/// # drop(app);
/// # }
/// ```
#[derive(Clone)]
pub struct TestApp {
    pub(crate) forebay: Forebay,
    pub(crate) connect: Connect,
    headers: HeaderMap,
    host: String,
    cookies: Arc<Mutex<BTreeMap<String, String>>>,
    pub(crate) actions: BTreeSet<String>,
    marks: Arc<Marks>,
}

/// What tells a page that it has got everything: entries of a stream that only pages of tests read.
struct Marks {
    name: StreamName,
    signed: String,
    last: AtomicU64,
}

/// An answer that was read.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    /// Where it came from in the end.
    pub(crate) path: String,
}

/// What is asked for.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    pub(crate) form: Option<String>,
    pub(crate) frame: Option<&'a str>,
    pub(crate) request_id: Option<&'a str>,
}

impl<'a> Ask<'a> {
    pub(crate) fn get(path: &'a str) -> Self {
        Self { method: Method::GET, path, form: None, frame: None, request_id: None }
    }
}

impl TestApp {
    /// An application that is a service: axum's `Router`, or any other `Service` of HTTP requests. It is
    /// served here, in memory; no port is opened.
    ///
    /// `forebay` is the one that the service was made with.
    pub fn new<S, B>(forebay: &Forebay, service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        Self::of(forebay, connect::in_process(service))
    }

    /// An application that a server of its own serves, as with actix-web: `connect` opens a connection to
    /// it, mostly `TcpStream::connect`.
    pub fn connecting<F, Fut, L>(forebay: &Forebay, connect: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<L>> + Send + 'static,
        L: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self::of(forebay, connect::with(connect))
    }

    fn of(forebay: &Forebay, connect: Connect) -> Self {
        Self {
            forebay: forebay.clone(),
            connect,
            headers: HeaderMap::new(),
            host: HOST.to_owned(),
            cookies: Arc::default(),
            actions: BTreeSet::new(),
            marks: Arc::new(Marks::new(forebay)),
        }
    }

    /// A header of all of the visitor's requests: a cookie, a language, another `Origin`.
    ///
    /// # Panics
    /// If it is no header.
    #[track_caller]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).expect("the name of a header");
        let value = HeaderValue::try_from(value).expect("the value of a header");
        self.headers.insert(name, value);
        self
    }

    /// The host that pages are asked of. Default `forebay.test`.
    pub fn host(self, host: impl Into<String>) -> Self {
        Self { host: host.into(), ..self }
    }

    /// Says that the pages' scripts define this custom action. [`TestPage::events`] has its tags.
    pub fn action(mut self, name: impl Into<String>) -> Self {
        self.actions.insert(name.into());
        self
    }

    /// Another visitor of the same application: none of the headers, and no cookies.
    pub fn visitor(&self) -> Self {
        Self { headers: HeaderMap::new(), cookies: Arc::default(), ..self.clone() }
    }

    /// Opens a page: [`TestPage::open`].
    pub async fn open(&self, path: &str) -> TestPage {
        TestPage::open(self, path).await
    }

    /// Asks, and follows where the answer leads.
    pub(crate) async fn ask(&self, ask: Ask<'_>) -> Result<Answer, BoxError> {
        let mut path = ask.path.to_owned();
        let (mut method, mut form) = (ask.method.clone(), ask.form.clone());
        for _ in 0..=REDIRECTS_MAX {
            let request = self.request(&ask, (&method, &path), form.as_deref())?;
            let answer = connect::send(&self.connect, request).await?;
            let (parts, body) = answer.into_parts();
            self.note_cookies(&parts.headers);
            let body = connect::text(body).await?;
            let location = parts.headers.get(header::LOCATION).and_then(|to| to.to_str().ok());
            match location {
                Some(location) if parts.status.is_redirection() => {
                    path = resolved(&path, location);
                    if !matches!(parts.status.as_u16(), 307 | 308) {
                        (method, form) = (Method::GET, None);
                    }
                }
                _ => {
                    let (status, headers) = (parts.status, parts.headers);
                    return Ok(Answer { status, headers, body, path });
                }
            }
        }
        Err(format!("{REDIRECTS_MAX} redirects, and the last one leads to {path}").into())
    }

    fn request(
        &self,
        ask: &Ask<'_>,
        (method, path): (&Method, &str),
        form: Option<&str>,
    ) -> Result<Request<Full<Bytes>>, BoxError> {
        let takes_streams = ask.method != Method::GET;
        let mut request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header(header::ACCEPT, if takes_streams { ACCEPT_STREAMS } else { ACCEPT });
        if form.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        if let Some(frame) = ask.frame {
            request = request.header("turbo-frame", frame);
        }
        if let Some(id) = ask.request_id {
            request = request.header("x-turbo-request-id", id);
        }
        let body = Full::from(form.unwrap_or_default().to_owned());
        let mut request = request.body(body)?;
        self.add_headers(request.headers_mut());
        Ok(request)
    }

    /// What every request of this visitor has.
    pub(crate) fn add_headers(&self, headers: &mut HeaderMap) {
        let text = |text: &str| HeaderValue::try_from(text).ok();
        headers.extend(text(&self.host).map(|host| (header::HOST, host)));
        headers.extend(text(&format!("http://{}", self.host)).map(|own| (header::ORIGIN, own)));
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
        let cookies: Vec<_> =
            self.cookies.lock().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            let sent = headers.get(header::COOKIE).and_then(|value| value.to_str().ok());
            let all = sent.into_iter().map(str::to_owned).chain(cookies).collect::<Vec<_>>();
            headers.extend(text(&all.join("; ")).map(|all| (header::COOKIE, all)));
        }
    }

    /// Keeps what an answer sets, by name. One that is set to nothing is gone.
    fn note_cookies(&self, headers: &HeaderMap) {
        let mut cookies = self.cookies.lock();
        for cookie in headers.get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().ok().and_then(|text| text.split(';').next());
            match pair.and_then(|pair| pair.split_once('=')) {
                Some((name, "")) => {
                    cookies.remove(name.trim());
                }
                Some((name, value)) => {
                    cookies.insert(name.trim().into(), value.trim().into());
                }
                None => {}
            }
        }
    }

    /// The number of the last broadcast that was recorded.
    pub(crate) fn last_broadcast(&self) -> Option<u64> {
        let last = self.forebay.inspection()?.broadcasts(None, 1, |_| true);
        last.last().map(|broadcast| broadcast.id)
    }

    /// Everything that was broadcast until now is published, also what waits for its turn, for its window
    /// and in the outbox; and behind it a mark. Gives the mark's number.
    pub(crate) async fn mark(&self) -> u64 {
        self.forebay.flush().await;
        let number = self.marks.last.fetch_add(1, Ordering::Relaxed) + 1;
        let mark = json!({ MARK: number });
        let published = self.forebay.broadcast().json_to(&self.marks.name, &mark).ephemeral().await;
        if let Err(error) = published {
            panic!("the application's log takes nothing: {error}");
        }
        number
    }

    /// The number of a mark.
    pub(crate) fn mark_in(message: &Value) -> Option<u64> {
        message.get(MARK)?.as_u64()
    }

    /// The signed name of the stream that marks are in.
    pub(crate) fn marks_name(&self) -> &str {
        &self.marks.signed
    }

    /// The same for an event source, with a cursor of now: its other streams have one.
    pub(crate) fn marks_query(&self) -> String {
        let signed = &self.marks.signed;
        let page = self.forebay.begin_request(&HeaderMap::new(), None);
        let cursor = page.page_cursor().cursor_for(Subject::Signed(signed));
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("stream", signed).append_pair("cursor", &cursor).finish()
    }

    pub(crate) fn websocket_address(&self, path: &str) -> String {
        format!("ws://{}{path}", self.host)
    }
}

impl Marks {
    fn new(forebay: &Forebay) -> Self {
        // In the shared log of several applications under test each has its own.
        static APPS: AtomicU64 = AtomicU64::new(0);
        let number = APPS.fetch_add(1, Ordering::Relaxed);
        let (process, epoch) = (std::process::id(), forebay.position().epoch.0);
        let name = StreamName::raw(format!("{MARKS}{epoch:x}-{process}-{number}"));
        Self { signed: forebay.sign(&name), name, last: AtomicU64::new(0) }
    }
}

impl std::fmt::Debug for TestApp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestApp")
            .field("forebay", &self.forebay)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// Where a link on a page leads, as a path.
pub(crate) fn resolved(base: &str, link: &str) -> String {
    let path = |text: &str| text.split(['?', '#']).next().unwrap_or_default().to_owned();
    let absolute = link
        .split_once("://")
        .map(|(_, rest)| rest.find('/').map_or("/".to_owned(), |slash| rest[slash..].to_owned()));
    let whole = match (absolute, link) {
        (Some(absolute), _) => absolute,
        (None, "") => base.to_owned(),
        (None, link) if link.starts_with('/') => link.to_owned(),
        (None, link) if link.starts_with('?') => format!("{}{link}", path(base)),
        (None, link) if link.starts_with('#') => base.to_owned(),
        (None, link) => {
            let base = path(base);
            let folder = base.rfind('/').map_or("/", |slash| &base[..=slash]);
            format!("{folder}{link}")
        }
    };
    whole.split('#').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::resolved;

    #[test]
    fn links_lead_where_a_browser_goes() {
        let check = |base, link, expected| assert_eq!(resolved(base, link), expected, "{link}");
        check("/rooms/1?a=b", "/x", "/x");
        check("/rooms/1?a=b", "2", "/rooms/2");
        check("/rooms/1?a=b", "?c=d", "/rooms/1?c=d");
        check("/rooms/1?a=b", "", "/rooms/1?a=b");
        check("/rooms/1", "#top", "/rooms/1");
        check("/rooms/1", "http://forebay.test/y?z=1#k", "/y?z=1");
        check("/rooms/1", "https://forebay.test", "/");
    }
}
