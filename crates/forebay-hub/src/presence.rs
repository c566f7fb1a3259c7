//! What a hub knows of who is present, and how it is told to deal with it. What it does is in `hub/presence.rs`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use forebay_cable::SubscriptionId;
use forebay_log::Position;
use forebay_presence::{Change, Leases, Member, Node, Nodes, Sets};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use crate::wake::Wake;

/// How presence behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PresenceOptions {
    /// How long a member stays whose connection was lost or is silent, since its client last showed that it
    /// lives. Default 15 s, as AnyCable's: five missed pings, or a lift. Members of a node that nothing is
    /// heard of leave after the same time.
    pub ttl: Duration,
    /// How long a member stays after its page was unloaded or its connection closed well. Default 5 s: the
    /// next page, or the same one again, is there by then.
    pub grace: Duration,
    /// Up to so many members of a stream each change is told at once. Default 100: beyond it nobody reads a
    /// list of names, and changes come many at a time.
    pub each_max: usize,
    /// Of so many members of a stream within a [`window`](Self::window), at the most. Default 10: a person can't
    /// follow more in a second. It is for each node.
    pub burst_max: usize,
    /// Above that, changes of this time are told together. Default 1 s: when 3 000 join in a second, a page is
    /// told of the first ten one by one, and once of all others, for each node.
    pub window: Duration,
    /// Above so many members of a stream only their number is told. Default 1 000: with 100 bytes each, a list
    /// of 100 KB.
    pub names_max: usize,
    /// Bytes of a member's info, which is one JSON value. Default 4 KiB: a name, an avatar's address, a status.
    pub info_bytes_max: usize,
    /// Members of one stream. Default 100 000, some 30 MB at 300 bytes each.
    pub members_each_max: usize,
    /// Members of all streams, as this node sees them. Default 1 000 000, some 300 MB.
    pub members_max: usize,
    /// What is called when the members of a stream change. Default: nothing.
    pub hooks: Option<PresenceHooks>,
}

impl Default for PresenceOptions {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(15),
            grace: Duration::from_secs(5),
            each_max: 100,
            burst_max: 10,
            window: Duration::from_secs(1),
            names_max: 1_000,
            info_bytes_max: 4 << 10,
            members_each_max: 100_000,
            members_max: 1_000_000,
            hooks: None,
        }
    }
}

forebay_log::setters! {
    PresenceOptions:
    ttl: Duration,
    grace: Duration,
    each_max: usize,
    burst_max: usize,
    window: Duration,
    names_max: usize,
    info_bytes_max: usize,
    members_each_max: usize,
    members_max: usize,
    hooks: Option<PresenceHooks>,
}

impl PresenceOptions {
    fn of_leases(&self) -> forebay_presence::Options {
        let millis =
            |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 4);
        forebay_presence::Options {
            ttl_ms: millis(self.ttl),
            grace_ms: millis(self.grace),
            each_max: self.each_max,
            burst_max: self.burst_max,
            window_ms: millis(self.window),
        }
    }
}

/// What an application does when the members of a stream change.
///
/// Both are called in the order of the log, one after the other, and nobody's presence changes meanwhile: they
/// must not wait. They may read (`Hub::members` gives what was before), and must neither join nor wait for a
/// broadcast. One that panics is logged.
pub trait OnPresence: Send + Sync + 'static {
    /// The Turbo streams that show the change, for pages that take HTML only. Called once on each node. `None`
    /// tells them nothing. If it panics, pages of the stream load themselves again.
    fn render(&self, stream: &str, change: &Change) -> Option<String> {
        let _ = (stream, change);
        None
    }

    /// The same change, on the one node whose record it came from: the place for what is to be done once, when
    /// the first comes ([`total_before`](Change::total_before) is 0) or the last leaves.
    fn changed(&self, stream: &str, change: &Change) {
        let _ = (stream, change);
    }
}

/// Somebody's [`OnPresence`].
#[derive(Clone)]
pub struct PresenceHooks(pub(crate) Arc<dyn OnPresence>);

impl PresenceHooks {
    /// Calls these.
    pub fn new(hooks: impl OnPresence) -> Self {
        Self(Arc::new(hooks))
    }
}

impl fmt::Debug for PresenceHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresenceHooks")
    }
}

