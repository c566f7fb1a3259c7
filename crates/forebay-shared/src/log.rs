//! The log store of a node: what it asks its server for, and where its own copy stands.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use forebay_log::{Epoch, Offset, Position};
use forebay_store::{
    AppendError, Arrival, Batch, Handover, Handovers, LogStore, Pending, Replica, StoreError,
};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::append::{Appender, Request};
use crate::backend::{Backend, Expected, Failure, Session, Space};
use crate::cells::{self, Pages};
use crate::line::{Line, Open, PAUSE, Random};
use crate::tail::{Left, Tail};

/// Batches that wait to be sent. At 5 µs each the last of them waits for 5 ms, or for the server. Past it, who
/// has a batch waits for room.
const REQUESTS_MAX: usize = 1_024;

/// The cell with the keys that names of pages are hashed with.
const PAGE_KEYS: &str = "page_keys";

/// How a node behaves towards its server.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// How long a publisher waits until its batch is taken and applied here. Default 5 s: longer than a
    /// server needs to begin again, and shorter than a visitor waits.
    pub append_max: Duration,
    /// How long a node that begins waits for a server that can't be reached. Default 60 s: both may begin at
    /// the same time.
    pub connect_max: Duration,
    /// Random numbers. Default: the operating system's.
    pub random: Random,
}

impl Default for Options {
    fn default() -> Self {
        let random = || getrandom::u64().expect("the operating system gives random numbers");
        Self {
            append_max: Duration::from_secs(5),
            connect_max: Duration::from_mins(1),
            random: Arc::new(random),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { append_max, connect_max, random: _ } = self;
        f.debug_struct("Options")
            .field("append_max", append_max)
            .field("connect_max", connect_max)
            .finish_non_exhaustive()
    }
}

/// A log that a server keeps for several nodes, as one of them has it.
pub struct SharedLog<B: Backend> {
    shared: Arc<Shared<B>>,
    requests: mpsc::Sender<Request>,
    runtime: Handle,
    tail: Mutex<Option<AbortHandle>>,
}

pub(crate) struct Shared<B: Backend> {
    pub(crate) backend: Arc<B>,
    pub(crate) address: String,
    pub(crate) random: Random,
    pub(crate) line: Line<B>,
    pub(crate) append_max: Duration,
    /// Where this node's replica stands.
    pub(crate) state: watch::Sender<State>,
    /// This node has all that the server had then.
    has_all_of: Mutex<Instant>,
    /// Something may have left the replica's memory.
    tidies: AtomicBool,
    /// Pages that sessions of this node have.
    pub(crate) pages: Mutex<Pages>,
}

/// Where a replica stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) epoch: Epoch,
    /// The epoch's records are behind it.
    pub(crate) cut: Offset,
    pub(crate) at: Offset,
    /// Epochs in which it was before.
    pub(crate) left: Left,
    /// What it has passed over: of which epoch, behind which offset, and up to which.
    pub(crate) unread: VecDeque<(Epoch, Offset, Offset)>,
}

impl<B: Backend> fmt::Debug for SharedLog<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLog").field("backend", &self.shared.backend).finish_non_exhaustive()
    }
}

impl<B: Backend> SharedLog<B> {
    /// Connects, and agrees with the other nodes on the epoch. It works in the runtime that it is made in.
    ///
    /// # Errors
    /// [`StoreError`] where the server can't be used, or can't be reached for
    /// [`connect_max`](Options::connect_max). Until then it is tried again, and the log says so.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn open(backend: B, options: Options) -> Result<Self, StoreError> {
        let Options { append_max, connect_max, random } = options;
        let address = backend.address();
        let backend = Arc::new(backend);
        let line = Line::new(Arc::clone(&backend), Arc::clone(&random));
        let shared = Arc::new(Shared {
            backend,
            address,
            random,
            line,
            append_max,
            state: watch::Sender::default(),
            has_all_of: Mutex::new(Instant::now()),
            tidies: AtomicBool::new(false),
            pages: Mutex::default(),
        });
        shared.connect(connect_max).await?;
        let (requests, receiver) = mpsc::channel(REQUESTS_MAX);
        let runtime = Handle::current();
        // It ends when nobody can ask for anything any more, and all are answered.
        runtime.spawn(Appender::new(Arc::clone(&shared), receiver).run());
        runtime.spawn(cells::keep_alive(Arc::downgrade(&shared)));
        Ok(Self { shared, requests, runtime, tail: Mutex::default() })
    }

    fn ask<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, E>>) -> Request,
    ) -> Pending<Result<T, E>> {
        let (answer, answered) = oneshot::channel();
        let (requests, request) = (self.requests.clone(), request(answer));
        Box::pin(async move {
            requests.send(request).await.map_err(|_| StoreError::Ended)?;
            // Whoever waits for the end does not wait for whoever waits for an answer.
            drop(requests);
            answered.await.unwrap_or_else(|_| Err(StoreError::Ended.into()))
        })
    }
}

impl<B: Backend> Drop for SharedLog<B> {
    fn drop(&mut self) {
        if let Some(tail) = self.tail.get_mut().take() {
            tail.abort();
        }
    }
}

