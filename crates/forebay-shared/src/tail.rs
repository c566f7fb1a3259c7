//! Follows the log: what the server has ordered is applied to this node's replica.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use forebay_log::{Content, Control, Epoch, Lacking, Offset, Position, Record, UnixMillis};
use forebay_store::{Replica, Snapshot};
use tokio::time::{Instant, sleep};

use crate::backend::{Backend, Failure, Session, Stored};
use crate::epoch::{self, Agreed};
use crate::line::PAUSE;
use crate::log::{Shared, State};
use crate::revoked::Known;

/// How often a node asks whether its epoch still counts. A group of another epoch tells it at once.
const PROBE: Duration = Duration::from_secs(1);

/// Epochs of which it is remembered that this node has left them.
pub(crate) const EPOCHS_MAX: usize = 8;

pub(crate) struct Tail<B: Backend> {
    shared: Arc<Shared<B>>,
    replica: Weak<dyn Replica>,
    at: Option<Position>,
    /// The last group that was taken: where it begins, and whose it is.
    last: Option<(Offset, u64, u64)>,
    known: Known,
}

/// How far the server was.
struct Probe {
    head: Offset,
    /// Before it was asked. An answer may wait for longer than it took: whoever reads it may have been stopped.
    at: Instant,
}

impl Probe {
    async fn ask(session: &impl Session) -> Result<Self, Failure> {
        let at = Instant::now();
        Ok(Self { head: session.bounds().await?.head, at })
    }
}

/// Why a session is over.
enum Over {
    /// Whoever follows is gone.
    Ended,
    /// Something has changed: it is looked at again, with another session.
    Changed,
}

impl<B: Backend> Tail<B> {
    pub(crate) fn new(
        shared: Arc<Shared<B>>,
        after: Option<Position>,
        replica: Weak<dyn Replica>,
    ) -> Self {
        Self { shared, replica, at: after, last: None, known: Known::default() }
    }

