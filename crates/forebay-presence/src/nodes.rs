//! When other nodes are gone: by this node's own clock, since it heard of them last.
//!
//! That nothing is heard of a node says something only while the log is heard at all. So a node writes signs of
//! life as long as anybody is present anywhere, and judges others while its own come back to it.

use std::collections::BTreeMap;

use forebay_log::{Node, Offset};

/// Parts of a lease between two signs of life: two may be lost.
const SIGNS_PER_LEASE: u64 = 3;

/// Members of a node that has ended in good order are waited for at least as long. The stock client looks every six to
/// twelve seconds, and not within six seconds of a close: so it is back after up to eighteen.
const RETURN_MS: u64 = 20_000;

/// Nodes do not all end another one at the same moment. It would do no harm, and be of no use.
const TURNS: u64 = 8;
const TURN_MS: u64 = 100;

/// Of which nodes something was heard, and when.
#[derive(Debug)]
pub struct Nodes {
    own: Node,
    ttl_ms: u64,
    /// Whether other nodes have the log, too.
    is_shared: bool,
    heard: BTreeMap<Node, u64>,
    /// When this node's own last sign came back.
    came_back: Option<u64>,
    /// When it was written last.
    written: Option<u64>,
    /// It is about to end, and has to say so.
    is_ending: bool,
}

impl Nodes {
    /// Nothing was heard of anybody yet.
    pub fn new(own: Node, ttl_ms: u64, is_shared: bool) -> Self {
        let heard = BTreeMap::new();
        Self { own, ttl_ms, is_shared, heard, came_back: None, written: None, is_ending: false }
    }

    /// A record of this node is in the log.
    pub fn hear(&mut self, now: u64, node: Node) {
        if node != self.own {
            // One that has said that it ends may have said something else behind that.
            let heard = self.heard.entry(node).or_insert(now);
            *heard = now.max(*heard);
            return;
        }
        let was_heard = self.came_back.replace(now);
        if self.is_shared && was_heard.is_none_or(|at| now.saturating_sub(at) > self.ttl_ms / 2) {
            // Nobody could be heard meanwhile: all have their whole lease from here on.
            self.heard.clear();
        }
    }

    /// A node has ended in good order: it is waited for as if it were heard later.
    pub fn hear_end(&mut self, now: u64, node: Node) {
        self.hear(now.saturating_add(RETURN_MS.saturating_sub(self.ttl_ms)), node);
    }

    /// Another log has begun: all have their whole lease.
    pub fn begin_anew(&mut self) {
        (self.came_back, self.written) = (None, None);
        self.heard.clear();
    }

    /// Those of `nodes`, which hold somebody, that are gone; each with the place of its last sign of life.
    pub fn gone(
        &mut self,
        now: u64,
        nodes: impl Iterator<Item = (Node, Offset)>,
    ) -> Vec<(Node, Offset)> {
        let others: Vec<_> = nodes.filter(|(node, _)| *node != self.own).collect();
        self.heard.retain(|node, _| others.iter().any(|(other, _)| other == node));
        let is_blind = self.is_shared
            && self.came_back.is_none_or(|at| now.saturating_sub(at) > self.ttl_ms / 2);
        let patience = self.patience_ms();
        let mut gone = Vec::new();
        for (node, seen) in others {
            let heard = *self.heard.entry(node).or_insert(now);
            if !is_blind && now.saturating_sub(heard) >= patience {
                gone.push((node, seen));
            }
        }
        gone
    }

    fn patience_ms(&self) -> u64 {
        let turn = if self.is_shared { self.own.0 % TURNS * TURN_MS } else { 0 };
        self.ttl_ms.saturating_add(turn)
    }

    /// Whether this node is to write that it is alive. `is_anybody` says whether somebody is present anywhere.
    pub fn is_sign_due(&self, now: u64, is_anybody: bool) -> bool {
        self.sign_due(is_anybody).is_some_and(|due| due <= now)
    }

    fn sign_due(&self, is_anybody: bool) -> Option<u64> {
        if !self.is_shared || !is_anybody {
            return None;
        }
        let pause = self.ttl_ms / SIGNS_PER_LEASE;
        // One that has not come back is written again soon.
        let written = self.written.map_or(0, |at| at.saturating_add(pause / 4));
        let came_back = self.came_back.map_or(0, |at| at.saturating_add(pause));
        Some(written.max(came_back))
    }

    /// It is written, or was tried to.
    pub fn sign_written(&mut self, now: u64) {
        self.written = Some(now);
    }

