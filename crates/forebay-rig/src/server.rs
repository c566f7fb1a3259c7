//! What all servers have in common.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Error, Process};

/// A real server in a process of its own.
pub trait Server: Send + Sync {
    /// Its process.
    fn process(&self) -> &Process;

    /// Where it listens.
    fn address(&self) -> SocketAddr;

    /// Its URL with another address, such as a [`Proxy`](crate::Proxy)'s.
    fn url_at(&self, address: SocketAddr) -> String;

    /// How clients reach it, with user and password where it asks for them.
    fn url(&self) -> String {
        self.url_at(self.address())
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// See [`Process::kill`].
    fn kill(&self) -> Result<(), Error> {
        self.process().kill()
    }

    /// Ends it in good order if it runs, and starts it on the same port and data.
    ///
    /// # Errors
    /// See [`Process::restart`].
    fn restart(&self) -> Result<(), Error> {
        self.process().restart()
    }

    /// Ends it in good order.
    ///
    /// # Errors
    /// See [`Process::stop`].
    fn stop(&self) -> Result<(), Error> {
        self.process().stop()
    }

    /// Keeps it from doing anything. Its connections stay.
    ///
    /// # Errors
    /// See [`Process::pause`].
    fn pause(&self) -> Result<(), Error> {
        self.process().pause()
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// See [`Process::resume`].
    fn resume(&self) -> Result<(), Error> {
        self.process().resume()
    }
}

/// A path in a configuration or an argument. Ours are all text: temporary folders and names of our own.
pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Where a program is. Debian keeps servers in a folder that only root's path names.
pub(crate) fn find(program: &str) -> Result<PathBuf, Error> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let found = folders.map(|folder| folder.join(program)).find(|file| file.is_file());
    found.ok_or_else(|| Error::Missing {
        program: program.to_owned(),
        source: std::io::ErrorKind::NotFound.into(),
    })
}

/// What a program says, if it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<String, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|source| Error::Missing { program: program.clone(), source })?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        return Ok(said.trim_end().to_owned());
    }
    let complained = String::from_utf8_lossy(&output.stderr);
    Err(Error::Failed { program, output: format!("{said}{complained}").trim_end().to_owned() })
}
