//! Several nodes that share a log: how they begin and end, are cut off and sent away, and what happens to their
//! log's server.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use forebay_hub::Hub;
use forebay_log::Epoch;
use forebay_shared::SharedLog;
use forebay_store::LogStore as _;
use tokio::time::Instant;

use super::faults::ENDS_MAX;
use super::outbox::Outbox;
use super::writers::UnderWay;
use super::{Broken, STEP, STREAMS, World, options};
use crate::model::Violation;
use crate::network::Network;
use crate::published::Published;
use crate::server::{Server, Trouble};
use crate::variant::Variant;

/// What happens to a thousand requests of nodes. Three nodes ask a few hundred times a second.
const TROUBLE: Trouble =
    Trouble { request_lost: 1, answer_lost: 2, doubled: 20, cut: 0, delayed: 5 };
/// Groups that the log's server keeps, and steps from one trimming to the next.
const GROUPS_KEPT: usize = 3_000;
const TRIMS: u64 = 1_000;
/// A node that has been behind for so long is not only a little behind.
const ILL_AFTER: u64 = 1_000;

/// How long the process of a node is stopped that is stopped.
const STOPS: [u64; 3] = [3_000, 20_000, 90_000];

/// All nodes, and what is known of their log.
pub(super) struct Nodes {
    pub(super) server: Server,
    pub(super) all: Vec<Node>,
    /// What nodes were asked for.
    pub(super) under_way: Vec<UnderWay>,
    pub(super) outbox: Outbox,
    /// Of each stream, the number of the next entry.
    pub(super) serials: [usize; STREAMS],
    /// Epochs of the log by their numbers, which are those of its lives,
    pub(super) epochs: Vec<Epoch>,
    /// and what was published in those that are over.
    pub(super) earlier: Vec<Published>,
    /// Where entries are that the log has taken: in which of its lives, at which offsets. Of an entry that is
    /// sent again to another life there are several.
    pub(super) taken: HashMap<(usize, usize), Vec<(u64, u64)>>,
    /// Where each life of the log begins.
    pub(super) cuts: Vec<u64>,
    /// Entries of which a publisher was told that they are not taken.
    pub(super) refused: Vec<(usize, usize)>,
    pub(super) rng: fastrand::Rng,
}

pub(super) struct Node {
    /// The server, in the node's own time.
    pub(super) network: Arc<Network>,
    pub(super) stop: Option<Stop>,
    staleness: Staleness,
    /// If it runs.
    hub: Option<Hub>,
    state: State,
    /// Its number at the log's server, another one for each of its lives.
    line: usize,
    /// How often it has begun.
    pub(super) starts: u64,
    /// It is cut off until then.
    joins_at: Option<u64>,
    /// It writes who is present.
    pub(super) attending: Option<Task<()>>,
    epoch: Epoch,
    behind_since: Option<u64>,
    /// When it was last not as it should be: behind, or in another epoch than before, or about to leave.
    pub(super) ill_at: u64,
}

/// A process that is stopped, and goes on later.
pub(super) struct Stop {
    until: u64,
    /// Whether its own clock goes on.
    is_counted: bool,
    /// By how much its clock is to jump.
    owed: Duration,
}

/// How old is what a node has.
#[derive(Default)]
struct Staleness {
    /// Where the log was when, by the node's clock: what the node has not come to yet.
    seen: VecDeque<(Instant, (u64, u64))>,
}

/// Until a node knows that it is behind, and until it refuses pages: what is documented, and a second until it looks,
/// and two until another epoch has begun.
const BEHIND_MAX: Duration = Duration::from_secs(5 + 3);
const LOST_MAX: Duration = Duration::from_secs(30 + 3);

impl Staleness {
    fn note(&mut self, time: Instant, log: (u64, u64)) {
        self.seen.push_back((time, log));
    }