impl<B: Backend> Shared<B> {
    async fn connect(&self, at_most: Duration) -> Result<(), StoreError> {
        let began = Instant::now();
        let mut told = None::<Instant>;
        let mut why = "it does not answer".to_owned();
        loop {
            let left = at_most.saturating_sub(began.elapsed());
            match timeout(left, self.line.open()).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(failure)) if failure.is_lasting() => return Err(self.error(&failure)),
                Ok(Err(failure)) => why = failure.to_string(),
                // The last attempt ends when it is time: what was wrong before it says more.
                Err(_) => {}
            }
            if began.elapsed() >= at_most {
                return Err(self.error(&Failure::Lost(why)));
            }
            if told.is_none_or(|told| told.elapsed() >= Duration::from_secs(5)) {
                told = Some(Instant::now());
                tracing::warn!(server = self.address, why, "the log's server can't be reached yet");
            }
            sleep(PAUSE).await;
        }
    }

    /// Asks until there is an answer, for as long as a publisher would wait.
    async fn ask<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        ask: impl FnMut(Open<B::Session>) -> F,
    ) -> Result<T, StoreError> {
        self.ask_until(Instant::now() + self.append_max, ask).await
    }

    pub(crate) async fn ask_until<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        deadline: Instant,
        mut ask: impl FnMut(Open<B::Session>) -> F,
    ) -> Result<T, StoreError> {
        let mut why = Failure::Lost("it does not answer".to_owned());
        loop {
            match timeout_at(deadline, self.line.ask(&mut ask)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(failure)) if failure.is_lasting() => return Err(self.error(&failure)),
                Ok(Err(failure)) => why = failure,
                Err(_) => return Err(self.error(&why)),
            }
            sleep(PAUSE).await;
        }
    }

    /// This node has come as far as the server was.
    pub(crate) fn is_as_far_as_at(&self, then: Instant) {
        *self.has_all_of.lock() = then;
    }

    pub(crate) fn take_tidy(&self) -> bool {
        self.tidies.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn error(&self, failure: &Failure) -> StoreError {
        let what = format!("{}: {failure}", self.address);
        match failure {
            Failure::Refused(_) => StoreError::Unfit(what),
            Failure::Full(_) => StoreError::ServerFull(what),
            _ => StoreError::Unreachable(what),
        }
    }

    /// What all nodes hash names of pages with.
    pub(crate) async fn page_keys(&self, session: &B::Session) -> Result<[u64; 2], Failure> {
        loop {
            if let Some(cell) = session.get(Space::Lasting, PAGE_KEYS).await? {
                let keys = serde_json::from_slice(&cell.value);
                return keys.map_err(|_| Failure::Refused("its keys can't be read".to_owned()));
            }
            let keys = serde_json::to_vec(&[(self.random)(), (self.random)()]);
            let keys = keys.expect("numbers encode");
            session.set(Space::Lasting, PAGE_KEYS, Some(keys), Expected::Nothing).await?;
        }
    }
}

impl<B: Backend> LogStore for SharedLog<B> {
    fn append(&self, batch: Batch) -> Pending<Result<Offset, AppendError>> {
        let since = Instant::now();
        self.ask(move |answer| Request::Append { batch, since, answer })
    }

    fn tail(&self, after: Option<Position>, replica: Weak<dyn Replica>) -> Result<(), StoreError> {
        let tail = Tail::new(Arc::clone(&self.shared), after, replica);
        let tail = self.runtime.spawn(tail.run()).abort_handle();
        if let Some(before) = self.tail.lock().replace(tail) {
            before.abort();
        }
        Ok(())
    }

    fn head(&self) -> Pending<Result<Position, StoreError>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            shared
                .ask(|open| async move {
                    let head = open.session.bounds().await?.head;
                    Ok(Position { epoch: open.agreed.epoch, offset: head })
                })
                .await
        })
    }

    fn tidy(&self) -> bool {
        self.shared.tidies.store(true, Ordering::Relaxed);
        true
    }

    fn silence(&self) -> Duration {
        self.shared.has_all_of.lock().elapsed()
    }

    fn handovers(&self) -> Handovers {
        Handovers::Shared
    }

    fn hand_over(&self, handover: Handover) -> Pending<Result<(), StoreError>> {
        let (shared, handover) = (Arc::clone(&self.shared), Arc::new(handover));
        let pages: Vec<_> = handover.left.iter().map(|left| (left.page, left.session)).collect();
        self.shared.pages.lock().remove(&pages);
        Box::pin(async move {
            let ask = |open: Open<_>| {
                let handover = Arc::clone(&handover);
                async move { cells::hand_over(&*open.session, &handover).await }
            };
            shared.ask(ask).await
        })
    }

    fn enter_page(&self, page: u64, session: u64) -> Pending<Result<Arrival, StoreError>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            shared.pages.lock().insert(page, session);
            let ask =
                |open: Open<_>| async move { cells::enter(&*open.session, page, session).await };
            shared.ask(ask).await
        })
    }

    fn take_session(&self, name: &str) -> Pending<Result<Option<Vec<u8>>, StoreError>> {
        let (shared, name) = (Arc::clone(&self.shared), Arc::<str>::from(name));
        Box::pin(async move {
            let ask = |open: Open<_>| {
                let name = Arc::clone(&name);
                async move { cells::take_session(&*open.session, &name).await }
            };
            shared.ask(ask).await
        })
    }

    fn close(&self) -> Pending<Result<(), StoreError>> {
        self.ask(Request::Close)
    }
}
