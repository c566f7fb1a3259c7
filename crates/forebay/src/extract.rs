//! [`Turbo`]: what a handler knows of its request, and how it answers.

use std::convert::Infallible;
use std::ops::Deref;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use forebay_core::{Render, TurboStreams};
use http::StatusCode;
use http::request::Parts;

use crate::error::Error;
use crate::handle::Forebay;

/// The extractor: the request as Turbo made it, the page's cursor, and the answers that Turbo
/// expects. Cheap to clone, so that a template can own one.
///
/// What it knows of the request, its tags and its broadcasts are methods of [`forebay_core::Turbo`],
/// which this dereferences to.
#[derive(Clone, Debug)]
pub struct Turbo {
    forebay: Forebay,
    request: forebay_core::Turbo,
}

impl Turbo {
    pub(crate) fn new(forebay: Forebay, request: forebay_core::Turbo) -> Self {
        Self { forebay, request }
    }

    /// The application's Forebay.
    pub fn forebay(&self) -> &Forebay {
        &self.forebay
    }

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
        self.request.respond(streams, || otherwise().into_response())
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
        self.request.respond_invalid(streams, || otherwise().into_response())
    }

    /// A page, or the part of one that a frame asked for.
    ///
    /// # Errors
    /// [`Error::Render`] if the template fails.
    pub fn page<E>(&self, page: &impl Render<E>) -> Result<Response, Error> {
        Ok(self.request.page(page)?)
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
        Ok(self.request.invalid(page)?)
    }

    /// Elsewhere after a form: 303, so that the browser asks for it with GET whatever the form's
    /// method was.
    pub fn redirect(&self, to: &str) -> Response {
        self.request.redirect(to)
    }
}

impl Deref for Turbo {
    type Target = forebay_core::Turbo;

    fn deref(&self) -> &Self::Target {
        &self.request
    }
}

/// The router lacks [`Forebay::layer`], so there is no cursor to take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "Turbo needs the layer: give the whole router to forebay.mount(router), or add \
     .layer(forebay.layer()) to it, last"
)]
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
