//! What is asked of the server beside broadcasting: how it is, and whom it is to let in.
//!
//! Probes are for everybody who reaches the pages' listener. The rest is for those who may publish: each
//! is a function of the body that it was sent, which knows nothing of HTTP.

mod connections;
mod gap;
mod health;
mod revocations;

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use forebay_core::raw::excerpt;
use forebay_core::{BroadcastError, Ends, Forebay};

use super::answer::{answer, not_taken};
use super::config::Paths;
use super::disconnects::{Disconnects, Nameless};
use super::life::Life;
use super::publishers::Publishers;

/// What the routes work with.
pub(super) struct Admin {
    pub(super) forebay: Forebay,
    pub(super) publishers: Publishers,
    pub(super) disconnects: Disconnects,
}

/// The routes for those who may publish.
pub(super) fn routes(paths: &Paths, admin: Admin) -> Router {
    Router::new()
        .route(&paths.revoke, posted(revocations::revoke))
        .route(&paths.readmit, posted(revocations::readmit))
        .route(&paths.disconnect, posted(connections::disconnect))
        .route(&paths.gap, posted(gap::gap))
        .with_state(Arc::new(admin))
}

/// The routes for load balancers and other watchers.
pub(super) fn probes(paths: &Paths, forebay: &Forebay, life: &Life) -> Router {
    let (life, healthy, ready) = (life.clone(), forebay.clone(), forebay.clone());
    Router::new()
        .route(&paths.health, get(async move || health::health(&healthy)))
        .route(&paths.ready, get(async move || health::ready(&life, &ready)))
}

/// Does what a body asks for.
type Handle = for<'a> fn(&'a Admin, &'a [u8]) -> Handling<'a>;
type Handling<'a> = Pin<Box<dyn Future<Output = Result<(), Refused>> + Send + 'a>>;

/// A route that answers 204, or says and logs why not.
fn posted(handle: Handle) -> MethodRouter<Arc<Admin>> {
    post(async move |State(admin): State<Arc<Admin>>, request: Request| {
        let peer = request.extensions().get::<Ends>().map(|ends| ends.peer);
        let path = request.uri().path().to_owned();
        let body = match admin.publishers.read(request).await {
            Ok(body) => body,
            Err(unread) => return unread.into_response(),
        };
        match handle(&admin, &body).await {
            Ok(()) => StatusCode::NO_CONTENT.into_response(),
            Err(refused) => {
                let (peer, path) = (peer.map(tracing::field::display), excerpt(&path));
                tracing::warn!(peer, path, %refused, "request refused");
                refused.into_response()
            }
        }
    })
}

/// Why a request did nothing.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the body must be a JSON object {0}")]
    Body(Cow<'static, str>),
    #[error(transparent)]
    Nameless(#[from] Nameless),
    #[error(transparent)]
    NotTaken(#[from] BroadcastError),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Body(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Nameless(_) => StatusCode::NOT_IMPLEMENTED,
            Self::NotTaken(error) => not_taken(error),
        };
        answer(status, self)
    }
}
