//! Pages: how they are rendered, connect, listen and show.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::Waker;

use forebay_cable::{Protocol as Wire, Session};
use forebay_log::Position;
use forebay_transport::{Channels, Endpoint, Identity, Origins, drive};
use pollster::FutureExt as _;

use super::{Broken, Connection, STREAMS, UNACKNOWLEDGED, Woken, World};
use crate::client::{Came, Client, Ears, Protocol, Transport};
use crate::exchange::serve;
use crate::model::{Life, Violation};
use crate::page::{Memory, Page, Tag};
use crate::present::Here;
use crate::published::Kind;
use crate::rooms::name_of;
use crate::socket::{Line, Shared, Socket};
use crate::variant::Variant;

/// How long a server waits for a restored client's word; less what that takes.
const HELD: u64 = 4_500;
/// How long a server believes what a client says of tags that have a cursor: a ping interval, less what that takes.
const FRESH: u64 = 2_700;

impl World {
    pub(super) fn render(&mut self, index: usize) -> Page {
        let protocol = match self.variant {
            Variant::Lossy
            | Variant::LaxContiguity
            | Variant::LostPosition
            | Variant::Holed
            | Variant::Repeated => Protocol::Forebay,
            Variant::LostEventId => Protocol::EventSource,
            Variant::LateTime => Protocol::AnyCable,
            Variant::None | Variant::Forgetful | Variant::LostTail => {
                match self.rngs[index].u32(..8) {
                    0..3 => Protocol::Stock,
                    3..5 => Protocol::Forebay,
                    5..7 => Protocol::AnyCable,
                    _ => Protocol::EventSource,
                }
            }
            _ => Protocol::Stock,
        };
        self.render_as(index, protocol)
    }

    /// A page as the application renders it: its cursor is taken, its data is read, its tags come last.
    fn render_as(&mut self, index: usize, protocol: Protocol) -> Page {
        self.next_page += 1;
        let number = self.next_page;
        let now = self.now();
        let mut streams: Vec<usize> = (0..STREAMS).collect();
        let rng = &mut self.rngs[index];
        rng.shuffle(&mut streams);
        streams.truncate(rng.usize(1..=4));
        let waits = rng.u64(..400);
        let is_late = self.variant == Variant::LateCursor && rng.u32(..3) == 0;
        let by_time = protocol == Protocol::AnyCable
            && self.nodes.is_none()
            && (rng.u32(..4) == 0 || self.variant == Variant::LateTime);
        let (node, mut cursor) = match &self.nodes {
            None => (0, self.hub.position()),
            Some(nodes) => {
                let node = nodes.ready_from(rng.usize(..nodes.all.len())).expect("one can render");
                (node, nodes.ready(node).expect("it is ready").position())
            }
        };
        let log = match &self.nodes {
            None => self.log,
            Some(nodes) => nodes.life_of(cursor.epoch),
        };
        let rendered = cursor.offset.0;
        if is_late && !self.is_calm {
            // It reads its data, something is published, it takes its cursor.
            self.publish_to(streams[0], Kind::Log, 0);
            cursor = self.hub.position();
        }
        let tag = |stream: &usize| {
            if by_time {
                Tag::without_cursor(*stream, cursor, number)
            } else {
                Tag::new(*stream, cursor, number, protocol)
            }
        };
        let mut tags: Vec<Tag> = streams.iter().map(tag).collect();
        let here = self.come(index, node, number, protocol);
        let here = here.map(|(here, tag)| {
            tags.push(tag);
            here
        });
        let mut life = Life::new(&streams, rendered, protocol == Protocol::Stock);
        if by_time {
            life.begins_by_time();
        }
        let last_event_id = match self.variant {
            // It has its position there, and nowhere else.
            Variant::LostEventId => Some(cursor.to_string()),
            _ => None,
        };
        Page {
            protocol,
            transport: Transport::WebSocket,
            is_absent: false,
            name: format!("page {number}").into(),
            tags,
            by_time,
            memory: Memory { since: now / 1_000, last_event_id, ..Memory::default() },
            life,
            here,
            log,
            client: None,
            node,
            server: self.starts,
            connects_at: now + waits,
            connected_at: None,
            renders_at: None,
            slow_until: 0,
            frozen_until: 0,
            is_stack_awake: false,
            heard: now,
            skew: 0,
            delayed: Vec::new(),
            confirmed_at: 0,
            confirmed: 0,
            joined: (log, rendered),
            since: (log, rendered),
            may_end_until: 0,
            revoked: Vec::new(),
        }
    }

