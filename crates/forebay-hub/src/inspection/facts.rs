//! What is known here of one broadcast and one page, for `why`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use forebay_inspect::{
    About, Broadcast, Class, Facts, Known, Log, Outcome, Place, Question, Said, Targets, Told,
    action_of, readable,
};
use forebay_log::{Entry, Offset, Position, Targets as Acts};

use super::Inspection;
use crate::hub::Hub;

/// Names that are compared with one that nobody reads. At about a microsecond each.
const KNOWN_MAX: usize = 2_000;

/// Nodes with the same log, which were not asked: a page may be theirs.
const OTHERS: &str = "each other node";

impl Hub {
    /// What is recorded, if anything is.
    pub fn inspection(&self) -> Option<&Arc<Inspection>> {
        self.0.inspection.as_ref()
    }

    /// What is known here of a page, by its connection's id or its visitor's name or address, and of a broadcast to a
    /// stream: the one at `offset`, or the last one. The stream's name may be in clear, with its records readable,
    /// or signed as the page's tag has it. `None` where nothing is recorded.
    pub fn facts(&self, page: &str, stream: &str, offset: Option<u64>) -> Option<Facts> {
        let inspection = self.inspection()?;
        let page = inspection.page(page);
        let mut known = inspection.known_streams();
        let named = |name: &String| name == stream || readable(name) == stream;
        let of_tag = page.iter().flat_map(|page| &page.subscriptions);
        let mut of_tag = of_tag.filter(|one| one.signed.as_deref() == Some(stream));
        let stream = of_tag
            .find_map(|one| one.stream.clone())
            .or_else(|| known.iter().find(|name| named(name)).cloned())
            .unwrap_or_else(|| stream.to_owned());
        known.remove(&stream);
        let reports = page.as_ref().map(|page| inspection.reports.lock().of(&page.id));
        let head = self.position();
        let mut broadcast = self.broadcast_on(inspection, &stream, offset);
        if let Some(broadcast) = &mut broadcast {
            inspection.reached(head).add_to(inspection.node(), broadcast);
        }
        Some(Facts {
            offset,
            broadcast,
            reports: reports.unwrap_or_default(),
            known_streams: known.into_iter().collect(),
            log: Log {
                in_memory: !self.is_stored(),
                epoch: epoch(head),
                head: head.offset.0,
                nodes: vec![inspection.node.clone()],
                missing: self.has_other_nodes().then(|| OTHERS.to_owned()).into_iter().collect(),
                off: Vec::new(),
            },
            page,
            stream,
        })
    }

    /// What all nodes of this log know of these pages and broadcasts, in the same order. What others have said to the
    /// same question no longer ago than `fresh` is taken as their answer. It takes a second at the most. `None` where
    /// nothing is recorded here.
    pub async fn facts_of_all(&self, about: Vec<About>, fresh: Duration) -> Option<Vec<Facts>> {
        let question = Question::Facts(about);
        let answers = self.inquire(&question, fresh).await?;
        let Question::Facts(about) = question else { return None };
        let head = self.position();
        let facts = about.iter().enumerate().map(|(index, about)| {
            let mut log = Log {
                in_memory: !self.is_stored(),
                epoch: epoch(head),
                head: head.offset.0,
                nodes: Vec::new(),
                missing: answers.missing.clone(),
                off: answers.off.clone(),
            };
            let mut known = Vec::new();
            for Told { node, said, .. } in &answers.told {
                let said = facts_at(said, index);
                // Where there was no room for it, nothing is known.
                let to = if said.is_some() { &mut log.nodes } else { &mut log.missing };
                to.push(node.clone());
                known.extend(said.cloned());
            }
            Facts::merge(about, &known, log)
        });
        Some(facts.collect())
    }

    /// The broadcast at this place, or the last one to this stream: as it was asked for here, or as history has
    /// it where that was elsewhere.
    fn broadcast_on(
        &self,
        inspection: &Inspection,
        stream: &str,
        offset: Option<u64>,
    ) -> Option<Broadcast> {
        let is_it = |broadcast: &Broadcast| {
            let place = broadcast.outcome.place().map(|place| place.offset);
            broadcast.stream == stream && offset.is_none_or(|offset| place == Some(offset))
        };
        let recorded = inspection.broadcasts(None, 1, is_it).pop();
        let entries =
            self.entries_from(stream, offset.map_or(0, |offset| offset.saturating_sub(1)));
        let entry = match offset {
            Some(offset) => entries.iter().find(|entry| entry.offset.0 == offset),
            None => entries.last(),
        };
        match (recorded, entry) {
            (Some(recorded), entry) => {
                let at = recorded.outcome.place().map(|place| place.offset);
                match entry {
                    // It was published by somebody else, after all that was asked for here.
                    Some(entry) if offset.is_none() && is_newer(entry, &recorded) => {
                        Some(asked_for(recorded, self.as_history_has_it(stream, entry)))
                    }
                    _ => Some(superseded(recorded, at, &entries)),
                }
            }
            (None, Some(entry)) => Some(self.as_history_has_it(stream, entry)),
            (None, None) => None,
        }
    }

