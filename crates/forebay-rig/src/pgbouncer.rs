//! PgBouncer in transaction mode: two statements of one client may go to two sessions of the server.

use std::fs;
use std::net::SocketAddr;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::port::Port;
use crate::postgres::{folder, give, user};
use crate::server::find;
use crate::{Error, Postgres, Process, Program, Server};

/// A PgBouncer in front of a Postgres server.
#[derive(Debug)]
pub struct PgBouncer {
    process: Process,
    port: Port,
    _folder: TempDir,
}

impl PgBouncer {
    /// Stands in front of this server, which asks for no password and uses no TLS.
    ///
    /// # Errors
    /// `pgbouncer` is missing.
    pub fn start(postgres: &Postgres) -> Result<Self, Error> {
        let folder = folder()?;
        let port = Port::reserve()?;
        let file = folder.path().join("pgbouncer.ini");
        let (ip, server) = (postgres.address().ip(), postgres.address().port());
        fs::write(
            &file,
            format!(
                "[databases]\n* = host={ip} port={server} user=postgres\n\
                 [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\nunix_socket_dir =\n\
                 auth_type = any\npool_mode = transaction\nmax_client_conn = 200\n",
                port.number()
            ),
        )?;
        give(&file)?;
        let process = Program::new(find("pgbouncer")?, "process up")
            .argument(&file)
            .user(user())
            .stopped_by(Signal::INT)
            .start()?;
        Ok(Self { process, port, _folder: folder })
    }
}

impl Server for PgBouncer {
    fn process(&self) -> &Process {
        &self.process
    }

    fn address(&self) -> SocketAddr {
        self.port.address()
    }

    fn url_at(&self, address: SocketAddr) -> String {
        format!("postgres://postgres@{address}/postgres")
    }
}
