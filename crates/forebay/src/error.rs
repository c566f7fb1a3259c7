//! What a handler can return with `?`.

use axum::response::{IntoResponse, Response};
use forebay_core::{BroadcastError, PresenceError, RenderError, StreamNameError};
use http::StatusCode;

/// Anything of Forebay's that can fail inside a handler. As a response it is a 500 that tells the
/// client nothing, and an error in the log that tells all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A template failed.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Something does not name a stream.
    #[error(transparent)]
    StreamName(#[from] StreamNameError),
    /// A broadcast could not be made.
    #[error(transparent)]
    Broadcast(#[from] BroadcastError),
    /// There is no presence tag, or a member could not be changed.
    #[error(transparent)]
    Presence(#[from] PresenceError),
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        // As an error, and not as its text: so the log shows what it comes from, too.
        tracing::error!(error = &self as &dyn std::error::Error, "request failed");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
