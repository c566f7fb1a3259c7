//! Appends what this node publishes. What waits while a group is on its way goes with the next one.
//!
//! A group is sent until it is answered, always with the same number: the server takes it once. Whoever
//! published is answered when this node's own copy has come past it, in the epoch that the group is for. If
//! another epoch has begun before it, the group does not count, and is appended anew.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;

use forebay_log::{Content, Control, Epoch, Offset};
use forebay_store::{AppendError, Batch, StoreError};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::RECORDS_MAX;
use crate::backend::{Backend, Group, Session};
use crate::codec;
use crate::log::{Shared, State};

/// Groups that are taken, and not applied here yet. A node that is so far behind takes no more.
const UNSETTLED_MAX: usize = 64;

type Answer<T, E> = oneshot::Sender<Result<T, E>>;

pub(crate) enum Request {
    Append { batch: Batch, since: Instant, answer: Answer<Offset, AppendError> },
    Close(Answer<(), StoreError>),
}

pub(crate) struct Appender<B: Backend> {
    shared: Arc<Shared<B>>,
    requests: mpsc::Receiver<Request>,
    /// It did not fit into the last group.
    held: Option<Request>,
    node: u64,
    number: u64,
    /// Those that have to be sent again.
    again: VecDeque<Outgoing>,
    unsettled: VecDeque<Taken>,
    closing: Vec<Answer<(), StoreError>>,
}

/// A group, and who waits for it.
struct Outgoing {
    group: Group,
    waiting: Vec<Waiting>,
    deadline: Instant,
}

/// Who waits for a batch.
struct Waiting {
    /// So many offsets of the group come after it.
    after: u32,
    /// It is of no use to a node that has not read it.
    is_order: bool,
    answer: Answer<Offset, AppendError>,
}

/// Whether it asks something of nodes that pages don't mend which load themselves again.
fn is_order(content: &Content) -> bool {
    let Content::Control(control) = content else { return false };
    matches!(control, Control::Revoke(_) | Control::Readmit(_) | Control::Disconnect { .. })
}

/// A group that the server has taken.
struct Taken {
    outgoing: Outgoing,
    epoch: Epoch,
    end: Offset,
}

impl<B: Backend> Appender<B> {
    pub(crate) fn new(shared: Arc<Shared<B>>, requests: mpsc::Receiver<Request>) -> Self {
        let node = (shared.random)();
        Self {
            shared,
            requests,
            held: None,
            node,
            number: 0,
            again: VecDeque::new(),
            unsettled: VecDeque::new(),
            closing: Vec::new(),
        }
    }

    pub(crate) async fn run(mut self) {
        let mut state = self.shared.state.subscribe();
        let mut is_over = false;
        loop {
            self.settle();
            let next = match self.again.pop_front() {
                // In their order: those behind it may not count either.
                Some(next) if self.unsettled.is_empty() => Some(next),
                Some(next) => {
                    self.again.push_front(next);
                    None
                }
                None => self.gather(),
            };
            if let Some(next) = next {
                self.send(next).await;
                continue;
            }
            // What was gathered may have been a wish to close.
            self.settle();
            let due = self.unsettled.front().map(|taken| taken.outgoing.deadline);
            let has_room = self.again.is_empty() && self.unsettled.len() < UNSETTLED_MAX;
            if is_over && due.is_none() && self.again.is_empty() {
                return;
            }
            tokio::select! {
                // In this order, so that a simulation repeats itself.
                biased;
                Ok(()) = state.changed(), if due.is_some() => {}
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                request = self.requests.recv(), if has_room && !is_over => match request {
                    Some(request) => self.held = Some(request),
                    None if due.is_none() => return,
                    // All are gone who could ask, and some who wait.
                    None => is_over = true,
                },
            }
        }
    }

    /// The next group, of what has been asked for by now.
    fn gather(&mut self) -> Option<Outgoing> {
        if self.unsettled.len() >= UNSETTLED_MAX {
            return None;
        }
        let bytes_max = self.shared.backend.body_bytes_max();
        let (mut body, mut offsets, mut name) = (Vec::new(), 0, None);
        let mut waiting: Vec<Waiting> = Vec::new();
        let mut since = None::<Instant>;
        while name.is_none()
            && let Some(request) = self.held.take().or_else(|| self.requests.try_recv().ok())
        {
            let (batch, at, answer) = match request {
                Request::Append { batch, since, answer } => (batch, since, answer),
                Request::Close(answer) => {
                    self.closing.push(answer);
                    continue;
                }
            };
            let length = body.len();
            codec::encode(&mut body, batch.at, &batch.contents);
            let count = u32::try_from(batch.contents.len()).unwrap_or(u32::MAX);
            let is_too_big = count > RECORDS_MAX || body.len() - length > bytes_max;
            let fits = waiting.is_empty()
                || batch.name.is_none()
                    && offsets + count <= RECORDS_MAX
                    && body.len() <= bytes_max;
            if is_too_big {
                body.truncate(length);
                let what = format!(
                    "{}: a batch of {count} records has more than {bytes_max} bytes, or than {RECORDS_MAX} records",
                    self.shared.address
                );
                let _ = answer.send(Err(StoreError::Unfit(what).into()));
            } else if fits {
                offsets += count;
                name = batch.name;
                since = since.or(Some(at));
                let is_order = batch.contents.iter().any(is_order);
                waiting.push(Waiting { after: offsets, is_order, answer });
            } else {
                body.truncate(length);
                self.held = Some(Request::Append { batch, since: at, answer });
                break;
            }
        }
        self.number += 1;
        let group = Group {
            node: self.node,
            number: self.number,
            epoch: Epoch(0),
            name,
            is_mark: false,
            offsets,
            body: body.into(),
        };
        for one in &mut waiting {
            let through = one.after;
            one.after = offsets - through;
        }
        since.map(|since| Outgoing { group, waiting, deadline: since + self.shared.append_max })
    }

