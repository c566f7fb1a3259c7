//! One world: a server, its publishers, pages that come and go, and everything that can go wrong.
//!
//! Time goes in steps. All that happens comes from one seed, so a seed is a run.

mod faults;
mod nodes;
mod outbox;
mod pages;
mod presence;
mod server;
mod writers;

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use forebay_cable::Limits;
use forebay_hub::{Broadcast, Hub, Options};
use forebay_log::{Class, Epoch, Extent, Message, Retention, StateKey};
use pollster::FutureExt as _;

use self::nodes::Nodes;
use self::presence::Visitors;
use self::server::Disk;
use crate::client::Transport;
use crate::model::Violation;
use crate::page::{Page, Tag};
use crate::plan::Plan;
use crate::published::{Kind, Published};
use crate::rooms::{Rooms, name_of};
use crate::socket::{Line, Shared};
use crate::tally::Tally;
use crate::variant::Variant;

const STREAMS: usize = 6;
/// Ticks from one writing of what pages have proven to the next: half a second.
const KEEP_PARTS: usize = 10;
/// Where the log is on disk, streams from here on are quiet,
const LOUD: usize = 2;
/// by so much: an entry every ten seconds, about as long as one is kept.
const QUIET: u32 = 400;
/// And there are so many that no page reads. They are forgotten as a whole, which raises the floor.
const UNREAD: usize = 8;
/// Milliseconds on the clock when a world begins.
const BEGIN: u64 = 1_000_000_000;
/// Milliseconds of one step.
const STEP: u64 = 5;
/// Until what pages were told of is on disk, once something has been published.
const DOUBT_MAX: u64 = 5_000;
/// Stands for the number of an entry that nobody may show.
const REFUSED: usize = usize::MAX;
/// Until a server's kernel gives up a peer that acknowledges nothing.
const UNACKNOWLEDGED: u64 = 30_000;

/// How a world ends.
#[derive(Debug)]
pub struct Outcome {
    /// What happened in it.
    pub tally: Tally,
    /// The first promise that was broken, and what to say about it.
    pub violation: Option<(Violation, String)>,
    /// Steps that were taken before everything wrong ended.
    pub steps: u64,
    /// Events until then, those that were left out included.
    pub events: u64,
    /// Pages at a time, those that were left out included.
    pub pages: u64,
    /// What happened, in words, if only some events did.
    pub story: Vec<String>,
}

/// Runs one world.
pub fn run(plan: &Plan) -> Outcome {
    let mut world = World::new(plan.clone());
    let violation = world.live().and_then(|()| world.settle()).err();
    world.note_stats();
    world.tally.comings = world.visitors.comings;
    let pages = world.plan.page_count() as u64;
    let World { tally, steps, events, story, .. } = world;
    Outcome { tally, violation, steps, events, pages, story }
}

struct World {
    plan: Plan,
    /// When which event happens. Nothing else takes from it, so that leaving one out leaves the
    /// others as they are.
    schedule: fastrand::Rng,
    /// What else is up to chance, by page.
    rngs: Vec<fastrand::Rng>,
    variant: Variant,
    clock: Arc<AtomicU64>,
    hub: Hub,
    /// If there are several: then `hub` has nothing to do.
    nodes: Option<Nodes>,
    /// Where the log is, if not in memory only.
    disk: Option<Disk>,
    /// How often the server has begun.
    starts: u64,
    channels: Arc<Rooms>,
    published: Published,
    /// Who is present, and shall be.
    visitors: Visitors,
    /// Which life of the log this is.
    log: u64,
    pages: Vec<Page>,
    connections: Vec<Connection>,
    tally: Tally,
    part: usize,
    steps: u64,
    events: u64,
    next_page: u64,
    story: Vec<String>,
    /// Until then a restart may begin a new epoch: what pages were told of is not on disk yet.
    doubt_until: u64,
    /// Nothing goes wrong any more.
    is_calm: bool,
}

type Task = Pin<Box<dyn Future<Output = ()>>>;

struct Connection {
    line: Shared,
    /// The node that it leads to.
    node: usize,
    task: Option<Task>,
    woken: Arc<Woken>,
    waker: Waker,
    /// A WebSocket, not an exchange.
    is_socket: bool,
    /// When both ends are told that it is gone.
    cut_at: u64,
    /// When the server must have ended it: what it reads was taken back.
    ends_by: u64,
    /// In the variant that ends no connection: it has ended, and passes for one that has not.
    is_undead: bool,
}

