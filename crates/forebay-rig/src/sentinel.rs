//! Redis Sentinel: it watches a primary, and promotes a replica when the primary is gone.

use std::fs;
use std::net::SocketAddr;

use tempfile::TempDir;

use crate::port::Port;
use crate::server::find;
use crate::{Error, Process, Program, Redis, Server};

/// One Sentinel, which decides alone. It knows its primary as `forebay`.
#[derive(Debug)]
pub struct Sentinel {
    process: Process,
    port: Port,
    _folder: TempDir,
}

impl Sentinel {
    /// Watches this primary, which asks for no password. It counts as gone after half a second of silence.
    ///
    /// # Errors
    /// `redis-server` is missing.
    pub fn start(primary: &Redis) -> Result<Self, Error> {
        let folder = tempfile::Builder::new().prefix("forebay-sentinel-").tempdir()?;
        let port = Port::reserve()?;
        let file = folder.path().join("sentinel.conf");
        let (number, dir) = (port.number(), folder.path().display());
        let (ip, at) = (primary.address().ip(), primary.address().port());
        fs::write(
            &file,
            format!(
                "bind 127.0.0.1\nport {number}\ndir {dir}\n\
                 sentinel monitor forebay {ip} {at} 1\n\
                 sentinel down-after-milliseconds forebay 500\n\
                 sentinel failover-timeout forebay 2000\n"
            ),
        )?;
        let process = Program::new(find("redis-server")?, "+monitor master")
            .argument(&file)
            .argument("--sentinel")
            .start()?;
        Ok(Self { process, port, _folder: folder })
    }
}

impl Server for Sentinel {
    fn process(&self) -> &Process {
        &self.process
    }

    fn address(&self) -> SocketAddr {
        self.port.address()
    }

    fn url_at(&self, address: SocketAddr) -> String {
        format!("redis://{address}")
    }
}
