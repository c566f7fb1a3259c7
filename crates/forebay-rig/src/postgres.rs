//! Postgres: Debian's, or the one in the path; a primary, or a standby of one.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::port::Port;
use crate::server::{find, run, text};
use crate::{Certificates, Error, Process, Program, Server};

/// As whom it runs where this process is root, which Postgres refuses. Debian's package makes the user.
const USER: &str = "postgres";

/// A Postgres server, with a superuser and a database that are both named `postgres`.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    programs: PathBuf,
    password: Option<String>,
    certificates: Option<Certificates>,
    port: Port,
    folder: TempDir,
}

/// What differs between Postgres servers. The default asks for no password, and syncs as Postgres does.
#[derive(Debug, Default)]
#[must_use]
pub struct PostgresOptions {
    password: Option<String>,
    tls: bool,
    asks_for_certificates: bool,
    disk_bytes: Option<u64>,
    lines: String,
}

impl PostgresOptions {
    /// Asks for this password.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Takes TLS, and over TCP nothing else, with [`Postgres::certificates`].
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// The same, and clients have to show a certificate. The server's own will do.
    pub fn tls_both(mut self) -> Self {
        self.asks_for_certificates = true;
        self.tls()
    }

    /// A small disk, for a tablespace at [`Postgres::disk`]. See [`has_small_disks`](crate::has_small_disks).
    pub fn small_disk(mut self, bytes: u64) -> Self {
        self.disk_bytes = Some(bytes);
        self
    }

    /// A line of `postgresql.conf`.
    pub fn configure(mut self, line: &str) -> Self {
        self.lines.push_str(line);
        self.lines.push('\n');
        self
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// Postgres is missing, or refuses the options.
    pub fn start(self) -> Result<Postgres, Error> {
        let (programs, folder) = (programs()?, folder()?);
        let data = folder.path().join("data");
        let mut initdb = as_user(&programs.join("initdb"));
        initdb.args(["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--auth=trust"]);
        run(initdb.args(["--username", USER, "--pgdata"]).arg(&data))?;
        let certificates = self.tls.then(|| certificates(folder.path())).transpose()?;
        let scheme = if self.tls { "hostssl" } else { "host" };
        let method = if self.password.is_some() { "scram-sha-256" } else { "trust" };
        let shows = if self.asks_for_certificates { "clientcert=verify-ca" } else { "" };
        let rules = ["all", "replication"]
            .map(|database| format!("{scheme} {database} all 127.0.0.1/32 {method} {shows}\n"));
        // The socket in our folder is this library's, and asks for nothing.
        let local = "local all all trust\nlocal replication all trust\n";
        fs::write(data.join("pg_hba.conf"), format!("{local}{}", rules.concat()))?;
        let disk = self.disk_bytes;
        if disk.is_some() {
            fs::create_dir(folder.path().join("disk"))?;
        }
        let postgres =
            Postgres::run(programs, folder, self.password, certificates, &self.lines, disk)?;
        if let Some(password) = &postgres.password {
            postgres.sql(&format!("alter role postgres password '{password}'"))?;
        }
        Ok(postgres)
    }
}

impl Postgres {
    /// What is there to choose.
    pub fn options() -> PostgresOptions {
        PostgresOptions::default()
    }

    /// A standby that streams from this server, and shows its changes so many milliseconds late.
    ///
    /// # Errors
    /// This server does not run.
    pub fn standby(&self, delay_ms: u32) -> Result<Self, Error> {
        let folder = folder()?;
        let data = folder.path().join("data");
        let mut copy = as_user(&self.programs.join("pg_basebackup"));
        copy.args(["--checkpoint=fast", "--no-sync", "--write-recovery-conf", "--pgdata"]);
        run(copy.arg(&data).args(["--dbname", &self.local()]))?;
        let late = format!("recovery_min_apply_delay = '{delay_ms}ms'\nhot_standby = on\n");
        let (programs, password) = (self.programs.clone(), self.password.clone());
        Self::run(programs, folder, password, self.certificates.clone(), &late, None)
    }