    pub(crate) async fn run(mut self) {
        let mut is_lost = false;
        loop {
            match self.follow().await {
                Ok(Over::Ended) => return,
                Ok(Over::Changed) | Err(Failure::Trimmed | Failure::OtherEpoch) => is_lost = false,
                Err(failure) => {
                    let first = !std::mem::replace(&mut is_lost, true);
                    if first {
                        tracing::warn!(server = self.shared.address, %failure, "the log can't be read: it is tried again");
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn follow(&mut self) -> Result<Over, Failure> {
        let session = self.shared.backend.connect().await?;
        let random = Arc::clone(&self.shared.random);
        let agreed = epoch::agree(&session, &*random).await?;
        if !self.goes_on(&session, agreed).await? {
            let Some(replica) = self.replica.upgrade() else { return Ok(Over::Ended) };
            self.begin(&session, agreed, &*replica).await?;
        }
        let mut probe = Probe::ask(&session).await?;
        loop {
            let at = self.at.expect("it has begun").offset;
            if at >= probe.head {
                self.shared.is_as_far_as_at(probe.at);
            }
            let groups = session.read(at).await?;
            let Some(replica) = self.replica.upgrade() else { return Ok(Over::Ended) };
            let is_foreign = groups.iter().any(|group| group.epoch != agreed.epoch);
            if is_foreign || probe.at.elapsed() >= PROBE {
                // What a process finds that was stopped for a while may be as old as that.
                if epoch::current(&session).await? != Some(agreed) {
                    return Ok(Over::Changed);
                }
                probe = Probe::ask(&session).await?;
                if probe.head < at {
                    epoch::begin_anew(&session, agreed.epoch, &*random).await?;
                    return Ok(Over::Changed);
                }
                self.known.tidy(&session, &self.shared, &*replica).await?;
            }
            self.take(&session, agreed.epoch, groups, &*replica).await?;
        }
    }

    /// Whether this node's copy is the beginning of what the server has.
    async fn goes_on(&self, session: &B::Session, agreed: Agreed) -> Result<bool, Failure> {
        let Some(at) = self.at.filter(|at| at.epoch == agreed.epoch) else { return Ok(false) };
        let bounds = session.bounds().await?;
        if at.offset < bounds.trimmed {
            return Ok(false);
        }
        let is_there = at.offset <= bounds.head
            && match self.last.filter(|(before, ..)| *before >= bounds.trimmed) {
                // Of what is trimmed by now nobody can say more.
                None => true,
                Some((before, node, number)) => {
                    let groups = session.read(before).await?;
                    groups.first().is_some_and(|group| {
                        (group.end, group.node, group.number) == (at.offset, node, number)
                    })
                }
            };
        if !is_there {
            epoch::begin_anew(session, agreed.epoch, &*self.shared.random).await?;
            return Err(Failure::OtherEpoch);
        }
        Ok(true)
    }

    /// Begins anew with what the server keeps of this epoch.
    async fn begin(
        &mut self,
        session: &B::Session,
        agreed: Agreed,
        replica: &dyn Replica,
    ) -> Result<(), Failure> {
        let bounds = session.bounds().await?;
        let at = Position { epoch: agreed.epoch, offset: agreed.cut.max(bounds.trimmed) };
        let mut snapshot = Snapshot::beginning(at);
        snapshot.revoked = self.known.load(session, agreed, at.offset).await?;
        snapshot.lacks_presence = bounds.trimmed > agreed.cut;
        snapshot.page_keys = Some(self.shared.page_keys(session).await?);
        replica.restore(snapshot);
        (self.at, self.last) = (Some(at), None);
        self.shared.state.send_modify(|state| state.begin(agreed, at.offset));
        Ok(())
    }

    async fn take(
        &mut self,
        session: &B::Session,
        epoch: Epoch,
        groups: Vec<Stored>,
        replica: &dyn Replica,
    ) -> Result<(), Failure> {
        let Some(last) = groups.last() else { return Ok(()) };
        let (end, begins) = (last.end, Offset(last.end.0 - u64::from(last.offsets)));
        let last = (begins, last.node, last.number);
        let mut records = Vec::new();
        for group in groups {
            if group.epoch == epoch {
                records.extend(read(&self.shared.address, &group));
            } else {
                records.push(control(&group, Control::Nothing));
            }
        }
        self.known.keep(session, epoch, &records).await?;
        replica.apply(&records);
        // Both together: a session that is lost before this has changed neither.
        (self.at, self.last) = (Some(Position { epoch, offset: end }), Some(last));
        self.shared.state.send_modify(|state| state.at = end);
        Ok(())
    }
}

/// The records of a group. What can't be read says that all pages may lack something.
fn read(server: &str, group: &Stored) -> Vec<Record> {
    group.records().unwrap_or_else(|| {
        tracing::error!(server, offset = %group.end, "a record can't be read: was it written by another version?");
        vec![control(group, Control::Gap(Lacking::All))]
    })
}

/// One record for all of a group.
fn control(group: &Stored, control: Control) -> Record {
    Record { offset: group.end, at: UnixMillis(0), content: Content::Control(control) }
}

impl State {
    fn begin(&mut self, agreed: Agreed, at: Offset) {
        let is_same = self.epoch == agreed.epoch;
        self.pass_over(self.epoch, self.at, if is_same { at } else { agreed.cut });
        if !is_same {
            self.pass_over(agreed.epoch, agreed.cut, at);
            self.left.push_back(self.epoch);
            if self.left.len() > EPOCHS_MAX {
                self.left.pop_front();
            }
        }
        (self.epoch, self.cut, self.at) = (agreed.epoch, agreed.cut, at);
    }

    fn pass_over(&mut self, epoch: Epoch, after: Offset, through: Offset) {
        self.unread.push_back((epoch, after, through));
        if self.unread.len() > UNREAD_MAX {
            self.unread.pop_front();
        }
    }

    /// Whether this node has begun anew behind that place, and has not read it.
    pub(crate) fn has_passed_over(&self, epoch: Epoch, at: Offset) -> bool {
        let mut unread = self.unread.iter();
        unread.any(|(of, after, through)| *of == epoch && *after < at && at <= *through)
    }
}

/// Two for each epoch that is remembered.
const UNREAD_MAX: usize = 2 * EPOCHS_MAX;

/// Epochs that were left, the last ones.
pub(crate) type Left = VecDeque<Epoch>;
