//! Rooms: their live list, and the page of one.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{Redirect, Response};
use forebay::turbo::StreamSource;
use forebay::{Members, PresenceError, Record as _, Streamable, Turbo, TurboStream};
use serde::Deserialize;
use sqlx::{FromRow, SqliteExecutor, SqlitePool};

use crate::errors::Failure;
use crate::messages::{Message, MessageForm};
use crate::viewer::{Person, Viewer};
use crate::visitors::{self, Visitor};

const NAME_CHARS_MAX: usize = 80;

/// A row of the list, its element `room_1`, and its partial.
#[derive(FromRow, Streamable, Template)]
#[template(path = "rooms/_room.html")]
pub(crate) struct Room {
    pub(crate) id: i64,
    pub(crate) name: String,
    message_count: i64,
}

impl Room {
    async fn all(pool: &SqlitePool) -> sqlx::Result<Vec<Self>> {
        sqlx::query_as("select * from listed_rooms order by id").fetch_all(pool).await
    }

    pub(crate) async fn find(database: impl SqliteExecutor<'_>, id: i64) -> Result<Self, Failure> {
        let select = sqlx::query_as("select * from listed_rooms where id = ?");
        select.bind(id).fetch_optional(database).await?.ok_or(Failure::NotFound)
    }
}

#[derive(Default, Deserialize)]
pub(crate) struct RoomForm {
    name: String,
    #[serde(skip)]
    error: Option<&'static str>,
}

impl RoomForm {
    /// The name to store, or the form as it is shown again.
    fn check(self) -> Result<String, Self> {
        let name = self.name.trim();
        let error = match name.chars().count() {
            0 => "A room needs a name.",
            1..=NAME_CHARS_MAX => return Ok(name.to_owned()),
            _ => "That is too long: 80 characters at most.",
        };
        Err(Self { error: Some(error), ..self })
    }
}

#[derive(Template)]
#[template(path = "rooms/index.html")]
struct Index {
    turbo: Turbo,
    rooms: Vec<Room>,
    form: RoomForm,
}

pub(crate) async fn index(
    State(pool): State<SqlitePool>,
    turbo: Turbo,
) -> Result<Response, Failure> {
    let rooms = Room::all(&pool).await?;
    Ok(turbo.page(&Index { turbo: turbo.clone(), rooms, form: RoomForm::default() })?)
}

/// The empty form, which takes the place of the one that was sent.
#[derive(Template)]
#[template(path = "rooms/_new.html")]
struct NewRoom {
    form: RoomForm,
}

pub(crate) async fn create(
    State(pool): State<SqlitePool>,
    turbo: Turbo,
    Form(form): Form<RoomForm>,
) -> Result<Response, Failure> {
    let name = match form.check() {
        Ok(name) => name,
        Err(form) => {
            let rooms = Room::all(&pool).await?;
            return Ok(turbo.invalid(&Index { turbo: turbo.clone(), rooms, form })?);
        }
    };
    let mut transaction = turbo.begin(&pool).await?;
    let insert = "insert into rooms (name) values (?) returning *, 0 as message_count";
    let room: Room = sqlx::query_as(insert).bind(name).fetch_one(&mut *transaction).await?;
    transaction.broadcast().append_to("rooms", &room).await?;
    transaction.commit().await?;

    let empty = TurboStream::replace("new_room").render(&NewRoom { form: RoomForm::default() })?;
    Ok(turbo.respond(empty, || Redirect::to("/rooms")))
}

#[derive(Template)]
#[template(path = "rooms/show.html")]
pub(crate) struct Page {
    turbo: Turbo,
    room: Room,
    messages: Vec<Message>,
    here: Members<Visitor>,
    viewer: Viewer,
    form: MessageForm,
}

impl Page {
    pub(crate) async fn load(
        pool: &SqlitePool,
        turbo: Turbo,
        room: Room,
        viewer: Viewer,
        form: MessageForm,
    ) -> Result<Self, Failure> {
        let messages = Message::of_room(pool, room.id).await?;
        let here = visitors::of_room(&turbo, room.id)?;
        Ok(Self { turbo, room, messages, here, viewer, form })
    }

    /// The tag that makes whoever has this page a visitor of the room.
    fn presence(&self) -> Result<StreamSource, PresenceError> {
        visitors::tag(&self.here, self.room.id, self.viewer.person)
    }
}

pub(crate) async fn show(
    State(pool): State<SqlitePool>,
    turbo: Turbo,
    Path(id): Path<i64>,
    Query(viewer): Query<Viewer>,
) -> Result<Response, Failure> {
    let room = Room::find(&pool, id).await?;
    let form = MessageForm::default();
    Ok(turbo.page(&Page::load(&pool, turbo.clone(), room, viewer, form).await?)?)
}

#[derive(Template)]
#[template(path = "side_by_side.html")]
struct SideBySide {
    room: Room,
}

pub(crate) async fn side_by_side(
    State(pool): State<SqlitePool>,
    turbo: Turbo,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    Ok(turbo.page(&SideBySide { room: Room::find(&pool, id).await? })?)
}
