//! What nodes with one log ask each other for whoever inspects one of them: what waits for answers, what waits to be
//! answered, and which nodes there are.
//!
//! Only a request that may inspect causes a question. Both directions have a bound for each second, so an inspector
//! that is open costs the log some kilobytes a second, and one that is closed nothing.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use forebay_log::{Inquiry, InquiryKind, Node};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::stats::Counter;

/// Questions that one node asks in a second. Ten inspectors that look at different broadcasts ask fifteen: three
/// each, every two seconds. Past it the asking node answers alone, and says so.
const ASKS_PER_SECOND: u32 = 20;

/// Answers that one node gives in a second, to all: 2 MB at the most, where each has 64 KB; most have a few. Past it
/// a question stays without an answer.
const ANSWERS_PER_SECOND: u32 = 32;

/// Questions that wait to be answered: those of a second.
const PENDING_MAX: usize = 32;

/// Nodes that are remembered, some 100 bytes each. Past it a new one is not waited for.
const NODES_MAX: usize = 256;

/// How long a node that does not answer is named, and waited for.
const MISSED_MAX: Duration = Duration::from_mins(1);

/// Of a name that another node says of itself.
const NAME_BYTES_MAX: usize = 200;

#[derive(Debug)]
pub(crate) struct Inquiries {
    pub(crate) node: Node,
    pub(crate) name: Arc<str>,
    /// There is something to answer.
    pub(crate) called: Arc<Notify>,
    /// Somebody answers.
    pub(crate) is_attended: AtomicBool,
    /// Others may know of this node.
    is_known: AtomicBool,
    /// This node has come as far as the log was when it began. What was asked before that is not answered.
    has_begun: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    asked: u64,
    waiting: BTreeMap<u64, Waiting>,
    pending: VecDeque<Arc<Inquiry>>,
    nodes: HashMap<Node, Other>,
    asks: Budget,
    answers: Budget,
}

/// A question that waits for answers.
#[derive(Debug)]
struct Waiting {
    answered: Arc<Notify>,
    answers: Vec<(Node, Bytes)>,
}

/// Another node.
#[derive(Debug)]
struct Other {
    name: Arc<str>,
    /// Its last question that was seen here.
    asked: u64,
    /// Since when it does not answer.
    missed_since: Option<Instant>,
}

/// What may be done in one second.
#[derive(Debug, Default)]
struct Budget {
    second: u64,
    spent: u32,
}

/// A question that is under way. It is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Asking<'a> {
    inquiries: &'a Inquiries,
    pub(crate) number: u64,
    pub(crate) answered: Arc<Notify>,
    /// Who is expected to answer.
    pub(crate) expected: Vec<(Node, Arc<str>)>,
}

impl Inquiries {
    pub(crate) fn new(node: Node, name: Arc<str>) -> Self {
        Self {
            node,
            name,
            called: Arc::default(),
            is_attended: AtomicBool::new(false),
            is_known: AtomicBool::new(false),
            has_begun: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// From now on questions are answered.
    pub(crate) fn begin(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
    }

    /// It has said something to others.
    pub(crate) fn note_known(&self) {
        self.is_known.store(true, Ordering::Relaxed);
    }

    /// Whether it has to say that it ends: once, and where others may know of it.
    pub(crate) fn ends(&self) -> bool {
        self.has_begun.store(false, Ordering::Relaxed);
        self.is_known.swap(false, Ordering::Relaxed)
    }

    /// Takes a question or an answer that the log has given its place. `asks` says whether this node asks others.
    pub(crate) fn take(&self, now: u64, inquiry: &Arc<Inquiry>, asks: bool, left_out: &Counter) {
        if inquiry.node == self.node {
            return;
        }
        let mut state = self.state.lock();
        match &inquiry.kind {
            InquiryKind::Answer { to, body } => {
                if *to == self.node {
                    state.take_answer(inquiry, body, left_out);
                }
                if asks {
                    state.hear(inquiry);
                }
            }
            InquiryKind::Question(_) if self.has_begun.load(Ordering::Relaxed) => {
                if !state.take_question(now, inquiry) {
                    left_out.add(1);
                }
                self.called.notify_one();
                state.hear(inquiry);
            }
            InquiryKind::Question(_) => {}
            InquiryKind::Farewell => {
                state.nodes.remove(&inquiry.node);
            }
        }
    }

    /// The next question that is to be answered.
    pub(crate) fn next(&self) -> Option<Arc<Inquiry>> {
        self.state.lock().pending.pop_front()
    }

    /// Begins a question. `None` where too many were asked in this second. `others` are nodes that are known to be
    /// there for another reason.
    pub(crate) fn ask(&self, now: u64, others: impl Iterator<Item = Node>) -> Option<Asking<'_>> {
        let mut state = self.state.lock();
        if !state.asks.spend(now, ASKS_PER_SECOND) {
            return None;
        }
        for node in others.filter(|node| *node != self.node) {
            let name = || node.to_string().into();
            state.know(node, name);
        }
        state.asked += 1;
        let (number, answered) = (state.asked, Arc::<Notify>::default());
        let waiting = Waiting { answered: Arc::clone(&answered), answers: Vec::new() };
        state.waiting.insert(number, waiting);
        let expected = state.nodes.iter().map(|(node, other)| (*node, Arc::clone(&other.name)));
        let mut expected: Vec<_> = expected.collect();
        expected.sort_unstable();
        Some(Asking { inquiries: self, number, answered, expected })
    }

    /// Who may have something to say, where nobody was asked.
    pub(crate) fn known(&self) -> Vec<String> {
        let state = self.state.lock();
        let mut names: Vec<_> = state.nodes.values().map(|other| other.name.to_string()).collect();
        names.sort_unstable();
        names
    }
}

impl Asking<'_> {
    /// Whether all have answered who are expected to. Where nobody is, nobody knows.
    pub(crate) fn is_whole(&self) -> bool {
        let state = self.inquiries.state.lock();
        let Some(waiting) = state.waiting.get(&self.number) else { return true };
        let has = |node: &Node| waiting.answers.iter().any(|(of, _)| of == node);
        !self.expected.is_empty() && self.expected.iter().all(|(node, _)| has(node))
    }

