//! A node's connection for what it asks: made when it is needed, given up when it is lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::backend::{Backend, Failure};
use crate::epoch::{self, Agreed};

/// Between two attempts to connect. A server that comes back is found soon, and one that is gone is not
/// burdened.
pub(crate) const PAUSE: Duration = Duration::from_millis(200);

/// How nodes, epochs and keys are made, so that nobody makes the same.
pub(crate) type Random = Arc<dyn Fn() -> u64 + Send + Sync>;

pub(crate) struct Line<B: Backend> {
    backend: Arc<B>,
    random: Random,
    open: Mutex<Option<Open<B::Session>>>,
}

/// A connection whose server has the history of this epoch.
pub(crate) struct Open<S> {
    pub(crate) session: Arc<S>,
    pub(crate) agreed: Agreed,
}

impl<S> Clone for Open<S> {
    fn clone(&self) -> Self {
        Self { session: Arc::clone(&self.session), agreed: self.agreed }
    }
}

impl<B: Backend> Line<B> {
    pub(crate) fn new(backend: Arc<B>, random: Random) -> Self {
        Self { backend, random, open: Mutex::new(None) }
    }

    /// The connection, or a new one.
    pub(crate) async fn open(&self) -> Result<Open<B::Session>, Failure> {
        let mut open = self.open.lock().await;
        if let Some(open) = &*open {
            return Ok(open.clone());
        }
        let session = Arc::new(self.backend.connect().await?);
        let agreed = epoch::agree(&*session, &*self.random).await?;
        Ok(open.insert(Open { session, agreed }).clone())
    }

    /// It is of no use any more: the next one asks for the epoch anew.
    pub(crate) async fn lose(&self, lost: &Open<B::Session>) {
        let mut open = self.open.lock().await;
        if open.as_ref().is_some_and(|open| Arc::ptr_eq(&open.session, &lost.session)) {
            *open = None;
        }
    }

    /// Asks over the connection, and gives it up if it is lost.
    pub(crate) async fn ask<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        ask: impl FnOnce(Open<B::Session>) -> F,
    ) -> Result<T, Failure> {
        let open = self.open().await?;
        let answer = ask(open.clone()).await;
        if matches!(answer, Err(Failure::Lost(_) | Failure::OtherEpoch)) {
            self.lose(&open).await;
        }
        answer
    }
}
