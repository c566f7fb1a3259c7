//! The inspector at `/forebay/inspect`: what was recorded of broadcasts and pages, for people.
//!
//! All views have one address and differ in its query, so that an edge has one more path to route. Each is
//! rendered whole. What changes in it stands in elements with `data-live`, which the page's script fetches again
//! when the inspector's stream says that something has happened ([`live`]). Lists are of all nodes that have this log
//! ([`nodes`]). It only reads, and shows messages
//! only where the application has said so.

mod broadcast;
mod broadcasts;
mod counters;
mod layout;
mod live;
mod nodes;
mod page;
mod pages;
mod query;
mod streams;
mod way;
mod words;

use forebay_hub::Inspection;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};

pub(crate) use self::live::Live;
use self::nodes::Nodes;
use self::query::View;
use crate::addresses::Body;
use crate::app::Forebay;

/// Nothing from elsewhere, and no script but ours: what is shown was written by strangers.
const POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self' ws: wss:; \
                      style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'self'";

/// The view that a request asks for. Whether it may is asked before.
pub(crate) async fn answer(
    forebay: &Forebay,
    inspection: &Inspection,
    request: &Parts,
) -> Response<Body> {
    let mut answer = Response::new(Body::default());
    if !matches!(request.method, Method::GET | Method::HEAD) {
        *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    forebay.edge.live.follow(&forebay.core);
    let view = View::of(request.uri.query().unwrap_or_default());
    let nodes = Nodes::new(forebay, inspection);
    let content = match &view {
        View::Broadcasts(filter) => broadcasts::view(nodes, filter).await,
        View::Broadcast { node, id, page } => {
            broadcast::view(nodes, node.as_deref(), *id, page.as_deref()).await
        }
        View::Pages(filter) => pages::view(nodes, filter).await,
        View::Page(id) => page::view(nodes, id).await,
        View::Streams(filter) => streams::view(nodes, filter).await,
        View::Counters => counters::view(forebay),
    };
    let html = layout::page(forebay, inspection, &view, &content);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    *answer.body_mut() = html.into_string().into();
    answer
}

#[cfg(test)]
mod tests;