    /// What history has of the stream behind this place, or all of it.
    fn entries_from(&self, stream: &str, after: u64) -> Vec<Entry> {
        let here = self.position();
        let cursor = Position { offset: Offset(after), ..here };
        let replay = self.replay(stream, cursor).or_else(|_| {
            let forgotten = self.0.log.read().forgotten(stream).offset;
            self.replay(stream, Position { offset: forgotten, ..here })
        });
        replay.unwrap_or_default()
    }

    fn as_history_has_it(&self, stream: &str, entry: &Entry) -> Broadcast {
        let (action, acts_on) = match entry.message.action() {
            Some(action) => (Some(action.name.to_string()), Some(targets(&action.targets))),
            None => action_of(entry.message.as_json())
                .map_or((None, None), |(action, acts_on)| (Some(action), acts_on)),
        };
        let place = Place { epoch: epoch(self.position()), offset: entry.offset.0 };
        Broadcast {
            at: entry.appended_at.0,
            stream: stream.to_owned(),
            action,
            targets: acts_on,
            class: class(&entry.class),
            except: entry.message.excepted().map(str::to_owned),
            outcome: Outcome::Published(place),
            ..Broadcast::default()
        }
    }
}

impl Inspection {
    fn known_streams(&self) -> BTreeSet<String> {
        let mut known: BTreeSet<_> = self.streams_of_pages(KNOWN_MAX).into_iter().collect();
        let broadcasts = self.broadcasts(None, KNOWN_MAX, |_| true);
        known.extend(broadcasts.into_iter().map(|broadcast| broadcast.stream));
        known
    }
}

fn facts_at(said: &Said, index: usize) -> Option<&Known> {
    match said {
        Said::Facts(known) => known.get(index),
        _ => None,
    }
}

/// Whether an entry is of somebody else, and later than what was asked for here.
fn is_newer(entry: &Entry, recorded: &Broadcast) -> bool {
    match recorded.outcome.place() {
        Some(place) => entry.offset.0 > place.offset,
        None => entry.appended_at.0 > recorded.at,
    }
}

/// What was written into an outbox is published by its relay: what does the same was asked for there.
fn asked_for(recorded: Broadcast, published: Broadcast) -> Broadcast {
    let is_alike = (&recorded.action, &recorded.targets) == (&published.action, &published.targets);
    if recorded.outcome == Outcome::Pending && is_alike && recorded.action.is_some() {
        Broadcast { id: recorded.id, source: recorded.source, ..published }
    } else {
        published
    }
}

/// History has no entry at its place, and has one behind it: that overwrites it.
fn superseded(recorded: Broadcast, at: Option<u64>, entries: &[Entry]) -> Broadcast {
    let Some(at) = at.filter(|_| recorded.class == Class::State) else { return recorded };
    let is_there = entries.iter().any(|entry| entry.offset.0 == at);
    let has_later = entries.iter().any(|entry| entry.offset.0 > at);
    match &recorded.outcome {
        Outcome::Published(place) if !is_there && has_later => {
            let outcome = Outcome::Superseded(place.clone());
            Broadcast { outcome, ..recorded }
        }
        _ => recorded,
    }
}

fn epoch(position: Position) -> String {
    format!("{:x}", position.epoch.0)
}

/// A class of the log's, as it is shown.
pub fn class(class: &forebay_log::Class) -> Class {
    match class {
        forebay_log::Class::State(_) => Class::State,
        forebay_log::Class::Ephemeral => Class::Ephemeral,
        _ => Class::Log,
    }
}

/// Targets of the log's, as they are shown.
pub fn targets(targets: &Acts) -> Targets {
    match targets {
        Acts::Page => Targets::Page,
        Acts::Id(id) => Targets::Id(id.to_string()),
        Acts::Selector(selector) => Targets::Selector(selector.to_string()),
    }
}
