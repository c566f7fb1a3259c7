//! What a test can do to the server from outside.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use forebay::signing::Subject;
use forebay::{Html, Position, Revocation, Sent, StreamName, Turbo, TurboStream};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Answer;
use crate::messages::{self, Failure, Message, Room};
use crate::{App, gates};

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/gates/{name}/close", post(close))
        .route("/gates/{name}/open", post(open))
        .route("/gates/{name}/reached", get(reached))
        .route("/rooms/{id}/flood", post(flood))
        .route("/rooms/{id}/race", post(race))
        .route("/rooms/{id}/rollback", post(rollback))
        .route("/rooms/{id}/raw", post(raw))
        .route("/rooms/{id}/append", post(append))
        .route("/streams/publish", post(publish))
        .route("/rooms/{id}/source", get(source))
        .route("/stats", get(stats))
        .route("/access", post(access))
        .route("/revoke", post(revoke))
}

async fn close(State(app): State<App>, Path(name): Path<String>) {
    gates::Gates::close(&app.gates, &name);
}

async fn open(State(app): State<App>, Path(name): Path<String>) {
    app.gates.open(&name);
}

async fn reached(State(app): State<App>, Path(name): Path<String>) {
    app.gates.reached(&name).await;
}

#[derive(Deserialize)]
struct Flood {
    count: usize,
    #[serde(default)]
    from: usize,
}

/// Inserts messages `from`, `from + 1`, … one after the other.
async fn flood(
    State(app): State<App>,
    turbo: Turbo,
    Path(room): Path<i64>,
    Query(flood): Query<Flood>,
) -> Result<StatusCode, Failure> {
    for n in flood.from..flood.from + flood.count {
        messages::insert(&app, &turbo, room, &format!("message {n}")).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Three publishers that race on one stream, without the database between them.
async fn race(
    State(app): State<App>,
    Path(room): Path<i64>,
    Query(flood): Query<Flood>,
) -> Result<StatusCode, Failure> {
    let stream = app.forebay.stream_name((&Room { id: room }, "messages"))?;
    let publishers: Vec<_> = (0..3)
        .map(|publisher| {
            let (forebay, stream) = (app.forebay.clone(), stream.clone());
            tokio::spawn(async move {
                for n in 0..flood.count {
                    let row = Html::raw(format!("<li>publisher {publisher} row {n}</li>"));
                    let tag = TurboStream::append("messages").html(row);
                    forebay.broadcast().stream_to(&stream, tag).await?;
                    tokio::task::yield_now().await;
                }
                Ok::<_, forebay::BroadcastError>(())
            })
        })
        .collect();
    for publisher in publishers {
        publisher.await??;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Inserts and broadcasts in a transaction that is rolled back, then in a savepoint that is, then
/// in one that is kept.
async fn rollback(
    State(app): State<App>,
    turbo: Turbo,
    Path(room): Path<i64>,
) -> Result<StatusCode, Failure> {
    let stream = (&Room { id: room }, "messages");
    let row =
        |text: &str| TurboStream::append("messages").html(Html::raw(format!("<li>{text}</li>")));
    let transaction = turbo.begin(&app.pool).await?;
    transaction.broadcast().stream_to(stream, row("rolled back")).await?;
    transaction.rollback().await?;
    let mut transaction = turbo.begin(&app.pool).await?;
    let savepoint = transaction.begin().await?;
    savepoint.broadcast().stream_to(stream, row("savepoint rolled back")).await?;
    savepoint.rollback().await?;
    let savepoint = transaction.begin().await?;
    savepoint.broadcast().stream_to(stream, row("savepoint kept")).await?;
    savepoint.commit().await?;
    app.gates.pass("before_commit").await;
    transaction.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct Raw {
    html: String,
    #[serde(default)]
    stream: Option<String>,
}

/// Broadcasts this HTML as it is. `{source}` in it becomes a source tag of the room's `region`
/// stream, with this request's cursor. Answers how many subscriptions it woke.
async fn raw(
    turbo: Turbo,
    Path(room): Path<i64>,
    Form(raw): Form<Raw>,
) -> Result<Json<usize>, Failure> {
    let source = turbo.stream_from((&Room { id: room }, "region"))?.to_string();
    let html = Html::raw(raw.html.replace("{source}", &source));
    let stream = raw.stream.unwrap_or_else(|| "messages".to_owned());
    let sent = turbo.broadcast().render_to((&Room { id: room }, stream), &html).await?;
    let Sent::Published { subscribers, .. } = sent else {
        return Err("it was not published at once".into());
    };
    Ok(Json(subscribers))
}

#[derive(Deserialize)]
struct Append {
    target: String,
    text: String,
}

/// Broadcasts a message that nobody has written, to this target.
async fn append(
    turbo: Turbo,
    Path(room): Path<i64>,
    Form(append): Form<Append>,
) -> Result<StatusCode, Failure> {
    let message = Message { id: 0, room, body: append.text };
    let broadcast = turbo.broadcast().append_to((&Room { id: room }, "messages"), &message);
    broadcast.target(append.target).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct Publish {
    stream: String,
    json: String,
}

/// Publishes a JSON value to a stream by its whole name.
async fn publish(
    State(app): State<App>,
    Form(publish): Form<Publish>,
) -> Result<StatusCode, Failure> {
    let value: Value = serde_json::from_str(&publish.json)?;
    app.forebay.broadcast().json_to(StreamName::raw(publish.stream), &value).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a script needs to subscribe by itself.
async fn source(turbo: Turbo, Path(room): Path<i64>) -> Result<Json<Value>, Failure> {
    let name = turbo.forebay().stream_name((&Room { id: room }, "messages"))?;
    let signed = turbo.forebay().sign(&name);
    Ok(Json(json!({
        "stream": name.as_str(),
        "signed_stream_name": signed,
        "cursor": turbo.page_cursor().cursor_for(Subject::Signed(&signed)),
    })))
}

async fn stats(State(app): State<App>) -> Json<Value> {
    let counters: serde_json::Map<_, _> =
        app.forebay.stats().iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let Position { offset, .. } = app.forebay.position();
    Json(json!({
        "counters": counters,
        "connections": app.forebay.connections(),
        "offset": offset.0,
    }))
}

#[derive(Deserialize)]
struct Access {
    answer: Answer,
}

/// What the connect hook answers from now on.
async fn access(State(app): State<App>, Form(Access { answer }): Form<Access>) {
    app.access.set(answer);
}

#[derive(Deserialize)]
struct Revoke {
    identity: String,
    stream: String,
}

/// Takes somebody's access to a stream back.
async fn revoke(
    State(app): State<App>,
    Form(Revoke { identity, stream }): Form<Revoke>,
) -> Result<StatusCode, Failure> {
    app.forebay.revoke(Revocation::of(identity, stream)).await?;
    Ok(StatusCode::NO_CONTENT)
}
