//! Who is in a room, and who is typing there.

use askama::Template;
use axum::Form;
use axum::extract::Path;
use axum::http::StatusCode;
use forebay::presence::Presence;
use forebay::{
    Members, PresenceError, Record as _, StreamNameError, Streamable, Turbo, TurboStream,
};
use serde::{Deserialize, Serialize};

use crate::errors::Failure;
use crate::viewer::Person;

/// Somebody in a room, its element `visitor_1_ada`, and its partial. What is told to other nodes is this as JSON.
#[derive(Clone, Streamable, Serialize, Deserialize, Template)]
#[template(path = "rooms/_visitor.html")]
pub(crate) struct Visitor {
    #[streamable(key)]
    room: i64,
    #[streamable(key)]
    person: Person,
    typing: bool,
}

/// How pages are shown who comes and leaves: by the partial, and how many there are.
pub(crate) fn presence() -> Presence<Visitor> {
    Presence::<Visitor>::new()
        .streams("visitors:*")
        .count(|_, total| TurboStream::update("visitors_total").text(total.to_string()))
}

/// Who is in a room.
pub(crate) fn of_room(turbo: &Turbo, room: i64) -> Result<Members<Visitor>, StreamNameError> {
    turbo.members(("visitors", room))
}

/// The tag that makes whoever looks at the room's page a visitor of it.
pub(crate) fn tag(
    here: &Members<Visitor>,
    room: i64,
    person: Person,
) -> Result<forebay::turbo::StreamSource, PresenceError> {
    // In another tab they may be typing.
    let is_me = |visitor: &&Visitor| visitor.person == person;
    let me = here.iter().find(is_me).cloned();
    here.presence_from(&me.unwrap_or(Visitor { room, person, typing: false }))
}

#[derive(Deserialize)]
pub(crate) struct Typing {
    #[serde(rename = "as")]
    person: Person,
    typing: bool,
}

/// What `assets/typing.js` says of the composer.
pub(crate) async fn typing(
    turbo: Turbo,
    Path(room): Path<i64>,
    Form(Typing { person, typing }): Form<Typing>,
) -> Result<StatusCode, Failure> {
    turbo.update_member(("visitors", room), &Visitor { room, person, typing })?;
    Ok(StatusCode::NO_CONTENT)
}
