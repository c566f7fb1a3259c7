//! Tools that cargo builds from its registry, each of one version, into the target folder.

use std::path::PathBuf;

use anyhow::Result;

use crate::run::{cargo, step, target};

/// The program, installed if it is not there. Without optimization it is built in half of the time.
pub(crate) fn installed(name: &str, version: &str) -> Result<PathBuf> {
    let root = target().join(format!("tools/{name}-{version}"));
    let program = root.join("bin").join(name);
    if !program.exists() {
        step(&format!("installing {name} {version}"));
        let root = root.to_string_lossy();
        let install = ["install", "--quiet", "--locked", "--debug", "--no-track", "--root", &root];
        cargo(&[&install[..], &["--version", version, name]].concat())?;
    }
    Ok(program)
}
