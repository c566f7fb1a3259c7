//! NATS with JetStream: Debian's `nats-server`, or the newest, built from Go's module.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::port::Port;
use crate::server::{find, run, text};
use crate::{Certificates, Error, Process, Program, Server};

/// The newest at the time of writing. A version that changes by itself would make tests fail that nobody touched.
const NEWEST: &str = "v2.15.3";

/// Whose program is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// `nats-server` in the path: on Debian 12, version 2.9.
    Installed,
    /// The newest, from Go's module. It is built once, into the target folder.
    Newest,
}

/// A NATS server.
#[derive(Debug)]
pub struct Nats {
    process: Process,
    account: Option<String>,
    certificates: Option<Certificates>,
    port: Port,
    folder: TempDir,
}

/// What differs between NATS servers. The default asks for no password, and syncs each message.
#[derive(Debug)]
#[must_use]
pub struct NatsOptions {
    build: Build,
    authorization: String,
    account: Option<String>,
    tls: bool,
    store_bytes_max: u64,
    lines: String,
}

impl NatsOptions {
    /// Only this user may do anything.
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.authorization = format!("authorization {{ user: {name:?}, password: {password:?} }}");
        self.account = Some(format!("{name}:{password}"));
        self
    }

    /// Only who has this token may do anything.
    pub fn token(mut self, token: &str) -> Self {
        self.authorization = format!("authorization {{ token: {token:?} }}");
        self.account = Some(token.to_owned());
        self
    }

    /// Only TLS, with [`Nats::certificates`].
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// What JetStream may keep on disk; 1 GiB by default.
    pub fn store_bytes_max(mut self, bytes: u64) -> Self {
        self.store_bytes_max = bytes;
        self
    }

    /// A line of the configuration file.
    pub fn configure(mut self, line: &str) -> Self {
        self.lines.push_str(line);
        self.lines.push('\n');
        self
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// `nats-server` is missing, can't be built, or refuses the options.
    pub fn start(self) -> Result<Nats, Error> {
        let program = match self.build {
            Build::Installed => find("nats-server")?,
            Build::Newest => newest()?,
        };
        let folder = tempfile::Builder::new().prefix("forebay-nats-").tempdir()?;
        let port = Port::reserve()?;
        let certificates = self.tls.then(|| Certificates::make(folder.path())).transpose()?;
        let file = folder.path().join("nats.conf");
        fs::write(&file, self.file(folder.path(), port.number(), certificates.as_ref()))?;
        let process =
            Program::new(program, "Server is ready").argument("-c").argument(&file).start()?;
        Ok(Nats { process, account: self.account, certificates, port, folder })
    }

    fn file(&self, folder: &Path, port: u16, certificates: Option<&Certificates>) -> String {
        let tls = certificates.map(|files| {
            let [certificate, key] = [&files.certificate, &files.key].map(|file| text(file));
            format!("tls {{ cert_file: {certificate:?}, key_file: {key:?} }}\n")
        });
        // 2.9 knows no interval, and syncs every two minutes: the kernel has what a killed process wrote.
        let sync = if self.build == Build::Newest { "sync_interval: always" } else { "" };
        format!(
            "host: 127.0.0.1\nport: {port}\n\
             jetstream {{ store_dir: {:?}, max_memory_store: 67108864, max_file_store: {}, {sync} }}\n\
             {}\n{}{}",
            text(folder),
            self.store_bytes_max,
            self.authorization,
            tls.unwrap_or_default(),
            self.lines
        )
    }
}

impl Nats {
    /// What is there to choose.
    pub fn options(build: Build) -> NatsOptions {
        NatsOptions {
            build,
            authorization: String::new(),
            account: None,
            tls: false,
            store_bytes_max: 1 << 30,
            lines: String::new(),
        }
    }

    /// Which builds this machine has. [`Build::Newest`] is among them if there is Go, and its module can be had;
    /// where not, a line says why.
    pub fn builds() -> Vec<Build> {
        let mut builds = vec![Build::Installed];
        match newest() {
            Ok(_) => builds.push(Build::Newest),
            Err(error) => skip(&error),
        }
        builds
    }

    /// Where its streams are. While it is stopped, a copy of that folder can take its place.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("jetstream")
    }

    /// What a client has to trust, if it uses TLS.
    pub fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }
}

impl Server for Nats {
    fn process(&self) -> &Process {
        &self.process
    }

    fn address(&self) -> SocketAddr {
        self.port.address()
    }

    fn url_at(&self, address: SocketAddr) -> String {
        let scheme = if self.certificates.is_some() { "tls" } else { "nats" };
        let account = self.account.as_ref().map(|account| format!("{account}@"));
        format!("{scheme}://{}{address}", account.unwrap_or_default())
    }
}

#[expect(clippy::print_stderr, reason = "what a test leaves out has to be seen")]
fn skip(error: &Error) {
    eprintln!("skipped: the newest nats-server: {error}");
}

/// The newest server's program, built if it is not there. Several processes may ask at the same time.
fn newest() -> Result<PathBuf, Error> {
    let folder = target().join(format!("tools/nats-server-{NEWEST}"));
    let program = folder.join("nats-server");
    fs::create_dir_all(&folder)?;
    let one_at_a_time = File::create(folder.join("lock"))?;
    one_at_a_time.lock()?;
    if !program.exists() {
        let module = format!("github.com/nats-io/nats-server/v2@{NEWEST}");
        // Two minutes where all has to be fetched; a registry that hangs must not hang its caller.
        let go = ["600", "go", "install", &module];
        run(Command::new("timeout").args(go).env("GOBIN", &folder))?;
    }
    Ok(program)
}

/// Cargo's target folder.
fn target() -> PathBuf {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    repository.join(named.unwrap_or_else(|| "target".into()))
}
