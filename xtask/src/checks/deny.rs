//! Licenses, sources, doubled versions and advisories (`deny.toml`).

use std::process::Command;

use anyhow::Result;

use super::skip;
use crate::run::{repository, step, succeed};
use crate::tools;

pub(super) fn check() -> Result<()> {
    let program = tools::installed("cargo-deny", "0.20.2")?;
    let deny = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(arguments).current_dir(repository());
        command
    };
    step("licenses, sources, doubled versions");
    succeed(&mut deny(&["check", "licenses", "bans", "sources"]))?;
    step("advisories");
    // The database is a repository on GitHub, which not every machine reaches.
    let fetched = deny(&["--log-level", "off", "fetch", "db"]).output()?;
    if !fetched.status.success() {
        skip("the database of advisories can't be fetched from github.com/RustSec/advisory-db");
        return Ok(());
    }
    succeed(&mut deny(&["check", "advisories"]))
}
