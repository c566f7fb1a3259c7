//! Forebay's log in Redis 7, Valkey, or later, for several nodes: one stream, whose entries are groups.
//!
//! A script orders: it compares the epoch, the node's number and the group's name, gives dense offsets as the entries'
//! ids, and drops what is too old, all in one step. Bodies pass it by, in the same transaction. Readers block on a
//! connection of their own.
//!
//! Redis replicates without waiting. A replica that takes over may lack what was acknowledged, and so may a server that
//! begins again. So an epoch belongs to one process of the server (`run_id`): with another one a new epoch begins, and all
//! pages load themselves again, once.
//!
//! ```no_run
//! # async fn open() -> Result<(), Box<dyn std::error::Error>> {
//! use forebay_redis::{Options, Redis};
//! use forebay_shared::SharedLog;
//!
//! let redis = Redis::new(Options::from_url("redis://localhost/0?name=chat")?);
//! let log = SharedLog::open(redis, forebay_shared::Options::default()).await?;
//! # Ok(())
//! # }
//! ```

mod append;
mod client;
mod connection;
mod failure;
mod info;
mod options;
mod rights;

use std::sync::Arc;

use forebay_shared::{Backend, Failure};

pub use connection::Connection;
pub use options::Options;

use crate::connection::Keys;

/// A Redis server.
pub struct Redis {
    options: Options,
    keys: Arc<Keys>,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.options.fmt(f)
    }
}

impl Redis {
    /// The server of these options. It is asked when the log is opened.
    pub fn new(options: Options) -> Self {
        let keys = Arc::new(Keys::new(&options));
        Self { options, keys }
    }
}

impl Backend for Redis {
    type Session = Connection;

    fn address(&self) -> String {
        self.options.address()
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        Connection::open(&self.options, &self.keys).await
    }
}
