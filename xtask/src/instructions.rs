//! What the hot paths cost, in instructions, against what they cost when the baseline was written.
//!
//! Time says nothing on a machine that others share; callgrind's counts are the same from run to
//! run. `bench/README.md` says what is counted, and how far to trust it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::run::{cargo_command, exists, install, repository, say, step, succeed, target};

const BASELINE: &str = "bench/instructions.json";
const README: &str = "bench/README.md";

/// The operations of each benchmark (`OPERATIONS` in `crates/forebay-instructions`).
const OPERATIONS: u64 = 10_000;

/// How far above its baseline a count may be, in per mille. Between runs counts differ by less than
/// one; the rest is for what a compiler decides otherwise when code elsewhere changes.
const TOLERANCE: u64 = 30;

/// What a path may never cost, whatever its baseline says.
const LIMITS: [(&str, u64); 1] = [("publish_to_nobody", 3_000)];

/// Instructions of one operation, by the benchmark's name.
type Counts = BTreeMap<String, u64>;

#[derive(Serialize, Deserialize)]
struct Baseline {
    /// What it was counted with: other versions may well count otherwise.
    rustc: String,
    valgrind: String,
    counts: Counts,
}

/// Whether the baseline is good for this machine: it was counted on one like it.
pub(crate) fn has_baseline() -> bool {
    cfg!(all(target_os = "linux", target_arch = "x86_64"))
}

/// Counts, and compares with the baseline or, to `write`, makes this the baseline.
pub(crate) fn run(write: bool) -> Result<()> {
    step("instructions");
    ensure_valgrind()?;
    let today = count()?;
    let (rustc, valgrind) = (version("rustc")?, version("valgrind")?);
    if write {
        check_limits(&today)?;
        return write_baseline(&Baseline { rustc, valgrind, counts: today });
    }
    let baseline = read_baseline()?;
    let (text, verdict) = compare(&baseline.counts, &today);
    say(&text);
    if !has_baseline() {
        say("The baseline is for Linux on x86-64: nothing is compared on this machine.");
        return Ok(());
    }
    if verdict != Verdict::Good && (&baseline.rustc, &baseline.valgrind) != (&rustc, &valgrind) {
        say(&format!(
            "The baseline was counted with {} and {}, this with {rustc} and {valgrind}: \
             if nothing else has changed, renew it.",
            baseline.rustc, baseline.valgrind
        ));
    }
    let renew = "`cargo xtask instructions --write` renews the baseline";
    match verdict {
        Verdict::Worse => bail!("a hot path costs more than it did; if it must, {renew}"),
        Verdict::Unknown => bail!("the baseline is not of these benchmarks; {renew}"),
        Verdict::Better => say(&format!("Better than the baseline: {renew}.")),
        Verdict::Good => {}
    }
    check_limits(&today)
}

fn check_limits(counts: &Counts) -> Result<()> {
    for (name, max) in LIMITS {
        let count = counts.get(name).copied().unwrap_or(u64::MAX);
        ensure!(count <= max, "{name} costs {count} instructions, and may cost {max}");
    }
    Ok(())
}

// --- comparing -----------------------------------------------------------------------------------

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Verdict {
    Good,
    Better,
    Unknown,
    Worse,
}

/// A table of both, and the worst that is to be said of any.
fn compare(baseline: &Counts, today: &Counts) -> (String, Verdict) {
    let mut table = format!("{:<20} {:>9} {:>9}\n", "", "baseline", "today");
    let mut worst = Verdict::Good;
    let names: BTreeSet<_> = baseline.keys().chain(today.keys()).collect();
    for name in names {
        let (before, now) = (baseline.get(name), today.get(name));
        let (verdict, remark) = judge(before.copied(), now.copied());
        worst = worst.max(verdict);
        let cell = |count: Option<&u64>| count.map_or_else(|| "-".to_owned(), |n| thousands(*n));
        let _ = writeln!(table, "{name:<20} {:>9} {:>9}  {remark}", cell(before), cell(now));
    }
    (table, worst)
}

fn judge(before: Option<u64>, now: Option<u64>) -> (Verdict, String) {
    let (before, now) = match (before, now) {
        (Some(before), Some(now)) => (before, now),
        (None, _) => return (Verdict::Unknown, "not in the baseline".to_owned()),
        (_, None) => return (Verdict::Unknown, "not counted any more".to_owned()),
    };
    let per_mille = now.abs_diff(before) * 1000 / before.max(1);
    let sign = if now < before { '-' } else { '+' };
    let change = format!("{sign}{}.{} %", per_mille / 10, per_mille % 10);
    match (per_mille > TOLERANCE, now > before) {
        (true, true) => (Verdict::Worse, format!("{change}  WORSE")),
        (true, false) => (Verdict::Better, format!("{change}  better")),
        (false, _) => (Verdict::Good, change),
    }
}

fn thousands(count: u64) -> String {
    match (count / 1000, count % 1000) {
        (0, ones) => ones.to_string(),
        (thousands, ones) => format!("{thousands} {ones:03}"),
    }
}

// --- counting ------------------------------------------------------------------------------------

