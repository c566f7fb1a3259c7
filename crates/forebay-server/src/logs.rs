//! The log, on standard error. Nobody who logs ever waits.
//!
//! A line takes two steps: it is admitted ([`kinds`]: so many lines of each kind in a while), and it is
//! queued for a thread that writes ([`queue`]: so many bytes). What is left out in either is counted,
//! and the log says how much it was.

mod kinds;
mod queue;

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt};

use self::kinds::{Filter, Kinds};
use self::queue::{Queue, Step};

/// How it is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// How long the end of the process waits for whoever reads the log.
const LAST_WORDS_MAX: Duration = Duration::from_secs(1);

/// The log while it is written. Dropped, it says its last words.
#[derive(Debug)]
pub(crate) struct Log {
    kinds: Arc<Kinds>,
    queue: Arc<Queue>,
}

impl Log {
    /// Begins to log.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(crate) fn install(level: LevelFilter, format: Format) -> io::Result<Self> {
        let log = Self { kinds: Arc::default(), queue: Arc::default() };
        let filter = Filter::new(level, Arc::clone(&log.kinds), Arc::clone(&log.queue));
        let lines = fmt::layer()
            .with_writer(Lines(Arc::clone(&log.queue)))
            .with_ansi(io::stderr().is_terminal());
        let lines = match format {
            Format::Text => lines.boxed(),
            Format::Json => lines.json().flatten_event(true).boxed(),
        };
        tracing_subscriber::registry().with(lines).with(filter).init();
        // The usual hook writes to standard error, and so waits for its reader.
        std::panic::set_hook(Box::new(|panic| {
            let message = panic.payload_as_str().unwrap_or("no message");
            let place = panic.location().map(tracing::field::display);
            tracing::error!(place, message, "something has panicked");
        }));
        let (kinds, queue) = (Arc::clone(&log.kinds), Arc::clone(&log.queue));
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write(&kinds, &queue, io::stderr()))?;
        Ok(log)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.kinds.report_all();
        self.queue.wait_until_written(LAST_WORDS_MAX);
    }
}

/// What the log's thread does.
fn write(kinds: &Kinds, queue: &Queue, mut out: impl Write) {
    let mut reported = 0;
    let mut text = Vec::new();
    loop {
        match queue.next(&mut text) {
            Step::Write { dropped } => {
                // Where it can't be written there is nobody to tell.
                let _ = out.write_all(&text);
                // Whoever reads is back.
                if dropped > reported {
                    let lines = dropped - reported;
                    reported = dropped;
                    tracing::warn!(
                        target: kinds::OWN, lines,
                        "lines of the log were dropped: what reads it is too slow"
                    );
                }
            }
            Step::Report => {
                if let Some(next) = kinds.report(Instant::now()) {
                    queue.report_at(next);
                }
            }
        }
    }
}

/// Where the subscriber's lines go.
#[derive(Debug)]
struct Lines(Arc<Queue>);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Queue;

    fn make_writer(&'a self) -> Self::Writer {
        &self.0
    }
}

#[cfg(test)]
mod tests;
