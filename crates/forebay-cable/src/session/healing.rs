//! Telling a page that it lacks something: once for each rendering, not too often, and when it is its turn.
//!
//! A page that has been told renders itself again, and all of its tags with it. So what its other tags
//! lack needs no request of its own. And where many pages lack something at the same time, the caller
//! spreads them, so that the application behind them is not run over.

use std::hash::{DefaultHasher, Hash, Hasher};

use forebay_log::{Epoch, UnixMillis};
use smallvec::SmallVec;

use super::subscription::{Reading, Subscription};
use super::{Session, Waiting};
use crate::ids::SubscriptionId;
use crate::wire::Envelope;

/// Renderings of one connection that have been told within a ping interval. A page is one of them, so
/// this is many; past it, one is told twice.
const TOLD_MAX: usize = 16;

/// How often the page of one connection is told one time after the other. A page that needs more may run over
/// its application: each of the next has to wait.
const BURST: u64 = 5;

/// It may be told once more after so long: five times a minute.
const TURN_MS: u64 = 12_000;

/// What a session remembers of the healing of its page. Out of line: most need none.
#[derive(Debug, Default)]
pub(super) struct Healing {
    /// Nobody is told before.
    at: Option<UnixMillis>,
    /// How long that is from when it was planned.
    pub(super) wait_ms: u64,
    /// Subscriptions that wait for it.
    waiting: SmallVec<[SubscriptionId; 2]>,
    /// Renderings that were told since the last ping.
    told: SmallVec<[u64; 2]>,
    /// When a page that is told in an even pace would be told next.
    next: UnixMillis,
    foreign: Option<Foreign>,
}

/// Pages of another log's, which were told to heal themselves.
#[derive(Debug)]
struct Foreign {
    epoch: Epoch,
    told: SmallVec<[u64; 2]>,
    /// The rendering that was not told any more.
    given_up: Option<u64>,
}

impl Healing {
    /// Whether the rendering is to be told, and not told already.
    fn tells(&mut self, rendering: u64) -> bool {
        let is_new = !self.told.contains(&rendering);
        if is_new && self.told.len() < TOLD_MAX {
            self.told.push(rendering);
        }
        is_new
    }
}

/// Which rendering of a page a subscription is from: all of its tags have the same position and page id.
fn rendering(envelope: &Envelope) -> u64 {
    let mut hasher = DefaultHasher::new();
    envelope.rendering().hash(&mut hasher);
    hasher.finish()
}

/// The same, where nothing says it: those that go on from the same place lack the same.
fn rendering_of(subscription: &Subscription) -> u64 {
    if !subscription.envelope.rendering().is_empty() {
        return rendering(&subscription.envelope);
    }
    let mut hasher = DefaultHasher::new();
    subscription.newest_sent().hash(&mut hasher);
    hasher.finish()
}

impl Session {
    /// Whether the page of the subscription that waits for an answer needs no turn: it was told just
    /// now, or is going to be.
    pub fn is_healing(&self) -> bool {
        let Waiting::Subscription(pending) = &self.waiting else { return false };
        self.heals(&pending.envelope)
    }

    pub(super) fn heals(&self, envelope: &Envelope) -> bool {
        let healing = self.healing.as_ref();
        healing.is_some_and(|h| h.at.is_some() || h.told.contains(&rendering(envelope)))
    }

    /// This page is going to be told that it lacks something, not before `turn`. It may have to wait
    /// longer, where it was told often.
    pub fn plan_healing(&mut self, now: UnixMillis, turn: UnixMillis) {
        let healing = self.healing.get_or_insert_default();
        let turn = turn.max(UnixMillis(healing.next.0.saturating_sub((BURST - 1) * TURN_MS)));
        healing.next = UnixMillis(healing.next.max(turn).0.saturating_add(TURN_MS));
        if turn > now {
            healing.at = Some(turn);
            healing.wait_ms = turn.0 - now.0;
        }
    }

    /// Whether the page of the subscription that waits for an answer, rendered in this foreign epoch,
    /// was told before in vain: a rendering that was told is gone, so the page was rendered again, and
    /// again by that other process. Telling it once more would only go on for ever.
    pub fn heals_in_vain(&mut self, epoch: Epoch) -> bool {
        let Waiting::Subscription(pending) = &self.waiting else { return false };
        let this = rendering(&pending.envelope);
        let is_here =
            |told: &u64| self.subscriptions.iter().any(|s| rendering(&s.envelope) == *told);
        let foreign = &mut self.healing.get_or_insert_default().foreign;
        let foreign = match foreign {
            Some(known) if known.epoch == epoch => known,
            _ => foreign.insert(Foreign { epoch, told: SmallVec::new(), given_up: None }),
        };
        let is_new = !foreign.told.contains(&this);
        let is_gone = is_new && foreign.told.iter().any(|told| !is_here(told));
        if is_gone || (is_new && foreign.told.len() >= TOLD_MAX) {
            foreign.given_up = Some(this);
        } else if is_new && foreign.given_up != Some(this) {
            foreign.told.push(this);
        }
        foreign.given_up == Some(this)
    }

    /// Whether somebody waits, or is going to wait, for the page's turn.
    pub fn is_healing_planned(&self) -> bool {
        self.heals_at().is_some()
    }

    /// When waiting pages are told.
    pub(super) fn heals_at(&self) -> Option<UnixMillis> {
        self.healing.as_ref()?.at
    }

    /// How long a client that spreads its healing by itself is to wait.
    pub(super) fn healing_wait_ms(&self) -> u64 {
        self.healing.as_ref().filter(|healing| healing.at.is_some()).map_or(0, |h| h.wait_ms)
    }

    /// The subscription is not read before its page is told: a position behind what it lacks must not
    /// reach its client first. False if there is nothing to wait for.
    pub(super) fn waits_for_healing(&mut self, index: usize) -> bool {
        let Some(healing) = self.healing.as_mut().filter(|healing| healing.at.is_some()) else {
            return false;
        };
        let subscription = &mut self.subscriptions[index];
        if subscription.reading != Reading::OwesHealing {
            subscription.reading = Reading::OwesHealing;
            healing.waiting.push(subscription.id);
        }
        true
    }

    /// Tells those whose turn has come.
    pub(super) fn heal_due(&mut self, now: UnixMillis) {
        let Some(healing) = &mut self.healing else { return };
        if healing.at.is_none_or(|at| now < at) {
            return;
        }
        healing.at = None;
        for id in std::mem::take(&mut healing.waiting) {
            if let Some(index) = self.subscription_index(id) {
                self.subscriptions[index].reading = Reading::Reads;
                self.lost(index);
            }
        }
    }

    /// Whether the subscription's page is to be told now, and was not told for another of its tags.
    pub(super) fn tells_rendering(&mut self, index: usize) -> bool {
        let rendering = rendering_of(&self.subscriptions[index]);
        self.healing.get_or_insert_default().tells(rendering)
    }

    /// A ping interval has passed: who still lacks something has not rendered itself again.
    pub(super) fn forget_told(&mut self) {
        if let Some(healing) = &mut self.healing {
            healing.told.clear();
        }
    }
}