fn count() -> Result<Counts> {
    let program = build()?;
    let names = Command::new(&program).output().context("failed to start the benchmarks")?;
    let names = String::from_utf8(names.stdout)?;
    names.lines().map(|name| Ok((name.to_owned(), total(&program, name)? / OPERATIONS))).collect()
}

/// The benchmarks' program, which cargo names.
fn build() -> Result<PathBuf> {
    let mut build = cargo_command(&["bench", "--quiet", "--package", "forebay-instructions"]);
    build.args(["--no-run", "--message-format=json-render-diagnostics"]).stderr(Stdio::inherit());
    let output = build.output().context("failed to start cargo")?;
    ensure!(output.status.success(), "the benchmarks can't be built: {}", output.status);
    let lines = String::from_utf8(output.stdout)?;
    let messages = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut programs = messages.filter_map(|said| said["executable"].as_str().map(PathBuf::from));
    programs.next().context("cargo built no benchmarks")
}

/// All instructions of one benchmark's run. `callgrind_annotate` shows where they went.
fn total(program: &Path, name: &str) -> Result<u64> {
    let folder = target().join("instructions");
    fs::create_dir_all(&folder)?;
    let out = folder.join(format!("{name}.out"));
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--quiet", "--toggle-collect=*counted*"]);
    valgrind.arg(format!("--callgrind-out-file={}", out.display())).arg(program).arg(name);
    succeed(&mut valgrind)?;
    let out = fs::read_to_string(&out)?;
    let total = out.lines().find_map(|line| line.strip_prefix("totals: ")?.parse().ok());
    total.filter(|total| *total > 0).with_context(|| format!("callgrind counted nothing in {name}"))
}

pub(crate) fn ensure_valgrind() -> Result<()> {
    if exists("valgrind") {
        return Ok(());
    }
    ensure!(exists("apt-get"), "valgrind is not installed: install it");
    install("valgrind")
}

fn version(program: &str) -> Result<String> {
    let output = Command::new(program).arg("--version").output();
    let output = output.with_context(|| format!("failed to start {program}"))?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

// --- the files -----------------------------------------------------------------------------------

fn read_baseline() -> Result<Baseline> {
    let text = fs::read_to_string(repository().join(BASELINE)).context(BASELINE)?;
    serde_json::from_str(&text).context(BASELINE)
}

fn write_baseline(baseline: &Baseline) -> Result<()> {
    let json = serde_json::to_string_pretty(baseline)?;
    fs::write(repository().join(BASELINE), json + "\n")?;
    let readme = repository().join(README);
    let text = fs::read_to_string(&readme).context(README)?;
    fs::write(readme, with_table(&text, baseline)?)?;
    say(&format!("{}written: {BASELINE}, {README}", markdown(baseline)));
    Ok(())
}

const TABLE: [&str; 2] = ["<!-- instructions -->\n", "<!-- /instructions -->"];

/// The readme with this baseline's table in the place that is marked for it.
fn with_table(readme: &str, baseline: &Baseline) -> Result<String> {
    let [begin, end] = TABLE;
    let marks = readme.split_once(begin).zip(readme.split_once(end));
    let ((before, _), (_, after)) = marks.context("bench/README.md lacks the table's marks")?;
    Ok(format!("{before}{begin}{}{end}{after}", markdown(baseline)))
}

fn markdown(baseline: &Baseline) -> String {
    let mut table = "| path | instructions |\n|---|--:|\n".to_owned();
    for (name, count) in &baseline.counts {
        let _ = writeln!(table, "| `{name}` | {} |", thousands(*count));
    }
    let _ = writeln!(table, "\nCounted with {} and {}.", baseline.rustc, baseline.valgrind);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: Option<u64>, now: Option<u64>, expected: Verdict) {
        let counts = |count: Option<u64>| count.map(|count| ("a".to_owned(), count)).into_iter();
        let (table, verdict) = compare(&counts(before).collect(), &counts(now).collect());
        assert_eq!(verdict, expected, "{table}");
    }

    #[test]
    fn a_count_is_compared_with_its_baseline() {
        check(Some(1_000), Some(1_030), Verdict::Good);
        check(Some(1_000), Some(1_031), Verdict::Worse);
        check(Some(1_000), Some(970), Verdict::Good);
        check(Some(1_000), Some(969), Verdict::Better);
        check(None, Some(1), Verdict::Unknown);
        check(Some(1), None, Verdict::Unknown);
    }

    #[test]
    fn the_worst_is_what_is_said() {
        let counts = |counts: [u64; 3]| -> Counts {
            ["a", "b", "c"].map(str::to_owned).into_iter().zip(counts).collect()
        };
        let (_, verdict) = compare(&counts([100; 3]), &counts([50, 200, 100]));
        assert_eq!(verdict, Verdict::Worse);
    }

    #[test]
    fn the_readme_says_what_the_baseline_says() {
        let readme = fs::read_to_string(repository().join(README)).unwrap();
        let baseline = read_baseline().unwrap();
        assert_eq!(with_table(&readme, &baseline).unwrap(), readme);
        check_limits(&baseline.counts).unwrap();
    }
}
