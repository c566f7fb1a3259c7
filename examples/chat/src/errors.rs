//! What a handler can fail with, and the page that says so.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

pub(crate) enum Failure {
    /// There is no such thing, or it is gone.
    NotFound,
    /// Ours: the visitor learns only that, the log everything.
    Internal(anyhow::Error),
}

/// So that `?` works on the errors of the database and of Forebay alike.
impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Internal(error.into())
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    status: u16,
    title: &'static str,
    detail: &'static str,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, title, detail) = match self {
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "Not found",
                "There is nothing here; perhaps it was deleted.",
            ),
            Self::Internal(error) => {
                tracing::error!(error = format!("{error:#}"), "request failed");
                let detail = "That is the demo’s fault; its log says why.";
                (StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong", detail)
            }
        };
        let page = ErrorPage { status: status.as_u16(), title, detail };
        (status, page.render().map(Html).map_err(|error| error.to_string())).into_response()
    }
}
