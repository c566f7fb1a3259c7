//! Debounced refreshes: the first at once, then at most one per window, and always the last.
//!
//! turbo-rails waits for half a second of quiet, so that steady writes are never shown, and a
//! script that ends at once shows nothing. Here a window has a fixed end.
//!
//! A page ignores a refresh that carries one of its own request ids. So a refresh that stands for
//! several may carry an id only if it was theirs all.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use forebay_hub::{Broadcast, Hub, Published};
use forebay_log::{Class, Message};
use forebay_turbo::{Html, StreamName};
use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::body::Tag;
use super::draft::{BroadcastError, Sent};

/// Streams with a window that has not ended. One entry for each stream that was refreshed within
/// the last window.
type Windows = Mutex<HashMap<StreamName, Option<Tag>>>;

pub(super) struct Refreshes {
    hub: Hub,
    window: Duration,
    windows: Arc<Windows>,
}

impl Refreshes {
    pub(super) fn new(hub: Hub, window: Duration) -> Self {
        Self { hub, window, windows: Arc::default() }
    }

    pub(super) async fn refresh(
        &self,
        stream: &StreamName,
        tag: Tag,
    ) -> Result<Sent, BroadcastError> {
        let Some(tag) = self.open_window(stream, tag)? else { return Ok(Sent::Debounced) };
        let message = message(tag);
        let Published { position, subscribers } =
            self.hub.publish(publication(stream, message)).await?;
        Ok(Sent::Published { position, subscribers })
    }

    /// Opens a window for the stream. Gives nothing where it has one, at whose end this is sent.
    fn open_window(&self, stream: &StreamName, tag: Tag) -> Result<Option<Tag>, BroadcastError> {
        let mut windows = self.windows.lock();
        if let Some(waiting) = windows.get_mut(stream) {
            *waiting = Some(match waiting.take() {
                Some(earlier) => merge(&earlier, tag),
                None => tag,
            });
            return Ok(None);
        }
        let runtime = Handle::try_current().map_err(|_| BroadcastError::NoRuntime)?;
        windows.insert(stream.clone(), None);
        drop(windows);
        let (hub, windows) = (self.hub.clone(), Arc::downgrade(&self.windows));
        runtime.spawn(run_window(Window { hub, windows, stream: stream.clone() }, self.window));
        Ok(Some(tag))
    }

    /// Sends what waits, without waiting for the end of its window.
    pub(super) async fn flush(&self) {
        let waiting: Vec<_> = {
            let mut windows = self.windows.lock();
            let waiting =
                windows.iter_mut().filter_map(|(stream, tag)| Some((stream, tag.take()?)));
            waiting.map(|(stream, tag)| (stream.clone(), tag)).collect()
        };
        for (stream, tag) in waiting {
            publish_late(&self.hub, &stream, tag).await;
        }
    }
}

/// One refresh for two. The later one's attributes count.
fn merge(earlier: &Tag, mut later: Tag) -> Tag {
    if earlier.request_id != later.request_id {
        later.request_id = None;
    }
    later
}

/// A runtime that ends ends its windows: what waits is sent, and the next refresh opens a new one.
struct Window {
    hub: Hub,
    windows: Weak<Windows>,
    stream: StreamName,
}

impl Drop for Window {
    fn drop(&mut self) {
        let Some(windows) = self.windows.upgrade() else { return };
        let waiting = windows.lock().remove(&self.stream).flatten();
        if let Some(tag) = waiting {
            self.hub.post(publication(&self.stream, message(tag)));
        }
    }
}

/// Ends a stream's window, and begins the next for as long as there is something to send.
async fn run_window(window: Window, length: Duration) {
    loop {
        tokio::time::sleep(length).await;
        let Some(windows) = window.windows.upgrade() else { return };
        let Some(tag) = windows.lock().get_mut(&window.stream).and_then(Option::take) else {
            return;
        };
        publish_late(&window.hub, &window.stream, tag).await;
    }
}

/// Whoever asked for it has gone on: what the log does not take is a gap for its pages, which load
/// themselves for that.
async fn publish_late(hub: &Hub, stream: &StreamName, tag: Tag) {
    if hub.publish(publication(stream, message(tag))).await.is_err() {
        hub.gap([stream.as_str()]).await;
    }
}

fn publication(stream: &StreamName, message: Message) -> Broadcast<'_> {
    Broadcast { stream: stream.as_str(), message, class: Class::Log }
}

fn message(tag: Tag) -> Message {
    let action = tag.action();
    let html = tag.into_stream(Html::default()).to_string();
    Message::json(serde_json::Value::String(html).to_string()).does(action)
}
