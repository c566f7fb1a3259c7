//! `POST /_broadcast`: AnyCable's HTTP broadcasting.
//!
//! Where AnyCable answers 201 to anything and drops what it can't read, here a request is taken
//! whole or not at all, and the answer says what is wrong. Requests of one connection are handled
//! one after the other, and a batch takes consecutive places in the log.

mod format;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use forebay::{BroadcastError, Forebay, PublishError, Revocation, StoreError, excerpt};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Deserialize;

use self::format::{Disconnect, FormatError, Posted};
use super::access::{Access, Denied};
use super::routes::answer;

/// For a whole body to come: the largest, at 300 KB a second.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);

/// What taking broadcasts needs.
pub(super) struct Broadcasts {
    pub(super) forebay: Forebay,
    pub(super) access: Access,
    pub(super) has_identities: bool,
    pub(super) body_bytes_max: usize,
}

/// Why a request was not taken. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Denied(#[from] Denied),
    /// AnyCable answers 422 to other methods, too.
    #[error("broadcasts are posted: POST, not {0}")]
    Method(Method),
    #[error("the body has more than the {0} bytes that are allowed (broadcast_max_size)")]
    Body(usize),
    #[error("the body did not come in time")]
    Slow,
    #[error("the body could not be read: {0}")]
    Broken(Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error("the body must be a JSON object that names an identity, or a stream, or both")]
    Access,
    #[error(
        "the body must be a JSON object with an `identity`, and perhaps `reconnect`, which is true \
         or false"
    )]
    Disconnect,
    /// Nobody would be disconnected, and nobody would know.
    #[error("no visitor has a name here, so nobody can be disconnected: set identity_header")]
    Nameless,
    #[error(
        "the body must be a JSON object with `streams`: 1 to {} names of 1 to {} bytes",
        format::GAP_MAX,
        format::STREAM_BYTES_MAX
    )]
    Gap,
    #[error(transparent)]
    Message(#[from] BroadcastError),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Denied(denied) => return denied.into_response(),
            Self::Body(_) | Self::Message(BroadcastError::TooBig { .. }) => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::Message(BroadcastError::NotTaken(PublishError(StoreError::Full(_)))) => {
                StatusCode::INSUFFICIENT_STORAGE
            }
            Self::Message(BroadcastError::NotTaken(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken(_) => StatusCode::BAD_REQUEST,
            Self::Format(error) => error.status(),
            Self::Nameless => StatusCode::NOT_IMPLEMENTED,
            Self::Access | Self::Disconnect | Self::Gap | Self::Method(_) | Self::Message(_) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
        };
        tracing::warn!(refused = excerpt(&self.to_string()), "broadcasts refused");
        let mut answer = answer(status, &self);
        let headers = answer.headers_mut();
        match self {
            Self::Method(_) => {
                headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
            }
            // The rest of the body is not read, so the connection can't go on.
            Self::Body(_) | Self::Slow => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        answer
    }
}

/// Takes one request.
pub(super) async fn take(
    State(broadcasts): State<Arc<Broadcasts>>,
    request: Request,
) -> Result<StatusCode, Refused> {
    broadcasts.access.check_request(&request)?;
    if request.method() != Method::POST {
        return Err(Refused::Method(request.method().clone()));
    }
    let body = read(request.into_body(), broadcasts.body_bytes_max).await?;
    let batch = match format::read(&body)? {
        Posted::Broadcasts(batch) => batch,
        Posted::Disconnect(whom) => {
            broadcasts.disconnect(&whom)?;
            return Ok(StatusCode::CREATED);
        }
    };
    let position = broadcasts.forebay.publish_all(&batch)?;
    tracing::debug!(broadcasts = batch.len(), %position, "published");
    Ok(StatusCode::CREATED)
}

/// Whose access to what.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Concerned {
    identity: Option<String>,
    stream: Option<String>,
}

impl Concerned {
    fn revocation(self) -> Result<Revocation, Refused> {
        Ok(match self {
            Self { identity: Some(identity), stream: Some(stream) } => {
                Revocation::of(identity, stream)
            }
            Self { identity: Some(identity), stream: None } => Revocation::of_identity(identity),
            Self { identity: None, stream: Some(stream) } => Revocation::of_stream(stream),
            Self { identity: None, stream: None } => return Err(Refused::Access),
        })
    }
}

/// Takes access back.
pub(super) async fn revoke(
    State(broadcasts): State<Arc<Broadcasts>>,
    request: Request,
) -> Result<StatusCode, Refused> {
    let revocation = concerned(&broadcasts, request).await?;
    broadcasts.forebay.revoke(revocation)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives it again. Whoever asks twice has it, too.
pub(super) async fn readmit(
    State(broadcasts): State<Arc<Broadcasts>>,
    request: Request,
) -> Result<StatusCode, Refused> {
    let revocation = concerned(&broadcasts, request).await?;
    broadcasts.forebay.readmit(&revocation);
    Ok(StatusCode::NO_CONTENT)
}

async fn concerned(broadcasts: &Broadcasts, request: Request) -> Result<Revocation, Refused> {
    broadcasts.access.check_request(&request)?;
    let body = read(request.into_body(), broadcasts.body_bytes_max).await?;
    let concerned: Concerned = serde_json::from_slice(&body).map_err(|_| Refused::Access)?;
    concerned.revocation()
}

/// Ends a visitor's connections.
pub(super) async fn disconnect(
    State(broadcasts): State<Arc<Broadcasts>>,
    request: Request,
) -> Result<StatusCode, Refused> {
    broadcasts.access.check_request(&request)?;
    let body = read(request.into_body(), broadcasts.body_bytes_max).await?;
    let whom = serde_json::from_slice(&body).map_err(|_| Refused::Disconnect)?;
    broadcasts.disconnect(&whom)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Hears which streams lack something: what their publisher could not broadcast.
pub(super) async fn gap(
    State(broadcasts): State<Arc<Broadcasts>>,
    request: Request,
) -> Result<StatusCode, Refused> {
    broadcasts.access.check_request(&request)?;
    let body = read(request.into_body(), broadcasts.body_bytes_max).await?;
    let streams = format::read_gap(&body).ok_or(Refused::Gap)?;
    broadcasts.forebay.gap(streams.iter().map(String::as_str));
    Ok(StatusCode::NO_CONTENT)
}

impl Broadcasts {
    fn disconnect(&self, whom: &Disconnect) -> Result<(), Refused> {
        if !self.has_identities {
            return Err(Refused::Nameless);
        }
        let connections = if whom.reconnect {
            self.forebay.disconnect(&whom.identity)
        } else {
            self.forebay.dismiss(&whom.identity)
        };
        tracing::info!(
            identity = whom.identity,
            reconnect = whom.reconnect,
            connections,
            "disconnected"
        );
        Ok(())
    }
}

async fn read(body: Body, max: usize) -> Result<Bytes, Refused> {
    use axum::body::HttpBody as _;
    if body.size_hint().lower() > max as u64 {
        return Err(Refused::Body(max));
    }
    let whole = tokio::time::timeout(BODY_TIME_MAX, Limited::new(body, max).collect()).await;
    match whole.map_err(|_| Refused::Slow)? {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refused::Body(max)),
        Err(error) => Err(Refused::Broken(error)),
    }
}
