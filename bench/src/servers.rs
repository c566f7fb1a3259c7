//! Every server that gets the same work: Forebay, the floor, and the peers.

mod action_cable;
mod anycable;
mod centrifugo;
mod libraries;
mod nchan;
mod own;
mod packages;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

pub(crate) use self::anycable::ANYCABLE;
pub(crate) use self::libraries::SINK;
pub(crate) use self::own::{FLOOR, FOREBAY, is_ours, is_peer};
use crate::load::{Dialect, Post, Rendered, Target};

/// In the order in which they are measured: the floor first, since ratios are made with the latest.
pub(crate) const ALL: &[Server] = &[
    FLOOR,
    FOREBAY,
    own::FOREBAY_EXTENDED,
    own::FOREBAY_EVENTS,
    libraries::AXUM,
    libraries::AXUM_TUNED,
    libraries::TOKIO_WEBSOCKETS,
    libraries::FASTWEBSOCKETS,
    nchan::NCHAN,
    ANYCABLE,
    centrifugo::CENTRIFUGO,
    action_cable::ACTION_CABLE,
];

/// The key that signs stream names, and the password of whoever publishes.
pub(crate) const SECRET: &str = "a secret that only the bench needs to know";

/// How long a server may take until it serves.
const START_MAX: Duration = Duration::from_mins(1);

/// One kind of server under measurement.
#[derive(Clone, Copy)]
pub(crate) struct Server {
    /// Its name in every report.
    pub(crate) name: &'static str,
    pub(crate) dialect: Dialect,
    /// Where clients connect (see [`Target::path`]).
    pub(crate) path: &'static str,
    pub(crate) post: Post,
    /// Makes it ready to start; says what it is, or why it cannot be had.
    pub(crate) prepare: fn(&Place) -> Result<Prepared>,
    /// For servers whose clients can come back for what they missed: where the first stream stands, for
    /// a page that is rendered now.
    pub(crate) rendered: Option<fn(u16) -> Result<Rendered>>,
    /// How to start it on a port.
    pub(crate) command: fn(&Place, u16) -> Result<Command>,
}

/// What the report says about a server.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) version: String,
    /// Options that differ from its defaults, and why.
    pub(crate) options: &'static str,
}

/// Where things are.
#[derive(Debug)]
pub(crate) struct Place {
    /// The repository.
    pub(crate) root: PathBuf,
    /// What is built, this program too: `target/bench`.
    pub(crate) built: PathBuf,
    /// For what servers write.
    pub(crate) scratch: PathBuf,
    /// The anycable-go that the command line names.
    pub(crate) anycable: Option<PathBuf>,
    /// Where the floor's frames come from: what Forebay puts around a message.
    pub(crate) envelope: (String, String),
    /// Entries that whoever connects has missed: the floor gives them to everybody.
    pub(crate) replay: usize,
    /// Cores of the server, for those that need to be told.
    pub(crate) cores: usize,
    /// Options that Forebay is started with, beside those that it always has.
    pub(crate) options: &'static [&'static str],
}

/// A server's process, ended when it is dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) port: u16,
}

impl Server {
    /// Starts it on these cores.
    pub(crate) fn start(&self, place: &Place, cores: &str) -> Result<Running> {
        let port = free_port()?;
        let command = (self.command)(place, port)?;
        let mut pinned = Command::new("taskset");
        pinned.args(["--cpu-list", cores]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => pinned.env(name, value),
                None => pinned.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            pinned.current_dir(folder);
        }
        let log = std::fs::File::create(place.scratch.join(format!("{}.log", self.name)))?;
        pinned.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = pinned.spawn().with_context(|| format!("starting {}", self.name))?;
        let mut running = Running { child, port };
        running.wait_until_ready().with_context(|| {
            let log = place.scratch.join(format!("{}.log", self.name));
            let log = std::fs::read_to_string(log).unwrap_or_default();
            format!("{} does not serve; it said:\n{log}", self.name)
        })?;
        Ok(running)
    }

    /// Whom its clients connect to.
    pub(crate) fn target(&self, port: u16, streams: usize) -> Target {
        Target {
            dialect: self.dialect,
            port,
            path: self.path.to_owned(),
            secret: SECRET.to_owned(),
            streams,
            heard: streams,
            rendered: None,
        }
    }
}

/// The folder in which cargo builds this program.
pub(crate) fn built() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let folder = program.ancestors().nth(2).context("cargo builds into a folder of its own")?;
    Ok(folder.to_owned())
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended: {status}");
            }
            if began.elapsed() > START_MAX {
                bail!("not within {START_MAX:?}");
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        // Servers with workers end them when they are asked, not when they are killed.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        for _ in 0..100 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a server answers to one request, which has to succeed.
fn ask(port: u16, request: &str, headers: &str, body: &str) -> Result<String> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    let length = body.len();
    write!(
        socket,
        "{request} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}Content-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer has a head")?;
    ensure!(head.starts_with("HTTP/1.1 200"), "{request} was answered: {answer}");
    Ok(body.to_owned())
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
