//! The workspaces beside this one: `bench` and `fuzz`. Nobody else builds or locks what they need.

use anyhow::Result;

use crate::run::{cargo, step, target};

/// Where the bench is built, with the servers that it starts.
pub(crate) fn bench_target() -> String {
    target().join("bench").to_string_lossy().into_owned()
}

/// What the main workspace's checks are to its crates.
pub(super) fn check() -> Result<()> {
    step("the bench");
    let target = bench_target();
    let bench = ["--quiet", "--manifest-path", "bench/Cargo.toml"];
    let bench = [&bench[..], &["--target-dir", &target, "--workspace"]].concat();
    cargo(&["fmt", "--manifest-path", "bench/Cargo.toml", "--all", "--check"])?;
    let deny = ["--all-targets", "--", "--deny", "warnings"];
    cargo(&[&["clippy"], &bench[..], &deny].concat())?;
    cargo(&[&["test"], &bench[..]].concat())?;
    step("the fuzz targets");
    cargo(&["check", "--quiet", "--manifest-path", "fuzz/Cargo.toml"])
}
