//! Why a server is not there.

use std::io;

/// Why a server can't be started, reached or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The machine lacks a program.
    #[error("{program} can't be started ({source}): `cargo xtask test` installs it on Debian")]
    Missing {
        /// What is missing.
        program: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The server ended, or a command did not succeed.
    #[error("{program} failed: {output}")]
    Failed {
        /// Who failed.
        program: String,
        /// The last that it said.
        output: String,
    },
    /// A minute was not enough.
    #[error("{program} did not say {awaited:?} within a minute; it said: {output}")]
    Late {
        /// Who is late.
        program: String,
        /// What it was expected to say.
        awaited: String,
        /// The last that it said.
        output: String,
    },
    /// No port is free.
    #[error("no loopback port is free between {first} and {last}")]
    NoPort {
        /// The first that was looked at.
        first: u16,
        /// The last.
        last: u16,
    },
    /// A certificate could not be made.
    #[error("no certificate can be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] io::Error),
}
