//! What is asked for before a release, beyond `cargo xtask test`: checks that take long, or need tools of their
//! own.
//!
//! What can't be had on this machine is named and left out: a database that is only on the network, a compiler
//! that nobody offers.

mod beside;
mod deny;
mod oldest;
mod semver;

use anyhow::Result;

use crate::browser;
use crate::run::say;

pub(crate) use self::beside::bench_target;

pub(crate) fn run() -> Result<()> {
    deny::check()?;
    semver::check()?;
    oldest::check()?;
    beside::check()?;
    browser::test(&[browser::CLUSTER.to_owned()])
}

fn skip(why: &str) {
    say(&format!("skipped: {why}"));
}
