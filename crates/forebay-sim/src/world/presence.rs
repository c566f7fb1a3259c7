//! Visitors of a world: whom pages make present, when a page must be counted, and until when one may be that is gone.
//!
//! The room's own story is read from the log: with several nodes from what the log's server has taken, and else
//! from the presence stream.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::Arc;
use std::task::{Context, Waker};

use forebay_hub::{Broadcast, Hub, Member, PresenceHooks, PresenceOptions};
use forebay_log::{Change, Class, Message, Offset, Position, Presence};
use pollster::FutureExt as _;

use super::nodes::Nodes;
use super::{Broken, World};
use crate::client::{Protocol, Transport};
use crate::model::Violation;
use crate::page::{Page, Tag};
use crate::present::{Here, ROOM, Room, Texts, visitor_of};
use crate::rooms::{PRESENCE, name_of};
use crate::variant::Variant;

/// Members up to which each change is told at once: few, so that worlds have windows, too.
const EACH_MAX: usize = 4;
/// Of four pages that are rendered one is for a visitor who has no other.
const PASSERS_BY: u32 = 4;

/// Milliseconds by which a browser's clock is ahead, in the variant that believes it.
const AHEAD: u64 = 97_000;

/// How long a page is well before it counts as one that the server knows of: a ping interval, and the way.
const WELL_AFTER: u64 = 4_000;
/// Whoever has been there leaves so much later at the earliest: the short grace, less the way to the page.
const LEAVES_AFTER: u64 = 4_700;

/// Whoever is gone has left by then: the time to live, a window, and half a second for ways and ticks.
const LEFT_BY: u64 = 15_000 + 1_000 + 500;
/// What the end of an exchange may take to be noticed: the kernel's patience with who acknowledges nothing.
const NOTICED_BY: u64 = super::UNACKNOWLEDGED;
/// A node's lease, its turn among those that may end it, and the way.
const LEASE: u64 = 15_000 + 800 + 1_500;
/// So long after a node, or the server, was not well nobody can say by when others have left.
const TROUBLED: u64 = 60_000;
/// How long it takes at the most until all is right when nothing goes wrong any more.
const RIGHT_BY: u64 = 120_000;
/// Steps from one reading of the members to the next, in the variant that reads them apart from the position.
const APART: u64 = 100;
/// Of so many writings of what leases ask for the disk refuses one.
const REFUSED: u64 = 300;

/// What is known of the room, and of visitors.
#[derive(Default)]
pub(super) struct Visitors {
    pub(super) room: Room,
    /// The life of the log that this is of.
    life: u64,
    /// The log was read up to here, where it is no server's.
    read_to: u64,
    /// When a visitor was last there beyond doubt.
    proven: HashMap<String, u64>,
    /// When a visitor must have left.
    gone_by: HashMap<String, u64>,
    /// Nobody can say until then by when others have left.
    troubled_until: u64,
    passers_by: u64,
    /// Who has come and left, altogether.
    pub(super) comings: u64,
    /// In the variant that reads them apart: what was read before.
    members: Vec<Member>,
    broken: Option<Broken>,
}

/// How hubs of this world are to deal with presence.
pub(super) fn options(variant: Variant) -> PresenceOptions {
    let options = PresenceOptions::default();
    let options = options.each_max(EACH_MAX).hooks(Some(PresenceHooks::new(Texts)));
    match variant {
        Variant::LeftOnClose => options.grace(std::time::Duration::ZERO),
        _ => options,
    }
}

impl Visitors {
    /// A log begins that nobody is present in.
    fn begin(&mut self, life: u64) {
        (self.room, self.life, self.read_to) = (Room::default(), life, 0);
    }

    fn has_changed(&mut self, change: &Change, now: u64, by: &dyn Debug) {
        self.comings += (change.joined.len() + change.left.len()) as u64;
        for Member { id, .. } in &change.left {
            let proven = self.proven.get(visitor_of(id)).copied().unwrap_or(0);
            if now.saturating_sub(proven) < LEAVES_AFTER && proven > 0 {
                let said = format!("at {now} {id} leaves, and was there at {proven}: {by:?}");
                self.broken.get_or_insert((Violation::LeftThere, said));
            }
        }
    }

    /// Takes a record that the log's server has taken.
    pub(super) fn take(&mut self, offset: Offset, sign: &Presence, now: u64) {
        let change = self.room.take(offset, sign);
        self.has_changed(&change, now, sign);
    }
}

