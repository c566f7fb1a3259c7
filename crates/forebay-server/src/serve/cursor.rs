//! `GET /_cursor`: where the log stood when the request came, for a page that the application is about to
//! render. It is what makes the cursors of the page's tags.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::get;
use forebay::{Forebay, Turbo};

use super::access::Denied;
use super::publishers::Publishers;

/// The route.
pub(super) fn route(path: &str, publishers: Publishers, forebay: &Forebay) -> Router {
    Router::new().route(path, get(cursor).layer(forebay.layer())).with_state(publishers)
}

async fn cursor(
    State(publishers): State<Publishers>,
    turbo: Turbo,
    request: Request,
) -> Result<impl IntoResponse, Denied> {
    publishers.check(&request)?;
    let fresh = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(([fresh], turbo.page_cursor().as_str().to_owned()))
}
