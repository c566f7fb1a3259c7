//! `cargo xtask test`: everything that CI asks for, and a table of how long each step took.

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::Result;

use crate::run::{cargo, cargo_with, say, step};
use crate::{browser, instructions, package, ruby, servers, wasm};

pub(crate) fn run() -> Result<()> {
    let mut times = Times::default();
    let result = steps(&mut times);
    say(&times.table());
    result
}

fn steps(times: &mut Times) -> Result<()> {
    times.take("format", || {
        step("format");
        cargo(&["fmt", "--all", "--check"])
    })?;
    times.take("clippy", clippy)?;
    times.take("tests", tests)?;
    times.take("wasm", wasm::check)?;
    times.take("packages", || package::package(false))?;
    times.take("documentation", documentation)?;
    if instructions::has_baseline() {
        times.take("instructions", || instructions::run(false))?;
    }
    times.take("ruby", ruby::run)?;
    times.take("client", browser::client)?;
    times.take("browser", || browser::test(&[]))
}

fn clippy() -> Result<()> {
    step("clippy");
    let deny = ["--", "--deny", "warnings"];
    let all = ["clippy", "--workspace", "--all-targets", "--all-features"];
    cargo(&[&all[..], &deny[..]].concat())?;
    // Features must stand alone, too: the pure crates and the facade without any.
    let plain = ["clippy", "--package", "forebay", "--package", "forebay-turbo"];
    cargo(&[&plain[..], &deny[..]].concat())
}

fn tests() -> Result<()> {
    servers::ensure_packages()?;
    step("tests: unit, scenarios, vectors, layers, stores");
    cargo(&["test", "--workspace", "--all-features"])
}

fn documentation() -> Result<()> {
    step("documentation");
    let doc = ["doc", "--workspace", "--all-features", "--no-deps"];
    cargo_with(&doc, &[("RUSTDOCFLAGS", "--deny warnings")])
}

/// How long each step took, whether it passed or not.
#[derive(Default)]
struct Times(Vec<(&'static str, u64)>);

impl Times {
    fn take(&mut self, name: &'static str, step: impl FnOnce() -> Result<()>) -> Result<()> {
        let begin = Instant::now();
        let result = step();
        self.0.push((name, begin.elapsed().as_secs()));
        result
    }

    fn table(&self) -> String {
        let mut table = format!("\n{:<16}{:>8}\n", "step", "seconds");
        let sum = self.0.iter().map(|(_, seconds)| seconds).sum();
        for (name, seconds) in self.0.iter().chain([&("together", sum)]) {
            let _ = writeln!(table, "{name:<16}{seconds:>8}");
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_in_the_table_too() {
        let mut times = Times::default();
        times.take("passes", || Ok(())).unwrap();
        times.take("fails", || anyhow::bail!("no")).unwrap_err();
        let table = times.table();
        let names = table.lines().filter_map(|line| line.split_whitespace().next());
        assert_eq!(names.collect::<Vec<_>>(), ["step", "passes", "fails", "together"]);
    }
}
