//! Looking at what was broadcast: see [`Forebay::replay`](crate::Forebay::replay).

use std::sync::Arc;

use forebay_log::{Entry, Gap, Message, Offset};
use forebay_turbo::StreamNameError;

/// Why a stream can't be replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// Something does not name a stream.
    #[error(transparent)]
    StreamName(#[from] StreamNameError),
    /// History does not reach that far.
    #[error(transparent)]
    Gap(#[from] Gap),
}

/// One broadcast, as subscribers get it.
#[derive(Clone, Debug)]
pub struct ReplayEntry {
    offset: Offset,
    message: Arc<Message>,
}

impl ReplayEntry {
    /// Its place in the log.
    pub fn offset(&self) -> u64 {
        self.offset.0
    }

    /// The message's JSON text.
    pub fn json(&self) -> &str {
        self.message.as_json()
    }

    /// The stream tags, if the message is HTML and not another JSON value.
    pub fn html(&self) -> Option<String> {
        serde_json::from_str(self.json()).ok()
    }
}

impl From<Entry> for ReplayEntry {
    fn from(entry: Entry) -> Self {
        Self { offset: entry.offset, message: entry.message }
    }
}