#[derive(Debug)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// On disk what is forgotten matters more, so more is: quiet streams as a whole.
fn options(on_disk: bool, variant: Variant) -> Options {
    let retention = Retention::default()
        .entries_max(200)
        .total_bytes_max(1 << 20)
        .age_max(Duration::from_secs(if on_disk { 10 } else { 40 }))
        .idle_streams_max(if on_disk { 1 } else { 3 });
    let presence = presence::options(variant);
    Options::default().retention(retention).limits(Limits::default()).presence(presence)
}

type Broken = (Violation, String);

impl World {
    fn new(plan: Plan) -> Self {
        let Plan { seed, variant, .. } = plan;
        let mut schedule = fastrand::Rng::with_seed(seed);
        let clock = Arc::new(AtomicU64::new(BEGIN));
        let disk = plan.is_on_disk().then(Disk::new);
        let epoch = Epoch(schedule.u64(1..));
        let hub = match &disk {
            Some(disk) => disk.start(epoch, &clock, variant),
            None => Hub::simulated(options(false, variant), epoch, Arc::clone(&clock)),
        };
        let channels =
            Arc::new(Rooms { variant, clock: Arc::clone(&clock), hub: Mutex::new(hub.clone()) });
        let count = plan.page_count();
        let nodes = (plan.nodes > 1).then(|| Nodes::new(&plan, &clock));
        let published = match &nodes {
            Some(_) => Published::numbered(STREAMS),
            None => Published::new(STREAMS, UNREAD),
        };
        let rngs = (0..count).map(|_| fastrand::Rng::with_seed(schedule.u64(..))).collect();
        let mut world = Self {
            plan,
            schedule,
            rngs,
            variant,
            clock,
            hub,
            nodes,
            disk,
            starts: 0,
            channels,
            published,
            visitors: Visitors::default(),
            log: 0,
            pages: Vec::new(),
            connections: Vec::new(),
            tally: Tally::default(),
            part: 0,
            steps: 0,
            events: 0,
            next_page: 0,
            story: Vec::new(),
            doubt_until: 0,
            is_calm: false,
        };
        world.learn_first();
        for index in 0..count {
            let mut page = world.render(index);
            page.is_absent = !world.plan.pages.contains(index as u64 + 1);
            world.pages.push(page);
        }
        world
    }

