//! What the last release promised: no version that is compatible by its number breaks it.
//!
//! Before the first release nothing is promised, so there is nothing to compare with.

use std::process::Command;

use anyhow::{Context as _, Result};

use super::skip;
use crate::run::{repository, step, succeed};
use crate::{package, tools};

pub(super) fn check() -> Result<()> {
    step("promises of the last release");
    let Some(release) = last_release()? else {
        skip("no tag v* says what was released last, so nothing is promised yet");
        return Ok(());
    };
    let program = tools::installed("cargo-semver-checks", "0.51.0")?;
    let mut command = Command::new(program);
    command.args(["semver-checks", "--baseline-rev", &release]);
    // A binary has no API.
    for name in package::publishable()?.iter().filter(|name| *name != "forebay-server") {
        command.args(["--package", name]);
    }
    succeed(command.current_dir(repository()))
}

/// The newest tag behind this commit.
fn last_release() -> Result<Option<String>> {
    let describe = ["describe", "--tags", "--abbrev=0", "--match", "v[0-9]*"];
    let output = Command::new("git").args(describe).current_dir(repository()).output();
    let output = output.context("git says what was released")?;
    let tag = String::from_utf8(output.stdout)?.trim().to_owned();
    Ok(output.status.success().then_some(tag))
}
