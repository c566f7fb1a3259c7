//! System calls of a server, counted by `perf` where the kernel lets it.
//!
//! `/proc/PID/io` counts for nothing: it knows `write` and `writev` but not `send` and `recv`, and servers
//! differ in which they use.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};

use super::Bench;
use super::site::Site;
use crate::process;

const EVENT: &str = "raw_syscalls:sys_enter";

/// Rounds of their own, since counting costs time; `None` where it can't be done, which the report says.
pub(super) fn per_delivery(
    bench: &mut Bench,
    site: &mut Site,
    burst: usize,
) -> Result<Option<f64>> {
    if bench.figures.skipped.contains_key("perf") {
        return Ok(None);
    }
    let counter = match Counter::start(bench, site.running.pid()) {
        Ok(counter) => counter,
        Err(error) => {
            let why = format!("system calls could not be counted: {error:#}");
            bench.figures.skipped.insert("perf".to_owned(), why);
            return Ok(None);
        }
    };
    let outcome = site.fleet.rounds(10, burst, 400)?;
    let calls = counter.stop()?;
    outcome.ensure_exact()?;
    Ok(Some(calls / outcome.deliveries as f64))
}

/// A `perf stat` that counts.
struct Counter {
    perf: Child,
    output: PathBuf,
}

impl Counter {
    fn start(bench: &Bench, root: u32) -> Result<Self> {
        let folder = bench.scratch();
        let [orders, answers, output] =
            ["perf.orders", "perf.answers", "perf.output"].map(|name| folder.join(name));
        for path in [&orders, &answers, &output] {
            let _ = fs::remove_file(path);
        }
        Command::new("mkfifo").args([&orders, &answers]).status()?;
        let pids: Vec<_> = process::tree(root)?.iter().map(u32::to_string).collect();
        let control = format!("fifo:{},{}", orders.display(), answers.display());
        // Opened for both, a fifo waits for nobody.
        let open = |path| File::options().read(true).write(true).open(path);
        let (mut orders, mut answers) = (open(&orders)?, open(&answers)?);
        let mut perf = Command::new("perf");
        perf.args(["stat", "--field-separator=,", "--event", EVENT, "--delay=-1"]);
        perf.args(["--control", &control, "--pid", &pids.join(",")]).arg("--output").arg(&output);
        perf.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut perf = perf.spawn().context("no perf")?;
        orders.write_all(b"enable\n")?;
        let events = rustix::event::PollFlags::IN;
        let mut ready = [rustix::event::PollFd::new(&answers, events)];
        let patience = rustix::time::Timespec { tv_sec: 5, tv_nsec: 0 };
        if rustix::event::poll(&mut ready, Some(&patience))? == 0 || perf.try_wait()?.is_some() {
            let _ = perf.kill();
            let _ = perf.wait();
            anyhow::bail!("perf can't count {EVENT}");
        }
        let _ = answers.read(&mut [0; 16])?;
        Ok(Self { perf, output })
    }

    fn stop(mut self) -> Result<f64> {
        kill_process(Pid::from_child(&self.perf), Signal::INT)?;
        self.perf.wait()?;
        count(&fs::read_to_string(&self.output)?).context("perf counts")
    }
}

/// `COUNT,,EVENT,…`, behind a comment.
fn count(output: &str) -> Option<f64> {
    let line = output.lines().find(|line| line.contains(EVENT))?;
    line.split(',').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perf_says_a_number_or_that_it_has_none() {
        let output = "# started on Sat Nov 28\n\n143,,raw_syscalls:sys_enter,120,100.00,,\n";
        assert_eq!(count(output), Some(143.0));
        assert_eq!(count("<not counted>,,raw_syscalls:sys_enter,0,0,,"), None);
        assert_eq!(count(""), None);
    }
}
