//! Messages: what is stored, how it looks, and the handlers that change it.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use forebay::{Streamable, Turbo, TurboStream};
use serde::Deserialize;
use sqlx::{FromRow, SqlitePool};

use crate::App;

#[derive(Clone, FromRow, Streamable, Template)]
#[template(source = r#"<li id="message_{{ id }}">{{ body }}</li>"#, ext = "html")]
pub(crate) struct Message {
    pub(crate) id: i64,
    pub(crate) room: i64,
    pub(crate) body: String,
}

/// A room is no more than its number here.
#[derive(Clone, Streamable)]
pub(crate) struct Room {
    pub(crate) id: i64,
}

impl Message {
    pub(crate) async fn of_room(pool: &SqlitePool, room: i64) -> sqlx::Result<Vec<Self>> {
        sqlx::query_as("select id, room, body from messages where room = ? order by id")
            .bind(room)
            .fetch_all(pool)
            .await
    }
}

#[derive(Deserialize)]
pub(crate) struct Body {
    body: String,
}

/// Any error is a 500 with its text: this app is for tests.
pub(crate) struct Failure(String);

impl<E: std::fmt::Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.0).into_response()
    }
}

pub(crate) async fn create(
    State(app): State<App>,
    turbo: Turbo,
    Path(room): Path<i64>,
    Form(form): Form<Body>,
) -> Result<Response, Failure> {
    let message = insert(&app, &turbo, room, &form.body).await?;
    let tag = TurboStream::append("messages").render(&message)?;
    Ok(turbo.respond(tag, || Redirect::to(&format!("/rooms/{room}"))))
}

/// Inserts and, when that is committed, broadcasts.
pub(crate) async fn insert(
    app: &App,
    turbo: &Turbo,
    room: i64,
    body: &str,
) -> Result<Message, Failure> {
    let mut transaction = turbo.begin(&app.pool).await?;
    let message: Message =
        sqlx::query_as("insert into messages (room, body) values (?, ?) returning id, room, body")
            .bind(room)
            .bind(body)
            .fetch_one(&mut *transaction)
            .await?;
    let room = Room { id: room };
    // The answer appends it, too.
    transaction.broadcast().append_to((&room, "messages"), &message).reflected().await?;
    transaction.commit().await?;
    Ok(message)
}

pub(crate) async fn update(
    State(app): State<App>,
    turbo: Turbo,
    Path(id): Path<i64>,
    Form(form): Form<Body>,
) -> Result<Response, Failure> {
    let message: Message =
        sqlx::query_as("update messages set body = ? where id = ? returning id, room, body")
            .bind(&form.body)
            .bind(id)
            .fetch_one(&app.pool)
            .await?;
    let room = Room { id: message.room };
    turbo.broadcast().replace_to((&room, "messages"), &message).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn destroy(
    State(app): State<App>,
    turbo: Turbo,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    let message: Message =
        sqlx::query_as("delete from messages where id = ? returning id, room, body")
            .bind(id)
            .fetch_one(&app.pool)
            .await?;
    let room = Room { id: message.room };
    turbo.broadcast().remove_to((&room, "messages"), &message).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
