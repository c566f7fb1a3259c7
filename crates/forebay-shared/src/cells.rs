//! What nodes know of their clients, in cells, so that the node that a client comes to next knows it, too.
//!
//! A page's cell says which session has the page, or what it had proven when it was left. A session that comes
//! while another has the page makes it shared, and nothing is believed of a shared page any more.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Weak;
use std::time::Duration;

use forebay_log::{Epoch, Offset, Position, UnixMillis};
use forebay_store::{Arrival, Handover, LeftPage};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::backend::{Backend, Cell, Expected, Failure, Session, Space};
use crate::log::Shared;

/// Sessions that change one page's cell at the same time.
const TRIES_MAX: usize = 8;

/// A cell lives for ten minutes; that of a page that is still there is set again in time.
const KEEP_ALIVE: Duration = Duration::from_mins(4);

/// Pages that are remembered to be here, 40 bytes each. The cells of others end after ten minutes, and
/// their pages are replayed from their cursors when they come back.
const PAGES_MAX: usize = 200_000;

/// Ours have 16.
const SESSION_BYTES_MAX: usize = 32;

/// Pages that sessions of this node have.
#[derive(Debug, Default)]
pub(crate) struct Pages(HashMap<u64, u64>);

impl Pages {
    pub(crate) fn insert(&mut self, page: u64, session: u64) {
        if self.0.len() < PAGES_MAX {
            self.0.insert(page, session);
        }
    }

    pub(crate) fn remove(&mut self, left: &[(u64, u64)]) {
        for (page, session) in left {
            if self.0.get(page) == Some(session) {
                self.0.remove(page);
            }
        }
    }
}

/// What a page's cell says.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Page {
    /// The session that has it, or had it last.
    session: u64,
    /// When it was left, and what it had proven: an epoch and an offset.
    left: Option<(u64, u64, u64)>,
    is_shared: bool,
}

/// A session begins to have a page.
pub(crate) async fn enter(session: &impl Session, page: u64, of: u64) -> Result<Arrival, Failure> {
    change(session, page, |known| {
        let is_here = known.is_some_and(|known| known.left.is_none() && known.session != of);
        let is_shared = is_here || known.is_some_and(|known| known.is_shared);
        let left = known.and_then(|known| known.left).filter(|_| !is_shared);
        let proven = left.map(|(at, epoch, offset)| {
            (Position { epoch: Epoch(epoch), offset: Offset(offset) }, UnixMillis(at))
        });
        (Some(Page { session: of, left: None, is_shared }), Arrival { proven, is_shared })
    })
    .await
}

/// Keeps what is handed over.
pub(crate) async fn hand_over(session: &impl Session, handover: &Handover) -> Result<(), Failure> {
    for left in &handover.left {
        leave(session, *left, handover.at).await?;
    }
    for (name, kept) in &handover.sessions {
        session.set(Space::Passing, &session_key(name), kept.clone(), Expected::Any).await?;
    }
    Ok(())
}

async fn leave(session: &impl Session, left: LeftPage, at: UnixMillis) -> Result<(), Failure> {
    let LeftPage { page, session: of, proven } = left;
    change(session, page, |known| {
        // Another has it by now: both had it at the same time.
        let is_shared = known.is_some_and(|known| known.is_shared || known.session != of);
        let page = match (known, proven) {
            (Some(known), _) if known.session != of => Some(Page { is_shared: true, ..known }),
            (_, Some(proven)) if !is_shared => Some(Page {
                session: of,
                left: Some((at.0, proven.epoch.0, proven.offset.0)),
                is_shared,
            }),
            (Some(known), _) if is_shared => Some(Page { left: Some((at.0, 0, 0)), ..known }),
            _ => None,
        };
        (page, ())
    })
    .await
}

/// Changes a page's cell, whoever else does at the same time.
async fn change<T>(
    session: &impl Session,
    page: u64,
    change: impl Fn(Option<Page>) -> (Option<Page>, T),
) -> Result<T, Failure> {
    let key = page_key(page);
    for _ in 0..TRIES_MAX {
        let cell = session.get(Space::Passing, &key).await?;
        let known = cell.as_ref().and_then(|cell| serde_json::from_slice::<Page>(&cell.value).ok());
        let (page, answer) = change(known);
        if page.is_none() && cell.is_none() {
            return Ok(answer);
        }
        let value = page.map(|page| serde_json::to_vec(&page).expect("numbers encode"));
        if session.set(Space::Passing, &key, value, as_read(cell.as_ref())).await? {
            return Ok(answer);
        }
    }
    Err(Failure::Lost("too many change a page at the same time".to_owned()))
}

/// What was kept of a session, once.
pub(crate) async fn take_session(
    session: &impl Session,
    name: &str,
) -> Result<Option<Vec<u8>>, Failure> {
    let key = session_key(name);
    let cell = session.get(Space::Passing, &key).await?;
    let Some(cell) = cell else { return Ok(None) };
    let is_ours = session.set(Space::Passing, &key, None, as_read(Some(&cell))).await?;
    Ok(is_ours.then_some(cell.value))
}

/// Sets the cells of pages again that are here for long.
pub(crate) async fn keep_alive<B: Backend>(shared: Weak<Shared<B>>) {
    loop {
        sleep(KEEP_ALIVE).await;
        let Some(shared) = shared.upgrade() else { return };
        let pages: Vec<_> = shared.pages.lock().0.iter().map(|(page, of)| (*page, *of)).collect();
        for (page, of) in pages {
            // Whoever has left meanwhile has said so, and is not here any more.
            let is_here = || shared.pages.lock().0.get(&page) == Some(&of);
            let kept = shared.line.ask(|open| async move {
                change(&*open.session, page, |known| {
                    let here = Page { session: of, left: None, is_shared: false };
                    (known.or_else(|| is_here().then_some(here)), ())
                })
                .await
            });
            if let Err(failure) = kept.await {
                tracing::warn!(server = shared.address, %failure, "pages are not known to be here");
                break;
            }
        }
    }
}

fn as_read(cell: Option<&Cell>) -> Expected {
    cell.map_or(Expected::Nothing, |cell| Expected::Version(cell.version))
}

fn page_key(page: u64) -> String {
    format!("page-{page:016x}")
}

/// Names come from clients.
fn session_key(name: &str) -> String {
    let mut key = "session-".to_owned();
    for byte in name.bytes().take(SESSION_BYTES_MAX) {
        write!(key, "{byte:02x}").expect("a string takes it");
    }
    key
}
