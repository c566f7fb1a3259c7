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

use forebay_hub::{Broadcast, Hub, Published, Trace};
use forebay_inspect::Outcome;
use forebay_log::{Class, Message};
use forebay_turbo::{Action, Html, StreamName};
use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::body::Tag;
use super::draft::{BroadcastError, Sent};

/// Streams with a window that has not ended. One entry for each stream that was refreshed within
/// the last window.
type Windows = Mutex<HashMap<StreamName, Option<Waiting>>>;

/// A refresh that waits for the end of its window, and the rows of the outbox that it stands for.
struct Waiting {
    refresh: Encoded,
    tickets: Vec<Ticket>,
}

/// A refresh that is encoded.
pub(crate) struct Encoded {
    json: String,
    /// The request whose page is left out, and the refresh without that.
    request: Option<(String, String)>,
    trace: Trace,
}

/// Says that a row's refresh is sent.
pub(crate) struct Ticket {
    id: i64,
    sent: Tickets,
}

/// Rows whose refreshes are sent.
#[derive(Clone, Default)]
pub(crate) struct Tickets(Arc<Mutex<Vec<i64>>>);

#[derive(Clone)]
pub(crate) struct Refreshes {
    hub: Hub,
    window: Duration,
    windows: Arc<Windows>,
}

impl Refreshes {
    pub(crate) fn new(hub: Hub, window: Duration) -> Self {
        Self { hub, window, windows: Arc::default() }
    }

    pub(crate) async fn refresh(
        &self,
        stream: &StreamName,
        refresh: Encoded,
        ticket: Option<Ticket>,
    ) -> Result<Sent, BroadcastError> {
        let waiting = Waiting { refresh, tickets: ticket.into_iter().collect() };
        let Some(waiting) = self.open_window(stream, waiting)? else { return Ok(Sent::Debounced) };
        let trace = waiting.refresh.trace.clone();
        let message = waiting.refresh.message();
        let published = self.hub.publish(publication(stream, message)).await?;
        trace.published(published);
        let Published { position, subscribers } = published;
        Ok(Sent::Published { position, subscribers })
    }

    /// Opens a window for the stream. Gives nothing where it has one, at whose end this is sent.
    fn open_window(
        &self,
        stream: &StreamName,
        new: Waiting,
    ) -> Result<Option<Waiting>, BroadcastError> {
        let mut windows = self.windows.lock();
        if let Some(waiting) = windows.get_mut(stream) {
            *waiting = Some(match waiting.take() {
                Some(earlier) => merge(earlier, new),
                None => new,
            });
            return Ok(None);
        }
        let runtime = Handle::try_current().map_err(|_| BroadcastError::NoRuntime)?;
        windows.insert(stream.clone(), None);
        drop(windows);
        let (hub, windows) = (self.hub.clone(), Arc::downgrade(&self.windows));
        runtime.spawn(run_window(Window { hub, windows, stream: stream.clone() }, self.window));
        Ok(Some(new))
    }

    /// Sends what waits, without waiting for the end of its window.
    pub(crate) async fn flush(&self) {
        let waiting: Vec<_> = {
            let mut windows = self.windows.lock();
            let waiting =
                windows.iter_mut().filter_map(|(stream, waits)| Some((stream, waits.take()?)));
            waiting.map(|(stream, waits)| (stream.clone(), waits)).collect()
        };
        for (stream, waiting) in waiting {
            publish_late(&self.hub, &stream, waiting).await;
        }
    }
}

/// One refresh for two. The later one's attributes count.
fn merge(earlier: Waiting, later: Waiting) -> Waiting {
    let mut tickets = earlier.tickets;
    tickets.extend(later.tickets);
    earlier.refresh.trace.ends(|| Outcome::Debounced);
    let mut refresh = later.refresh;
    let id = |refresh: &Encoded| refresh.request.as_ref().map(|(id, _)| id.clone());
    if id(&earlier.refresh) != id(&refresh)
        && let Some((_, plain)) = refresh.request.take()
    {
        refresh.json = plain;
    }
    Waiting { refresh, tickets }
}

