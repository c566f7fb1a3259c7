//! The log store of one process: a folder, and the one thread that writes it.
//!
//! Publishers wait for that thread, and no thread of the runtime waits for the disk. So a disk that stalls holds
//! up publishers only. What waits when a write ends goes with the next one, so all publishers who wait share
//! one sync.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use forebay_log::{Content, Control, Epoch, Offset, Position, Record};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::changes::{Changes, ChangesGone};
use crate::error::{AppendError, StoreError};
use crate::log_store::{Batch, Handover, Handovers, LogStore, Pending, Replica};
use crate::pages::Pages;
use crate::record::{Fsync, Revoked, Row, Snapshot};
use crate::store::{Hooks, Noted, Store};
use crate::taken::Taken;

/// Requests that wait for the thread. At 5 µs each the last of them waits for 5 ms, or for the disk. Past it,
/// who has a request waits for room.
const REQUESTS_MAX: usize = 1_024;

/// Requests that share one write. Readers wait while their records are applied, at some 300 ns each.
const GROUP_MAX: usize = 256;

type Answer<T, E = StoreError> = oneshot::Sender<Result<T, E>>;

enum Request {
    Append(Append),
    Tidy,
    HandOver(Handover, Answer<()>),
    Close(Answer<()>),
}

/// A log in a folder.
pub struct Folder {
    path: PathBuf,
    requests: mpsc::Sender<Request>,
    head: Arc<Mutex<Position>>,
    hooks: Arc<Hooks>,
    /// What the thread begins with, until there is somebody to follow the log.
    idle: Mutex<Option<(Writer, Snapshot)>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Folder {
    /// Opens the log of this folder, or begins one with the epoch `fresh`. `page_keys` are random: names of
    /// pages are hashed with them, if no earlier life has left others.
    ///
    /// # Errors
    /// [`StoreError`] says what is wrong with the folder. A damaged one is moved aside, into a folder in
    /// it, if `discards_damaged`.
    pub fn open(
        path: &Path,
        fsync: Fsync,
        fresh: Epoch,
        page_keys: [u64; 2],
        discards_damaged: bool,
    ) -> Result<Self, StoreError> {
        let open = if discards_damaged { Store::open_or_discard } else { Store::open };
        let (store, mut snapshot) = open(path.to_owned(), fsync, fresh)?;
        let (pages, known) = Pages::open(path, snapshot.epoch, page_keys)?;
        snapshot.page_keys = Some(pages.keys());
        snapshot.pages = known;
        let mut taken = Taken::default();
        for (end, name) in snapshot.taken.drain(..) {
            taken.insert(name, end);
        }
        let mut changes = Changes::default();
        let mut unused = ChangesGone::default();
        for (at, stream) in &snapshot.presence_changed {
            changes.note(*at, stream, &mut unused);
        }
        let hooks = store.hooks();
        let at = Position { epoch: snapshot.epoch, offset: snapshot.head };
        let head = Arc::new(Mutex::new(at));
        let (sender, requests) = mpsc::channel(REQUESTS_MAX);
        let writer = Writer { store, pages, taken, changes, requests, head: Arc::clone(&head) };
        Ok(Self {
            path: path.to_owned(),
            requests: sender,
            head,
            hooks,
            idle: Mutex::new(Some((writer, snapshot))),
            thread: Mutex::default(),
        })
    }

    fn ask<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        request: impl FnOnce(Answer<T, E>) -> Request,
    ) -> Pending<Result<T, E>> {
        let (answer, answered) = oneshot::channel();
        let (requests, request) = (self.requests.clone(), request(answer));
        Box::pin(async move {
            requests.send(request).await.map_err(|_| StoreError::Ended)?;
            // Whoever waits for the thread's end does not wait for whoever waits for an answer.
            drop(requests);
            // It has ended without a word: a panic, which has been reported.
            answered.await.unwrap_or_else(|_| Err(StoreError::Ended.into()))
        })
    }

    /// The next writes reach the disk, and fail.
    #[doc(hidden)]
    pub fn fail_next_for_tests(&self, writes: u32) {
        self.hooks.fails.store(writes, Ordering::Relaxed);
    }