    pub(super) fn step_page(&mut self, index: usize, now: u64) -> Result<(), Broken> {
        let page = &mut self.pages[index];
        let max = if now < page.slow_until { 5 } else { 1 << 20 };
        if page.is_absent {
            return Ok(());
        }
        if now < page.frozen_until {
            if let (true, Some(client)) = (page.is_stack_awake, &mut page.client) {
                client.pull(max);
            }
            return Ok(());
        }
        if page.renders_at.is_some_and(|at| at <= now) && self.can_render() {
            self.render_again(index);
        }
        let page = &mut self.pages[index];
        let watch = page.watch(now);
        let seconds = page.clock(now) / 1_000;
        let Some(client) = &mut page.client else {
            if now >= page.connects_at {
                self.connect(index);
            }
            return Ok(());
        };
        let lossless = self.is_calm && self.variant == Variant::Lossy;
        let variant = if lossless { Variant::None } else { self.variant };
        let since = page.memory.since;
        let arrived = client.pull(max);
        let mut ears = Ears {
            tags: &mut page.tags,
            memory: &mut page.memory,
            variant,
            rng: &mut self.rngs[index],
            seconds,
        };
        let came = client.hear(&mut ears);
        let gone = client.line().lock().expect("one thread").cut;
        if arrived || !came.is_empty() {
            page.heard = watch;
        }
        let is_stale = watch.saturating_sub(page.heard) > page.patience();
        if page.memory.since != since && self.nodes.is_none() {
            page.since = (self.log, self.hub.position().offset.0);
        }
        self.take(index, came, now)?;
        let page = &self.pages[index];
        if page.client.is_some() && (gone || is_stale) {
            self.lose(index, now, 1_000);
        }
        Ok(())
    }

