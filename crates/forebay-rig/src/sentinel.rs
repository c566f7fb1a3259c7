//! Redis Sentinel: it watches a primary, and promotes a replica when the primary is gone.

use std::fs;
use std::net::SocketAddr;

use tempfile::TempDir;

use crate::port::Port;
use crate::redis::{cli, tls_lines};
use crate::server::{find, run};
use crate::{Certificates, Error, Process, Program, Redis, Server};

/// One Sentinel, which decides alone. It knows its primary as `forebay`.
#[derive(Debug)]
pub struct Sentinel {
    process: Process,
    account: Option<(String, String)>,
    certificates: Option<Certificates>,
    port: Port,
    _folder: TempDir,
}

impl Sentinel {
    /// Watches this primary, which counts as gone after two seconds of silence: a Sentinel connects again once in a second,
    /// and would give up a server that it has just chosen. It speaks TLS if the primary does.
    ///
    /// # Errors
    /// `redis-server` is missing.
    pub fn start(primary: &Redis) -> Result<Self, Error> {
        Self::watch(primary, None)
    }

    /// The same, and only this user may ask it anything.
    ///
    /// # Errors
    /// As there.
    pub fn start_for(primary: &Redis, name: &str, password: &str) -> Result<Self, Error> {
        Self::watch(primary, Some((name.to_owned(), password.to_owned())))
    }

    fn watch(primary: &Redis, account: Option<(String, String)>) -> Result<Self, Error> {
        let folder = tempfile::Builder::new().prefix("forebay-sentinel-").tempdir()?;
        let port = Port::reserve()?;
        let file = folder.path().join("sentinel.conf");
        let (number, dir) = (port.number(), folder.path().display());
        let (ip, at) = (primary.address().ip(), primary.address().port());
        let certificates = primary.certificates().cloned();
        let listens = match &certificates {
            None => format!("port {number}\n"),
            Some(files) => tls_lines(number, files),
        };
        let asks = primary.account().map(|(name, password)| {
            format!("sentinel auth-user forebay {name}\nsentinel auth-pass forebay {password}\n")
        });
        let asked = account.as_ref().map(|(name, password)| {
            format!("user default off\nuser {name} on >{password} allchannels +@all\n")
        });
        fs::write(
            &file,
            format!(
                "bind 127.0.0.1\n{listens}dir {dir}\n{}\
                 sentinel monitor forebay {ip} {at} 1\n\
                 sentinel down-after-milliseconds forebay 2000\n\
                 sentinel failover-timeout forebay 2000\n{}",
                asked.unwrap_or_default(),
                asks.unwrap_or_default(),
            ),
        )?;
        let process = Program::new(find("redis-server")?, "+monitor master")
            .argument(&file)
            .argument("--sentinel")
            .start()?;
        Ok(Self { process, account, certificates, port, _folder: folder })
    }

    /// Lets it do a command, as `redis-cli` says it: `command(&["sentinel", "failover", "forebay"])`.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub fn command(&self, words: &[&str]) -> Result<String, Error> {
        let mut cli = cli(self.port.number(), self.account.as_ref(), self.certificates.as_ref());
        run(cli.args(words))
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
        let scheme = if self.certificates.is_some() { "rediss" } else { "redis" };
        format!("{scheme}+sentinel://{address}/forebay")
    }
}
