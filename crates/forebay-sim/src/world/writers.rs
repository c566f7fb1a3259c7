//! Publishers at several nodes, and what the log's server knows of what they have published: the truth that
//! pages are held to. It is read from what the server has taken, and no node is asked.

use std::pin::Pin;
use std::sync::Arc;

use forebay_hub::{Broadcast, Hub, Revocation};
use forebay_log::{Class, Content, Control, Lacking, Message, Position, Record};
use parking_lot::Mutex;

use super::nodes::{Nodes, poll};
use super::{Broken, STREAMS, World};
use crate::model::Violation;
use crate::published::{Kind, Published};
use crate::rooms::name_of;
use crate::server::News;
use crate::variant::Variant;

/// Streams that stand for what was committed and nobody was told of.
const UNTOLD: &str = "untold ";

/// What a node was asked for, until it answers.
pub(super) struct UnderWay {
    node: usize,
    asked: Asked,
    task: Pin<Box<dyn Future<Output = Said>>>,
}

pub(super) enum Asked {
    /// An entry, by its stream and its number.
    Entry(usize, usize),
    /// Rows: those that are taken are noted here.
    Relay(Arc<Mutex<Vec<u64>>>),
    /// Access is taken back.
    Revoke(Revocation),
    Other,
}

pub(super) enum Said {
    At(Position),
    /// Not taken, as far as is known.
    Failed {
        is_known: bool,
    },
    Nothing,
}

impl UnderWay {
    pub(super) fn new(
        node: usize,
        asked: Asked,
        task: Pin<Box<dyn Future<Output = Said>>>,
    ) -> Self {
        Self { node, asked, task }
    }

    /// What pages have proven is handed over.
    pub(super) fn keep(node: usize, hub: Hub) -> Self {
        let keep = async move {
            hub.keep().await;
            Said::Nothing
        };
        Self::new(node, Asked::Other, Box::pin(keep))
    }

    pub(super) fn node(&self) -> usize {
        self.node
    }

    pub(super) fn is_relay(&self) -> bool {
        matches!(self.asked, Asked::Relay(_))
    }
}

async fn publish(hub: Hub, stream: String, text: String, class: Class) -> Said {
    let broadcast = Broadcast { stream: &stream, message: Message::json(text), class };
    match hub.publish(broadcast).await {
        Ok(published) => Said::At(published.position),
        Err(error) => Said::Failed { is_known: error.is_outcome_known() },
    }
}

impl World {
    /// Somebody publishes, at whichever node, or leaves a row for the relays.
    pub(super) fn publish_at_a_node(
        &mut self,
        stream: usize,
        kind: Kind,
        class: Class,
        size: usize,
    ) {
        let Some(mut nodes) = self.nodes.take() else { return };
        let first = nodes.rng.usize(..nodes.all.len());
        if let Some(node) = nodes.ready_from(first) {
            let serial = nodes.serials[stream];
            nodes.serials[stream] += 1;
            let text = format!("\"0:{stream}:{serial}\"{}", " ".repeat(size));
            let is_row = kind == Kind::Log && !self.is_calm && nodes.rng.u8(..8) == 0;
            self.tell(|| {
                format!("entry {serial} of stream {stream} at node {node}: {kind:?}, row {is_row}")
            });
            if is_row {
                let commits_at = self.now() + nodes.rng.u64(..300);
                nodes.outbox.add(commits_at, stream, serial, text);
            } else {
                let hub = nodes.ready(node).cloned().expect("it is ready");
                let task = Box::pin(publish(hub, name_of(stream), text, class));
                nodes.under_way.push(UnderWay::new(node, Asked::Entry(stream, serial), task));
            }
        }
        self.nodes = Some(nodes);
    }

    /// What was committed is not published: pages are told, at this node.
    pub(super) fn tell_gap(&mut self, nodes: &mut Nodes, node: usize, stream: usize) {
        let Some(hub) = nodes.running(node).cloned() else { return };
        let is_untold = self.variant == Variant::Untold;
        let task: Pin<Box<dyn Future<Output = Said>>> = if is_untold {
            Box::pin(publish(hub, format!("{UNTOLD}{stream}"), "0".to_owned(), Class::Log))
        } else {
            Box::pin(async move {
                hub.gap([&*name_of(stream)]).await;
                Said::Nothing
            })
        };
        nodes.under_way.push(UnderWay::new(node, Asked::Other, task));
    }

    pub(super) fn revoke_at_a_node(&mut self, revocation: Revocation) {
        let Some(mut nodes) = self.nodes.take() else { return };
        let first = nodes.rng.usize(..nodes.all.len());
        if let Some(node) = nodes.ready_from(first) {
            let hub = nodes.ready(node).cloned().expect("it is ready");
            let asked = Asked::Revoke(revocation.clone());
            let task = Box::pin(async move {
                match hub.revoke(revocation).await {
                    Ok(position) => Said::At(position),
                    Err(error) => Said::Failed { is_known: error.is_outcome_known() },
                }
            });
            nodes.under_way.push(UnderWay::new(node, asked, task));
        }
        self.nodes = Some(nodes);
    }

