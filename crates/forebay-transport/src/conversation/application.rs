//! The application's side of a conversation: its channels, who is asking, and what runs for them.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

use forebay_cable::{Claim, SubscriptionId, Terms};
use forebay_log::{StreamId, UnixMillis};
use tokio::runtime::Handle;

use crate::channels::{Channels, Handler, Identity, Later, Op, Rejected, Roster, Subscribed};

/// Whispers of one connection in a second: a hand that draws, at a display's 60 frames, may lose
/// one or the other. Each costs its stream's subscribers a message.
const WHISPERS_PER_SECOND_MAX: u16 = 50;

type Handlers = Vec<(SubscriptionId, Box<dyn Handler>)>;

/// The application's side of one connection.
pub(super) struct Application {
    channels: Arc<dyn Channels>,
    identity: Identity,
    /// Out of line, like the next two: most connections have none.
    handlers: Option<Box<Handlers>>,
    grants: Option<Box<Grants>>,
    /// At most one: the session waits for its answer.
    running: Option<Box<Running>>,
}

/// What a connection may do beside reading.
#[derive(Debug, Default)]
struct Grants {
    /// The streams that its subscriptions may whisper on.
    whispers: Vec<(SubscriptionId, Arc<str>)>,
    pace: Pace,
    /// Where its subscriptions are told who is present, and may be so themselves.
    rosters: Vec<(SubscriptionId, Roster)>,
}

impl Grants {
    /// Where to whisper, if it may at all, and has not done so too often.
    fn allow(&mut self, id: SubscriptionId, now: UnixMillis) -> Option<&str> {
        let (_, stream) = self.whispers.iter().find(|(other, _)| *other == id)?;
        self.pace.allows(now).then_some(&**stream)
    }
}

/// How many whispers there were in the running second.
#[derive(Debug, Default)]
struct Pace {
    second: u64,
    whispers: u16,
}

impl Pace {
    fn allows(&mut self, now: UnixMillis) -> bool {
        let second = now.as_secs();
        if second != self.second {
            *self = Self { second, whispers: 0 };
        }
        let allowed = self.whispers < WHISPERS_PER_SECOND_MAX;
        self.whispers += u16::from(allowed);
        allowed
    }
}

pub(super) enum Running {
    Subscribe(SubscriptionId, Terms, Later<Result<Subscribed, Rejected>>),
    Perform(SubscriptionId, Later<(Box<dyn Handler>, Vec<Op>)>),
    Whisper(Later<()>),
    Unsubscribe(Later<()>),
    /// A client says where it stands, and its node is not that far yet.
    Place(SubscriptionId, Vec<StreamId>, Claim, Later<()>),
}

/// What a finished call came to.
pub(super) enum Finished {
    Subscribe(SubscriptionId, Terms, Result<Subscribed, Rejected>),
    Perform(SubscriptionId, Box<dyn Handler>, Vec<Op>),
    Whisper,
    Unsubscribe,
    Place(SubscriptionId, Vec<StreamId>, Claim),
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application")
            .field("identity", &self.identity)
            .field("handlers", &self.handlers.as_ref().map_or(0, |handlers| handlers.len()))
            .field("running", &self.running.is_some())
            .finish_non_exhaustive()
    }
}

impl Application {
    pub(super) fn new(channels: Arc<dyn Channels>, identity: Identity) -> Self {
        Self { channels, identity, handlers: None, grants: None, running: None }
    }

    pub(super) fn channels(&self) -> &Arc<dyn Channels> {
        &self.channels
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn run(&mut self, running: Running) {
        self.running = Some(Box::new(running));
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Goes on with what runs. An error is a panic.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<thread::Result<Finished>> {
        let Some(running) = &mut self.running else { return Poll::Pending };
        let polled = match catch_unwind(AssertUnwindSafe(|| running.poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(finished)) => Ok(finished),
            Err(panic) => Err(panic),
        };
        self.running = None;
        Poll::Ready(polled)
    }

    pub(super) fn keep_handler(&mut self, id: SubscriptionId, handler: Box<dyn Handler>) {
        let handlers = self.handlers.get_or_insert_default();
        // Most connections have one, if any: a Vec would take room for four at once.
        handlers.reserve_exact(1);
        handlers.push((id, handler));
    }

    pub(super) fn take_handler(&mut self, id: SubscriptionId) -> Option<Box<dyn Handler>> {
        let handlers = self.handlers.as_mut()?;
        let index = handlers.iter().position(|(other, _)| *other == id)?;
        Some(handlers.swap_remove(index).1)
    }

    pub(super) fn may_whisper(&mut self, id: SubscriptionId, stream: Arc<str>) {
        self.grants.get_or_insert_default().whispers.push((id, stream));
    }

    pub(super) fn keep_roster(&mut self, id: SubscriptionId, roster: Roster) {
        self.grants.get_or_insert_default().rosters.push((id, roster));
    }

    /// Where a subscription is told who is present.
    pub(super) fn roster(&self, id: SubscriptionId) -> Option<&Roster> {
        let mut rosters = self.grants.as_ref()?.rosters.iter();
        rosters.find(|(other, _)| *other == id).map(|(_, roster)| roster)
    }

    /// Where a subscription whispers, if it may at all, and has not done so too often.
    pub(super) fn whispers_on(&mut self, id: SubscriptionId, now: UnixMillis) -> Option<&str> {
        self.grants.as_mut()?.allow(id, now)
    }

    /// The subscription is gone.
    pub(super) fn forget(&mut self, id: SubscriptionId) {
        if let Some(grants) = &mut self.grants {
            grants.whispers.retain(|(other, _)| *other != id);
            grants.rosters.retain(|(other, _)| *other != id);
        }
    }

    /// The connection is gone: what runs runs to its end, and every channel hears of it, each in
    /// its own time. Without a runtime there is nobody left to tell.
    pub(super) fn end(&mut self) {
        if Handle::try_current().is_err() {
            return;
        }
        match self.running.take().map(|running| *running) {
            Some(Running::Perform(_, later)) => {
                tokio::spawn(async move { later.await.0.unsubscribed().await });
            }
            Some(Running::Unsubscribe(later)) => drop(tokio::spawn(later)),
            // Nobody is subscribed yet, so nobody has to hear of it; and nobody is owed a whisper.
            Some(Running::Subscribe(..) | Running::Whisper(_) | Running::Place(..)) | None => {}
        }
        for (_, handler) in self.handlers.take().into_iter().flat_map(|handlers| *handlers) {
            tokio::spawn(handler.unsubscribed());
        }
    }
}

impl Running {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Finished> {
        match self {
            Self::Subscribe(id, terms, later) => later
                .as_mut()
                .poll(cx)
                .map(|outcome| Finished::Subscribe(*id, std::mem::take(terms), outcome)),
            Self::Perform(id, later) => {
                later.as_mut().poll(cx).map(|(handler, ops)| Finished::Perform(*id, handler, ops))
            }
            Self::Whisper(later) => later.as_mut().poll(cx).map(|()| Finished::Whisper),
            Self::Unsubscribe(later) => later.as_mut().poll(cx).map(|()| Finished::Unsubscribe),
            Self::Place(id, streams, claim, later) => later
                .as_mut()
                .poll(cx)
                .map(|()| Finished::Place(*id, std::mem::take(streams), std::mem::take(claim))),
        }
    }
}
