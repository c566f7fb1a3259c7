//! Who is present: what sessions ask for becomes records, and what records change becomes entries.
//!
//! A session's join changes this node's leases, and no more. Somebody then writes what the leases ask for, in
//! one order: here at once where the log is in memory, and else in a task. A record comes back as to every node,
//! changes the sets, and the change has the record's own place in the log, as an entry of the presence stream.

mod attending;
mod joining;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use forebay_log::{
    Applied, Class, Content, Control, Lacking, Message, Offset, Position, Record, StreamId,
    UnixMillis, presence_of, presence_stream,
};
use forebay_presence::{Change, Presence as Sign, Sets};

use super::{Hub, Inner};
use crate::client::Client;
use crate::presence::{Attendance, Known, Members};

impl Hub {
    /// Who is present on a stream, and the position of which that is true.
    pub fn members(&self, stream: &str) -> Members {
        let sets = self.0.presence.sets.read();
        Members { position: self.0.presence_position(), members: sets.members(stream) }
    }

    /// The same as clients are told it: by name, or only how many. Where this node has just begun, and does not
    /// know yet who is there, the position is before everything: whoever goes on from it is told to begin anew.
    pub fn attendance(&self, stream: &str) -> Attendance {
        self.0.attendance(&self.0.presence.sets.read(), stream)
    }

    /// The same. `None` where this node has just begun, and does not know yet who is there.
    pub fn present_on(&self, stream: &str) -> Option<Attendance> {
        let presence = &self.0.presence;
        let sets = presence.sets.read();
        let is_whole = presence.is_whole.load(Ordering::Relaxed);
        is_whole.then(|| self.0.attendance(&sets, stream))
    }

    /// What is told of a member of a stream, and the place of the record that said so first. `None` if it is not
    /// present.
    pub fn member(&self, stream: &str, id: &str) -> Option<(Arc<str>, Position)> {
        let sets = self.0.presence.sets.read();
        let (info, since) = sets.info(stream, id)?;
        Some((Arc::clone(info), Position { offset: since, ..self.position() }))
    }

    /// How many are present on all streams together; who is on two counts twice.
    pub fn present(&self) -> usize {
        self.0.presence.sets.read().len()
    }
}

impl Client {
    /// Who is present on a stream, where nothing has changed behind `through`: of `stream`, its presence stream,
    /// which this connection has open. Where so many are present that their names are told to nobody, they are
    /// only counted. `None`, too, where this node does not know it yet: then something is missing in the presence
    /// stream when it does.
    pub fn members_through(&self, stream: StreamId, through: Offset) -> Option<Attendance> {
        let inner = &*self.hub().0;
        let name = self.stream_name(stream)?;
        let room = presence_of(&name)?;
        let sets = inner.presence.sets.read();
        let is_whole = inner.presence.is_whole.load(Ordering::Relaxed);
        if !is_whole || inner.log.read().last(stream) > through {
            return None;
        }
        Some(inner.attendance(&sets, room))
    }
}

impl Inner {
    fn attendance(&self, sets: &Sets, stream: &str) -> Attendance {
        let total = sets.total(stream);
        let is_named = total <= self.presence.options.names_max;
        let named = if is_named { sets.members(stream) } else { Vec::new() };
        Attendance { position: self.presence_position(), total, named }
    }

    /// Of which place it is true who is there, as the caller, who has the sets, finds it.
    fn presence_position(&self) -> Position {
        let is_whole = self.presence.is_whole.load(Ordering::Relaxed);
        let head = self.position();
        if is_whole { head } else { Position { offset: Offset::ZERO, ..head } }
    }

    /// Whether a page was rendered by a node that did not know who is there. What such a node has left out, the
    /// presence streams of others do not replay.
    pub(crate) fn is_of_the_unknowing(&self, stream: &str, position: Position) -> bool {
        let head = self.position();
        self.presence.is_shared
            && position == Position { offset: Offset::ZERO, ..head }
            && head.offset > Offset::ZERO
            && presence_of(stream).is_some()
    }

    /// Applies records in order, of which some are about presence.
    pub(super) fn apply_with_presence(&self, records: &[Record]) {
        let mut order = self.presence.order.lock();
        for run in records.chunk_by(|a, b| a.presence().is_none() && b.presence().is_none()) {
            let record = &run[0];
            let is_new = record.offset > self.position().offset;
            if let Some(sign) = record.presence().filter(|_| is_new) {
                self.place_sign(&mut order, record.at, Some(record.offset), sign);
            } else {
                // A record that it has is left out here, too.
                let news = self.apply_to(&mut self.log.write(), run);
                self.tell(&news);
            }
        }
    }