    /// Sends a group until the server has taken or refused it, or its time is over.
    async fn send(&mut self, outgoing: Outgoing) {
        let Outgoing { group, waiting, deadline } = outgoing;
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state.subscribe();
        let sent = {
            let mut sending = pin!(deliver(&shared, &group, deadline));
            loop {
                tokio::select! {
                    biased;
                    sent = &mut sending => break sent,
                    Ok(()) = state.changed() => self.settle(),
                }
            }
        };
        let outgoing = Outgoing { group, waiting, deadline };
        match sent {
            Ok((epoch, end)) => {
                self.unsettled.push_back(Taken { outgoing, epoch, end });
            }
            Err(error) => outgoing.fail(&error),
        }
    }

    /// Answers those whose group this node has applied.
    fn settle(&mut self) {
        let state = self.shared.state.borrow();
        while let Some(taken) = self.unsettled.front() {
            let fate = taken.fate(&state);
            if fate == Fate::Open {
                break;
            }
            let Taken { mut outgoing, epoch, end } =
                self.unsettled.pop_front().expect("there is one");
            match fate {
                Fate::Applied => {
                    if state.has_passed_over(epoch, end) {
                        self.shared.fail_orders(&mut outgoing);
                    }
                    outgoing.succeed(end);
                }
                Fate::Passed => {
                    self.number += 1;
                    outgoing.group.number = self.number;
                    self.again.push_back(outgoing);
                }
                Fate::Open | Fate::Late => {
                    let what = format!("{}: this node is behind its log", self.shared.address);
                    outgoing.fail(&AppendError::Unknown(StoreError::Unreachable(what)));
                }
            }
        }
        if self.unsettled.is_empty() && self.again.is_empty() {
            for closing in self.closing.drain(..) {
                let _ = closing.send(Ok(()));
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum Fate {
    Open,
    /// This node has it, or has begun anew behind it.
    Applied,
    /// Another epoch has begun before it: nobody has it.
    Passed,
    /// Its time is over.
    Late,
}

impl Taken {
    fn fate(&self, state: &State) -> Fate {
        let is_reached = state.at >= self.end;
        if state.epoch == self.epoch && is_reached {
            Fate::Applied
        } else if state.left.contains(&self.epoch) && state.epoch != self.epoch {
            if self.end <= state.cut { Fate::Applied } else { Fate::Passed }
        } else if self.outgoing.deadline <= Instant::now() {
            Fate::Late
        } else {
            Fate::Open
        }
    }
}

impl<B: Backend> Shared<B> {
    /// The log has them, and this node has begun anew behind them: it has not done what they ask, and nobody knows
    /// of another one that has. Broadcasts are another matter, because pages load themselves again.
    fn fail_orders(&self, outgoing: &mut Outgoing) {
        let what = format!("{}: this node has not read its log up to here", self.address);
        let error = AppendError::Unknown(StoreError::Unreachable(what));
        for order in outgoing.waiting.extract_if(.., |waiting| waiting.is_order) {
            let _ = order.answer.send(Err(error.clone()));
        }
    }
}

impl Outgoing {
    fn succeed(self, end: Offset) {
        for Waiting { after, answer, .. } in self.waiting {
            // Nobody may wait for it any more.
            let _ = answer.send(Ok(Offset(end.0 - u64::from(after))));
        }
    }

    fn fail(self, error: &AppendError) {
        for Waiting { answer, .. } in self.waiting {
            let _ = answer.send(Err(error.clone()));
        }
    }
}

/// Gives the epoch that it was taken for, and its end.
async fn deliver<B: Backend>(
    shared: &Shared<B>,
    group: &Group,
    deadline: Instant,
) -> Result<(Epoch, Offset), AppendError> {
    let mut attempts = 0;
    let taken = shared.ask_until(deadline, |open| {
        attempts += 1;
        let group = Group { epoch: open.agreed.epoch, ..group.clone() };
        async move { Ok((group.epoch, open.session.append(&group).await?)) }
    });
    taken.await.map_err(|error| match error {
        // Of one that was sent before, and whose answer was lost, a refusal says nothing.
        StoreError::Unfit(_) | StoreError::ServerFull(_) if attempts <= 1 => error.into(),
        error if attempts == 0 => error.into(),
        error => AppendError::Unknown(error),
    })
}
