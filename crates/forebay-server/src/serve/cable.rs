//! The addresses that pages ask, and the connections that requests become.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::any;
use forebay_core::{Address, Admission, Forebay, Reply};
use parking_lot::Mutex;

/// The way of a WebSocket from the request that it was to the task that has its socket. Each request that
/// asks for one has it in its extensions.
#[derive(Clone, Debug, Default)]
pub(super) struct Handover(Arc<Mutex<Option<Admission>>>);

impl Handover {
    pub(super) fn take(&self) -> Option<Admission> {
        self.0.lock().take()
    }
}

/// The addresses' routes.
pub(super) fn routes(forebay: &Forebay) -> Router {
    forebay.addresses().into_iter().fold(Router::new(), |router, (path, address)| {
        let forebay = forebay.clone();
        router.route(&path, any(move |request| answer(forebay, address, request)))
    })
}

async fn answer(forebay: Forebay, address: Address, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match forebay.admit(address, &parts, body).await {
        Reply::Answer(answer) => answer.map(Body::new),
        Reply::Connection(answer, admission) => match parts.extensions.get::<Handover>() {
            Some(handover) => {
                *handover.0.lock() = Some(admission);
                answer.map(|()| Body::empty())
            }
            None => forebay.not_upgradable(&parts).map(Body::new),
        },
    }
}
