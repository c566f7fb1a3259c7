//! What goes wrong.

use std::sync::Arc;

use forebay_hub::Revocation;
use pollster::FutureExt as _;

use super::{Broken, Connection, STREAMS, UNACKNOWLEDGED, World};
use crate::client::{Client, Protocol, Transport};
use crate::model::Life;
use crate::page::Revoked;
use crate::present::Here;
use crate::rooms::{PRESENCE, name_of};
use crate::socket::Line;
use crate::tally::Tally;
use crate::variant::Variant;

/// Until a connection whose access was taken back has ended: a client that takes nothing is given up by
/// the kernel, one that does not answer the close after six seconds.
pub(super) const ENDS_MAX: u64 = UNACKNOWLEDGED + 10_000;

impl World {
    pub(super) fn go_wrong(&mut self) -> Result<(), Broken> {
        let what = self.schedule.u32(..2_000);
        let index = self.schedule.usize(..self.pages.len());
        let amount = self.schedule.u64(1..);
        // The others are nothing.
        if what >= 33 || !self.happens() || self.pages[index].is_absent {
            return Ok(());
        }
        let now = self.now();
        let page = &self.pages[index];
        let name = format!("{:?} {}", page.protocol, page.name);
        self.tell(|| {
            let what = match what {
                0..8 => "its line is cut",
                8..11 => "its line goes silent",
                11..14 => "reads slowly",
                14..19 => "is left",
                19..21 => "its access is taken back",
                21 => "a restart, or not",
                22..24 => "is frozen",
                24..26 => "its clock jumps",
                31..33 => "and a broadcast that is lost",
                _ => "changes its transport, if it can",
            };
            format!("{name}: {what} ({amount})")
        });
        match what {
            0..8 => self.with_line(index, Line::cut, |tally| &mut tally.cuts),
            8..11 => self.with_line(index, |line| line.silent = true, |tally| &mut tally.silences),
            11..14 => {
                self.pages[index].slow_until = now + amount % 20_000;
                self.tally.slow_readers += 1;
            }
            14..19 => self.navigate(index, now),
            19..21 => self.revoke(index, amount),
            21 if self.nodes.is_some() => {}
            21 if amount.is_multiple_of(2) || self.disk.is_some() => self.restart(amount)?,
            22..24 => {
                self.tally.freezes += 1;
                let page = &mut self.pages[index];
                let long = if amount.is_multiple_of(4) { 120_000 } else { 15_000 };
                page.frozen_until = now + (amount >> 8) % long;
                page.is_stack_awake = amount & 1 == 0;
            }
            24..26 => {
                self.tally.clock_jumps += 1;
                let page = &mut self.pages[index];
                // A page whose history begins at a time needs a clock that isn't ahead.
                let ahead = i64::from(!page.by_time) * 200_000;
                page.skew = (amount % 400_000).cast_signed() - 400_000 + ahead;
            }
            31..33 => self.lose_broadcast(amount),
            26..31
                if self.pages[index].protocol == Protocol::Forebay
                    && self.pages[index].client.is_some() =>
            {
                self.lose(index, now, 0);
            }
            _ => {}
        }
        Ok(())
    }

    fn with_line(
        &mut self,
        index: usize,
        change: impl FnOnce(&mut Line),
        count: impl FnOnce(&mut Tally) -> &mut u64,
    ) {
        if let Some(client) = &self.pages[index].client {
            change(&mut client.line().lock().expect("one thread"));
            *count(&mut self.tally) += 1;
        }
    }

