//! Rows that transactions leave for a relay: they get their numbers in one order, and are committed in another.

use std::collections::BTreeMap;
use std::sync::Arc;

use forebay_hub::{Broadcast, Hub};
use forebay_log::{Class, Message};
use parking_lot::Mutex;

use super::nodes::Nodes;
use super::writers::{Asked, Said, UnderWay};
use super::{Broken, World};
use crate::model::Violation;
use crate::rooms::name_of;
use crate::variant::Variant;

/// Rows that a relay brings in one go.
const ROWS_MAX: usize = 8;

#[derive(Default)]
pub(super) struct Outbox {
    next: u64,
    rows: BTreeMap<u64, Row>,
    /// Of the relay that asks for rows behind the last one: which that is.
    last: u64,
}

#[derive(Clone)]
struct Row {
    commits_at: u64,
    stream: usize,
    serial: usize,
    text: String,
}

impl Outbox {
    /// A transaction writes a row. It commits in a while.
    pub(super) fn add(&mut self, commits_at: u64, stream: usize, serial: usize, text: String) {
        self.next += 1;
        self.rows.insert(self.next, Row { commits_at, stream, serial, text });
    }

    fn visible(&mut self, now: u64, variant: Variant) -> Vec<(u64, Row)> {
        let is_visible = |(_, row): &(&u64, &Row)| row.commits_at <= now;
        if variant != Variant::LateCommits {
            let rows = self.rows.iter().filter(is_visible).take(ROWS_MAX);
            return rows.map(|(id, row)| (*id, row.clone())).collect();
        }
        let rows = self.rows.range(self.last + 1..).filter(is_visible).take(ROWS_MAX);
        let rows: Vec<_> = rows.map(|(id, row)| (*id, row.clone())).collect();
        self.last = rows.last().map_or(self.last, |(id, _)| *id);
        rows
    }

    /// What is taken is deleted.
    pub(super) fn delete(&mut self, ids: &[u64]) {
        for id in ids {
            self.rows.remove(id);
        }
    }
}

impl World {
    /// Each node's relay looks for rows, whatever the others do.
    pub(super) fn relay(&mut self, nodes: &mut Nodes) {
        for number in 0..nodes.all.len() {
            let Some(hub) = nodes.ready(number).cloned() else { continue };
            if nodes.under_way.iter().any(|it| it.node() == number && it.is_relay()) {
                continue;
            }
            let rows = nodes.outbox.visible(self.now(), self.variant);
            if !rows.is_empty() {
                let taken = Arc::new(Mutex::new(Vec::new()));
                let task = Box::pin(bring(hub, rows, Arc::clone(&taken)));
                nodes.under_way.push(UnderWay::new(number, Asked::Relay(taken), task));
            }
        }
    }

    /// Each row that was committed is in the log, or was before the log has lost something.
    pub(super) fn check_outbox(&self) -> Result<(), Broken> {
        let Some(nodes) = &self.nodes else { return Ok(()) };
        let refused = nodes.refused.iter().find(|entry| nodes.counts(**entry));
        if let Some((stream, serial)) = refused {
            let said = format!("entry {serial} of stream {stream} was refused, and taken");
            return Err((Violation::Lost, said));
        }
        let is_lost = |row: &&Row| !nodes.taken.contains_key(&(row.stream, row.serial));
        let Some(row) = nodes.outbox.rows.values().find(is_lost) else { return Ok(()) };
        let said = format!(
            "entry {} of stream {} is committed, and no page shows it",
            row.serial, row.stream
        );
        Err((Violation::Lost, said))
    }
}

async fn bring(hub: Hub, rows: Vec<(u64, Row)>, taken: Arc<Mutex<Vec<u64>>>) -> Said {
    for (id, row) in rows {
        let (stream, message) = (name_of(row.stream), Message::json(row.text));
        let broadcast = Broadcast { stream: &stream, message, class: Class::Log };
        if hub.publish_once(&format!("row {id}"), vec![broadcast]).await.is_err() {
            // What comes behind it waits, too.
            break;
        }
        taken.lock().push(id);
    }
    Said::Nothing
}
