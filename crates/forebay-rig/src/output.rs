//! What a process says, line by line, and that it has ended.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, PipeReader};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::Error;

/// For each wait: initdb and a crash recovery take seconds on a busy machine.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// What a server said last, for errors and for [`Output::wait_for`]: about 200 KB.
const LINES_MAX: usize = 2_000;

#[derive(Debug, Default)]
pub(crate) struct Output {
    heard: Mutex<Heard>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Heard {
    lines: VecDeque<String>,
    /// Nobody holds the pipe any more: the process and its children are gone.
    ended: bool,
}

impl Output {
    /// Until nobody can say anything any more.
    pub(crate) fn listen(&self, reader: PipeReader) {
        for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            if heard.lines.len() == LINES_MAX {
                heard.lines.pop_front();
            }
            heard.lines.push_back(String::from_utf8_lossy(&line).into_owned());
            self.changed.notify_all();
        }
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.changed.notify_all();
    }

    pub(crate) fn wait_for(&self, awaited: &str, program: &str) -> Result<(), Error> {
        let says = |heard: &Heard| heard.lines.iter().any(|line| line.contains(awaited));
        let heard = self.wait_while(|heard| !heard.ended && !says(heard));
        if says(&heard) {
            return Ok(());
        }
        let (program, output) = (program.to_owned(), heard.text());
        if heard.ended {
            return Err(Error::Failed { program, output });
        }
        Err(Error::Late { program, awaited: awaited.to_owned(), output })
    }

    pub(crate) fn wait_for_end(&self, program: &str) -> Result<(), Error> {
        let heard = self.wait_while(|heard| !heard.ended);
        if heard.ended {
            return Ok(());
        }
        let (program, awaited) = (program.to_owned(), "that it ends".to_owned());
        Err(Error::Late { program, awaited, output: heard.text() })
    }

    fn wait_while(&self, waits: impl Fn(&Heard) -> bool) -> MutexGuard<'_, Heard> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(heard, WAIT_MAX, |heard| waits(heard));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    pub(crate) fn text(&self) -> String {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).text()
    }
}

impl Heard {
    fn text(&self) -> String {
        let lines: Vec<_> = self.lines.iter().map(String::as_str).collect();
        lines.join("\n")
    }
}
