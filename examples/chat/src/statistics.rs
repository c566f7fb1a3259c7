//! A room's numbers: in a lazy frame that is live by itself, and in the list of rooms.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use forebay::{Record as _, Streamable, Transaction, Turbo};
use sqlx::{FromRow, Sqlite, SqliteExecutor, SqlitePool};

use crate::errors::Failure;
use crate::moment::Moment;
use crate::rooms::Room;

/// A room's numbers, and their element `statistics_1`.
#[derive(FromRow, Streamable, Template)]
#[template(path = "rooms/_statistics.html")]
struct Statistics {
    #[streamable(key)]
    room_id: i64,
    messages: i64,
    people: i64,
    first_at: Option<Moment>,
}

impl Statistics {
    async fn of_room(database: impl SqliteExecutor<'_>, room_id: i64) -> sqlx::Result<Self> {
        let select = "select ? as room_id, count(*) as messages, count(distinct author) as people, \
                      min(sent_at) as first_at from messages where room_id = ?";
        sqlx::query_as(select).bind(room_id).bind(room_id).fetch_one(database).await
    }
}

/// Tells the list and the open pages of a room how many messages there are now.
///
/// Only the newest number matters to a page that comes back: `state` keeps just that in history.
pub(crate) async fn broadcast(
    transaction: &mut Transaction<Sqlite>,
    room_id: i64,
) -> Result<Room, Failure> {
    let room = Room::find(&mut **transaction, room_id).await?;
    let statistics = Statistics::of_room(&mut **transaction, room_id).await?;
    let broadcast = transaction.broadcast();
    broadcast.replace_to("rooms", &room).state().await?;
    broadcast.replace_to((&room, "statistics"), &statistics).state().await?;
    Ok(room)
}

#[derive(Template)]
#[template(path = "rooms/statistics.html")]
struct Frame {
    turbo: Turbo,
    room: Room,
    statistics: Statistics,
}

/// What the lazy frame loads. It has a stream of its own, from this request's cursor on: the page
/// around it may have been rendered long before.
pub(crate) async fn show(
    State(pool): State<SqlitePool>,
    turbo: Turbo,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    let room = Room::find(&pool, id).await?;
    let statistics = Statistics::of_room(&pool, id).await?;
    Ok(turbo.page(&Frame { turbo: turbo.clone(), room, statistics })?)
}
