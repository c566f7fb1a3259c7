//! Tells the application that the first member has come to a stream, or that the last has left.
//!
//! `POST` to `presence_webhook_url`, with a signed text as its body: what is signed is JSON, for the purpose
//! [`PURPOSE`], with the key and in the form of Turbo's stream names. It expires, so that nobody can say it again later.
//!
//! Events go one after the other, so that the application hears them in their order. Those that wait are bounded,
//! and one that is not taken is given up after some tries: each is logged then, and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::bail;
use forebay_core::{Forebay, raw};
use http::{StatusCode, Uri, header};
use serde_json::json;
use tokio::sync::mpsc;

use crate::client::post;

/// What the text is signed for.
const PURPOSE: &str = "webhook:presence";

/// Events that wait. With names of 200 bytes they are 200 KB.
const WAITING_MAX: usize = 1_000;

/// Tries of one event, with pauses that double: 0.25 s, then up to 4 s, 8 s together. With an application that
/// answers nothing it takes 38 s.
const TRIES_MAX: u32 = 6;
const PAUSE: Duration = Duration::from_millis(250);
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// How long a text is good.
const LIFETIME: Duration = Duration::from_mins(5);

/// What has happened to a stream.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    FirstIn,
    LastOut,
}

impl Event {
    const fn name(self) -> &'static str {
        match self {
            Self::FirstIn => "first_in",
            Self::LastOut => "last_out",
        }
    }
}

/// Where events are put. Clones put them into the same queue.
#[derive(Clone)]
pub(super) struct Events {
    queue: mpsc::Sender<(Event, String)>,
    dropped: Arc<AtomicU64>,
}

/// Who sends them.
pub(super) struct Webhook {
    url: Uri,
    events: mpsc::Receiver<(Event, String)>,
    dropped: Arc<AtomicU64>,
}

/// A queue, and who works it off.
pub(super) fn open(url: Uri) -> (Events, Webhook) {
    let (queue, events) = mpsc::channel(WAITING_MAX);
    let dropped = Arc::new(AtomicU64::new(0));
    (Events { queue, dropped: Arc::clone(&dropped) }, Webhook { url, events, dropped })
}

impl Events {
    /// Never waits: presence does not either.
    pub(super) fn put(&self, event: Event, stream: &str) {
        if self.queue.try_send((event, stream.to_owned())).is_err() {
            let before = self.dropped.fetch_add(1, Ordering::Relaxed);
            // The first one says it; the counter has them all.
            if before == 0 {
                let event = event.name();
                tracing::error!(
                    stream,
                    event,
                    "the application is not told: too many events wait for its webhook"
                );
            }
        }
    }
}

impl Webhook {
    /// Works the queue off for as long as the process lives.
    pub(super) async fn run(mut self, forebay: Forebay) {
        while let Some((event, stream)) = self.events.recv().await {
            self.tell(&forebay, event, &stream).await;
            raw::count_webhooks_dropped(&forebay, self.dropped.swap(0, Ordering::Relaxed));
        }
    }

    async fn tell(&self, forebay: &Forebay, event: Event, stream: &str) {
        let mut pause = PAUSE;
        for attempt in 1..=TRIES_MAX {
            let why = match self.post(forebay, event, stream).await {
                Ok(Told::Taken) => return raw::count_webhook(forebay),
                Ok(Told::Refused(status)) => {
                    tracing::error!(stream, event = event.name(), %status, "the application refuses a webhook");
                    break;
                }
                Err(error) => format!("{error:#}"),
            };
            if attempt == TRIES_MAX {
                tracing::error!(
                    stream,
                    event = event.name(),
                    why,
                    "the application was not told, in {TRIES_MAX} tries"
                );
                break;
            }
            tracing::warn!(stream, event = event.name(), why, "a webhook is tried again");
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    async fn post(&self, forebay: &Forebay, event: Event, stream: &str) -> anyhow::Result<Told> {
        let says = json!({ "event": event.name(), "stream": stream }).to_string();
        let body = raw::sign_for(forebay, &says, PURPOSE, LIFETIME);
        let headers = [(header::CONTENT_TYPE, "text/plain")];
        let (status, said) = post(&self.url, &headers, body, ANSWER_MAX).await?;
        match status {
            status if status.is_success() => Ok(Told::Taken),
            // What may be otherwise in a moment.
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                bail!("it answers {status}")
            }
            status if status.is_client_error() => Ok(Told::Refused(status)),
            status => bail!("it answers {status}: {}", raw::excerpt(said.trim())),
        }
    }
}

enum Told {
    Taken,
    Refused(StatusCode),
}
