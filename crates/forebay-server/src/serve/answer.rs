//! Answers in a line of text, and how much of the log's troubles they say.

use std::fmt::Display;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use forebay_core::BroadcastError;

/// A status and a line that says why.
pub(super) fn answer(status: StatusCode, why: impl Display) -> Response {
    (status, format!("{why}\n")).into_response()
}

/// Where the log does not take something.
pub(super) fn not_taken(error: &BroadcastError) -> StatusCode {
    match error {
        BroadcastError::TooBig { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        BroadcastError::NotTaken(error) if error.is_full() => StatusCode::INSUFFICIENT_STORAGE,
        BroadcastError::NotTaken(_) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}
