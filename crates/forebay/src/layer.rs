//! The middleware that takes the cursor: before the application reads any data.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use axum::extract::NestedPath;
use axum::http::{HeaderValue, Request, Response, header};
use forebay_turbo::http as turbo_http;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::app::Forebay;
use crate::page::{PageRequest, Turbo};

/// Request ids longer than this are ignored. Turbo's are UUIDs of 36 characters.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Adds [`Turbo`] to every request. See [`Forebay::layer`].
#[derive(Clone, Debug)]
pub struct ForebayLayer {
    forebay: Forebay,
    pages: Arc<PageIds>,
    /// Another Forebay's layer is around this one; said once.
    is_inside_another: Arc<AtomicBool>,
}

impl ForebayLayer {
    pub(crate) fn new(forebay: Forebay) -> Self {
        let is_inside_another = Arc::default();
        Self { forebay, pages: Arc::new(PageIds::new()), is_inside_another }
    }

    /// Says that this layer takes the place of another Forebay's. It is the handler's nearest, so it
    /// may be meant; but what the other broadcasts reaches no page that is rendered here.
    fn report(&self, outer: &Forebay) {
        if !self.is_inside_another.swap(true, Ordering::Relaxed) {
            tracing::error!(
                inner = ?self.forebay,
                ?outer,
                "two Forebays' layers are around one handler: it gets the inner one's `Turbo`, and \
                 what the outer one broadcasts reaches none of its pages; build one Forebay and \
                 clone it"
            );
        }
    }
}

impl<S> Layer<S> for ForebayLayer {
    type Service = ForebayService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ForebayService { inner, layer: self.clone() }
    }
}

/// The service that [`ForebayLayer`] makes.
#[derive(Clone, Debug)]
pub struct ForebayService<S> {
    inner: S,
    layer: ForebayLayer,
}

pin_project! {
    /// The service's answer, which names the request that it answers: `forebay.js` tells by that which
    /// of its own requests have been answered.
    #[derive(Debug)]
    pub struct ForebayFuture<F> {
        #[pin]
        inner: F,
        request_id: Option<HeaderValue>,
    }
}

impl<F, R, E> Future for ForebayFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        if let Some(id) = this.request_id.take() {
            response.headers_mut().insert(turbo_http::REQUEST_ID, id);
        }
        Poll::Ready(Ok(response))
    }
}

impl<S, B, R> Service<Request<B>> for ForebayService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ForebayFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if let Some(outer) = request.extensions().get::<Turbo>() {
            if outer.forebay().is(&self.layer.forebay) {
                // The same Forebay's, once more: the outer one has looked earlier, and that is right.
                return ForebayFuture { inner: self.inner.call(request), request_id: None };
            }
            self.layer.report(outer.forebay());
        }
        // First of all: a change that is committed from here on has a larger offset.
        let position = self.layer.forebay.position();
        let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let short = |text: &&str| text.len() <= REQUEST_ID_BYTES_MAX;
        let page = PageRequest {
            position,
            page: self.layer.pages.next(),
            request_id: text(turbo_http::REQUEST_ID).filter(short).map(Arc::from),
            frame: text(turbo_http::TURBO_FRAME).map(Arc::from),
            accepts_stream: text(header::ACCEPT.as_str())
                .is_some_and(turbo_http::accepts_turbo_stream),
            is_native: text(header::USER_AGENT.as_str()).is_some_and(turbo_http::is_native_app),
            nested: request.extensions().get::<NestedPath>().cloned(),
        };
        let turbo = Turbo::new(self.layer.forebay.clone(), page);
        let request_id = request.headers().get(turbo_http::REQUEST_ID).cloned();
        let request_id = request_id.filter(|id| id.len() <= REQUEST_ID_BYTES_MAX);
        request.extensions_mut().insert(turbo);
        ForebayFuture { inner: self.inner.call(request), request_id }
    }
}

/// Page ids: unique in practice over all processes, not secret (the cursor's signature covers
/// them). A random start and an odd step visit every value once before any comes back.
#[derive(Debug)]
struct PageIds(AtomicU64);

impl PageIds {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    fn new() -> Self {
        Self(AtomicU64::new(getrandom::u64().expect("the operating system gives random numbers")))
    }

    fn next(&self) -> u64 {
        self.0.fetch_add(Self::STEP, Ordering::Relaxed)
    }
}
