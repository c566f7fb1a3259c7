//! The fuzz targets, with cargo-fuzz on the stable toolchain.

use std::process::Command;

use anyhow::Result;

use crate::run::{cargo, cargo_with, repository, step};

/// In `fuzz/fuzz_targets`, each for something that a stranger can send.
const TARGETS: [&str; 4] = ["ws", "command", "verifier", "cursor"];

pub(crate) fn run(seconds: u32, target: Option<&str>) -> Result<()> {
    let installed = Command::new("cargo").args(["fuzz", "--version"]).output();
    if !installed.is_ok_and(|output| output.status.success()) {
        step("installing cargo-fuzz");
        cargo(&["install", "cargo-fuzz", "--locked", "--version", "0.13.2"])?;
    }
    for name in TARGETS.into_iter().filter(|name| target.is_none_or(|target| target == *name)) {
        step(&format!("fuzzing {name} for {seconds} s"));
        let time = format!("-max_total_time={seconds}");
        let fuzz = repository().join("fuzz");
        // The address sanitizer's runtime ships with stable; asking for it is what is unstable.
        cargo_with(
            &["fuzz", "run", "--fuzz-dir", &fuzz.to_string_lossy(), name, "--", &time],
            &[("RUSTC_BOOTSTRAP", "1")],
        )?;
    }
    Ok(())
}
