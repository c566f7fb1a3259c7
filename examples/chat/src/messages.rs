//! Messages: sent, edited in a frame, deleted; each time all pages of the room are told.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{Redirect, Response};
use forebay::{Record as _, Streamable, Turbo, TurboStream};
use serde::Deserialize;
use sqlx::{FromRow, SqliteExecutor, SqlitePool};

use crate::errors::Failure;
use crate::moment::Moment;
use crate::rooms::{self, Room};
use crate::statistics;
use crate::viewer::{Person, Viewer};

const BODY_CHARS_MAX: usize = 2000;

/// A row, and by `Streamable` and `Template` its element `message_1` and what stands there: all
/// that a broadcast needs to know.
#[derive(FromRow, Streamable, Template)]
#[template(path = "messages/_message.html")]
pub(crate) struct Message {
    id: i64,
    room_id: i64,
    author: Person,
    body: String,
    edited: bool,
    sent_at: Moment,
}

impl Message {
    /// The oldest first.
    pub(crate) async fn of_room(
        database: impl SqliteExecutor<'_>,
        room_id: i64,
    ) -> sqlx::Result<Vec<Self>> {
        let select = "select * from messages where room_id = ? order by id";
        sqlx::query_as(select).bind(room_id).fetch_all(database).await
    }

    async fn find(database: impl SqliteExecutor<'_>, id: i64) -> Result<Self, Failure> {
        let select = sqlx::query_as("select * from messages where id = ?");
        select.bind(id).fetch_optional(database).await?.ok_or(Failure::NotFound)
    }
}

/// The form of a new message, and of one that is edited.
#[derive(Default, Deserialize)]
pub(crate) struct MessageForm {
    #[serde(default, rename = "as")]
    author: Person,
    pub(crate) body: String,
    #[serde(skip)]
    pub(crate) error: Option<&'static str>,
}

impl MessageForm {
    /// The text to store, or the form as it is shown again.
    fn check(self) -> Result<String, Self> {
        let body = self.body.trim();
        let error = match body.chars().count() {
            0 => "Write something first.",
            1..=BODY_CHARS_MAX => return Ok(body.to_owned()),
            _ => "That is too long: 2000 characters at most.",
        };
        Err(Self { error: Some(error), ..self })
    }
}

/// The empty form, which takes the place of the one that was sent.
#[derive(Template)]
#[template(path = "messages/_new.html")]
struct NewMessage<'a> {
    room: &'a Room,
    viewer: Viewer,
    form: MessageForm,
}

pub(crate) async fn create(
    State(pool): State<SqlitePool>,
    turbo: Turbo,
    Path(room_id): Path<i64>,
    Form(form): Form<MessageForm>,
) -> Result<Response, Failure> {
    let room = Room::find(&pool, room_id).await?;
    let author = form.author;
    let viewer = Viewer { person: author, ..Viewer::default() };
    let body = match form.check() {
        Ok(body) => body,
        Err(form) => {
            let page = rooms::Page::load(&pool, turbo.clone(), room, viewer, form).await?;
            return Ok(turbo.invalid(&page)?);
        }
    };

    let mut transaction = turbo.begin(&pool).await?;
    let insert = "insert into messages (room_id, author, body) values (?, ?, ?) returning *";
    let message: Message = sqlx::query_as(insert)
        .bind(room_id)
        .bind(author)
        .bind(body)
        .fetch_one(&mut *transaction)
        .await?;
    statistics::broadcast(&mut transaction, room_id).await?;
    transaction.broadcast().append_to((&room, "messages"), &message).await?;
    // The broadcasts are rows of the same transaction, and go out here. If anything fails before, neither they nor
    // the message exist; if the process is killed behind it, its next start sends them.
    transaction.commit().await?;

    // The answer only empties the form. The message comes to this page as to all others, by its
    // broadcast, and so in the same order.
    let empty = NewMessage { room: &room, viewer, form: MessageForm::default() };
    let answer = TurboStream::replace("new_message").render(&empty)?;
    let otherwise = || Redirect::to(&format!("/rooms/{room_id}?as={}", author.slug()));
    Ok(turbo.respond(answer, otherwise))
}

/// The message for its frame: after Cancel, and after it was saved.
pub(crate) async fn show(
    State(pool): State<SqlitePool>,
    turbo: Turbo,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    let message = Message::find(&pool, id).await?;
    if turbo.frame_request().is_some() {
        Ok(turbo.page(&message)?)
    } else {
        Ok(turbo.redirect(&format!("/rooms/{}", message.room_id)))
    }
}

#[derive(Template)]
#[template(path = "messages/edit.html")]
struct Edit {
    message: Message,
    form: MessageForm,
}

pub(crate) async fn edit(
    State(pool): State<SqlitePool>,
    turbo: Turbo,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    let message = Message::find(&pool, id).await?;
    let form = MessageForm { body: message.body.clone(), ..MessageForm::default() };
    Ok(turbo.page(&Edit { message, form })?)
}

pub(crate) async fn update(
    State(pool): State<SqlitePool>,
    turbo: Turbo,
    Path(id): Path<i64>,
    Form(form): Form<MessageForm>,
) -> Result<Response, Failure> {
    let body = match form.check() {
        Ok(body) => body,
        Err(form) => {
            let message = Message::find(&pool, id).await?;
            return Ok(turbo.invalid(&Edit { message, form })?);
        }
    };

    let mut transaction = turbo.begin(&pool).await?;
    let update = "update messages set body = ?, edited = true where id = ? returning *";
    let message: Message = sqlx::query_as(update)
        .bind(body)
        .bind(id)
        .fetch_optional(&mut *transaction)
        .await?
        .ok_or(Failure::NotFound)?;
    let room = Room::find(&mut *transaction, message.room_id).await?;
    transaction.broadcast().replace_to((&room, "messages"), &message).await?;
    transaction.commit().await?;

    // The broadcast has replaced the form already, unless this page is offline.
    Ok(turbo.redirect(&format!("/messages/{id}")))
}

pub(crate) async fn destroy(
    State(pool): State<SqlitePool>,
    turbo: Turbo,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    let mut transaction = turbo.begin(&pool).await?;
    let message: Message = sqlx::query_as("delete from messages where id = ? returning *")
        .bind(id)
        .fetch_optional(&mut *transaction)
        .await?
        .ok_or(Failure::NotFound)?;
    let room = statistics::broadcast(&mut transaction, message.room_id).await?;
    transaction.broadcast().remove_to((&room, "messages"), &message).await?;
    transaction.commit().await?;

    let otherwise = || Redirect::to(&format!("/rooms/{}", room.id));
    Ok(turbo.respond(TurboStream::remove(&message), otherwise))
}
