//! Forebay's log in NATS with JetStream, from server version 2.9 on, shared by several nodes.
//!
//! ```no_run
//! # async fn open() -> Result<(), Box<dyn std::error::Error>> {
//! use forebay_nats::{Nats, Options};
//! use forebay_shared::SharedLog;
//!
//! let options = Options::from_url("nats://localhost:4222?name=forebay")?;
//! let log = SharedLog::open(Nats::new(options), Default::default()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is where
//! - A stream with the log's name, and one subject of that name. **A message is a group.** Its header
//!   `Forebay-Group` has node, number, epoch and how many offsets the group takes; the payload has the records.
//! - Two key-value buckets, `NAME-cells` and `NAME-passing`. What is in the second ends after ten minutes.
//!
//! # Offsets
//! The group with the stream's sequence number `s` ends at `(s << 12) + 4095`, and its records stand before
//! that without a hole. So the sequence numbers that JetStream tells for the beginning and the end of a
//! stream are exact offsets, also where the groups themselves are gone.
//!
//! # Once
//! `Nats-Msg-Id` is the group's node, number and epoch, or its name and epoch. JetStream takes each id once within
//! the stream's duplicate window, which is as long as the log is kept. The epoch has to be part of it:
//! JetStream takes groups of any epoch, and what came too late in the old epoch does not count there. It
//! has to be taken again in the new one.

mod api;
mod connection;
mod layout;
mod link;
mod options;
mod reader;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use forebay_shared::{Backend, Failure};

pub use connection::Connection;
pub use options::Options;

/// For a group's headers: the id and the group are 200 bytes, and a name comes on top.
const HEADERS_BYTES_MAX: usize = 4 << 10;

/// As large as other stores take it.
const BODY_BYTES_MAX: usize = 512 << 10;

/// NATS servers, and the log in them.
#[derive(Debug)]
pub struct Nats {
    options: Options,
    /// What the server takes, after it was connected to.
    body_bytes_max: AtomicUsize,
    /// That limits differ is said once.
    is_told: AtomicBool,
}

impl Nats {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            body_bytes_max: AtomicUsize::new(BODY_BYTES_MAX),
            is_told: AtomicBool::new(false),
        }
    }
}

impl Backend for Nats {
    type Session = Connection;

    fn address(&self) -> String {
        self.options.address()
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let link = link::Link::connect(&self.options).await?;
        let payload_max = link.payload_bytes_max()?;
        let body_max = payload_max.saturating_sub(HEADERS_BYTES_MAX).min(BODY_BYTES_MAX);
        self.body_bytes_max.store(body_max, Ordering::Relaxed);
        let info = layout::prepare(&link, &self.options).await?;
        if let Some(differs) = layout::limits_differ(&info, &self.options)
            && !self.is_told.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                server = self.options.address(),
                differs,
                "the log's stream was made with other limits, which hold: `nats stream edit` changes them"
            );
        }
        Ok(Connection::new(link, &self.options, info))
    }

    fn body_bytes_max(&self) -> usize {
        self.body_bytes_max.load(Ordering::Relaxed)
    }
}
