//! What joins Forebay to actix-web: a middleware that takes the cursor, an extractor, and the addresses
//! that pages ask. An application copies this file.

use std::future::{Ready, ready};
use std::ops::Deref;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Payload, ServiceConfig};
use actix_web::{
    Error, FromRequest, HttpMessage as _, HttpRequest, HttpResponse, HttpResponseBuilder, error,
    web,
};
use forebay::{Address, Admission, Ends, Forebay, Reply};
use futures_util::{Stream, StreamExt as _};
use http_body::Frame;
use http_body_util::{BodyDataStream, StreamBody};
use tokio::io::{AsyncWriteExt as _, duplex, split};
use tokio_util::io::ReaderStream;

/// What is on its way between a connection and its socket, in each direction.
const BUFFER_BYTES: usize = 16 << 10;

/// Notes for every request where the log stands, before anything else happens. `wrap` it last, so that it
/// is the outermost.
pub(crate) async fn take_position(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let forebay = request.app_data::<web::Data<Forebay>>();
    let forebay = forebay.ok_or_else(|| error::ErrorInternalServerError("no Forebay"))?;
    let turbo = forebay.begin_request(&headers(request.headers()), None);
    request.extensions_mut().insert(Turbo(turbo.clone()));
    let mut answer = next.call(request).await?;
    let mut mark = http::HeaderMap::new();
    turbo.mark(&mut mark);
    for (name, value) in converted(&mark) {
        answer.headers_mut().insert(name, value);
    }
    Ok(answer)
}

/// The request as Turbo made it, its page's cursor, and its broadcasts.
#[derive(Clone)]
pub(crate) struct Turbo(forebay::Turbo);

impl Deref for Turbo {
    type Target = forebay::Turbo;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl FromRequest for Turbo {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        let turbo = request.extensions().get::<Self>().cloned();
        ready(turbo.ok_or_else(|| error::ErrorInternalServerError("take_position is not wrapped")))
    }
}

/// An answer of [`forebay::Turbo`]'s.
pub(crate) fn answer(answer: http::Response<String>) -> HttpResponse {
    let (mut builder, body) = head(answer);
    builder.body(body)
}

/// The addresses that pages ask.
pub(crate) fn addresses(forebay: &Forebay) -> impl FnOnce(&mut ServiceConfig) {
    let forebay = forebay.clone();
    move |config| {
        for (path, address) in forebay.addresses() {
            let forebay = forebay.clone();
            let admit = move |request, payload| admit(forebay.clone(), address, request, payload);
            config.route(&path, web::to(admit));
        }
    }
}

async fn admit(
    forebay: Forebay,
    address: Address,
    request: HttpRequest,
    mut payload: Payload,
) -> HttpResponse {
    let parts = parts(&request);
    let body = StreamBody::new(payload.by_ref().map(|piece| piece.map(Frame::data)));
    match forebay.admit(address, &parts, body).await {
        Reply::Answer(answer) => {
            let (mut builder, body) = head(answer);
            builder.streaming(BodyDataStream::new(body))
        }
        Reply::Connection(answer, admission) => {
            let (mut builder, ()) = head(answer);
            builder.upgrade("websocket").streaming(run(admission, payload))
        }
    }
}

/// Runs a connection between what comes from the client and what goes to it.
fn run(
    admission: Admission,
    mut payload: Payload,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> + use<> {
    let (ours, theirs) = duplex(BUFFER_BYTES);
    let (to_client, mut from_client) = split(ours);
    drop(tokio::task::spawn(admission.run(theirs)));
    actix_web::rt::spawn(async move {
        while let Some(Ok(piece)) = payload.next().await {
            if from_client.write_all(&piece).await.is_err() {
                return;
            }
        }
        // The client is gone, and the connection learns of it.
        let _ = from_client.shutdown().await;
    });
    ReaderStream::new(to_client)
}

/// A request's head. actix-web has the types of another version of the crate `http`.
fn parts(request: &HttpRequest) -> http::request::Parts {
    let mut parts = http::Request::new(()).into_parts().0;
    parts.method = request.method().as_str().parse().unwrap_or_default();
    parts.uri = request.uri().to_string().parse().unwrap_or_default();
    parts.headers = headers(request.headers());
    if let Some(peer) = request.peer_addr() {
        let local = request.app_config().local_addr();
        parts.extensions.insert(Ends::new(peer, Some(local)));
    }
    parts
}

fn headers(headers: &HeaderMap) -> http::HeaderMap {
    let converted = headers.iter().filter_map(|(name, value)| {
        let name = http::HeaderName::from_bytes(name.as_ref()).ok()?;
        Some((name, http::HeaderValue::from_bytes(value.as_bytes()).ok()?))
    });
    let mut headers = http::HeaderMap::new();
    for (name, value) in converted {
        headers.append(name, value);
    }
    headers
}

fn converted(headers: &http::HeaderMap) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    headers.iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    })
}

fn head<B>(answer: http::Response<B>) -> (HttpResponseBuilder, B) {
    let (parts, body) = answer.into_parts();
    let status = StatusCode::from_u16(parts.status.as_u16()).unwrap_or_default();
    let mut builder = HttpResponse::build(status);
    for header in converted(&parts.headers) {
        builder.append_header(header);
    }
    (builder, body)
}
