//! Peers that come from Debian's packages or from Go's registry.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::Place;

/// Sees to it that these packages are there; root installs what is missing.
pub(super) fn debian(packages: &[&str]) -> Result<()> {
    if packages.iter().all(|package| version(package).is_ok()) {
        return Ok(());
    }
    let names = packages.join(" ");
    let missing = || format!("it needs Debian's packages {names}");
    ensure!(rustix::process::geteuid().is_root(), missing());
    let apt = |arguments: &[&str]| {
        said(Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(arguments))
    };
    apt(&["update", "--quiet"]).with_context(missing)?;
    let install = ["install", "--yes", "--quiet", "--no-install-recommends"];
    apt(&[&install[..], packages].concat()).with_context(missing)?;
    Ok(())
}

/// The version of a package that is installed.
pub(super) fn version(package: &str) -> Result<String> {
    let format = "--showformat=${db:Status-Status} ${Version}";
    let said = said(Command::new("dpkg-query").args(["--show", format, package]))?;
    let version = said.strip_prefix("installed ").with_context(|| format!("{package}: {said}"))?;
    Ok(version.to_owned())
}

/// Where Go puts what it builds.
pub(super) fn go_folder(place: &Place) -> PathBuf {
    place.built.join("go")
}

/// `go`, as it is told to build into that folder, beside whatever else this machine does.
pub(super) fn go(place: &Place, folder: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("nice");
    command.arg("go").args(arguments).current_dir(folder).env("GOBIN", go_folder(place));
    said(&mut command)?;
    Ok(())
}

/// What a command says, or its complaint.
pub(super) fn said(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}", complaint.trim());
    Ok(format!("{}{complaint}", String::from_utf8_lossy(&output.stdout)).trim().to_owned())
}