    /// What a client has to trust, if it uses TLS.
    pub fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    /// The folder of its small disk, which only the server sees.
    pub fn disk(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// Runs statements as superuser, and gives what `psql` says: a line for each row, without a heading.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub fn sql(&self, statements: &str) -> Result<String, Error> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only"]);
        run(psql.args(["--set=ON_ERROR_STOP=1", "--command", statements, &self.local()]))
    }

    /// Over the socket in its folder: what is asked over TCP is not asked there.
    fn local(&self) -> String {
        let folder = self.folder.path().display();
        format!("host={folder} port={} user=postgres dbname=postgres", self.port.number())
    }

    fn run(
        programs: PathBuf,
        folder: TempDir,
        password: Option<String>,
        certificates: Option<Certificates>,
        lines: &str,
        disk_bytes: Option<u64>,
    ) -> Result<Self, Error> {
        let port = Port::reserve()?;
        let data = folder.path().join("data");
        let tls = certificates.as_ref().map(|files| {
            let [authority, certificate, key] =
                [&files.authority, &files.certificate, &files.key].map(|file| file.display());
            format!(
                "ssl = on\nssl_ca_file = '{authority}'\nssl_cert_file = '{certificate}'\nssl_key_file = '{key}'\n"
            )
        });
        // Each setting counts as it comes last; pg_basebackup copies the primary's.
        let file = data.join("postgresql.conf");
        let before = fs::read_to_string(&file)?;
        let ours = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\n\
             max_connections = 200\nlc_messages = 'C'\n{}{lines}",
            port.number(),
            folder.path().display(),
            tls.unwrap_or_default()
        );
        fs::write(&file, format!("{before}\n{ours}"))?;
        let disk = folder.path().join("disk");
        let process = Program::new(programs.join("postgres"), "is ready to accept")
            .argument("-D")
            .argument(&data)
            .user(user())
            .disk(disk_bytes.map(|bytes| (&*disk, bytes)))
            .stopped_by(Signal::INT)
            .start()?;
        Ok(Self { process, programs, password, certificates, port, folder })
    }
}

impl Server for Postgres {
    fn process(&self) -> &Process {
        &self.process
    }

    fn address(&self) -> SocketAddr {
        self.port.address()
    }

    fn url_at(&self, address: SocketAddr) -> String {
        let password = self.password.as_ref().map(|password| format!(":{password}"));
        let mode = if self.certificates.is_some() { "?sslmode=require" } else { "" };
        format!("postgres://postgres{}@{address}/postgres{mode}", password.unwrap_or_default())
    }
}

/// As whom Postgres and PgBouncer run: they refuse root.
pub(crate) fn user() -> Option<&'static str> {
    rustix::process::geteuid().is_root().then_some(USER)
}

/// A temporary folder that they may use.
pub(crate) fn folder() -> Result<TempDir, Error> {
    let folder = tempfile::Builder::new().prefix("forebay-postgres-").tempdir()?;
    give(folder.path())?;
    Ok(folder)
}

/// Makes a file or folder theirs.
pub(crate) fn give(path: &Path) -> Result<(), Error> {
    let Some(user) = user() else { return Ok(()) };
    run(Command::new("chown").arg(user).arg(path)).map(drop)
}

fn certificates(folder: &Path) -> Result<Certificates, Error> {
    let files = Certificates::make(folder)?;
    give(&files.key)?;
    Ok(files)
}

fn as_user(program: &Path) -> Command {
    let mut command = crate::starter::command(&text(program), user());
    // It can't stay in a folder that only root may enter.
    command.current_dir("/");
    command
}

/// Debian keeps them out of the path, by version. The newest is taken.
fn programs() -> Result<PathBuf, Error> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |folder: &PathBuf| {
        folder.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()).unwrap_or(0)
    };
    let debian = versions
        .map(|version| version.path())
        .filter(|folder| folder.join("bin/postgres").exists())
        .max_by_key(version);
    if let Some(folder) = debian {
        return Ok(folder.join("bin"));
    }
    let mut folder = find("postgres")?;
    folder.pop();
    Ok(folder)
}
