//! The loop of a generator's process: sockets, and what comes from them. What it is told to do is in
//! `generator/orders.rs`.

mod orders;
mod rounds;

use std::io::{BufRead as _, BufReader, Write as _};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use hdrhistogram::Histogram;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;

use self::rounds::Rounds;
use super::connection::{Connection, Heard, State};
use super::dialect::{Page, Target};
use super::publisher::{Post, Publisher};
use super::source::{Source, Width};
use super::work::{Manner, Order, Outcome};
use crate::marker::{self, Marker, now};

/// A server that gets nothing done for so long is given up; its pings count for nothing.
const PATIENCE: Duration = Duration::from_secs(20);

/// An order that is not done so long after it could be is given up, too.
const ORDER_MAX: Duration = Duration::from_mins(2);

/// How long a generator that may sleep does so at a time.
const NAP: Duration = Duration::from_millis(50);

/// Events in a turn: behind so many an entry that is due to be published waits, 300 µs or so.
const EVENTS_MAX: usize = 128;

/// Tokens in the epoll set that are no connection's index.
const STDIN: u64 = u64::MAX;
const PUBLISHERS: u64 = u64::MAX - 1000;

/// Takes orders from standard input until it ends.
pub(crate) fn work() -> Result<()> {
    let mut generator: Option<Generator> = None;
    let mut orders = BufReader::new(std::io::stdin());
    let mut line = String::new();
    loop {
        line.clear();
        if let (Some(generator), true) = (&mut generator, orders.buffer().is_empty()) {
            generator.wait_for_orders()?;
        }
        if orders.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let order = serde_json::from_str(&line).context("an order is a line of JSON")?;
        let result = match (order, &mut generator) {
            (Order::Prepare { target, post, manner }, _) => {
                generator = Some(Generator::new(target, post, manner)?);
                Ok(())
            }
            (order, Some(generator)) => generator.carry_out(&order),
            (_, None) => bail!("the first order prepares"),
        };
        let mut outcome = generator.as_mut().map(Generator::take_outcome).unwrap_or_default();
        outcome.error = result.err().map(|error| format!("{error:#}"));
        let mut out = std::io::stdout().lock();
        serde_json::to_writer(&mut out, &outcome)?;
        writeln!(out)?;
        out.flush()?;
    }
}

struct Generator {
    epoll: OwnedFd,
    target: Target,
    post: Post,
    manner: Manner,
    connections: Vec<Connection>,
    publishers: Vec<Publisher>,
    /// Entries published so far, by stream.
    published: Vec<u64>,
    live: usize,
    outcome: Outcome,
    latencies: Histogram<u64>,
    /// The latest arrival of each round, and how many arrivals it still lacks.
    rounds: Option<Rounds>,
    buffer: Vec<u8>,
    events: Vec<epoll::Event>,
    heard: Heard,
    began: u64,
    /// What was done when something was last, and when that was.
    progress: [u64; 4],
    progressed: u64,
    /// When the order is given up.
    deadline: u64,
    orders: bool,
    /// The first streams of connections that were cut, and are to return.
    cut: Vec<usize>,
    /// Which connections read slowly next, and when.
    slow: Option<Slow>,
}

/// Connections that read slowly take turns: a hundredth of them at a time, a hundred times a second.
#[derive(Clone, Copy, Default)]
struct Slow {
    next: usize,
    at: u64,
}