    /// For how long a node that is there has not come to what there was.
    fn of(&mut self, time: Instant, there: (u64, u64)) -> Duration {
        while self.seen.front().is_some_and(|(_, log)| *log <= there) {
            self.seen.pop_front();
        }
        self.seen.front().map_or(Duration::ZERO, |(since, _)| time - *since)
    }
}

type Task<T> = Pin<Box<dyn Future<Output = T>>>;

enum State {
    Down { until: u64 },
    Starting(Task<Option<Hub>>),
    Up,
    Leaving(Task<()>),
}

pub(super) fn poll<T>(task: &mut Task<T>) -> Option<T> {
    match task.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(ready) => Some(ready),
        Poll::Pending => None,
    }
}

impl Nodes {
    /// All of them run.
    pub(super) fn new(plan: &crate::Plan, clock: &Arc<AtomicU64>) -> Self {
        let network = Network::new(plan.seed, TROUBLE, plan.variant.flaw());
        network.server().news();
        let mut all: Vec<_> = (0..plan.nodes).map(|_| Node::new(network.beside())).collect();
        let is_up = |node: &Node| matches!(node.state, State::Up);
        while !all.iter().all(is_up) {
            for node in &mut all {
                node.network.run(Duration::from_millis(STEP));
                node.go_on(clock, plan.variant, 0);
            }
        }
        Self {
            server: network.server().clone(),
            all,
            under_way: Vec::new(),
            outbox: Outbox::default(),
            serials: [0; STREAMS],
            epochs: Vec::new(),
            earlier: Vec::new(),
            taken: HashMap::new(),
            cuts: Vec::new(),
            refused: Vec::new(),
            rng: fastrand::Rng::with_seed(plan.seed),
        }
    }

    /// The node that runs, and takes pages and broadcasts.
    pub(super) fn ready(&self, node: usize) -> Option<&Hub> {
        let node = &self.all[node];
        node.hub.as_ref().filter(|_| node.is_up() && node.stop.is_none())
    }

    pub(super) fn running(&self, node: usize) -> Option<&Hub> {
        self.all[node].hub.as_ref()
    }

    /// The first that is ready, from this one on.
    pub(super) fn ready_from(&self, node: usize) -> Option<usize> {
        self.from(node).find(|node| self.ready(*node).is_some())
    }

    /// The same of those that take connections. The process of one that is stopped has its kernel take them.
    fn open_from(&self, node: usize) -> Option<usize> {
        self.from(node).find(|node| self.all[*node].is_up())
    }

    fn from(&self, node: usize) -> impl Iterator<Item = usize> {
        let count = self.all.len();
        (node..node + count).map(move |node| node % count)
    }

    /// The number of this epoch's life of the log.
    pub(super) fn life_of(&self, epoch: Epoch) -> u64 {
        let life = self.epochs.iter().rposition(|known| *known == epoch);
        life.expect("no node has an epoch that the server does not know") as u64
    }

    /// What was published in a life of the log that is over.
    pub(super) fn earlier(&self, life: u64) -> Option<&Published> {
        usize::try_from(life).ok().and_then(|life| self.earlier.get(life))
    }

    /// Whether an entry is in the log: what stands behind the mark of a later epoch is lost, or has never counted.
    pub(super) fn counts(&self, entry: (usize, usize)) -> bool {
        let later =
            |life: u64| self.cuts.iter().skip(usize::try_from(life + 1).unwrap_or(usize::MAX));
        let taken = self.taken.get(&entry);
        taken.into_iter().flatten().any(|(life, at)| later(*life).all(|cut| at <= cut))
    }

    /// Each that is not stopped writes for its connections.
    pub(super) fn round(&self) {
        for node in self.all.iter().filter(|node| node.stop.is_none()) {
            let _time = node.network.enter();
            if let Some(hub) = &node.hub {
                while hub.round() {}
            }
        }
    }

