//! Known-bad designs, kept so that the tests can show that they would notice them.
//!
//! A cursor taken when the tag is rendered; no cursor at all (plain Action Cable); and a server
//! that reads history first and subscribes afterwards.

use axum::extract::State;
use axum::extract::ws::{Message as Frame, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use forebay::signing::{Cursor, CursorSigner, Key, KeyDigest, PageCursor, Subject, Verifier};
use forebay::turbo::StreamSource;
use forebay::{StreamNameError, Streamable, Turbo};
use serde_json::{Value, json};

use crate::messages::Message;
use crate::{App, SECRET};

/// The log's position at this moment, when the data has long been read.
pub(crate) fn late_source(
    app: &App,
    stream: impl Streamable,
) -> Result<StreamSource, StreamNameError> {
    source_at(app, stream, SECRET, 0)
}

/// A cursor of another key.
pub(crate) fn foreign_source(
    app: &App,
    stream: impl Streamable,
) -> Result<StreamSource, StreamNameError> {
    source_at(app, stream, "another secret", 0)
}

/// A cursor of this epoch, for entries that do not exist yet.
pub(crate) fn future_source(
    app: &App,
    stream: impl Streamable,
) -> Result<StreamSource, StreamNameError> {
    source_at(app, stream, SECRET, 1_000_000)
}

/// A tag of some time ago, when it was good for a while.
pub(crate) fn expired_source(
    app: &App,
    turbo: &Turbo,
    stream: impl Streamable,
) -> Result<StreamSource, StreamNameError> {
    let verifier = Verifier::new(Key::derive_turbo(SECRET, KeyDigest::Sha256));
    let name = app.forebay.stream_name(stream)?;
    let signed = verifier.sign_expiring(name.as_str(), 1_000);
    Ok(source_from(signed, turbo.page_cursor()))
}

fn source_at(
    app: &App,
    stream: impl Streamable,
    secret: &str,
    ahead: u64,
) -> Result<StreamSource, StreamNameError> {
    let key = Key::derive_turbo(secret, KeyDigest::Sha256);
    let position = app.forebay.position();
    let (epoch, offset) = (position.epoch.0, position.offset.0 + ahead);
    let page = CursorSigner::new(&key).page(Cursor { epoch, offset, page: 0 });
    let signed = app.forebay.sign(&app.forebay.stream_name(stream)?);
    Ok(source_from(signed, &page))
}

fn source_from(signed: String, page: &PageCursor) -> StreamSource {
    let cursor = page.cursor_for(Subject::Signed(&signed));
    StreamSource::new(signed).cursor(&cursor)
}

/// The cursor where no element looks: a morph changes it, and nobody subscribes anew.
pub(crate) fn unobserved_source(
    app: &App,
    turbo: &Turbo,
    stream: impl Streamable,
) -> Result<StreamSource, StreamNameError> {
    let signed = app.forebay.sign(&app.forebay.stream_name(stream)?);
    let cursor = turbo.page_cursor().cursor_for(Subject::Signed(&signed));
    Ok(StreamSource::new(signed).data("cursor", cursor))
}

/// turbo-rails' own tag.
pub(crate) fn plain_source(
    app: &App,
    stream: impl Streamable,
) -> Result<StreamSource, StreamNameError> {
    Ok(StreamSource::new(app.forebay.sign(&app.forebay.stream_name(stream)?)))
}

/// Action Cable whose history is not attached atomically: what is inserted between reading it
/// and following the room is lost. The gate `subscribe` stands between the two, and so in the
/// middle of subscribing, as in `GatedChannel`.
pub(crate) async fn detached_history(
    State(app): State<App>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade
        .protocols(["actioncable-v1-json"])
        .on_upgrade(|socket| async move { drop(converse(app, socket).await) })
}

async fn converse(app: App, mut socket: WebSocket) -> anyhow::Result<()> {
    send(&mut socket, &json!({ "type": "welcome" })).await?;
    let identifier = loop {
        let Some(frame) = socket.recv().await else { return Ok(()) };
        let Frame::Text(text) = frame? else { continue };
        let command: Value = serde_json::from_str(&text)?;
        if command["command"] == "subscribe" {
            break command["identifier"].clone();
        }
    };
    // Room 1 is the only one that these tests look at. The database stands for the history.
    let history = Message::of_room(&app.pool, 1).await?;
    app.gates.pass("subscribe").await;
    let mut seen = Message::of_room(&app.pool, 1).await?.last().map_or(0, |message| message.id);
    send(&mut socket, &json!({ "identifier": identifier, "type": "confirm_subscription" })).await?;
    for message in history {
        send_row(&mut socket, &identifier, &message).await?;
    }
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(20));
    let mut pings = tokio::time::interval(std::time::Duration::from_secs(3));
    loop {
        tokio::select! {
            frame = socket.recv() => if frame.is_none() { return Ok(()) },
            _ = pings.tick() => send(&mut socket, &json!({ "type": "ping", "message": 0 })).await?,
            _ = ticks.tick() => {
                for message in Message::of_room(&app.pool, 1).await? {
                    if message.id > seen {
                        seen = message.id;
                        send_row(&mut socket, &identifier, &message).await?;
                    }
                }
            }
        }
    }
}

async fn send_row(socket: &mut WebSocket, id: &Value, message: &Message) -> anyhow::Result<()> {
    let tag = forebay::TurboStream::append("messages").render(message)?;
    send(socket, &json!({ "identifier": id, "message": tag.to_string() })).await
}

async fn send(socket: &mut WebSocket, value: &Value) -> anyhow::Result<()> {
    socket.send(Frame::Text(value.to_string().into())).await?;
    Ok(())
}
