//! Requests of those who may publish: who they are, and their bodies, bounded in bytes and in time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use forebay_core::Ends;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::access::{Access, Denied};
use super::answer::answer;

/// For a whole body to come: the largest, at 300 KB a second.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);

/// Who may, and how much they may send at once.
#[derive(Clone)]
pub(super) struct Publishers {
    pub(super) access: Arc<Access>,
    pub(super) body_bytes_max: usize,
}

/// Why a request was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("the body has more than the {0} bytes that are allowed (broadcast_max_size)")]
    TooBig(usize),
    #[error("the body did not come in time")]
    Slow,
    #[error("the body could not be read: {0}")]
    Broken(Box<dyn std::error::Error + Send + Sync>),
}

impl Publishers {
    /// Whether this request's sender may.
    pub(super) fn check(&self, request: &Request) -> Result<(), Denied> {
        self.access.check_request(request)
    }

    /// The body of a request whose sender may.
    pub(super) async fn read(&self, request: Request) -> Result<Bytes, Unread> {
        self.check(&request)?;
        let peer = request.extensions().get::<Ends>().map(|ends| ends.peer);
        let body = read(request.into_body(), self.body_bytes_max).await;
        body.inspect_err(|error| {
            tracing::warn!(peer = peer.map(tracing::field::display), %error, "publisher refused");
        })
    }
}

async fn read(body: Body, max: usize) -> Result<Bytes, Unread> {
    if body.size_hint().lower() > max as u64 {
        return Err(Unread::TooBig(max));
    }
    let whole = tokio::time::timeout(BODY_TIME_MAX, Limited::new(body, max).collect()).await;
    match whole.map_err(|_| Unread::Slow)? {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Unread::TooBig(max)),
        Err(error) => Err(Unread::Broken(error)),
    }
}

impl IntoResponse for Unread {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Denied(denied) => return denied.into_response(),
            Self::Broken(_) => return answer(StatusCode::BAD_REQUEST, self),
            Self::TooBig(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
        };
        let mut answer = answer(status, self);
        // The rest of the body is not read, so the connection can't go on.
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        answer
    }
}