    /// This node is about to end.
    pub fn end(&mut self) {
        self.is_ending = self.is_shared;
    }

    /// Whether this node is to write that it ends: once.
    pub fn takes_leave(&mut self) -> bool {
        std::mem::take(&mut self.is_ending)
    }

    /// When there is something to do: a sign to be written, or a node to be ended. `None` if never.
    pub fn next_due(&self, now: u64, nodes: impl Iterator<Item = Node>) -> Option<u64> {
        let (mut is_anybody, mut due) = (false, None::<u64>);
        for node in nodes {
            is_anybody = true;
            if node != self.own {
                let heard = self.heard.get(&node).copied().unwrap_or(now);
                // One that could not be ended yet is looked at again soon.
                let at = heard.saturating_add(self.patience_ms()).max(now + TURN_MS);
                due = Some(due.map_or(at, |due| due.min(at)));
            }
        }
        let sign = self.sign_due(is_anybody).map(|at| at.max(now));
        due.into_iter().chain(sign).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Node = Node(8);
    const OTHER: Node = Node(9);

    fn gone(nodes: &mut Nodes, now: u64) -> bool {
        !nodes.gone(now, [(OTHER, Offset(1)), (OWN, Offset(2))].into_iter()).is_empty()
    }

    #[test]
    fn a_node_is_gone_when_nothing_was_heard_of_it_for_a_lease() {
        let mut nodes = Nodes::new(OWN, 15_000, true);
        nodes.hear(1_000, OWN);
        nodes.hear(1_000, OTHER);
        for now in (1_000..16_000).step_by(5_000) {
            nodes.hear(now, OWN);
            assert!(!gone(&mut nodes, now));
        }
        nodes.hear(15_000, OWN);
        assert!(!gone(&mut nodes, 15_999));
        assert!(gone(&mut nodes, 16_000));
        nodes.hear(16_000, OTHER);
        assert!(!gone(&mut nodes, 16_000));
    }

    #[test]
    fn a_node_that_has_ended_in_good_order_is_waited_for_longer() {
        let mut nodes = Nodes::new(OWN, 15_000, true);
        nodes.hear(1_000, OWN);
        nodes.hear_end(1_000, OTHER);
        nodes.hear(1_500, OTHER);
        for now in (1_000..=20_000).step_by(1_000) {
            nodes.hear(now, OWN);
        }
        assert!(!gone(&mut nodes, 20_999) && gone(&mut nodes, 21_000));
        assert!(!nodes.takes_leave());
        nodes.end();
        assert!(nodes.takes_leave() && !nodes.takes_leave());
    }

    #[test]
    fn who_hears_nothing_at_all_judges_nobody() {
        let mut nodes = Nodes::new(OWN, 15_000, true);
        nodes.hear(0, OWN);
        nodes.hear(0, OTHER);
        assert!(!gone(&mut nodes, 60_000), "the log is not heard");
        nodes.hear(60_000, OWN);
        assert!(!gone(&mut nodes, 60_000), "and has just come back");
        for now in (60_000..=75_000).step_by(5_000) {
            nodes.hear(now, OWN);
            assert_eq!(gone(&mut nodes, now), now == 75_000);
        }
    }

    #[test]
    fn the_node_of_a_log_that_nobody_else_has_hears_itself() {
        let mut nodes = Nodes::new(OWN, 15_000, false);
        assert!(!gone(&mut nodes, 1_000));
        nodes.hear(2_000, OWN);
        assert_eq!(nodes.next_due(1_000, [OTHER].into_iter()), Some(16_000));
        assert!(gone(&mut nodes, 16_000));
        assert!(!nodes.is_sign_due(60_000, true));
    }

    #[test]
    fn signs_are_written_while_anybody_is_present() {
        let mut nodes = Nodes::new(OWN, 15_000, true);
        assert!(!nodes.is_sign_due(0, false) && nodes.is_sign_due(0, true));
        nodes.sign_written(0);
        assert!(!nodes.is_sign_due(1_249, true));
        assert!(nodes.is_sign_due(1_250, true), "it was not taken");
        nodes.hear(1_000, OWN);
        assert!(!nodes.is_sign_due(5_999, true));
        assert!(nodes.is_sign_due(6_000, true));
        assert_eq!(nodes.next_due(6_000, [].into_iter()), None);
        assert_eq!(nodes.next_due(2_000, [OWN].into_iter()), Some(6_000));
    }
}
