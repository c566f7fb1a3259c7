//! Real servers for tests, the demo, the kill loop and the bench.
//!
//! A [`Server`] runs on a free loopback port, with its data in a temporary folder. It answers when `start` returns.
//! It can be killed, paused and started again on the same port and data. It ends with its owner: when it is
//! dropped, and when the process that started it dies.
//!
//! A [`Proxy`] stands between a client and a server, and breaks what goes through it.
//!
//! All calls but the proxy's block, so that they work with any runtime and without one. They end: each wait
//! has a limit of a minute. The programs are Debian's; `cargo xtask test` installs them.

mod certificates;
mod error;
mod losing;
mod nats;
mod output;
mod pgbouncer;
mod port;
mod postgres;
mod process;
mod program;
mod proxy;
mod redis;
mod sentinel;
mod server;
mod starter;

pub use self::certificates::Certificates;
pub use self::error::Error;
pub use self::losing::Losing;
pub use self::nats::{Build, Nats, NatsOptions};
pub use self::pgbouncer::PgBouncer;
pub use self::port::Port;
pub use self::postgres::{Postgres, PostgresOptions};
pub use self::process::Process;
pub use self::program::Program;
pub use self::proxy::{Direction, Passage, Proxy};
pub use self::redis::{Redis, RedisOptions};
pub use self::sentinel::Sentinel;
pub use self::server::Server;

/// Whether servers can have disks that are soon full. Where not, a line says that something is not tested.
#[must_use]
#[expect(clippy::print_stderr, reason = "what a test leaves out has to be seen")]
pub fn has_small_disks() -> bool {
    let has_disks = starter::has_disks();
    if !has_disks {
        eprintln!("skipped: a full disk, because only root may mount a small one");
    }
    has_disks
}
