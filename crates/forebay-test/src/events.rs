//! A page's `EventSource`: server-sent events, as the HTML standard has them (section 9.2).

use http::Request;
use http::header::{ACCEPT, HeaderValue};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;

use crate::app::TestApp;
use crate::cable::NotConnected;
use crate::connect::{self, BoxError};

pub(crate) struct Events {
    body: Incoming,
    unread: String,
}

/// One event.
pub(crate) struct Event {
    /// Its kind. Turbo listens to `message`, which is the usual one.
    pub(crate) name: String,
    pub(crate) data: String,
    /// Behind the last dot of its id: its place in the log.
    pub(crate) offset: Option<u64>,
}

impl Events {
    pub(crate) async fn open(app: &TestApp, path: &str) -> Result<Self, NotConnected> {
        let failed = |error: BoxError| NotConnected { status: None, says: error.to_string() };
        let request = Request::get(path).body(Full::default());
        let mut request = request.map_err(|error| failed(error.into()))?;
        app.add_headers(request.headers_mut());
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let answer = connect::send(&app.connect, request).await.map_err(failed)?;
        let (parts, body) = answer.into_parts();
        if !parts.status.is_success() {
            let says = connect::text(body).await.map_err(failed)?.trim().to_owned();
            return Err(NotConnected { status: Some(parts.status), says });
        }
        Ok(Self { body, unread: String::new() })
    }

    /// The next event with data. `None` where the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.unread.find("\n\n") {
                let event: String = self.unread.drain(..end + 2).collect();
                if let Some(event) = read(&event) {
                    return Some(event);
                }
                continue;
            }
            let frame = self.body.frame().await?.ok()?;
            let Ok(data) = frame.into_data() else { continue };
            self.unread.push_str(&String::from_utf8_lossy(&data));
        }
    }
}

fn read(event: &str) -> Option<Event> {
    let (mut name, mut data, mut offset) = ("message".to_owned(), Vec::new(), None);
    for line in event.lines() {
        match line.split_once(": ") {
            Some(("event", text)) => text.clone_into(&mut name),
            Some(("data", text)) => data.push(text),
            Some(("id", text)) => {
                offset = text.rsplit('.').next().and_then(|text| text.parse().ok());
            }
            _ => {}
        }
    }
    (!data.is_empty()).then(|| Event { name, data: data.join("\n"), offset })
}
