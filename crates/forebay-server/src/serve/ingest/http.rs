//! `POST /_broadcast`: AnyCable's HTTP broadcasting.
//!
//! Where AnyCable answers 201 to anything and drops what it can't read, here the answer says what is
//! wrong. Requests of one connection are handled one after the other.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use forebay_core::Ends;
use forebay_core::raw::excerpt;

use super::format::{ElementError, FormatError};
use super::{Ingest, Refused};
use crate::serve::answer::{answer, not_taken};
use crate::serve::publishers::{Publishers, Unread};

/// What taking a request needs.
struct Source {
    publishers: Publishers,
    ingest: Ingest,
}

/// The address that broadcasts are posted to.
pub(in crate::serve) fn route(path: &str, publishers: Publishers, ingest: Ingest) -> Router {
    Router::new().route(path, any(take)).with_state(Arc::new(Source { publishers, ingest }))
}

/// Why a request gets no 201.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Unread(#[from] Unread),
    /// AnyCable answers 422 to other methods, too.
    #[error("broadcasts are posted: POST, not {0}")]
    Method(Method),
    #[error(transparent)]
    Refused(#[from] Refused),
}

async fn take(State(source): State<Arc<Source>>, request: Request) -> Result<StatusCode, Failed> {
    source.publishers.check(&request).map_err(Unread::from)?;
    let peer = request.extensions().get::<Ends>().map(|ends| ends.peer);
    let publisher = fmt::from_fn(|f| peer.map_or(Ok(()), |peer| write!(f, "{peer}")));
    if request.method() != Method::POST {
        let method = excerpt(request.method().as_str());
        tracing::warn!(%publisher, method, "broadcasts refused: they are not posted");
        return Err(Failed::Method(request.method().clone()));
    }
    let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok());
    let id = id.map(|id| excerpt(id).to_owned());
    let body = source.publishers.read(request).await?;
    source.ingest.take(publisher, id, &body).await?;
    Ok(StatusCode::CREATED)
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let refused = match self {
            Self::Unread(unread) => return unread.into_response(),
            Self::Method(_) => {
                let mut answer = answer(StatusCode::UNPROCESSABLE_ENTITY, self);
                answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
                return answer;
            }
            Self::Refused(refused) => refused,
        };
        answer(status(&refused), refused)
    }
}

/// The publisher's fault, but for commands and for what the log does not take.
pub(super) fn status(refused: &Refused) -> StatusCode {
    match refused {
        Refused::Format(FormatError::Element {
            what: ElementError::Command(_) | ElementError::Batched,
            ..
        })
        | Refused::Nameless(_) => StatusCode::NOT_IMPLEMENTED,
        Refused::Format(FormatError::Batch(_)) => StatusCode::PAYLOAD_TOO_LARGE,
        Refused::Format(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Refused::Broadcast(error) => not_taken(error),
    }
}
