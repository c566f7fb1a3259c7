//! One world: a server, its publishers, pages that come and go, and everything that can go wrong.
//!
//! Time goes in steps. All that happens comes from one seed, so a seed is a run.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use forebay_cable::{Limits, Protocol as Wire, RejectReason, Resync, Session};
use forebay_hub::{Broadcast, Hub, Options, Revocation};
use forebay_log::{Class, Effect, Epoch, Message, Position, Retention, StateKey};
use forebay_transport::{
    Answer, Begin, Channels, Identity, Rejected, Request, Stream, Subscribed, drive,
};

use crate::client::{Came, Client, Protocol, Tag};
use crate::model::{Life, Violation};
use crate::plan::Plan;
use crate::published::{Kind, Published};
use crate::socket::{Line, Shared, Socket};
use crate::variant::Variant;

const STREAMS: usize = 6;
const PAGES: usize = 10;
/// Milliseconds of one step.
const STEP: u64 = 5;
/// The stock client calls a connection dead after so long without a word.
const STALE: u64 = 6_000;
/// Until a server's kernel gives up a peer that acknowledges nothing.
const UNACKNOWLEDGED: u64 = 30_000;

macro_rules! tally {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What happened, over all worlds.
        #[derive(Clone, Copy, Debug, Default)]
        pub struct Tally { $($(#[$doc])* pub $name: u64,)* }

        impl Tally {
            /// Adds another world's.
            pub fn add(&mut self, other: &Self) { $(self.$name += other.$name;)* }

            /// Names and numbers.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }
    };
}

tally! {
    /// Entries that pages have shown.
    entries,
    /// Entries that stock pages have shown again after a lost socket, for want of a proof.
    repeats,
    /// Pages that were told to render themselves again.
    resyncs,
    /// Subscriptions that went on where Pongs had proven them to be.
    resumes,
    /// Connections that were made.
    connections,
    /// Lines that were cut.
    cuts,
    /// Lines that went silent.
    silences,
    /// Pages that read slowly for a while.
    slow_readers,
    /// Pages that were left.
    navigations,
    /// Pages that came to life a second time from the same HTML.
    second_lives,
    /// Servers that began anew.
    restarts,
    /// Accesses that were taken back.
    revocations,
    /// Gaps that our client has noticed.
    gaps,
    /// Slow pages that history left behind.
    left_behind,
}

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
}

/// Runs one world.
pub fn run(plan: &Plan) -> Outcome {
    let mut world = World::new(plan.clone());
    let violation = world.live().and_then(|()| world.settle()).err();
    world.note_stats();
    let World { tally, steps, events, .. } = world;
    Outcome { tally, violation, steps, events, pages: PAGES as u64 }
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
    channels: Arc<Rooms>,
    published: Published,
    pages: Vec<Page>,
    connections: Vec<Connection>,
    tally: Tally,
    part: usize,
    steps: u64,
    events: u64,
    next_page: u64,
    /// Nothing goes wrong any more.
    is_calm: bool,
}

struct Page {
    protocol: Protocol,
    /// It is left out.
    is_absent: bool,
    name: Arc<str>,
    tags: Vec<Tag>,
    life: Life,
    epoch: Epoch,
    client: Option<Client>,
    connects_at: u64,
    /// The page was told to render itself again, and does so then.
    renders_at: Option<u64>,
    slow_until: u64,
    /// Of the interleaved variant: what is shown later than what came after it.
    delayed: Vec<(u64, usize, usize)>,
    confirmed_at: u64,
    /// How many of its tags are confirmed on this connection.
    confirmed: usize,
    /// Its access was taken back there: nothing later may reach this rendering of it.
    revoked_at: u64,
}

struct Connection {
    line: Shared,
    task: Option<Pin<Box<dyn Future<Output = ()>>>>,
    woken: Arc<Woken>,
    waker: Waker,
    /// When both ends are told that it is gone.
    cut_at: u64,
}

#[derive(Debug)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The channels of this world: a stream by its number, from its cursor.
struct Rooms {
    variant: Variant,
    clock: Arc<AtomicU64>,
    hub: Mutex<Hub>,
}

const REFRESH: Resync = Resync::new("\"refresh\"");

impl Channels for Rooms {
    fn subscribe(&self, request: Request) -> Answer<Result<Subscribed, Rejected>> {
        let params = &request.identifier.params;
        let Some(stream) = params.get("stream").and_then(serde_json::Value::as_u64) else {
            return Answer::Now(Err(Rejected(RejectReason::Unauthorized)));
        };
        let name: Arc<str> = name_of(usize::try_from(stream).unwrap_or(0)).into();
        let cursor: Option<Position> =
            request.identifier.text("cursor").and_then(|c| c.parse().ok());
        let begin = match cursor {
            Some(cursor) if self.variant != Variant::PlainCable => Begin::After(cursor),
            _ => Begin::Now,
        };
        let goes_on = begin != Begin::Now;
        let subscribed = move |begin, transmissions| Subscribed {
            streams: vec![Stream { name, begin }],
            goes_on,
            resync: REFRESH,
            transmissions,
            whispers: None,
            handler: None,
        };
        let (Variant::NonAtomic, Some(cursor)) = (self.variant, cursor) else {
            return Answer::Now(Ok(subscribed(begin, Vec::new())));
        };
        // History first, and a while later the stream.
        let hub = self.hub.lock().expect("one thread");
        let history = hub.replay(&name_of(usize::try_from(stream).unwrap_or(0)), cursor);
        let history = history.unwrap_or_default();
        let texts = history.iter().map(|entry| entry.message.bytes().clone()).collect();
        let (clock, at) = (Arc::clone(&self.clock), self.clock.load(Ordering::Relaxed) + 40);
        Answer::Later(Box::pin(async move {
            std::future::poll_fn(|cx| {
                if clock.load(Ordering::Relaxed) >= at {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
            Ok(subscribed(Begin::Now, texts))
        }))
    }
}

fn name_of(stream: usize) -> String {
    format!("stream {stream}")
}

fn options() -> Options {
    let retention = Retention {
        entries_max: 200,
        total_bytes_max: 1 << 20,
        age_max: Duration::from_secs(40),
        idle_streams_max: 3,
        ..Retention::default()
    };
    Options { retention, limits: Limits::default() }
}

type Broken = (Violation, String);

impl World {
    fn new(plan: Plan) -> Self {
        let Plan { seed, variant, .. } = plan;
        let mut schedule = fastrand::Rng::with_seed(seed);
        let clock = Arc::new(AtomicU64::new(1_000_000_000));
        let hub = Hub::simulated(options(), Epoch(schedule.u64(1..)), Arc::clone(&clock));
        let channels =
            Arc::new(Rooms { variant, clock: Arc::clone(&clock), hub: Mutex::new(hub.clone()) });
        let rngs = (0..PAGES).map(|_| fastrand::Rng::with_seed(schedule.u64(..))).collect();
        let mut world = Self {
            plan,
            schedule,
            rngs,
            variant,
            clock,
            hub,
            channels,
            published: Published::new(STREAMS),
            pages: Vec::new(),
            connections: Vec::new(),
            tally: Tally::default(),
            part: 0,
            steps: 0,
            events: 0,
            next_page: 0,
            is_calm: false,
        };
        for index in 0..PAGES {
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
            self.go_wrong();
            self.step()?;
        }
        Ok(())
    }

    /// Whether the next event happens.
    fn happens(&mut self) -> bool {
        self.events += 1;
        self.plan.events.contains(self.events)
    }

    fn note_stats(&mut self) {
        let stats = self.hub.stats().snapshot();
        self.tally.resumes += stats.resumes;
        self.tally.left_behind += stats.resyncs_behind;
    }

    /// Everything that is wrong ends, and each stream has a last entry: what was lost at its end
    /// shows by that. Then all pages must have all.
    fn settle(&mut self) -> Result<(), Broken> {
        self.is_calm = true;
        for stream in 0..STREAMS {
            self.publish_to(stream, Kind::Log, 0);
        }
        for connection in &mut self.connections {
            let silent = connection.line.lock().expect("one thread").silent;
            if silent {
                connection.cut_at = 0;
            }
        }
        for page in &mut self.pages {
            page.slow_until = 0;
        }
        // Ten minutes for whoever must be told, and three seconds more, for what comes twice.
        let until = self.now() + 600_000;
        while self.check_settled().is_err() && self.now() < until {
            for _ in 0..20 {
                self.step()?;
            }
        }
        for _ in 0..3_000 / STEP {
            self.step()?;
        }
        self.check_settled()
    }

    fn check_settled(&self) -> Result<(), Broken> {
        let epoch = self.hub.position().epoch;
        for (index, page) in self.pages.iter().enumerate() {
            if page.is_absent {
                continue;
            }
            let lost = |what| (Violation::Lost, self.describe(index, what));
            if page.epoch != epoch {
                return Err(lost("it is of another life of the log"));
            }
            if page.client.is_none() || page.renders_at.is_some() {
                return Err(lost("it found no rest"));
            }
            let complete = page.life.check_complete(&self.published);
            complete.map_err(|_| lost("at the end"))?;
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
            if self.happens() {
                self.publish_to(stream, kind, size);
            }
        }
    }

    fn publish_to(&mut self, stream: usize, kind: Kind, size: usize) {
        let class = match kind {
            Kind::Log => Class::Log,
            Kind::State => Class::State(StateKey::new("target", Effect::Content)),
            Kind::Ephemeral => Class::Ephemeral,
        };
        let serial = self.published.count(stream);
        let text = format!("\"{stream}:{serial}\"{}", " ".repeat(size));
        let (name, message) = (name_of(stream), Message::json(text));
        let published = self.hub.publish(Broadcast { stream: &name, message, class });
        let offset = published.expect("memory takes it").position.offset.0;
        self.published.add(stream, offset, kind);
    }

    fn restart(&mut self, epoch: Epoch) {
        self.tally.restarts += 1;
        self.note_stats();
        for connection in &mut self.connections {
            connection.task = None;
            connection.line.lock().expect("one thread").cut();
        }
        self.hub = Hub::simulated(options(), epoch, Arc::clone(&self.clock));
        *self.channels.hub.lock().expect("one thread") = self.hub.clone();
        self.published = Published::new(STREAMS);
    }

    fn step(&mut self) -> Result<(), Broken> {
        let now = self.clock.fetch_add(STEP, Ordering::Relaxed) + STEP;
        if now.is_multiple_of(50) {
            self.hub.tick(self.part);
            self.part += 1;
        }
        for connection in &mut self.connections {
            let mut line = connection.line.lock().expect("one thread");
            line.advance(now);
            if now >= connection.cut_at && !line.cut {
                line.cut();
            }
        }
        self.poll_connections();
        for index in 0..self.pages.len() {
            self.step_page(index, now)?;
        }
        self.poll_connections();
        self.connections.retain(|connection| connection.task.is_some());
        Ok(())
    }

    fn poll_connections(&mut self) {
        for connection in &mut self.connections {
            let mut turns = 0;
            while connection.woken.0.swap(false, Ordering::Relaxed) && turns < 4 {
                turns += 1;
                let Some(task) = &mut connection.task else { break };
                if task.as_mut().poll(&mut Context::from_waker(&connection.waker)).is_ready() {
                    connection.task = None;
                    connection.line.lock().expect("one thread").cut();
                }
            }
        }
    }

    // --- pages --------------------------------------------------------------------------------

    fn render(&mut self, index: usize) -> Page {
        let protocol = match self.variant {
            Variant::Lossy | Variant::LaxContiguity | Variant::LostPosition => Protocol::Forebay,
            Variant::None if self.rngs[index].bool() => Protocol::Forebay,
            _ => Protocol::Stock,
        };
        self.render_as(index, protocol)
    }

    /// A page as the application renders it: its cursor is taken, its data is read, its tags come last.
    fn render_as(&mut self, index: usize, protocol: Protocol) -> Page {
        self.next_page += 1;
        let number = self.next_page;
        let mut streams: Vec<usize> = (0..STREAMS).collect();
        let rng = &mut self.rngs[index];
        rng.shuffle(&mut streams);
        streams.truncate(rng.usize(1..=4));
        let waits = rng.u64(..400);
        let is_late = self.variant == Variant::LateCursor && rng.u32(..3) == 0;
        let mut cursor = self.hub.position();
        let rendered = cursor.offset.0;
        if is_late && !self.is_calm {
            // It reads its data, something is published, it takes its cursor.
            self.publish_to(streams[0], Kind::Log, 0);
            cursor = self.hub.position();
        }
        let tags = streams.iter().map(|stream| Tag::new(*stream, cursor, number)).collect();
        Page {
            protocol,
            name: format!("page {number}").into(),
            tags,
            life: Life::new(&streams, rendered, protocol == Protocol::Stock),
            epoch: cursor.epoch,
            client: None,
            connects_at: self.now() + waits,
            is_absent: false,
            renders_at: None,
            slow_until: 0,
            delayed: Vec::new(),
            confirmed_at: 0,
            confirmed: 0,
            revoked_at: u64::MAX,
        }
    }

    fn step_page(&mut self, index: usize, now: u64) -> Result<(), Broken> {
        if self.pages[index].is_absent {
            return Ok(());
        }
        if self.pages[index].renders_at.is_some_and(|at| at <= now) {
            self.render_again(index);
        }
        let page = &mut self.pages[index];
        let Some(client) = &mut page.client else {
            if now >= page.connects_at {
                self.connect(index);
            }
            return Ok(());
        };
        let max = if now < page.slow_until { 5 } else { 1 << 20 };
        let lossless = self.is_calm && self.variant == Variant::Lossy;
        let variant = if lossless { Variant::None } else { self.variant };
        let came = client.receive(now, max, &mut page.tags, variant, &mut self.rngs[index]);
        let heard = client.heard;
        let gone = client.line().lock().expect("one thread").cut;
        let mut shown = Vec::new();
        for came in came {
            match came {
                Came::Entry(stream, serial) => shown.push((stream, serial)),
                Came::Confirmed => {
                    self.pages[index].confirmed_at = now;
                    self.pages[index].confirmed += 1;
                }
                Came::Resync | Came::Rejected if self.pages[index].renders_at.is_none() => {
                    self.tally.resyncs += 1;
                    // What has come until now, the page has shown.
                    self.show(index, std::mem::take(&mut shown), now)?;
                    self.pages[index].renders_at = Some(now + self.rngs[index].u64(..300));
                }
                Came::Resync | Came::Rejected => {}
                Came::Gap => {
                    self.tally.gaps += 1;
                    self.show(index, std::mem::take(&mut shown), now)?;
                    self.lose(index, now, 0);
                    return Ok(());
                }
                Came::Disconnected => {
                    self.show(index, shown, now)?;
                    self.lose(index, now, 200);
                    return Ok(());
                }
            }
        }
        self.show(index, shown, now)?;
        if gone || now - heard > STALE {
            self.lose(index, now, 1_000);
        }
        Ok(())
    }

    fn show(
        &mut self,
        index: usize,
        mut shown: Vec<(usize, usize)>,
        now: u64,
    ) -> Result<(), Broken> {
        if self.variant == Variant::Interleaved {
            let page = &mut self.pages[index];
            let is_history = now < page.confirmed_at + 60;
            let due = page.delayed.iter().filter(|(at, ..)| *at <= now);
            let due: Vec<_> = due.map(|(_, stream, serial)| (*stream, *serial)).collect();
            page.delayed.retain(|(at, ..)| *at > now);
            if is_history && shown.len() > 1 {
                let late = shown.drain(..shown.len() / 2);
                page.delayed.extend(late.map(|(stream, serial)| (now + 100, stream, serial)));
            }
            shown.extend(due);
        }
        if self.pages[index].renders_at.is_some() {
            // It was told that it lacks something: what it shows until then counts for nothing.
            return Ok(());
        }
        for (stream, serial) in shown {
            let offset = self.published.offset(stream, serial);
            let page = &mut self.pages[index];
            let current = page.epoch == self.hub.position().epoch;
            let outcome = match offset {
                Some(offset) if current && offset > page.revoked_at => Err(Violation::NotForIt),
                Some(offset) if current => page.life.show(&self.published, stream, offset),
                _ => Err(Violation::Lost),
            };
            outcome.map_err(|violation| {
                (
                    violation,
                    self.describe(
                        index,
                        &format!("stream {stream}, entry {serial}, offset {offset:?}"),
                    ),
                )
            })?;
            self.tally.entries += 1;
        }
        Ok(())
    }

    fn connect(&mut self, index: usize) {
        let rng = &mut self.rngs[index];
        let latency = rng.u64(..120);
        let capacity = *rng.choice(&[700, 4_000, 30_000]).unwrap_or(&4_000);
        let line = Line::new(latency, capacity);
        let now = self.now();
        line.lock().expect("one thread").advance(now);
        let Ok(mut server) = self.hub.connect() else { return };
        let page = &mut self.pages[index];
        let wire = match page.protocol {
            Protocol::Stock => Wire::ActionCableV1Json,
            Protocol::Forebay => Wire::ForebayV1Json,
        };
        server.identify(&page.name);
        let session =
            Session::open(self.hub.now(), server.hello(wire), Arc::clone(self.hub.limits()));
        let identity = Identity::named(Arc::clone(&page.name));
        let channels = Arc::clone(&self.channels) as Arc<dyn Channels>;
        let socket = Socket(Arc::clone(&line));
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        self.connections.push(Connection {
            line: Arc::clone(&line),
            task: Some(Box::pin(drive(socket, session, server, channels, identity))),
            waker: Waker::from(Arc::clone(&woken)),
            woken,
            cut_at: u64::MAX,
        });
        page.client = Some(Client::new(page.protocol, line, now));
        page.life.reconnected();
        page.confirmed = 0;
        self.tally.connections += 1;
    }

    /// The page's connection is over, and it comes back. What the variants hold back is gone.
    fn lose(&mut self, index: usize, now: u64, soon: u64) {
        let wait = self.rngs[index].u64(..=soon.max(1));
        let page = &mut self.pages[index];
        if let Some(client) = page.client.take() {
            let line = Arc::clone(client.line());
            let silent = line.lock().expect("one thread").silent;
            // A silent line's other end finds out when its kernel gives up.
            let cut_at = if silent && !self.is_calm { now + UNACKNOWLEDGED } else { now };
            self.end_line(&line, cut_at);
        }
        page_mut(&mut self.pages, index).connects_at = now + wait;
    }

    fn end_line(&mut self, line: &Shared, at: u64) {
        let same = |connection: &&mut Connection| Arc::ptr_eq(&connection.line, line);
        if let Some(connection) = self.connections.iter_mut().find(same) {
            connection.cut_at = connection.cut_at.min(at);
        }
    }

    /// The page renders itself again, on the connection that it has.
    fn render_again(&mut self, index: usize) {
        let protocol = self.pages[index].protocol;
        let fresh = self.render_as(index, protocol);
        let page = &mut self.pages[index];
        self.tally.repeats += page.life.repeats;
        let gone = std::mem::replace(&mut page.tags, fresh.tags);
        page.life = fresh.life;
        page.epoch = fresh.epoch;
        page.renders_at = None;
        page.confirmed = 0;
        page.revoked_at = u64::MAX;
        page.delayed.clear();
        if let Some(client) = &page.client {
            client.change(&gone, &page.tags);
        }
    }

    // --- what goes wrong ----------------------------------------------------------------------

    fn go_wrong(&mut self) {
        let what = self.schedule.u32(..2_000);
        let index = self.schedule.usize(..PAGES);
        let amount = self.schedule.u64(1..);
        // The others are nothing.
        if what >= 21 || !self.happens() || self.pages[index].is_absent {
            return;
        }
        let now = self.now();
        match what {
            0..8 => self.with_line(index, Line::cut, |tally| &mut tally.cuts),
            8..11 => self.with_line(index, |line| line.silent = true, |tally| &mut tally.silences),
            11..14 => {
                self.pages[index].slow_until = now + amount % 20_000;
                self.tally.slow_readers += 1;
            }
            14..19 => self.navigate(index, now),
            19 => {
                self.tally.revocations += 1;
                let name = Arc::clone(&self.pages[index].name);
                let revoked = self.hub.revoke(Revocation::of_identity(Arc::clone(&name)));
                let at = revoked.expect("memory takes it").offset.0;
                for page in self.pages.iter_mut().filter(|page| page.name == name) {
                    page.revoked_at = at;
                }
            }
            _ if amount.is_multiple_of(6) => self.restart(Epoch(amount)),
            _ => {}
        }
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

    /// The page is left. Another comes; or the same HTML once more, from the HTTP cache.
    fn navigate(&mut self, index: usize, now: u64) {
        self.tally.navigations += 1;
        // Of a page that leaves before its tags are subscribed again the server does not hear, and
        // believes the next life of it to be the same: a limit that ARCHITECTURE.md names.
        let old = &self.pages[index];
        let is_heard_of = old.confirmed == old.tags.len();
        let may_come_back = is_heard_of && self.variant == Variant::None;
        let came_back = self.rngs[index].u32(..3) == 0 && may_come_back;
        let mut page = self.render(index);
        let old = &mut self.pages[index];
        self.tally.repeats += old.life.repeats;
        if let Some(client) = old.client.take() {
            client.unload();
            let line = Arc::clone(client.line());
            let (latency, silent) = {
                let line = line.lock().expect("one thread");
                (line.latency, line.silent)
            };
            let takes = if silent { UNACKNOWLEDGED } else { 2 * latency + 50 };
            self.end_line(&line, now + takes);
            if came_back && !silent {
                // The server has heard that the page was left, or will before it is back.
                self.tally.second_lives += 1;
                let old = &self.pages[index];
                page.protocol = old.protocol;
                page.name = Arc::clone(&old.name);
                page.epoch = old.epoch;
                page.revoked_at = old.revoked_at;
                let rendered = old.life.rendered();
                let streams: Vec<_> = old.tags.iter().map(|tag| tag.stream).collect();
                page.tags = old.tags.iter().map(Tag::again).collect();
                page.life = Life::new(&streams, rendered, page.protocol == Protocol::Stock);
                page.connects_at = now + takes + self.rngs[index].u64(..1_000);
            }
        }
        self.pages[index] = page;
    }
}

fn page_mut(pages: &mut [Page], index: usize) -> &mut Page {
    &mut pages[index]
}