    /// The disk takes nothing and gives no answer, as long as this is held.
    #[doc(hidden)]
    pub fn stall_for_tests(&self) -> impl Drop + '_ {
        self.hooks.stall.lock()
    }
}

impl LogStore for Folder {
    fn append(&self, batch: Batch) -> Pending<Result<Offset, AppendError>> {
        self.ask(|answer| Request::Append(Append { batch, answer }))
    }

    fn tail(&self, after: Option<Position>, replica: Weak<dyn Replica>) -> Result<(), StoreError> {
        let Some((mut writer, snapshot)) = self.idle.lock().take() else {
            // The only replica of a folder has followed it from the beginning.
            return Err(StoreError::InUse(self.path.clone()));
        };
        let at = Position { epoch: snapshot.epoch, offset: snapshot.head };
        if after != Some(at)
            && let Some(replica) = replica.upgrade()
        {
            replica.restore(snapshot);
            // History may have become shorter.
            writer.store.forget(replica.take_left())?;
        }
        let thread = std::thread::Builder::new().name("forebay-log".to_owned());
        let thread = thread.spawn(move || writer.run(&replica));
        let thread = thread.map_err(|error| StoreError::io(&self.path, &error))?;
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    fn head(&self) -> Pending<Result<Position, StoreError>> {
        let head = *self.head.lock();
        Box::pin(async move { Ok(head) })
    }

    fn tidy(&self) -> bool {
        // Where there is no room, it has something to write, and tidies then.
        let _ = self.requests.try_send(Request::Tidy);
        true
    }

    fn hand_over(&self, handover: Handover) -> Pending<Result<(), StoreError>> {
        self.ask(|answer| Request::HandOver(handover, answer))
    }

    fn handovers(&self) -> Handovers {
        Handovers::Next
    }

    fn close(&self) -> Pending<Result<(), StoreError>> {
        self.ask(Request::Close)
    }
}

/// When this is gone, the folder is free, and what was asked for by then is written.
impl Drop for Folder {
    fn drop(&mut self) {
        // The thread ends when nobody can ask for anything any more.
        self.requests = mpsc::channel(1).0;
        let thread = self.thread.get_mut().take();
        if let Some(thread) = thread.filter(|it| it.thread().id() != std::thread::current().id()) {
            // A panic in it has been reported.
            let _ = thread.join();
        }
    }
}

struct Writer {
    store: Store,
    pages: Pages,
    taken: Taken,
    changes: Changes,
    requests: mpsc::Receiver<Request>,
    head: Arc<Mutex<Position>>,
}

struct Append {
    batch: Batch,
    answer: Answer<Offset, AppendError>,
}

impl Writer {
    fn run(mut self, replica: &Weak<dyn Replica>) {
        while let Some(first) = self.requests.blocking_recv() {
            // Whoever asks may be its last owner; without one nobody waits for an answer.
            let Some(replica) = replica.upgrade() else { continue };
            let mut group = Vec::new();
            let more = std::iter::from_fn(|| self.requests.try_recv().ok());
            let all: Vec<_> = std::iter::once(first).chain(more.take(GROUP_MAX - 1)).collect();
            for request in all {
                match request {
                    Request::Append(append) if append.batch.contents.iter().all(is_gap) => {
                        self.commit(&mut group, &*replica);
                        self.gap(append, &*replica);
                    }
                    Request::Append(append) => group.push(append),
                    Request::Tidy => {
                        self.commit(&mut group, &*replica);
                        self.tidy(&*replica);
                    }
                    Request::HandOver(handover, answer) => {
                        self.commit(&mut group, &*replica);
                        let _ = answer.send(self.hand_over(&handover));
                    }
                    Request::Close(answer) => {
                        self.commit(&mut group, &*replica);
                        let _ = answer.send(self.close(&*replica));
                    }
                }
            }
            self.commit(&mut group, &*replica);
        }
    }

