//! The WebSocket route.

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};

use crate::app::Forebay;
use crate::channel::Identity;

pub(crate) async fn connect(forebay: Forebay, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let endpoint = &forebay.edge.endpoint;
    // A foreign page is refused before the application is asked about its visitor's cookies.
    let identity = match &forebay.edge.connect {
        Some(hook) if endpoint.allows(&parts) => hook(&parts).await.ok(),
        _ => Some(Identity::anonymous()),
    };
    match endpoint.connect(&mut parts, identity) {
        Ok(response) => response.map(|()| Body::empty()),
        Err(error) => error.into_response().map(Body::from).into_response(),
    }
}
