//! Bodies of visitors' requests: read within a time, and within a budget that all share.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf as _;
use http::StatusCode;
use http_body::Body;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// For a whole body. The largest are 256 KiB: all subscriptions of a page at once, mostly a few hundred
/// bytes that come with the request's head. At 26 KB a second it takes as long.
const TIME_MAX: Duration = Duration::from_secs(10);

/// What all bodies take that are being read: 128 of the largest, or 30 000 of a kilobyte. Only what has come
/// counts, so a body that is announced and not sent takes nothing from the others.
const BYTES_MAX: usize = 32 << 20;

/// The budget.
#[derive(Clone)]
pub(crate) struct Bodies(Arc<Semaphore>);

/// A body's text, and its part of the budget.
pub(crate) struct Text {
    text: String,
    _bytes: Option<OwnedSemaphorePermit>,
}

/// Why a body was not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body has more than {0} bytes")]
    TooBig(usize),
    #[error("the body did not come within 10 seconds")]
    Slow,
    #[error("the body broke off, or is no text")]
    Broken,
    #[error("too many bodies are being read")]
    Full,
}

impl BodyError {
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::TooBig(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
            Self::Full => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl Default for Bodies {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BYTES_MAX)))
    }
}

impl fmt::Debug for Bodies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bodies").field(&self.0.available_permits()).finish()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl Bodies {
    /// Reads one that may have so many bytes.
    pub(crate) async fn read<B>(&self, body: B, max: usize) -> Result<Text, BodyError>
    where
        B: Body,
    {
        if body.size_hint().lower() > max as u64 {
            return Err(BodyError::TooBig(max));
        }
        let read = tokio::time::timeout(TIME_MAX, self.read_all(body, max)).await;
        read.unwrap_or(Err(BodyError::Slow))
    }

    async fn read_all<B: Body>(&self, body: B, max: usize) -> Result<Text, BodyError> {
        let (mut bytes, mut held) = (Vec::new(), None::<OwnedSemaphorePermit>);
        let mut body = pin!(body);
        while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            let Ok(mut piece) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
            if bytes.len() + piece.remaining() > max {
                return Err(BodyError::TooBig(max));
            }
            let size = u32::try_from(piece.remaining()).map_err(|_| BodyError::TooBig(max))?;
            let more = Arc::clone(&self.0).try_acquire_many_owned(size);
            let more = more.map_err(|_| BodyError::Full)?;
            match &mut held {
                Some(held) => held.merge(more),
                None => held = Some(more),
            }
            while piece.has_remaining() {
                let chunk = piece.chunk();
                bytes.extend_from_slice(chunk);
                let length = chunk.len();
                piece.advance(length);
            }
        }
        let text = String::from_utf8(bytes).map_err(|_| BodyError::Broken)?;
        Ok(Text { text, _bytes: held })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_bodies_share_a_budget_and_give_it_back() {
        let bodies = Bodies::default();
        let large = || "x".repeat(BYTES_MAX / 2);
        let (first, second) = (bodies.read(large(), BYTES_MAX), bodies.read(large(), BYTES_MAX));
        let (first, second) = (first.await.ok(), second.await.ok());
        assert!(first.is_some() && second.is_some());
        assert_eq!(bodies.read("x".to_owned(), 9).await.err(), Some(BodyError::Full));
        drop(first);
        assert_eq!(bodies.read("x".to_owned(), 9).await.ok().unwrap().as_ref(), "x");
    }

    #[tokio::test]
    async fn a_body_that_is_announced_as_too_large_is_not_waited_for() {
        let bodies = Bodies::default();
        let error = bodies.read("x".repeat(10), 9).await.err();
        assert_eq!(error, Some(BodyError::TooBig(9)));
    }
}
