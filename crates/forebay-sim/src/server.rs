//! A server that keeps a log for several nodes, and the network to it, both simulated: requests and answers take
//! their time, come late, twice or never, lines break, nodes are cut off, and another server takes over that lacks
//! the end. Time is tokio's, which tests pause.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use forebay_log::{Epoch, Offset};
use forebay_shared::{
    Backend, Bounds, Cell, EPOCH, Expected, Failure, Group, Session, Space, Stored,
};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

/// Groups in one answer.
const GROUPS_MAX: usize = 8;

/// How long a reader waits for something new, and how often it looks.
const READ_MAX: Duration = Duration::from_secs(1);
const READ_PAUSE: Duration = Duration::from_millis(5);

/// What a request over a line that is cut off waits for in vain.
const SILENCE: Duration = Duration::from_millis(400);

/// Numbers of nodes and names that are remembered.
type Answered = HashMap<u64, (u64, Offset)>;

/// How often of a thousand times something happens to a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trouble {
    /// It is lost on its way.
    pub request_lost: u16,
    /// Its answer is.
    pub answer_lost: u16,
    /// It comes a second time, later.
    pub doubled: u16,
    /// The line breaks.
    pub cut: u16,
    /// It or its answer takes up to half a second.
    pub delayed: u16,
}

/// How a server is made that does not keep the rules, to see that it is found out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Flaw {
    /// It keeps them.
    #[default]
    None,
    /// What is asked for again is taken again.
    TakesTwice,
    /// It never says that it has another history.
    HidesItsHistory,
    /// Whoever reads behind what is kept goes on with what is kept, and is not told.
    HidesItsTrimming,
}

/// What a server has come to, for whoever knows better than all nodes.
#[derive(Clone, Debug)]
pub enum News {
    /// A group was taken.
    Group(Stored),
    /// From now on this epoch counts, of which all is behind this offset.
    Epoch(Epoch, Offset),
}

/// The server. Clones are the same; [`line`](Self::line) makes a node's access to it.
#[derive(Clone)]
pub struct Server(Arc<Mutex<Inner>>);

struct Inner {
    rng: Rng,
    trouble: Trouble,
    flaw: Flaw,
    /// Where a copy stands that takes over.
    copy: Box<State>,
    state: State,
    /// Changes when all lines break.
    life: u64,
    cut_off: HashSet<usize>,
    /// Nodes that read nothing.
    deaf: HashSet<usize>,
    nodes: usize,
    next_lost: Option<Lost>,
    is_full: bool,
    /// Copies of groups that are still on their way.
    late: Vec<Group>,
    news: Option<Vec<News>>,
}

#[derive(Clone, Default)]
struct State {
    history: u64,
    trimmed: Offset,
    head: Offset,
    groups: Vec<Stored>,
    answered: Answered,
    names: HashMap<Arc<str>, Offset>,
    cells: BTreeMap<(u8, String), Cell>,
    version: u64,
}

/// What is to be lost next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lost {
    /// The next request to append.
    Request,
    /// The next answer to one.
    Answer,
}