impl World {
    /// Whom a page makes present that is rendered now, its tag, and what it shows at first.
    pub(super) fn come(
        &mut self,
        index: usize,
        node: usize,
        number: u64,
        protocol: Protocol,
    ) -> Option<(Here, Tag)> {
        if !self.plan.presence || protocol == Protocol::EventSource {
            return None;
        }
        self.read_room();
        let now = self.now();
        let hub = match &self.nodes {
            None => self.hub.clone(),
            Some(nodes) => nodes.ready(node)?.clone(),
        };
        let is_passer_by = self.rngs[index].u32(..PASSERS_BY) == 0;
        let visitors = &mut self.visitors;
        let visitor = if is_passer_by {
            visitors.passers_by += 1;
            format!("p{}", visitors.passers_by)
        } else {
            // Two pages each: tabs of one browser.
            format!("v{}", index / 2)
        };
        let attendance = hub.attendance(ROOM);
        let (position, mut members) = (attendance.position, attendance.named);
        if self.variant == Variant::SetApart {
            members.clone_from(&visitors.members);
        }
        let life = match &self.nodes {
            None => self.log,
            Some(nodes) => nodes.life_of(position.epoch),
        };
        let info = match self.variant {
            // Of a visitor's two devices the clock of one is ahead.
            Variant::BrowserClocks => now + index as u64 % 2 * AHEAD,
            _ => number,
        };
        let changes = visitors.room.changes_to(position.offset.0);
        let tag = Tag::of_visitor(&visitor, info, position, number, protocol);
        let mut here = Here::new(life, visitor, changes, &members);
        here.identifier.clone_from(&tag.identifier);
        Some((here, tag))
    }

    /// What has changed in a log that is no server's.
    pub(super) fn read_room(&mut self) {
        if self.nodes.is_some() || !self.plan.presence {
            return;
        }
        let (head, now) = (self.hub.position(), self.now());
        let visitors = &mut self.visitors;
        if head.offset.0 == visitors.read_to {
            return;
        }
        let from = Position { offset: Offset(visitors.read_to), ..head };
        let entries = self.hub.replay(&name_of(PRESENCE), from).unwrap_or_default();
        for entry in entries {
            let Some(change) = entry.message.change() else { continue };
            visitors.has_changed(change, now, change);
            if let Err(violation) = visitors.room.take_change(entry.offset.0, change) {
                let said = format!("at {now} the log says {change:?}");
                visitors.broken.get_or_insert((violation, said));
            }
        }
        visitors.read_to = head.offset.0;
    }

    /// The server has begun again, with its log or without.
    pub(super) fn room_begins(&mut self, goes_on: bool) {
        let (head, life, now) = (self.hub.position().offset.0, self.log, self.now());
        let members = self.hub.members(ROOM).members;
        let visitors = &mut self.visitors;
        if goes_on {
            visitors.room.goes_on(head, &members);
        } else {
            visitors.begin(life);
        }
        visitors.read_to = head;
        visitors.troubled_until = now + TROUBLED;
    }

    /// Another epoch of several nodes' log begins.
    pub(super) fn room_is_another(&mut self) {
        self.visitors.begin(self.log);
    }

    /// Presence where the log is on disk is attended to by hand. The disk refuses what is written now and then.
    pub(super) fn attend(&mut self) {
        if self.disk.is_none() || !self.plan.presence {
            return;
        }
        let is_refused = !self.is_calm && (self.now() / 50).is_multiple_of(REFUSED);
        if is_refused {
            self.hub.fail_next_for_tests(1);
        }
        self.hub.attend_presence().block_on();
        if is_refused {
            // If there was nothing to be written, something else is refused.
            let elsewhere =
                Broadcast { stream: "elsewhere", message: Message::json("0"), class: Class::Log };
            let refused = self.hub.publish(elsewhere).block_on();
            self.tally.refusals += u64::from(refused.is_err());
        }
    }

    pub(super) fn show_change(&mut self, index: usize, text: &str) -> Result<(), Broken> {
        let page = &mut self.pages[index];
        let is_told = page.renders_at.is_some();
        let Some(here) = page.here.as_mut().filter(|here| here.life == self.visitors.life) else {
            return Ok(());
        };
        if is_told {
            return Ok(());
        }
        let offset = here.show(&self.visitors.room, text, self.variant);
        let outcome =
            offset.and_then(|offset| offset.map_or(Ok(()), |at| page.life.show_change(at)));
        outcome.map_err(|violation| {
            let here = self.pages[index].here.as_ref();
            (violation, self.describe(index, &format!("it is told {text:?}; {here:?}")))
        })?;
        self.tally.changes += 1;
        let name = self.pages[index].name.clone();
        self.tell(|| format!("{name}: shows {text:?}"));
        Ok(())
    }

