//! Lines on their way to whoever reads them: bounded, and nobody waits to put one in.
//!
//! `tracing-appender` has such a queue, but bounds it by lines, which may be long, and at its end it
//! prints to standard output, which often is the same pipe that nobody reads.

use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Text that may wait. A reader that stops for a while loses nothing of 4 000 lines at 250 bytes. As
/// much again is in the hands of the thread that writes.
pub(super) const BYTES_MAX: usize = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// There is something to do for the thread that writes.
    filled: Condvar,
    /// It has written everything.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whole lines.
    text: Vec<u8>,
    /// Lines that there was no room for.
    dropped: u64,
    /// When there is something to report.
    report_at: Option<Instant>,
    is_writing: bool,
}

/// What the thread that writes does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Write the text that it was given.
    Write {
        /// Lines that were dropped until now.
        dropped: u64,
    },
    /// Report what is due.
    Report,
}

impl Queue {
    /// Has the thread report at this time, or earlier if it is asked to.
    pub(super) fn report_at(&self, at: Instant) {
        let mut state = self.state();
        state.report_at = Some(state.report_at.map_or(at, |other| other.min(at)));
        self.filled.notify_one();
    }

    /// Waits for something to do. `text` was written.
    pub(super) fn next(&self, text: &mut Vec<u8>) -> Step {
        text.clear();
        let mut state = self.state();
        state.is_writing = false;
        if state.text.is_empty() {
            self.emptied.notify_all();
        }
        loop {
            if !state.text.is_empty() {
                std::mem::swap(&mut state.text, text);
                state.is_writing = true;
                return Step::Write { dropped: state.dropped };
            }
            let Some(at) = state.report_at else {
                state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let rest = at.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                state.report_at = None;
                return Step::Report;
            }
            let waited = self.filled.wait_timeout(state, rest);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until everything has been written, but no longer than this.
    pub(super) fn wait_until_written(&self, max: Duration) {
        let waits = |state: &mut State| state.is_writing || !state.text.is_empty();
        let _ = self.emptied.wait_timeout_while(self.state(), max, waits);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What panics here is logged, so the log goes on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes lines: each call has whole ones.
impl Write for &Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.state();
        if state.text.len() + line.len() <= BYTES_MAX {
            state.text.extend_from_slice(line);
            self.filled.notify_one();
        } else {
            state.dropped += 1;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