impl Server {
    /// An empty one.
    pub fn new(seed: u64, trouble: Trouble, flaw: Flaw) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            rng: Rng::with_seed(seed),
            trouble,
            flaw,
            copy: Box::default(),
            state: State::default(),
            life: 0,
            cut_off: HashSet::new(),
            deaf: HashSet::new(),
            nodes: 0,
            next_lost: None,
            is_full: false,
            late: Vec::new(),
            news: None,
        })))
    }

    /// Another node's access.
    pub fn line(&self) -> Line {
        let mut inner = self.0.lock();
        inner.nodes += 1;
        Line { server: self.clone(), node: inner.nodes - 1 }
    }

    /// What it has come to since it was asked last, and from the first time on.
    pub fn news(&self) -> Vec<News> {
        self.0.lock().news.replace(Vec::new()).unwrap_or_default()
    }

    /// From now on this happens to requests.
    pub fn set_trouble(&self, trouble: Trouble) {
        self.0.lock().trouble = trouble;
    }

    /// Random numbers of this world.
    pub fn random(&self) -> impl Fn() -> u64 + Send + Sync + use<> {
        let server = self.clone();
        move || server.0.lock().rng.u64(1..)
    }

    /// Whether it has no room for anything more.
    pub fn fill(&self, is_full: bool) {
        self.0.lock().is_full = is_full;
    }

    /// All lines break.
    pub fn break_lines(&self) {
        self.0.lock().break_lines();
    }

    /// Nothing comes through between a node and the server, until it is [joined](Self::join) again.
    pub fn cut_off(&self, node: usize) {
        self.0.lock().cut_off.insert(node);
    }

    /// The node has its line back.
    pub fn join(&self, node: usize) {
        self.0.lock().cut_off.remove(&node);
    }

    /// What a node asks for is answered, but it reads nothing new: it is behind, as one that reads over a slow
    /// line.
    pub fn deafen(&self, node: usize, is_deaf: bool) {
        let deaf = &mut self.0.lock().deaf;
        let _ = if is_deaf { deaf.insert(node) } else { deaf.remove(&node) };
    }

    /// What is lost next.
    pub fn lose_next(&self, lost: Lost) {
        self.0.lock().next_lost = Some(lost);
    }

    /// Another server takes over that lacks the last group.
    pub fn lose_last(&self) {
        let inner = &mut *self.0.lock();
        let state = &mut inner.state;
        if let Some(lost) = state.groups.pop() {
            state.head = Offset(lost.end.0 - u64::from(lost.offsets));
            state.answered.retain(|_, (_, end)| *end <= state.head);
            state.names.retain(|_, end| *end <= state.head);
        }
        state.history = inner.rng.u64(1..);
        inner.break_lines();
    }

    /// Another server takes over that has nothing.
    pub fn forget_all(&self) {
        let inner = &mut *self.0.lock();
        inner.state = State { history: inner.rng.u64(1..), ..State::default() };
        inner.break_lines();
    }

    /// A copy is made of what there is.
    pub fn copy(&self) {
        let inner = &mut *self.0.lock();
        *inner.copy = inner.state.clone();
    }

    /// The copy takes over: what was taken since is gone.
    pub fn fail_over(&self) {
        let inner = &mut *self.0.lock();
        inner.state = (*inner.copy).clone();
        inner.state.history = inner.rng.u64(1..);
        inner.break_lines();
    }

    /// Keeps no more of the past than so many groups.
    pub fn trim(&self, groups: usize) {
        let state = &mut self.0.lock().state;
        let gone = state.groups.len().saturating_sub(groups);
        if let Some(last) = state.groups.drain(..gone).last() {
            state.trimmed = last.end;
        }
    }

    /// The last record's offset that is gone.
    pub fn trimmed(&self) -> Offset {
        self.0.lock().state.trimmed
    }

    /// The last record's offset.
    pub fn head(&self) -> Offset {
        self.0.lock().state.head
    }
}

/// One node's access to the server.
#[derive(Clone)]
pub struct Line {
    server: Server,
    node: usize,
}

impl Line {
    /// The number by which the server knows the node.
    pub fn number(&self) -> usize {
        self.node
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("node", &self.node).finish_non_exhaustive()
    }
}

/// One connection.
pub struct Connection {
    line: Line,
    life: u64,
}

impl Backend for Line {
    type Session = Connection;

    fn address(&self) -> String {
        format!("simulated, node {}", self.node)
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let life = self.server.0.lock().life;
        let connection = Connection { line: self.clone(), life };
        connection.go(false, |_| ()).await?;
        Ok(connection)
    }
}

impl Connection {
    fn lost<T>(what: &str) -> Result<T, Failure> {
        Err(Failure::Lost(what.to_owned()))
    }

