//! The addresses of the server.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use forebay::{Ends, Forebay, Turbo};

use super::access::Denied;
use super::broadcasts::{self, Broadcasts};
use super::config::Config;
use super::identity::IdentityHeader;
use super::life::Life;
use super::places::Visitors;

/// The routes of each listener.
pub(super) struct Routes {
    pub(super) main: Router,
    /// Those for publishers, where they have a listener of their own.
    pub(super) broadcasts: Option<Router>,
}

pub(super) fn all(config: &Config, forebay: &Forebay, life: &Life) -> Routes {
    let paths = &config.paths;
    let broadcasts = Arc::new(Broadcasts {
        forebay: forebay.clone(),
        access: config.access.clone(),
        has_identities: config.identity_header.is_some(),
        body_bytes_max: config.sizes.body_bytes_max,
    });
    let publishers = Router::new()
        .route(&paths.broadcast, any(broadcasts::take))
        .route(&paths.cursor, get(cursor).layer(forebay.layer()))
        .route(&paths.revoke, post(broadcasts::revoke))
        .route(&paths.readmit, post(broadcasts::readmit))
        .route(&paths.disconnect, post(broadcasts::disconnect))
        .route(&paths.gap, post(broadcasts::gap))
        .with_state(broadcasts);
    let life = life.clone();
    let (healthy, served) = (forebay.clone(), forebay.clone());
    let mut main =
        named(pages(forebay, config.sizes.connections_max), config.identity_header.clone())
            .route(&paths.health, get(async move || state(&healthy, "ok")))
            .route(&paths.ready, get(async move || ready(&life, &served)));
    let mut own = None;
    if config.publishers.is_some() {
        own = Some(publishers.fallback(nothing_here));
    } else {
        main = main.merge(publishers);
    }
    Routes { main: main.fallback(nothing_here), broadcasts: own }
}

/// The cable, for as many visitors as there is room for.
fn pages(forebay: &Forebay, connections_max: usize) -> Router {
    let visitors = Visitors::new(forebay.clone(), connections_max);
    forebay.routes().layer(middleware::from_fn(move |request: Request, next: Next| {
        let admitted = visitors.admit(&request);
        async move {
            match admitted {
                Ok(_poll) => next.run(request).await,
                Err(turned_away) => turned_away.into_response(),
            }
        }
    }))
}

/// The same, for visitors whose names are clear.
fn named(pages: Router, header: Option<IdentityHeader>) -> Router {
    let Some(header) = header else { return pages };
    pages.layer(middleware::from_fn(move |request: Request, next: Next| {
        let peer = request.extensions().get::<Ends>().map(|ends| ends.peer);
        let checked = header.check(request.headers(), peer);
        async move {
            match checked {
                Ok(()) => next.run(request).await,
                Err(unclear) => answer(StatusCode::BAD_REQUEST, unclear),
            }
        }
    }))
}

/// A full disk is said, and is no other status: pages can still be served, and only a broadcast that is
/// posted can find out that there is room again.
fn state(forebay: &Forebay, word: &str) -> Response {
    match forebay.trouble() {
        None => answer(StatusCode::OK, word),
        Some(trouble) => answer(
            StatusCode::OK,
            format_args!("{word}, but the last broadcast was not taken: {trouble}"),
        ),
    }
}

fn ready(life: &Life, forebay: &Forebay) -> Response {
    if life.is_ready() {
        state(forebay, "ready")
    } else {
        answer(StatusCode::SERVICE_UNAVAILABLE, "shutting down")
    }
}

/// Where the log stood when the request came, for a page that the application is about to render: what
/// makes the cursors of its tags.
async fn cursor(
    State(broadcasts): State<Arc<Broadcasts>>,
    turbo: Turbo,
    request: Request,
) -> Result<impl IntoResponse, Denied> {
    broadcasts.access.check_request(&request)?;
    let fresh = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(([fresh], turbo.page_cursor().as_str().to_owned()))
}

async fn nothing_here() -> Response {
    answer(StatusCode::NOT_FOUND, "nothing here; `forebay serve --print-config` shows the paths")
}

/// A status and a line that says why.
pub(super) fn answer(status: StatusCode, why: impl std::fmt::Display) -> Response {
    (status, format!("{why}\n")).into_response()
}
