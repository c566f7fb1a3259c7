//! Which process has a folder open, where the system says it.
//!
//! Linux lists the locks of all processes in `/proc/locks`, with the process and the file. In a container it
//! lists those of the container alone; then, and elsewhere, nobody can be named.

use std::path::Path;

/// The process that has locked a file of this folder.
#[cfg(target_os = "linux")]
pub(super) fn of(folder: &Path) -> Option<u32> {
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let files = std::fs::read_dir(folder).ok()?.flatten();
    let mut files = files.filter_map(|file| Some(name(&file.metadata().ok()?)));
    files.find_map(|file| locker(&locks, &file))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn of(_: &Path) -> Option<u32> {
    None
}

/// What `/proc/locks` calls a file: its device, as two hexadecimal numbers, and its inode.
#[cfg(target_os = "linux")]
fn name(file: &std::fs::Metadata) -> String {
    use std::os::linux::fs::MetadataExt as _;
    let device = file.st_dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    format!("{major:02x}:{minor:02x}:{}", file.st_ino())
}

/// Who has locked the file: `1: FLOCK  ADVISORY  WRITE 2535 fe:00:5956082 0 EOF`. Who only waits for a lock has
/// an arrow in front of it.
#[cfg(target_os = "linux")]
fn locker(locks: &str, file: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let [_, _, _, _, pid, locked, ..] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return None;
        };
        // A process that this one can't see is 0.
        (locked == file).then(|| pid.parse().ok()).flatten().filter(|pid| *pid > 0)
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_locks_of_a_file_name_who_has_it() {
        let locks = "1: FLOCK  ADVISORY  WRITE 2535 fe:00:82 0 EOF\n\
                     1: -> FLOCK  ADVISORY  WRITE 2536 fe:00:82 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 0 fe:00:83 0 EOF\n\
                     3: OFDLCK ADVISORY  READ -1 00:05:1054 0 EOF\n";
        assert_eq!(locker(locks, "fe:00:82"), Some(2535));
        for unknown in ["fe:00:83", "fe:00:8", "00:05:1054"] {
            assert_eq!(locker(locks, unknown), None, "{unknown}");
        }
    }
}