    /// All that somebody reads, or one stream of it; perhaps just when the connection was lost, and
    /// the page is about to resume.
    fn revoke(&mut self, index: usize, amount: u64) {
        self.tally.revocations += 1;
        if amount & 1 == 0 {
            self.with_line(index, Line::cut, |tally| &mut tally.cuts);
        }
        let page = &self.pages[index];
        let stream = page.tags.first().map(|tag| tag.stream).filter(|_| amount & 2 == 0);
        let name = Arc::clone(&page.name);
        let revocation = match stream {
            Some(stream) => Revocation::of(Arc::clone(&name), name_of(stream)),
            None => Revocation::of_identity(Arc::clone(&name)),
        };
        if self.nodes.is_some() {
            self.revoke_at_a_node(revocation);
            return;
        }
        let revoked = self.hub.revoke(revocation.clone()).block_on();
        let at = revoked.expect("memory takes it").offset.0;
        if self.variant == Variant::Bystanders {
            for page in &self.pages {
                self.hub.disconnect(&page.name).block_on().expect("memory takes it");
            }
        }
        self.is_taken_back(&revocation, at);
    }

    /// Access was taken back, at this offset.
    pub(super) fn is_taken_back(&mut self, revocation: &Revocation, at: u64) {
        let ends_by = self.now() + ENDS_MAX;
        let Some(name) = revocation.identity().cloned() else { return };
        let stream = (0..STREAMS)
            .find(|stream| revocation.stream().is_some_and(|name| **name == *name_of(*stream)));
        for page in self.pages.iter_mut().filter(|page| page.name == name) {
            let (at, revocation) = ((self.log, at), revocation.clone());
            page.revoked.push(Revoked { stream, at, revocation, is_lost: false });
            page.may_end_until = ends_by;
            let uses_it = page.confirmed == page.tags.len() && page.transport != Transport::Poll;
            let is_known = at.1 < u64::MAX;
            let line = page.client.as_ref().filter(|_| uses_it && is_known).map(Client::line);
            let same = |connection: &&mut Connection| {
                line.is_some_and(|line| Arc::ptr_eq(&connection.line, line))
            };
            if let Some(connection) = self.connections.iter_mut().find(same) {
                connection.ends_by = ends_by;
            }
        }
    }

    /// The page is left. Another comes; or the same HTML once more, from the HTTP cache.
    fn navigate(&mut self, index: usize, now: u64) {
        if !self.can_render() {
            return;
        }
        self.tally.navigations += 1;
        // Of a page that leaves before its tags are subscribed again the server does not hear, and
        // believes the next life of it to be the same: a limit that ARCHITECTURE.md names.
        let old = &self.pages[index];
        let is_heard_of = old.confirmed == old.tags.len() || old.protocol != Protocol::Stock;
        // And a node that leaves may have handed its pages over before it hears that they were left.
        let is_there = self.nodes.as_ref().is_none_or(|nodes| nodes.ready(old.node).is_some());
        let may_come_back =
            is_heard_of && is_there && !old.by_time && self.variant == Variant::None;
        let came_back = self.rngs[index].u32(..3) == 0 && may_come_back;
        let mut page = self.render(index);
        let old = &mut self.pages[index];
        self.tally.repeats += old.life.repeats;
        if let Some(client) = old.client.take() {
            client.unload();
            let line = Arc::clone(client.line());
            let (latency, silent, cut) = {
                let line = line.lock().expect("one thread");
                (line.latency, line.silent, line.cut)
            };
            let takes = if silent { UNACKNOWLEDGED } else { 2 * latency + 50 };
            self.end_line(&line, now + takes);
            if came_back && !silent && !cut {
                // The server has heard that the page was left, or will before it is back.
                self.tally.second_lives += 1;
                let old = &mut self.pages[index];
                page.protocol = old.protocol;
                page.name = Arc::clone(&old.name);
                page.log = old.log;
                page.revoked = std::mem::take(&mut old.revoked);
                page.may_end_until = old.may_end_until;
                page.by_time = false;
                let rendered = old.life.rendered();
                let streams = old.tags.iter().map(|tag| tag.stream);
                let streams: Vec<_> = streams.filter(|stream| *stream != PRESENCE).collect();
                page.here = old.here.as_ref().map(Here::again);
                page.tags = old.tags.iter().map(|tag| tag.again(old.protocol)).collect();
                page.life = Life::new(&streams, rendered, page.protocol == Protocol::Stock);
                page.connects_at = now + takes + self.rngs[index].u64(..1_000);
            }
        }
        self.pages[index] = page;
    }
}