    /// Gives a record its place here: the one that it has, or the next one of a log in memory. Whoever calls it
    /// has the order.
    fn place_sign(&self, known: &mut Known, at: UnixMillis, offset: Option<Offset>, sign: &Sign) {
        // In memory others may publish until then: its place is this one or a later one.
        let foreseen = offset.unwrap_or_else(|| self.position().offset.next());
        let change = self.presence.sets.read().change(foreseen, sign);
        let content = match (sign.stream(), &change) {
            // To a node that does not know who was there, those who were seem to come.
            (Some(stream), Some(change)) if *known == Known::Whole => self.entry_of(stream, change),
            _ => Content::Control(Control::Nothing),
        };
        let applied = self.place_change(at, offset, sign, content);
        for Applied { stream, .. } in applied {
            self.rounds.tell(&self.subscribers, stream);
        }
        self.doze.end();
        self.take_note(known, sign);
        if let (Some(stream), Some(change)) = (sign.stream(), &change) {
            if *known == Known::Whole {
                let (before, after) = (change.total_before, change.total);
                self.stats.presence_joins.add(after.saturating_sub(before) as u64);
                self.stats.presence_leaves.add(before.saturating_sub(after) as u64);
            }
            self.call_changed(sign, stream, change);
        }
    }

    fn place_change(
        &self,
        at: UnixMillis,
        offset: Option<Offset>,
        sign: &Sign,
        content: Content,
    ) -> Vec<Applied> {
        let mut sets = self.presence.sets.write();
        let mut log = self.log.write();
        let offset = offset.unwrap_or_else(|| log.head().offset.next());
        sets.apply(offset, sign);
        let applied = log.apply(&Record { offset, at, content });
        self.head.store(log.head().offset.0, Ordering::Release);
        applied
    }

    /// What the presence stream gets of a change.
    fn entry_of(&self, stream: &str, change: &Change) -> Content {
        let name: Arc<str> = presence_stream(stream).into();
        let hooks = self.presence.options.hooks.as_ref();
        let html =
            hooks.map(|hooks| catch_unwind(AssertUnwindSafe(|| hooks.0.render(stream, change))));
        if let Ok(html) = html.transpose() {
            let html = html.flatten().map(|html| json_string(&html));
            let message = Message::of_change(change.clone(), html);
            return Content::Entry { stream: name, message, class: Class::Log };
        }
        self.stats.panics.add(1);
        self.stats.gaps.add(1);
        tracing::error!(
            stream,
            "who has come or left could not be rendered: pages load themselves again"
        );
        Content::Control(Control::Gap(Lacking::Stream(name)))
    }

    fn call_changed(&self, sign: &Sign, stream: &str, change: &Change) {
        if sign.written_by() != self.presence.node {
            return;
        }
        let Some(hooks) = &self.presence.options.hooks else { return };
        if catch_unwind(AssertUnwindSafe(|| hooks.0.changed(stream, change))).is_err() {
            self.stats.panics.add(1);
            tracing::error!(stream, "the application's hook for who is present has panicked");
        }
    }

    /// What a record means for this node's own sessions.
    fn take_note(&self, known: &mut Known, sign: &Sign) {
        let now = self.now().0;
        let writer = sign.written_by();
        self.presence.nodes.lock().hear(now, writer);
        if writer != self.presence.node && self.presence.due.load(Ordering::Acquire) == u64::MAX {
            // From now on there is somebody to watch.
            self.presence.call();
        }
        match sign {
            Sign::Asks { node } if *node == self.presence.node => {
                *known = Known::Asked(now.saturating_add(self.presence.ttl_ms()));
            }
            Sign::Asks { .. } => {
                self.presence.leases.lock().asked();
                self.presence.call();
            }
            Sign::Signs { stream, held, .. } => {
                let sets = self.presence.sets.read();
                let ids = held.iter().map(|held| &held.member.id);
                let infos = ids.filter_map(|id| Some((id, Arc::clone(sets.info(stream, id)?.0))));
                let infos: Vec<_> = infos.collect();
                drop(sets);
                let mut leases = self.presence.leases.lock();
                for (id, info) in &infos {
                    leases.adopt(now, stream, id, info);
                }
            }
            Sign::Ended { node, by, stream, members, .. } if *node == self.presence.node => {
                let mut leases = self.presence.leases.lock();
                let here = members.iter().filter(|id| leases.ended(now, stream, id)).count();
                drop(leases);
                if here > 0 {
                    tracing::warn!(
                        stream = &**stream, %by, members = here,
                        "another node has taken this one for gone: its members are said to be here again"
                    );
                    self.presence.call();
                }
            }
            Sign::Leaves { node } => self.presence.nodes.lock().hear_end(now, *node),
            Sign::Alive { .. } | Sign::Ended { .. } => {}
        }
    }
}

fn json_string(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}
