//! The last broadcasts, and what became of each.

use std::collections::VecDeque;
use std::sync::Arc;

use forebay_inspect::{Broadcast, Outcome, Place, Reach, action_of};

use super::Inspection;
use crate::hub::Published;

/// Of one message: what somebody looks at, and not what fills memory.
const BODY_BYTES_MAX: usize = 16 << 10;

#[derive(Debug, Default)]
pub(super) struct Broadcasts {
    /// Their numbers follow each other.
    all: VecDeque<Broadcast>,
    next: u64,
}

/// One broadcast that is recorded, until it is known what became of it. Clones are of the same. Where nothing
/// is recorded it is nothing.
#[derive(Clone, Debug, Default)]
pub struct Trace(Option<(Arc<Inspection>, u64)>);

impl Trace {
    /// It has its place, and was for so many subscriptions here.
    pub fn published(&self, Published { position, subscribers }: Published) {
        let Some((inspection, _)) = &self.0 else { return };
        let epoch = format!("{:x}", position.epoch.0);
        let place = Place { epoch, offset: position.offset.0 };
        let node = inspection.node.clone();
        let reach = Reach { node, subscriptions: subscribers as u64 };
        self.change(|broadcast| {
            broadcast.outcome = Outcome::Published(place);
            broadcast.reach.push(reach);
        });
    }

    /// This became of it.
    pub fn ends(&self, outcome: impl FnOnce() -> Outcome) {
        self.change(|broadcast| broadcast.outcome = outcome());
    }

    /// Its message: kept where messages are. What it does is read from it where nobody has said that.
    pub fn says(&self, json: &str) {
        let Some((inspection, _)) = &self.0 else { return };
        let end = json.floor_char_boundary(BODY_BYTES_MAX);
        let body = inspection.keeps_bodies().then(|| json[..end].to_owned());
        // Read without the lock.
        let is_known = self.is_known();
        let said = if is_known { None } else { action_of(json) };
        if body.is_none() && said.is_none() {
            return;
        }
        self.change(|broadcast| {
            broadcast.body = body;
            if let Some((action, targets)) = said {
                (broadcast.action, broadcast.targets) = (Some(action), targets);
            }
        });
    }

    fn is_known(&self) -> bool {
        let mut is_known = true;
        self.change(|broadcast| is_known = broadcast.action.is_some());
        is_known
    }

    fn change(&self, change: impl FnOnce(&mut Broadcast)) {
        let Some((inspection, id)) = &self.0 else { return };
        if let Some(broadcast) = inspection.broadcasts.lock().get_mut(*id) {
            change(broadcast);
        }
    }
}

impl Broadcasts {
    fn get_mut(&mut self, id: u64) -> Option<&mut Broadcast> {
        let first = self.all.front()?.id;
        self.all.get_mut(usize::try_from(id.checked_sub(first)?).ok()?)
    }

    fn add(&mut self, mut broadcast: Broadcast, max: usize) -> u64 {
        let id = self.next;
        self.next += 1;
        broadcast.id = id;
        if self.all.len() >= max {
            self.all.pop_front();
        }
        self.all.push_back(broadcast);
        id
    }
}

impl Inspection {
    pub(super) fn each_broadcast(&self, visit: impl FnMut(&Broadcast)) {
        self.broadcasts.lock().all.iter().for_each(visit);
    }

    /// Records a broadcast that was asked for.
    pub fn trace(self: &Arc<Self>, broadcast: Broadcast) -> Trace {
        let id = self.broadcasts.lock().add(broadcast, self.options.broadcasts_max);
        Trace(Some((Arc::clone(self), id)))
    }

    /// Broadcasts that were asked for here and pass the test, with numbers after `after`: the newest `max`, the
    /// oldest first.
    pub fn broadcasts(
        &self,
        after: Option<u64>,
        max: usize,
        test: impl Fn(&Broadcast) -> bool,
    ) -> Vec<Broadcast> {
        let broadcasts = self.broadcasts.lock();
        let newest = broadcasts.all.iter().rev();
        let newest = newest.take_while(|broadcast| after.is_none_or(|after| broadcast.id > after));
        let mut found: Vec<_> = newest.filter(|broadcast| test(broadcast)).take(max).collect();
        found.reverse();
        let named =
            |broadcast: &Broadcast| Broadcast { node: self.node.clone(), ..broadcast.clone() };
        found.into_iter().map(named).collect()
    }
}
