//! The board: no stream tags for single cards, only "load yourself again"; pages morph into what
//! they get.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use forebay::turbo::StreamSource;
use forebay::{Members, PresenceError, Turbo};
use serde::Deserialize;
use sqlx::{FromRow, SqlitePool};

use crate::errors::Failure;
use crate::viewer::{Person, Viewer};
use crate::watchers::{self, Watcher};

const TITLE_CHARS_MAX: usize = 120;

/// The columns, left to right.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(rename_all = "lowercase")]
enum Stage {
    Todo,
    Doing,
    Done,
}

impl Stage {
    const ALL: [Self; 3] = [Self::Todo, Self::Doing, Self::Done];

    fn slug(self) -> &'static str {
        match self {
            Self::Todo => "todo",
            Self::Doing => "doing",
            Self::Done => "done",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Todo => "To do",
            Self::Doing => "Doing",
            Self::Done => "Done",
        }
    }
}

#[derive(FromRow)]
struct Card {
    id: i64,
    stage: Stage,
    title: String,
}

struct Column {
    stage: Stage,
    cards: Vec<Card>,
}

#[derive(Template)]
#[template(path = "board/show.html")]
struct Board {
    turbo: Turbo,
    here: Members<Watcher>,
    person: Person,
    columns: [Column; 3],
    form: CardForm,
}

impl Board {
    async fn load(
        pool: &SqlitePool,
        turbo: Turbo,
        person: Person,
        form: CardForm,
    ) -> Result<Self, Failure> {
        let select = "select id, stage, title from cards order by position";
        let cards: Vec<Card> = sqlx::query_as(select).fetch_all(pool).await?;
        let mut columns = Stage::ALL.map(|stage| Column { stage, cards: Vec::new() });
        for card in cards {
            columns[card.stage as usize].cards.push(card);
        }
        let here = watchers::all(&turbo)?;
        Ok(Self { turbo, here, person, columns, form })
    }

    /// Who looks at no card.
    fn watchers_above(&self) -> impl Iterator<Item = &Watcher> {
        self.here.iter().filter(|watcher| watcher.is_at(None))
    }

    fn watchers_of(&self, card: &Card) -> impl Iterator<Item = &Watcher> {
        self.here.iter().filter(|watcher| watcher.is_at(Some(card.id)))
    }

    /// The tag that shows others who looks at the board.
    fn presence(&self) -> Result<StreamSource, PresenceError> {
        watchers::tag(&self.here, self.person)
    }
}

#[derive(Default, Deserialize)]
pub(crate) struct CardForm {
    #[serde(default, rename = "as")]
    person: Person,
    title: String,
    #[serde(skip)]
    error: Option<&'static str>,
}

impl CardForm {
    /// The title to store, or the form as it is shown again.
    fn check(self) -> Result<String, Self> {
        let title = self.title.trim();
        let error = match title.chars().count() {
            0 => "A card needs a title.",
            1..=TITLE_CHARS_MAX => return Ok(title.to_owned()),
            _ => "That is too long: 120 characters at most.",
        };
        Err(Self { error: Some(error), ..self })
    }
}

pub(crate) async fn show(
    State(pool): State<SqlitePool>,
    turbo: Turbo,
    Query(Viewer { person, .. }): Query<Viewer>,
) -> Result<Response, Failure> {
    let form = CardForm::default();
    Ok(turbo.page(&Board::load(&pool, turbo.clone(), person, form).await?)?)
}

pub(crate) async fn create(
    State(pool): State<SqlitePool>,
    turbo: Turbo,
    Form(form): Form<CardForm>,
) -> Result<Response, Failure> {
    let person = form.person;
    let title = match form.check() {
        Ok(title) => title,
        Err(form) => {
            return Ok(turbo.invalid(&Board::load(&pool, turbo.clone(), person, form).await?)?);
        }
    };
    let insert = "insert into cards (stage, title, position) \
                  values (?, ?, (select coalesce(max(position), 0) + 1 from cards))";
    change(&pool, &turbo, person, sqlx::query(insert).bind(Stage::Todo).bind(title)).await
}

#[derive(Deserialize)]
pub(crate) struct Move {
    #[serde(default, rename = "as")]
    person: Person,
    stage: Stage,
}

pub(crate) async fn relocate(
    State(pool): State<SqlitePool>,
    turbo: Turbo,
    Path(id): Path<i64>,
    Form(to): Form<Move>,
) -> Result<Response, Failure> {
    let update = "update cards set stage = ?, position = (select max(position) + 1 from cards) \
                  where id = ?";
    change(&pool, &turbo, to.person, sqlx::query(update).bind(to.stage).bind(id)).await
}

pub(crate) async fn destroy(
    State(pool): State<SqlitePool>,
    turbo: Turbo,
    Path(id): Path<i64>,
    Form(Viewer { person, .. }): Form<Viewer>,
) -> Result<Response, Failure> {
    let delete = sqlx::query("delete from cards where id = ?").bind(id);
    change(&pool, &turbo, person, delete).await
}

type Statement<'a> = sqlx::query::Query<'a, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// Changes the board. The page that asked follows the redirect and leaves out its own refresh; all
/// others load themselves again, once for many changes in quick succession.
async fn change(
    pool: &SqlitePool,
    turbo: &Turbo,
    person: Person,
    statement: Statement<'_>,
) -> Result<Response, Failure> {
    let mut transaction = turbo.begin(pool).await?;
    statement.execute(&mut *transaction).await?;
    transaction.broadcast().refresh_later_to("board").await?;
    transaction.commit().await?;
    Ok(turbo.redirect(&person.address("/board")))
}