    /// Writes the group at once, and has the replica apply it.
    fn commit(&mut self, group: &mut Vec<Append>, replica: &dyn Replica) {
        if group.is_empty() {
            return;
        }
        let before = self.head.lock().offset;
        let (mut head, mut records, mut answers) = (before, Vec::new(), Vec::new());
        let mut named = HashMap::new();
        for Append { batch: Batch { at, contents, name }, answer } in group.drain(..) {
            let known = name
                .as_deref()
                .and_then(|name| named.get(name).copied().or_else(|| self.taken.end(name)));
            if let Some(end) = known {
                answers.push((end, answer));
                continue;
            }
            records.extend(Record::sequence(head, at, contents));
            head = Offset(before.0 + records.len() as u64);
            named.extend(name.map(|name| (name, head)));
            answers.push((head, answer));
        }
        let written =
            if head > before { self.write(&records, named, before, head, replica) } else { Ok(()) };
        if written.is_ok() && head > before {
            self.head.lock().offset = head;
            replica.apply(&records);
        }
        for (last, answer) in answers {
            let _ = answer.send(written.clone().map(|()| last).map_err(AppendError::Refused));
        }
    }

    fn write(
        &mut self,
        records: &[Record],
        named: HashMap<Arc<str>, Offset>,
        before: Offset,
        through: Offset,
        replica: &dyn Replica,
    ) -> Result<(), StoreError> {
        let rows: Vec<_> = records.iter().filter_map(|record| row(record, replica)).collect();
        let revoked: Vec<_> = records.iter().filter_map(revoked).collect();
        let mut taken: Vec<_> = named.into_iter().map(|(name, end)| (end, name)).collect();
        taken.sort_unstable();
        let gone = self.taken.oldest(taken.len()).collect();
        let sign = |record: &Record| Some((record.offset, Arc::clone(record.presence()?)));
        let signs: Vec<_> = records.iter().filter_map(sign).collect();
        let mut changes_gone = ChangesGone::default();
        for (at, sign) in &signs {
            if let Some(stream) = sign.stream() {
                self.changes.note(*at, stream, &mut changes_gone);
            }
        }
        let noted = Noted { taken, gone, signs, changes_gone };
        self.store.append(rows.into_iter(), &revoked, &noted, before.next(), through)?;
        for (end, name) in noted.taken {
            self.taken.insert(name, end);
        }
        Ok(())
    }

    /// What its pages are told to lack is never refused: a disk that does not take it is a new epoch at the
    /// next start.
    fn gap(
        &mut self,
        Append { batch: Batch { at, contents, .. }, answer }: Append,
        replica: &dyn Replica,
    ) {
        let before = self.head.lock().offset;
        let through = Offset(before.0 + contents.len() as u64);
        let records = Record::sequence(before, at, contents);
        self.head.lock().offset = through;
        self.store.gap(through);
        replica.apply(&records);
        self.tidy(replica);
        let _ = answer.send(Ok(through));
    }

    /// In this order, so that what is forgotten later is also written later.
    fn tidy(&mut self, replica: &dyn Replica) {
        if let Err(error) = self.store.forget(replica.take_left()) {
            tracing::error!(%error, "the log on disk could not be shortened");
        }
    }

    fn hand_over(&mut self, handover: &Handover) -> Result<(), StoreError> {
        let pages = self.pages.write(&handover.pages, handover.at);
        let sessions = match &*handover.sessions {
            [] => Ok(()),
            sessions => self.store.keep_sessions(sessions),
        };
        pages.and(sessions)
    }

    fn close(&mut self, replica: &dyn Replica) -> Result<(), StoreError> {
        self.tidy(replica);
        self.store.close().and(self.pages.close())
    }
}

fn is_gap(content: &Content) -> bool {
    matches!(content, Content::Control(Control::Gap(_)))
}

fn row<'a>(record: &'a Record, replica: &dyn Replica) -> Option<Row<'a>> {
    let Content::Entry { stream, message, class } = &record.content else { return None };
    let forgotten = replica.forgotten(stream);
    Some(Row { offset: record.offset, at: record.at, stream, message, class, forgotten })
}

fn revoked(record: &Record) -> Option<Revoked> {
    let (revocation, is_readmitted) = match &record.content {
        Content::Control(Control::Revoke(revocation)) => (revocation.clone(), false),
        Content::Control(Control::Readmit(revocation)) => (revocation.clone(), true),
        _ => return None,
    };
    Some(Revoked { at: record.offset, made_at: record.at, revocation, is_readmitted })
}
