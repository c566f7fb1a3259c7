//! The packages that a registry would get.

use anyhow::{Context as _, Result, ensure};

use crate::run::{cargo, cargo_command, step};

/// Makes the packages of all crates that may be published. `verify` builds each from its package alone.
pub(crate) fn package(verify: bool) -> Result<()> {
    step("packages");
    let names = publishable()?;
    // What is not committed yet is packaged, too: this looks at how, not at which version.
    let mut arguments = vec!["package", "--quiet", "--allow-dirty"];
    if !verify {
        arguments.push("--no-verify");
    }
    arguments.extend(names.iter().flat_map(|name| ["--package", name]));
    cargo(&arguments)
}

pub(crate) fn publishable() -> Result<Vec<String>> {
    let output = cargo_command(&["metadata", "--format-version", "1", "--no-deps"]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("cargo metadata has packages")?;
    // `publish = false` is an empty list of registries.
    let open = packages.iter().filter(|package| package["publish"].is_null());
    Ok(open.filter_map(|package| package["name"].as_str().map(str::to_owned)).collect())
}
