//! Running other programs from the repository's root, and saying what is going on.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// The repository's root.
pub(crate) fn repository() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

pub(crate) fn step(name: &str) {
    say(&format!("\n== {name}"));
}

#[expect(
    clippy::print_stderr,
    reason = "progress of a command line tool, and what it has found out"
)]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

pub(crate) fn cargo(arguments: &[&str]) -> Result<()> {
    cargo_with(arguments, &[])
}

pub(crate) fn cargo_with(arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    succeed(cargo_command(arguments).envs(environment.iter().copied()))
}

pub(crate) fn cargo_command(arguments: &[&str]) -> Command {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(repository());
    command
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    repository().join(named.unwrap_or_else(|| "target".into()))
}

/// Installs one of Debian's packages.
pub(crate) fn install(package: &str) -> Result<()> {
    install_all(&[package], &[])
}

/// Installs several, with these flags of apt-get's.
pub(crate) fn install_all(packages: &[&str], flags: &[&str]) -> Result<()> {
    step(&format!("installing {}", packages.join(", ")));
    succeed(Command::new("apt-get").args(["update", "--quiet"]))?;
    let install = ["install", "--yes", "--quiet"];
    succeed(Command::new("apt-get").args(install).args(flags).args(packages))
}

/// Runs a command whose output is the user's, and fails as it does.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("failed to start {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}

/// Whether a program can be started at all.
pub(crate) fn exists(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}
