//! The servers that tests, the demo and the kill loop start: Redis, NATS, Postgres, PgBouncer.
//!
//! Only their programs are needed. Debian may start one of each at their own ports; `forebay-rig` leaves those alone.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::run::install_all;

const PACKAGES: [&str; 4] = ["nats-server", "pgbouncer", "postgresql", "redis-server"];

pub(crate) fn ensure_packages() -> Result<()> {
    if ["nats-server", "pgbouncer", "redis-server", "redis-cli", "psql"].into_iter().all(is_there)
        && (is_there("postgres") || Path::new("/usr/lib/postgresql").is_dir())
    {
        return Ok(());
    }
    ensure!(is_there("apt-get"), "install Redis, nats-server, Postgres and PgBouncer");
    install_all(&PACKAGES, &["--no-install-recommends"])
}

/// Debian keeps servers in a folder that only root's path names.
fn is_there(program: &str) -> bool {
    let there = |program: &Path| Command::new(program).arg("--version").output().is_ok();
    there(Path::new(program)) || there(&Path::new("/usr/sbin").join(program))
}
