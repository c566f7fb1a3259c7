//! The database of a log: whose it is, and the thread that syncs it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::error::StoreError;
use crate::record::Fsync;

/// The layout of what is on disk. Another one is refused, and left alone.
pub(crate) const FORMAT: &[u8] = b"forebay log 2";

/// Its entries don't say what their streams lacked before them. It is read, and becomes the newer one,
/// which whoever knows only this one must refuse: it would remove what streams with entries have
/// forgotten where the floor covers that.
const FORMAT_WITHOUT_FORGOTTEN: &[u8] = b"forebay log 1";

/// In `about`: up to where revocations are no longer remembered.
pub(crate) const REVOKED_FLOOR: &str = "revoked_floor";
pub(crate) const REVOKED_FLOOR_WITH_CURSOR: &str = "revoked_floor_with_cursor";

/// In `about`: up to where it is not remembered which streams' members changed last.
pub(crate) const PRESENCE_FLOOR: &str = "presence_floor";

const KEYSPACES: [&str; 7] =
    ["entries", "forgotten", "revoked", "about", "sessions", "taken", "holds"];

pub(crate) struct Open {
    pub(crate) database: Database,
    pub(crate) entries: Keyspace,
    pub(crate) forgotten: Keyspace,
    pub(crate) revoked: Keyspace,
    pub(crate) about: Keyspace,
    /// Of AnyCable's sessions, by their names.
    pub(crate) sessions: Keyspace,
    /// Names of batches, by the offsets where they ended.
    pub(crate) taken: Keyspace,
    /// Members that nodes hold, by node, stream and id; and when a stream's changed last. Whoever knows nothing of it leaves it as it is; what
    /// is too old then ends with the lease of its node.
    pub(crate) holds: Keyspace,
    /// It was written by a process that knew nothing of them.
    pub(crate) is_without_holds: bool,
    syncing: Option<Syncing>,
}

impl Open {
    pub(crate) fn at(path: &Path, fsync: Fsync) -> Result<Self, StoreError> {
        match Self::try_at(path, fsync) {
            Ok(Some(open)) => Ok(open),
            Ok(None) => Err(StoreError::Foreign(path.to_owned())),
            Err(error) => Err(StoreError::of(path, error)),
        }
    }

    /// `None` if the folder is another application's.
    fn try_at(path: &Path, fsync: Fsync) -> Result<Option<Self>, fjall::Error> {
        let database = Database::builder(path).worker_threads(1).open()?;
        if !is_ours(&database)? {
            return Ok(None);
        }
        let names = database.list_keyspace_names();
        let has = |wanted: &str| names.iter().any(|name| &**name == wanted);
        let is_without_holds = has("about") && !has("holds");
        let keyspace = |name| database.keyspace(name, KeyspaceCreateOptions::default);
        let (entries, forgotten) = (keyspace("entries")?, keyspace("forgotten")?);
        let (revoked, about) = (keyspace("revoked")?, keyspace("about")?);
        let (sessions, taken) = (keyspace("sessions")?, keyspace("taken")?);
        let holds = keyspace("holds")?;
        let syncing = match fsync {
            Fsync::Every(pause) => Some(Syncing::start(path.to_owned(), database.clone(), pause)),
            Fsync::Os | Fsync::Always => None,
        };
        Ok(Some(Self {
            database,
            entries,
            forgotten,
            revoked,
            about,
            sessions,
            taken,
            holds,
            is_without_holds,
            syncing,
        }))
    }
}

impl Open {
    /// Tells of each sync that is made from now on.
    pub(crate) fn syncs(&self) -> Receiver<()> {
        let (sender, receiver) = sync_channel(1);
        if let Some(Syncing { told, .. }) = &self.syncing
            && let Ok(mut told) = told.lock()
        {
            *told = Some(sender);
        }
        receiver
    }
}

/// Whether it has a known format, or nothing yet. Nothing is made in another application's.
fn is_ours(database: &Database) -> Result<bool, fjall::Error> {
    let names = database.list_keyspace_names();
    if !names.iter().any(|name| &**name == "about") {
        // A process may have ended while it made them.
        return Ok(names.iter().all(|name| KEYSPACES.contains(&&**name)));
    }
    let about = database.keyspace("about", KeyspaceCreateOptions::default)?;
    Ok(match about.get("format")? {
        Some(format) => [FORMAT, FORMAT_WITHOUT_FORGOTTEN].contains(&format.as_ref()),
        None => about.is_empty()?,
    })
}

/// The thread that syncs every so often.
struct Syncing {
    ends: Arc<AtomicBool>,
    /// Who is told of each time that it did. At most one waits to be taken.
    told: Arc<Mutex<Option<SyncSender<()>>>>,
    thread: JoinHandle<()>,
}

impl Syncing {
    fn start(path: PathBuf, database: Database, pause: Duration) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let told = Arc::new(Mutex::new(None::<SyncSender<()>>));
        let (stop, tell) = (Arc::clone(&ends), Arc::clone(&told));
        let thread = std::thread::spawn(move || {
            while !stop.load(Ordering::Acquire) {
                std::thread::park_timeout(pause);
                if let Err(error) = database.persist(PersistMode::SyncData) {
                    let error = StoreError::of(&path, error);
                    tracing::error!(%error, "the log could not be synced");
                } else if let Ok(told) = tell.lock()
                    && let Some(told) = &*told
                {
                    // One that waits to be taken says the same.
                    let _ = told.try_send(());
                }
            }
        });
        Self { ends, told, thread }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(Syncing { ends, thread, .. }) = self.syncing.take() {
            ends.store(true, Ordering::Release);
            thread.thread().unpark();
            // It ends by itself; a panic in it has been reported.
            let _ = thread.join();
        }
    }
}
