//! Who looks at the board, at which of its cards, and who is typing a new one.

use askama::Template;
use axum::Form;
use axum::http::StatusCode;
use forebay::presence::Presence;
use forebay::turbo::StreamSource;
use forebay::{
    Members, PresenceError, Record as _, RenderError, StreamNameError, Streamable, Turbo,
    TurboStream,
};
use serde::{Deserialize, Serialize};

use crate::errors::Failure;
use crate::viewer::Person;

const STREAM: &str = "watchers";

/// Somebody at the board, and the element `watcher_ada`.
#[derive(Clone, Streamable, Serialize, Deserialize, Template)]
#[template(path = "board/_watcher.html")]
pub(crate) struct Watcher {
    #[streamable(key)]
    person: Person,
    card: Option<i64>,
    typing: bool,
}

impl Watcher {
    /// Whether this is shown on a card; without one, above the board.
    pub(crate) fn is_at(&self, card: Option<i64>) -> bool {
        self.card == card
    }

    /// The list that shows it.
    fn place(&self) -> String {
        self.card.map_or_else(|| STREAM.to_owned(), |card| format!("card_{card}_watchers"))
    }
}

/// Whoever goes to another card leaves the list of the first one.
pub(crate) fn presence() -> Presence<Watcher> {
    Presence::<Watcher>::new()
        .streams(STREAM)
        .joined(|_, watcher| TurboStream::append(watcher.place()).render(watcher))
        .updated(|_, watcher| -> Result<_, RenderError> {
            let shown = TurboStream::append(watcher.place()).render(watcher)?;
            Ok(vec![TurboStream::remove(watcher), shown])
        })
}

pub(crate) fn all(turbo: &Turbo) -> Result<Members<Watcher>, StreamNameError> {
    turbo.members(STREAM)
}

/// The tag that makes whoever has the board's page one of them.
pub(crate) fn tag(here: &Members<Watcher>, person: Person) -> Result<StreamSource, PresenceError> {
    let me = here.iter().find(|watcher| watcher.person == person).cloned();
    here.presence_from(&me.unwrap_or(Watcher { person, card: None, typing: false }))
}

#[derive(Deserialize)]
pub(crate) struct Watching {
    #[serde(default, rename = "as")]
    person: Person,
    card: Option<i64>,
    #[serde(default)]
    typing: bool,
}

/// What `assets/typing.js` and `assets/watching.js` say.
pub(crate) async fn watching(
    turbo: Turbo,
    Form(Watching { person, card, typing }): Form<Watching>,
) -> Result<StatusCode, Failure> {
    turbo.update_member(STREAM, &Watcher { person, card, typing })?;
    Ok(StatusCode::NO_CONTENT)
}