    /// A node whose pages are from the past says so, and refuses others.
    fn check_stale(&mut self, number: usize) -> Result<(), Broken> {
        let Some(hub) = self.ready(number).cloned() else { return Ok(()) };
        let at = hub.position();
        let there = (self.life_of(at.epoch), at.offset.0);
        let node = &mut self.all[number];
        let stale = node.staleness.of(node.network.now(), there);
        let _time = node.network.enter();
        let is_silent = stale > BEHIND_MAX && hub.behind().is_none();
        if is_silent || stale > LOST_MAX && hub.connect().is_ok() {
            let said = format!("node {number} is at {there:?}, {stale:?} behind, and takes pages");
            return Err((Violation::NotHealed, said));
        }
        Ok(())
    }

    /// All run, and nothing is asked for any more.
    fn is_quiet(&self) -> bool {
        let is_up = |node: &Node| node.is_up() && node.stop.is_none();
        self.under_way.is_empty() && self.all.iter().all(is_up)
    }
}

impl Node {
    fn new(network: Network) -> Self {
        Self {
            network: Arc::new(network),
            stop: None,
            staleness: Staleness::default(),
            hub: None,
            state: State::Down { until: 0 },
            line: 0,
            starts: 0,
            joins_at: None,
            attending: None,
            epoch: Epoch(0),
            behind_since: None,
            ill_at: 0,
        }
    }

    /// True if it has left.
    fn go_on(&mut self, clock: &Arc<AtomicU64>, variant: Variant, now: u64) -> bool {
        let network = Arc::clone(&self.network);
        let _time = network.enter();
        match &mut self.state {
            State::Down { until } if *until <= now => {
                let (line, start) = start(&network, Arc::clone(clock), variant);
                (self.line, self.state) = (line, State::Starting(start));
                (self.starts, self.ill_at) = (self.starts + 1, now);
            }
            State::Starting(start) => match poll(start) {
                Some(Some(hub)) => (self.hub, self.state) = (Some(hub), State::Up),
                Some(None) => self.state = State::Down { until: now + 1_000 },
                None => {}
            },
            State::Leaving(leave) => return poll(leave).is_some(),
            State::Down { .. } | State::Up => {}
        }
        if self.joins_at.is_some_and(|at| at <= now) {
            self.joins_at = None;
            network.server().join(self.line);
        }
        false
    }

    fn is_up(&self) -> bool {
        matches!(self.state, State::Up)
    }

    /// Its time goes on, if its process is not stopped.
    fn run(&mut self, now: u64) {
        if let Some(stop) = self.stop.take_if(|stop| stop.until <= now) {
            // What it finds may have it begin anew.
            self.ill_at = now + 1_000;
            self.network.jump(stop.owed);
        }
        let passed = Duration::from_millis(STEP);
        match &mut self.stop {
            None => self.network.run(passed),
            Some(stop) if stop.is_counted => stop.owed += passed,
            Some(_) => {}
        }
    }

    /// The time by its own clock.
    fn time(&self) -> Instant {
        self.network.now() + self.stop.as_ref().map_or(Duration::ZERO, |stop| stop.owed)
    }

    /// When it knows, and has done, what was in the log for long.
    pub(super) fn knows_by(&self) -> u64 {
        self.ill_at.saturating_add(ENDS_MAX)
    }

    fn look(&mut self, epoch: Option<Epoch>, head: u64, now: u64) {
        let Some(hub) = &self.hub else { return };
        let at = hub.position();
        if at.epoch != self.epoch {
            (self.epoch, self.ill_at) = (at.epoch, now);
        }
        if Some(at.epoch) == epoch && at.offset.0 >= head {
            self.behind_since = None;
        } else if *self.behind_since.get_or_insert(now) + ILL_AFTER < now {
            self.ill_at = now;
        }
    }
}

