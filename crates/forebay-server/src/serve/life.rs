//! The life of the process: serving, draining, closing; and the signals that move it on.

use std::time::Duration;

use forebay::Forebay;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the server does at the moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Phase {
    /// Everything is as it should be.
    Serving,
    /// As before, but load balancers are told to send nobody any more.
    Draining,
    /// Nobody is let in, and who is in is told to leave.
    Closing,
}

/// How to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Shutdown {
    /// How long to drain before closing.
    pub(super) delay: Duration,
    /// Over how long pages are told to leave, at most.
    pub(super) spread: Duration,
    /// How long closing may take.
    pub(super) timeout: Duration,
}

impl Shutdown {
    /// The spread, if nobody says otherwise: with 10 000 pages, 1 000 reconnect each second.
    pub(super) const SPREAD_USUAL: Duration = Duration::from_secs(10);
}

/// A handle to the phase; clones see the same one.
#[derive(Clone, Debug)]
pub(super) struct Life {
    phase: watch::Sender<Phase>,
    signals: watch::Receiver<u8>,
}

/// Few pages are told to leave faster than many: one each 100 ms is no crowd.
const SPREAD_PER_PAGE: Duration = Duration::from_millis(100);

impl Life {
    /// Begins to serve, and to hear signals.
    pub(super) fn new() -> std::io::Result<Self> {
        let (sender, signals) = watch::channel(0);
        hear(sender)?;
        Ok(Self { phase: watch::Sender::new(Phase::Serving), signals })
    }

    /// Whether new connections should come here.
    pub(super) fn is_ready(&self) -> bool {
        *self.phase.borrow() == Phase::Serving
    }

    /// Waits until nobody is let in any more.
    pub(super) async fn closing(&self) {
        let mut phase = self.phase.subscribe();
        // The sender is ours: it is not gone.
        let _ = phase.wait_for(|phase| *phase == Phase::Closing).await;
    }

    /// Serves until the first signal, and ends well. A second signal ends the process at once.
    pub(super) async fn run(
        mut self,
        forebay: &Forebay,
        shutdown: Shutdown,
        servers: Vec<JoinHandle<()>>,
    ) {
        let mut signals = self.signals.clone();
        let _ = self.signals.wait_for(|count| *count > 0).await;
        tokio::spawn(async move {
            let _ = signals.wait_for(|count| *count > 1).await;
            tracing::warn!("second signal: ending at once");
            std::process::exit(i32::from(crate::FAILED));
        });

        self.phase.send_replace(Phase::Draining);
        tracing::info!(delay = ?shutdown.delay, "shutting down");
        tokio::time::sleep(shutdown.delay).await;
        self.phase.send_replace(Phase::Closing);

        let pages = forebay.connections();
        let gentle = SPREAD_PER_PAGE.saturating_mul(u32::try_from(pages).unwrap_or(u32::MAX));
        let spread = shutdown.spread.min(gentle);
        tracing::info!(pages, ?spread, "telling pages to reconnect");
        let closing = async {
            forebay.shut_down(spread).await;
            for server in servers {
                // A server that panicked has been logged and is gone.
                let _ = server.await;
            }
            // What publishers were still answered meanwhile.
            forebay.shut_down(Duration::ZERO).await;
        };
        if tokio::time::timeout(shutdown.timeout, closing).await.is_err() {
            tracing::warn!(pages = forebay.connections(), "shutdown timeout: closing the rest");
        }
        tracing::info!("bye");
    }
}

/// Counts the signals that ask to end.
#[cfg(unix)]
fn hear(count: watch::Sender<u8>) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            count.send_modify(|count| *count = count.saturating_add(1));
        }
    });
    Ok(())
}

/// Counts the signals that ask to end.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "on Unix it can fail")]
fn hear(count: watch::Sender<u8>) -> std::io::Result<()> {
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            count.send_modify(|count| *count = count.saturating_add(1));
        }
    });
    Ok(())
}
