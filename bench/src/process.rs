//! What a server's processes use, as Linux counts it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// What a process tree has used since it began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Nanoseconds on a core (`schedstat`).
    pub(crate) cpu_ns: u64,
    /// The same as the kernel's accounting splits it, in ticks of 10 ms.
    pub(crate) user_ticks: u64,
    pub(crate) system_ticks: u64,
    pub(crate) switches: u64,
}

impl Usage {
    /// What was used since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns.saturating_sub(before.cpu_ns),
            user_ticks: self.user_ticks.saturating_sub(before.user_ticks),
            system_ticks: self.system_ticks.saturating_sub(before.system_ticks),
            switches: self.switches.saturating_sub(before.switches),
        }
    }
}

/// A server's first process with all its descendants.
pub(crate) fn usage(root: u32) -> Result<Usage> {
    let mut total = Usage::default();
    for pid in tree(root)? {
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            let thread = thread?.path();
            // One that has ended meanwhile is no error.
            let Ok(schedstat) = read(&thread.join("schedstat")) else { continue };
            let Ok(status) = read(&thread.join("status")) else { continue };
            total.cpu_ns += number(schedstat.split(' ').next());
            let switches = status.lines().filter(|line| line.contains("ctxt_switches:"));
            total.switches +=
                switches.map(|line| number(line.split_whitespace().nth(1))).sum::<u64>();
        }
        let stat = stat(pid)?;
        total.user_ticks += number(stat.get(11).map(String::as_str));
        total.system_ticks += number(stat.get(12).map(String::as_str));
    }
    Ok(total)
}

/// Bytes of memory that are resident and the process tree's own, or mapped by it.
pub(crate) fn rss(root: u32) -> Result<u64> {
    let mut bytes = 0;
    for pid in tree(root)? {
        let status = read(Path::new(&format!("/proc/{pid}/status")))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        bytes += number(line.and_then(|line| line.split_whitespace().next())) * 1024;
    }
    Ok(bytes)
}

/// Bytes of kernel memory that can't be reclaimed, of the whole machine.
pub(crate) fn kernel_memory() -> Result<u64> {
    let meminfo = read(Path::new("/proc/meminfo"))?;
    let kib = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name));
        number(line.and_then(|line| line.split_whitespace().next()))
    };
    Ok((kib("SUnreclaim:") + kib("KernelStack:") + kib("PageTables:")) * 1024)
}

/// A process and all its descendants.
pub(crate) fn tree(root: u32) -> Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // It may have ended since.
        if let Ok(stat) = stat(pid) {
            parents.push((pid, number(stat.get(1).map(String::as_str))));
        }
    }
    let mut tree = vec![root];
    let mut at = 0;
    while let Some(&parent) = tree.get(at) {
        tree.extend(parents.iter().filter(|(_, of)| *of == u64::from(parent)).map(|(pid, _)| *pid));
        at += 1;
    }
    Ok(tree)
}

/// The fields of `/proc/PID/stat` behind the command's name: state, parent, …
fn stat(pid: u32) -> Result<Vec<String>> {
    let stat = read(Path::new(&format!("/proc/{pid}/stat")))?;
    let fields = stat.rsplit_once(") ").context("a stat has a command")?.1;
    Ok(fields.split(' ').map(str::to_owned).collect())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn number(text: Option<&str>) -> u64 {
    text.and_then(|text| text.trim().parse().ok()).unwrap_or_default()
}
