//! The app of `docs/axum.md`, whole: one room, its messages, live.
//!
//! `cargo run --example five_minutes --features askama,sqlx`, then open two windows on
//! <http://127.0.0.1:3000>. The page loads the stock client from wherever `TURBO_JS` says; the demo
//! in `examples/chat` shows how to bundle it.

use askama::Template;
use axum::Router;
use axum::extract::{Form, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use forebay::{Forebay, Streamable, Turbo, TurboStream};
use http::StatusCode;
use serde::Deserialize;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Row, SqlitePool};

#[derive(Streamable)]
struct Room {
    id: i64,
}

/// A record and its partial.
#[derive(Streamable, Template)]
#[template(source = r#"<p id="message_{{ id }}">{{ body }}</p>"#, ext = "html")]
struct Message {
    id: i64,
    body: String,
}

#[derive(Template)]
#[template(
    source = r#"<form id="new_message" action="/" method="post">
  <input name="body" aria-label="Message"> <button>Send</button>
  {% if let Some(error) = error %}<em>{{ error }}</em>{% endif %}
</form>"#,
    ext = "html"
)]
struct NewMessage {
    error: Option<&'static str>,
}

#[derive(Template)]
#[template(
    source = r#"<!DOCTYPE html>
<html lang="en"><head><script type="module" src="{{ script }}"></script></head><body>
{{ turbo.stream_from((&room, "messages"))? }}
<div id="messages">{% for message in messages %}{{ message|safe }}{% endfor %}</div>
{{ form|safe }}
</body></html>"#,
    ext = "html"
)]
struct Page {
    script: String,
    turbo: Turbo,
    room: Room,
    messages: Vec<Message>,
    form: NewMessage,
}

#[derive(Clone)]
struct App {
    pool: SqlitePool,
    script: String,
}

const ROOM: Room = Room { id: 1 };

async fn show(State(app): State<App>, turbo: Turbo) -> Result<Response, Failure> {
    let rows =
        sqlx::query("select id, body from messages order by id").fetch_all(&app.pool).await?;
    let messages =
        rows.iter().map(|row| Message { id: row.get("id"), body: row.get("body") }).collect();
    let form = NewMessage { error: None };
    let page = Page { script: app.script, turbo: turbo.clone(), room: ROOM, messages, form };
    Ok(turbo.page(&page)?)
}

#[derive(Deserialize)]
struct Input {
    body: String,
}

async fn create(
    State(app): State<App>,
    turbo: Turbo,
    Form(input): Form<Input>,
) -> Result<Response, Failure> {
    if input.body.trim().is_empty() {
        return Ok(turbo.invalid(&NewMessage { error: Some("Say something.") })?);
    }
    let mut transaction = turbo.begin(&app.pool).await?;
    let id = sqlx::query_scalar("insert into messages (body) values (?) returning id")
        .bind(&input.body)
        .fetch_one(&mut *transaction)
        .await?;
    let message = Message { id, body: input.body };
    transaction.broadcast().append_to((&ROOM, "messages"), &message).await?;
    transaction.commit().await?;
    let reset = TurboStream::replace("new_message").render(&NewMessage { error: None })?;
    Ok(turbo.respond(reset, || turbo.redirect("/")))
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
        tracing::error!(error = %self.0, "request failed");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
    sqlx::query("create table messages (id integer primary key, body text not null)")
        .execute(&pool)
        .await?;
    let script = std::env::var("TURBO_JS").unwrap_or_else(|_| "/turbo.js".to_owned());

    let secret = std::env::var("SECRET_KEY_BASE")?;
    let forebay = Forebay::builder().secret(secret).app("chat").build()?;
    let app = Router::new()
        .route("/", get(show).post(create))
        .merge(forebay.routes())
        .layer(forebay.layer())
        .with_state(App { pool, script });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
