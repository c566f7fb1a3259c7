//! A log store behind a simulated network: requests, answers and what replicas are sent take their time, come
//! late or get lost. It is the smallest store that several nodes can have, and shows what a real one needs:
//! batches that are numbered, asked for again until they are answered, and a position to read on from.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::task::{Poll, Waker};

use fastrand::Rng;
use forebay_log::{Epoch, Offset, Position};
use forebay_store::{AppendError, Batch, LogStore, Pending, Replica, StoreError};
use forebay_store_tests::Memory;
use parking_lot::Mutex;

/// Records that one message to a replica has.
const RECORDS_MAX: usize = 3;

/// How often of a hundred times a message is late, or lost.
const LATE: u8 = 30;
const LOST: u8 = 10;

/// The log, its nodes, and the network between them. Clones are handles to the same.
#[derive(Clone)]
pub struct Network(Arc<Mutex<Inner>>);

struct Inner {
    log: Memory,
    nodes: Vec<Node>,
    rng: Rng,
}

/// What one node has under way.
#[derive(Default)]
struct Node {
    replica: Option<Weak<dyn Replica>>,
    /// Up to where its replica has been sent.
    at: Option<Position>,
    /// The number of the first that is not answered.
    number: u64,
    requests: VecDeque<Request>,
}

struct Request {
    batch: Batch,
    answer: Arc<Mutex<Answer>>,
}

#[derive(Default)]
struct Answer {
    offset: Option<Offset>,
    waker: Option<Waker>,
}

/// One node's access to the log.
pub struct Line {
    network: Network,
    node: usize,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Network {
    /// A network to a log that keeps so many records.
    pub fn new(seed: u64, epoch: Epoch, records_max: usize) -> Self {
        let (log, rng) = (Memory::new(epoch, records_max), Rng::with_seed(seed));
        Self(Arc::new(Mutex::new(Inner { log, nodes: Vec::new(), rng })))
    }

    /// Another node's line.
    pub fn line(&self) -> Line {
        let mut inner = self.0.lock();
        inner.nodes.push(Node::default());
        Line { network: self.clone(), node: inner.nodes.len() - 1 }
    }

    /// The log itself, which has no network.
    pub fn log(&self) -> Memory {
        self.0.lock().log.clone()
    }

    /// Whatever is under way moves on, or not.
    pub fn step(&self) {
        let count = self.0.lock().nodes.len();
        for node in 0..count {
            self.carry(node);
            self.send(node);
        }
    }

    /// Carries a node's first request to the log, and the answer back.
    fn carry(&self, node: usize) {
        let mut inner = self.0.lock();
        let Inner { log, nodes, rng } = &mut *inner;
        let Node { number, requests, .. } = &mut nodes[node];
        let Some(request) = requests.front() else { return };
        if rng.u8(..100) < LATE {
            return;
        }
        let log = log.clone();
        // Numbered, so that it is taken once, however often it is asked for.
        let offset = log.append_once((node as u64, *number), request.batch.clone());
        if rng.u8(..100) < LOST {
            return;
        }
        *number += 1;
        let request = requests.pop_front().expect("it is the first");
        drop(inner);
        let mut answer = request.answer.lock();
        answer.offset = Some(offset);
        if let Some(waker) = answer.waker.take() {
            waker.wake();
        }
    }

    /// Sends a replica what comes next.
    fn send(&self, node: usize) {
        let mut inner = self.0.lock();
        let Inner { log, nodes, rng } = &mut *inner;
        let Node { replica, at, .. } = &mut nodes[node];
        let Some(replica) = replica.as_ref().and_then(Weak::upgrade) else { return };
        if rng.u8(..100) < LATE {
            return;
        }
        let records = log.read(*at, RECORDS_MAX);
        let snapshot = records.is_none().then(|| log.snapshot());
        let next = match (&records, &snapshot) {
            (Some(records), _) => {
                at.zip(records.last()).map(|(at, last)| Position { offset: last.offset, ..at })
            }
            (None, Some(snapshot)) => {
                Some(Position { epoch: snapshot.epoch, offset: snapshot.head })
            }
            (None, None) => None,
        };
        // Sent and not noted is sent again.
        let is_noted = rng.u8(..100) >= LOST;
        if is_noted && let Some(next) = next {
            *at = Some(next);
        }
        drop(inner);
        if let Some(records) = records {
            replica.apply(&records);
        } else if let Some(snapshot) = snapshot.filter(|_| is_noted) {
            replica.restore(snapshot);
        }
    }
}

impl LogStore for Line {
    fn append(&self, batch: Batch) -> Pending<Result<Offset, AppendError>> {
        let (network, node) = (self.network.clone(), self.node);
        let answer = Arc::new(Mutex::new(Answer::default()));
        let mut batch = Some(batch);
        Box::pin(std::future::poll_fn(move |cx| {
            if let Some(batch) = batch.take() {
                let request = Request { batch, answer: Arc::clone(&answer) };
                network.0.lock().nodes[node].requests.push_back(request);
            }
            let mut answer = answer.lock();
            answer.waker = Some(cx.waker().clone());
            answer.offset.map_or(Poll::Pending, |offset| Poll::Ready(Ok(offset)))
        }))
    }

    fn tail(&self, after: Option<Position>, replica: Weak<dyn Replica>) -> Result<(), StoreError> {
        let node = &mut self.network.0.lock().nodes[self.node];
        (node.replica, node.at) = (Some(replica), after);
        Ok(())
    }

    fn head(&self) -> Pending<Result<Position, StoreError>> {
        let at = self.network.log().position();
        Box::pin(async move { Ok(at) })
    }

    fn close(&self) -> Pending<Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}