/// Who is present on a stream, and where the log stood then. Whoever reads the
/// [presence stream](forebay_log::presence_stream) from there on misses nothing, and gets nothing twice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Members {
    /// The place of the last change that they include, or a later one.
    pub position: Position,
    /// The members, in the order in which they came.
    pub members: Vec<Member>,
}

/// Who is present on a stream, as its clients are told: by name, or only how many.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attendance {
    /// The place of the last change that they include, or a later one.
    pub position: Position,
    /// How many there are.
    pub total: usize,
    /// Who, in the order in which they came. Empty where there are too many to be named.
    pub named: Vec<Member>,
}

/// How a session's presence ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The client has said that it leaves: its member is gone at once.
    Left,
    /// The page was unloaded, its tag has left, or the connection was closed well: another page may come.
    Closed,
    /// The connection was lost: the client comes back, if it can.
    Lost,
    /// The server has ended the connection, because the process ends or wants to be rid of it. Where the
    /// process ends, it releases nobody.
    ServerLeaves,
}

/// Why somebody can't be present.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinRefused {
    /// The id is empty, or too long.
    #[error("a member's id has 1 to 128 bytes")]
    Id,
    /// The info is too long, or is not JSON.
    #[error("a member's info is one JSON value, and has a bound")]
    Info,
    /// The subscription is present as another one.
    #[error("the subscription is present as another member")]
    AnotherMember,
    /// There are too many, on the stream or on all of them.
    #[error("too many are present")]
    Full,
    /// The stream's name is not one of the application's.
    #[error("nobody can be present on this stream")]
    Stream,
}

/// Bytes of a member's id, at the most: an id of a record, or a signed global id.
pub(crate) const ID_BYTES_MAX: usize = 128;

/// Names a subscription of a session.
pub(crate) type LeaseKey = (u64, SubscriptionId);

/// How much of the log's presence records this node has seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Known {
    /// Enough of them: it knows who is there.
    #[default]
    Whole,
    /// Those before it began are gone from the log. The other nodes have to be asked whom they have.
    Unasked,
    /// They are asked. All who live have answered at this time.
    Asked(u64),
}

#[derive(Debug)]
pub(crate) struct Presence {
    pub(crate) node: Node,
    /// Other nodes may have the log, too.
    pub(crate) is_shared: bool,
    pub(crate) options: PresenceOptions,
    /// Held by whoever gives presence records their places: what they change is rendered in their order, and
    /// the log is free meanwhile.
    pub(crate) order: Mutex<Known>,
    /// It knows who is there: [`Known::Whole`], for those who can't wait for whoever renders. It changes under the
    /// lock of `sets`.
    pub(crate) is_whole: AtomicBool,
    pub(crate) leases: Mutex<Leases<LeaseKey, Arc<Wake>>>,
    /// What they are and where the log stands changes together under this lock.
    pub(crate) sets: RwLock<Sets>,
    pub(crate) nodes: Mutex<Nodes>,
    /// The process is about to end.
    pub(crate) is_leaving: AtomicBool,
    /// Somebody writes what the leases ask for.
    pub(crate) is_flushing: AtomicBool,
    /// When there is something to do again, as far as is known. The largest number if never.
    pub(crate) due: AtomicU64,
    pub(crate) called: Arc<Notify>,
    /// Somebody attends to it.
    pub(crate) is_attended: AtomicBool,
}

impl Presence {
    /// `is_shared` says whether other nodes have the log, too.
    pub(crate) fn new(options: PresenceOptions, node: Node, is_shared: bool) -> Self {
        let of_leases = options.of_leases();
        Self {
            node,
            is_shared,
            order: Mutex::default(),
            is_whole: AtomicBool::new(true),
            leases: Mutex::new(Leases::new(node, of_leases)),
            sets: RwLock::new(Sets::new(options.names_max)),
            nodes: Mutex::new(Nodes::new(node, of_leases.ttl_ms, is_shared)),
            options,
            is_leaving: AtomicBool::new(false),
            is_flushing: AtomicBool::new(false),
            due: AtomicU64::new(u64::MAX),
            called: Arc::default(),
            is_attended: AtomicBool::new(false),
        }
    }

    pub(crate) fn ttl_ms(&self) -> u64 {
        self.options.of_leases().ttl_ms
    }

    /// There may be something to do sooner than was known.
    pub(crate) fn call(&self) {
        self.due.store(0, Ordering::Release);
        self.called.notify_one();
    }
}
