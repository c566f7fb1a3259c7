//! Redis: `redis-server` of Debian's package.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::port::Port;
use crate::server::{find, text};
use crate::{Certificates, Error, Process, Program, Server};

/// A Redis server.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    account: Option<(String, String)>,
    certificates: Option<Certificates>,
    port: Port,
    _folder: TempDir,
}

/// What differs between Redis servers. The default keeps everything in memory, and asks for no password.
#[derive(Debug, Default)]
#[must_use]
pub struct RedisOptions {
    lines: String,
    account: Option<(String, String)>,
    tls: bool,
    certificates: Option<Certificates>,
    disk_bytes: Option<u64>,
}

impl RedisOptions {
    /// Keeps an append-only file, synced before each answer, so that a `kill -9` loses nothing.
    pub fn append_only(self) -> Self {
        self.configure("appendonly yes").configure("appendfsync always")
    }

    /// Only this user may do anything.
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.account = Some((name.to_owned(), password.to_owned()));
        let user = format!("user {name} on >{password} ~* &* +@all");
        self.configure("user default off").configure(&user)
    }

    /// Only TLS, with [`Redis::certificates`].
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// The same, and clients have to show a certificate. The server's own will do.
    pub fn tls_both(self) -> Self {
        self.tls().configure("tls-auth-clients yes")
    }

    /// Keeps no more than this (as in `2mb`), and does what the policy says (as `allkeys-lru`).
    pub fn memory(self, bytes: &str, policy: &str) -> Self {
        let policy = format!("maxmemory-policy {policy}");
        self.configure(&format!("maxmemory {bytes}")).configure(&policy)
    }

    /// Keeps its data on a small disk. See [`has_small_disks`](crate::has_small_disks).
    pub fn small_disk(mut self, bytes: u64) -> Self {
        self.disk_bytes = Some(bytes);
        self
    }

    /// Follows another server, which has the same user. The address may be a [`Proxy`](crate::Proxy)'s.
    pub fn replica_at(mut self, primary: SocketAddr) -> Self {
        // A full copy would wait five seconds for more replicas.
        self = self.configure("repl-diskless-sync-delay 0");
        self.configure(&format!("replicaof {} {}", primary.ip(), primary.port()))
    }

    /// Follows another server. With TLS it has the other's certificate.
    pub fn replica_of(mut self, primary: &Redis) -> Self {
        self.certificates.clone_from(&primary.certificates);
        self.replica_at(primary.address())
    }

    /// A line of `redis.conf`.
    pub fn configure(mut self, line: &str) -> Self {
        self.lines.push_str(line);
        self.lines.push('\n');
        self
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// `redis-server` is missing or refuses the options.
    pub fn start(self) -> Result<Redis, Error> {
        let folder = tempfile::Builder::new().prefix("forebay-redis-").tempdir()?;
        let port = Port::reserve()?;
        let certificates = match &self.certificates {
            None if self.tls => Some(Certificates::make(folder.path())?),
            given => given.clone(),
        };
        let file = folder.path().join("redis.conf");
        let data = folder.path().join("data");
        fs::create_dir(&data)?;
        fs::write(&file, self.file(&data, port.number(), certificates.as_ref())?)?;
        let process = Program::new(find("redis-server")?, "Ready to accept connections")
            .argument(&file)
            .disk(self.disk_bytes.map(|bytes| (&*data, bytes)))
            .start()?;
        Ok(Redis { process, account: self.account, certificates, port, _folder: folder })
    }

    fn file(
        &self,
        folder: &std::path::Path,
        port: u16,
        certificates: Option<&Certificates>,
    ) -> Result<String, Error> {
        let mut file = format!("bind 127.0.0.1\ndir {}\nsave \"\"\n", folder.display());
        if let Some(files) = certificates {
            file.push_str(&tls_lines(port, files));
        } else {
            writeln!(file, "port {port}").map_err(std::io::Error::other)?;
        }
        if let Some((name, password)) = &self.account {
            writeln!(file, "masteruser {name}\nmasterauth {password}")
                .map_err(std::io::Error::other)?;
        }
        // What was asked for comes last, and wins.
        Ok(file + &self.lines)
    }
}

impl Redis {
    /// What is there to choose.
    pub fn options() -> RedisOptions {
        RedisOptions::default()
    }

    /// What a client has to trust, if it uses TLS.
    pub fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    /// Lets the server do a command, as `redis-cli` says it: `command(&["config", "set", "maxmemory", "1mb"])`.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub fn command(&self, words: &[&str]) -> Result<String, Error> {
        crate::server::run(self.cli().args(words))
    }

    /// Waits until a replica has all that was acknowledged so far.
    ///
    /// # Errors
    /// It does not within a minute.
    pub fn wait_for_replica(&self) -> Result<(), Error> {
        // Redis' WAIT is about what its own connection has written.
        let script = "redis.call('incr', 'forebay-rig') return redis.call('del', 'forebay-rig')";
        let mut cli = self.cli();
        cli.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut cli = cli.spawn().map_err(missing)?;
        if let Some(mut input) = cli.stdin.take() {
            write!(input, "eval \"{script}\" 0\nwait 1 60000\n")?;
        }
        let output = cli.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        if said.lines().eq(["1", "1"]) {
            return Ok(());
        }
        Err(Error::Failed { program: "redis-cli".to_owned(), output: said.into_owned() })
    }

    /// Who may do anything, if it asks.
    pub(crate) fn account(&self) -> Option<&(String, String)> {
        self.account.as_ref()
    }

    fn cli(&self) -> Command {
        cli(self.port.number(), self.account.as_ref(), self.certificates.as_ref())
    }
}

/// The configuration of TLS, for a server and for a Sentinel.
pub(crate) fn tls_lines(port: u16, files: &Certificates) -> String {
    let [authority, certificate, key] =
        [&files.authority, &files.certificate, &files.key].map(|file| file.display());
    format!(
        "port 0\ntls-port {port}\ntls-auth-clients no\ntls-replication yes\n\
         tls-ca-cert-file {authority}\ntls-cert-file {certificate}\ntls-key-file {key}\n"
    )
}

/// What speaks to a server, or to a Sentinel.
pub(crate) fn cli(
    port: u16,
    account: Option<&(String, String)>,
    certificates: Option<&Certificates>,
) -> Command {
    let mut cli = Command::new("redis-cli");
    // -e: what the server refuses is a failure, and not only a line.
    cli.args(["-e", "-p", &port.to_string()]);
    if let Some((name, password)) = account {
        cli.args(["--user", name, "--pass", password, "--no-auth-warning"]);
    }
    if let Some(files) = certificates {
        let [authority, certificate, key] =
            [&files.authority, &files.certificate, &files.key].map(|file| text(file));
        cli.args(["--tls", "--cacert", &authority, "--cert", &certificate, "--key", &key]);
    }
    cli
}

fn missing(source: std::io::Error) -> Error {
    Error::Missing { program: "redis-cli".to_owned(), source }
}

impl Server for Redis {
    fn process(&self) -> &Process {
        &self.process
    }

    fn address(&self) -> SocketAddr {
        self.port.address()
    }

    fn url_at(&self, address: SocketAddr) -> String {
        let scheme = if self.certificates.is_some() { "rediss" } else { "redis" };
        let account = self.account.as_ref();
        let account =
            account.map(|(name, password)| format!("{name}:{password}@")).unwrap_or_default();
        format!("{scheme}://{account}{address}")
    }
}