impl Encoded {
    pub(super) fn of(tag: Tag) -> Self {
        let request_id = tag.request_id.clone();
        let attributes = tag.attributes.clone();
        let json = json(tag);
        let request = request_id.map(|id| {
            let plain = Tag { attributes, ..Tag::new(Action::Refresh, None) };
            (id.to_string(), self::json(plain))
        });
        Self { json, request, trace: Trace::default() }
    }

    pub(super) fn traced(self, trace: Trace) -> Self {
        trace.says(&self.json);
        Self { trace, ..self }
    }

    #[cfg(feature = "sqlx")]
    pub(super) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// One that was stored. What is not given is the plain refresh.
    #[cfg(feature = "sqlx")]
    pub(crate) fn stored(json: Option<String>, request: Option<forebay_outbox::Request>) -> Self {
        let tag = |request_id: Option<&str>| {
            self::json(Tag {
                request_id: request_id.map(Into::into),
                ..Tag::new(Action::Refresh, None)
            })
        };
        let id = request.as_ref().map(|request| request.id.as_str());
        let json = json.unwrap_or_else(|| tag(id));
        let request =
            request.map(|request| (request.id, request.plain.unwrap_or_else(|| tag(None))));
        Self { json, request, trace: Trace::default() }
    }

    /// To be stored.
    #[cfg(feature = "sqlx")]
    pub(crate) fn into_saying(self) -> forebay_outbox::Saying {
        let request =
            self.request.map(|(id, plain)| forebay_outbox::Request { id, plain: Some(plain) });
        forebay_outbox::Saying::Refresh { json: Some(self.json), request }
    }

    fn message(self) -> Message {
        let action = forebay_log::Action {
            name: Action::Refresh.as_str().into(),
            targets: forebay_log::Targets::Page,
        };
        Message::json(self.json).does(action)
    }
}

impl Ticket {
    fn report(self) {
        self.sent.0.lock().push(self.id);
    }
}

#[cfg(feature = "sqlx")]
impl Tickets {
    pub(crate) fn give(&self, id: i64) -> Ticket {
        Ticket { id, sent: self.clone() }
    }

    /// The rows since the last call.
    pub(crate) fn take(&self) -> Vec<i64> {
        std::mem::take(&mut self.0.lock())
    }
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
        // The rows that it stands for are not said to be sent: nobody hears whether it was.
        if let Some(waiting) = waiting {
            self.hub.post(publication(&self.stream, waiting.refresh.message()));
        }
    }
}

/// Ends a stream's window, and begins the next for as long as there is something to send.
async fn run_window(window: Window, length: Duration) {
    loop {
        tokio::time::sleep(length).await;
        let Some(windows) = window.windows.upgrade() else { return };
        let Some(waiting) = windows.lock().get_mut(&window.stream).and_then(Option::take) else {
            return;
        };
        publish_late(&window.hub, &window.stream, waiting).await;
    }
}

/// Whoever asked for it has gone on: what the log does not take is a gap for its pages, which load
/// themselves for that.
async fn publish_late(hub: &Hub, stream: &StreamName, waiting: Waiting) {
    let Waiting { refresh, tickets } = waiting;
    let trace = refresh.trace.clone();
    match hub.publish(publication(stream, refresh.message())).await {
        Ok(published) => trace.published(published),
        Err(error) => {
            trace.ends(|| Outcome::Gap { why: error.to_string() });
            hub.gap([stream.as_str()]).await;
        }
    }
    tickets.into_iter().for_each(Ticket::report);
}

fn publication(stream: &StreamName, message: Message) -> Broadcast<'_> {
    Broadcast { stream: stream.as_str(), message, class: Class::Log }
}

fn json(tag: Tag) -> String {
    let html = tag.into_stream(Html::default()).to_string();
    serde_json::Value::String(html).to_string()
}
