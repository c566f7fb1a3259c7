//! What happens to broadcasts and pages, kept for whoever asks why a page does not show something.
//!
//! Only events are recorded: that a page came, subscribed, was refused or left, and what became of a
//! broadcast. Who got a broadcast is not: it follows from where sessions stand, which is read when somebody
//! asks ([`Seat::look`]). So a delivery costs nothing. Everything has a bound, and what is past it is counted.

mod broadcasts;
mod facts;
mod inquiries;
mod pages;
mod reached;
mod reports;
mod telling;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use forebay_inspect::Report;
use parking_lot::Mutex;

use self::broadcasts::Broadcasts;
pub use self::broadcasts::Trace;
pub use self::facts::{class, targets};
pub(crate) use self::inquiries::{Asking, Inquiries};
pub use self::pages::LOOK_MAX;
use self::pages::Pages;
use self::reached::ReachedHere;
use self::reports::PageReports;
use crate::round::Seat;

/// What is kept for whoever asks. A broadcast takes about 500 bytes, a page with one subscription about
/// 2 000: with these defaults 20 MB at the most, where all of it is used.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InspectOptions {
    /// The last broadcasts. Default 1 000: a page is looked at within minutes.
    pub broadcasts_max: usize,
    /// Pages that are connected. Default 10 000; those that come when there are as many are only counted.
    pub pages_max: usize,
    /// Pages that have left or were refused. Default 1 000.
    pub ended_pages_max: usize,
    /// Events of one page. Default 24.
    pub events_max: usize,
    /// What pages have reported, of all of them. Default 2 000.
    pub reports_max: usize,
    /// What this node is called in answers. Default: its host's name and a few digits of its own.
    pub node_name: Option<String>,
    /// Keeps the messages of broadcasts, too, up to 16 KB of each. Default: no, they are what visitors see.
    pub keeps_bodies: bool,
}

impl Default for InspectOptions {
    fn default() -> Self {
        Self {
            broadcasts_max: 1_000,
            pages_max: 10_000,
            ended_pages_max: 1_000,
            events_max: 24,
            reports_max: 2_000,
            node_name: None,
            keeps_bodies: false,
        }
    }
}

forebay_log::setters! {
    InspectOptions:
    broadcasts_max: usize,
    pages_max: usize,
    ended_pages_max: usize,
    events_max: usize,
    reports_max: usize,
    node_name: Option<String>,
    keeps_bodies: bool,
}

/// What was recorded. Its locks are held for one operation each, and with no other.
#[derive(Debug)]
pub struct Inspection {
    options: InspectOptions,
    /// This node's name in answers.
    node: String,
    broadcasts: Mutex<Broadcasts>,
    pages: Mutex<Pages>,
    reports: Mutex<PageReports>,
    reached: Mutex<ReachedHere>,
    /// Pages that there was no room for.
    left_out: AtomicU64,
}

impl Inspection {
    pub(crate) fn new(options: InspectOptions, node: String) -> Arc<Self> {
        Arc::new(Self {
            options,
            node,
            broadcasts: Mutex::default(),
            pages: Mutex::default(),
            reports: Mutex::default(),
            reached: Mutex::default(),
            left_out: AtomicU64::new(0),
        })
    }

    /// This node's name in answers.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Whether messages are kept.
    pub fn keeps_bodies(&self) -> bool {
        self.options.keeps_bodies
    }

    /// Connected pages that there was no room for: nothing is known of them.
    pub fn pages_left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    /// Takes what a page reports. False where more come than are taken: what is left out is counted.
    pub fn report(&self, now: u64, page: &str, report: Report) -> bool {
        self.reports.lock().add(now, page, report, self.options.reports_max)
    }

    /// Pages had no room for so many reports.
    pub fn note_unreported(&self, count: u64) {
        self.reports.lock().leave_out(count);
    }

    /// Reports that were left out because too many came.
    pub fn reports_left_out(&self) -> u64 {
        self.reports.lock().left_out()
    }

    pub(crate) fn sits(&self, id: &str, seat: Weak<dyn Seat>) {
        self.pages.lock().sits(id, seat);
    }
}
