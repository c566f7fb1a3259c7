//! The loop of a generator's process.

use std::io::{BufRead as _, BufReader, Write as _};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use hdrhistogram::Histogram;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;

use super::connection::{Connection, Heard, State};
use super::dialect::Target;
use super::publisher::{Post, Publisher};
use super::source::Source;
use super::work::{Order, Outcome};
use crate::marker::{self, Marker, now};

/// A server that gets nothing done for so long is given up; its pings count for nothing.
const PATIENCE: Duration = Duration::from_secs(20);

/// An order that is not done so long after it could be is given up, too.
const ORDER_MAX: Duration = Duration::from_mins(2);

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
            (Order::Prepare { target, post }, _) => {
                generator = Some(Generator::new(target, post)?);
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
    /// Connections that were cut, and are to return.
    cut: usize,
    /// Connections that read slowly, and when they read next.
    slow: usize,
    slow_at: u64,
}

/// Arrivals of a stretch of bursts, told apart by how many there were.
struct Rounds {
    per_round: u64,
    arrived: u64,
    last: Vec<u64>,
}

impl Generator {
    fn new(target: Target, post: Post) -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, std::io::stdin(), EventData::new_u64(STDIN), EventFlags::IN)?;
        let published = vec![0; target.streams];
        Ok(Self {
            epoll,
            target,
            post,
            connections: Vec::new(),
            publishers: Vec::new(),
            published,
            live: 0,
            outcome: Outcome::default(),
            latencies: Histogram::new_with_bounds(1_000, 600_000_000_000, 3)?,
            rounds: None,
            buffer: vec![0; 256 << 10],
            events: Vec::with_capacity(1024),
            heard: Heard::default(),
            began: now(),
            progress: [0; 4],
            progressed: now(),
            deadline: u64::MAX,
            orders: false,
            cut: 0,
            slow: 0,
            slow_at: 0,
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

    fn carry_out(&mut self, order: &Order) -> Result<()> {
        // What came since the last order is nobody's.
        self.take_outcome();
        self.began = now();
        self.progressed = self.began;
        let own = match *order {
            Order::Rate { seconds, .. } | Order::PostRate { seconds, .. } => seconds,
            _ => 0.0,
        };
        self.deadline = self.began + ((ORDER_MAX.as_secs_f64() + own) * 1e9) as u64;
        match *order {
            Order::Prepare { .. } => {}
            Order::Connect { from, count, at_once } => {
                let streams = self.target.streams;
                self.connect((from..from + count).map(|index| index % streams), at_once, from)?;
            }
            Order::Rounds { rounds, burst, size } => self.rounds(rounds, burst, size)?,
            Order::Follow { rounds, burst } => {
                let per_round = (burst * self.connections.len()) as u64;
                self.expect_rounds(per_round);
                self.until(|generator| generator.has_arrived(per_round * rounds as u64))?;
                self.end_rounds();
            }
            Order::Rate { per_second, seconds, size } => self.rate(per_second, seconds, size)?,
            Order::Idle { seconds } => self.until_time(now() + (seconds * 1e9) as u64)?,
            Order::Cut => {
                self.cut = self.connections.len();
                self.connections.clear();
                self.live = 0;
            }
            Order::Fill { rounds, size } => {
                for _ in 0..rounds {
                    for stream in 0..self.target.streams {
                        self.publish(stream, 1, size)?;
                        self.until(|generator| generator.publishers[0].unanswered == 0)?;
                    }
                }
            }
            Order::Return { at_once, entries } => self.come_back(at_once, entries)?,
            Order::Slow { count, bytes_per_second } => {
                for connection in self.connections.iter_mut().take(count) {
                    connection.slow = Some(bytes_per_second);
                    epoll::delete(&self.epoll, &connection.socket)?;
                }
                self.slow = count;
            }
            Order::PostRate { connections, seconds, size } => {
                self.post_rate(connections, seconds, size)?;
            }
        }
        self.outcome.seconds = seconds_since(self.began);
        Ok(())
    }

    /// Opens a connection for each stream given, and waits until all are live.
    fn connect(
        &mut self,
        mut streams: impl Iterator<Item = usize>,
        at_once: usize,
        from: usize,
    ) -> Result<()> {
        let before = self.connections.len();
        loop {
            while self.connections.len() - self.live - self.lost() < at_once {
                let Some(stream) = streams.next() else { break };
                let index = self.connections.len();
                let socket = Source::connect(from + index - before, self.target.port)?;
                let flags = EventFlags::IN | EventFlags::OUT;
                epoll::add(&self.epoll, &socket, EventData::new_u64(index as u64), flags)?;
                let next = self.published[stream];
                self.connections.push(Connection::new(socket, stream, next, now()));
            }
            if self.live + self.lost() == self.connections.len() {
                break;
            }
            self.turn_or_give_up()?;
        }
        self.outcome.done = (self.live - before) as u64;
        if self.lost() > 0 {
            bail!("{} connections were refused: {:?}", self.lost(), self.outcome.error);
        }
        Ok(())
    }

    fn lost(&self) -> usize {
        usize::try_from(self.outcome.faults.lost).unwrap_or(usize::MAX)
    }

    fn rounds(&mut self, rounds: usize, burst: usize, size: usize) -> Result<()> {
        let readers = self.connections.iter().filter(|connection| connection.slow.is_none());
        let per_stream: Vec<usize> = readers.fold(vec![0; self.target.streams], |mut all, one| {
            all[one.stream] += 1;
            all
        });
        for round in 0..rounds {
            let stream = round % self.target.streams;
            let per_round = (burst * per_stream[stream]) as u64;
            self.expect_rounds(per_round);
            self.publish(stream, burst, size)?;
            self.until(|generator| {
                generator.has_arrived(per_round) && generator.publishers[0].unanswered == 0
            })?;
            self.end_rounds();
        }
        Ok(())
    }

    fn expect_rounds(&mut self, per_round: u64) {
        self.rounds = Some(Rounds { per_round, arrived: 0, last: Vec::new() });
    }

    fn has_arrived(&self, entries: u64) -> bool {
        self.rounds.as_ref().is_none_or(|rounds| rounds.arrived >= entries)
    }

    fn end_rounds(&mut self) {
        self.outcome.last.extend(self.rounds.take().into_iter().flat_map(|rounds| rounds.last));
    }

    fn rate(&mut self, per_second: f64, seconds: f64, size: usize) -> Result<()> {
        let begin = now();
        let total = (per_second * seconds) as u64;
        for number in 0..total {
            let due = begin + (number as f64 / per_second * 1e9) as u64;
            self.until_time(due)?;
            let stream = usize::try_from(number)? % self.target.streams;
            // The time it was due, not when the generator got round to it.
            self.publish_at(due, stream, 1, size)?;
            self.outcome.done += 1;
        }
        let readers = self.connections.iter().filter(|connection| connection.slow.is_none());
        let expected = total * readers.count() as u64 / self.target.streams as u64;
        self.until(|generator| generator.outcome.deliveries >= expected)
    }

    /// Slow connections read a tenth of what they read in a second, ten times a second.
    fn read_slowly(&mut self) {
        if self.slow > 0 && now() >= self.slow_at {
            self.slow_at = now() + 100_000_000;
            for index in 0..self.slow {
                if let Some(bytes) = self.connections[index].slow {
                    self.receive(index, (bytes / 10).max(1));
                }
            }
        }
    }

    fn come_back(&mut self, at_once: usize, entries: u64) -> Result<()> {
        let expected = entries * self.cut as u64;
        let published = self.published.clone();
        for stream in &mut self.published {
            *stream = stream.checked_sub(entries).context("so much was not published")?;
        }
        let streams = self.target.streams;
        self.connect((0..self.cut).map(|index| index % streams), at_once, 0)?;
        self.published = published;
        self.until(|generator| generator.outcome.deliveries >= expected)
    }

    fn post_rate(&mut self, connections: usize, seconds: f64, size: usize) -> Result<()> {
        while self.publishers.len() < connections {
            self.add_publisher()?;
        }
        let end = now() + (seconds * 1e9) as u64;
        while now() < end {
            for index in 0..connections {
                if self.publishers[index].unanswered == 0 {
                    self.publish_over(index, now(), index % self.target.streams, 1, size)?;
                }
            }
            self.turn_or_give_up()?;
        }
        self.until(|generator| generator.publishers.iter().all(|one| one.unanswered == 0))
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
        let first = self.published[stream];
        self.published[stream] += burst as u64;
        let payloads: Vec<_> = (first..self.published[stream])
            .map(|number| marker::html(Marker { number, at }, size))
            .collect();
        Ok(self.publishers[publisher].publish(stream, &payloads)?)
    }

    fn add_publisher(&mut self) -> Result<()> {
        let socket = Source::connect(0, self.target.port)?;
        let token = EventData::new_u64(PUBLISHERS + self.publishers.len() as u64);
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
        epoll::add(&self.epoll, &socket, token, flags)?;
        self.publishers.push(Publisher::new(socket, self.post, &self.target));
        Ok(())
    }

    fn until(&mut self, is_done: impl Fn(&Self) -> bool) -> Result<()> {
        while !is_done(self) {
            self.turn_or_give_up()?;
        }
        Ok(())
    }

    /// Never sleeps: a generator that is asleep when an entry arrives is woken by whoever sends it, with
    /// an interrupt of another core, and whether it is asleep depends on which of both happens to be
    /// faster. On a network this would be a card's work, and no server's.
    fn turn_or_give_up(&mut self) -> Result<()> {
        self.turn(Some(Duration::ZERO))?;
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
            "{} of {} connections are live, {} connecting, {} opening; {} entries came",
            self.live,
            self.connections.len(),
            of(State::Connecting),
            of(State::Opening),
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
        self.read_slowly();
        let slow = (self.slow > 0)
            .then(|| Duration::from_nanos(self.slow_at.saturating_sub(now()).max(1)));
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
                index => self.hear_connection(usize::try_from(index)?)?,
            }
        }
        self.events = events;
        Ok(())
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

    fn hear_connection(&mut self, index: usize) -> Result<()> {
        let Some(connection) = self.connections.get_mut(index) else { return Ok(()) };
        if connection.state == State::Connecting {
            let opened = connection.open(&self.target);
            let flags = EventFlags::IN;
            let token = EventData::new_u64(index as u64);
            epoll::modify(&self.epoll, &connection.socket, token, flags)?;
            self.lose_on_error(index, opened);
        } else {
            self.receive(index, self.buffer.len());
        }
        Ok(())
    }

    fn receive(&mut self, index: usize, bytes: usize) {
        let connection = &mut self.connections[index];
        let result = connection.receive(&self.target, &mut self.buffer[..bytes], &mut self.heard);
        let slow = connection.slow.is_some();
        let began = connection.began;
        if self.heard.became_live {
            self.live += 1;
            self.latencies.saturating_record(now() - began);
        }
        if !self.heard.entries.is_empty() {
            let time = now();
            for &at in &self.heard.entries {
                let latency = time.saturating_sub(at);
                if slow {
                    continue;
                }
                self.latencies.saturating_record(latency);
                self.outcome.deliveries += 1;
                if let Some(rounds) = &mut self.rounds {
                    rounds.arrive(latency);
                }
            }
        }
        let faults = std::mem::take(&mut self.heard.faults);
        if !slow {
            self.outcome.faults.missing += faults.missing;
        }
        self.outcome.faults.doubled += faults.doubled;
        self.outcome.refreshes += std::mem::take(&mut self.heard.refreshes);
        self.outcome.bytes += std::mem::take(&mut self.heard.bytes);
        self.heard.entries.clear();
        self.heard.became_live = false;
        self.lose_on_error(index, result);
    }

    fn lose_on_error(&mut self, index: usize, result: std::io::Result<()>) {
        if let Err(error) = result {
            let connection = &mut self.connections[index];
            self.live -= usize::from(connection.state == State::Live);
            connection.state = State::Lost;
            self.outcome.faults.lost += 1;
            self.outcome.error.get_or_insert_with(|| error.to_string());
            let _ = epoll::delete(&self.epoll, &connection.socket);
        }
    }
}

impl Rounds {
    fn arrive(&mut self, latency: u64) {
        if self.arrived.is_multiple_of(self.per_round) {
            self.last.push(0);
        }
        self.arrived += 1;
        if let Some(last) = self.last.last_mut() {
            *last = latency.max(*last);
        }
    }
}

fn seconds_since(began: u64) -> f64 {
    Duration::from_nanos(now() - began).as_secs_f64()
}
