//! Starting the binary, talking HTTP to it, and being a page.

mod cable;
mod http;
mod process;
mod proxy;

use std::time::Duration;

pub(crate) use self::cable::{Page, pubsub, turbo};
pub(crate) use self::http::{Answer, Connection};
pub(crate) use self::process::{Program, Server, bearer, forebay};
pub(crate) use self::proxy::Proxy;

/// What fails instead of hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The secret of the servers here: AnyCable's, so used as it is.
pub(crate) const SECRET: &str = "a secret of the tests";