/// A node that begins is ready when it has come as far as the server was.
fn start(network: &Network, clock: Arc<AtomicU64>, variant: Variant) -> (usize, Task<Option<Hub>>) {
    let (line, shared) = network.access();
    let number = line.number();
    let start = async move {
        let log = Arc::new(SharedLog::open(line, shared).await.ok()?);
        let hub =
            Hub::simulated_with(options(false, variant), Arc::clone(&log) as _, clock).ok()?;
        loop {
            let Ok(head) = log.head().await else { continue };
            // Another epoch may begin meanwhile: it asks again.
            for _ in 0..200 {
                let at = hub.position();
                if at.epoch == head.epoch && at.offset >= head.offset {
                    return Some(hub);
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    (number, Box::pin(start))
}

impl World {
    /// The hub of the node that this page is connected to.
    pub(super) fn hub_of(&self, index: usize) -> Option<&Hub> {
        match &self.nodes {
            None => Some(&self.hub),
            Some(nodes) => nodes.running(self.pages[index].node),
        }
    }

    /// The node that its next connection comes to.
    pub(super) fn next_node(&self, index: usize) -> Option<usize> {
        match &self.nodes {
            None => Some(0),
            Some(nodes) => nodes.open_from(self.pages[index].node + 1),
        }
    }

    /// Whether anybody can render a page.
    pub(super) fn can_render(&self) -> bool {
        self.nodes.as_ref().is_none_or(|nodes| nodes.ready_from(0).is_some())
    }

    /// What is known before anything happens.
    pub(super) fn learn_first(&mut self) {
        if let Some(mut nodes) = self.nodes.take() {
            self.learn(&mut nodes);
            self.nodes = Some(nodes);
        }
    }

    /// Nodes and their log's server go on.
    pub(super) fn step_nodes(&mut self) -> Result<(), Broken> {
        let Some(mut nodes) = self.nodes.take() else { return Ok(()) };
        let now = self.now();
        nodes.all.iter_mut().for_each(|node| node.run(now));
        self.learn(&mut nodes);
        let outcome = self.go_on(&mut nodes);
        self.nodes = Some(nodes);
        outcome
    }

    fn go_on(&mut self, nodes: &mut Nodes) -> Result<(), Broken> {
        let now = self.now();
        if self.steps.is_multiple_of(TRIMS) {
            nodes.server.trim(GROUPS_KEPT);
            self.lose_revocations(nodes);
        }
        let (epoch, head) = (nodes.epochs.last().copied(), nodes.server.head().0);
        let life = self.log;
        for number in 0..nodes.all.len() {
            let node = &mut nodes.all[number];
            if node.stop.is_none() {
                if node.go_on(&self.clock, self.variant, now) {
                    self.end_node(nodes, number, 0);
                    continue;
                }
                node.look(epoch, head, now);
            }
            if now.is_multiple_of(500) {
                node.staleness.note(node.time(), (life, head));
            }
            nodes.check_stale(number)?;
        }
        self.write(nodes)?;
        if now.is_multiple_of(50) {
            for number in 0..nodes.all.len() {
                let node = &nodes.all[number];
                let Some(hub) = node.hub.clone().filter(|_| node.stop.is_none()) else { continue };
                let _time = node.network.enter();
                hub.tick(self.part);
                if self.part.is_multiple_of(super::KEEP_PARTS) {
                    nodes.under_way.push(UnderWay::keep(number, hub));
                }
            }
            self.relay(nodes);
        }
        if self.plan.presence {
            nodes.attend();
        }
        Ok(())
    }

    /// What is gone from the log holds where a node has read it, which keeps it beside the log.
    fn lose_revocations(&mut self, nodes: &Nodes) {
        let hubs = (0..nodes.all.len()).filter_map(|number| nodes.running(number));
        let read = hubs.map(|hub| (nodes.life_of(hub.position().epoch), hub.position().offset.0));
        let (read, gone) = (read.max().unwrap_or_default(), (self.log, nodes.server.trimmed().0));
        for revoked in self.pages.iter_mut().flat_map(|page| &mut page.revoked) {
            revoked.is_lost |= revoked.at > read && revoked.at <= gone;
        }
    }

    fn end_node(&mut self, nodes: &mut Nodes, number: usize, pause: u64) {
        let node = &mut nodes.all[number];
        let network = Arc::clone(&node.network);
        let _time = network.enter();
        node.stop = None;
        node.staleness = Staleness::default();
        if let Some(hub) = node.hub.take() {
            self.tally.note(&hub);
        }
        let until = self.now() + pause;
        (node.state, node.joins_at) = (State::Down { until }, None);
        nodes.under_way.retain(|asked| asked.node() != number);
        for connection in self.connections.iter_mut().filter(|it| it.node == number) {
            connection.task = None;
            connection.line().cut();
        }
    }

    /// What goes wrong with nodes, and with their log's server.
    pub(super) fn go_wrong_with_nodes(&mut self) {
        let Some(mut nodes) = self.nodes.take() else { return };
        let what = self.schedule.u32(..12_000);
        let number = self.schedule.usize(..nodes.all.len());
        let amount = self.schedule.u64(1..);
        if what < 34 && self.happens() {
            self.tell(|| format!("node {number}, or the server: {what} ({amount})"));
            self.do_wrong(&mut nodes, what, number, amount);
        }
        self.nodes = Some(nodes);
    }

    fn do_wrong(&mut self, nodes: &mut Nodes, what: u32, number: usize, amount: u64) {
        let (now, pause) = (self.now(), amount % 8_000);
        let is_up = nodes.ready(number).is_some();
        let server = nodes.server.clone();
        match what {
            0..4 if nodes.running(number).is_some() => {
                self.tally.kills += 1;
                server.cut_off(nodes.all[number].line);
                self.end_node(nodes, number, pause);
            }
            4..7 if is_up => {
                self.tally.leavings += 1;
                let hub = nodes.ready(number).cloned().expect("it is up");
                let window = Duration::from_millis(amount % 3_000);
                let leave = async move { hub.shut_down(window).await };
                nodes.all[number].state = State::Leaving(Box::pin(leave));
                nodes.all[number].ill_at = u64::MAX;
            }
            7..12 if is_up => {
                self.tally.partitions += 1;
                server.cut_off(nodes.all[number].line);
                nodes.all[number].joins_at = Some(now + amount % 20_000);
            }
            12..15 => server.break_lines(),
            15..22 => server.copy(),
            22..24 => self.fail_over(Server::fail_over, &server),
            24..26 => self.fail_over(Server::lose_last, &server),
            26 => self.fail_over(Server::forget_all, &server),
            30..34 if is_up => {
                self.tally.stops += 1;
                // Of a machine that sleeps, the clock by which its process waits is stopped, too.
                let is_counted = amount & 1 == 0;
                let until = now + STOPS[usize::try_from(amount >> 8).unwrap_or(0) % STOPS.len()];
                let node = &mut nodes.all[number];
                node.stop = Some(Stop { until, is_counted, owed: Duration::ZERO });
                node.ill_at = u64::MAX;
            }
            27..30 => {
                self.tally.trims += 1;
                server.trim(usize::try_from(amount % 4).unwrap_or(0));
                self.lose_revocations(nodes);
                nodes.all.iter_mut().for_each(|node| node.ill_at = node.ill_at.max(now + 1_000));
            }
            _ => {}
        }
    }

    fn fail_over(&mut self, how: impl FnOnce(&Server), server: &Server) {
        self.tally.failovers += 1;
        how(server);
    }

    /// Nothing goes wrong any more: all run, at the latest when those go on that are stopped, and what was asked for
    /// is answered.
    pub(super) fn calm_nodes(&mut self) -> Result<(), Broken> {
        let Some(nodes) = &mut self.nodes else { return Ok(()) };
        nodes.server.set_trouble(Trouble::default());
        for node in &mut nodes.all {
            node.joins_at = node.joins_at.map(|_| 0);
            if let State::Down { until } = &mut node.state {
                *until = 0;
            }
        }
        let until = self.now() + 60_000 + STOPS[2];
        while self.nodes.as_ref().is_some_and(|nodes| !nodes.is_quiet()) && self.now() < until {
            self.step()?;
        }
        Ok(())
    }
}
