//! `GET /_cursor`: where the log stood when the request came, for a page that the application is about to
//! render. It is what makes the cursors of the page's tags.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::get;
use forebay_core::Forebay;

use super::access::Denied;
use super::publishers::Publishers;

/// The route.
pub(super) fn route(path: &str, publishers: Publishers, forebay: &Forebay) -> Router {
    Router::new().route(path, get(cursor)).with_state((publishers, forebay.clone()))
}

async fn cursor(
    State((publishers, forebay)): State<(Publishers, Forebay)>,
    request: Request,
) -> Result<impl IntoResponse, Denied> {
    let turbo = forebay.begin_request(request.headers(), None);
    publishers.check(&request)?;
    let fresh = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(([fresh], turbo.page_cursor().as_str().to_owned()))
}
