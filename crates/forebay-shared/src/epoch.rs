//! How nodes agree on an epoch: by one cell, which names the server's history.
//!
//! Whoever finds another history there begins a new epoch. First it appends a group that marks it, then it sets the
//! cell, if nobody else has. The epoch begins behind its mark: what other nodes have appended to the old one by
//! then stands before it, and what they append later does not count. A node is told so by its own tail, and
//! appends again.

use bytes::Bytes;
use forebay_log::{Epoch, Offset};
use serde::{Deserialize, Serialize};

use crate::EPOCH;
use crate::backend::{Cell, Expected, Failure, Group, Session, Space};

/// Nodes that begin an epoch at the same time: each of them wins in the end.
const TRIES_MAX: usize = 32;

/// The epoch that counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Agreed {
    pub(crate) epoch: Epoch,
    /// Its records are behind this offset.
    pub(crate) cut: Offset,
}

/// What stands in the cell. The epoch comes first, and is a text: servers compare it.
#[derive(Serialize, Deserialize)]
struct Written {
    epoch: String,
    cut: u64,
    history: String,
}

/// The epoch of this server's history, which begins now if nobody knows the history.
pub(crate) async fn agree(
    session: &impl Session,
    random: &(dyn Fn() -> u64 + Send + Sync),
) -> Result<Agreed, Failure> {
    for _ in 0..TRIES_MAX {
        let history = session.history().await?;
        let cell = session.get(Space::Lasting, EPOCH).await?;
        if let Some((agreed, known)) = cell.as_ref().map(read).transpose()?
            && known == history
        {
            return Ok(agreed);
        }
        if let Some(agreed) = begin(session, cell.as_ref(), history, random).await? {
            return Ok(agreed);
        }
    }
    Err(Failure::Lost("nodes do not come to one epoch".to_owned()))
}

/// A new epoch of the same history: this node has what the server does not have.
pub(crate) async fn begin_anew(
    session: &impl Session,
    of: Epoch,
    random: &(dyn Fn() -> u64 + Send + Sync),
) -> Result<(), Failure> {
    let cell = session.get(Space::Lasting, EPOCH).await?;
    let known = cell.as_ref().map(read).transpose()?;
    if known.is_none_or(|(agreed, _)| agreed.epoch == of) {
        let history = session.history().await?;
        begin(session, cell.as_ref(), history, random).await?;
    }
    Ok(())
}

/// The epoch that counts now, whatever the history.
pub(crate) async fn current(session: &impl Session) -> Result<Option<Agreed>, Failure> {
    let cell = session.get(Space::Lasting, EPOCH).await?;
    Ok(cell.as_ref().map(read).transpose()?.map(|(agreed, _)| agreed))
}

/// `None` if somebody else was first.
async fn begin(
    session: &impl Session,
    cell: Option<&Cell>,
    history: String,
    random: &(dyn Fn() -> u64 + Send + Sync),
) -> Result<Option<Agreed>, Failure> {
    let epoch = Epoch(random());
    let mark = Group {
        node: random(),
        number: 1,
        epoch,
        name: None,
        is_mark: true,
        offsets: 1,
        body: Bytes::new(),
    };
    let cut = session.append(&mark).await?;
    let expected = cell.map_or(Expected::Nothing, |cell| Expected::Version(cell.version));
    let written = Written { epoch: epoch.0.to_string(), cut: cut.0, history };
    let value = serde_json::to_vec(&written).expect("texts and numbers encode");
    let is_ours = session.set(Space::Lasting, EPOCH, Some(value), expected).await?;
    if is_ours && cell.is_some() {
        tracing::warn!(
            epoch = epoch.0,
            "the log's server may have lost something: a new epoch begins, and pages load themselves again"
        );
    }
    Ok(is_ours.then_some(Agreed { epoch, cut }))
}

fn read(cell: &Cell) -> Result<(Agreed, String), Failure> {
    let read = serde_json::from_slice::<Written>(&cell.value).ok();
    let agreed = read.and_then(|Written { epoch, cut, history }| {
        let epoch = Epoch(epoch.parse().ok()?);
        Some((Agreed { epoch, cut: Offset(cut) }, history))
    });
    agreed.ok_or_else(|| Failure::Refused("its epoch can't be read: is it Forebay's?".to_owned()))
}
