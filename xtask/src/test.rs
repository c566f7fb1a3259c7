//! `cargo xtask test`: everything that CI asks for, and a table of how long each step took.
//!
//! Compiling takes both cores of CI's machine. Tests mostly wait: for servers, for pages, for pauses that they are
//! about. So what has to be compiled for itself is compiled while they wait, at the lowest priority.

use std::env;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::run::{cargo, cargo_with, exists, repository, say, step};
use crate::{browser, instructions, ruby, servers};

/// What is done beside the tests, each by a `cargo xtask` of its own. The first needs no lock of cargo's, which the
/// tests want at that time.
const BESIDE: [(&str, &[&str]); 6] = [
    ("packages", &["package", "--no-verify"]),
    ("wasm", &["wasm"]),
    ("features", &["features"]),
    ("documentation", &["documentation"]),
    ("mistakes", &["mistakes"]),
    ("instructions", &["instructions"]),
];

pub(crate) fn run() -> Result<()> {
    // Before the tests' build puts another file in its place.
    let xtask = env::current_exe()?;
    let times = Times::new();
    let result = steps(&xtask, &times);
    say(&times.table());
    result
}

fn steps(xtask: &Path, times: &Times) -> Result<()> {
    times.take("format", format)?;
    times.take("clippy", clippy)?;
    times.take("installing", install)?;
    times.take("build", build)?;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let beside = scope.spawn(|| beside(xtask, times, &stop));
        let tests = tests(times);
        stop.store(tests.is_err(), Ordering::Relaxed);
        let beside =
            beside.join().map_err(|_| anyhow!("what is done beside the tests panicked"))?;
        tests.and(beside)
    })
}

fn format() -> Result<()> {
    step("format");
    cargo(&["fmt", "--all", "--check"])
}

fn clippy() -> Result<()> {
    step("clippy");
    cargo(&["clippy", "--workspace", "--all-targets", "--all-features", "--", "--deny", "warnings"])
}

/// Only one of apt's can run at a time.
fn install() -> Result<()> {
    servers::ensure_packages()?;
    ruby::ensure_packages()?;
    browser::ensure_chromium()?;
    if instructions::has_baseline() { instructions::ensure_valgrind() } else { Ok(()) }
}

fn build() -> Result<()> {
    step("build");
    cargo(&["test", "--workspace", "--all-features", "--no-run"])?;
    browser::programs()
}

fn tests(times: &Times) -> Result<()> {
    times.take("tests", || {
        step("tests: unit, scenarios, vectors, layers, stores");
        let all = ["test", "--workspace", "--all-features", "--"];
        // They compile for minutes: `mistakes`.
        cargo(&[&all[..], &["--skip", MISTAKES]].concat())
    })?;
    times.take("ruby", ruby::run)?;
    times.take("client", browser::client)?;
    times.take("browser", || browser::test(&[]))
}

// --- beside the tests ----------------------------------------------------------------------------

fn beside(xtask: &Path, times: &Times, stop: &AtomicBool) -> Result<()> {
    for (name, task) in BESIDE {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        if name != "instructions" || instructions::has_baseline() {
            times.take(name, || at_rest(xtask, task))?;
        }
    }
    Ok(())
}

/// A task whose words come when it has ended: among the tests' they would be lost.
fn at_rest(xtask: &Path, task: &[&str]) -> Result<()> {
    let mut command = Command::new(if exists("nice") { "nice".as_ref() } else { xtask });
    if exists("nice") {
        command.args(["-n", "19"]).arg(xtask);
    }
    let output = command.args(task).current_dir(repository()).output();
    let output = output.with_context(|| format!("failed to start {command:?}"))?;
    for words in [&output.stdout, &output.stderr] {
        say(&String::from_utf8_lossy(words));
    }
    ensure!(output.status.success(), "cargo xtask {} failed: {}", task.join(" "), output.status);
    Ok(())
}

/// Features must stand alone, too: the pure crates and the facade without any, the guides' programs with those that the
/// guides name, and the others with those of their manifests.
pub(crate) fn features() -> Result<()> {
    step("each with its own features");
    let plain = ["clippy", "--package", "forebay", "--package", "forebay-turbo"];
    cargo(&[&plain[..], &["--", "--deny", "warnings"]].concat())?;
    let guides = ["check", "--bins", "--examples", "--features", "forebay/askama,forebay/sqlx"];
    let programs =
        ["forebay", "forebay-actix", "forebay-chat", "forebay-e2e-app", "forebay-server"];
    let programs: Vec<_> = programs.into_iter().flat_map(|name| ["--package", name]).collect();
    cargo(&[&guides[..], &programs].concat())
}

pub(crate) fn documentation() -> Result<()> {
    step("documentation");
    let doc = ["doc", "--workspace", "--all-features", "--no-deps"];
    cargo_with(&doc, &[("RUSTDOCFLAGS", "--deny warnings")])
}

/// What all tests of compiler errors are named. Each compiles its package once more, and what that depends on.
const MISTAKES: &str = "mistakes_are_explained_where_they_are";

pub(crate) fn mistakes() -> Result<()> {
    step("what the compiler says");
    cargo(&["test", "--workspace", "--all-features", "--test", "ui", "--", "--exact", MISTAKES])
}

// --- the table -----------------------------------------------------------------------------------

/// How long each step took, whether it passed or not.
struct Times {
    begin: Instant,
    steps: Mutex<Vec<(&'static str, Duration)>>,
}

impl Times {
    fn new() -> Self {
        Self { begin: Instant::now(), steps: Mutex::default() }
    }

    fn take(&self, name: &'static str, step: impl FnOnce() -> Result<()>) -> Result<()> {
        let begin = Instant::now();
        let result = step();
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        steps.push((name, begin.elapsed()));
        result
    }

    fn table(&self) -> String {
        let steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = format!("\n{:<16}{:>8}\n", "step", "seconds");
        for (name, took) in steps.iter().chain([&("in all", self.begin.elapsed())]) {
            let beside = BESIDE.iter().any(|(beside, _)| beside == name);
            let remark = if beside { "  beside the tests" } else { "" };
            let _ = writeln!(table, "{name:<16}{:>8}{remark}", took.as_secs());
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_in_the_table_too() {
        let times = Times::new();
        times.take("build", || Ok(())).unwrap();
        times.take("wasm", || anyhow::bail!("no")).unwrap_err();
        let table = times.table();
        let names = table.lines().filter_map(|line| line.split("  ").next());
        assert_eq!(names.collect::<Vec<_>>(), ["", "step", "build", "wasm", "in all"]);
        assert_eq!(table.matches("beside the tests").count(), 1);
    }
}