    fn take(&mut self, index: usize, came: Vec<Came>, now: u64) -> Result<(), Broken> {
        let mut shown = Vec::new();
        for came in came {
            // One that is told already may be told again, of another stream.
            if let Came::Resync(stood) = &came
                && self.pages[index].renders_at.is_none()
            {
                self.check_needed(index, stood)?;
            }
            if matches!(came, Came::Restored) {
                self.pages[index].life.is_restored();
            }
            match came {
                Came::Entry(log, stream, serial) => shown.push((log, stream, serial)),
                Came::Change(text) => {
                    self.show(index, std::mem::take(&mut shown), now)?;
                    self.show_change(index, &text)?;
                }
                Came::Confirmed => {
                    self.show(index, std::mem::take(&mut shown), now)?;
                    let page = &mut self.pages[index];
                    page.life.subscribed();
                    page.confirmed_at = now;
                    page.confirmed += 1;
                }
                // It was frozen when it was asked where it goes on; its server waited, and then went
                // on from what its network stack had proven.
                Came::Restored if self.is_late(index, HELD, now) => {
                    let page = &mut self.pages[index];
                    page.is_replayed();
                    if page.by_time {
                        page.renders_at = Some(now);
                    }
                }
                Came::Rejected if self.is_needless_refusal(index) => {
                    let what = "it is refused, though nothing of it was taken back";
                    return Err((Violation::Needless, self.describe(index, what)));
                }
                Came::Resync(_) | Came::Rejected if self.pages[index].renders_at.is_none() => {
                    self.tally.resyncs += 1;
                    // What has come until now, the page has shown.
                    self.show(index, std::mem::take(&mut shown), now)?;
                    let name = Arc::clone(&self.pages[index].name);
                    self.tell(|| format!("{name}: is told to render itself again"));
                    self.pages[index].renders_at = Some(now + self.rngs[index].u64(..300));
                }
                // It was frozen, or read slowly, when it was welcomed. What it says then may be of another page
                // that it had open, and its server goes on from its cursors.
                Came::Welcomed if self.is_late(index, FRESH, now) => {
                    let page = &mut self.pages[index];
                    if page.by_time {
                        page.here.as_mut().map(Here::is_replayed);
                    } else {
                        page.is_replayed();
                    }
                }
                Came::Restored | Came::Welcomed | Came::Resync(_) | Came::Rejected => {}
                Came::Answered => {
                    self.tally.answers += 1;
                    self.show(index, std::mem::take(&mut shown), now)?;
                    self.connect(index);
                }
                Came::Again => {
                    let what = "it got what it has";
                    return Err((Violation::Mended, self.describe(index, what)));
                }
                Came::Gap if !self.variant.is_lossy() => {
                    let what = "it did not get what comes next";
                    return Err((Violation::Mended, self.describe(index, what)));
                }
                Came::Gap => {
                    self.tally.gaps += 1;
                    self.show(index, std::mem::take(&mut shown), now)?;
                    self.lose(index, now, 0);
                }
                Came::Dismissed if self.is_needless_end(index, now) => {
                    let what = "its connection is ended, though nothing of it was taken back";
                    return Err((Violation::Needless, self.describe(index, what)));
                }
                Came::Disconnected | Came::Dismissed => {
                    self.show(index, std::mem::take(&mut shown), now)?;
                    self.lose(index, now, 200);
                }
            }
        }
        self.show(index, shown, now)
    }

    /// Whether it connected longer ago than this.
    fn is_late(&self, index: usize, than: u64, now: u64) -> bool {
        self.pages[index].connected_at.is_some_and(|at| at + than < now)
    }

    /// Who is told to heal itself lacks something that history has no more.
    fn check_needed(&self, index: usize, stood: &[(usize, Position)]) -> Result<(), Broken> {
        // A restart may have brought back what was given up when the page was told.
        let Some(hub) = self.hub_of(index) else { return Ok(()) };
        let is_of_this_start = self.is_same_server(index);
        let serves = |(stream, at): &(usize, Position)| hub.replay(&name_of(*stream), *at).is_ok();
        if !stood.is_empty() && is_of_this_start && stood.iter().all(serves) {
            let what = format!("it is told to render itself again, and stood at {stood:?}");
            return Err((Violation::Needless, self.describe(index, &what)));
        }
        Ok(())
    }

    /// Nothing of it was taken back. A page of another epoch can't say when it was rendered.
    fn is_needless_refusal(&self, index: usize) -> bool {
        let page = &self.pages[index];
        if self.nodes.is_none() {
            return page.revoked.is_empty();
        }
        let is_of_epoch = |epoch| page.tags.iter().all(|tag| tag.cursor.epoch == epoch);
        let is_known = self.hub_of(index).is_some_and(|hub| is_of_epoch(hub.position().epoch));
        let concerns = page.revoked.iter().any(|revoked| page.is_older_than(revoked));
        is_known && !concerns && self.is_same_server(index)
    }

    /// Its connection is ended, and it has a reason neither of its own nor of its node.
    fn is_needless_end(&self, index: usize, now: u64) -> bool {
        let is_ill = self.nodes.is_some() && !self.is_same_server(index);
        self.pages[index].may_end_until < now && !is_ill
    }

    /// Its server is the one that it has connected to, and has been well since.
    fn is_same_server(&self, index: usize) -> bool {
        let page = &self.pages[index];
        let Some(nodes) = &self.nodes else { return page.server == self.starts };
        let node = &nodes.all[page.node];
        page.server == node.starts && page.connected_at.is_some_and(|at| at > node.ill_at)
    }

