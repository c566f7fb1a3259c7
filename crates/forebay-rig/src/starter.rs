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

/// A program that ends when this process dies, and runs as `user` where one is named. util-linux' `setpriv` asks
/// Linux for that, without `unsafe` of ours, and then becomes the program: the process id is the program's.
pub(crate) fn command(program: &str, user: Option<&str>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if let Some(user) = user {
        command.args(["--reuid", user, "--regid", user, "--init-groups"]);
    }
    command.arg("--").arg(program);
    command.env("LC_ALL", "C");
    command
}
