//! The routes, and the two lines that make them live.

use std::path::Path;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Redirect;
use axum::routing::{get, post};
use forebay::Forebay;
use sqlx::SqlitePool;
use tower_http::services::ServeDir;

use crate::errors::Failure;
use crate::tunnel::{self, Tunnel};
use crate::{board, messages, rooms, statistics, visitors, watchers};

pub(crate) fn router(pool: SqlitePool, forebay: &Forebay, tunnel: Tunnel, public: &Path) -> Router {
    let tunnel = Router::new()
        .route("/tunnel", get(tunnel::show))
        .route("/tunnel/pane", get(tunnel::pane))
        .route("/tunnel/reset", post(tunnel::reset))
        .route("/tunnel/start", post(tunnel::start))
        .route("/tunnel/events/{number}", post(tunnel::publish))
        .route("/tunnel/published", get(tunnel::published))
        .route("/tunnel/fault/{fault}", post(tunnel::fault))
        .with_state(tunnel);
    let asked = forebay.clone();
    let pages = Router::new()
        .route("/ready", get(async move || readiness(&asked)))
        .route("/", get(|| async { Redirect::to("/rooms") }))
        .route("/rooms", get(rooms::index).post(rooms::create))
        .route("/rooms/{id}", get(rooms::show))
        .route("/rooms/{id}/statistics", get(statistics::show))
        .route("/rooms/{id}/messages", post(messages::create))
        .route("/rooms/{id}/typing", post(visitors::typing))
        .route("/side-by-side/{id}", get(rooms::side_by_side))
        .route("/messages/{id}", get(messages::show).post(messages::update))
        .route("/messages/{id}/edit", get(messages::edit))
        .route("/messages/{id}/delete", post(messages::destroy))
        .route("/board", get(board::show))
        .route("/board/watching", post(watchers::watching))
        .route("/board/cards", post(board::create))
        .route("/board/cards/{id}/move", post(board::relocate))
        .route("/board/cards/{id}/delete", post(board::destroy))
        .merge(tunnel)
        .nest_service("/assets", ServeDir::new(public))
        .fallback(|| async { Failure::NotFound });
    // Where the pages' sockets connect, and around all of it the layer that notes where the log stands
    // before a handler reads.
    forebay.mount(pages).with_state(pool)
}

/// For a proxy in front of several nodes: whether this one should get requests.
fn readiness(forebay: &Forebay) -> (StatusCode, String) {
    match forebay.behind() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(behind) => (StatusCode::SERVICE_UNAVAILABLE, format!("{behind:?} behind the log\n")),
    }
}