    /// What nodes were asked for goes on.
    pub(super) fn write(&mut self, nodes: &mut Nodes) -> Result<(), Broken> {
        let under_way = std::mem::take(&mut nodes.under_way);
        for mut one in under_way {
            let node = &nodes.all[one.node];
            let network = Arc::clone(&node.network);
            if node.stop.is_some() {
                nodes.under_way.push(one);
                continue;
            }
            let _time = network.enter();
            match poll(&mut one.task) {
                Some(said) => self.is_answered(nodes, &one, &said)?,
                None => nodes.under_way.push(one),
            }
        }
        Ok(())
    }

    fn is_answered(
        &mut self,
        nodes: &mut Nodes,
        one: &UnderWay,
        said: &Said,
    ) -> Result<(), Broken> {
        match (&one.asked, said) {
            (Asked::Entry(stream, serial), Said::At(position)) => {
                let at = (nodes.life_of(position.epoch), position.offset.0);
                let taken = nodes.taken.get(&(*stream, *serial));
                // Who goes on from an epoch that is over is told. Of a later one it would lack something.
                let is_there = |taken: &(u64, u64)| taken.1 == at.1 && taken.0 >= at.0;
                if taken.is_none_or(|taken| !taken.iter().any(is_there)) {
                    let said = format!(
                        "entry {serial} of stream {stream} was taken at {at:?}, and is at {taken:?}"
                    );
                    return Err((Violation::Lost, said));
                }
            }
            (Asked::Entry(stream, serial), Said::Failed { is_known }) => {
                self.tally.failed += 1;
                if *is_known {
                    nodes.refused.push((*stream, *serial));
                }
                self.tell_gap(nodes, one.node, *stream);
            }
            (Asked::Revoke(revocation), Said::Failed { .. }) => {
                // It holds on that node, and pages that come may be refused there.
                self.is_taken_back(revocation, u64::MAX);
            }
            (Asked::Relay(taken), _) => {
                self.tally.relayed += taken.lock().len() as u64;
                nodes.outbox.delete(&taken.lock());
            }
            _ => {}
        }
        Ok(())
    }

    /// What the server has come to.
    pub(super) fn learn(&mut self, nodes: &mut Nodes) {
        for news in nodes.server.news() {
            match news {
                News::Epoch(epoch, cut) => {
                    if !nodes.epochs.is_empty() {
                        let next = Published::numbered(STREAMS);
                        nodes.earlier.push(std::mem::replace(&mut self.published, next));
                        self.log += 1;
                        self.room_is_another();
                        self.tally.epochs += 1;
                        self.tell(|| "another epoch begins".to_owned());
                    }
                    nodes.epochs.push(epoch);
                    nodes.cuts.push(cut.0);
                }
                News::Group(group) if nodes.epochs.last() == Some(&group.epoch) => {
                    for record in group.records().unwrap_or_default() {
                        self.learn_record(nodes, &record);
                    }
                }
                News::Group(_) => {}
            }
        }
    }

    fn learn_record(&mut self, nodes: &mut Nodes, record: &Record) {
        let offset = record.offset.0;
        match &record.content {
            Content::Entry { stream, message, class } => {
                if let Some(stream) = stream.strip_prefix(UNTOLD) {
                    let stream = stream.parse().expect("it is a number");
                    self.published.add(stream, offset, Kind::Missing);
                    return;
                }
                let mut numbers = message.as_json().trim_end().trim_matches('"').split(':').skip(1);
                let mut next = || numbers.next().and_then(|number| number.parse::<usize>().ok());
                let (Some(stream), Some(serial)) = (next(), next()) else { return };
                let kind = match class {
                    Class::State(_) => Kind::State,
                    Class::Ephemeral => Kind::Ephemeral,
                    _ => Kind::Log,
                };
                self.published.add_numbered(stream, serial, offset, kind);
                nodes.taken.entry((stream, serial)).or_default().push((self.log, offset));
                self.tally.taken += 1;
                self.tell(|| {
                    format!("the log takes entry {serial} of stream {stream}: offset {offset}")
                });
            }
            Content::Control(Control::Gap(lacking)) => {
                let lacks = |stream: &usize| match lacking {
                    Lacking::Stream(name) => **name == *name_of(*stream),
                    _ => true,
                };
                for stream in (0..STREAMS).filter(lacks) {
                    self.published.add(stream, offset, Kind::Missing);
                }
                self.tally.told_gaps += 1;
            }
            Content::Control(Control::Revoke(revocation)) => self.is_taken_back(revocation, offset),
            Content::Control(Control::Presence(sign)) => {
                let now = self.now();
                self.visitors.take(record.offset, sign, now);
            }
            Content::Control(_) => {}
        }
    }
}
