//! The middleware that takes the cursor: before the application reads any data.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::extract::NestedPath;
use axum::http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;
use tracing::Span;

use crate::extract::Turbo;
use crate::handle::Forebay;

/// Adds [`Turbo`] to every request. See [`Forebay::layer`].
#[derive(Clone, Debug)]
pub struct ForebayLayer {
    forebay: Forebay,
    /// Another Forebay's layer is around this one; said once.
    is_inside_another: Arc<AtomicBool>,
}

impl ForebayLayer {
    pub(crate) fn new(forebay: Forebay) -> Self {
        Self { forebay, is_inside_another: Arc::default() }
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
        turbo: Option<forebay_core::Turbo>,
        // Broadcasts and deliveries lead back to it.
        span: Span,
    }
}

impl<F, R, E> Future for ForebayFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = this.span.enter();
        let mut response = ready!(this.inner.poll(cx))?;
        if let Some(turbo) = this.turbo.take() {
            turbo.mark(response.headers_mut());
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
            if outer.forebay().is_same(&self.layer.forebay) {
                // The same Forebay's, once more: the outer one has looked earlier, and that is right.
                let (inner, span) = (self.inner.call(request), Span::none());
                return ForebayFuture { inner, turbo: None, span };
            }
            self.layer.report(outer.forebay());
        }
        // First of all: a change that is committed from here on has a larger offset.
        let nested = request.extensions().get::<NestedPath>();
        let nested = nested.map(NestedPath::as_str);
        let turbo = self.layer.forebay.begin_request(request.headers(), nested);
        request.extensions_mut().insert(Turbo::new(self.layer.forebay.clone(), turbo.clone()));
        let span = tracing::debug_span!(
            target: "forebay::requests", "request", request_id = turbo.request_id(), cursor = %turbo.position()
        );
        ForebayFuture { inner: self.inner.call(request), turbo: Some(turbo), span }
    }
}
