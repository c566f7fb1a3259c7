//! Whether the process works, and whether it wants visitors.

use axum::http::StatusCode;
use axum::response::Response;
use forebay_core::Forebay;

use crate::serve::answer::answer;
use crate::serve::life::Life;

pub(super) fn health(forebay: &Forebay) -> Response {
    state(forebay, "ok")
}

pub(super) fn ready(life: &Life, forebay: &Forebay) -> Response {
    if life.is_ready() {
        state(forebay, "ready")
    } else {
        answer(StatusCode::SERVICE_UNAVAILABLE, "shutting down")
    }
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
