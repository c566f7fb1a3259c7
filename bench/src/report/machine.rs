//! Where it was measured.

use std::fs;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Machine {
    pub(super) cpu: String,
    pub(super) cores: usize,
    pub(super) memory_bytes: u64,
    pub(super) kernel: String,
}

impl Machine {
    /// This one, as far as `/proc` tells.
    pub(super) fn this() -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/{name}")).unwrap_or_default();
        Self::parse(&read("cpuinfo"), &read("meminfo"), &read("sys/kernel/osrelease"))
    }

    fn parse(cpuinfo: &str, meminfo: &str, release: &str) -> Self {
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            let value = line.and_then(|line| line.split_once(':'));
            value.map_or_else(String::new, |(_, value)| value.trim().to_owned())
        };
        let memory = field(meminfo, "MemTotal");
        let kib: u64 = memory.split(' ').next().and_then(|kib| kib.parse().ok()).unwrap_or(0);
        Self {
            cpu: field(cpuinfo, "model name"),
            cores: cpuinfo.lines().filter(|line| line.starts_with("processor")).count(),
            memory_bytes: kib * 1024,
            kernel: format!("Linux {}", release.trim()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_understood() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nprocessor\t: 1\n";
        let machine = Machine::parse(cpuinfo, "MemTotal:       2048 kB\n", "6.1.0\n");
        let cpu = "Some CPU @ 2 GHz".to_owned();
        let kernel = "Linux 6.1.0".to_owned();
        assert_eq!(machine, Machine { cpu, cores: 2, memory_bytes: 2 << 20, kernel });
    }
}
