//! Where broadcasts come from: a file for each source.
//!
//! A source gets requests from somewhere and hands each to [`Ingest::take`], with the name of whoever
//! sent it. It does not look into a request, and does not log what becomes of it. It hands over one
//! after the other and waits for each, so that what one publisher sends in order is broadcast in
//! order, and so that a log that is slow makes its publishers slow, instead of filling memory.

mod format;
mod http;
#[cfg(all(test, unix))]
mod lines;

use std::fmt::Display;

use forebay_core::inspect::Source;
use forebay_core::raw::{self, excerpt};
use forebay_core::{BroadcastError, Forebay};

use self::format::{FormatError, Posted};
use super::disconnects::{Disconnects, Nameless};

pub(super) use self::format::STREAM_BYTES_MAX;
pub(super) use self::http::route;

/// Takes the requests that sources have received, and broadcasts them.
pub(super) struct Ingest {
    pub(super) forebay: Forebay,
    pub(super) disconnects: Disconnects,
}

/// Why a request was not taken. Nothing of it was published.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error(transparent)]
    Nameless(#[from] Nameless),
    #[error(transparent)]
    Broadcast(#[from] BroadcastError),
}

impl Ingest {
    /// Takes one request whole or not at all: a broadcast, a batch of them, or a command. A batch takes
    /// consecutive places in the log. The request may have an id in its sender's log.
    pub(super) async fn take(
        &self,
        publisher: impl Display,
        id: Option<String>,
        request: &[u8],
    ) -> Result<(), Refused> {
        let source = || Source { sender: Some(publisher.to_string()), request: id, place: None };
        self.try_take(source, request).await.inspect_err(|refused| {
            let why = refused.to_string();
            tracing::warn!(%publisher, refused = excerpt(&why), "broadcasts refused");
        })
    }

    async fn try_take(
        &self,
        source: impl FnOnce() -> Source,
        request: &[u8],
    ) -> Result<(), Refused> {
        match format::read(request)? {
            Posted::Broadcasts(batch) => {
                let position = raw::publish_all_from(&self.forebay, &batch, &source()).await?;
                tracing::debug!(broadcasts = batch.len(), %position, "published");
            }
            Posted::Disconnect(whom) => self.disconnects.end::<Refused>(&whom).await?,
        }
        Ok(())
    }
}
