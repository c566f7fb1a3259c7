//! The routes that clients connect to.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::{IntoResponse, Response};
use forebay_hub::Refusal;
use forebay_transport::{Denial, Ends, ExchangeError};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::app::Forebay;
use crate::bodies::{BodyError, Text};
use crate::channel::{Connect, ConnectError, Identity};

/// `/cable`: a WebSocket.
pub(crate) async fn connect(forebay: Forebay, request: Request) -> Response {
    let (mut parts, _) = into_parts(request);
    let identity = identify(&forebay, &parts).await;
    match forebay.edge.endpoint.connect(&mut parts, identity) {
        Ok(response) => response.map(|()| Body::empty()),
        Err(error) => error.into_response().map(Body::from).into_response(),
    }
}

/// `/forebay/events`: server-sent events, for a script (POST) or for `EventSource` (GET).
pub(crate) async fn events(forebay: Forebay, request: Request) -> Response {
    let (parts, body) = into_parts(request);
    let endpoint = &forebay.edge.endpoint;
    let response = match parts.method {
        Method::GET => {
            let identity = identify(&forebay, &parts).await;
            endpoint.source(&parts, identity).map(|response| response.map(Body::new))
        }
        Method::POST => match text(&forebay, &parts, body).await {
            Ok(text) => {
                let identity = identify(&forebay, &parts).await;
                endpoint
                    .events(&parts, identity, text.as_ref())
                    .map(|response| response.map(Body::new))
            }
            Err(refusal) => return share(&forebay, &parts, refusal),
        },
        _ => return share(&forebay, &parts, other_method(&parts, "GET, POST, OPTIONS")),
    };
    let response = response.unwrap_or_else(|error| refused(&parts, error));
    share(&forebay, &parts, response)
}

/// `/forebay/poll`: an answer once there is something to say.
pub(crate) async fn poll(forebay: Forebay, request: Request) -> Response {
    let (parts, body) = into_parts(request);
    if parts.method != Method::POST {
        return share(&forebay, &parts, other_method(&parts, "POST, OPTIONS"));
    }
    let text = match text(&forebay, &parts, body).await {
        Ok(text) => text,
        Err(refusal) => return share(&forebay, &parts, refusal),
    };
    let identity = identify(&forebay, &parts).await;
    let response = forebay.edge.endpoint.poll(&parts, identity, text).await;
    let response = response.map(|response| response.map(Body::from));
    let response = response.unwrap_or_else(|error| refused(&parts, error));
    share(&forebay, &parts, response)
}

/// Our own client, as one module; made of `js/forebay`, whose tests compare it.
pub(crate) const SCRIPT: Script = Script::new(include_str!("../assets/forebay.js"));

/// The shared worker, which holds one connection for several tabs; likewise.
pub(crate) const WORKER: Script = Script::new(include_str!("../assets/worker.js"));

#[derive(Clone, Copy)]
pub(crate) struct Script {
    text: &'static str,
    /// Where this build's script is told from another's: FNV-1a of its text.
    etag: u64,
}

impl Script {
    const fn new(text: &'static str) -> Self {
        let (bytes, mut hash, mut at) = (text.as_bytes(), 0xcbf2_9ce4_8422_2325_u64, 0);
        while at < bytes.len() {
            hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
            at += 1;
        }
        Self { text, etag: hash }
    }

    fn answer(self, headers: &HeaderMap) -> Response {
        let etag = format!("\"{:016x}\"", self.etag);
        let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| *known == *etag);
        let about = [
            (header::CONTENT_TYPE, "text/javascript; charset=utf-8".to_owned()),
            // Asked for again after an hour, at the cost of a 304.
            (header::CACHE_CONTROL, "public, max-age=3600".to_owned()),
            (header::ETAG, etag),
        ];
        if known {
            (StatusCode::NOT_MODIFIED, about).into_response()
        } else {
            (about, self.text).into_response()
        }
    }
}

/// A script, also for pages of another origin that is let in: browsers load modules only so.
pub(crate) fn file(forebay: &Forebay, script: Script, request: Request) -> Response {
    let (parts, _) = into_parts(request);
    share(forebay, &parts, script.answer(&parts.headers))
}

/// The request, with what its server knows of its connection. Servers of axum's say who the peer is if
/// they are asked to ([`into_make_service_with_connect_info`]).
///
/// [`into_make_service_with_connect_info`]: axum::Router::into_make_service_with_connect_info
fn into_parts(request: Request) -> (Parts, Body) {
    let (mut parts, body) = request.into_parts();
    if let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() {
        let ends = Ends { peer: *peer, local: None };
        parts.extensions.get_or_insert_with(|| ends);
    }
    (parts, body)
}

/// Who asks, or why the application does not let them in. A foreign page is refused before the
/// application is asked about its visitor's cookies.
async fn identify(forebay: &Forebay, parts: &Parts) -> Result<Identity, Denial> {
    match &forebay.edge.connect {
        Some(hook) if forebay.edge.endpoint.check(parts).is_ok() => ask(hook, parts).await,
        _ => Ok(Identity::anonymous()),
    }
}

/// A hook that panics has not said who it is, and not that they may never come back.
async fn ask(hook: &Connect, parts: &Parts) -> Result<Identity, Denial> {
    let panicked = || Denial::NotNow("the connect hook has panicked".to_owned());
    // The hook's state is the application's: what a panic does to it, it does without us, too.
    let mut asked = catch_unwind(AssertUnwindSafe(|| hook(parts))).map_err(|_| panicked())?;
    let answer = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| asked.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(answer)) => Poll::Ready(Ok(answer)),
        Err(_) => Poll::Ready(Err(panicked())),
    });
    answer.await?.map_err(|error| match error {
        ConnectError::Unauthorized => Denial::Never,
        ConnectError::Unavailable(why) => Denial::NotNow(why.to_string()),
    })
}

/// What a request says. A stranger's body is not waited for.
async fn text(forebay: &Forebay, parts: &Parts, body: Body) -> Result<Text, Response> {
    let endpoint = &forebay.edge.endpoint;
    endpoint.expects(parts).map_err(|error| refused(parts, error))?;
    forebay.edge.bodies.read(body, endpoint.body_bytes_max()).await.map_err(|error| {
        endpoint.refuse(parts, Refusal::Request, error);
        let mut response = (error.status(), format!("{error}\n")).into_response();
        let headers = response.headers_mut();
        // What is left of it is not read.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        if error == BodyError::Full {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    })
}

fn refused(parts: &Parts, error: ExchangeError) -> Response {
    error.into_response(parts).map(Body::from)
}

/// A preflight, or a method that this address does not have.
fn other_method(parts: &Parts, allowed: &'static str) -> Response {
    if parts.method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    let allow = [(header::ALLOW, HeaderValue::from_static(allowed))];
    (StatusCode::METHOD_NOT_ALLOWED, allow).into_response()
}

fn share(forebay: &Forebay, parts: &Parts, mut response: Response) -> Response {
    forebay.edge.endpoint.share(parts, response.headers_mut());
    response
}
