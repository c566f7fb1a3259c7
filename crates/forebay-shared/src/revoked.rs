//! Access that was taken back, kept beside the log: it is good for longer than the log keeps its records.

use std::collections::BTreeMap;
use std::sync::Arc;

use forebay_log::{Content, Control, Epoch, Offset, Record, Revocation, UnixMillis};
use forebay_store::{Replica, Revoked};
use serde::{Deserialize, Serialize};

use crate::backend::{Backend, Expected, Failure, Session, Space};
use crate::epoch::Agreed;
use crate::log::Shared;

/// What this node knows to be kept, by keys. The hub bounds it: what it gives up is given up here, too.
#[derive(Default)]
pub(crate) struct Known(BTreeMap<String, Written>);

#[derive(Clone, Serialize, Deserialize)]
struct Written {
    epoch: u64,
    /// Its place in that epoch.
    offset: u64,
    made_at: u64,
    identity: Option<String>,
    stream: Option<String>,
    is_readmitted: bool,
    /// Its place in the epoch that this node is in.
    #[serde(skip)]
    here: u64,
}

impl Known {
    /// Those before `at`, in order; the others come with the log's records. Those that the server has lost are
    /// given to it again.
    pub(crate) async fn load(
        &mut self,
        session: &impl Session,
        agreed: Agreed,
        at: Offset,
    ) -> Result<Vec<Revoked>, Failure> {
        let mut lost = std::mem::take(&mut self.0);
        for (key, cell) in session.list(Space::Revoked).await? {
            lost.remove(&key);
            if let Ok(written) = serde_json::from_slice::<Written>(&cell.value) {
                self.0.insert(key, written);
            }
        }
        for (key, written) in lost {
            put(session, &key, &written).await?;
            self.0.insert(key, written);
        }
        let epoch = agreed.epoch.0;
        let mut all: Vec<_> = self.0.values_mut().collect();
        all.sort_by_key(|written| (written.epoch == epoch, written.made_at, written.offset));
        // Those of an earlier epoch were made before this one began: each has a place of its own there.
        let earlier = all.iter().filter(|written| written.epoch != epoch).count() as u64;
        for (written, n) in all.iter_mut().zip(0..) {
            let is_earlier = written.epoch != epoch;
            written.here = if is_earlier {
                (agreed.cut.0 + 1 + n).saturating_sub(earlier)
            } else {
                written.offset
            };
        }
        let before = all.iter().filter(|written| written.here <= at.0);
        Ok(before.map(|written| written.revoked()).collect())
    }

    /// Keeps what these records take back or give again, before anybody can rely on it.
    pub(crate) async fn keep(
        &mut self,
        session: &impl Session,
        epoch: Epoch,
        records: &[Record],
    ) -> Result<(), Failure> {
        for record in records {
            let (revocation, is_readmitted) = match &record.content {
                Content::Control(Control::Revoke(revocation)) => (revocation, false),
                Content::Control(Control::Readmit(revocation)) => (revocation, true),
                _ => continue,
            };
            let name = |name: Option<&Arc<str>>| name.map(ToString::to_string);
            let written = Written {
                epoch: epoch.0,
                offset: record.offset.0,
                made_at: record.at.0,
                identity: name(revocation.identity()),
                stream: name(revocation.stream()),
                is_readmitted,
                here: record.offset.0,
            };
            let key = format!("{:016x}-{:016x}", epoch.0, record.offset.0);
            put(session, &key, &written).await?;
            self.0.insert(key, written);
        }
        Ok(())
    }

    /// Gives up what the replica has given up.
    pub(crate) async fn tidy<B: Backend>(
        &mut self,
        session: &B::Session,
        shared: &Shared<B>,
        replica: &dyn Replica,
    ) -> Result<(), Failure> {
        if !shared.take_tidy() {
            return Ok(());
        }
        let gone = replica.take_left().revocations;
        let is_gone = |written: &Written| gone.iter().any(|offset| offset.0 == written.here);
        let keys: Vec<_> =
            self.0.iter().filter(|(_, it)| is_gone(it)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            session.set(Space::Revoked, &key, None, Expected::Any).await?;
            self.0.remove(&key);
        }
        Ok(())
    }
}

async fn put(session: &impl Session, key: &str, written: &Written) -> Result<(), Failure> {
    let value = serde_json::to_vec(written).expect("texts and numbers encode");
    session.set(Space::Revoked, key, Some(value), Expected::Any).await.map(drop)
}

impl Written {
    fn revoked(&self) -> Revoked {
        let name = |name: &Option<String>| name.as_deref().map(Into::into);
        Revoked {
            at: Offset(self.here),
            made_at: UnixMillis(self.made_at),
            revocation: Revocation::from_parts(name(&self.identity), name(&self.stream)),
            is_readmitted: self.is_readmitted,
        }
    }
}
