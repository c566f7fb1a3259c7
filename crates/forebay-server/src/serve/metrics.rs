//! `GET /metrics`: what Prometheus asks for.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::get;
use forebay_core::{Forebay, METRICS_CONTENT_TYPE, MetricsNames};

use super::access::{Access, Denied};

/// Where metrics are, for whom, and by whose names.
#[derive(Clone)]
pub(super) struct Metrics {
    pub(super) path: String,
    /// Who may broadcast, and who shows the metrics' own key.
    pub(super) access: Access,
    pub(super) names: MetricsNames,
}

/// What the process may open, by the name that Prometheus' own libraries have for it.
fn open_files() -> String {
    let max = super::http::open_files_limit();
    format!(
        "# HELP process_max_fds Open files that the process may have.\n\
         # TYPE process_max_fds gauge\nprocess_max_fds {max}\n"
    )
}

/// The route.
pub(super) fn route(metrics: &Metrics, forebay: &Forebay) -> Router {
    Router::new().route(&metrics.path, get(text)).with_state((metrics.clone(), forebay.clone()))
}

async fn text(
    State((metrics, forebay)): State<(Metrics, Forebay)>,
    request: Request,
) -> Result<impl IntoResponse, Denied> {
    metrics.access.check_request(&request)?;
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static(METRICS_CONTENT_TYPE));
    let fresh = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(([kind, fresh], forebay.metrics(metrics.names) + &open_files()))
}