    /// Carries a request there, and the answer back.
    async fn go<T>(
        &self,
        is_append: bool,
        mut act: impl FnMut(&mut Inner) -> T,
    ) -> Result<T, Failure> {
        let (there, back, fate) = {
            let inner = &mut *self.line.server.0.lock();
            let fate = inner.rng.u16(..1_000);
            let delayed = inner.trouble.delayed;
            let mut time = || {
                let is_late = delayed > 0 && inner.rng.u16(..1_000) < delayed;
                Duration::from_micros(inner.rng.u64(if is_late { 50..500_000 } else { 50..2_000 }))
            };
            (time(), time(), fate)
        };
        sleep(there).await;
        let (lost, doubled) = {
            let inner = &mut *self.line.server.0.lock();
            if inner.life != self.life {
                return Self::lost("the line is broken");
            }
            let Trouble { request_lost, answer_lost, doubled, cut, .. } = inner.trouble;
            let next = inner.next_lost.take_if(|_| is_append);
            let lost = match fate {
                _ if inner.cut_off.contains(&self.line.node) || next == Some(Lost::Request) => {
                    Some(Lost::Request)
                }
                _ if next == Some(Lost::Answer) => Some(Lost::Answer),
                _ if fate < request_lost => Some(Lost::Request),
                _ if fate < request_lost + answer_lost => Some(Lost::Answer),
                _ => None,
            };
            if (fate % 100) * 10 < cut {
                inner.break_lines();
            }
            inner.deliver_late();
            (lost, inner.rng.u16(..1_000) < doubled)
        };
        if lost == Some(Lost::Request) {
            sleep(SILENCE).await;
            return Self::lost("the request was lost");
        }
        let mut answer = act(&mut self.line.server.0.lock());
        if doubled {
            answer = act(&mut self.line.server.0.lock());
        }
        sleep(back).await;
        if lost == Some(Lost::Answer) || self.line.server.0.lock().life != self.life {
            return Self::lost("the answer was lost");
        }
        Ok(answer)
    }
}

impl Session for Connection {
    async fn history(&self) -> Result<String, Failure> {
        let history = |inner: &mut Inner| match inner.flaw {
            Flaw::HidesItsHistory => 0,
            _ => inner.state.history,
        };
        Ok(self.go(false, history).await?.to_string())
    }

    async fn bounds(&self) -> Result<Bounds, Failure> {
        let bounds = |inner: &mut Inner| {
            let is_told = inner.flaw != Flaw::HidesItsTrimming;
            let trimmed = if is_told { inner.state.trimmed } else { Offset::ZERO };
            Bounds { trimmed, head: inner.state.head }
        };
        self.go(false, bounds).await
    }

    async fn append(&self, group: &Group) -> Result<Offset, Failure> {
        let append = |inner: &mut Inner| {
            if inner.is_full {
                return Err(Failure::Full("it is full".to_owned()));
            }
            if inner.trouble.doubled > 0 && inner.rng.u16(..1_000) < inner.trouble.doubled {
                inner.late.push(group.clone());
            }
            inner.append(group)
        };
        self.go(true, append).await?
    }

    async fn read(&self, after: Offset) -> Result<Vec<Stored>, Failure> {
        let began = Instant::now();
        loop {
            let node = self.line.node;
            let read = |inner: &mut Inner| {
                if inner.deaf.contains(&node) { Ok(Vec::new()) } else { inner.read(after) }
            };
            let groups = self.go(false, read).await??;
            if !groups.is_empty() || began.elapsed() >= READ_MAX {
                return Ok(groups);
            }
            sleep(READ_PAUSE).await;
        }
    }

    async fn get(&self, space: Space, key: &str) -> Result<Option<Cell>, Failure> {
        let key = (space as u8, key.to_owned());
        self.go(false, |inner| inner.state.cells.get(&key).cloned()).await
    }

    async fn set(
        &self,
        space: Space,
        key: &str,
        value: Option<Vec<u8>>,
        expected: Expected,
    ) -> Result<bool, Failure> {
        let key = (space as u8, key.to_owned());
        self.go(false, |inner| inner.set(key.clone(), value.clone(), expected)).await
    }