    fn show(
        &mut self,
        index: usize,
        mut shown: Vec<(u64, usize, usize)>,
        now: u64,
    ) -> Result<(), Broken> {
        if self.variant == Variant::Interleaved {
            let page = &mut self.pages[index];
            let is_history = now < page.confirmed_at + 60;
            let due = page.delayed.iter().filter(|(at, ..)| *at <= now);
            let due: Vec<_> =
                due.map(|(_, log, stream, serial)| (*log, *stream, *serial)).collect();
            page.delayed.retain(|(at, ..)| *at > now);
            if is_history && shown.len() > 1 {
                let late = shown.drain(..shown.len() / 2);
                let late = late.map(|(log, stream, serial)| (now + 100, log, stream, serial));
                page.delayed.extend(late);
            }
            shown.extend(due);
        }
        // It was told that it lacks something: what it shows until then counts for nothing.
        let is_told = self.pages[index].renders_at.is_some();
        for (log, stream, serial) in shown {
            let page = &self.pages[index];
            let earlier = self.nodes.as_ref().and_then(|nodes| nodes.earlier(page.log));
            if let Some(earlier) = earlier {
                // Until it is told that its epoch is over, it shows that epoch, as it was.
                let (offset, kind) = (earlier.offset(stream, serial), earlier.kind(stream, serial));
                let outcome = match offset {
                    _ if is_told => Ok(()),
                    _ if self.pages[index].may_come_late(stream, offset, kind) => Ok(()),
                    Some(offset) => self.pages[index].life.show(earlier, stream, offset),
                    None => Err(Violation::Lost),
                };
                outcome.map_err(|violation| {
                    let what = format!("stream {stream}, entry {serial}, of an epoch that is over");
                    (violation, self.describe(index, &what))
                })?;
                continue;
            }
            let log = if self.nodes.is_some() { self.log } else { log };
            if log != page.log && page.by_time || log != self.log && log == page.log {
                // Its browser had it before the log ended, and it will be told that it did; or it is
                // about to be told by a stream of which it has a position.
                continue;
            }
            let offset = self.published.offset(stream, serial);
            let kind = self.published.kind(stream, serial);
            let is_ephemeral = kind == Some(Kind::Ephemeral);
            if is_ephemeral && self.variant == Variant::Mute {
                continue;
            }
            let is_taken_back = offset.is_some_and(|offset| page.is_taken_back(stream, offset));
            if page.log == self.log && is_taken_back {
                let what = format!("stream {stream}, entry {serial}, offset {offset:?}");
                return Err((Violation::NotForIt, self.describe(index, &what)));
            }
            let is_older = |offset| (self.log, offset) <= page.joined;
            if page.log == self.log && is_ephemeral && offset.is_some_and(is_older) {
                let what = format!("stream {stream}, entry {serial}, offset {offset:?}");
                return Err((Violation::Replayed, self.describe(index, &what)));
            }
            if is_told {
                continue;
            }
            let is_of_page = page.log == self.log;
            let is_shared = self.nodes.is_some() && is_of_page;
            if is_shared && self.pages[index].may_come_late(stream, offset, kind) {
                continue;
            }
            let page = &mut self.pages[index];
            let outcome = match offset {
                Some(offset) if page.log == self.log => {
                    page.life.show(&self.published, stream, offset)
                }
                _ => Err(Violation::Lost),
            };
            outcome.map_err(|violation| {
                let what = format!("stream {stream}, entry {serial}, offset {offset:?}");
                (violation, self.describe(index, &what))
            })?;
            self.tally.entries += 1;
            self.tally.ephemerals += u64::from(is_ephemeral);
            let name = Arc::clone(&self.pages[index].name);
            self.tell(|| format!("{name}: shows entry {serial} of stream {stream}"));
        }
        Ok(())
    }

