//! A program with its arguments, and how it says that it is ready.

use std::path::Path;

use rustix::process::Signal;

use crate::server::text;
use crate::starter::Disk;
use crate::{Error, Process};

/// A program that is going to be started.
#[derive(Debug)]
#[must_use]
pub struct Program {
    pub(crate) path: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) user: Option<&'static str>,
    pub(crate) ready: String,
    pub(crate) stop: Signal,
    pub(crate) disk: Option<Disk>,
}

impl Program {
    /// One that has to say this, as part of a line, when it answers.
    pub fn new(program: impl AsRef<Path>, ready: &str) -> Self {
        Self {
            path: text(program.as_ref()),
            arguments: Vec::new(),
            environment: Vec::new(),
            user: None,
            ready: ready.to_owned(),
            stop: Signal::TERM,
            disk: None,
        }
    }

    /// One more argument.
    pub fn argument(mut self, argument: impl AsRef<Path>) -> Self {
        self.arguments.push(text(argument.as_ref()));
        self
    }

    /// More arguments.
    pub fn arguments<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.arguments.extend(arguments.into_iter().map(str::to_owned));
        self
    }

    /// A variable of its environment, which otherwise is this process's.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As whom it runs. Only root may choose.
    pub(crate) fn user(mut self, user: Option<&'static str>) -> Self {
        self.user = user;
        self
    }

    /// A small disk in this folder, which is empty at each start. Only root may have one: see
    /// [`has_small_disks`](crate::has_small_disks).
    pub(crate) fn disk(mut self, disk: Option<(&Path, u64)>) -> Self {
        self.disk = disk.map(|(folder, bytes)| Disk { folder: text(folder), bytes });
        self
    }

    /// What ends it in good order; `SIGTERM` if nothing is said.
    pub(crate) fn stopped_by(mut self, signal: Signal) -> Self {
        self.stop = signal;
        self
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// It fails, or does not answer within a minute.
    pub fn start(self) -> Result<Process, Error> {
        Process::start(self)
    }
}
