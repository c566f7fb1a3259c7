//! What makes the views live: a stream of Forebay's own that says that something has happened, and the plots.
//!
//! While somebody reads that stream, a task publishes to it twice a second, and notes once a second how fast the
//! counters go up. Pages then fetch what they show, each with its own filter: so what is sent does not grow with
//! what happens. The task ends when nobody has read for a while, and begins again with the next view.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use forebay_hub::{Broadcast as Publication, StatsSnapshot};
use forebay_log::{Class, Message};
use forebay_turbo::TurboStream;
use maud::{Markup, html};
use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::words;
use crate::app::Core;

/// The inspector's own stream. Its pages are not shown in the lists.
pub(super) const STREAM: &str = "forebay/inspector";

/// Between two messages.
const TURN: Duration = Duration::from_millis(500);

/// Turns without a reader before the task ends: a page that is loaded has subscribed by then.
const IDLE_TURNS: u32 = 20;

/// Turns between two samples.
const TURNS_PER_SAMPLE: u32 = 2;

/// Two minutes, of 32 bytes each.
const SAMPLES_MAX: usize = 120;

/// The task, if it runs, and what it has noted.
#[derive(Debug, Default)]
pub(crate) struct Live(Arc<State>);

#[derive(Debug, Default)]
struct State {
    runs: AtomicBool,
    samples: Mutex<VecDeque<Sample>>,
    /// What the counters owe to the inspector itself.
    own_broadcasts: AtomicU64,
    own_deliveries: AtomicU64,
}

/// How much happened in a second.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Sample {
    broadcasts: u64,
    deliveries: u64,
    connections: u64,
    /// Connections refused, subscriptions rejected, pages told to heal.
    troubles: u64,
}

/// The counters, and when they were read.
type Reading = (Instant, StatsSnapshot);

/// Says that the task has ended, however it does.
struct Running(Arc<State>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.runs.store(false, Ordering::Release);
    }
}

impl Live {
    /// Has the task run.
    pub(super) fn follow(&self, core: &Arc<Core>) {
        if !self.0.runs.swap(true, Ordering::AcqRel) {
            tokio::spawn(run(Running(Arc::clone(&self.0)), Arc::downgrade(core)));
        }
    }

    /// The last two minutes.
    pub(super) fn plots(&self) -> Markup {
        let samples = self.0.samples.lock().clone();
        let plot = |name, of: fn(&Sample) -> u64, unit| {
            plot(name, &samples.iter().map(of).collect::<Vec<_>>(), unit)
        };
        html! {
            div.plots #plots data-live {
                (plot("Broadcasts", |sample| sample.broadcasts, "/s"))
                (plot("Deliveries", |sample| sample.deliveries, "/s"))
                (plot("Connections", |sample| sample.connections, ""))
                (plot("Troubles", |sample| sample.troubles, "/s"))
            }
        }
    }
}

async fn run(running: Running, core: Weak<Core>) {
    let state = &running.0;
    let mut turns = interval(TURN);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last: Option<Reading> = None;
    let refresh = TurboStream::refresh().to_string();
    let mut idle = 0;
    for turn in 0_u32.. {
        turns.tick().await;
        let Some(core) = core.upgrade() else { return };
        if turn % TURNS_PER_SAMPLE == 0 {
            let now = (Instant::now(), core.hub.stats().snapshot());
            if let Some(before) = last.replace(now) {
                state.note(&core, &before, &now);
            }
        }
        let publication = Publication {
            stream: STREAM,
            message: Message::json(serde_json::Value::from(refresh.as_str()).to_string()),
            class: Class::Ephemeral,
        };
        let readers = core.hub.publish(publication).await.map_or(0, |done| done.subscribers);
        state.own_broadcasts.fetch_add(1, Ordering::Relaxed);
        state.own_deliveries.fetch_add(readers as u64, Ordering::Relaxed);
        idle = if readers == 0 { idle + 1 } else { 0 };
        if idle >= IDLE_TURNS {
            return;
        }
    }
}

impl State {
    fn note(&self, core: &Core, before: &Reading, now: &Reading) {
        let millis = u64::try_from((now.0 - before.0).as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = |of: fn(&StatsSnapshot) -> u64, own: u64| {
            (of(&now.1) - of(&before.1)).saturating_sub(own).saturating_mul(1_000) / millis
        };
        let troubles = |stats: &StatsSnapshot| {
            stats.refusals
                + stats.rejections
                + stats.resyncs_other_epoch
                + stats.resyncs_forgotten
                + stats.resyncs_future
                + stats.resyncs_behind
                + stats.resyncs_in_doubt
        };
        let sample = Sample {
            broadcasts: rate(
                |stats| stats.broadcasts,
                self.own_broadcasts.swap(0, Ordering::Relaxed),
            ),
            deliveries: rate(
                |stats| stats.deliveries,
                self.own_deliveries.swap(0, Ordering::Relaxed),
            ),
            connections: core.hub.connections() as u64,
            troubles: rate(troubles, 0),
        };
        let mut samples = self.samples.lock();
        if samples.len() >= SAMPLES_MAX {
            samples.pop_front();
        }
        samples.push_back(sample);
    }
}

/// The newest value stands at the right edge, and as a number.
fn plot(name: &str, values: &[u64], unit: &str) -> Markup {
    let most = values.iter().copied().max().unwrap_or(0);
    let points = values.iter().rev().enumerate().map(|(at, value)| {
        let x = SAMPLES_MAX.saturating_sub(1 + at);
        // Tenths of 30: whole numbers are short, and fine enough.
        let y = 300 - value.saturating_mul(280) / most.max(1);
        format!("{x},{}.{}", y / 10, y % 10)
    });
    let points: Vec<_> = points.collect();
    let now = values.last().copied().unwrap_or(0);
    let first = SAMPLES_MAX.saturating_sub(values.len());
    html! {
        figure {
            figcaption { (name) }
            strong { (words::number(now)) small { (unit) } }
            svg viewBox={ "0 0 " (SAMPLES_MAX - 1) " 31" } preserveAspectRatio="none" role="img"
                aria-label={ (name) ": now " (now) ", at most " (most) " in two minutes" } {
                @if points.len() > 1 {
                    polygon points={ (points.join(" ")) " " (first) ",30 " (SAMPLES_MAX - 1) ",30" } {}
                    polyline points=(points.join(" ")) {}
                }
            }
            small.quiet { "2 min, at most " (words::number(most)) }
        }
    }
}