impl Generator {
    fn new(target: Target, post: Post, manner: Manner) -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, std::io::stdin(), EventData::new_u64(STDIN), EventFlags::IN)?;
        let published = vec![0; target.streams];
        Ok(Self {
            epoll,
            target,
            post,
            manner,
            connections: Vec::new(),
            publishers: Vec::new(),
            published,
            live: 0,
            outcome: Outcome::default(),
            latencies: Histogram::new_with_bounds(1_000, 600_000_000_000, 3)?,
            rounds: None,
            buffer: vec![0; 256 << 10],
            events: Vec::with_capacity(EVENTS_MAX),
            heard: Heard::default(),
            began: now(),
            progress: [0; 4],
            progressed: now(),
            deadline: u64::MAX,
            orders: false,
            cut: Vec::new(),
            slow: None,
        })
    }

    fn take_outcome(&mut self) -> Outcome {
        let mut outcome = std::mem::take(&mut self.outcome);
        outcome.latencies = self
            .latencies
            .iter_recorded()
            .map(|value| (value.value_iterated_to(), value.count_at_value()))
            .collect();
        self.latencies.reset();
        outcome
    }

    fn wait_for_orders(&mut self) -> Result<()> {
        self.orders = false;
        while !self.orders {
            self.turn(None)?;
        }
        Ok(())
    }

    /// Begins to connect the page as the `index`th connection, from an address and port of its own.
    fn open(&mut self, index: usize, page: Page) -> Result<Connection> {
        // In a generator of slow clients somebody else publishes, and has before.
        let (width, next) = match self.manner {
            Manner::Thin => (Width::Thin, None),
            Manner::Awake | Manner::Asleep => (Width::Usual, Some(self.published[page.stream])),
        };
        let socket = Source::connect(page.number, self.target.port, width)?;
        // By edges: nothing has to be changed once it is open.
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
        epoll::add(&self.epoll, &socket, EventData::new_u64(index as u64), flags)?;
        Ok(Connection::new(socket, page, next))
    }

    fn lost(&self) -> usize {
        usize::try_from(self.outcome.faults.lost).unwrap_or(usize::MAX)
    }

    fn publish(&mut self, stream: usize, burst: usize, size: usize) -> Result<()> {
        self.publish_at(now(), stream, burst, size)
    }

    fn publish_at(&mut self, at: u64, stream: usize, burst: usize, size: usize) -> Result<()> {
        if self.publishers.is_empty() {
            self.add_publisher()?;
        }
        self.publish_over(0, at, stream, burst, size)
    }

    fn publish_over(
        &mut self,
        publisher: usize,
        at: u64,
        stream: usize,
        burst: usize,
        size: usize,
    ) -> Result<()> {
        if self.publishers[publisher].is_stale() {
            self.publishers[publisher] = self.new_publisher(publisher)?;
        }
        let first = self.published[stream];
        self.published[stream] += burst as u64;
        let payloads: Vec<_> = (first..self.published[stream])
            .map(|number| marker::html(Marker { number, at }, size))
            .collect();
        Ok(self.publishers[publisher].publish(stream, &payloads)?)
    }

    fn add_publisher(&mut self) -> Result<()> {
        let publisher = self.new_publisher(self.publishers.len())?;
        self.publishers.push(publisher);
        Ok(())
    }

    fn new_publisher(&self, index: usize) -> Result<Publisher> {
        let socket = Source::connect(0, self.target.port, Width::Usual)?;
        let token = EventData::new_u64(PUBLISHERS + index as u64);
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
        epoll::add(&self.epoll, &socket, token, flags)?;
        Ok(Publisher::new(socket, self.post, &self.target))
    }

    fn until(&mut self, is_done: impl Fn(&Self) -> bool) -> Result<()> {
        while !is_done(self) {
            self.turn_or_give_up()?;
        }
        Ok(())
    }

    /// Never sleeps, unless it has to leave its core to the server: a generator that is asleep when an
    /// entry arrives is woken by whoever sends it, with an interrupt of another core, and whether it is
    /// asleep depends on which of both happens to be faster. On a network this would be a card's work,
    /// and no server's.
    fn turn_or_give_up(&mut self) -> Result<()> {
        self.turn(Some(if self.manner == Manner::Awake { Duration::ZERO } else { NAP }))?;
        if self.outcome.faults.lost > 0 {
            bail!("the server ended a connection: {:?}", self.outcome.error);
        }
        let unanswered: usize = self.publishers.iter().map(|one| one.unanswered).sum();
        let Outcome { deliveries, done, .. } = self.outcome;
        let progress = [self.live as u64, deliveries, done, unanswered as u64];
        let time = now();
        if progress != self.progress {
            self.progress = progress;
            self.progressed = time;
        }
        if Duration::from_nanos(time - self.progressed) >= PATIENCE {
            bail!("nothing happened for {PATIENCE:?}: {}", self.how_far());
        }
        if time > self.deadline {
            bail!("not done after {:.0} s: {}", seconds_since(self.began), self.how_far());
        }
        Ok(())
    }

    fn how_far(&self) -> String {
        let of = |state| self.connections.iter().filter(|one| one.state == state).count();
        format!(
            "{} of {} connections are live, {} connecting, {} opening; {} were told to refresh; {} \
             entries came",
            self.live,
            self.connections.len(),
            of(State::Connecting),
            of(State::Opening),
            self.connections.iter().filter(|one| one.refreshes > 0).count(),
            self.outcome.deliveries
        )
    }

    fn until_time(&mut self, time: u64) -> Result<()> {
        loop {
            let left = time.saturating_sub(now());
            self.turn(Some(Duration::from_nanos(left)))?;
            if left == 0 {
                return Ok(());
            }
        }
    }

    /// Waits for events and handles them.
    fn turn(&mut self, timeout: Option<Duration>) -> Result<()> {
        let slow = self.read_slowly().map(Duration::from_nanos);
        let timeout = timeout.into_iter().chain(slow).min();
        let timeout = timeout.map(TryInto::try_into).transpose()?;
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        match epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(&mut events),
            timeout.as_ref(),
        ) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            match event.data.u64() {
                STDIN => self.orders = true,
                publisher if publisher >= PUBLISHERS => {
                    let publisher = usize::try_from(publisher - PUBLISHERS)?;
                    self.hear_publisher(publisher)?;
                }
                index => self.hear_connection(usize::try_from(index)?),
            }
        }
        self.events = events;
        Ok(())
    }

    /// Reads what slow connections may read by now; the nanoseconds until they may again.
    fn read_slowly(&mut self) -> Option<u64> {
        const STEP: u64 = 10_000_000;
        let Slow { mut next, mut at } = self.slow?;
        if now() >= at {
            let count = self.connections.len();
            for _ in 0..count.div_ceil(100) {
                next = (next + 1) % count;
                if let Some(bytes) = self.connections[next].slow {
                    self.receive(next, bytes);
                }
            }
            at = now() + STEP;
            self.slow = Some(Slow { next, at });
        }
        Some(at.saturating_sub(now()).max(1))
    }

    fn hear_publisher(&mut self, index: usize) -> Result<()> {
        let publisher = &mut self.publishers[index];
        publisher.flush()?;
        loop {
            let before = publisher.unanswered;
            let answers = publisher.receive(&mut self.buffer)?;
            if self.rounds.is_none() {
                self.outcome.done += answers as u64;
            }
            if answers == 0 || before == answers {
                return Ok(());
            }
        }
    }

    fn hear_connection(&mut self, index: usize) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        if connection.state == State::Connecting {
            let opened = connection.open();
            self.lose_on_error(index, opened);
        } else {
            let bytes = self.buffer.len();
            while self.receive(index, bytes) == bytes {}
        }
    }

    /// Reads once, at most so many bytes; how many it were.
    fn receive(&mut self, index: usize, bytes: usize) -> usize {
        let connection = &mut self.connections[index];
        let result = connection.receive(&self.target, &mut self.buffer[..bytes], &mut self.heard);
        let slow = connection.slow.is_some();
        let began = connection.began;
        if self.heard.became_live {
            self.live += 1;
            self.latencies.saturating_record(now() - began);
        }
        if !self.heard.entries.is_empty() && !slow {
            let time = now();
            for &at in &self.heard.entries {
                let latency = time.saturating_sub(at);
                self.latencies.saturating_record(latency);
                self.outcome.deliveries += 1;
                if let Some(rounds) = &mut self.rounds {
                    rounds.arrive(latency);
                }
            }
        }
        let faults = std::mem::take(&mut self.heard.faults);
        self.outcome.faults.missing += faults.missing;
        self.outcome.faults.doubled += faults.doubled;
        self.outcome.bytes += std::mem::take(&mut self.heard.bytes);
        self.heard.entries.clear();
        self.heard.became_live = false;
        self.lose_on_error(index, result).unwrap_or_default()
    }

    fn lose_on_error<T>(&mut self, index: usize, result: std::io::Result<T>) -> Option<T> {
        result
            .inspect_err(|error| {
                let connection = &mut self.connections[index];
                self.live -= usize::from(connection.state == State::Live);
                connection.state = State::Lost;
                self.outcome.faults.lost += 1;
                self.outcome.error.get_or_insert_with(|| error.to_string());
                let _ = epoll::delete(&self.epoll, &connection.socket);
            })
            .ok()
    }
}

fn seconds_since(began: u64) -> f64 {
    Duration::from_nanos(now() - began).as_secs_f64()
}
