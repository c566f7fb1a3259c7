//! What is recorded of a broadcast, where that is asked for: who asked for it, and what became of it.

use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use forebay_hub::{Trace, class, targets};
use forebay_inspect::{Broadcast as Recorded, Outcome, Source};
use forebay_turbo::{StreamName, StreamNameError};

use super::body::{Body, Envelope, Keep};
use super::draft::{BroadcastError, Sent};
use crate::app::Core;
use crate::error::with_causes;

/// A request that broadcasts are made in, where they are recorded.
#[derive(Clone, Debug)]
pub(crate) struct Asker(Arc<Asking>);

#[derive(Debug)]
struct Asking {
    /// What the request is called in a log.
    id: Option<Box<str>>,
    /// Transactions of it that are not over.
    transactions: AtomicUsize,
}

/// A transaction of a request, for as long as it is open.
#[cfg(feature = "sqlx")]
#[derive(Debug)]
pub(crate) struct OpenTransaction(Asker);

impl Asker {
    pub(crate) fn new(id: Option<&str>) -> Self {
        let (id, transactions) = (id.map(Box::from), AtomicUsize::new(0));
        Self(Arc::new(Asking { id, transactions }))
    }

    #[cfg(feature = "sqlx")]
    pub(crate) fn begins(&self) -> OpenTransaction {
        self.0.transactions.fetch_add(1, Ordering::Relaxed);
        OpenTransaction(self.clone())
    }

    fn has_transaction(&self) -> bool {
        self.0.transactions.load(Ordering::Relaxed) > 0
    }
}

#[cfg(feature = "sqlx")]
impl Drop for OpenTransaction {
    fn drop(&mut self) {
        self.0.0.transactions.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is known of a broadcast when it is sent.
pub(super) struct Asked<'a> {
    pub(super) made_at: &'static Location<'static>,
    pub(super) asker: Option<&'a Asker>,
    pub(super) stream: &'a Result<StreamName, StreamNameError>,
    pub(super) body: &'a Body<'a>,
    pub(super) keep: Keep,
    pub(super) except: Option<String>,
    /// It is asked for through a transaction.
    pub(super) is_within: bool,
}

impl Asked<'_> {
    /// Records it. Nothing where nothing is recorded.
    pub(super) fn record(self, core: &Core) -> Trace {
        let Some(inspection) = core.hub.inspection() else { return Trace::default() };
        let action = self.body.action();
        let place = format!("{}:{}", self.made_at.file(), self.made_at.line());
        let request = self.asker.and_then(|asker| asker.0.id.as_deref()).map(str::to_owned);
        let has_transaction = self.asker.is_some_and(Asker::has_transaction);
        inspection.trace(Recorded {
            at: core.hub.now().0,
            source: Source { place: Some(place), request, sender: None },
            stream: self.stream.as_ref().map_or_else(|_| String::new(), ToString::to_string),
            action: action.as_ref().map(|action| action.name.to_string()),
            targets: action.as_ref().map(|action| targets(&action.targets)),
            class: class(&Envelope::class_of(self.keep, self.body)),
            except: self.except,
            beside_transaction: has_transaction && !self.is_within,
            ..Recorded::default()
        })
    }
}

/// What became of a broadcast that its caller was told of. What waits says so itself, later.
pub(super) fn note(trace: &Trace, sent: &Result<Sent, BroadcastError>) {
    match sent {
        Ok(Sent::Suppressed) => trace.ends(|| Outcome::Suppressed),
        Ok(Sent::ShutDown) => {
            trace.ends(|| Outcome::Refused { why: "it came after shutting down".to_owned() });
        }
        Ok(_) => {}
        Err(error) => trace.ends(|| failed(error)),
    }
}

pub(super) fn failed(error: &BroadcastError) -> Outcome {
    let why = with_causes(error);
    match error {
        BroadcastError::Render(_) | BroadcastError::Json(_) => Outcome::FailedToRender { why },
        BroadcastError::NotTaken(_) | BroadcastError::Closed => Outcome::Refused { why },
        BroadcastError::RolledBack => Outcome::RolledBack,
        _ => Outcome::Invalid { why },
    }
}
