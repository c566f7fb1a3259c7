//! The commands for people: `publish`, `listen`, `sign` and `why`.

mod backoff;
mod connect;
mod follow;
mod listen;
mod post;
mod publish;
mod sign;
mod why;

use std::future::Future;

use anyhow::Context as _;

pub(crate) use self::connect::{Io, connect};
pub(crate) use self::listen::listen;
pub(crate) use self::post::post;
pub(crate) use self::publish::publish;
pub(crate) use self::sign::sign;
pub(crate) use self::why::{IsBroken, why};

/// Runs a command's future: one thread is enough for one connection.
pub(crate) fn run<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("no thread to run on")?.block_on(future)
}