    /// Who is there beyond doubt, and who must have left.
    pub(super) fn check_room(&mut self, now: u64) -> Result<(), Broken> {
        if !self.plan.presence {
            return Ok(());
        }
        self.read_room();
        if self.variant == Variant::SetApart && self.steps.is_multiple_of(APART) {
            self.visitors.members = self.hub.attendance(ROOM).named;
        }
        let troubled = |nodes: &Nodes| nodes.troubled_at().saturating_add(TROUBLED);
        let troubled = self.nodes.as_ref().map_or(0, troubled);
        let lease = if self.nodes.is_some() { LEASE } else { 0 };
        for page in &mut self.pages {
            let is_well = page.is_well(now) && {
                let nodes = self.nodes.as_ref();
                let is_well = |nodes: &Nodes| {
                    let ill_at = nodes.all[page.node].ill_at;
                    nodes.ready(page.node).is_some() && ill_at.saturating_add(10_000) < now
                };
                nodes.is_none_or(is_well)
            };
            let has_client = page.client.as_ref().map(crate::client::Client::transport);
            let Some(here) = &mut page.here else { continue };
            if let Some(transport) = has_client {
                let noticed = if transport == Transport::WebSocket { 0 } else { NOTICED_BY };
                let gone_by = now + LEFT_BY + noticed + lease;
                self.visitors.gone_by.insert(here.visitor.clone(), gone_by);
            }
            if !is_well {
                here.ill_at = now;
            } else if now - here.ill_at >= WELL_AFTER {
                self.visitors.proven.insert(here.visitor.clone(), now);
            }
        }
        let visitors = &mut self.visitors;
        if let Some(broken) = visitors.broken.take() {
            return Err(broken);
        }
        let is_judged = now.is_multiple_of(1_000) && visitors.troubled_until.max(troubled) < now;
        if !is_judged {
            return Ok(());
        }
        let is_late = |id: &&String| visitors.gone_by.get(*id).is_none_or(|by| *by < now);
        let there = visitors.room.visitors();
        let late = there.iter().find(is_late);
        late.map_or(Ok(()), |id| {
            let (by, held) = (visitors.gone_by.get(id), visitors.room.said_of(id));
            let said = format!("at {now} {id} is present, and must have left by {by:?}: {held}");
            Err((Violation::StaysGone, said))
        })
    }

    /// Nothing goes wrong any more: soon the room has those whose pages are open, and every page shows them.
    pub(super) fn settle_room(&mut self) -> Result<(), Broken> {
        if !self.plan.presence {
            return Ok(());
        }
        // What follows takes longer than the world that connections were to end in.
        self.connections.iter_mut().for_each(|connection| connection.ends_by = u64::MAX);
        self.pass_until(RIGHT_BY, Self::check_shown)?;
        self.pass(3_000)?;
        // What was said just now is on its way.
        self.pass_until(1_000, Self::check_shown)?;
        self.check_shown()
    }

    fn check_shown(&self) -> Result<(), Broken> {
        let pages = || self.pages.iter().filter(|page| !page.is_absent);
        let heres = pages().filter_map(|page| page.here.as_ref());
        let expected: BTreeSet<String> = heres.map(|here| here.visitor.clone()).collect();
        let room = &self.visitors.room;
        let found = room.visitors();
        if found != expected {
            let said = format!("at the end the log says {found:?}, and there are {expected:?}");
            return Err((Violation::StaysGone, said));
        }
        for (index, page) in self.pages.iter().enumerate().filter(|(_, page)| !page.is_absent) {
            let Some(here) = &page.here else { continue };
            if here.life != self.visitors.life || !here.shows(room, &expected) {
                let rest = room.untold(here);
                let what =
                    format!("there are {expected:?}, it was not told {rest:?}, and shows {here:?}");
                return Err((Violation::Lost, self.describe(index, &what)));
            }
        }
        let ids = |hub: &Hub| -> BTreeSet<String> {
            let members = hub.members(ROOM).members;
            members.iter().map(|member| visitor_of(&member.id).to_owned()).collect()
        };
        let nodes = self.nodes.as_ref();
        let hubs: Vec<_> = match nodes {
            None => vec![&self.hub],
            Some(nodes) => (0..self.plan.nodes).filter_map(|node| nodes.running(node)).collect(),
        };
        if let Some(hub) = hubs.into_iter().find(|hub| ids(hub) != expected) {
            let said = format!("a node has {:?}, and there are {expected:?}", ids(hub));
            return Err((Violation::Lost, said));
        }
        Ok(())
    }
}

impl Page {
    /// Its server has every reason to know that its visitor is there.
    fn is_well(&self, now: u64) -> bool {
        let (Some(client), Some(here)) = (&self.client, &self.here) else { return false };
        let is_on_line = {
            let line = client.line().lock().expect("one thread");
            !line.silent && !line.cut
        };
        let is_confirmed = self.memory.confirmed.contains(&here.identifier);
        let answers = client.transport() != Transport::Poll && self.is_stack_awake;
        let is_awake = now >= self.frozen_until || answers;
        is_on_line && is_confirmed && is_awake && now >= self.slow_until && !self.is_absent
    }
}

impl Nodes {
    /// When something was last wrong with a node.
    fn troubled_at(&self) -> u64 {
        self.all.iter().map(|node| node.ill_at).max().unwrap_or(0)
    }

    /// Nodes write what their leases ask for, one writing at a time.
    pub(super) fn attend(&mut self) {
        for number in 0..self.all.len() {
            let is_gone = self.running(number).is_none();
            let hub = self.ready(number).cloned();
            let node = &mut self.all[number];
            let network = Arc::clone(&node.network);
            let _time = network.enter();
            if is_gone {
                node.attending = None;
            }
            // A process that is stopped does nothing.
            let Some(hub) = hub else { continue };
            let attending = node
                .attending
                .get_or_insert_with(|| Box::pin(async move { hub.attend_presence().await }));
            let mut cx = Context::from_waker(Waker::noop());
            if attending.as_mut().poll(&mut cx).is_ready() {
                node.attending = None;
            }
        }
    }
}