    /// A new line to the server, and whoever answers on it.
    pub(super) fn connect(&mut self, index: usize) {
        let now = self.now();
        let Some(node) = self.next_node(index) else {
            let page = &mut self.pages[index];
            (page.client, page.connects_at) = (None, now + 200);
            return;
        };
        let rng = &mut self.rngs[index];
        let latency = rng.u64(..120);
        let capacity = *rng.choice(&[700, 4_000, 30_000]).unwrap_or(&4_000);
        let other = *rng
            .choice(&[Transport::WebSocket, Transport::Events, Transport::Poll])
            .unwrap_or(&Transport::Poll);
        let stays = rng.bool();
        let page = &mut self.pages[index];
        let is_answered = page.client.take().is_some();
        let before = page.transport;
        page.transport = match page.protocol {
            Protocol::Stock | Protocol::AnyCable => Transport::WebSocket,
            Protocol::EventSource => Transport::Source,
            Protocol::Forebay if is_answered || stays => before,
            Protocol::Forebay => other,
        };
        let transport = page.transport;
        self.tally.switches += u64::from(before != transport);
        if !is_answered {
            page.memory.confirmed.clear();
        }
        if self.variant == Variant::LostPosition && before != transport {
            page.tags.iter_mut().for_each(|tag| tag.received = None);
        }
        if self.variant == Variant::LostEventId && page.life.has_shown() {
            page.memory.last_event_id = None;
        }
        for (number, tag) in (1..).zip(&mut page.tags) {
            tag.number = if transport == Transport::Poll { number } else { 0 };
        }
        if page.connected_at.replace(now).is_some() && page.by_time {
            let (log, head) = page.since;
            let head = if log == self.log { head } else { 0 };
            let unknown = page.tags.iter().filter(|tag| tag.received.is_none());
            page.life.begins_anew(unknown.map(|tag| tag.stream), head);
            if self.variant == Variant::LateTime {
                page.memory.since = page.clock(now).div_ceil(1_000);
            }
            if page.tags.iter().all(|tag| tag.received.is_none()) {
                // A time of its own clock is all that it has, and may be of the log's new life.
                page.log = self.log;
            }
        }
        let line = Line::new(latency, capacity);
        line.lock().expect("one thread").advance(now);
        let client = Client::new(page.protocol, transport, Arc::clone(&line));
        client.ask(&page.tags, &page.memory, self.variant);
        page.client = Some(client);
        page.node = node;
        page.server = self.nodes.as_ref().map_or(self.starts, |nodes| nodes.all[node].starts);
        let joined = self.hub_of(index).expect("it runs").position();
        let log = self.nodes.as_ref().map_or(self.log, |nodes| nodes.life_of(joined.epoch));
        let page = &mut self.pages[index];
        page.joined = (log, joined.offset.0);
        page.life.reconnected();
        if page.protocol == Protocol::Stock
            && let Some(here) = &mut page.here
        {
            here.is_replayed();
        }
        page.confirmed = 0;
        page.heard = page.watch(now);
        let page = &self.pages[index];
        let (protocol, name) = (page.protocol, Arc::clone(&page.name));
        self.tell(|| format!("{protocol:?} {name}: connects over {transport:?} to {node}"));
        self.answer(index, transport, &line);
        self.tally.connections += 1;
    }