    /// Ends it. Gives what was answered, each with its node.
    pub(crate) fn end(&self) -> Vec<(Node, Bytes)> {
        let mut state = self.inquiries.state.lock();
        let answers = state.waiting.remove(&self.number).map(|waiting| waiting.answers);
        let answers = answers.unwrap_or_default();
        for (node, _) in &self.expected {
            let has_answered = answers.iter().any(|(of, _)| of == node);
            let Some(other) = state.nodes.get_mut(node) else { continue };
            if has_answered {
                other.missed_since = None;
                continue;
            }
            let since = *other.missed_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= MISSED_MAX {
                state.nodes.remove(node);
            }
        }
        answers
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.inquiries.state.lock().waiting.remove(&self.number);
    }
}

impl State {
    fn take_answer(&mut self, inquiry: &Inquiry, body: &Bytes, left_out: &Counter) {
        // One that comes too late is of no use. A second one is no answer.
        let Some(waiting) = self.waiting.get_mut(&inquiry.number) else { return };
        let is_new = waiting.answers.iter().all(|(of, _)| *of != inquiry.node);
        if is_new && waiting.answers.len() < NODES_MAX {
            waiting.answers.push((inquiry.node, body.clone()));
            waiting.answered.notify_one();
        } else {
            left_out.add(1);
        }
    }

    /// False where it stays without an answer.
    fn take_question(&mut self, now: u64, inquiry: &Arc<Inquiry>) -> bool {
        // Whoever begins anew with the log reads questions again.
        if self.nodes.get(&inquiry.node).is_some_and(|other| other.asked >= inquiry.number) {
            return true;
        }
        let has_room = self.pending.len() < PENDING_MAX;
        if has_room && self.answers.spend(now, ANSWERS_PER_SECOND) {
            self.pending.push_back(Arc::clone(inquiry));
            return true;
        }
        false
    }

    fn hear(&mut self, inquiry: &Inquiry) {
        let end = inquiry.name.floor_char_boundary(NAME_BYTES_MAX);
        let name = || Arc::from(&inquiry.name[..end]);
        let Some(other) = self.know(inquiry.node, name) else { return };
        if *other.name != inquiry.name[..end] {
            other.name = name();
        }
        other.missed_since = None;
        if matches!(inquiry.kind, InquiryKind::Question(_)) {
            other.asked = other.asked.max(inquiry.number);
        }
    }

    fn know(&mut self, node: Node, name: impl FnOnce() -> Arc<str>) -> Option<&mut Other> {
        if self.nodes.len() >= NODES_MAX && !self.nodes.contains_key(&node) {
            return None;
        }
        let other = || Other { name: name(), asked: 0, missed_since: None };
        Some(self.nodes.entry(node).or_insert_with(other))
    }
}

impl Budget {
    /// Whether one more may be done in this second.
    fn spend(&mut self, now: u64, max: u32) -> bool {
        if now / 1_000 != self.second {
            *self = Self { second: now / 1_000, spent: 0 };
        }
        self.spent += 1;
        self.spent <= max
    }
}
