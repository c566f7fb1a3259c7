//! The thread that starts all servers.
//!
//! Linux can end a process when its parent dies, but means the parent's *thread*. A test's thread ends before
//! its process does, and a runtime's blocking thread whenever it is idle. So one thread starts everything, and
//! lives as long as the process.

use std::io;
use std::process::{Child, Command};
use std::sync::{OnceLock, mpsc};
use std::thread;

type Answer = mpsc::Sender<io::Result<Child>>;

static STARTER: OnceLock<mpsc::Sender<(Command, Answer)>> = OnceLock::new();

/// Starts what [`command`] has made.
pub(crate) fn start(command: Command) -> io::Result<Child> {
    let starter = STARTER.get_or_init(|| {
        // Bounded by its senders: each waits for its answer.
        let (sender, requests) = mpsc::channel::<(Command, Answer)>();
        thread::spawn(move || {
            for (mut command, answer) in requests {
                // Whoever asked waits, so there is somebody to answer.
                drop(answer.send(command.spawn()));
            }
        });
        sender
    });
    let (answer, child) = mpsc::channel();
    let gone = || io::Error::other("the thread that starts servers has ended");
    starter.send((command, answer)).map_err(|_| gone())?;
    child.recv().map_err(|_| gone())?
}

/// A disk of its own for a program: what it holds is in memory, so many bytes of it, and nobody else sees it.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    pub(crate) folder: String,
    pub(crate) bytes: u64,
}

/// Whether this process may give programs a [`Disk`]: Linux lets root mount.
pub(crate) fn has_disks() -> bool {
    let tried = Command::new("unshare").args(["--mount", "true"]).output();
    rustix::process::geteuid().is_root() && tried.is_ok_and(|tried| tried.status.success())
}

/// A program that ends when this process dies, and runs as `user` where one is named. util-linux' `setpriv` asks
/// Linux for that, without `unsafe` of ours, and then becomes the program: the process id is the program's.
pub(crate) fn command(program: &str, user: Option<&str>) -> Command {
    with_disk(program, user, None)
}

/// The same, with a disk. Its mount ends with the program: `unshare` has made a place for it that is the program's
/// alone.
pub(crate) fn with_disk(program: &str, user: Option<&str>, disk: Option<&Disk>) -> Command {
    let mut command = if let Some(Disk { folder, bytes }) = disk {
        let mount = "mount -t tmpfs -o size=$1 forebay \"$2\" && chown \"$3\" \"$2\" && shift 3 && exec \"$@\"";
        let (bytes, owner) = (bytes.to_string(), user.unwrap_or("root"));
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", mount, "sh", &bytes, folder, owner, "setpriv"]);
        command
    } else {
        Command::new("setpriv")
    };
    command.args(["--pdeathsig", "KILL"]);
    if let Some(user) = user {
        command.args(["--reuid", user, "--regid", user, "--init-groups"]);
    }
    command.arg("--").arg(program);
    command.env("LC_ALL", "C");
    command
}
