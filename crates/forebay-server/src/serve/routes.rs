//! The addresses of the server.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use forebay_core::{Ends, Forebay};

use super::admin::{self, Admin};
use super::answer::answer;
use super::cable;
use super::config::Config;
use super::cursor;
use super::disconnects::Disconnects;
use super::identity::IdentityHeader;
use super::ingest::{self, Ingest};
use super::life::Life;
use super::metrics;
use super::places::Visitors;
use super::presence;
use super::publishers::Publishers;

/// The routes of each listener.
pub(super) struct Routes {
    pub(super) main: Router,
    /// Those for publishers, where they have a listener of their own.
    pub(super) publishers: Option<Router>,
}

pub(super) fn all(config: &Config, forebay: &Forebay, life: &Life) -> Routes {
    let mut main =
        named(pages(forebay, config.sizes.connections_max), config.identity_header.clone())
            .merge(admin::probes(&config.paths, forebay, life));
    let mut own = None;
    if config.publishers.is_some() {
        own = Some(publishers(config, forebay).fallback(nothing_here));
    } else {
        main = main.merge(publishers(config, forebay));
    }
    Routes { main: main.fallback(nothing_here), publishers: own }
}

/// What those use who may publish.
fn publishers(config: &Config, forebay: &Forebay) -> Router {
    let forebay = forebay.clone();
    let publishers = Publishers {
        access: Arc::new(config.access.clone()),
        body_bytes_max: config.sizes.body_bytes_max,
    };
    let disconnects =
        Disconnects { forebay: forebay.clone(), has_identities: config.identity_header.is_some() };
    let ingest = Ingest { forebay: forebay.clone(), disconnects: disconnects.clone() };
    ingest::route(&config.paths.broadcast, publishers.clone(), ingest)
        .merge(metrics::route(&config.metrics, &forebay))
        .merge(cursor::route(&config.paths.cursor, publishers.clone(), &forebay))
        .merge(presence::routes(
            &config.paths,
            &forebay,
            publishers.clone(),
            config.api_access.clone(),
        ))
        .merge(admin::routes(&config.paths, Admin { forebay, publishers, disconnects }))
}

/// The cable, for as many visitors as there is room for.
fn pages(forebay: &Forebay, connections_max: usize) -> Router {
    let visitors = Visitors::new(forebay.clone(), connections_max);
    cable::routes(forebay).layer(middleware::from_fn(move |request: Request, next: Next| {
        let admitted = visitors.admit(&request);
        async move {
            match admitted {
                Ok(_poll) => next.run(request).await,
                Err(turned_away) => turned_away.into_response(),
            }
        }
    }))
}

/// The pages' routes, which refuse requests whose visitor is not named clearly.
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

async fn nothing_here() -> Response {
    answer(StatusCode::NOT_FOUND, "nothing here; `forebay serve --print-config` shows the paths")
}