    async fn list(&self, space: Space) -> Result<Vec<(String, Cell)>, Failure> {
        let list = |inner: &mut Inner| {
            let cells = inner.state.cells.iter().filter(|((of, _), _)| *of == space as u8);
            cells.map(|((_, key), cell)| (key.clone(), cell.clone())).collect()
        };
        self.go(false, list).await
    }
}

impl Inner {
    fn break_lines(&mut self) {
        self.life += 1;
        // What was on its way is gone with its line.
        self.late.clear();
    }

    /// Copies come at any time.
    fn deliver_late(&mut self) {
        if !self.late.is_empty() && self.rng.u8(..8) == 0 {
            let late = self.late.swap_remove(self.rng.usize(..self.late.len()));
            let _ = self.append(&late);
        }
    }

    fn tell(&mut self, news: News) {
        if let Some(told) = &mut self.news {
            told.push(news);
        }
    }

    fn append(&mut self, group: &Group) -> Result<Offset, Failure> {
        let is_exact = self.flaw != Flaw::TakesTwice;
        let state = &mut self.state;
        if let Some((last, end)) = state.answered.get(&group.node)
            && is_exact
            && *last >= group.number
        {
            return Ok(*end);
        }
        let named = group.name.as_ref().filter(|_| is_exact);
        if let Some(end) = named.and_then(|name| state.names.get(name)) {
            return Ok(*end);
        }
        let counts = state.cells.get(&(Space::Lasting as u8, EPOCH.to_owned()));
        let begins = format!("{{\"epoch\":\"{}\"", group.epoch.0);
        if !group.is_mark && counts.is_some_and(|cell| !cell.value.starts_with(begins.as_bytes())) {
            return Err(Failure::OtherEpoch);
        }
        state.head = Offset(state.head.0 + u64::from(group.offsets));
        let Group { node, number, epoch, offsets, .. } = *group;
        let (end, body) = (state.head, group.body.clone());
        let stored = Stored { end, node, number, epoch, offsets, body };
        state.groups.push(stored.clone());
        state.answered.insert(node, (number, end));
        if let Some(name) = &group.name {
            state.names.insert(Arc::clone(name), end);
        }
        self.tell(News::Group(stored));
        Ok(end)
    }

    fn read(&mut self, after: Offset) -> Result<Vec<Stored>, Failure> {
        let state = &self.state;
        if after < state.trimmed && self.flaw != Flaw::HidesItsTrimming {
            return Err(Failure::Trimmed);
        }
        let start = state.groups.partition_point(|group| group.end <= after);
        Ok(state.groups[start..].iter().take(GROUPS_MAX).cloned().collect())
    }

    /// The epoch that counts, and behind which offset.
    fn epoch(&self) -> Option<(Epoch, Offset)> {
        let cell = self.state.cells.get(&(Space::Lasting as u8, EPOCH.to_owned()))?;
        let written: serde_json::Value = serde_json::from_slice(&cell.value).ok()?;
        let epoch = written["epoch"].as_str()?.parse().ok()?;
        Some((Epoch(epoch), Offset(written["cut"].as_u64()?)))
    }

    fn set(&mut self, key: (u8, String), value: Option<Vec<u8>>, expected: Expected) -> bool {
        let state = &mut self.state;
        let version = state.cells.get(&key).map(|cell| cell.version);
        let is_expected = match expected {
            Expected::Any => true,
            Expected::Nothing => version.is_none(),
            Expected::Version(expected) => version == Some(expected),
        };
        let is_epoch = is_expected && key.1 == EPOCH;
        if is_expected {
            state.version += 1;
            match value {
                Some(value) => {
                    state.cells.insert(key, Cell { value, version: state.version });
                }
                None => drop(state.cells.remove(&key)),
            }
        }
        if is_epoch && let Some((epoch, cut)) = self.epoch() {
            // Groups of the old epoch that came between the new one's mark and this do not count. They are not
            // known as taken any more, or whoever sends them again would lose them.
            self.state.answered.retain(|_, (_, end)| *end <= cut);
            self.state.names.retain(|_, end| *end <= cut);
            self.tell(News::Epoch(epoch, cut));
        }
        is_expected
    }
}
