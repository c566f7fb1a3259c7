//! npm, Chromium, and the tests that need them.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::run::{cargo, exists, install, repository, step, succeed};
use crate::{ruby, servers};

/// For what hangs without being awaited. Every wait of the tests has a deadline of its own; Node 20 takes
/// this for the time of a whole file, of which the longest need more than a minute on two idle cores.
const FILE_TIMEOUT: &str = "--test-timeout=1200000";

/// Nodes and log stores that are killed: minutes of their own, among the checks before a release.
pub(crate) const CLUSTER: &str = "cluster.test.js";

/// What waits for as long as servers do by default: nobody has the time for it at each change.
const LONG: &str = "_long.test.js";

const CHROMIUMS: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Types, unit tests, size, and that the crate serves what these sources make.
pub(crate) fn client() -> Result<()> {
    step("js/forebay");
    let client = repository().join("js/forebay");
    npm_ci(&client)?;
    npm(&client, &["test", "--silent"])
}

/// The tests that take minutes.
pub(crate) fn test_long() -> Result<()> {
    let mut files = test_files(&repository(), "e2e/tests")?;
    files.retain(|file| file.ends_with(LONG));
    run(files)
}

pub(crate) fn test(files: &[String]) -> Result<()> {
    let mut tests: Vec<_> = files.iter().map(|file| format!("e2e/tests/{file}")).collect();
    if tests.is_empty() {
        tests.extend(test_files(&repository(), "e2e/tests")?);
        tests.retain(|file| !file.ends_with(CLUSTER) && !file.ends_with(LONG));
        tests.extend(test_files(&repository(), "examples/chat/tests")?);
    }
    run(tests)
}

fn run(tests: Vec<String>) -> Result<()> {
    step("browser");
    ensure_chromium()?;
    // Some tests stand behind nginx, some behind Rails, some before a log store.
    ruby::ensure_packages()?;
    servers::ensure_packages()?;
    let e2e = repository().join("e2e");
    let chat = repository().join("examples/chat");
    bundle(&chat, "build")?;
    programs()?;
    bundle(&e2e, "bundle")?;
    let mut node = Command::new("node");
    // One file at a time: each starts a browser, and there are two cores.
    node.args(["--test", "--test-concurrency=1", FILE_TIMEOUT]).args(tests);
    succeed(node.current_dir(repository()))
}

/// The pictures of the inspector, of the fixture app.
pub(crate) fn screenshots() -> Result<()> {
    step("screenshots");
    ensure_chromium()?;
    cargo(&["build", "--workspace", "--all-features", "--bin", "forebay-e2e-app"])?;
    bundle(&repository().join("e2e"), "bundle")?;
    succeed(Command::new("node").arg("e2e/screenshots.js").current_dir(repository()))
}

/// What the open inspector costs, of an optimized server that records by itself.
pub(crate) fn inspector_load() -> Result<()> {
    step("the inspector under load");
    ensure_chromium()?;
    let build = ["build", "--release", "--config", "profile.release.debug-assertions=true"];
    cargo(&[&build[..], &["--package", "forebay-e2e-app"]].concat())?;
    bundle(&repository().join("e2e"), "bundle")?;
    let mut node = Command::new("node");
    node.arg("e2e/inspector_load.js").env("FOREBAY_E2E_APP", "target/release/forebay-e2e-app");
    succeed(node.current_dir(repository()))
}

/// All programs and examples, with the features that the workspace's tests have: so nothing is compiled twice.
pub(crate) fn programs() -> Result<()> {
    cargo(&["build", "--workspace", "--all-features", "--bins", "--examples"])
}

fn test_files(root: &Path, folder: &str) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root.join(folder))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".test.js") {
            files.push(format!("{folder}/{name}"));
        }
    }
    files.sort();
    Ok(files)
}

/// Makes the pages' scripts, with the folder's own command for it.
pub(crate) fn bundle(folder: &Path, script: &str) -> Result<()> {
    step("the pages' scripts");
    npm_ci(folder)?;
    npm(folder, &["run", "--silent", script])
}

/// Installs what the lock file says, unless that is what is there.
pub(crate) fn npm_ci(folder: &Path) -> Result<()> {
    let lock = folder.join("package-lock.json");
    let installed = folder.join("node_modules/.package-lock.json");
    let modified = |file: &Path| fs::metadata(file).and_then(|metadata| metadata.modified()).ok();
    if modified(&installed).is_some_and(|installed| modified(&lock).is_some_and(|l| l <= installed))
    {
        return Ok(());
    }
    npm(folder, &["ci", "--no-audit", "--no-fund", "--loglevel=error"])
}

pub(crate) fn npm(folder: &Path, arguments: &[&str]) -> Result<()> {
    ensure!(exists("npm"), "npm is not installed: install Node.js 20 or later");
    succeed(Command::new("npm").args(arguments).current_dir(folder))
}

pub(crate) fn ensure_chromium() -> Result<()> {
    let named = std::env::var("CHROMIUM").is_ok_and(|path| Path::new(&path).exists());
    if named || CHROMIUMS.into_iter().any(exists) {
        return Ok(());
    }
    if exists("apt-get") {
        return install("chromium");
    }
    bail!("Chromium is not installed: install it, or set CHROMIUM to its path")
}
