//! How much of each kind is logged: strangers can cause a warning as often as they like.
//!
//! A kind is a place in the code. After so many lines of it in a while the rest is counted, and at
//! the end of the while one line says how many more there were. What a person asks for by the levels
//! debug and trace is not limited.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::queue::Queue;

/// Lines of one kind within [`WHILE`]. There are some fifty kinds, and a line has mostly 250 bytes: the
/// worst flood writes 25 KB a second.
pub(super) const LINES_MAX: u32 = 20;
pub(super) const WHILE: Duration = Duration::from_secs(10);

/// The target of what the log says by itself, which is not limited.
pub(super) const OWN: &str = "forebay::logs";

/// What was logged of each kind. Bounded by the places in the code.
#[derive(Debug)]
pub(super) struct Kinds<Place = Identifier>(Mutex<HashMap<Place, Kind>>);

#[derive(Debug)]
struct Kind {
    level: Level,
    /// When its while ends.
    until: Instant,
    /// Lines in this while.
    lines: u32,
    left_out: Option<LeftOut>,
}

/// Lines of one kind that were left out and not reported yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct LeftOut {
    level: Level,
    pub(super) lines: u64,
    /// What the first of them said.
    pub(super) text: String,
    /// When it is to be reported. The kind's while may be over and the next one have begun.
    due: Instant,
}

/// What becomes of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Log,
    /// It is left out.
    Count,
    /// It is the first to be left out: a report is due at this time.
    CountAndReport(Instant),
}

impl<Place> Default for Kinds<Place> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<Place: Hash + Eq> Kinds<Place> {
    /// Decides on one line.
    pub(super) fn judge(&self, place: Place, level: Level, now: Instant) -> Verdict {
        let mut kinds = self.lock();
        let kind = kinds.entry(place).or_insert_with(|| Kind {
            level,
            until: now + WHILE,
            lines: 0,
            left_out: None,
        });
        if now >= kind.until {
            kind.until = now + WHILE;
            kind.lines = 0;
        }
        if kind.lines < LINES_MAX {
            kind.lines += 1;
            return Verdict::Log;
        }
        if let Some(left_out) = &mut kind.left_out {
            left_out.lines += 1;
            return Verdict::Count;
        }
        let (level, due) = (kind.level, kind.until);
        kind.left_out = Some(LeftOut { level, lines: 1, text: String::new(), due });
        Verdict::CountAndReport(due)
    }

    /// Remembers what a line says that was left out as the first one.
    fn quote(&self, place: &Place, text: String) {
        if let Some(left_out) = self.lock().get_mut(place).and_then(|kind| kind.left_out.as_mut()) {
            left_out.text = text;
        }
    }

    /// What was left out and is due, and when the next one is.
    pub(super) fn take_due(&self, now: Instant) -> (Vec<LeftOut>, Option<Instant>) {
        let mut kinds = self.lock();
        let is_due = |left_out: &mut LeftOut| now >= left_out.due;
        let due = kinds.values_mut().filter_map(|kind| kind.left_out.take_if(is_due)).collect();
        let rest = kinds.values().filter_map(|kind| Some(kind.left_out.as_ref()?.due));
        (due, rest.min())
    }

    /// Logs what was left out and is due; gives when there is more.
    pub(super) fn report(&self, now: Instant) -> Option<Instant> {
        let (due, next) = self.take_due(now);
        due.into_iter().for_each(LeftOut::log);
        next
    }

    /// Logs all that was left out.
    pub(super) fn report_all(&self) {
        let mut kinds = self.lock();
        let left_out: Vec<_> = kinds.values_mut().filter_map(|kind| kind.left_out.take()).collect();
        drop(kinds);
        left_out.into_iter().for_each(LeftOut::log);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Kind>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LeftOut {
    fn log(self) {
        let Self { level, lines, text, .. } = self;
        match level {
            Level::ERROR => tracing::error!(target: OWN, "and {lines} more: {text}"),
            Level::WARN => tracing::warn!(target: OWN, "and {lines} more: {text}"),
            _ => tracing::info!(target: OWN, "and {lines} more: {text}"),
        }
    }
}

/// Lets through what is asked for by its level, and not too much of each kind.
pub(super) struct Filter {
    level: LevelFilter,
    kinds: Arc<Kinds>,
    queue: Arc<Queue>,
}

impl Filter {
    pub(super) fn new(level: LevelFilter, kinds: Arc<Kinds>, queue: Arc<Queue>) -> Self {
        Self { level, kinds, queue }
    }
}

/// As a layer, not as a layer's filter: in tracing-subscriber 0.3.23 one of those that refuses an event in
/// `event_enabled` leaves its mark to the next one.
impl<S: Subscriber> Layer<S> for Filter {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= self.level
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if *metadata.level() <= self.level { Interest::always() } else { Interest::never() }
    }

    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO || metadata.target() == OWN {
            return true;
        }
        match self.kinds.judge(metadata.callsite(), *metadata.level(), Instant::now()) {
            Verdict::Log => true,
            Verdict::Count => false,
            Verdict::CountAndReport(at) => {
                // Not while the kinds are locked: a value that is formatted may log, or panic.
                self.kinds.quote(&metadata.callsite(), text(event));
                self.queue.report_at(at);
                false
            }
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }
}

/// What an event says, without its fields.
fn text(event: &Event<'_>) -> String {
    struct Text(String);
    impl Visit for Text {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            if field.name() == "message" {
                self.0 = format!("{value:?}");
            }
        }
    }
    let mut text = Text(String::new());
    event.record(&mut text);
    text.0
}
