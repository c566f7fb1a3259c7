//! The app of `docs/axum.md`, whole: one room, its messages, live. The guide quotes this file, and
//! `e2e/tests/guides.test.js` runs it in Chromium.
//!
//! `cargo run --example five_minutes --features askama,sqlx`, then open two windows on
//! <http://127.0.0.1:3000>.

use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use forebay::{Forebay, Fsync, Streamable, Turbo, TurboStream};
use http::StatusCode;
use serde::Deserialize;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{FromRow, SqlitePool};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Streamable, FromRow)]
struct Room {
    id: i64,
    name: String,
}

/// A record, and its partial.
#[derive(Streamable, FromRow, Template)]
#[template(source = r#"<p id="message_{{ id }}">{{ body }}</p>"#, ext = "html")]
struct Message {
    id: i64,
    body: String,
}

#[derive(Template)]
#[template(
    source = r#"<form id="new_message" action="/rooms/{{ room_id }}/messages" method="post">
  <input name="body" value="{{ body }}" aria-label="Message"> <button>Send</button>
  {% if let Some(error) = error %}<em>{{ error }}</em>{% endif %}
</form>"#,
    ext = "html"
)]
struct NewMessage {
    room_id: i64,
    body: String,
    error: Option<&'static str>,
}

#[derive(Template)]
#[template(
    source = r#"<!DOCTYPE html>
<html lang="en">
<head>
  <title>{{ room.name }}</title>
  <script type="module" src="https://cdn.jsdelivr.net/npm/@hotwired/turbo-rails@8.0.23/app/assets/javascripts/turbo.js"></script>
</head>
<body>
  <h1>{{ room.name }}</h1>
  {{ turbo.stream_from((&room, "messages"))? }}
  <div id="messages">{% for message in messages %}{{ message|safe }}{% endfor %}</div>
  {{ form|safe }}
</body>
</html>"#,
    ext = "html"
)]
struct ShowRoom {
    turbo: Turbo,
    room: Room,
    messages: Vec<Message>,
    form: NewMessage,
}

async fn show(
    turbo: Turbo,
    State(pool): State<SqlitePool>,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    let room = find_room(&pool, id).await?;
    let messages = sqlx::query_as("select id, body from messages where room_id = ? order by id")
        .bind(id)
        .fetch_all(&pool)
        .await?;
    let form = NewMessage { room_id: id, body: String::new(), error: None };
    Ok(turbo.page(&ShowRoom { turbo: turbo.clone(), room, messages, form })?)
}

async fn find_room(pool: &SqlitePool, id: i64) -> Result<Room, sqlx::Error> {
    sqlx::query_as("select id, name from rooms where id = ?").bind(id).fetch_one(pool).await
}

#[derive(Deserialize)]
struct Input {
    body: String,
}

async fn create(
    turbo: Turbo,
    State(pool): State<SqlitePool>,
    Path(id): Path<i64>,
    Form(input): Form<Input>,
) -> Result<Response, Failure> {
    let room = find_room(&pool, id).await?;
    let to_room = || turbo.redirect(&format!("/rooms/{id}"));
    if input.body.trim().is_empty() {
        let form = NewMessage { room_id: id, body: input.body, error: Some("Say something.") };
        let form = TurboStream::replace("new_message").render(&form)?;
        return Ok(turbo.respond_invalid(form, to_room)); // 422
    }
    let mut transaction = turbo.begin(&pool).await?;
    let insert = "insert into messages (room_id, body) values (?, ?) returning id, body";
    let message: Message =
        sqlx::query_as(insert).bind(id).bind(&input.body).fetch_one(&mut *transaction).await?;
    transaction.broadcast().append_to((&room, "messages"), &message).await?;
    transaction.commit().await?; // the message is broadcast here
    let form = NewMessage { room_id: id, body: String::new(), error: None };
    let form = TurboStream::replace("new_message").render(&form)?;
    Ok(turbo.respond(form, to_room)) // 303 where there is no Turbo
}

/// Whatever went wrong: the client learns no more than that.
struct Failure(Box<dyn std::error::Error>);

impl<E: Into<Box<dyn std::error::Error>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        tracing::error!(error = &*self.0, "request failed");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

fn router(forebay: &Forebay, pool: SqlitePool) -> Router {
    let pages = Router::new()
        .route("/", get(|| async { Redirect::to("/rooms/1") }))
        .route("/rooms/{id}", get(show))
        .route("/rooms/{id}/messages", post(create));
    // Adds /cable, what forebay.js asks for, and the layer around all of it.
    forebay.mount(pages).with_state(pool)
}

async fn database() -> Result<SqlitePool, sqlx::Error> {
    // A database in memory is gone with its connection, so there is one, for ever.
    let options = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let pool = options.connect("sqlite::memory:").await?;
    let schema = "create table rooms (id integer primary key, name text not null);
        create table messages (id integer primary key, room_id integer not null, body text not null);
        insert into rooms (name) values ('Lobby');";
    sqlx::raw_sql(schema).execute(&pool).await?;
    Ok(pool)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let secret = std::env::var("SECRET_KEY_BASE")?; // any long random text; the same on every machine
    let builder = Forebay::builder().secret(secret).app("chat"); // the app's name in the streams of records
    let builder = match std::env::var_os("LOG_FOLDER") {
        // A restart that nobody notices.
        Some(folder) => builder.file_log(folder, Fsync::Os),
        None => builder,
    };
    let forebay = builder.build()?;
    let app = router(&forebay, database().await?);

    let port: u16 = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(([127, 0, 0, 1], port).into())?;
    let listener = socket.listen(4096)?;
    announce(&listener)?;

    let mut terminate = signal(SignalKind::terminate())?;
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            terminate.recv().await;
            forebay.shut_down(Duration::from_secs(5)).await; // clients come back spread over 5 s
        })
        .await?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what people and scripts wait for")]
fn announce(listener: &TcpListener) -> std::io::Result<()> {
    println!("ready http://{}", listener.local_addr()?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_message_is_broadcast_to_its_room() -> Result<(), Box<dyn std::error::Error>> {
        let forebay = Forebay::builder().secret("a secret for tests").app("chat").build()?;
        let app = router(&forebay, database().await?);
        let room = Room { id: 1, name: "Lobby".to_owned() };

        let before = forebay.position();
        let form = Request::post("/rooms/1/messages")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from("body=hello"))?;
        app.oneshot(form).await?;
        let entries = forebay.replay((&room, "messages"), before)?;
        assert_eq!(entries.len(), 1);
        assert!(entries[0].html().is_some_and(|html| html.contains("hello")));
        Ok(())
    }
}