    fn answer(&mut self, index: usize, transport: Transport, line: &Shared) {
        let hub = self.hub_of(index).expect("it runs").clone();
        let page = &self.pages[index];
        let identity = Identity::named(Arc::clone(&page.name));
        let channels = Arc::clone(&self.channels) as Arc<dyn Channels>;
        let socket = Socket(Arc::clone(line));
        let task: super::Task = if transport == Transport::WebSocket {
            let wire = match page.protocol {
                Protocol::Stock | Protocol::EventSource => Wire::ActionCableV1Json,
                Protocol::Forebay => Wire::ForebayV1Json,
                Protocol::AnyCable => Wire::ActionCableV1ExtJson,
            };
            let (name, sid) = (Arc::clone(&page.name), page.memory.sid.clone());
            Box::pin(async move {
                // Another node may have it.
                if let Some(fetching) = sid.as_deref().and_then(|sid| hub.fetch_session(sid)) {
                    fetching.await;
                }
                let Ok(mut server) = hub.connect() else { return };
                server.identify(&name);
                let (hello, limits) = (server.hello(wire), Arc::clone(hub.limits()));
                let kept = sid.as_deref().and_then(|sid| server.take_session(sid));
                hub.stats().sessions_restored.add(kept.is_some().into());
                let session = match kept {
                    Some(kept) => Session::restore(hub.now(), hello, limits, kept),
                    None => Session::open(hub.now(), hello, limits),
                };
                drive(socket, session, server, channels, identity).await;
            })
        } else {
            let endpoint = Endpoint::new(hub, channels, Origins::any());
            Box::pin(serve(socket, endpoint, identity, transport))
        };
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        self.connections.push(Connection {
            line: Arc::clone(line),
            node: self.pages[index].node,
            task: Some(task),
            waker: Waker::from(Arc::clone(&woken)),
            woken,
            is_socket: transport == Transport::WebSocket,
            cut_at: u64::MAX,
            ends_by: u64::MAX,
            is_undead: false,
        });
    }

    /// The page's connection is over, and it comes back. What the variants hold back is gone.
    pub(super) fn lose(&mut self, index: usize, now: u64, soon: u64) {
        let name = Arc::clone(&self.pages[index].name);
        self.tell(|| format!("{name}: its connection is over"));
        let wait = self.rngs[index].u64(..=soon.max(1));
        let page = &mut self.pages[index];
        if let Some(client) = page.client.take() {
            client.close();
            let line = Arc::clone(client.line());
            let (silent, latency) = {
                let line = line.lock().expect("one thread");
                (line.silent, line.latency)
            };
            // A silent line's other end finds out when its kernel gives up.
            let is_silent = silent && !self.is_calm;
            let takes = if is_silent { UNACKNOWLEDGED } else { latency + 5 };
            self.end_line(&line, now + takes);
        }
        self.pages[index].connects_at = now + wait;
    }

    pub(super) fn end_line(&mut self, line: &Shared, at: u64) {
        let same = |connection: &&mut Connection| Arc::ptr_eq(&connection.line, line);
        if let Some(connection) = self.connections.iter_mut().find(same) {
            connection.cut_at = connection.cut_at.min(at);
        }
    }

    /// The page renders itself again, on the connection that it has.
    fn render_again(&mut self, index: usize) {
        let now = self.now();
        let protocol = self.pages[index].protocol;
        let fresh = self.render_as(index, protocol);
        let page = &mut self.pages[index];
        self.tally.repeats += page.life.repeats;
        let gone = std::mem::replace(&mut page.tags, fresh.tags);
        page.life = fresh.life;
        page.here = fresh.here;
        page.log = fresh.log;
        page.by_time = fresh.by_time;
        if page.by_time {
            // Its history begins by its own clock.
            page.skew = page.skew.min(0);
        }
        page.memory.last_event_id = fresh.memory.last_event_id;
        page.memory.since = page.clock(now) / 1_000;
        page.since = fresh.since;
        page.renders_at = None;
        page.confirmed = 0;
        page.delayed.clear();
        if self.nodes.is_none() {
            for revoked in std::mem::take(&mut page.revoked) {
                // A page that can't say when it was rendered is let in again by somebody.
                self.hub.readmit(&revoked.revocation).block_on().expect("memory takes it");
            }
        }
        let page = &self.pages[index];
        let client = page.client.as_ref();
        if client.is_some_and(|client| !client.change(&gone, &page.tags, &page.memory)) {
            self.lose(index, now, 0);
        }
    }
}