    fn now(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    fn live(&mut self) -> Result<(), Broken> {
        while self.tally.entries < self.plan.entries && self.steps < self.plan.steps {
            self.steps += 1;
            self.publish();
            self.go_wrong()?;
            self.go_wrong_with_nodes();
            self.copy_disk();
            self.step()?;
        }
        Ok(())
    }

    /// Whether the next event happens.
    fn happens(&mut self) -> bool {
        self.events += 1;
        self.plan.events.contains(self.events)
    }

    /// For who looks at a world that was made smaller.
    fn tell(&mut self, what: impl FnOnce() -> String) {
        if self.plan.events.are_some() {
            let seconds = Duration::from_millis(self.now() - BEGIN).as_secs_f64();
            self.story.push(format!("{seconds:8.3} {}", what()));
        }
    }

    fn note_stats(&mut self) {
        match &self.nodes {
            None => self.tally.note(&self.hub),
            Some(nodes) => {
                let hubs = (0..self.plan.nodes).filter_map(|node| nodes.running(node));
                hubs.for_each(|hub| self.tally.note(hub));
            }
        }
    }

    /// Everything that is wrong ends, and each stream has a last entry: what was lost at its end
    /// shows by that. Then all pages must have all.
    fn settle(&mut self) -> Result<(), Broken> {
        self.is_calm = true;
        self.tell(|| "nothing goes wrong any more".to_owned());
        self.calm_nodes()?;
        for stream in 0..STREAMS {
            self.publish_to(stream, Kind::Log, 0);
        }
        for connection in &mut self.connections {
            let silent = connection.line().silent;
            if silent {
                connection.cut_at = 0;
            }
        }
        for page in &mut self.pages {
            page.slow_until = 0;
            page.frozen_until = 0;
        }
        // Ten minutes for whoever must be told, and three seconds more, for what comes twice.
        self.pass_until(600_000, Self::check_settled)?;
        self.pass(3_000)?;
        self.check_settled()?;
        self.check_outbox()?;
        if self.check_ephemerals().is_err() {
            // A page that waits for its turn to be told that it lacks something is given nothing meanwhile.
            self.pass(60_000)?;
            self.check_ephemerals()?;
        }
        self.settle_room()
    }

    /// So many milliseconds pass.
    fn pass(&mut self, millis: u64) -> Result<(), Broken> {
        (0..millis / STEP).try_for_each(|_| self.step())
    }

    /// So many milliseconds pass at the most, until it is right.
    fn pass_until(
        &mut self,
        max: u64,
        check: impl Fn(&Self) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        let until = self.now() + max;
        while check(self).is_err() && self.now() < until {
            self.pass(20 * STEP)?;
        }
        Ok(())
    }

    /// Nobody is owed an ephemeral entry, but whoever is live, on a good line, gets it. Who polls may be
    /// between two answers.
    fn check_ephemerals(&mut self) -> Result<(), Broken> {
        let is_live = |page: &Page| {
            let is_subscribed = page.confirmed == page.tags.len();
            let stays = page.transport != Transport::Poll && page.client.is_some();
            !page.is_absent && stays && is_subscribed && page.renders_at.is_none()
        };
        let live: Vec<_> = self.pages.iter().map(|page| (is_live(page), page.joined)).collect();
        for stream in 0..STREAMS {
            self.publish_to(stream, Kind::Ephemeral, 0);
        }
        self.pass(1_000)?;
        let published: Vec<_> = (0..STREAMS).map(|stream| self.published.last(stream)).collect();
        for (index, (was_live, joined)) in live.into_iter().enumerate() {
            let page = &self.pages[index];
            let is_same = was_live && is_live(page) && page.joined == joined;
            let lacks = |tag: &Tag| {
                let last = published.get(tag.stream);
                last.is_some_and(|last| !page.life.ends_with(tag.stream, *last))
            };
            if is_same && page.tags.iter().any(lacks) {
                let what = "it is live, and lacks an ephemeral entry";
                return Err((Violation::Lost, self.describe(index, what)));
            }
        }
        Ok(())
    }

    fn check_settled(&self) -> Result<(), Broken> {
        for (index, page) in self.pages.iter().enumerate() {
            if page.is_absent {
                continue;
            }
            let ill = |what| (Violation::NotHealed, self.describe(index, what));
            if page.log != self.log {
                return Err(ill("it is of another life of the log"));
            }
            if page.client.is_none() || page.renders_at.is_some() {
                return Err(ill("it found no rest"));
            }
            let complete = page.life.check_complete(&self.published);
            complete.map_err(|violation| (violation, self.describe(index, "at the end")))?;
        }
        Ok(())
    }

    fn describe(&self, index: usize, what: &str) -> String {
        let page = &self.pages[index];
        format!(
            "{:?} page {}, at {}: {what}; {:?}",
            page.protocol,
            page.name,
            self.now(),
            page.life
        )
    }

    // --- the server ---------------------------------------------------------------------------

    fn publish(&mut self) {
        let burst = match self.schedule.u32(..100) {
            0 => 40,
            1..10 => 3,
            10..60 => 1,
            _ => 0,
        };
        for _ in 0..burst {
            let stream = self.schedule.usize(..STREAMS);
            let kind = match self.schedule.u32(..10) {
                0 => Kind::State,
                1 => Kind::Ephemeral,
                _ => Kind::Log,
            };
            let large = self.schedule.u32(..50) == 0;
            let size = if large { 9_000 } else { self.schedule.usize(..300) };
            let is_quiet = self.disk.is_some() && stream >= LOUD && self.schedule.u32(..QUIET) > 0;
            if is_quiet {
                self.publish_unread();
            } else if self.happens() {
                self.publish_to(stream, kind, size);
            }
        }
    }

    fn publish_unread(&mut self) {
        let unread = self.schedule.usize(..QUIET as usize * UNREAD);
        if unread < UNREAD && self.happens() {
            let (name, message) = (name_of(STREAMS + unread), Message::json("0"));
            let published = Broadcast { stream: &name, message, class: Class::Log };
            let published = self.hub.publish(published).block_on().expect("the disk takes it");
            self.published.add_unread(unread, published.position.offset.0);
        }
    }

    fn publish_to(&mut self, stream: usize, kind: Kind, size: usize) {
        let class = match kind {
            Kind::Ephemeral if self.variant == Variant::Lingering => Class::Log,
            Kind::Log | Kind::Missing => Class::Log,
            Kind::State => Class::State(StateKey::new("target", Extent::Content)),
            Kind::Ephemeral => Class::Ephemeral,
        };
        if self.nodes.is_some() {
            self.publish_at_a_node(stream, kind, class, size);
            return;
        }
        let serial = self.published.count(stream);
        let text = format!("\"{}:{stream}:{serial}\"{}", self.log, " ".repeat(size));
        let (name, message) = (name_of(stream), Message::json(text));
        let published = self.hub.publish(Broadcast { stream: &name, message, class }).block_on();
        let offset = published.expect("memory takes it, and the disk").position.offset.0;
        self.doubt_until = self.doubt_until.min(self.now() + DOUBT_MAX);
        self.published.add(stream, offset, kind);
        self.tell(|| format!("entry {serial} of stream {stream}: {kind:?}, offset {offset}"));
    }

    /// The disk refuses a broadcast. Its publisher takes its change back, or can't any more: then pages
    /// are told that they lack something. Without a disk it is lost before it comes here.
    fn lose_broadcast(&mut self, amount: u64) {
        let stream = usize::try_from(amount % STREAMS as u64).unwrap_or(0);
        let name = name_of(stream);
        if let Some(mut nodes) = self.nodes.take() {
            let node = nodes.rng.usize(..nodes.all.len());
            self.tell(|| format!("a broadcast to stream {stream} is lost at node {node}"));
            self.tell_gap(&mut nodes, node, stream);
            self.nodes = Some(nodes);
            return;
        }
        let refused = || {
            let text = format!("\"{}:{stream}:{REFUSED}\"", self.log);
            Broadcast { stream: &name, message: Message::json(text), class: Class::Log }
        };
        if self.variant == Variant::Served {
            self.hub.publish(refused()).block_on().expect("it is taken");
        } else if self.disk.is_some() {
            self.hub.fail_next_for_tests(1);
            self.hub.publish(refused()).block_on().expect_err("the disk refuses it");
            self.tally.refusals += 1;
        }
        let is_committed = amount & 1024 == 0;
        self.tell(|| format!("a broadcast to stream {stream} is refused; told: {is_committed}"));
        if !is_committed {
            return;
        }
        if self.variant == Variant::Untold {
            let message = Message::json("0");
            let elsewhere = Broadcast { stream: "elsewhere", message, class: Class::Log };
            self.hub.publish(elsewhere).block_on().expect("it is taken");
        } else {
            self.hub.gap([&*name]).block_on();
        }
        self.published.add(stream, self.hub.position().offset.0, Kind::Missing);
        self.tally.told_gaps += 1;
        self.doubt_until = u64::MAX;
    }

    fn step(&mut self) -> Result<(), Broken> {
        let now = self.clock.fetch_add(STEP, Ordering::Relaxed) + STEP;
        self.step_nodes()?;
        if now.is_multiple_of(50) {
            if self.nodes.is_none() {
                self.hub.tick(self.part);
                if self.part.is_multiple_of(KEEP_PARTS) {
                    self.hub.keep().block_on();
                }
                self.attend();
            }
            self.part += 1;
        }
        for connection in &mut self.connections {
            let mut line = connection.line();
            line.advance(now);
            if now >= connection.cut_at && !line.cut {
                line.cut();
            }
        }
        self.poll_connections();
        self.check_room(now)?;
        for index in 0..self.pages.len() {
            self.step_page(index, now)?;
        }
        self.poll_connections();
        self.check_ended(now)?;
        // An answer that is complete may still be on its way to somebody.
        self.connections.retain(|connection| {
            let is_read = Arc::strong_count(&connection.line) > 1;
            let is_open = connection.task.is_some() || connection.is_undead;
            is_open || is_read && !connection.line().cut
        });
        Ok(())
    }

    /// Who reads what was taken back does not read on.
    fn check_ended(&self, now: u64) -> Result<(), Broken> {
        let lives_on = |connection: &&Connection| {
            let ends_by = match &self.nodes {
                None => connection.ends_by,
                // One that is cut off does not know of it.
                Some(nodes) => connection.ends_by.max(nodes.all[connection.node].knows_by()),
            };
            ends_by < now && (connection.task.is_some() || connection.is_undead)
        };
        let Some(connection) = self.connections.iter().find(lives_on) else { return Ok(()) };
        let said = format!("at {now} a connection lives that was to end by {}", connection.ends_by);
        Err((Violation::NotEnded, said))
    }

    fn poll_connections(&mut self) {
        // A round may come early, late, or while a connection's own task is due.
        let late = (self.now() / STEP + self.plan.seed).is_multiple_of(3);
        if !late {
            match &self.nodes {
                None => while self.hub.round() {},
                Some(nodes) => nodes.round(),
            }
        }
        let nodes = self.nodes.as_ref();
        for connection in &mut self.connections {
            let node = nodes.map(|nodes| &nodes.all[connection.node]);
            if node.is_some_and(|node| node.stop.is_some()) {
                continue;
            }
            // Whatever a node does has its time.
            let _time = node.map(|node| node.network.enter());
            let mut turns = 0;
            while connection.woken.0.swap(false, Ordering::Relaxed) && turns < 4 {
                turns += 1;
                let Some(task) = &mut connection.task else { break };
                if task.as_mut().poll(&mut Context::from_waker(&connection.waker)).is_ready() {
                    connection.task = None;
                    let is_revoked = connection.ends_by < u64::MAX;
                    connection.is_undead = self.variant == Variant::Unended && is_revoked;
                    let mut line = connection.line();
                    if connection.is_socket {
                        line.cut();
                    }
                }
            }
        }
    }
}

impl Connection {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().expect("one thread")
    }
}
