//! The life of the process: serving, ending; and what moves it on: signals, and a successor.
//!
//! There are two ends. Where nobody keeps those who connect, the listeners stay open until the last page
//! has been told and has left. Where the kernel keeps them for the next process, which systemd or a
//! successor starts, this one is quick: pages are told at once, and whoever comes waits for the next.

use std::time::Duration;

use forebay_core::Forebay;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::takeover::{Heir, Meeting};

/// What the server does at the moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Phase {
    /// Everything is as it should be.
    Serving,
    /// As before, but load balancers are told to send nobody any more, and pages are told to leave.
    Draining,
    /// Nobody is let in, and answers are the last ones of their connections.
    Closing,
}

/// How long each part of an orderly end takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Shutdown {
    /// How long to go on before pages are told.
    pub(super) delay: Duration,
    /// Over how long pages are told to leave, at most.
    pub(super) spread: Duration,
    /// How long all that may take.
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

/// How long requests that run may take while the next process waits. Pages take a second at the most
/// (`Hub::shut_down`), so a visitor who connects meanwhile waits two seconds at the most.
const QUICK_MAX: Duration = Duration::from_millis(1_500);

/// Who follows, when this process ends.
#[derive(Debug)]
pub(super) enum Next {
    /// Nobody is known. Successors may ask here, where they can.
    Unknown(Option<Meeting>),
    /// systemd has the listeners, and keeps who connects.
    Systemd,
}

/// A second signal came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("ended at once by a second signal")]
pub(super) struct Interrupted;

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

    /// Whether answers are the last ones of their connections.
    pub(super) fn is_closing(&self) -> bool {
        *self.phase.borrow() == Phase::Closing
    }

    /// Waits until nobody is let in any more.
    pub(super) async fn closing(&self) {
        let mut phase = self.phase.subscribe();
        // The sender is ours: it is not gone.
        let _ = phase.wait_for(|phase| *phase == Phase::Closing).await;
    }

    /// Serves until the first signal, or until a successor asks, and ends well.
    ///
    /// # Errors
    /// [`Interrupted`] by a second signal.
    pub(super) async fn run(
        self,
        forebay: &Forebay,
        shutdown: Shutdown,
        servers: Vec<JoinHandle<()>>,
        next: Next,
    ) -> Result<(), Interrupted> {
        let mut heir = tokio::select! {
            () = self.signalled(1) => None,
            heir = next.heir() => Some(heir),
        };
        let ending = async {
            self.phase.send_replace(Phase::Draining);
            notify_stopping();
            tracing::info!("shutting down");
            let mut max = shutdown.timeout;
            if heir.is_none() && !matches!(next, Next::Systemd) {
                tokio::select! {
                    rest = drain(forebay, shutdown) => max = rest,
                    asked = next.heir() => heir = Some(asked),
                }
            }
            if heir.is_some() || matches!(next, Next::Systemd) {
                max = QUICK_MAX;
            }
            next.hand_over(heir).await;
            self.close(forebay, servers, max).await;
        };
        tokio::select! {
            () = ending => {}
            () = self.signalled(2) => return Err(Interrupted),
        }
        tracing::info!("bye");
        Ok(())
    }

    /// Lets nobody in any more, and ends what runs, within `max`.
    async fn close(&self, forebay: &Forebay, servers: Vec<JoinHandle<()>>, max: Duration) {
        self.begin_to_close();
        tracing::info!(pages = forebay.connections(), "closing");
        let served = async {
            for server in servers {
                // A server that panicked has been logged and is gone.
                let _ = server.await;
            }
        };
        let closed = async { tokio::join!(forebay.shut_down(Duration::ZERO), served) };
        if tokio::time::timeout(max, closed).await.is_err() {
            tracing::warn!(pages = forebay.connections(), "requests that still run are cut off");
        }
        // What publishers were still answered meanwhile.
        forebay.shut_down(Duration::ZERO).await;
    }

    /// Tells the accept loops and the connections.
    pub(super) fn begin_to_close(&self) {
        self.phase.send_replace(Phase::Closing);
    }

    /// Waits for so many signals.
    pub(super) async fn signalled(&self, times: u8) {
        let mut signals = self.signals.clone();
        let _ = signals.wait_for(|count| *count >= times).await;
    }
}

/// Tells the pages, while everybody is served. Gives what is left of the time.
async fn drain(forebay: &Forebay, shutdown: Shutdown) -> Duration {
    tokio::time::sleep(shutdown.delay).await;
    let began = tokio::time::Instant::now();
    let pages = forebay.connections();
    let gentle = SPREAD_PER_PAGE.saturating_mul(u32::try_from(pages).unwrap_or(u32::MAX));
    let spread = shutdown.spread.min(gentle);
    tracing::info!(pages, ?spread, "telling pages to reconnect");
    if tokio::time::timeout(shutdown.timeout, forebay.shut_down(spread)).await.is_err() {
        tracing::warn!(pages = forebay.connections(), "shutdown timeout: closing the rest");
    }
    shutdown.timeout.saturating_sub(began.elapsed())
}

impl Next {
    /// A successor that asks.
    async fn heir(&self) -> Heir {
        match self {
            Self::Unknown(Some(meeting)) => meeting.heir().await,
            Self::Unknown(None) | Self::Systemd => std::future::pending().await,
        }
    }

    /// Gives the listeners away, if somebody has asked; else there is nobody to ask any more.
    async fn hand_over(self, heir: Option<Heir>) {
        let (Self::Unknown(Some(meeting)), Some(heir)) = (self, heir) else { return };
        if let Err(error) = meeting.hand_over(&heir).await {
            tracing::error!(%error, "the successor could not be given the listeners");
        }
        // The end of the process closes it: that is what the successor waits for.
        std::mem::forget(heir);
    }
}

/// systemd is told, where it asks to be.
#[cfg(target_os = "linux")]
pub(super) fn notify_ready() {
    notify(sd_notify::NotifyState::Ready);
}

#[cfg(target_os = "linux")]
fn notify_stopping() {
    notify(sd_notify::NotifyState::Stopping);
}

#[cfg(target_os = "linux")]
fn notify(state: sd_notify::NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd could not be told");
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn notify_ready() {}

#[cfg(not(target_os = "linux"))]
fn notify_stopping() {}

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
