//! The pure crates, built for a machine that has no sockets, files, clock or randomness.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::run::{cargo, say, step};

const TARGET: &str = "wasm32-unknown-unknown";

const PURE: [&str; 6] = [
    "forebay-turbo",
    "forebay-signing",
    "forebay-log",
    "forebay-presence",
    "forebay-cable",
    "forebay-inspect",
];

/// Builds them. Where the target is neither there nor to be had, it says so and goes on.
pub(crate) fn check() -> Result<()> {
    step(&format!("the pure crates for {TARGET}"));
    if !is_installed() && !install() {
        skip();
        return Ok(());
    }
    let mut arguments = vec!["check", "--quiet", "--target", TARGET];
    arguments.extend(PURE.iter().flat_map(|name| ["--package", name]));
    cargo(&arguments)
}

fn is_installed() -> bool {
    let folder =
        Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    folder.is_ok_and(|folder| {
        let folder = String::from_utf8_lossy(&folder.stdout).into_owned();
        Path::new(folder.trim()).is_dir()
    })
}

fn install() -> bool {
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    added.is_ok_and(|status| status.success())
}

fn skip() {
    say(&format!("skipped: {TARGET} is not installed, and rustup could not get it"));
}
